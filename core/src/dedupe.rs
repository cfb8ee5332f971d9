//! Which ids were received lately: what is dropped so that nothing is delivered twice.

use alloc::vec;
use alloc::vec::Vec;

use crate::rng::splitmix64;

/// The last so many distinct ids that were delivered.
///
/// A ring holds them in the order of their arrival; a table of open addressing with linear probing
/// says in which place of the ring an id stands. Looking up, adding and forgetting take constant
/// time on average. Both grow with the number of ids, by doubling, until the window is full; from
/// then on nothing is allocated any more. They take at most 24 bytes for each id of a window of 16
/// or more, and nothing while the window is 0. The table is never more than half full.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Dedupe {
    window: usize,
    /// Keeps a peer that chooses the ids from choosing where they meet in the table.
    key: u64,
    /// The ids; full, it is overwritten from `oldest` on.
    ring: Vec<u64>,
    oldest: usize,
    /// Places in the ring, or [`EMPTY`]. The length is 0 or a power of two.
    table: Vec<u32>,
}

/// An unused slot of the table.
const EMPTY: u32 = u32::MAX;
/// The most ids that can be remembered: a place must fit a slot. A config allows far fewer.
const MOST: usize = 1 << 30;
/// The table's first length.
const FIRST_TABLE: usize = 32;

impl Dedupe {
    /// Remembers the last `window` ids, none for 0, hashed under `key`.
    ///
    /// A window of more than 2^30 counts as 2^30.
    pub(crate) const fn new(window: usize, key: u64) -> Self {
        let window = if window > MOST { MOST } else { window };
        Self { window, key, ring: Vec::new(), oldest: 0, table: Vec::new() }
    }

    /// Whether `id` is new; then it is remembered, and the oldest forgotten if there is no room.
    ///
    /// A duplicate changes nothing: it does not become younger.
    pub(crate) fn insert(&mut self, id: u64) -> bool {
        if self.window == 0 {
            return true;
        }
        if self.contains(id) {
            return false;
        }
        if self.ring.len() < self.window {
            let place = self.ring.len();
            self.push(id);
            if self.ring.len() * 2 > self.table.len() {
                self.grow();
            } else {
                self.link(place);
            }
        } else {
            let place = self.oldest;
            self.unlink(place);
            self.ring[place] = id;
            self.link(place);
            self.oldest = if place + 1 == self.window { 0 } else { place + 1 };
        }
        true
    }

    /// Becomes equal to another.
    #[cfg(feature = "sim")]
    pub(crate) fn copy_from(&mut self, other: &Self) {
        let Self { window, key, ring, oldest, table } = other;
        (self.window, self.key, self.oldest) = (*window, *key, *oldest);
        self.ring.clone_from(ring);
        self.table.clone_from(table);
    }

    fn contains(&self, id: u64) -> bool {
        if self.table.is_empty() {
            return false;
        }
        let mut slot = self.home(id);
        // Ends: half of the slots are empty.
        while self.table[slot] != EMPTY {
            if self.id_at(slot) == id {
                return true;
            }
            slot = self.after(slot);
        }
        false
    }

    /// Adds an id to a ring that is not full.
    fn push(&mut self, id: u64) {
        let len = self.ring.len();
        if len == self.ring.capacity() {
            // Doubling, but not beyond the window.
            self.ring.reserve_exact(len.max(FIRST_TABLE / 2).min(self.window - len));
        }
        self.ring.push(id);
    }

    /// Doubles the table and links every id anew.
    fn grow(&mut self) {
        let slots = (self.table.len() * 2).max(FIRST_TABLE);
        self.table = vec![EMPTY; slots];
        for place in 0..self.ring.len() {
            self.link(place);
        }
    }

    /// Writes a place of the ring into the first free slot from its id's home on.
    fn link(&mut self, place: usize) {
        let mut slot = self.home(self.ring[place]);
        while self.table[slot] != EMPTY {
            slot = self.after(slot);
        }
        // A place is below `MOST`.
        self.table[slot] = place as u32;
    }

    /// Takes a place of the ring out of the table, and closes the gap so that no search breaks
    /// off at it: what follows moves back, unless that would put it before its home.
    fn unlink(&mut self, place: usize) {
        let mut gap = self.home(self.ring[place]);
        while self.table[gap] as usize != place {
            debug_assert_ne!(self.table[gap], EMPTY, "every place is linked");
            gap = self.after(gap);
        }
        let mut slot = self.after(gap);
        while self.table[slot] != EMPTY {
            let from_home = self.distance(self.home(self.id_at(slot)), slot);
            if from_home >= self.distance(gap, slot) {
                self.table[gap] = self.table[slot];
                gap = slot;
            }
            slot = self.after(slot);
        }
        self.table[gap] = EMPTY;
    }

    /// The id that a used slot stands for.
    fn id_at(&self, slot: usize) -> u64 {
        self.ring[self.table[slot] as usize]
    }

    /// The slot where the search for an id begins.
    fn home(&self, id: u64) -> usize {
        // Two rounds, the key in each: splitmix64 can be undone and was not made against an
        // adversary, and the second round is a cheap margin.
        let (_, hash) = splitmix64(id ^ self.key);
        let (_, hash) = splitmix64(hash ^ self.key.rotate_left(32));
        // The mask keeps what fits the table.
        hash as usize & (self.table.len() - 1)
    }

    fn after(&self, slot: usize) -> usize {
        (slot + 1) & (self.table.len() - 1)
    }

    /// How many steps forward from one slot to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.table.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::VecDeque;
    use proptest::prelude::*;

