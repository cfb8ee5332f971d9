//! Closing and draining.

use crate::connection::Connection;
use crate::dialect::Dialect;
use crate::error::{Accepted, Rejected};
use crate::event::Violation;
use crate::frame::{CloseFrame, Frame, code};
use crate::notice::{Closed, ClosedBy, Doubt, DropReason, Notice, Reason, State};
use crate::phase::{Closing, Draining, Phase};
use crate::time::{Duration, Instant};
use crate::timers::{Timer, Timers};

impl<D: Dialect> Connection<D> {
    /// The application closes. Asking again changes nothing.
    pub(crate) fn close(&mut self, now: Instant, close: CloseFrame) -> Result<Accepted, Rejected> {
        if !code::may_be_sent(close.code) {
            return Err(Rejected::InvalidClose(close));
        }
        let again = planted!(self.output, ClosedTwice);
        if again || !matches!(self.phase, Phase::Closing(_) | Phase::Closed) {
            self.begin_close(now, close);
        }
        Ok(Accepted::Done)
    }

    /// The application closes as soon as everything is delivered.
    pub(crate) fn drain(
        &mut self,
        now: Instant,
        timeout: Option<Duration>,
        close: CloseFrame,
    ) -> Result<Accepted, Rejected> {
        if !code::may_be_sent(close.code) {
            return Err(Rejected::InvalidClose(close));
        }
        if matches!(self.phase, Phase::Closing(_) | Phase::Closed) || self.draining.is_some() {
            return Ok(Accepted::Done);
        }
        self.draining = Some(Draining { close });
        self.timers.arm(Timer::Drain, now + timeout.unwrap_or(self.config.close.drain));
        self.end_drain(now);
        Ok(Accepted::Done)
    }

    /// Ends a drain that has nothing left to send.
    pub(crate) fn end_drain(&mut self, now: Instant) {
        if self.outbox.is_empty() && self.draining.is_some() {
            self.drained(now);
        }
    }

    /// Nothing is left to send, or no time to send it.
    pub(crate) fn drained(&mut self, now: Instant) {
        if let Some(draining) = self.draining.take() {
            self.begin_close(now, draining.close);
        }
    }

    fn begin_close(&mut self, now: Instant, close: CloseFrame) {
        let by = ClosedBy::Application;
        if !matches!(self.phase, Phase::Open) {
            return self.finish(now, by, close.code, false, Reason::Application);
        }
        self.shake_hands(now, by, close, Reason::Application);
    }

    /// Sends a close frame and waits for the peer's and for the end of the transport.
    fn shake_hands(&mut self, now: Instant, by: ClosedBy, close: CloseFrame, reason: Reason) {
        self.stop_liveness();
        self.timers.disarm(Timer::Drain);
        self.draining = None;
        self.outbox.drop_unsent(&mut self.output);
        self.timers.arm(Timer::Close, now + self.config.close.timeout);
        planted!(self.output, CloseUnbounded => self.timers.disarm(Timer::Close));
        self.phase = Phase::Closing(Closing { by, code: close.code, reason, answered: false });
        if let Some(transport) = &mut self.transport {
            transport.control(Frame::Close(Some(close)));
        }
    }

    /// The peer closed for good; our answer is queued. Waits for the end of the transport.
    pub(crate) fn answer_last_close(&mut self, by: ClosedBy, reason: Reason) {
        self.stop_liveness();
        self.timers.disarm(Timer::Drain);
        self.draining = None;
        self.outbox.drop_unsent(&mut self.output);
        self.phase = Phase::Closing(Closing { by, code: reason.code(), reason, answered: true });
    }

    /// The peer broke the protocol (RFC 6455 §7.1.7). Trying again would meet the same.
    pub(crate) fn violated(&mut self, now: Instant, violation: Violation) {
        // What comes during a close handshake is no longer judged.
        if matches!(self.phase, Phase::Open) {
            let known = code::may_be_sent(violation.code);
            let code = if known { violation.code } else { code::PROTOCOL_ERROR };
            let close = CloseFrame::new(code, &violation.detail);
            self.shake_hands(now, ClosedBy::Policy, close, Reason::Violated(violation));
        }
    }

    /// The application will not go on, with this transport or another. The peer did nothing wrong.
    pub(crate) fn refuse_for_good(&mut self, now: Instant, reason: Reason) {
        let close = CloseFrame::new(code::NORMAL, "");
        self.shake_hands(now, ClosedBy::Policy, close, reason);
    }

    /// The transport ended during the close handshake, or the handshake took too long.
    pub(crate) fn handshake_ended(&mut self, now: Instant) {
        if let Phase::Closing(Closing { by, code, reason, answered }) = self.phase.clone() {
            self.finish(now, by, code, answered, reason);
        }
    }

    /// The end. Every message left gets its own, and the closed notice is the last.
    pub(crate) fn finish(
        &mut self,
        now: Instant,
        by: ClosedBy,
        code: u16,
        clean: bool,
        reason: Reason,
    ) {
        let from = self.state();
        if from == State::Reconnecting {
            let outage = crate::time::nanos(self.outage(now));
            self.output.counters.outage_ns = self.output.counters.outage_ns.saturating_add(outage);
        }
        self.abort();
        self.outbox.fail_all(DropReason::Closed, Doubt::Closed, &mut self.output);
        if !planted!(self.output, DialAfterClose) {
            self.timers = Timers::new();
        }
        self.draining = None;
        self.suspended = false;
        self.phase = Phase::Closed;
        self.change_state(from, State::Closed, &reason);
        self.last_error = Some(reason.clone()).filter(|_| by != ClosedBy::Application);
        self.output.notify(Notice::Closed(Closed { by, code, clean, reason }));
    }
}
