//! A copy of the outbox in the room of another, for the checker, which makes many.

use super::Outbox;
use crate::sim::copy_queue;

impl Outbox {
    /// Becomes equal to another.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        let Self {
            entries,
            next,
            reordered,
            ahead,
            living,
            bytes,
            queued,
            awaiting_bytes,
            unacknowledged,
            last_seq,
            next_id,
            largest_id,
            refused,
        } = other;
        copy_queue(&mut self.entries, entries);
        self.ahead.copy_from(ahead);
        self.next = *next;
        self.reordered = *reordered;
        self.living = *living;
        self.bytes = *bytes;
        self.queued = *queued;
        self.awaiting_bytes = *awaiting_bytes;
        self.unacknowledged = *unacknowledged;
        self.last_seq = *last_seq;
        self.next_id = *next_id;
        self.largest_id = *largest_id;
        self.refused = *refused;
    }
}
