//! A fixed table of deadlines.

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// The dial must have ended.
    Dial,
    /// The opening must have ended.
    Opening,
    /// The next dial is due.
    Retry,
    /// The next ping is due.
    Ping,
    /// Something must have been heard since the ping.
    Pong,
    /// The probe after a clock jump must have been answered.
    Probe,
    /// Data must have come.
    Stale,
    /// The connection has been open long enough to be called stable.
    Stable,
    /// A message should have been acknowledged.
    Ack,
    /// The lifetime of a message passes.
    Ttl,
    /// The close handshake must have ended.
    Close,
    /// The drain must have ended.
    Drain,
    /// The outage must have ended.
    Outage,
    /// The outage is suspended.
    Suspend,
}

impl Timer {
    /// Every timer. Of timers that are due at once the earlier one here fires first: what is dead
    /// or finished is found before anything is written to it.
    pub const ALL: [Timer; 14] = [
        Timer::Drain,
        Timer::Close,
        Timer::Outage,
        Timer::Dial,
        Timer::Probe,
        Timer::Pong,
        Timer::Stale,
        Timer::Opening,
        Timer::Stable,
        Timer::Suspend,
        Timer::Ttl,
        Timer::Ack,
        Timer::Ping,
        Timer::Retry,
    ];
}

/// The armed deadlines. Disarmed ones stand at `u64::MAX`, so that the earliest is a plain
/// minimum.
#[derive(Clone, Debug)]
pub(crate) struct Timers {
    at: [u64; Timer::ALL.len()],
    /// The earliest deadline if `exact`; otherwise no deadline is earlier.
    first: u64,
    which: Option<Timer>,
    exact: bool,
}

const OFF: u64 = u64::MAX;

// The rest is a shortcut, not a part of what the table says.
impl PartialEq for Timers {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Timers {}

impl Timers {
    pub(crate) const fn new() -> Self {
        Self { at: [OFF; Timer::ALL.len()], first: OFF, which: None, exact: true }
    }

    pub(crate) fn arm(&mut self, timer: Timer, at: Instant) {
        // An instant at the end of time never comes; it may as well be off.
        let at = at.as_nanos();
        self.at[timer as usize] = at;
        if at < self.first {
            self.first = at;
            self.which = Some(timer);
            self.exact = true;
        } else if at == self.first || self.which == Some(timer) {
            self.exact = false;
        }
    }

    /// Arms `timer` unless it is already due earlier.
    pub(crate) fn arm_earlier(&mut self, timer: Timer, at: Instant) {
        if at.as_nanos() < self.at[timer as usize] {
            self.arm(timer, at);
        }
    }

    pub(crate) fn disarm(&mut self, timer: Timer) {
        self.at[timer as usize] = OFF;
        if self.which == Some(timer) {
            self.exact = false;
        }
    }

    pub(crate) fn get(&self, timer: Timer) -> Option<Instant> {
        let at = self.at[timer as usize];
        (at != OFF).then(|| Instant::from_nanos(at))
    }

    pub(crate) fn is_armed(&self, timer: Timer) -> bool {
        self.at[timer as usize] != OFF
    }

    /// The earliest deadline, and what it is for.
    #[inline]
    pub(crate) fn earliest(&self) -> Option<(Instant, Timer)> {
        let (first, which) = if self.exact { (self.first, self.which) } else { self.search() };
        which.map(|timer| (Instant::from_nanos(first), timer))
    }

    /// The same, remembered: the common case is that nothing earlier was armed or disarmed.
    #[inline]
    pub(crate) fn settle(&mut self) -> Option<(Instant, Timer)> {
        if !self.exact {
            (self.first, self.which) = self.search();
            self.exact = true;
        }
        self.which.map(|timer| (Instant::from_nanos(self.first), timer))
    }

    #[inline(never)]
    fn search(&self) -> (u64, Option<Timer>) {
        let mut found = (OFF, None);
        for timer in Timer::ALL {
            let at = self.at[timer as usize];
            if at < found.0 {
                found = (at, Some(timer));
            }
        }
        found
    }

    /// Takes what decides on what comes next.
    #[cfg(feature = "sim")]
    pub(crate) fn fingerprint(&self, to: &mut crate::sim::Fingerprint) {
        for timer in Timer::ALL {
            to.optional(self.get(timer));
        }
    }

    /// Whether some deadline may be due at `now`. Says no without a look at the table.
    pub(crate) fn may_be_due(&self, now: Instant) -> bool {
        self.first <= now.as_nanos()
    }

    /// Disarms and returns the timer with the earliest deadline that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if !self.may_be_due(now) {
            return None;
        }
        let (at, timer) = self.settle()?;
        if at > now {
            return None;
        }
        self.disarm(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_found_and_disarmed() {
        let mut timers = Timers::new();
        assert_eq!(timers.earliest(), None);
        timers.arm(Timer::Ping, Instant::from_millis(20));
        timers.arm(Timer::Retry, Instant::from_millis(10));
        assert_eq!(timers.earliest(), Some((Instant::from_millis(10), Timer::Retry)));
        assert_eq!(timers.pop_due(Instant::from_millis(9)), None);
        assert_eq!(timers.pop_due(Instant::from_millis(30)), Some(Timer::Retry));
        assert_eq!(timers.pop_due(Instant::from_millis(30)), Some(Timer::Ping));
        assert_eq!(timers.pop_due(Instant::from_millis(30)), None);
    }

    #[test]
    fn tables_are_equal_if_their_deadlines_are() {
        let at = Instant::from_millis;
        let mut one = Timers::new();
        let mut two = Timers::new();
        one.arm(Timer::Ping, at(10));
        assert_ne!(one, two);
        two.arm(Timer::Ping, at(5));
        assert_ne!(one, two);
        two.arm(Timer::Ping, at(10));
        assert_eq!(one, two, "whatever was there before");
    }

    #[test]
    fn a_timer_can_be_put_off() {
        let mut timers = Timers::new();
        timers.arm(Timer::Pong, Instant::from_millis(10));
        timers.arm(Timer::Pong, Instant::from_millis(50));
        assert_eq!(timers.pop_due(Instant::from_millis(20)), None);
        timers.arm_earlier(Timer::Pong, Instant::from_millis(60));
        assert_eq!(timers.get(Timer::Pong), Some(Instant::from_millis(50)));
        timers.arm_earlier(Timer::Pong, Instant::from_millis(40));
        assert_eq!(timers.get(Timer::Pong), Some(Instant::from_millis(40)));
        timers.disarm(Timer::Pong);
        assert!(!timers.is_armed(Timer::Pong));
    }

    #[test]
    fn of_two_due_at_once_death_comes_first() {
        let mut timers = Timers::new();
        timers.arm(Timer::Ping, Instant::from_millis(10));
        timers.arm(Timer::Pong, Instant::from_millis(10));
        let due = timers.pop_due(Instant::from_millis(10));
        assert_eq!(due, Some(Timer::Pong));
    }

    #[test]
    fn the_table_names_every_timer_once() {
        for (index, timer) in Timer::ALL.iter().enumerate() {
            assert!(Timer::ALL[..index].iter().all(|other| other != timer));
        }
    }
}
