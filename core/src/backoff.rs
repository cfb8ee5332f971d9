//! How long to wait before the next dial.

use crate::config::{Backoff, Jitter, Retry};
use crate::notice::Advice;
use crate::rng::{Rng, Stream};
use crate::time::{Duration, nanos};

/// A delay, and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delay {
    /// The policy's delay before jitter.
    pub(crate) nominal: Duration,
    /// The wait.
    pub(crate) delay: Duration,
    /// The advice that raised it.
    pub(crate) advice: Option<Advice>,
}

/// A server's advice, as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advised {
    Nothing,
    /// `Retry-After`.
    RetryAfter(Duration),
    /// Close code 1012 or 1013.
    Restart,
}

/// The delays of one outage, growing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Schedule {
    /// Failures in a row.
    failures: u32,
    /// The last delay before jitter, in nanoseconds.
    nominal: u64,
    /// The last delay, in nanoseconds.
    last: u64,
    jitter: Rng,
    advice: Rng,
}

impl Schedule {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            failures: 0,
            nominal: 0,
            last: 0,
            jitter: Rng::new(seed, Stream::Jitter),
            advice: Rng::new(seed, Stream::Advice),
        }
    }

    /// Starts from the base again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
        self.nominal = 0;
        self.last = 0;
    }

    /// For how many failures in a row a delay was given: how many retries there were, the one that is
    /// planned included.
    pub(crate) const fn retries(&self) -> u32 {
        self.failures
    }

    /// The delay after one more failure; with `at_cap`, the policy's longest.
    pub(crate) fn next(&mut self, config: &Retry, at_cap: bool, advised: Advised) -> Delay {
        self.failures = self.failures.saturating_add(1);
        let cap = nanos(config.cap);
        // Never less than before, even after a spell at the cap.
        let grown = if at_cap { cap } else { self.grow(&config.backoff).min(cap) };
        self.nominal = grown.max(self.nominal);

        // The cut comes before the jitter, so that clients at the cap still spread.
        let policy = match config.jitter {
            Jitter::None => self.nominal,
            Jitter::Equal => self.jitter.within(self.nominal / 2, self.nominal),
            Jitter::Full => self.jitter.within(0, self.nominal),
            Jitter::Decorrelated => {
                let base = base(&config.backoff);
                let top = if at_cap { cap } else { self.last.max(base).saturating_mul(3).min(cap) };
                self.jitter.within(base, top)
            }
        };
        self.last = policy;

        let (advised, kind) = match advised {
            Advised::Nothing => (0, None),
            Advised::RetryAfter(after) => {
                (self.retry_after(config, nanos(after)), Some(Advice::RetryAfter))
            }
            Advised::Restart => (self.restart(config, cap), Some(Advice::CloseCode)),
        };
        Delay {
            nominal: Duration::from_nanos(self.nominal),
            delay: Duration::from_nanos(policy.max(advised)),
            advice: kind.filter(|_| advised > policy),
        }
    }

    fn grow(&self, backoff: &Backoff) -> u64 {
        match backoff {
            Backoff::Constant { base } => nanos(*base),
            Backoff::Linear { base } => nanos(*base).saturating_mul(u64::from(self.failures)),
            Backoff::Exponential { base, .. } if self.failures == 1 => nanos(*base),
            Backoff::Exponential { factor_percent, .. } => {
                let grown = u128::from(self.nominal) * u128::from(*factor_percent) / 100;
                u64::try_from(grown).unwrap_or(u64::MAX)
            }
            Backoff::List { delays } => {
                let index = usize::try_from(self.failures - 1).unwrap_or(usize::MAX);
                delays.get(index).or(delays.last()).map_or(0, |delay| nanos(*delay))
            }
        }
    }

    /// What the server asks; with jitter up to a quarter longer, so that its clients do not return
    /// in step. Never longer than the longest that is honoured.
    fn retry_after(&mut self, config: &Retry, asked: u64) -> u64 {
        let most = nanos(config.max_retry_after);
        let asked = asked.min(most);
        match config.jitter {
            Jitter::None => asked,
            Jitter::Equal | Jitter::Full | Jitter::Decorrelated => {
                self.advice.within(asked, asked.saturating_add(asked / 4).min(most))
            }
        }
    }

    fn restart(&mut self, config: &Retry, cap: u64) -> u64 {
        let bound = |index: usize| config.restart_delay.get(index).map_or(0, |delay| nanos(*delay));
        self.advice.within(bound(0).min(cap / 2), bound(1).min(cap))
    }
}