    /// What the table must be like: every id can be found, and nothing else is in it.
    fn check(dedupe: &Dedupe) {
        assert!(dedupe.ring.len() <= dedupe.window);
        assert!(dedupe.ring.capacity() <= dedupe.window);
        assert!(dedupe.ring.len() * 2 <= dedupe.table.len());
        let used = dedupe.table.iter().filter(|slot| **slot != EMPTY).count();
        assert_eq!(used, dedupe.ring.len());
        for id in &dedupe.ring {
            assert!(dedupe.contains(*id), "{id} is lost");
        }
    }

    /// How many slots the search for each id looks at, at most.
    fn longest_search(dedupe: &Dedupe) -> usize {
        let used = (0..dedupe.table.len()).filter(|slot| dedupe.table[*slot] != EMPTY);
        used.map(|slot| dedupe.distance(dedupe.home(dedupe.id_at(slot)), slot) + 1)
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn a_window_of_zero_is_off() {
        let mut dedupe = Dedupe::new(0, 1);
        for _ in 0..3 {
            assert!(dedupe.insert(5));
        }
        assert_eq!(dedupe, Dedupe::new(0, 1));
        assert_eq!((dedupe.ring.capacity(), dedupe.table.capacity()), (0, 0));
    }

    #[test]
    fn a_window_of_one_knows_the_last() {
        let mut dedupe = Dedupe::new(1, 1);
        assert!(dedupe.insert(5));
        assert!(!dedupe.insert(5));
        assert!(dedupe.insert(6));
        assert!(!dedupe.insert(6));
        assert!(dedupe.insert(5));
    }

    #[test]
    fn a_duplicate_does_not_become_younger() {
        let mut dedupe = Dedupe::new(3, 1);
        for id in [1, 2, 3] {
            assert!(dedupe.insert(id));
        }
        assert!(!dedupe.insert(1));
        assert!(dedupe.insert(4));
        assert!(dedupe.insert(1), "1 was the oldest, the duplicate notwithstanding");
        assert!(!dedupe.insert(3));
        assert!(dedupe.insert(2));
    }

    #[test]
    fn extreme_ids_are_ids() {
        let mut dedupe = Dedupe::new(8, 0);
        let ids = [0, u64::MAX, u64::from(EMPTY), u64::MAX - 1, 1 << 63];
        for id in ids {
            assert!(dedupe.insert(id));
        }
        for id in ids {
            assert!(!dedupe.insert(id));
        }
    }

    #[test]
    fn memory_grows_with_the_ids_and_stops_at_the_window() {
        let mut dedupe = Dedupe::new(usize::MAX, 1);
        assert!(dedupe.insert(1));
        assert!(dedupe.ring.capacity() <= 16, "a large window was allocated at once");

        let large = if cfg!(miri) { [100, 128] } else { [1_000, 1_024] };
        for window in [1, 15, 16, 17, large[0], large[1]] {
            let mut dedupe = Dedupe::new(window, 7);
            for id in 0..window as u64 {
                assert!(dedupe.insert(id));
            }
            check(&dedupe);
            let full = (dedupe.ring.capacity(), dedupe.table.capacity(), dedupe.table.as_ptr());
            assert_eq!(full.0, window);
            assert!(full.1 <= (window * 4).max(FIRST_TABLE));
            for id in 0..3 * window as u64 {
                dedupe.insert(id ^ 0xabcd);
            }
            check(&dedupe);
            let later = (dedupe.ring.capacity(), dedupe.table.capacity(), dedupe.table.as_ptr());
            assert_eq!(later, full, "a full window allocated");
        }
    }

    #[test]
    fn ids_that_collide_under_one_key_do_not_under_another() {
        let window = if cfg!(miri) { 80 } else { 512 };
        let mut known = Dedupe::new(window, 1);
        known.table = vec![EMPTY; (2 * window).next_power_of_two()];
        let colliding: Vec<u64> = (0..).filter(|id| known.home(*id) == 0).take(window).collect();
        let search = |key| {
            let mut dedupe = Dedupe::new(window, key);
            for id in &colliding {
                assert!(dedupe.insert(*id));
            }
            check(&dedupe);
            longest_search(&dedupe)
        };
        assert_eq!(search(1), window, "the test finds no collisions");
        for key in [0, 2, 3, u64::MAX, 1 << 63, 0x1234_5678_9abc_def0] {
            assert!(search(key) < 64, "key {key}: {}", search(key));
        }
    }

    #[test]
    fn ids_in_patterns_spread() {
        let patterns: [fn(u64) -> u64; 6] =
            [|n| n, |n| n << 10, |n| n << 32, |n| n << 54, |n| u64::MAX - n, |n| n * 1_000_003];
        for pattern in patterns {
            let mut dedupe = Dedupe::new(1_000, 42);
            for n in 0..u64::from(crate::testing::rounds(5_000)) {
                dedupe.insert(pattern(n));
            }
            check(&dedupe);
            assert!(longest_search(&dedupe) < 64);
        }
    }

    proptest! {
        #![proptest_config(crate::testing::cases())]

        #[test]
        fn it_agrees_with_a_naive_window(
            window in 0_usize..40,
            key: u64,
            ids in prop::collection::vec(
                prop_oneof![8 => 0_u64..60, 1 => any::<u64>()],
                0..if cfg!(miri) { 100 } else { 400 },
            ),
        ) {
            let mut dedupe = Dedupe::new(window, key);
            let mut model = VecDeque::new();
            for id in ids {
                let new = !model.contains(&id);
                if new {
                    model.push_back(id);
                    if model.len() > window {
                        model.pop_front();
                    }
                }
                prop_assert_eq!(dedupe.insert(id), new);
                check(&dedupe);
                prop_assert_eq!(dedupe.ring.len(), model.len());
            }
            prop_assert_eq!(&dedupe.clone(), &dedupe);
        }
    }
}
