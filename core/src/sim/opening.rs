//! The opening: since when the open transport is held.

use super::fingerprint::Fingerprint;
use super::glance::Stage;
use super::{Moment, Verdict, demand};
use crate::action::Action;
use crate::event::Event;
use crate::notice::{Notice, State};
use crate::time::Instant;

/// Whether the open transport is held.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Opening {
    since: Option<Instant>,
}

impl Opening {
    pub(super) fn new() -> Self {
        Self { since: None }
    }

    /// Takes what decides on what comes next.
    pub(super) fn fingerprint(&self, to: &mut Fingerprint) {
        to.optional(self.since);
    }

    pub(super) fn is_held(&self) -> bool {
        self.since.is_some()
    }

    #[inline]
    pub(super) fn action(&mut self, moment: &Moment<'_>, action: &Action) {
        if let Action::Notify(Notice::StateChanged { to, .. }) = action {
            let holds = *to == State::Open && moment.config.opening.hold;
            self.since = holds.then_some(moment.now);
        }
    }

    #[inline]
    pub(super) fn after(&mut self, moment: &Moment<'_>) -> Verdict {
        let Moment { now, config, event, after, due, .. } = moment;
        if moment.done() && matches!(event, Event::Release { .. } | Event::Refuse { .. }) {
            let held = due.held || matches!(event, Event::Refuse { .. });
            demand!(6, held, "{event:?} took effect, and nothing was held");
            demand!(6, due.phase == Stage::Open, "{event:?} took effect, and nothing was open");
            self.since = None;
        }
        if after.phase == Stage::Closing {
            self.since = None;
        }
        let told = self.since.is_some();
        demand!(34, after.held == told, "held {}, told {told}", after.held);
        if let Some(since) = self.since {
            let until = since + config.opening.timeout;
            demand!(40, *now < until, "held since {since} at {now}, past {until}");
        }
        if let Event::Refuse { retry, .. } = event
            && moment.done()
        {
            let heeded = match after.phase {
                Stage::Closing => !retry,
                // At a limit, or drained.
                Stage::Waiting | Stage::Closed => *retry,
                Stage::Idle | Stage::Dialing | Stage::Open => false,
            };
            demand!(13, heeded, "{event:?} led to {:?}", after.phase);
        }
        Ok(())
    }
}
