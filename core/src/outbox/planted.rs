//! What the planted faults do to messages.

use super::{Class, Entry, Limits, Outbox, Payload, Place};
use crate::notice::Notice;
use crate::output::Output;

impl Outbox {
    /// Lets a volatile message that stands there wait for the next transport.
    pub(super) fn keeps(&mut self, index: usize, place: Place) -> bool {
        let entry = &mut self.entries[index];
        let kept = entry.class == Class::Volatile && entry.place == place;
        if kept && place == Place::Written {
            entry.place = Place::Queued;
            self.queued += 1;
        }
        kept
    }

    /// Ends a message of class queued without a word.
    pub(super) fn loses(&mut self, index: usize) -> bool {
        let lost = self.entries[index].class == Class::Queued;
        if lost {
            self.end(index);
        }
        lost
    }

    /// Says that a message was flushed, of which nobody knows.
    pub(super) fn lies(&mut self, index: usize, output: &mut Output) -> bool {
        let Entry { seq, id, .. } = self.entries[index];
        output.counters.flushed += 1;
        output.notify(Notice::Flushed { seq, id });
        self.end(index);
        true
    }
}

impl Entry {
    /// Another id, and other bytes to say so.
    pub(super) fn renumber(&mut self) {
        self.id = self.id.map(|id| id + 100);
        self.payload = Payload::Text("9".repeat(self.payload.len()).into());
    }
}

/// The limits, if they are not to be kept.
pub(super) fn loosen(limits: &Limits, output: &Output) -> Limits {
    let mut limits = limits.clone();
    limits.max_messages += usize::from(planted!(output, MessageTooMany));
    limits.max_bytes += usize::from(planted!(output, ByteTooMany));
    limits.write_credit += usize::from(planted!(output, CreditExceeded));
    limits
}
