//! The operating system's clock, as the core counts time.

#[cfg(not(unix))]
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use perennial_core::Instant;

/// A clock that starts when it is made, never goes back, and counts while the computer sleeps: by
/// that the core knows that it must ask whether the peer is still there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { origin: running() }
    }

    pub(super) fn now(self) -> Instant {
        let elapsed = running().saturating_sub(self.origin);
        Instant::from_nanos(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The wall-clock time of the origin, in milliseconds since 1970. The core writes timestamps by
    /// it; nothing else depends on it.
    pub(super) fn origin_unix_ms(self) -> u64 {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
        unix.saturating_sub(self.now().as_millis())
    }
}

#[cfg(unix)]
fn running() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    // Linux's monotonic clock, and so `std::time::Instant`, stands still while the computer sleeps.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = ClockId::Monotonic;
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(not(unix))]
fn running() -> Duration {
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}
