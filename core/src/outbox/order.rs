//! The order of what was never handed to a transport.

use alloc::collections::BTreeMap;

use super::{Entry, Outbox, Place};
use crate::config::Class;
use crate::event::Seq;
use crate::frame::Payload;

/// A message that was accepted and never handed to a transport.
/// See [`Connection::queued`](crate::Connection::queued).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued<'a> {
    /// Which.
    pub seq: Seq,
    /// Its id on the wire, where the dialect gave one.
    pub id: Option<u64>,
    /// What will go out: the encoded message.
    pub payload: &'a Payload,
    /// How hard it is tried.
    pub class: Class,
}

impl Entry {
    pub(super) fn is_unsent(&self) -> bool {
        self.place == Place::Queued && !self.handed
    }
}

impl Outbox {
    /// What was never handed over, in the order in which it would go out.
    pub(crate) fn unsent(&self) -> impl Iterator<Item = Queued<'_>> {
        self.entries.iter().filter(|entry| entry.is_unsent()).map(|entry| {
            let Entry { seq, id, payload, class, .. } = entry;
            Queued { seq: *seq, id: *id, payload, class: *class }
        })
    }

    /// Puts the named ones of what was never handed over first, in the order of the names.
    pub(crate) fn reorder(&mut self, names: &[Seq]) {
        let Some(start) = self.entries.iter().position(Entry::is_unsent) else { return };
        let mut places = BTreeMap::new();
        for (place, seq) in names.iter().enumerate() {
            places.entry(*seq).or_insert(place);
        }
        let entries = self.entries.make_contiguous();
        // Everything from here on was never handed over, or has ended.
        entries[start..].sort_by_key(|entry| *places.get(&entry.seq).unwrap_or(&usize::MAX));
        self.reordered = !entries.is_sorted_by_key(|entry| entry.seq);
    }
}
