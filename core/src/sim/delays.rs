//! The delays between dials, and how many of those there may be.

use super::glance::Stage;
use core::hash::Hash as _;

use super::fingerprint::Fingerprint;
use super::{Moment, Verdict, demand};
use crate::action::Action;
use crate::config::{Backoff, CloseRule, Config, Jitter};
use crate::event::{DialError, Event, RetryChoice};
use crate::frame::{Frame, code};
use crate::notice::{Advice, Notice, Reason, State};
use crate::time::{Instant, nanos};

/// The delays since the attempt counter was last reset.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Delays {
    attempts: u32,
    failures: u32,
    nominal: u64,
    /// The last delay before advice, if that can be known.
    last: Option<u64>,
    /// How unlikely it is, in bits, that as many delays in a row as were seen stood at an end of
    /// their range.
    coincidence: u32,
    /// When the pending dial is due.
    due: Option<Instant>,
    /// Since when the connection is down.
    down: Option<Instant>,
}

impl Delays {
    pub(super) fn new(now: Instant, auto: bool) -> Self {
        let down = auto.then_some(now);
        // The first dial is due at once.
        let last = Some(0);
        Self { attempts: 0, failures: 0, nominal: 0, last, coincidence: 0, due: down, down }
    }

    /// Takes what decides on what comes next.
    pub(super) fn fingerprint(&self, to: &mut Fingerprint) {
        let Self { attempts, failures, nominal, last, coincidence, due, down } = self;
        (attempts, failures, nominal, last, coincidence).hash(to);
        to.optional(*due);
        to.optional(*down);
    }

    fn reset(&mut self) {
        *self = Self { attempts: 0, failures: 0, nominal: 0, last: Some(0), ..self.clone() };
    }

    #[inline]
    pub(super) fn event(&mut self, moment: &Moment<'_>) {
        if let (Event::Retry { choice: RetryChoice::After(delay), .. }, true) =
            (moment.event, moment.done())
        {
            self.due = Some(moment.now + *delay);
        }
        if moment.is_reconnect() && self.down.is_none() {
            self.down = Some(moment.now);
        }
    }

    /// `stable` says whether the counter may have been reset; `manual`, whether this is the dial
    /// of a manual reconnect.
    pub(super) fn action(
        &mut self,
        now: Instant,
        action: &Action,
        config: &Config,
        stable: bool,
        manual: bool,
        suspended: bool,
    ) -> Verdict {
        match action {
            Action::Dial { attempt, .. } => {
                if manual {
                    self.reset();
                } else {
                    let due = self.due;
                    let waited = due.is_some_and(|due| due <= now);
                    demand!(10, waited, "{action:?} at {now}, due at {due:?}");
                }
                self.due = None;
                demand!(12, *attempt == self.attempts + 1, "{action:?} after {}", self.attempts);
                self.attempts = *attempt;
                self.within_limit(*attempt, config)
            }
            Action::Notify(Notice::Retrying { attempt, .. }) => {
                if *attempt == 1 && stable {
                    self.reset();
                }
                demand!(12, *attempt == self.attempts + 1, "{action:?} after {}", self.attempts);
                self.within_limit(*attempt, config)?;
                self.retrying(now, action, config, suspended)
            }
            Action::Notify(Notice::StateChanged { to, .. }) => {
                self.down = match to {
                    State::Reconnecting => Some(now),
                    State::Connecting | State::Open | State::Closed => None,
                };
                Ok(())
            }
            Action::Notify(_)
            | Action::Abort { .. }
            | Action::Write { .. }
            | Action::Wait { .. } => Ok(()),
        }
    }

    fn within_limit(&self, attempt: u32, config: &Config) -> Verdict {
        let most = config.retry.max_attempts;
        demand!(13, most.is_none_or(|most| attempt <= most), "attempt {attempt} of {most:?}");
        Ok(())
    }

    fn retrying(
        &mut self,
        now: Instant,
        action: &Action,
        config: &Config,
        suspended: bool,
    ) -> Verdict {
        let Action::Notify(Notice::Retrying { delay, nominal, advice, reason, .. }) = action else {
            return Ok(());
        };
        let retry = &config.retry;
        demand!(13, !is_fatal(config, reason), "{action:?} after what is fatal");
        self.failures += 1;
        let most = retry.max_retries;
        let retries = self.failures;
        demand!(13, most.is_none_or(|most| retries <= most), "retry {retries} of {most:?}");
        let cap = nanos(retry.cap);
        let grown = if suspended { cap } else { formula(&retry.backoff, self.failures).min(cap) };
        let expected = grown.max(self.nominal);
        let (delay, nominal) = (nanos(*delay), nanos(*nominal));
        demand!(11, nominal >= self.nominal, "{action:?} after {} ns", self.nominal);
        demand!(11, nominal == expected, "{action:?}, expected {expected} ns");
        self.nominal = nominal;
        let base = formula(&retry.backoff, 1);
        let (low, high) = match retry.jitter {
            Jitter::None => (nominal, nominal),
            Jitter::Equal => (nominal / 2, nominal),
            Jitter::Full => (0, nominal),
            Jitter::Decorrelated => {
                let last = self.last.filter(|_| !suspended);
                (base, last.map_or(cap, |last| last.max(base).saturating_mul(3).min(cap)))
            }
        };
        let (advised, kind) = advised(config, reason);
        let in_range = match advice {
            Some(advice) => {
                demand!(10, Some(*advice) == kind, "{action:?}: nobody gave that advice");
                let (least, most) = advised;
                (least.max(low)..=most).contains(&delay)
            }
            None => (low..=high).contains(&delay) && delay >= advised.0,
        };
        demand!(10, in_range, "{action:?}: policy {low} to {high} ns, advice {advised:?} ns");
        if advised.1 == 0 {
            self.spread(delay, low, high, config, suspended)?;
        }
        self.last = advice.is_none().then_some(delay);
        self.due = Some(now + core::time::Duration::from_nanos(delay));
        Ok(())
    }

