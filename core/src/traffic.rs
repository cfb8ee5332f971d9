//! Messages, both ways.

use crate::connection::Connection;
use crate::dialect::{Dialect, Meaning};
use crate::error::{Accepted, Rejected};
use crate::event::{Outgoing, Seq, TransportId, Violation};
use crate::frame::{Frame, Payload, code};
use crate::notice::{Message, Notice, Warning};
use crate::outbox::AckOutcome;
use crate::phase::Phase;
use crate::time::Instant;
use crate::timers::Timer;
use crate::transport::Transport;

impl<D: Dialect> Connection<D> {
    pub(crate) fn send(&mut self, now: Instant, message: Outgoing) -> Result<Accepted, Rejected> {
        if message.ahead {
            return self.send_ahead(now, message);
        }
        if matches!(self.phase, Phase::Closing(_) | Phase::Closed) || self.draining.is_some() {
            return Err(Rejected::Closed(message));
        }
        let open = matches!(self.phase, Phase::Open);
        let Self { config, dialect, outbox, output, .. } = self;
        let seq = outbox.accept(message, config, dialect, now, open, output)?;
        if let Some(expires) = outbox.newest_expiry() {
            self.timers.arm_earlier(Timer::Ttl, expires);
            planted!(self.output, NeverExpires => self.timers.disarm(Timer::Ttl));
        }
        planted!(self.output, SendsPostponePing => self.postpone_ping(now));
        Ok(Accepted::Message(seq))
    }

    /// Notes every write that `next` says was flushed.
    pub(crate) fn flushed(
        &mut self,
        now: Instant,
        next: impl Fn(&mut Transport) -> Option<Option<Seq>>,
    ) {
        planted!(self.output, WritesProveLife => self.timers.disarm(Timer::Pong));
        let Some(transport) = &mut self.transport else { return };
        let mut awaiting = false;
        while let Some(write) = next(transport) {
            if let Some(seq) = write {
                awaiting |= self.outbox.flushed(seq, now, &mut self.output);
            }
        }
        planted!(self.output, NoResend => return);
        if awaiting && matches!(self.phase, Phase::Open) {
            self.timers.arm_earlier(Timer::Ack, now + self.config.outbox.ack_timeout);
        }
    }

    pub(crate) fn received(&mut self, now: Instant, transport: TransportId, frame: Frame) {
        match frame {
            Frame::Text(text) => self.data(now, transport, Payload::Text(text)),
            Frame::Binary(bytes) => self.data(now, transport, Payload::Binary(bytes)),
            Frame::Ping(payload) => {
                if let Some(transport) = &mut self.transport
                    && transport.capabilities.is_some_and(|can| !can.answers_pings)
                {
                    transport.control(Frame::Pong(payload));
                }
            }
            Frame::Pong(payload) => self.pong(now, Some(&payload)),
            Frame::Close(close) => self.peer_closed(now, close),
        }
    }

    fn data(&mut self, now: Instant, transport: TransportId, payload: Payload) {
        let limit = self.config.inbox.max_message;
        if payload.len() > limit {
            let detail = alloc::format!("a message of {} bytes, limit {limit}", payload.len());
            let violation = Violation { code: code::MESSAGE_TOO_BIG, detail: detail.into() };
            return self.violated(now, violation);
        }
        match self.dialect.decode(payload) {
            Meaning::Message { payload, id } => self.message(now, transport, payload, id),
            Meaning::Unreadable { payload, detail } => {
                self.output.notify(Notice::Warning(Warning::Unreadable { detail }));
                self.message(now, transport, payload, None);
            }
            Meaning::Messages(payloads) => {
                for payload in payloads {
                    self.message(now, transport, payload, None);
                }
            }
            Meaning::Admission { payload, admits } => {
                // The greeting is answered, whatever the answer is.
                self.timers.disarm(Timer::Dial);
                if let Some(transport) = &mut self.transport {
                    transport.admits = admits;
                }
                self.message(now, transport, payload, None);
            }
            Meaning::Ping => {
                let pong = self.dialect.pong(self.unix_ms(now));
                if let (Some(pong), Some(transport)) = (pong, &mut self.transport) {
                    transport.control(Frame::from(pong));
                }
            }
            Meaning::Pong => self.pong(now, None),
            Meaning::Ack { id, cumulative } => {
                let outcome = self.outbox.acknowledge(id, cumulative, &mut self.output);
                match outcome {
                    AckOutcome::Taken if self.outbox.unacknowledged() == 0 => {
                        self.timers.disarm(Timer::Ack);
                    }
                    AckOutcome::Taken => {}
                    AckOutcome::Unknown => self.ignored_ack(Some(id)),
                }
            }
            Meaning::BadAck => self.ignored_ack(None),
        }
    }

    fn message(&mut self, now: Instant, transport: TransportId, payload: Payload, id: Option<u64>) {
        if matches!(self.phase, Phase::Open) {
            self.expect_data(now);
        }
        if let Some(id) = id {
            // A repeated message is acknowledged again: its acknowledgement may have been lost.
            if let (Some(ack), Some(transport)) = (self.dialect.ack(id), &mut self.transport) {
                transport.control(Frame::from(ack));
            }
            if !self.dedupe.insert(id) && !planted!(self.output, DuplicateDelivered) {
                self.output.counters.duplicates += 1;
                self.output.notify(Notice::Duplicate { id });
                return;
            }
        }
        self.output.counters.received += 1;
        self.output.notify(Notice::Message(Message { payload, id, transport }));
    }

    fn ignored_ack(&mut self, id: Option<u64>) {
        self.output.counters.ignored_acks += 1;
        self.output.notify(Notice::Warning(Warning::IgnoredAck { id }));
    }
}