fn base(backoff: &Backoff) -> u64 {
    match backoff {
        Backoff::Constant { base }
        | Backoff::Linear { base }
        | Backoff::Exponential { base, .. } => nanos(*base),
        Backoff::List { delays } => delays.first().map_or(0, |delay| nanos(*delay)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn retry(backoff: Backoff, jitter: Jitter, cap: Duration) -> Retry {
        Retry { backoff, jitter, cap, ..Retry::default() }
    }

    fn delays(config: &Retry, seed: u64, count: usize) -> Vec<Delay> {
        let mut schedule = Schedule::new(seed);
        (0..count).map(|_| schedule.next(config, false, Advised::Nothing)).collect()
    }

    fn nominal(backoff: Backoff, cap: Duration) -> Vec<Duration> {
        let config = retry(backoff, Jitter::None, cap);
        let delays = delays(&config, 1, 6);
        assert!(delays.iter().all(|d| d.delay == d.nominal && d.advice.is_none()));
        delays.iter().map(|d| d.delay).collect()
    }

    #[test]
    fn policies_grow_as_they_say_and_stop_at_the_cap() {
        assert_eq!(nominal(Backoff::Constant { base: ms(3) }, ms(9)), vec![ms(3); 6]);
        assert_eq!(
            nominal(Backoff::Linear { base: ms(100) }, ms(450)),
            [100, 200, 300, 400, 450, 450].map(ms)
        );
        assert_eq!(
            nominal(Backoff::Exponential { base: ms(100), factor_percent: 200 }, ms(1500)),
            [100, 200, 400, 800, 1500, 1500].map(ms)
        );
        assert_eq!(
            nominal(Backoff::Exponential { base: ms(100), factor_percent: 150 }, ms(500))[..4],
            [Duration::from_millis(100), ms(150), ms(225), Duration::from_micros(337_500)]
        );
        assert_eq!(
            nominal(Backoff::List { delays: [0, 10, 70].map(ms).into() }, ms(70)),
            [0, 10, 70, 70, 70, 70].map(ms)
        );
    }

    #[test]
    fn jitter_spreads_over_its_whole_range_even_at_the_cap() {
        for (jitter, low, high) in
            [(Jitter::Equal, 500, 1000), (Jitter::Full, 0, 1000), (Jitter::Decorrelated, 100, 1000)]
        {
            let backoff = Backoff::Exponential { base: ms(100), factor_percent: 200 };
            let config = retry(backoff, jitter, ms(1000));
            // Enough to come near both ends.
            let rounds = if cfg!(miri) { 100 } else { 2_000 };
            let spread: Vec<_> =
                (0..rounds).map(|seed| delays(&config, seed, 12)[11].delay).collect();
            let least = *spread.iter().min().expect("some");
            let most = *spread.iter().max().expect("some");
            let slack = ms((high - low) / 20);
            assert!(least >= ms(low) && least <= ms(low) + slack, "{jitter:?} {least:?}");
            assert!(most <= ms(high) && most + slack >= ms(high), "{jitter:?} {most:?}");
        }
    }

    #[test]
    fn the_first_retry_is_jittered_too() {
        let config = retry(Backoff::Constant { base: ms(1000) }, Jitter::Full, ms(1000));
        let firsts: Vec<_> = (0..50).map(|seed| delays(&config, seed, 1)[0].delay).collect();
        let early = firsts.iter().filter(|delay| **delay < ms(500)).count();
        assert!((10..40).contains(&early), "{early} of 50 in the first half");
    }

    #[test]
    fn the_nominal_delay_never_falls_until_a_reset() {
        let backoff = Backoff::Exponential { base: ms(10), factor_percent: 101 };
        let config = retry(backoff, Jitter::Decorrelated, ms(1000));
        let mut schedule = Schedule::new(9);
        let mut last = Duration::ZERO;
        for _ in 0..600 {
            let delay = schedule.next(&config, false, Advised::Nothing);
            assert!(delay.nominal >= last && delay.nominal <= ms(1000));
            last = delay.nominal;
        }
        assert_eq!(last, ms(1000));
        schedule.reset();
        assert_eq!(schedule.next(&config, false, Advised::Nothing).nominal, ms(10));
    }

    #[test]
    fn retry_after_raises_the_delay_beyond_the_cap_but_not_beyond_its_own() {
        let config = retry(Backoff::Constant { base: ms(100) }, Jitter::Full, ms(100));
        let mut schedule = Schedule::new(3);
        let mut latest = ms(0);
        for _ in 0..200 {
            let delay = schedule.next(&config, false, Advised::RetryAfter(ms(2000)));
            assert_eq!(delay.advice, Some(Advice::RetryAfter));
            assert!(delay.delay >= ms(2000) && delay.delay <= ms(2500), "{delay:?}");
            latest = latest.max(delay.delay);
        }
        assert!(latest > ms(2450), "spread over a quarter: {latest:?}");
        let hour = Duration::from_secs(3600);
        let delay = schedule.next(&config, false, Advised::RetryAfter(hour)).delay;
        assert_eq!(delay, Duration::from_secs(300), "no earlier than for less");
        let delay = schedule.next(&config, false, Advised::RetryAfter(Duration::ZERO));
        assert_eq!(delay.advice, None);
    }

    #[test]
    fn without_jitter_retry_after_is_taken_at_its_word() {
        let config = retry(Backoff::Constant { base: ms(100) }, Jitter::None, ms(100));
        let mut schedule = Schedule::new(3);
        for asked in [2000, 300_000] {
            let delay = schedule.next(&config, false, Advised::RetryAfter(ms(asked))).delay;
            assert_eq!(delay, ms(asked));
        }
        let delay = schedule.next(&config, false, Advised::RetryAfter(ms(100)));
        assert_eq!((delay.delay, delay.advice), (ms(100), None), "it changed nothing");
        let delay = schedule.next(&config, false, Advised::RetryAfter(ms(300_001))).delay;
        assert_eq!(delay, ms(300_000));
    }

    #[test]
    fn a_restart_spreads_clients_within_the_cap() {
        let wide = retry(Backoff::Constant { base: ms(100) }, Jitter::Full, ms(60_000));
        let tight = retry(Backoff::Constant { base: ms(100) }, Jitter::Full, ms(2_000));
        let mut schedule = Schedule::new(3);
        for _ in 0..200 {
            let delay = schedule.next(&wide, false, Advised::Restart).delay;
            assert!(delay >= ms(5_000) && delay <= ms(30_000), "{delay:?}");
            let delay = schedule.next(&tight, false, Advised::Restart).delay;
            assert!(delay >= ms(1_000) && delay <= ms(2_000), "{delay:?}");
        }
    }

    #[test]
    fn a_suspended_outage_retries_at_the_cap() {
        let backoff = Backoff::Exponential { base: ms(10), factor_percent: 200 };
        let config = retry(backoff, Jitter::None, ms(1000));
        let mut schedule = Schedule::new(3);
        assert_eq!(schedule.next(&config, true, Advised::Nothing).delay, ms(1000));
    }

    #[test]
    fn advice_does_not_shift_the_jitter() {
        let config = retry(Backoff::Constant { base: ms(100) }, Jitter::Full, ms(100));
        let mut plain = Schedule::new(5);
        let mut advised = Schedule::new(5);
        advised.next(&config, false, Advised::Restart);
        plain.next(&config, false, Advised::Nothing);
        assert_eq!(
            plain.next(&config, false, Advised::Nothing),
            advised.next(&config, false, Advised::Nothing)
        );
    }
}