    /// Clients spread over the whole range, at the cap as well: one delay may happen to stand at
    /// an end of it, a row of them does not.
    fn spread(
        &mut self,
        delay: u64,
        low: u64,
        high: u64,
        config: &Config,
        suspended: bool,
    ) -> Verdict {
        // What the delay grew from may be unknown, and with it the range.
        let known = match config.retry.jitter {
            Jitter::None => false,
            Jitter::Equal | Jitter::Full => true,
            Jitter::Decorrelated => suspended || self.last.is_some(),
        };
        if !known || (low < delay && delay < high) {
            self.coincidence = 0;
        } else {
            self.coincidence += high.saturating_sub(low).saturating_add(1).ilog2();
        }
        let bits = self.coincidence;
        demand!(10, bits < 64, "delays again and again of {low} or {high} ns: 1 in 2^{bits}");
        Ok(())
    }

    #[inline]
    pub(super) fn after(&self, moment: &Moment<'_>) -> Verdict {
        let Moment { now, config, event, after, .. } = moment;
        let over = matches!(after.phase, Stage::Closing | Stage::Closed);
        if !over && let (Some(since), Some(most)) = (self.down, config.retry.max_outage) {
            let until = since + most;
            demand!(13, *now < until, "down at {now}, past {until}");
        }
        let may_be_fatal = matches!(
            event,
            Event::DialFailed { .. }
                | Event::Received { frame: Frame::Close(_), .. }
                | Event::Violated { .. }
                | Event::Retry { .. }
        );
        if may_be_fatal && moment.done() {
            demand!(13, over || !fatal(moment), "{event:?} was survived: {:?}", after.phase);
        }
        Ok(())
    }
}

/// Whether the event must end the connection, judged by the phase that it found.
fn fatal(moment: &Moment<'_>) -> bool {
    let Moment { config, event, due, .. } = moment;
    if let Event::DialFailed { failure, .. } = event {
        let first = config.connect.fail_fast && due.state == State::Connecting;
        first || is_fatal(config, &Reason::DialFailed(failure.clone()))
    } else if let Event::Received { frame: Frame::Close(close), .. } = event {
        due.phase == Stage::Open && is_fatal(config, &Reason::PeerClosed(close.clone()))
    } else {
        matches!(event, Event::Violated { .. } if due.phase == Stage::Open)
            || matches!(event, Event::Retry { choice: RetryChoice::Stop, .. })
    }
}

/// The policy's n-th delay, by its definition.
fn formula(backoff: &Backoff, n: u32) -> u64 {
    match backoff {
        Backoff::Constant { base } => nanos(*base),
        Backoff::Linear { base } => nanos(*base).saturating_mul(u64::from(n)),
        Backoff::Exponential { base, factor_percent } => {
            let mut delay = nanos(*base);
            for _ in 1..n {
                let grown = u128::from(delay) * u128::from(*factor_percent) / 100;
                delay = u64::try_from(grown).unwrap_or(u64::MAX);
                // Longer than any cap.
                if delay > 1 << 60 {
                    break;
                }
            }
            delay
        }
        Backoff::List { delays } => {
            let index = (n as usize - 1).min(delays.len() - 1);
            nanos(delays[index])
        }
    }
}

/// Whether nothing may follow.
fn is_fatal(config: &Config, reason: &Reason) -> bool {
    match reason {
        Reason::DialFailed(failure) => match failure.kind {
            DialError::RequestRefused | DialError::ProxyAuth => true,
            DialError::Status => {
                failure.status.is_some_and(|status| config.retry.fatal_statuses.contains(&status))
            }
            DialError::Request
            | DialError::Resolve
            | DialError::Connect
            | DialError::Tls
            | DialError::Handshake
            | DialError::Proxy => false,
        },
        Reason::PeerClosed(close) => {
            let code = close.as_ref().map_or(code::NO_STATUS, |close| close.code);
            config.retry.close_codes.get(&code) == Some(&CloseRule::Final)
        }
        Reason::DialTimeout | Reason::Ended(_) | Reason::Dead(_) | Reason::OpeningTimeout => false,
        Reason::Refused { retry, .. } => !retry,
        Reason::Application
        | Reason::Violated(_)
        | Reason::Incapable(_)
        | Reason::MaxAttempts(_)
        | Reason::MaxOutage
        | Reason::Stopped(_)
        | Reason::FirstFailed(_) => true,
    }
}

/// The range that the server's advice asks for, and what advice that is.
fn advised(config: &Config, reason: &Reason) -> ((u64, u64), Option<Advice>) {
    let retry = &config.retry;
    if let Reason::DialFailed(failure) = reason
        && matches!(failure.kind, DialError::Status | DialError::Proxy)
        && matches!(failure.status, Some(429 | 503))
        && let Some(asked) = failure.retry_after.map(nanos)
    {
        let most = nanos(retry.max_retry_after);
        let low = asked.min(most);
        let spread = if retry.jitter == Jitter::None { 0 } else { low / 4 };
        return ((low, low.saturating_add(spread).min(most)), Some(Advice::RetryAfter));
    }
    if let Reason::PeerClosed(Some(close)) = reason
        && matches!(close.code, code::SERVICE_RESTART | code::TRY_AGAIN_LATER)
    {
        let cap = nanos(retry.cap);
        let low = nanos(retry.restart_delay[0]).min(cap / 2);
        let high = nanos(retry.restart_delay[1]).min(cap);
        return ((low, high), Some(Advice::CloseCode));
    }
    ((0, 0), None)
}
