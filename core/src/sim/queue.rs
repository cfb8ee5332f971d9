//! What will happen, in order.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::client::Happening;
use crate::time::Instant;

/// Happenings by their time; of two at once, what was planned first comes first.
///
/// The heap holds only where they lie, so that moving within it is cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Planned>,
    order: u64,
    slots: Vec<Option<Happening>>,
    free: Vec<usize>,
}

/// When something happens, and where it lies.
#[derive(Clone, Copy, Debug)]
struct Planned {
    /// The time in the upper half, and in the lower one the order in which it was planned: one
    /// number is compared without a branch.
    key: u128,
    slot: usize,
}

impl Planned {
    fn at(self) -> Instant {
        // The upper half has 64 bits.
        Instant::from_nanos((self.key >> 64) as u64)
    }
}

// The heap gives the greatest first, and the earliest is wanted. No two keys are equal.
impl Ord for Planned {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key)
    }
}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Planned {}

impl Queue {
    pub(super) fn push(&mut self, at: Instant, what: Happening) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot] = Some(what);
                slot
            }
            None => {
                self.slots.push(Some(what));
                self.slots.len() - 1
            }
        };
        self.order += 1;
        let key = u128::from(at.as_nanos()) << 64 | u128::from(self.order);
        self.heap.push(Planned { key, slot });
    }

    /// The next one.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(Instant, Happening)> {
        let (at, slot) = self.first()?;
        self.slots[slot].take().map(|what| (at, what))
    }

    /// When the next one happens, and where it lies, which is free now.
    fn first(&mut self) -> Option<(Instant, usize)> {
        let planned = self.heap.pop()?;
        self.free.push(planned.slot);
        Some((planned.at(), planned.slot))
    }

    /// When the next one happens.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|planned| planned.at())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_planned_first_comes_first() {
        let mut queue = Queue::default();
        let wake = |client| Happening::Wake { client };
        for (at, client) in [(5, 0), (3, 1), (5, 2), (1, 3), (3, 4)] {
            queue.push(Instant::from_millis(at), wake(client));
        }
        assert_eq!(queue.next(), Some(Instant::from_millis(1)));
        let mut order = Vec::new();
        while let Some((_, what)) = queue.pop() {
            order.extend(what.client());
            if order.len() == 2 {
                queue.push(Instant::from_millis(4), wake(5));
            }
        }
        assert_eq!(order, [3, 1, 4, 5, 0, 2]);
    }
}
