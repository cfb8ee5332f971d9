//! When an answer is awaited awake.
//!
//! A thread that sleeps frees its core, and a core that has nothing else to do goes to sleep as well.
//! To wake both takes longer than a peer nearby takes to answer. So whoever exchanges message for
//! message with such a peer is spared it; whoever does not is none the wiser.

use std::time::Duration;

use perennial_core::Instant;

/// So many answers in a row must have been quick. One that is not ends the row.
const ROW: u32 = 4;
/// How many at most.
const LONGEST_ROW: u32 = 4_096;
/// So many times as many are wanted after an answer that was awaited awake in vain. The core may be wanted by
/// others: who is awake leaves it to them for as long as the system sees fit, which is a hundred times as
/// long as to be woken up.
const DOUBT: u32 = 16;
/// One in so many fewer are wanted after an answer that was awaited awake and was quick.
const TRUST: u32 = 64;
/// Nobody waits awake for longer, whatever was asked for.
const LIMIT: Duration = Duration::from_secs(60);

/// Whether the peer's next answer is worth staying awake for, by its last ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BusyPoll {
    /// An answer that took no longer was quick.
    most: Duration,
    /// When the peer was told the first thing that it has not answered.
    asked: Option<Instant>,
    /// How many answers in a row were quick.
    row: u32,
    /// How many have to be.
    wanted: u32,
}

impl BusyPoll {
    pub(crate) const fn new(most: Duration) -> Self {
        let most = if most.as_nanos() > LIMIT.as_nanos() { LIMIT } else { most };
        Self { most, asked: None, row: 0, wanted: ROW }
    }

    /// Notes that the peer was told something. What it has not answered in time by now ends the row,
    /// or who only sends would stay awake.
    pub(crate) fn asked(&mut self, now: Instant) {
        match self.asked {
            Some(at) if now.since(at) <= self.most => {}
            Some(_) => {
                self.end_row();
                self.asked = Some(now);
            }
            None => self.asked = Some(now),
        }
    }

    /// Notes that the peer has said something.
    pub(crate) fn heard(&mut self, now: Instant) {
        if let Some(asked) = self.asked.take() {
            if now.since(asked) > self.most {
                self.end_row();
                return;
            }
            if self.row >= self.wanted {
                self.wanted -= (self.wanted - ROW).div_ceil(TRUST);
            }
            self.row = self.row.saturating_add(1);
        }
    }

    /// An answer was late, or is.
    fn end_row(&mut self) {
        if self.row >= self.wanted {
            self.wanted = self.wanted.saturating_mul(DOUBT).min(LONGEST_ROW);
        }
        self.row = 0;
    }

    /// For how long to stay awake for what the peer says next, if it is worth that.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        if self.row < self.wanted {
            return None;
        }
        let waited = now.since(self.asked?);
        self.most.checked_sub(waited).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_micros(100);

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1_000)
    }

    /// After so many answers, each of which took so long.
    fn after(answers: u32, micros: u64) -> BusyPoll {
        let mut poll = BusyPoll::new(MOST);
        for _ in 0..answers {
            poll.asked(at(0));
            poll.heard(at(micros));
        }
        poll
    }

    #[test]
    fn quick_answers_are_worth_it_once_there_were_enough() {
        let mut poll = after(ROW - 1, 100);
        poll.asked(at(0));
        assert_eq!(poll.left(at(0)), None);
        poll.heard(at(1));
        poll.asked(at(10));
        assert_eq!(poll.left(at(10)), Some(MOST));
        assert_eq!(poll.left(at(30)), Some(Duration::from_micros(80)));
        assert_eq!(poll.left(at(110)), None, "it has waited long enough");
    }

    #[test]
    fn one_that_is_slow_ends_it() {
        let mut poll = after(10 * ROW, 1);
        poll.asked(at(0));
        poll.heard(at(101));
        poll.asked(at(200));
        assert_eq!(poll.left(at(200)), None);
    }

    /// How many quick answers it takes until the next one is awaited awake.
    fn takes(poll: &mut BusyPoll) -> u32 {
        for answers in 0..=LONGEST_ROW {
            poll.asked(at(0));
            if poll.left(at(0)).is_some() {
                return answers;
            }
            poll.heard(at(1));
        }
        panic!("never awake again")
    }

    #[test]
    fn who_was_awake_in_vain_is_slower_to_be_so_again() {
        let mut poll = BusyPoll::new(MOST);
        for wanted in [4, 64, 1_024, 4_096, 4_096] {
            assert_eq!(takes(&mut poll), wanted);
            poll.heard(at(101));
        }
        // What is late while nobody is awake for it does no harm.
        let mut slow = BusyPoll::new(MOST);
        for _ in 0..10 {
            slow.asked(at(0));
            slow.heard(at(101));
        }
        assert_eq!(takes(&mut slow), ROW);
        // And trust comes back.
        assert_eq!(takes(&mut poll), 4_096);
        for _ in 0..600 {
            poll.heard(at(1));
            poll.asked(at(0));
        }
        poll.heard(at(101));
        assert_eq!(takes(&mut poll), DOUBT * ROW);
    }

    #[test]
    fn nothing_is_expected_of_whom_nothing_was_asked() {
        let mut poll = after(ROW, 1);
        assert_eq!(poll.left(at(1)), None);
        poll.heard(at(2));
        assert_eq!(poll.left(at(2)), None, "what comes unasked is no answer");
    }

    #[test]
    fn who_is_not_answered_does_not_stay_awake_by_sending() {
        let mut poll = after(ROW, 1);
        for sent in 0..100 {
            let now = at(1_000 + sent * 50);
            poll.asked(now);
            assert_eq!(poll.left(now).is_some(), sent < 2, "{sent}");
        }
        // What comes unasked in between is as late as the first question makes it.
        poll.heard(at(1_000 + 99 * 50 + 101));
        assert_eq!(poll.row, 0);
    }

    #[test]
    fn there_is_an_end_to_every_patience() {
        assert_eq!(BusyPoll::new(Duration::MAX).most, LIMIT);
        assert_eq!(BusyPoll::new(LIMIT).most, LIMIT);
    }

    #[test]
    fn none_is_no_wait_at_all() {
        let mut poll = BusyPoll::new(Duration::ZERO);
        for _ in 0..=ROW {
            poll.asked(at(0));
            poll.heard(at(0));
        }
        poll.asked(at(1));
        assert_eq!(poll.left(at(1)), None);
    }
}
