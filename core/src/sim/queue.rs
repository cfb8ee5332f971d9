//! What will happen, in order.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::client::Happening;
use crate::time::Instant;

/// Happenings by their time; of two at once, what was planned first comes first.
///
/// The heap holds only where they lie, so that moving within it is cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    order: u64,
    slots: Vec<Option<Happening>>,
    free: Vec<usize>,
}

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
        self.heap.push(Reverse((at, self.order, slot)));
    }

    pub(super) fn pop(&mut self) -> Option<(Instant, Happening)> {
        let Reverse((at, _, slot)) = self.heap.pop()?;
        self.free.push(slot);
        let what = self.slots[slot].take()?;
        Some((at, what))
    }

    /// When the next one happens.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
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
