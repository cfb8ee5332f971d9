//! The next deadline of every connection, ordered by time.

use std::collections::BTreeSet;

use perennial_core::Instant;

/// A deadline per key. Setting one costs a logarithm of their number, and nothing where it stays
/// what it was; nothing ever looks at all of them.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    queue: BTreeSet<(Instant, usize)>,
    /// What stands in the queue for each key.
    set: Vec<Option<Instant>>,
}

impl Deadlines {
    /// Sets the deadline of `key`, in place of the one before.
    pub(super) fn set(&mut self, key: usize, at: Option<Instant>) {
        if self.set.len() <= key {
            self.set.resize(key + 1, None);
        }
        let before = std::mem::replace(&mut self.set[key], at);
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.queue.remove(&(before, key));
        }
        if let Some(at) = at {
            self.queue.insert((at, key));
        }
    }

    /// The earliest deadline.
    pub(super) fn first(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes the earliest deadline, if it has passed.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        let key = self.queue.first().filter(|(at, _)| *at <= now)?.1;
        self.set(key, None);
        Some(key)
    }

    /// Whether the deadline of `key` has passed.
    pub(super) fn is_due(&self, key: usize, now: Instant) -> bool {
        self.set.get(key).copied().flatten().is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn the_earliest_comes_first_and_the_last_word_counts() {
        let mut deadlines = Deadlines::default();
        deadlines.set(0, Some(at(30)));
        deadlines.set(7, Some(at(10)));
        deadlines.set(3, Some(at(20)));
        deadlines.set(7, Some(at(40)));
        deadlines.set(0, None);
        assert_eq!(deadlines.first(), Some(at(20)));
        assert!(deadlines.is_due(3, at(20)));
        assert!(!deadlines.is_due(7, at(39)));
        assert!(!deadlines.is_due(99, at(99)));
        assert_eq!(deadlines.pop_due(at(19)), None);
        assert_eq!(deadlines.pop_due(at(40)), Some(3));
        assert_eq!(deadlines.pop_due(at(40)), Some(7));
        assert_eq!(deadlines.pop_due(at(40)), None);
        assert_eq!(deadlines.first(), None);
    }
}
