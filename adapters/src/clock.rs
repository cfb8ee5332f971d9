//! The operating system's clocks, as the core counts time.

use std::time::{Duration, Instant as StdInstant, SystemTime, UNIX_EPOCH};

use perennial_core::Instant;

/// Counts from its own making, so that the core's origin is the start of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: StdInstant,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self { origin: StdInstant::now() }
    }

    /// The present.
    pub(crate) fn now(self) -> Instant {
        let elapsed = self.origin.elapsed().as_nanos();
        Instant::from_nanos(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    /// How long it is until `at`; zero if that has passed.
    pub(crate) fn until(self, at: Instant) -> Duration {
        at.since(self.now())
    }
}

/// The wall-clock time: milliseconds since 1970-01-01T00:00:00Z; 0 before that.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_the_origin_and_runs_forward() {
        let clock = Clock::start();
        let first = clock.now();
        let second = clock.now();
        assert!(first <= second);
        assert!(first.since(Instant::ZERO) < Duration::from_secs(60));
        assert_eq!(clock.until(Instant::ZERO), Duration::ZERO);
        assert!(clock.until(second + Duration::from_secs(60)) > Duration::ZERO);
    }

    #[test]
    fn the_wall_clock_is_past_2020() {
        assert!(unix_ms() > 1_577_836_800_000);
    }
}
