//! Where arbitrary choices come from: a seed, or the bytes of a fuzzer.

use crate::rng::{Rng, Stream};
use crate::time::{Duration, nanos};

/// A source of choices, the same for the same seed or bytes on every platform.
///
/// ```
/// use perennial_core::sim::Choices;
///
/// let mut one = Choices::from_seed(7);
/// let mut two = Choices::from_seed(7);
/// assert_eq!(one.below(100), two.below(100));
/// // Bytes that are used up choose the first of everything.
/// assert_eq!(Choices::from_bytes(&[]).below(100), 0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Choices<'a> {
    source: Source<'a>,
}

#[derive(Clone, Debug, PartialEq)]
enum Source<'a> {
    Seed(Rng),
    Bytes(&'a [u8]),
}

impl Choices<'static> {
    /// Choices from a seed; there is no end of them.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self { source: Source::Seed(Rng::new(seed, Stream::Choices)) }
    }
}

impl<'a> Choices<'a> {
    /// Choices from bytes, such as a fuzzer's.
    #[must_use]
    pub fn from_bytes(bytes: &'a [u8]) -> Self {
        Self { source: Source::Bytes(bytes) }
    }

    /// Whether the bytes are used up. A seed never is.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.source, Source::Bytes([]))
    }

    /// A number from 0 on below `limit`, evenly; 0 if `limit` is 0.
    #[inline]
    pub fn below(&mut self, limit: u64) -> u64 {
        match &mut self.source {
            Source::Seed(rng) => rng.within(0, limit.saturating_sub(1)),
            Source::Bytes(bytes) => {
                let mut number = 0_u64;
                let mut reach = 1_u64;
                while reach < limit {
                    let Some((first, rest)) = bytes.split_first() else { break };
                    number = number << 8 | u64::from(*first);
                    reach = reach.saturating_mul(256);
                    *bytes = rest;
                }
                number.checked_rem(limit).unwrap_or(0)
            }
        }
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        match &mut self.source {
            Source::Seed(rng) => rng.next(),
            Source::Bytes(_) => self.below(u64::MAX),
        }
    }

    /// A number from 0 to 255.
    pub fn byte(&mut self) -> u8 {
        // Below 256, so nothing is cut off.
        self.below(256) as u8
    }

    /// A number from 0 to 65,535.
    pub fn short(&mut self) -> u16 {
        // Below 65,536, so nothing is cut off.
        self.below(65_536) as u16
    }

    /// Whether something happens that happens `per_mille` times in a thousand.
    #[inline]
    pub fn chance(&mut self, per_mille: u16) -> bool {
        per_mille > 0 && self.below(1_000) < u64::from(per_mille)
    }

    /// A duration from `shortest` to `longest`, both included; `shortest` if the range is empty.
    #[inline]
    pub fn between(&mut self, shortest: Duration, longest: Duration) -> Duration {
        let (low, high) = (nanos(shortest), nanos(longest));
        if high <= low {
            return shortest;
        }
        match &mut self.source {
            Source::Seed(rng) => Duration::from_nanos(rng.within(low, high)),
            Source::Bytes(_) => Duration::from_nanos(low.saturating_add(self.below(high - low))),
        }
    }

    /// One of several, each as often as its weight says; the first if none weighs anything.
    #[inline]
    pub fn weighted(&mut self, weights: &[u16]) -> usize {
        let total = weights.iter().map(|weight| u64::from(*weight)).sum();
        let mut left = self.below(total);
        for (index, weight) in weights.iter().enumerate() {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return index,
            }
        }
        0
    }

    /// One of these.
    ///
    /// # Panics
    /// If there is none.
    pub fn one_of<T: Copy>(&mut self, options: &[T]) -> T {
        options[self.below(options.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_stay_in_their_range() {
        let bytes: alloc::vec::Vec<u8> = (0..=255).rev().collect();
        for mut choices in [Choices::from_seed(1), Choices::from_bytes(&bytes)] {
            for _ in 0..40 {
                assert!(choices.below(7) < 7);
                assert!([1, 3].contains(&choices.weighted(&[0, 2, 0, 1])));
                let (low, high) = (Duration::from_nanos(5), Duration::from_nanos(9));
                assert!((low..=high).contains(&choices.between(low, high)));
            }
        }
    }

    #[test]
    fn weights_are_kept() {
        let mut choices = Choices::from_seed(2);
        let first = (0..1_000).filter(|_| choices.weighted(&[1, 9]) == 0).count();
        assert!((50..200).contains(&first), "{first} of 1,000");
    }
}
