//! The seeded random numbers behind the faults and the apps.

use std::time::Duration;

/// SplitMix64: one word of state, every seed is as good as any other, and streams split off one
/// seed by number do not depend on the order in which connections are served.
#[derive(Debug, Clone)]
pub(super) struct Rng {
    state: u64,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The stream with this number under this seed.
    pub(super) fn stream(seed: u64, number: u64) -> Self {
        Self { state: mix(seed ^ mix(number.wrapping_add(GOLDEN))) }
    }

    /// The stream that belongs to a name (FNV-1a of it) under this seed.
    pub(super) fn named(seed: u64, name: &str) -> Self {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
        });
        Self::stream(seed, hash)
    }

    pub(super) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// Uniform in `0.0..1.0`.
    pub(super) fn unit(&mut self) -> f64 {
        // The 53 high bits are exactly what an f64 holds.
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with probability `p`; `p <= 0` is never and `p >= 1` always.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        // Drawn even when the answer is certain, so that turning one fault on or off does not
        // shift what the others draw.
        self.unit() < p
    }

    /// Uniform in `min..=max`; `min` when the range is empty.
    pub(super) fn between(&mut self, min: Duration, max: Duration) -> Duration {
        let unit = self.unit();
        if max <= min { min } else { min + (max - min).mul_f64(unit) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_repeats_and_streams_differ() {
        let draw = |seed, n| {
            let mut rng = Rng::stream(seed, n);
            (0..8).map(|_| rng.next_u64()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }

    #[test]
    fn chance_is_a_probability() {
        let mut rng = Rng::stream(1, 0);
        let hits = (0..10_000).filter(|_| rng.chance(0.25)).count();
        assert!((2_200..2_800).contains(&hits), "{hits}");
        assert!(!(0..1_000).any(|_| rng.chance(0.0)));
        assert!((0..1_000).all(|_| rng.chance(1.0)));
    }

    #[test]
    fn between_stays_inside() {
        let mut rng = Rng::stream(3, 0);
        let (min, max) = (Duration::from_millis(100), Duration::from_millis(300));
        for _ in 0..1_000 {
            let d = rng.between(min, max);
            assert!(d >= min && d <= max, "{d:?}");
        }
        assert_eq!(rng.between(max, min), max);
    }
}
