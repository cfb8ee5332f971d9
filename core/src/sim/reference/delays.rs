//! The delays of the model: the ranges that they are drawn from.

use super::{Reference, Why};
use crate::config::{Backoff, Jitter};
use crate::time::Duration;

impl Reference {
    /// The shortest and the longest delay that may come next.
    pub(super) fn range(&mut self, why: Why) -> (Duration, Duration) {
        let retry = &self.config.retry;
        self.failures += 1;
        let n = self.failures;
        let base = match &retry.backoff {
            Backoff::Constant { base } | Backoff::Linear { base } => *base,
            Backoff::Exponential { base, .. } => *base,
            Backoff::List { delays } => delays[0],
        };
        let grown = match &retry.backoff {
            Backoff::Constant { .. } => base,
            Backoff::Linear { .. } => base * n,
            Backoff::Exponential { .. } if n == 1 => base,
            Backoff::Exponential { factor_percent, .. } => self.nominal * *factor_percent / 100,
            Backoff::List { delays } => delays[(n as usize - 1).min(delays.len() - 1)],
        };
        let grown = if self.suspended { retry.cap } else { grown.min(retry.cap) };
        self.nominal = self.nominal.max(grown);
        let (low, high) = match retry.jitter {
            Jitter::None => (self.nominal, self.nominal),
            Jitter::Equal => (self.nominal / 2, self.nominal),
            Jitter::Full => (Duration::ZERO, self.nominal),
            Jitter::Decorrelated => (base, retry.cap),
        };
        let (least, most) = match why {
            Why::Plain | Why::Fatal => (Duration::ZERO, Duration::ZERO),
            Why::RetryAfter(asked) => {
                let asked = asked.min(retry.max_retry_after);
                let spread = if retry.jitter == Jitter::None { asked } else { asked * 5 / 4 };
                (asked, spread.min(retry.max_retry_after))
            }
            Why::Restart => {
                let delays = &retry.restart_delay;
                (delays[0].min(retry.cap / 2), delays[1].min(retry.cap))
            }
        };
        // A nanosecond for what was rounded down.
        (low.max(least).saturating_sub(Duration::from_nanos(1)), high.max(most))
    }
}
