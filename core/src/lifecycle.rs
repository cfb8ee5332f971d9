//! Dialling, opening, losing, and dialling again.

use crate::action::Action;
use crate::backoff::Advised;
use crate::connection::Connection;
use crate::dialect::Dialect;
use crate::error::Accepted;
use crate::event::{Capabilities, End, TransportId};
use crate::frame::{CloseFrame, Frame, code};
use crate::heartbeat::Pings;
use crate::notice::{ClosedBy, Death, Doubt, DropReason, Notice, Reason, State};
use crate::phase::Phase;
use crate::retry::{Verdict, classify};
use crate::time::{Instant, nanos};
use crate::timers::Timer;
use crate::transport::Transport;

impl<D: Dialect> Connection<D> {
    /// Opens a new transport. The old one, if it lingers, goes first.
    pub(crate) fn dial(&mut self, now: Instant) {
        planted!(self.output, DialWithoutAbort => self.transport = None);
        self.abort();
        self.last_transport += 1;
        let transport = TransportId(self.last_transport);
        self.attempts = self.attempts.saturating_add(1);
        self.output.counters.attempts += 1;
        self.transport = Some(Transport::new(transport));
        self.phase = Phase::Dialing;
        if !planted!(self.output, TwoReconnects) {
            self.timers.disarm(Timer::Retry);
        }
        self.timers.arm(Timer::Dial, now + self.config.connect.dial_timeout);
        planted!(self.output, DialUnbounded => self.timers.disarm(Timer::Dial));
        self.output.notify(Notice::Dialing { transport, attempt: self.attempts });
        self.output.push(Action::Dial { transport, attempt: self.attempts });
    }

    /// Drops the transport, if there is one, wherever it stands.
    pub(crate) fn abort(&mut self) {
        if let Some(transport) = self.transport.take() {
            self.output.push(Action::Abort { transport: transport.id });
        }
        self.timers.disarm(Timer::Dial);
        self.timers.disarm(Timer::Close);
    }

    /// Starts counting an outage, or the first connect.
    pub(crate) fn go_down(&mut self, now: Instant) {
        self.down_since = now;
        if let Some(limit) = self.config.retry.max_outage {
            self.timers.arm(Timer::Outage, now + limit);
        }
        if let Some(limit) = self.config.retry.suspend_after {
            self.timers.arm(Timer::Suspend, now + limit);
        }
    }

    pub(crate) fn opened(&mut self, now: Instant, capabilities: Capabilities) {
        let greeting = self.dialect.greeting();
        if greeting.is_none() {
            self.timers.disarm(Timer::Dial);
        }
        let own = self.dialect.has_heartbeat();
        let pings = match Pings::choose(self.config.heartbeat.style, capabilities, own) {
            Ok(pings) => pings,
            Err(capability) => {
                let reason = Reason::Incapable(capability);
                return self.finish(now, ClosedBy::Policy, reason.code(), false, reason);
            }
        };
        let from = self.state();
        if self.was_open {
            self.output.counters.reconnects += 1;
            let outage = nanos(self.outage(now));
            self.output.counters.outage_ns = self.output.counters.outage_ns.saturating_add(outage);
        }
        self.timers.disarm(Timer::Outage);
        self.timers.disarm(Timer::Suspend);
        self.suspended = false;
        self.was_open = true;
        self.phase = Phase::Open;
        let hold = self.config.opening.hold;
        let transport = self.transport.as_mut().map(|transport| {
            transport.capabilities = Some(capabilities);
            transport.held = hold;
            if let Some(greeting) = greeting {
                transport.greet(Frame::from(greeting));
            }
            transport.id
        });
        self.output.notify(Notice::StateChanged { from, to: State::Open, transport, reason: None });
        self.start_liveness(now, pings);
        if hold {
            self.hold(now);
        }
        planted!(self.output, ResetOnOpen => self.stable());
    }

    /// The dial took too long, or the answer to the dialect's greeting did.
    pub(crate) fn dial_timed_out(&mut self, now: Instant) {
        self.abort();
        if matches!(self.phase, Phase::Open) {
            self.lost(now, Reason::DialTimeout);
        } else {
            self.dial_failed(now, Reason::DialTimeout);
        }
    }

    /// The dial failed, and its transport is gone.
    pub(crate) fn dial_failed(&mut self, now: Instant, reason: Reason) {
        self.timers.disarm(Timer::Dial);
        self.retry_or_finish(now, reason);
    }

    /// The transport ended by itself.
    pub(crate) fn ended(&mut self, now: Instant, end: End) {
        match &self.phase {
            Phase::Open => {
                self.transport = None;
                self.lost(now, Reason::Ended(end));
            }
            Phase::Closing(_) => {
                self.transport = None;
                self.handshake_ended(now);
            }
            // A driver that reports the end of a dial this way means that it failed.
            Phase::Dialing => {
                self.transport = None;
                self.dial_failed(now, Reason::Ended(end));
            }
            // It lingered after the peer's close.
            Phase::Waiting => {
                self.transport = None;
                self.timers.disarm(Timer::Close);
            }
            Phase::Idle | Phase::Closed => {}
        }
    }

