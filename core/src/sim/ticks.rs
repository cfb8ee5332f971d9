//! When each driver wakes next.

use alloc::vec::Vec;

/// The keys of the clients' ticks, of which there is one each: what was planned anew leaves nothing
/// behind.
///
/// It is a tournament: every place holds the smaller of the two below it, and the first of all
/// stands at the top.
#[derive(Clone, Debug)]
pub(super) struct Ticks {
    /// The top stands at 1; below `at` stand `2 * at` and `2 * at + 1`, the clients at the bottom.
    places: Vec<u128>,
}

/// No tick is planned.
const NONE: u128 = u128::MAX;

impl Default for Ticks {
    fn default() -> Self {
        Self { places: [NONE; 2].into() }
    }
}

impl Ticks {
    /// The key of the first of all, or one that is larger than any.
    #[inline]
    pub(super) fn first(&self) -> u128 {
        self.places[1]
    }

    /// Whose is the first of all, if there is one. No two keys are equal.
    pub(super) fn whose(&self) -> usize {
        let mut at = 1;
        while at < self.bottom() {
            at *= 2;
            at += usize::from(self.places[at] != self.places[1]);
        }
        at - self.bottom()
    }

    /// A client's key, if a tick is planned.
    pub(super) fn get(&self, client: usize) -> Option<u128> {
        let key = self.places.get(self.bottom() + client).copied();
        key.filter(|key| *key != NONE)
    }

    /// Every client whose tick is planned, and its key.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, u128)> + '_ {
        let keys = self.places[self.bottom()..].iter().copied().enumerate();
        keys.filter(|(_, key)| *key != NONE)
    }

    /// Plans a client's tick, whatever was planned before.
    pub(super) fn set(&mut self, client: usize, key: u128) {
        while client >= self.bottom() {
            self.grow();
        }
        self.put(client, key);
    }

    /// A client is not to be woken.
    pub(super) fn clear(&mut self, client: usize) {
        if self.get(client).is_some() {
            self.put(client, NONE);
        }
    }

    fn put(&mut self, client: usize, key: u128) {
        let mut at = self.bottom() + client;
        self.places[at] = key;
        while at > 1 {
            let smaller = self.places[at].min(self.places[at ^ 1]);
            at /= 2;
            if self.places[at] == smaller {
                break;
            }
            self.places[at] = smaller;
        }
    }

    /// Where the clients begin, and for how many there is room.
    fn bottom(&self) -> usize {
        self.places.len() / 2
    }

    /// Makes room for twice as many.
    fn grow(&mut self) {
        let clients = self.places.split_off(self.bottom());
        self.places = [NONE].repeat(clients.len() * 4);
        clients.into_iter().enumerate().for_each(|(client, key)| self.put(client, key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Choices;

    #[test]
    fn the_first_is_the_smallest_whatever_was_planned_and_cleared() {
        let mut choices = Choices::from_seed(11);
        let mut ticks = Ticks::default();
        let mut plain: Vec<Option<u128>> = alloc::vec![None; 40];
        for order in 0..crate::testing::rounds(2_000) {
            let client = choices.below(40) as usize;
            if choices.chance(300) {
                plain[client] = None;
                ticks.clear(client);
            } else {
                let key = u128::from(choices.below(1_000)) << 64 | u128::from(order);
                plain[client] = Some(key);
                ticks.set(client, key);
            }
            assert_eq!(ticks.get(client), plain[client]);
            let first = plain.iter().flatten().min();
            assert_eq!(ticks.first(), first.copied().unwrap_or(u128::MAX));
            if let Some(first) = first {
                assert_eq!(plain[ticks.whose()], Some(*first));
            }
        }
    }
}
