//! Sets of message ids, small for the runs of consecutive numbers that clients really send.

use std::collections::{BTreeMap, HashMap};

/// Most separate ranges kept per session. Past that the lowest is forgotten, so that ids picked at
/// random cannot grow memory without bound.
const MAX_RANGES: usize = 1 << 16;

/// A set of `u64` as disjoint, non-adjacent ranges: start to inclusive end.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    ranges: BTreeMap<u64, u64>,
}

impl Ranges {
    /// Adds `id`; false when it was there already.
    pub(super) fn insert(&mut self, id: u64) -> bool {
        let before = self.ranges.range(..=id).next_back().map(|(&s, &e)| (s, e));
        if before.is_some_and(|(_, end)| end >= id) {
            return false;
        }
        let start = match before {
            Some((start, end)) if end + 1 == id => start,
            _ => id,
        };
        let end = match id.checked_add(1).and_then(|next| self.ranges.remove(&next)) {
            Some(end) => end,
            None => id,
        };
        self.ranges.insert(start, end);
        if self.ranges.len() > MAX_RANGES {
            self.ranges.pop_first();
        }
        true
    }

    /// The last id of the unbroken run that `id` is part of.
    pub(super) fn run_end(&self, id: u64) -> Option<u64> {
        self.ranges.range(..=id).next_back().map(|(_, &end)| end).filter(|&end| end >= id)
    }
}

/// Which ids were seen, per session.
#[derive(Debug, Default)]
pub(super) struct SeenIds {
    sessions: HashMap<String, Ranges>,
}

impl SeenIds {
    /// Notes `id`; true when this session had not sent it before.
    pub(super) fn insert(&mut self, session: &str, id: u64) -> bool {
        if let Some(ranges) = self.sessions.get_mut(session) {
            return ranges.insert(id);
        }
        self.sessions.entry(session.to_owned()).or_default().insert(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn agrees_with_a_plain_set() {
        let mut rng = super::super::rng::Rng::stream(11, 0);
        let (mut ranges, mut set) = (Ranges::default(), HashSet::new());
        for _ in 0..5_000 {
            let id = rng.next_u64() % 512;
            assert_eq!(ranges.insert(id), set.insert(id), "{id}");
        }
    }

    #[test]
    fn consecutive_ids_cost_one_range() {
        let mut ranges = Ranges::default();
        for id in (1..=1_000).rev().chain(1_001..=2_000) {
            assert!(ranges.insert(id));
        }
        assert_eq!(ranges.ranges.len(), 1);
        assert_eq!((ranges.run_end(1), ranges.run_end(2_001)), (Some(2_000), None));
        assert!(ranges.insert(u64::MAX) && !ranges.insert(u64::MAX));
        assert!(ranges.insert(0) && !ranges.insert(0));
    }

    #[test]
    fn memory_is_bounded_and_sessions_are_apart() {
        let mut ranges = Ranges::default();
        for id in 0..(MAX_RANGES as u64 + 10) {
            ranges.insert(id * 2);
        }
        assert_eq!(ranges.ranges.len(), MAX_RANGES);
        let mut seen = SeenIds::default();
        assert!(seen.insert("a", 1) && seen.insert("b", 1) && !seen.insert("a", 1));
    }
}
