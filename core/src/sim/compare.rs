//! What an event must not change: the connection beside one that was given a tick instead.
//!
//! A copy is made only where something is compared with it: of an event that comes when nothing is
//! due, and that by all that was seen must be taken, nothing is; that it is taken is checked
//! instead.

use alloc::format;
use alloc::string::String;

use super::checker::Checked;
use super::glance::{Glance, Stage};
use super::offer::Offer;
use super::{Moment, Verdict, demand, violation};
use crate::config::WhileDown;
use crate::connection::Connection;
use crate::dialect::Dialect;
use crate::error::{Accepted, Rejected};
use crate::event::Event;
use crate::notice::ReadyState;
use crate::time::Instant;

impl<D: Dialect + Clone + PartialEq> Checked<D> {
    /// Whether the event must be taken, and comes when nothing else acts.
    pub(super) fn must_be_taken(&self, time: Instant, event: &Event) -> bool {
        if time < self.now || self.seen.len() >= super::checker::BUSY {
            return false;
        }
        let early = self.glance.deadline.is_none_or(|(deadline, _)| time < deadline);
        if !early {
            // The tick is what is due, and nothing besides.
            return matches!(event, Event::Tick);
        }
        let phase = self.glance.phase;
        match event {
            Event::Opened { transport, .. } | Event::DialFailed { transport, .. } => {
                phase == Stage::Dialing && self.wire.id() == Some(*transport)
            }
            Event::Received { transport, .. }
            | Event::Heard { transport }
            | Event::Violated { transport, .. } => {
                matches!(phase, Stage::Open | Stage::Closing) && self.wire.hears(*transport)
            }
            Event::Flushed { transport, .. }
            | Event::Buffered { transport, .. }
            | Event::Ended { transport, .. } => self.wire.id() == Some(*transport),
            Event::Release { transport } => self.glance.held && self.wire.id() == Some(*transport),
            Event::Refuse { transport, .. } => {
                phase == Stage::Open && self.wire.id() == Some(*transport)
            }
            Event::Purge
            | Event::Reorder(_)
            | Event::Reconnect
            | Event::PauseReads
            | Event::ResumeReads => phase != Stage::Closed,
            Event::Send(message) if message.ahead => {
                let leaving = self.glance.ready_state == ReadyState::Closing && !self.glance.held;
                let size = self.offer.as_ref().and_then(Offer::size);
                let most = self.inner.config().outbox.max_bytes;
                let fits = size.is_some_and(|size| size <= most) && self.ledger.has_ahead_room();
                phase == Stage::Open && !leaving && fits
            }
            Event::Send(_) => {
                let leaving = self.glance.ready_state == ReadyState::Closing;
                let limits = &self.inner.config().outbox;
                let size = self.offer.as_ref().and_then(Offer::size);
                let fits = size.is_some_and(|size| {
                    size <= limits.max_bytes && self.ledger.has_room(size, limits)
                });
                let down = limits.while_down == WhileDown::Refuse && phase != Stage::Open;
                !leaving && !down && phase != Stage::Closed && fits
            }
            Event::Tick
            | Event::Cancel(_)
            | Event::Close(_)
            | Event::Drain { .. }
            | Event::Retry { .. } => false,
        }
    }

    /// An event that had to be taken was.
    pub(super) fn was_taken(event: &Event, result: &Result<Accepted, Rejected>) -> Verdict {
        match result {
            Ok(Accepted::Done | Accepted::Message(_)) => Ok(()),
            Ok(Accepted::Stale) => Err(violation(6, format!("{event:?} was called stale"))),
            Err(rejected) => Err(violation(30, format!("{rejected:?} without cause"))),
        }
    }

    /// Compares with the connection that was given a tick instead of the event.
    pub(super) fn compare(&self, moment: &Moment<'_>, ticked: &mut Connection<D>) -> Verdict {
        let Moment { event, transport: id, result, .. } = *moment;
        match result {
            Ok(Accepted::Stale) => {
                ticked.output.counters.stale_events += 1;
                let opened = id.filter(|_| matches!(event, Event::Opened { .. }));
                let late =
                    opened.filter(|id| self.wire.knows(*id) && moment.due.transport != Some(*id));
                if late.is_some() {
                    // The `Abort` is all that is added; where it stands depends on what is due.
                    let (with, without) = (self.inner.undrained(), ticked.undrained());
                    demand!(6, with == without + 1, "a late {event:?} led to {with} actions");
                    ticked.output.wait_as(&self.inner.output);
                    demand!(6, *ticked == self.inner, "a late {event:?} changed something");
                } else if id.is_none_or(|id| !self.wire.hears(id)) {
                    let equal = *ticked == self.inner;
                    demand!(6, equal, "stale {event:?} changed {}", change(ticked, &self.inner));
                } else if matches!(event, Event::Release { .. } | Event::Refuse { .. }) {
                    let releases = matches!(event, Event::Release { .. });
                    let in_place = moment.due.held || !releases && moment.due.phase == Stage::Open;
                    let awaited = in_place && moment.due.transport == id;
                    demand!(6, !awaited, "{event:?} of the open transport was called stale");
                    demand!(6, *ticked == self.inner, "stale {event:?} changed something");
                } else {
                    let transport = moment.after.transport;
                    let heard = matches!(
                        event,
                        Event::Received { .. } | Event::Heard { .. } | Event::Violated { .. }
                    );
                    let live = transport == id && moment.after.phase == Stage::Open;
                    demand!(6, !(heard && live), "{event:?} of a live transport was called stale");
                }
            }
            Ok(Accepted::Done) => {
                let again = matches!(event, Event::Close(_) | Event::Drain { .. })
                    && matches!(moment.due.phase, Stage::Closing | Stage::Closed);
                demand!(8, !again || *ticked == self.inner, "{event:?} again changed something");
            }
            Ok(Accepted::Message(_)) => {}
            Err(rejected) => {
                ticked.output.counters.rejected += u64::from(matches!(event, Event::Send(_)));
                if matches!(rejected, Rejected::QueueFull(_)) {
                    // That `Writable` was promised is all that may differ.
                    ticked.outbox.promise_as(&self.inner.outbox);
                }
                let equal = *ticked == self.inner;
                demand!(30, equal, "{rejected:?} changed {}", change(ticked, &self.inner));
            }
        }
        Ok(())
    }
}

/// What can be seen of a change.
#[cold]
fn change<D: Dialect>(from: &Connection<D>, to: &Connection<D>) -> String {
    let seen = |connection: &Connection<D>| (Glance::of(connection), connection.output.counters);
    format!("{:?} to {:?}", seen(from), seen(to))
}
