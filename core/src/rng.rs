//! Deterministic randomness: one seed, one stream per purpose.
//!
//! The generator is xoshiro256** by Blackman and Vigna, seeded through splitmix64 as its authors
//! recommend. Both are tested against the published reference output. It is not for secrets.

/// What a stream of random numbers is for. A new purpose goes to the end, so that it never shifts
/// the draws of the others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    /// Backoff jitter.
    Jitter = 0,
    /// Spread over a server's advice.
    Advice = 1,
    /// Ping payloads.
    Nonce = 2,
    /// The key of the dedupe table.
    Dedupe = 3,
    /// What is chosen in simulation.
    #[cfg(feature = "sim")]
    Choices = 4,
}

/// splitmix64: one step of the state, one output.
pub(crate) const fn splitmix64(state: u64) -> (u64, u64) {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (state, z ^ (z >> 31))
}

/// xoshiro256**.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The stream for one purpose under one seed.
    pub(crate) fn new(seed: u64, stream: Stream) -> Self {
        // Streams start at unrelated points: the purpose passes through the mixer of its own.
        let (_, offset) = splitmix64(stream as u64);
        let mut at = seed ^ offset;
        let mut state = [0; 4];
        for word in &mut state {
            let (next, output) = splitmix64(at);
            at = next;
            *word = output;
        }
        Self { state }
    }

    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number from `low` to `high`, both included; `low` if the range is empty.
    ///
    /// Widening multiplication: the bias is below 2^-64 × range, and exactly one draw is made, so
    /// that a trace replays whatever the range.
    #[inline]
    pub(crate) fn within(&mut self, low: u64, high: u64) -> u64 {
        let draw = self.next();
        let Some(span) = high.checked_sub(low) else { return low };
        // Times one more than the span, which may not fit itself. What is left is at most `span`.
        let scaled = u128::from(draw) * u128::from(span) + u128::from(draw);
        low + (scaled >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steele, Lea and Flood's generator from seed 1234567, as published with the reference code.
    #[test]
    fn splitmix64_gives_the_published_numbers() {
        let mut state = 1_234_567;
        for expected in [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ] {
            let (next, output) = splitmix64(state);
            state = next;
            assert_eq!(output, expected);
        }
    }

    /// From the state 1, 2, 3, 4, as published with the reference code.
    #[test]
    fn xoshiro_gives_the_published_numbers() {
        let mut rng = Rng { state: [1, 2, 3, 4] };
        for expected in [
            11_520,
            0,
            1_509_978_240,
            1_215_971_899_390_074_240,
            1_216_172_134_540_287_360,
            607_988_272_756_665_600,
            16_172_922_978_634_559_625,
            8_476_171_486_693_032_832,
            10_595_114_339_597_558_777,
            2_904_607_092_377_533_576,
        ] {
            assert_eq!(rng.next(), expected);
        }
    }

    #[test]
    fn streams_are_unrelated() {
        let mut jitter = Rng::new(7, Stream::Jitter);
        let mut nonce = Rng::new(7, Stream::Nonce);
        assert_ne!(jitter.next(), nonce.next());
        assert_eq!(Rng::new(7, Stream::Jitter), Rng::new(7, Stream::Jitter));
    }

    #[test]
    fn a_range_is_covered_to_both_ends() {
        let mut rng = Rng::new(1, Stream::Jitter);
        let mut seen = [false; 10];
        for _ in 0..1_000 {
            let value = rng.within(10, 19);
            seen[usize::try_from(value - 10).expect("in range")] = true;
        }
        assert_eq!(seen, [true; 10]);
        assert_eq!(rng.within(5, 5), 5);
        assert_eq!(rng.within(6, 5), 6);
        let _ = rng.within(0, u64::MAX);
    }
}
