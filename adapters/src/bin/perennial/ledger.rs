//! The account at the end, and the exit status that follows from it.

use perennial_core::{Closed, ClosedBy, Counters, Duration, Reason};
use serde::Serialize;

use crate::events::precise_millis;
use crate::people::count;

/// The account. `accepted = flushed + acknowledged + uncertain + expired + dropped`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Ledger {
    pub(crate) accepted: u64,
    pub(crate) flushed: u64,
    pub(crate) acknowledged: u64,
    pub(crate) uncertain: u64,
    pub(crate) expired: u64,
    pub(crate) dropped: u64,
    pub(crate) rejected: u64,
    pub(crate) received: u64,
    pub(crate) duplicates: u64,
    pub(crate) attempts: u64,
    pub(crate) reconnects: u64,
    pub(crate) outage_ms: u64,
    pub(crate) rtt_ms: Option<f64>,
}

impl Ledger {
    /// The account of a closed connection. `rejected` counts lines, some of which never reached the
    /// connection; `received` counts what was passed on.
    pub(crate) fn new(
        counters: &Counters,
        rejected: u64,
        received: u64,
        rtt: Option<Duration>,
    ) -> Self {
        Self {
            accepted: counters.accepted,
            flushed: counters.flushed,
            acknowledged: counters.acknowledged,
            uncertain: counters.uncertain,
            expired: counters.expired,
            // Nothing is cancelled here.
            dropped: counters.dropped + counters.cancelled,
            rejected,
            received,
            duplicates: counters.duplicates,
            attempts: counters.attempts,
            reconnects: counters.reconnects,
            outage_ms: counters.outage_ns / 1_000_000,
            rtt_ms: rtt.map(precise_millis),
        }
    }

    /// Accepted and certainly not sent.
    pub(crate) fn unsent(&self) -> u64 {
        self.expired + self.dropped
    }

    /// Accepted and not known to have arrived.
    pub(crate) fn undelivered(&self) -> u64 {
        self.unsent() + self.uncertain
    }

    /// What was not delivered, for people; `None` if nothing.
    pub(crate) fn shortfall(&self) -> Option<String> {
        let parts: Vec<String> = [
            (self.expired, "expired"),
            (self.dropped, "dropped"),
            (self.uncertain, "uncertain (perhaps delivered)"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        let undelivered = self.undelivered();
        (undelivered > 0).then(|| {
            format!(
                "{undelivered} of {} unsent or unconfirmed ({}): send them again",
                count(self.accepted, "message", "messages"),
                parts.join(", ")
            )
        })
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Closed as asked, and everything accepted was delivered.
    Done,
    /// Gave up, or something accepted was not delivered.
    Short,
    /// The server refused for good.
    Refused,
    /// `--deadline` passed.
    Late,
}

impl Outcome {
    /// The exit status.
    pub(crate) const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Short => 1,
            Self::Refused => 3,
            Self::Late => 4,
        }
    }

    /// Judges the end. `late` means that the deadline passed first, `short` that the run stopped
    /// before its purpose was fulfilled, whatever the ledger says.
    pub(crate) fn of(closed: &Closed, ledger: &Ledger, late: bool, short: bool) -> Self {
        if late {
            return Self::Late;
        }
        match closed.by {
            ClosedBy::Server => Self::Refused,
            // Our own close because of what the peer sent.
            ClosedBy::Policy if matches!(closed.reason, Reason::Violated(_)) => Self::Refused,
            ClosedBy::Policy => Self::Short,
            ClosedBy::Application if short || ledger.undelivered() > 0 => Self::Short,
            ClosedBy::Application => Self::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perennial_core::Violation;

    fn closed(by: ClosedBy, reason: Reason) -> Closed {
        Closed { by, code: reason.code(), clean: false, reason }
    }

    #[test]
    fn the_status_follows_from_the_end_and_the_account() {
        let clean = Ledger { accepted: 3, flushed: 3, rejected: 5, ..Ledger::default() };
        let asked = closed(ClosedBy::Application, Reason::Application);
        assert_eq!(Outcome::of(&asked, &clean, false, false).status(), 0);
        assert_eq!(Outcome::of(&asked, &clean, false, true).status(), 1);
        for short in [
            Ledger { expired: 1, ..clean.clone() },
            Ledger { dropped: 1, ..clean.clone() },
            Ledger { uncertain: 1, ..clean.clone() },
        ] {
            assert_eq!(Outcome::of(&asked, &short, false, false).status(), 1);
        }
        let gave_up = closed(ClosedBy::Policy, Reason::MaxOutage);
        assert_eq!(Outcome::of(&gave_up, &clean, false, false).status(), 1);
        let refused = closed(ClosedBy::Server, Reason::PeerClosed(None));
        assert_eq!(Outcome::of(&refused, &clean, false, false).status(), 3);
        let violation = Violation { code: 1002, detail: "".into() };
        let violated = closed(ClosedBy::Policy, Reason::Violated(violation));
        assert_eq!(Outcome::of(&violated, &clean, false, false).status(), 3);
        assert_eq!(Outcome::of(&refused, &clean, true, false).status(), 4);
    }

    #[test]
    fn the_shortfall_says_how_much() {
        assert_eq!(Ledger::default().shortfall(), None);
        let ledger = Ledger { accepted: 9, expired: 1, uncertain: 2, ..Ledger::default() };
        let said = ledger.shortfall().expect("something is missing");
        assert!(said.starts_with("3 of 9") && said.contains("1 expired"), "{said}");
        assert!(said.contains("2 uncertain") && !said.contains("dropped"), "{said}");
    }
}
