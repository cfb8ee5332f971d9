//! What is due when.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The reasons to wake. Those of faults carry the generation they were armed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The listener is to be looked at again after it failed to accept.
    Listen,
    /// A call that the app asked for.
    App(u64),
    /// The handshake or the end of a close is overdue.
    Patience,
    /// A delayed handshake is to be answered.
    Answer,
    /// The next piece of a trickle may go.
    Trickle,
    /// A ping frame is due.
    Ping,
    /// A half-open connection whose peer is gone is let go.
    Reap,
    /// The connection is to be reset.
    Reset(u32),
    /// The connection is to be ended with FIN.
    Finish(u32),
    /// The connection is to become half-open.
    Freeze(u32),
}

/// The timers, each of a connection (or of 0, the server) at a time. None is ever cancelled: whoever
/// takes one checks whether it still matters.
#[derive(Debug)]
pub(super) struct Timers {
    /// Before every time in here.
    start: Instant,
    due: BTreeSet<(Instant, u64, Timer)>,
    /// The same by connection, so that a connection's end costs no search.
    owned: BTreeSet<(u64, Instant, Timer)>,
}

impl Timers {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), due: BTreeSet::new(), owned: BTreeSet::new() }
    }

    pub(super) fn set(&mut self, after: Duration, connection: u64, timer: Timer) {
        // A time past the clock's range never comes.
        if let Some(at) = Instant::now().checked_add(after) {
            self.due.insert((at, connection, timer));
            self.owned.insert((connection, at, timer));
        }
    }

    /// How long until the next one.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.due.first().map(|(at, ..)| at.saturating_duration_since(Instant::now()))
    }

    /// Takes the earliest one that is due by `now`.
    pub(super) fn take(&mut self, now: Instant) -> Option<(u64, Timer)> {
        if self.due.first()?.0 > now {
            return None;
        }
        let (at, connection, timer) = self.due.pop_first()?;
        self.owned.remove(&(connection, at, timer));
        Some((connection, timer))
    }

    /// Drops those of a connection that is gone.
    pub(super) fn forget(&mut self, connection: u64) {
        while let Some(&(owner, at, timer)) =
            self.owned.range((connection, self.start, Timer::Listen)..).next()
        {
            if owner != connection {
                break;
            }
            self.owned.remove(&(owner, at, timer));
            self.due.remove(&(at, owner, timer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earliest_first_and_only_when_due() {
        let mut timers = Timers::new();
        assert_eq!(timers.wait(), None);
        timers.set(Duration::from_secs(100), 1, Timer::Ping);
        timers.set(Duration::ZERO, 2, Timer::Answer);
        timers.set(Duration::MAX, 3, Timer::Ping);
        let now = Instant::now();
        assert_eq!(timers.take(now), Some((2, Timer::Answer)));
        assert_eq!(timers.take(now), None);
        assert!(timers.wait().unwrap() > Duration::from_secs(90));
        timers.forget(2);
        assert!(timers.wait().is_some());
        timers.forget(1);
        assert!(timers.owned.is_empty());
        assert_eq!(timers.wait(), None);
    }
}