    /// The transport was found dead.
    pub(crate) fn found_dead(&mut self, now: Instant, why: Death) {
        let since = match why {
            Death::Pong | Death::Probe => self.heartbeat.last_heard,
            // The link may well be alive: it is the data that is missing.
            Death::Stale => self.heartbeat.data_awaited,
        };
        let silence = now - since;
        self.output.notify(Notice::Dead { silence, why });
        self.abort();
        self.lost(now, Reason::Dead(why));
    }

    /// The peer says goodbye. It is answered (RFC 6455 §5.5.1), and lingers until it ends.
    pub(crate) fn peer_closed(&mut self, now: Instant, close: Option<CloseFrame>) {
        if let Phase::Closing(closing) = &mut self.phase {
            closing.answered = true;
            return;
        }
        let echo = close
            .as_ref()
            .filter(|close| code::may_be_sent(close.code))
            .map(|close| CloseFrame::new(close.code, ""));
        if let Some(transport) = &mut self.transport {
            transport.control(Frame::Close(echo));
        }
        self.timers.arm(Timer::Close, now + self.config.close.timeout);
        let reason = Reason::PeerClosed(close);
        match classify(&self.config.retry, &reason) {
            Verdict::Retry(_) => self.lost(now, reason),
            // Nothing follows, so what was handed over may as well be confirmed still.
            Verdict::Final(by) => self.answer_last_close(by, reason),
        }
    }

    /// The open connection is lost, not for good. The transport may linger to say goodbye.
    pub(crate) fn lost(&mut self, now: Instant, reason: Reason) {
        self.stop_liveness();
        self.outbox.transport_lost(&mut self.output);
        self.go_down(now);
        self.change_state(State::Open, State::Reconnecting, &reason);
        self.phase = Phase::Waiting;
        self.retry_or_finish(now, reason);
    }

    pub(crate) fn change_state(&mut self, from: State, to: State, reason: &Reason) {
        let transport = (self.last_transport > 0).then_some(TransportId(self.last_transport));
        let reason = Some(reason.clone());
        self.output.notify(Notice::StateChanged { from, to, transport, reason });
    }

    fn retry_or_finish(&mut self, now: Instant, reason: Reason) {
        let policy = ClosedBy::Policy;
        let retry = &self.config.retry;
        let advised = match classify(retry, &reason) {
            Verdict::Retry(advised) => advised,
            Verdict::Final(_) if planted!(self.output, FatalRetried) => Advised::Nothing,
            Verdict::Final(by) => return self.finish(now, by, reason.code(), false, reason),
        };
        if self.draining.is_some() && self.outbox.is_empty() {
            return self.drained(now);
        }
        if self.config.connect.fail_fast && !self.was_open {
            let reason = Reason::FirstFailed(reason.into());
            return self.finish(now, policy, reason.code(), false, reason);
        }
        let limited = !planted!(self.output, AttemptsUnlimited);
        let retries = self.schedule.retries();
        #[cfg(perennial_planted)]
        let retries = retries - u32::from(retries > 0 && planted!(self.output, OneRetryMore));
        if limited
            && (retry.max_attempts.is_some_and(|most| self.attempts >= most)
                || retry.max_retries.is_some_and(|most| retries >= most))
        {
            let reason = Reason::MaxAttempts(reason.into());
            return self.finish(now, policy, reason.code(), false, reason);
        }
        let wait = self.schedule.next(retry, self.suspended, advised);
        #[cfg(perennial_planted)]
        let wait = self.spoil(wait);
        self.phase = Phase::Waiting;
        self.timers.arm(Timer::Retry, now + wait.delay);
        self.output.notify(Notice::Retrying {
            attempt: self.attempts.saturating_add(1),
            delay: wait.delay,
            nominal: wait.nominal,
            advice: wait.advice,
            outage: self.outage(now),
            reason: reason.clone(),
        });
        self.last_error = Some(reason);
    }

    /// The retry hook said stop.
    pub(crate) fn stop_retrying(&mut self, now: Instant) {
        let last = self.last_error.clone().unwrap_or(Reason::Application);
        let reason = Reason::Stopped(last.into());
        self.finish(now, ClosedBy::Policy, reason.code(), false, reason);
    }

    /// The connection stayed open and alive: the next outage starts from the first delay.
    pub(crate) fn stable(&mut self) {
        self.attempts = 0;
        self.schedule.reset();
    }

    /// The application wants a new transport now.
    pub(crate) fn reconnect(&mut self, now: Instant) -> Accepted {
        match &self.phase {
            Phase::Closed => return self.stale(),
            Phase::Idle => self.go_down(now),
            Phase::Waiting | Phase::Dialing => {}
            Phase::Open | Phase::Closing(_) => {
                self.stop_liveness();
                self.abort();
                self.outbox.transport_lost(&mut self.output);
                self.go_down(now);
                self.change_state(State::Open, State::Reconnecting, &Reason::Application);
            }
        }
        self.stable();
        self.dial(now);
        Accepted::Done
    }

    /// The outage has lasted too long to promise anything.
    pub(crate) fn suspend(&mut self, now: Instant) {
        self.suspended = true;
        self.output.notify(Notice::Suspended { outage: self.outage(now) });
        if self.config.retry.fail_outbox_on_suspend {
            self.outbox.fail_all(DropReason::Suspended, Doubt::Suspended, &mut self.output);
        }
    }
}
