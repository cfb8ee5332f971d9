//! What will happen, in order.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::client::Happening;
use super::ticks::Ticks;
use crate::time::Instant;

/// Happenings by their time; of two at once, what was planned first comes first.
///
/// The heap holds only where they lie, so that moving within it is cheap. Ticks are kept apart:
/// most are planned anew before they come, and would lie in the heap until then.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// Keys. The heap gives the greatest first, and the earliest is wanted.
    heap: BinaryHeap<Reverse<u128>>,
    order: u64,
    slots: Vec<Option<Happening>>,
    free: Vec<usize>,
    ticks: Ticks,
}

/// The bits of a key for the slot where the happening lies, and for the order in which it was
/// planned. Above them stands the time: one number says what comes first, and is compared without a
/// branch.
const SLOT: u32 = 32;
const ORDER: u32 = 32;

/// Each part has room: no machine holds 2^32 happenings, and the order is numbered anew in time.
fn key(at: Instant, order: u64, slot: usize) -> u128 {
    debug_assert!(order >> ORDER == 0 && slot as u64 >> SLOT == 0, "{order}, {slot}");
    u128::from(at.as_nanos()) << (ORDER + SLOT) | u128::from(order << SLOT | slot as u64)
}

/// Where the happening lies.
fn slot(key: u128) -> usize {
    (key & ((1 << SLOT) - 1)) as usize
}

/// The time in a key.
fn time(key: u128) -> Instant {
    // The upper half has 64 bits.
    Instant::from_nanos((key >> (ORDER + SLOT)) as u64)
}

impl Queue {
    #[inline]
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
        let key = self.key(at, slot);
        self.heap.push(Reverse(key));
    }

    fn key(&mut self, at: Instant, slot: usize) -> u128 {
        if self.order >> ORDER != 0 {
            self.renumber();
        }
        let key = key(at, self.order, slot);
        self.order += 1;
        key
    }

    /// Numbers what is planned anew, from zero on and in the same order.
    #[cold]
    fn renumber(&mut self) {
        let mut planned: Vec<(u128, Option<usize>)> =
            self.heap.drain().map(|Reverse(key)| (key, None)).collect();
        planned.extend(self.ticks.all().map(|(client, key)| (key, Some(client))));
        planned.sort_unstable();
        self.order = 0;
        for (old, client) in planned {
            let new = key(time(old), self.order, slot(old));
            self.order += 1;
            match client {
                Some(client) => self.ticks.set(client, new),
                None => self.heap.push(Reverse(new)),
            }
        }
    }

    /// Plans a client's tick, whatever was planned before.
    pub(super) fn plan_tick(&mut self, client: usize, at: Instant) {
        let key = self.key(at, 0);
        self.ticks.set(client, key);
    }

    /// When a client's tick is planned.
    pub(super) fn tick(&self, client: usize) -> Option<Instant> {
        self.ticks.get(client).map(time)
    }

    /// A client's tick is planned no more.
    pub(super) fn forget_tick(&mut self, client: usize) {
        self.ticks.clear(client);
    }

    /// The next one.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(Instant, Happening)> {
        let tick = self.ticks.first();
        if self.heap.peek().is_none_or(|Reverse(key)| tick < *key) {
            let at = Some(time(tick)).filter(|at| comes(*at))?;
            let client = self.ticks.whose();
            self.ticks.clear(client);
            return Some((at, Happening::Tick { client }));
        }
        let Reverse(key) = self.heap.pop()?;
        let slot = slot(key);
        self.free.push(slot);
        self.slots[slot].take().map(|what| (time(key), what))
    }

    /// When the next one happens.
    pub(super) fn next(&self) -> Option<Instant> {
        let first = self.heap.peek().map_or(u128::MAX, |Reverse(key)| *key);
        Some(time(first.min(self.ticks.first()))).filter(|at| comes(*at))
    }
}

/// What takes for ever does not happen.
pub(super) fn comes(at: Instant) -> bool {
    at < Instant::from_nanos(u64::MAX)
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

    #[test]
    fn the_order_stays_when_it_is_numbered_anew() {
        let at = Instant::from_millis;
        let mut queue = Queue { order: (1 << ORDER) - 3, ..Queue::default() };
        for client in 0..6 {
            if client % 2 == 0 {
                queue.push(at(5), Happening::Wake { client });
            } else {
                queue.plan_tick(client, at(5));
            }
        }
        queue.push(at(4), Happening::Wake { client: 6 });
        assert_eq!(queue.order, 7, "what waits is numbered from zero on");
        let mut order = Vec::new();
        while let Some((_, what)) = queue.pop() {
            order.extend(what.client());
        }
        assert_eq!(order, [6, 0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn of_a_clients_ticks_only_the_last_comes() {
        let at = Instant::from_millis;
        let mut queue = Queue::default();
        queue.plan_tick(1, at(2));
        queue.plan_tick(0, at(3));
        queue.push(at(4), Happening::ServerWakes);
        queue.plan_tick(1, at(4));
        queue.plan_tick(2, at(1));
        queue.forget_tick(2);
        queue.plan_tick(3, Instant::from_nanos(u64::MAX));
        assert_eq!(queue.tick(1), Some(at(4)));
        assert_eq!(queue.tick(2), None);
        let mut order = Vec::new();
        while let Some(next) = queue.next() {
            let (at, what) = queue.pop().unwrap();
            assert_eq!(at, next);
            order.push((at.as_millis(), what.client()));
        }
        assert_eq!(order, [(3, Some(0)), (4, None), (4, Some(1))]);
        assert!(queue.pop().is_none(), "the end of time does not come");
    }
}
