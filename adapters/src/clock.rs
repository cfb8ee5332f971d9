//! The operating system's clocks, as the core counts time.

#[cfg(not(unix))]
use std::time::Instant as StdInstant;
use std::time::{SystemTime, UNIX_EPOCH};

use perennial_core::Instant;

/// Counts from its own making, so that the core's origin is the start of the connection.
///
/// Where the operating system has one, it is a clock that counts while the computer sleeps: the
/// core must see that time has jumped to ask the peer whether it is still there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    #[cfg(unix)]
    origin: u64,
    #[cfg(not(unix))]
    origin: StdInstant,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        #[cfg(unix)]
        let origin = running();
        #[cfg(not(unix))]
        let origin = StdInstant::now();
        Self { origin }
    }

    /// The present.
    pub(crate) fn now(self) -> Instant {
        #[cfg(unix)]
        let elapsed = running().saturating_sub(self.origin);
        #[cfg(not(unix))]
        let elapsed = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Instant::from_nanos(elapsed)
    }
}

/// How long the computer has run, asleep or not, in nanoseconds.
#[cfg(unix)]
fn running() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    // Linux's monotonic clock stands still in sleep, and so has another beside it. Darwin's goes on.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = ClockId::Monotonic;
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// The wall-clock time: milliseconds since 1970-01-01T00:00:00Z; 0 before that.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn starts_at_the_origin_and_runs_forward() {
        let clock = Clock::start();
        let first = clock.now();
        let second = clock.now();
        assert!(first <= second);
        assert!(first.since(Instant::ZERO) < Duration::from_secs(60));
    }

    #[test]
    fn the_wall_clock_is_past_2020() {
        assert!(unix_ms() > 1_577_836_800_000);
    }
}
