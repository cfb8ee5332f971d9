//! What a test asks about what the driver saw.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem::take;

use super::{Harness, millis};
use crate::{Bytes, Closed, Counters, Dialect, Fate, Frame, Message, Notice, State};

impl<D: Dialect> Harness<D> {
    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        take(&mut self.notices)
    }

    pub(crate) fn take_frames(&mut self) -> Vec<Frame> {
        take(&mut self.writes).into_iter().map(|write| write.frame).collect()
    }

    /// The texts that were written, heartbeats of the protocol left out.
    pub(crate) fn take_texts(&mut self) -> Vec<String> {
        let frames = self.take_frames().into_iter();
        frames
            .filter_map(|frame| match frame {
                Frame::Text(text) => Some(text.to_string()),
                Frame::Binary(_) | Frame::Ping(_) | Frame::Pong(_) | Frame::Close(_) => None,
            })
            .collect()
    }

    /// When protocol pings were written, in milliseconds since the start.
    pub(crate) fn pings(&self) -> Vec<u64> {
        let pings = self.writes.iter().filter(|write| matches!(write.frame, Frame::Ping(_)));
        pings.map(|write| write.at.as_millis() - 1_000).collect()
    }

    /// The payload of the last protocol ping.
    #[track_caller]
    pub(crate) fn last_ping(&self) -> Bytes {
        let ping = self.writes.iter().rev().find_map(|write| match &write.frame {
            Frame::Ping(payload) => Some(payload.clone()),
            _ => None,
        });
        ping.expect("a ping was written")
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        let messages = self.notices.iter().filter_map(|notice| match notice {
            Notice::Message(message) => Some(message.clone()),
            _ => None,
        });
        messages.collect()
    }

    /// How the messages ended, in that order, in words: `1 flushed`, `2 uncertain`.
    pub(crate) fn fates(&self) -> Vec<String> {
        let fates = self.notices.iter().filter_map(|notice| match notice {
            Notice::Flushed { seq, .. } => Some(alloc::format!("{seq} flushed")),
            Notice::Acknowledged { seq, .. } => Some(alloc::format!("{seq} acknowledged")),
            Notice::Undelivered { seq, fate, .. } => Some(match fate {
                Fate::Expired => alloc::format!("{seq} expired"),
                Fate::Cancelled => alloc::format!("{seq} cancelled"),
                Fate::Dropped(why) => alloc::format!("{seq} dropped {why:?}"),
                Fate::Uncertain(why) => alloc::format!("{seq} uncertain {why:?}"),
            }),
            _ => None,
        });
        fates.collect()
    }

    /// The changes of state, as `connecting-open`.
    pub(crate) fn changes(&self) -> Vec<String> {
        let changes = self.notices.iter().filter_map(|notice| match notice {
            Notice::StateChanged { from, to, .. } => Some(alloc::format!("{from}-{to}")),
            _ => None,
        });
        changes.collect()
    }

    /// Delays announced, in milliseconds.
    pub(crate) fn delays(&self) -> Vec<u64> {
        let delays = self.notices.iter().filter_map(|notice| match notice {
            Notice::Retrying { delay, .. } => Some(millis(*delay)),
            _ => None,
        });
        delays.collect()
    }

    /// The closed notice; there must be exactly one.
    #[track_caller]
    pub(crate) fn closed(&self) -> Closed {
        let closed: Vec<&Closed> = self
            .notices
            .iter()
            .filter_map(|notice| match notice {
                Notice::Closed(closed) => Some(closed),
                _ => None,
            })
            .collect();
        assert_eq!(closed.len(), 1, "closed notices: {closed:?}");
        assert_eq!(self.connection.state(), State::Closed);
        closed[0].clone()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.connection.state() == State::Closed
    }

    /// Why the link was found dead, and after how many milliseconds of silence, if it was.
    pub(crate) fn dead(&self) -> Option<(&'static str, u64)> {
        self.notices.iter().find_map(|notice| match notice {
            Notice::Dead { silence, why } => Some((why.as_str(), millis(*silence))),
            _ => None,
        })
    }

    pub(crate) fn counters(&self) -> Counters {
        *self.connection.counters()
    }

    pub(crate) fn phase(&self) -> &'static str {
        self.connection.status().phase
    }

    /// The milliseconds since the start.
    pub(crate) fn elapsed(&self) -> u64 {
        self.now.as_millis() - 1_000
    }
}
