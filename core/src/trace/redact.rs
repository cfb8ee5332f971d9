//! An event with substitutes in the place of what was said.

use bytes::Bytes;

use crate::connection::Connection;
use crate::dialect::{Dialect, Way, filler};
use crate::event::{DialFailure, End, Event, Outgoing, Violation};
use crate::frame::{CloseFrame, Frame, Payload};

/// The event that stands for `event` before a connection in the state of `shadow`.
pub(super) fn redacted<D: Dialect>(event: &Event, shadow: &Connection<D>, label: u64) -> Event {
    match event {
        Event::Send(Outgoing { payload, class, ttl, ahead }) => {
            let payload = sent(payload, shadow, label);
            Event::Send(Outgoing { payload, class: *class, ttl: *ttl, ahead: *ahead })
        }
        Event::Refuse { transport, retry, detail: _ } => {
            Event::Refuse { transport: *transport, retry: *retry, detail: "".into() }
        }
        Event::Close(close) => Event::Close(silent(close)),
        Event::Drain { timeout, close } => Event::Drain { timeout: *timeout, close: silent(close) },
        Event::DialFailed { transport, failure } => {
            let DialFailure { kind, status, retry_after, detail: _ } = failure;
            let failure = DialFailure {
                kind: *kind,
                status: *status,
                retry_after: *retry_after,
                detail: "".into(),
            };
            Event::DialFailed { transport: *transport, failure }
        }
        Event::Received { transport, frame } => {
            Event::Received { transport: *transport, frame: received(frame, shadow, label) }
        }
        Event::Violated { transport, violation } => {
            // It goes out as the reason of a close frame, cut to what fits into one.
            let code = violation.code;
            let detail = silent(&CloseFrame::new(code, &violation.detail)).reason;
            let violation = Violation { code, detail: (&*detail).into() };
            Event::Violated { transport: *transport, violation }
        }
        Event::Ended { transport, end } => {
            Event::Ended { transport: *transport, end: End::new(end.kind) }
        }
        Event::Tick
        | Event::Cancel(_)
        | Event::Purge
        | Event::Reorder(_)
        | Event::Reconnect
        | Event::Retry { .. }
        | Event::PauseReads
        | Event::ResumeReads
        | Event::Release { .. }
        | Event::Opened { .. }
        | Event::Heard { .. }
        | Event::Flushed { .. }
        | Event::Buffered { .. } => event.clone(),
    }
}

fn sent<D: Dialect>(payload: &Payload, shadow: &Connection<D>, label: u64) -> Payload {
    let limit = shadow.config.outbox.max_bytes;
    if payload.len() <= limit {
        return shadow.dialect.redact(payload, Way::Sent, label);
    }
    // Too large, whatever it is. A byte too much says so, and need not take more.
    let size = limit.saturating_add(1).min(payload.len());
    filler(&Payload::from(alloc::vec![0; size]), label)
}

fn received<D: Dialect>(frame: &Frame, shadow: &Connection<D>, label: u64) -> Frame {
    let data = |payload: Payload| shadow.dialect.redact(&payload, Way::Received, label);
    let blank = |bytes: &Bytes| filler(&Payload::Binary(bytes.clone()), label).into_bytes();
    match frame {
        Frame::Text(text) => Frame::from(data(Payload::Text(text.clone()))),
        Frame::Binary(bytes) => Frame::from(data(Payload::Binary(bytes.clone()))),
        Frame::Ping(payload) => Frame::Ping(blank(payload)),
        // The nonce of a ping of ours is no secret, and answers it.
        Frame::Pong(payload) if shadow.heartbeat.knows(payload, shadow.unwritten_pings()) => {
            Frame::Pong(payload.clone())
        }
        Frame::Pong(payload) => Frame::Pong(blank(payload)),
        Frame::Close(close) => Frame::Close(close.as_ref().map(silent)),
    }
}

/// A close frame with a reason of the same length.
fn silent(close: &CloseFrame) -> CloseFrame {
    let reason = alloc::string::String::from_iter(core::iter::repeat_n('.', close.reason.len()));
    CloseFrame { code: close.code, reason: reason.into() }
}
