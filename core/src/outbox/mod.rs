//! The send side: what was accepted and has not ended yet.
//!
//! One queue in the order of acceptance. `next` is the first place that may hold a message to be
//! written: before it stand messages that are with the transport or await an acknowledgement, and
//! places of ended ones. When a transport is lost, what must go out again is simply marked as
//! queued and `next` goes back to the front, so resends keep their order and precede newer ones.
//! What was never handed over stands behind all that was, and may be put in another order.
//!
//! A lane of its own goes ahead of the queue: see `ahead`.

mod accept;
mod ahead;
#[cfg(feature = "sim")]
mod copy;
mod order;
#[cfg(perennial_planted)]
mod planted;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;

pub use order::Queued;

use self::ahead::Ahead;
use crate::config::{Class, Outbox as Limits};
use crate::event::Seq;
use crate::frame::{Frame, Payload};
use crate::notice::{Doubt, DropReason, Fate, Notice};
use crate::output::Output;
use crate::time::Instant;
use crate::transport::Transport;

/// Places of ended messages that are tolerated beyond the number of living ones.
const SLACK: usize = 64;

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// Waits to be written.
    Queued,
    /// Handed to the current transport, not yet flushed.
    Written,
    /// Flushed, and awaits its acknowledgement.
    Awaiting,
    /// Ended; the place is not yet reused.
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    seq: Seq,
    id: Option<u64>,
    payload: Payload,
    class: Class,
    place: Place,
    /// Whether it was ever handed to a transport.
    handed: bool,
    expires: Option<Instant>,
    /// When it was last flushed.
    flushed_at: Instant,
}

/// The send side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outbox {
    entries: VecDeque<Entry>,
    /// No entry before this one is queued.
    next: usize,
    /// The entries may stand in another order than that of acceptance.
    reordered: bool,
    /// What goes out before them, on this transport or never. In none of the sums here.
    ahead: Ahead,
    living: usize,
    /// Bytes of payload of the living.
    bytes: usize,
    queued: usize,
    /// Bytes of payload that await nothing but an acknowledgement.
    awaiting_bytes: usize,
    /// Messages of class acknowledged that are with the transport or await their acknowledgement.
    unacknowledged: usize,
    last_seq: u64,
    /// The id to give next; `None` when none is left.
    next_id: Option<u64>,
    /// The largest id ever handed to a transport.
    largest_id: Option<u64>,
    /// The size of the smallest message that was refused for want of room, until it is told that
    /// there is some.
    refused: Option<usize>,
}

