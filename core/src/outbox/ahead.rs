//! The lane ahead: messages that go out before the queue, on this transport or never.
//!
//! It has bounds of its own, so that a full queue cannot keep the opening from being said, and it
//! ends with its transport.

use alloc::collections::VecDeque;

use super::Outbox;
use crate::config::{Class, Config, Outbox as Limits};
use crate::dialect::{Dialect, Encoding};
use crate::error::Rejected;
use crate::event::{Outgoing, Seq};
use crate::frame::{Frame, Payload};
use crate::notice::{Doubt, DropReason, Fate, Notice};
use crate::output::Output;
use crate::time::Instant;
use crate::transport::Transport;

/// Messages that may wait to be handed over, and as many more that may be with the transport.
const MAX_AHEAD: usize = 64;

/// A message that goes ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Early {
    seq: Seq,
    id: Option<u64>,
    payload: Payload,
    expires: Option<Instant>,
}

/// The lane. First in, first out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ahead {
    /// Oldest first.
    entries: VecDeque<Early>,
    /// So many of the first are with the transport.
    written: usize,
    /// Bytes of payload of all.
    bytes: usize,
}

impl Ahead {
    pub(super) const fn new() -> Self {
        Self { entries: VecDeque::new(), written: 0, bytes: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn waiting(&self) -> usize {
        self.entries.len() - self.written
    }

    pub(super) fn in_flight(&self) -> usize {
        self.written
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Ends the message if it is the one that is to be flushed next. Says whether it is.
    pub(super) fn flushed(&mut self, seq: Seq, output: &mut Output) -> bool {
        if self.written == 0 || self.entries.front().is_none_or(|entry| entry.seq != seq) {
            return false;
        }
        if let Some(Early { seq, id, .. }) = self.remove(0) {
            output.counters.flushed += 1;
            output.notify(Notice::Flushed { seq, id });
        }
        true
    }

    /// Ends the waiting messages whose lifetime has passed. Returns when the next one passes.
    pub(super) fn expire(&mut self, now: Instant, output: &mut Output) -> Option<Instant> {
        let mut earliest: Option<Instant> = None;
        let mut index = self.written;
        while let Some(entry) = self.entries.get(index) {
            match entry.expires {
                Some(expires) if expires <= now => {
                    self.end(index, Fate::Expired, output);
                    continue;
                }
                Some(expires) => {
                    earliest = Some(earliest.map_or(expires, |earliest| earliest.min(expires)));
                }
                None => {}
            }
            index += 1;
        }
        earliest
    }

    /// Takes back a message that waits. Says whether there was one of that name.
    pub(super) fn cancel(&mut self, seq: Seq, output: &mut Output) -> bool {
        let waiting = self.entries.iter().skip(self.written);
        let Some(index) = waiting.zip(self.written..).find(|(entry, _)| entry.seq == seq) else {
            return false;
        };
        self.end(index.1, Fate::Cancelled, output);
        true
    }

    /// Ends what waits.
    pub(super) fn fail_unsent(&mut self, fate: Fate, output: &mut Output) {
        while self.waiting() > 0 {
            self.end(self.written, fate, output);
        }
    }

    /// Ends everything.
    pub(super) fn fail(&mut self, dropped: DropReason, doubt: Doubt, output: &mut Output) {
        while !self.is_empty() {
            let handed = self.written > 0;
            let fate = if handed { Fate::Uncertain(doubt) } else { Fate::Dropped(dropped) };
            self.end(0, fate, output);
        }
    }

    fn end(&mut self, index: usize, fate: Fate, output: &mut Output) {
        if let Some(Early { seq, id, payload, .. }) = self.remove(index) {
            output.undelivered(seq, id, fate, payload);
        }
    }

    fn remove(&mut self, index: usize) -> Option<Early> {
        let entry = self.entries.remove(index)?;
        self.written -= usize::from(index < self.written);
        self.bytes -= entry.payload.len();
        Some(entry)
    }

    /// Becomes equal to another.
    #[cfg(feature = "sim")]
    pub(super) fn copy_from(&mut self, other: &Self) {
        let Self { entries, written, bytes } = other;
        crate::sim::copy_queue(&mut self.entries, entries);
        (self.written, self.bytes) = (*written, *bytes);
    }

    /// Takes what decides on what comes next.
    #[cfg(feature = "sim")]
    pub(super) fn fingerprint(&self, to: &mut crate::sim::Fingerprint) {
        use core::hash::Hash as _;
        for Early { seq, id, payload, expires } in &self.entries {
            (seq, id, payload).hash(to);
            to.optional(*expires);
        }
        (self.entries.len(), self.written).hash(to);
    }
}

impl Outbox {
    pub(crate) fn ahead_room(&self) -> usize {
        MAX_AHEAD - self.ahead.waiting()
    }

    /// Takes a message that goes ahead, or gives it back. Says when its lifetime passes, too.
    pub(crate) fn accept_ahead<D: Dialect>(
        &mut self,
        message: Outgoing,
        config: &Config,
        dialect: &mut D,
        now: Instant,
        output: &mut Output,
    ) -> Result<(Seq, Option<Instant>), Rejected> {
        let limit = config.outbox.max_bytes;
        let too_large = |message, size| Err(Rejected::TooLarge { message, size, limit });
        let size = message.payload.len();
        if size > limit {
            return too_large(message, size);
        }
        if self.ahead_room() == 0 {
            return Err(Rejected::QueueFull(message));
        }
        let unix_ms = config.wall_clock_origin_ms.saturating_add(now.as_millis());
        let context = Encoding { id: self.next_id, unix_ms, class: Class::Volatile };
        let kept = dialect.rewrites().then(|| message.payload.clone());
        let Outgoing { payload, class, ttl, ahead } = message;
        let give_back = |payload| Outgoing { payload: kept.unwrap_or(payload), class, ttl, ahead };
        let encoded = match dialect.encode(payload, context) {
            Ok(encoded) => encoded,
            Err((payload, error)) => {
                return Err(Rejected::Unencodable { message: give_back(payload), error });
            }
        };
        let size = encoded.payload.len();
        if size > limit {
            return too_large(give_back(encoded.payload), size);
        }
        let expires = ttl.or(config.outbox.ttl).map(|ttl| now + ttl);
        let seq = self.admit(encoded.id, output);
        self.ahead.bytes += size;
        self.ahead.entries.push_back(Early {
            seq,
            id: encoded.id,
            payload: encoded.payload,
            expires,
        });
        Ok((seq, expires))
    }

    /// Hands the next message that goes ahead to the transport, if it may go.
    pub(super) fn hand_over_ahead(
        &mut self,
        transport: &mut Transport,
        limits: &Limits,
    ) -> Option<(u64, Frame)> {
        let entry = self.ahead.entries.get(self.ahead.written)?;
        if self.ahead.written >= MAX_AHEAD
            || !transport.has_credit(entry.payload.len(), limits.write_credit)
        {
            return None;
        }
        self.ahead.written += 1;
        self.largest_id = self.largest_id.max(entry.id);
        let index = transport.hand_over(Some(entry.seq), entry.payload.len());
        Some((index, Frame::from(entry.payload.clone())))
    }
}
