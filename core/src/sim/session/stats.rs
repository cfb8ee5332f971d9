//! What a session's run met.

use crate::requests::Outcome;
use crate::session::Output;
use crate::subscriptions::News;

/// What a session's run met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionStats {
    /// Calls of the session, polls not counted.
    pub calls: u64,
    /// Requests answered.
    pub answered: u64,
    /// Requests refused by the peer.
    pub refused: u64,
    /// Requests that timed out.
    pub timed_out: u64,
    /// Requests given up.
    pub cancelled: u64,
    /// Requests lost with their transport.
    pub lost: u64,
    /// Requests whose message was given up.
    pub undelivered: u64,
    /// Requests that ended with everything.
    pub closed: u64,
    /// Subscriptions confirmed.
    pub confirmed: u64,
    /// Subscriptions refused, or not confirmed in time.
    pub unconfirmed: u64,
    /// Subscriptions whose message was given up, or could not be sent.
    pub unsaid: u64,
    /// Messages for subscribers.
    pub delivered: u64,
    /// Logins asked for.
    pub logins: u64,
    /// Messages shown to a login.
    pub shown: u64,
    /// Looks at the queue asked for.
    pub queues: u64,
}

impl SessionStats {
    /// Adds another run's.
    pub fn add(&mut self, other: &SessionStats) {
        let SessionStats {
            calls,
            answered,
            refused,
            timed_out,
            cancelled,
            lost,
            undelivered,
            closed,
            confirmed,
            unconfirmed,
            unsaid,
            delivered,
            logins,
            shown,
            queues,
        } = other;
        self.calls += calls;
        self.answered += answered;
        self.refused += refused;
        self.timed_out += timed_out;
        self.cancelled += cancelled;
        self.lost += lost;
        self.undelivered += undelivered;
        self.closed += closed;
        self.confirmed += confirmed;
        self.unconfirmed += unconfirmed;
        self.unsaid += unsaid;
        self.delivered += delivered;
        self.logins += logins;
        self.shown += shown;
        self.queues += queues;
    }

    pub(super) fn told(&mut self, output: &Output) {
        let count = match output {
            Output::Action(_) => return,
            Output::Deliver(_) => &mut self.delivered,
            Output::Ended(ended) => match ended.outcome {
                Outcome::Answered(_) => &mut self.answered,
                Outcome::Refused(_) => &mut self.refused,
                Outcome::TimedOut => &mut self.timed_out,
                Outcome::Cancelled => &mut self.cancelled,
                Outcome::Lost => &mut self.lost,
                Outcome::Undelivered(_) => &mut self.undelivered,
                Outcome::Closed => &mut self.closed,
            },
            Output::Told(told) => match told.news {
                News::Confirmed { .. } => &mut self.confirmed,
                News::Refused { .. } | News::Unconfirmed => &mut self.unconfirmed,
                News::Undelivered(_) | News::Unsayable { .. } => &mut self.unsaid,
            },
            Output::Login { .. } => &mut self.logins,
            Output::DuringLogin(_) => &mut self.shown,
            Output::Queue { .. } => &mut self.queues,
        };
        *count += 1;
    }
}