/// What [`Outbox::acknowledge`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AckOutcome {
    /// It settled something, or repeated an earlier cumulative one.
    Taken,
    /// It is for an id that awaits none.
    Unknown,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            next: 0,
            reordered: false,
            ahead: Ahead::new(),
            living: 0,
            bytes: 0,
            queued: 0,
            awaiting_bytes: 0,
            unacknowledged: 0,
            last_seq: 0,
            next_id: Some(1),
            largest_id: None,
            refused: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.living == 0 && self.ahead.is_empty()
    }

    /// How many messages count against the limit.
    #[cfg(test)]
    pub(crate) fn living(&self) -> usize {
        self.living
    }

    /// How many bytes count against the limit.
    #[cfg(test)]
    pub(crate) fn living_bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn queued(&self) -> usize {
        self.queued + self.ahead.waiting()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.living - self.queued + self.ahead.in_flight()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.ahead.bytes()
    }

    pub(crate) fn buffered_amount(&self) -> usize {
        self.bytes() - self.awaiting_bytes
    }

    pub(crate) fn unacknowledged(&self) -> usize {
        self.unacknowledged
    }

    /// Hands the next message to the transport, if there is one and it may go.
    pub(crate) fn hand_over(
        &mut self,
        transport: &mut Transport,
        limits: &Limits,
        output: &mut Output,
    ) -> Option<(u64, Frame)> {
        #[cfg(perennial_planted)]
        let limits = &planted::loosen(limits, output);
        let behind = planted!(output, AheadBehind) && self.queued > 0 && !transport.held;
        if self.ahead.waiting() > 0 && !behind {
            return self.hand_over_ahead(transport, limits);
        }
        if transport.held && !planted!(output, GateLeaks) {
            return None;
        }
        while self.entries.get(self.next).is_some_and(|entry| entry.place != Place::Queued) {
            self.next += 1;
        }
        let entry = self.entries.get_mut(self.next)?;
        let acknowledged = entry.class == Class::Acknowledged;
        if acknowledged && self.unacknowledged >= limits.ack_window
            || !transport.has_credit(entry.payload.len(), limits.write_credit)
        {
            return None;
        }
        entry.place = Place::Written;
        if entry.handed {
            planted!(output, ResendNewId => entry.renumber());
            output.counters.resent += 1;
        }
        entry.handed = true;
        self.largest_id = self.largest_id.max(entry.id);
        self.next += 1;
        self.queued -= 1;
        self.unacknowledged += usize::from(acknowledged);
        let index = transport.hand_over(Some(entry.seq), entry.payload.len());
        Some((index, Frame::from(entry.payload.clone())))
    }

    /// Notes that a message was given to the kernel. Returns whether it now awaits its
    /// acknowledgement.
    pub(crate) fn flushed(&mut self, seq: Seq, now: Instant, output: &mut Output) -> bool {
        if self.ahead.in_flight() > 0 && self.ahead.flushed(seq, output) {
            return false;
        }
        let Some(index) = self.find(seq) else { return false };
        let entry = &mut self.entries[index];
        if entry.place != Place::Written {
            return false;
        }
        if entry.class == Class::Acknowledged {
            entry.place = Place::Awaiting;
            entry.flushed_at = now;
            self.awaiting_bytes += entry.payload.len();
            return true;
        }
        output.counters.flushed += 1;
        output.notify(Notice::Flushed { seq, id: entry.id });
        self.remove(index);
        false
    }

    /// Takes an acknowledgement.
    pub(crate) fn acknowledge(
        &mut self,
        id: u64,
        cumulative: bool,
        output: &mut Output,
    ) -> AckOutcome {
        if self.largest_id.is_none_or(|largest| id > largest) {
            return AckOutcome::Unknown;
        }
        let mut found = false;
        for index in 0..self.entries.len() {
            let entry = &self.entries[index];
            if entry.place == Place::Ended {
                continue;
            }
            // Messages are handed over in order, so nothing after this one was.
            if !entry.handed {
                break;
            }
            if entry.class != Class::Acknowledged {
                continue;
            }
            let covered =
                entry.id.is_some_and(|own| if cumulative { own <= id } else { own == id });
            if covered {
                found = true;
                output.counters.acknowledged += 1;
                output.notify(Notice::Acknowledged { seq: entry.seq, id: entry.id });
                self.end(index);
                // An id used twice is acknowledged twice, oldest first.
                if !cumulative {
                    break;
                }
            }
        }
        self.sweep();
        if found || cumulative { AckOutcome::Taken } else { AckOutcome::Unknown }
    }

    /// Queues again what has awaited its acknowledgement since `before` or longer. Returns since
    /// when the longest waiting of the others does.
    pub(crate) fn resend(&mut self, before: Instant) -> Option<Instant> {
        let mut earliest: Option<Instant> = None;
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if entry.place != Place::Awaiting {
                continue;
            }
            if entry.flushed_at <= before {
                entry.place = Place::Queued;
                self.queued += 1;
                self.unacknowledged -= 1;
                self.awaiting_bytes -= entry.payload.len();
                self.next = self.next.min(index);
            } else {
                let since = entry.flushed_at;
                earliest = Some(earliest.map_or(since, |earliest| earliest.min(since)));
            }
        }
        earliest
    }

    /// The transport is gone: what can go out again is queued, what cannot ends.
    pub(crate) fn transport_lost(&mut self, output: &mut Output) {
        if !planted!(output, AheadKept) {
            self.ahead.fail(DropReason::Lost, Doubt::Lost, output);
        }
        for index in 0..self.entries.len() {
            planted!(output, VolatileKept => if self.keeps(index, Place::Queued) { continue });
            planted!(output, VolatileTwice => if self.keeps(index, Place::Written) { continue });
            let entry = &mut self.entries[index];
            match (entry.place, entry.class) {
                (Place::Written | Place::Awaiting, Class::Acknowledged) => {
                    if entry.place == Place::Awaiting {
                        self.awaiting_bytes -= entry.payload.len();
                    }
                    entry.place = Place::Queued;
                    self.queued += 1;
                    self.unacknowledged -= 1;
                }
                (Place::Written | Place::Awaiting, Class::Volatile | Class::Queued) => {
                    planted!(output, MessageLost => if self.loses(index) { continue });
                    planted!(output, UncertainFlushed => if self.lies(index, output) { continue });
                    self.fail(index, Fate::Uncertain(Doubt::Lost), output);
                }
                (Place::Queued, Class::Volatile) => {
                    self.fail(index, Fate::Dropped(DropReason::Lost), output);
                }
                (Place::Queued, Class::Queued | Class::Acknowledged) | (Place::Ended, _) => {}
            }
        }
        if !planted!(output, ResendLast) {
            self.next = 0;
        }
        self.sweep();
    }

    /// Ends every message whose lifetime has passed. Returns when the next one passes.
    pub(crate) fn expire(&mut self, now: Instant, output: &mut Output) -> Option<Instant> {
        let mut earliest = self.ahead.expire(now, output);
        for index in 0..self.entries.len() {
            let entry = &self.entries[index];
            let Some(expires) = entry.expires else { continue };
            let stoppable = match entry.place {
                Place::Queued => true,
                Place::Written | Place::Awaiting => entry.class == Class::Acknowledged,
                Place::Ended => false,
            };
            if !stoppable {
                continue;
            }
            if expires > now {
                earliest = Some(earliest.map_or(expires, |earliest| earliest.min(expires)));
            } else if entry.handed {
                self.fail(index, Fate::Uncertain(Doubt::Expired), output);
            } else {
                self.fail(index, Fate::Expired, output);
            }
        }
        self.sweep();
        earliest
    }

    /// Takes one message back. Only one that was never handed to a transport can be.
    pub(crate) fn cancel(&mut self, seq: Seq, output: &mut Output) -> bool {
        if self.ahead.cancel(seq, output) {
            return true;
        }
        let found = self.find(seq).filter(|index| {
            let entry = &self.entries[*index];
            entry.place == Place::Queued && !entry.handed
        });
        if let Some(index) = found {
            self.fail(index, Fate::Cancelled, output);
            self.sweep();
        }
        found.is_some()
    }

    /// Takes back every message of the queue that was never handed to a transport. What goes ahead is
    /// none of it: a login, or a subscription that is said again.
    pub(crate) fn purge(&mut self, output: &mut Output) {
        planted!(output, AheadPurged => self.ahead.fail_unsent(Fate::Cancelled, output));
        self.fail_where(|entry| !entry.handed, Fate::Cancelled, Doubt::Closed, output);
    }

    /// Drops what was never handed to a transport; what was, may still be confirmed.
    pub(crate) fn drop_unsent(&mut self, output: &mut Output) {
        let dropped = Fate::Dropped(DropReason::Closed);
        self.ahead.fail_unsent(dropped, output);
        self.fail_where(|entry| entry.place == Place::Queued, dropped, Doubt::Closed, output);
    }

    /// Ends everything.
    pub(crate) fn fail_all(&mut self, dropped: DropReason, doubt: Doubt, output: &mut Output) {
        self.ahead.fail(dropped, doubt, output);
        self.fail_where(|_| true, Fate::Dropped(dropped), doubt, output);
    }

    fn fail_where(
        &mut self,
        which: impl Fn(&Entry) -> bool,
        unsent: Fate,
        doubt: Doubt,
        output: &mut Output,
    ) {
        for index in 0..self.entries.len() {
            let entry = &self.entries[index];
            if entry.place != Place::Ended && which(entry) {
                let fate = if entry.handed { Fate::Uncertain(doubt) } else { unsent };
                self.fail(index, fate, output);
            }
        }
        self.sweep();
    }

    fn fail(&mut self, index: usize, fate: Fate, output: &mut Output) {
        let entry = &self.entries[index];
        output.undelivered(entry.seq, entry.id, fate, entry.payload.clone());
        self.end(index);
    }

    /// Marks a place as ended and settles the sums. The caller sweeps.
    fn end(&mut self, index: usize) {
        let entry = &mut self.entries[index];
        if entry.place == Place::Ended {
            return;
        }
        let (place, class) = (entry.place, entry.class);
        entry.place = Place::Ended;
        // The bytes are let go at once, however long the place stays.
        let payload = core::mem::replace(&mut entry.payload, Payload::from(""));
        self.settle(place, class, payload.len());
    }

    /// Ends one message and gives up its place.
    fn remove(&mut self, index: usize) {
        if index > 0 {
            self.end(index);
        } else if let Some(entry) = self.entries.pop_front() {
            // The common case: the oldest message is the first to end.
            self.next = self.next.saturating_sub(1);
            self.settle(entry.place, entry.class, entry.payload.len());
        }
        self.sweep();
    }

    /// Takes a message out of the sums.
    fn settle(&mut self, place: Place, class: Class, size: usize) {
        match place {
            Place::Queued => self.queued -= 1,
            Place::Written => {
                self.unacknowledged -= usize::from(class == Class::Acknowledged);
            }
            Place::Awaiting => {
                self.awaiting_bytes -= size;
                self.unacknowledged -= usize::from(class == Class::Acknowledged);
            }
            Place::Ended => return,
        }
        self.living -= 1;
        self.bytes -= size;
    }

    /// Reuses the places of ended messages: those at the front at once, the others when they
    /// outnumber the living.
    fn sweep(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.place == Place::Ended) {
            self.entries.pop_front();
            self.next = self.next.saturating_sub(1);
        }
        if self.reordered && self.entries.is_empty() {
            self.reordered = false;
        }
        if self.entries.len() > 2 * self.living + SLACK {
            let ended = |entry: &&Entry| entry.place == Place::Ended;
            self.next -= self.entries.iter().take(self.next).filter(ended).count();
            self.entries.retain(|entry| entry.place != Place::Ended);
        }
    }

    /// Takes what decides on what comes next. The sums follow from the entries.
    #[cfg(feature = "sim")]
    pub(crate) fn fingerprint(&self, to: &mut crate::sim::Fingerprint) {
        use core::hash::Hash as _;
        for entry in self.entries.iter().filter(|entry| entry.place != Place::Ended) {
            let Entry { seq, id, payload, class, place, handed, expires, flushed_at } = entry;
            (seq, id, payload, class, place, handed).hash(to);
            to.optional(*expires);
            if *place == Place::Awaiting {
                to.instant(*flushed_at);
            }
        }
        self.ahead.fingerprint(to);
        (self.living, self.last_seq, self.next_id, self.largest_id, self.refused).hash(to);
    }

    fn find(&self, seq: Seq) -> Option<usize> {
        match self.entries.front() {
            Some(first) if first.seq == seq => Some(0),
            Some(_) if self.reordered => self.entries.iter().position(|entry| entry.seq == seq),
            Some(_) => self.entries.binary_search_by_key(&seq, |entry| entry.seq).ok(),
            None => None,
        }
    }
}
