//! Whether the caller should drive the connection itself while it waits.

use std::time::{Duration, Instant};

/// A wait that was not longer was a short one.
const SHORT: Duration = Duration::from_millis(10);
/// So soon the caller is back if it does little else than receive.
const BACK: Duration = Duration::from_millis(2);
/// How often in a row it must have been quick. Changing over costs some switches of threads.
const ROW: u32 = 3;
/// A wait that must be shorter is left to the thread: the poller counts in milliseconds.
const LEAST: Duration = Duration::from_millis(2);

/// What the caller's waits were like, while the thread drove.
///
/// Driving itself pays when one message after the other is awaited, each for a short time. Where
/// messages are rare it would only take the connection from the thread to give it back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// How many waits in a row were quick.
    row: u32,
    /// When the last one ended.
    last: Option<Instant>,
}

impl Pace {
    /// Notes a wait that brought something.
    pub(super) fn note(&mut self, began: Instant, ended: Instant) {
        let was_back = self.last.is_some_and(|last| began.saturating_duration_since(last) <= BACK);
        let was_short = ended.saturating_duration_since(began) <= SHORT;
        self.row = if was_back && was_short { self.row.saturating_add(1) } else { 0 };
        self.last = Some(ended);
    }

    /// Whether the caller should drive from now on. Said once: it takes another such row to be said
    /// again.
    pub(super) fn take_wish(&mut self) -> bool {
        let wish = self.row >= ROW;
        if wish {
            *self = Self::default();
        }
        wish
    }

    /// Whether a wait that may last so long, `None` for ever, is long enough to drive in.
    pub(super) fn is_worth(left: Option<Duration>) -> bool {
        left.is_none_or(|left| left >= LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Notes waits of `long` each, with `away` between them.
    fn after(waits: u32, away: Duration, long: Duration) -> Pace {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        for _ in 0..waits {
            now += away;
            pace.note(now, now + long);
            now += long;
        }
        pace
    }

    #[test]
    fn a_row_of_short_waits_is_quick() {
        assert!(!after(ROW, Duration::ZERO, MS).take_wish(), "the first follows nothing");
        assert!(after(ROW + 1, Duration::ZERO, MS).take_wish());
        assert!(after(ROW + 1, BACK, SHORT).take_wish());
    }

    #[test]
    fn long_waits_and_long_absences_are_not() {
        assert!(!after(100, Duration::ZERO, SHORT + MS).take_wish());
        assert!(!after(100, BACK + MS, Duration::ZERO).take_wish());
    }

    #[test]
    fn one_long_wait_breaks_the_row() {
        let mut pace = after(ROW + 1, Duration::ZERO, MS);
        let began = pace.last.expect("it waited");
        pace.note(began, began + SHORT + MS);
        assert!(!pace.take_wish());
    }

    #[test]
    fn a_wish_is_said_once() {
        let mut pace = after(ROW + 1, Duration::ZERO, MS);
        assert!(pace.take_wish());
        assert!(!pace.take_wish());
    }

    #[test]
    fn only_waits_of_some_length_are_worth_it() {
        assert!(Pace::is_worth(None));
        assert!(Pace::is_worth(Some(LEAST)));
        assert!(!Pace::is_worth(Some(LEAST - MS)));
    }
}
