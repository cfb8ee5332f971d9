//! A message in the ledger.

use core::hash::Hash as _;

use super::fingerprint::Fingerprint;
use crate::config::Class;
use crate::event::TransportId;
use crate::frame::Payload;
use crate::time::Instant;

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    Queued,
    /// Written as this index.
    Written(u64),
    /// Flushed at that time, and not of class acknowledged: its notice is due.
    Flushed,
    /// Flushed at that time, and awaits its acknowledgement.
    Awaiting(Instant),
    /// Acknowledged: its notice is due.
    Acknowledged,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) seq: u64,
    pub(super) id: Option<u64>,
    pub(super) payload: Payload,
    pub(super) class: Class,
    pub(super) expires: Option<Instant>,
    pub(super) place: Place,
    /// Whether it was ever written.
    pub(super) written: bool,
    /// Whether it goes out before what is queued.
    pub(super) ahead: bool,
    /// For class volatile: the transport that was open when it was accepted.
    pub(super) transport: Option<TransportId>,
}

impl Entry {
    /// Takes what decides on what comes next.
    pub(super) fn fingerprint(&self, to: &mut Fingerprint) {
        let Entry { seq, id, payload, class, expires, place, written, ahead, transport } = self;
        (seq, id, payload, class, written, ahead, transport).hash(to);
        to.optional(*expires);
        match place {
            Place::Queued => 0_u64.hash(to),
            Place::Written(index) => (1_u64, index).hash(to),
            Place::Flushed => 2_u64.hash(to),
            Place::Acknowledged => 3_u64.hash(to),
            Place::Awaiting(since) => to.instant(*since),
        }
    }
}

/// What the messages add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) queued: usize,
    /// Those of them that go ahead.
    pub(super) ahead: usize,
    pub(super) bytes: usize,
    /// Bytes that await more than an acknowledgement.
    pub(super) unsent: usize,
    pub(super) limited: Limited,
}

/// What counts against the limits of the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Limited {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Sums {
    pub(super) fn add(&mut self, entry: &Entry) {
        let size = entry.payload.len();
        self.bytes += size;
        if !entry.ahead {
            self.limited.messages += 1;
            self.limited.bytes += size;
        }
        self.put(entry.place, entry);
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        let size = entry.payload.len();
        self.bytes -= size;
        if !entry.ahead {
            self.limited.messages -= 1;
            self.limited.bytes -= size;
        }
        self.take(entry.place, entry);
    }

    /// Moves a message to another place.
    pub(super) fn put_at(&mut self, place: Place, entry: &mut Entry) {
        self.take(entry.place, entry);
        entry.place = place;
        self.put(place, entry);
    }

    fn put(&mut self, place: Place, entry: &Entry) {
        if place == Place::Queued {
            self.queued += 1;
            self.ahead += usize::from(entry.ahead);
        }
        if !matches!(place, Place::Awaiting(_)) {
            self.unsent += entry.payload.len();
        }
    }

    fn take(&mut self, place: Place, entry: &Entry) {
        if place == Place::Queued {
            self.queued -= 1;
            self.ahead -= usize::from(entry.ahead);
        }
        if !matches!(place, Place::Awaiting(_)) {
            self.unsent -= entry.payload.len();
        }
    }
}
