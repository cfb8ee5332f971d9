//! Events as a trace writes them.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::content::Content;
use crate::config::Class;
use crate::config::duration;
use crate::event::{
    Capabilities, DialError, DialFailure, End, EndKind, Event, Outgoing, RetryChoice, Seq,
    TransportId, Violation,
};
use crate::frame::{CloseFrame, Frame, Payload};
use crate::time::Duration;

/// Everything that may stand in an event's place, by the names that [`EventLine`] gives it.
pub(super) const NAMES: [&str; 22] = [
    "start",
    "tick",
    "send",
    "cancel",
    "purge",
    "reorder",
    "close",
    "drain",
    "reconnect",
    "retry",
    "pause_reads",
    "resume_reads",
    "release",
    "refuse",
    "opened",
    "dial_failed",
    "received",
    "heard",
    "flushed",
    "buffered",
    "violated",
    "ended",
];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum EventLine {
    /// The connection is made.
    Start,
    Tick,
    Send {
        payload: Data,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<Class>,
        #[serde(default, skip_serializing_if = "Option::is_none", with = "duration::option")]
        ttl: Option<Duration>,
        #[serde(default, skip_serializing_if = "is_off")]
        ahead: bool,
    },
    Cancel(Seq),
    Purge,
    Reorder(Vec<Seq>),
    Close(CloseLine),
    Drain {
        #[serde(default, skip_serializing_if = "Option::is_none", with = "duration::option")]
        timeout: Option<Duration>,
        close: CloseLine,
    },
    Reconnect,
    Retry {
        attempt: u32,
        choice: ChoiceLine,
    },
    PauseReads,
    ResumeReads,
    Release {
        transport: TransportId,
    },
    Refuse {
        transport: TransportId,
        retry: bool,
        #[serde(default, skip_serializing_if = "str::is_empty")]
        detail: Box<str>,
    },
    Opened {
        transport: TransportId,
        capabilities: Capabilities,
    },
    DialFailed {
        transport: TransportId,
        kind: DialError,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        #[serde(default, skip_serializing_if = "Option::is_none", with = "duration::option")]
        retry_after: Option<Duration>,
        #[serde(default, skip_serializing_if = "str::is_empty")]
        detail: Box<str>,
    },
    Received {
        transport: TransportId,
        frame: FrameLine,
    },
    Heard {
        transport: TransportId,
    },
    Flushed {
        transport: TransportId,
        through: u64,
    },
    Buffered {
        transport: TransportId,
        bytes: u64,
    },
    Violated {
        transport: TransportId,
        code: u16,
        detail: Box<str>,
    },
    Ended {
        transport: TransportId,
        kind: EndKind,
        #[serde(default, skip_serializing_if = "str::is_empty")]
        detail: Box<str>,
    },
}

/// A payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Data {
    Text(Content),
    Binary(Content),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FrameLine {
    Text(Content),
    Binary(Content),
    Ping(Content),
    Pong(Content),
    Close(Option<CloseLine>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CloseLine {
    pub(super) code: u16,
    #[serde(default = "nothing", skip_serializing_if = "is_nothing")]
    pub(super) reason: Content,
}

// `serde` wants a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_off(flag: &bool) -> bool {
    !*flag
}

fn nothing() -> Content {
    Content::of_text("")
}

fn is_nothing(content: &Content) -> bool {
    *content == nothing()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChoiceLine {
    Keep,
    After(#[serde(with = "duration")] Duration),
    Stop,
}

impl EventLine {
    pub(super) fn of(event: &Event) -> Self {
        match event {
            Event::Tick => Self::Tick,
            Event::Send(Outgoing { payload, class, ttl, ahead }) => {
                Self::Send { payload: Data::of(payload), class: *class, ttl: *ttl, ahead: *ahead }
            }
            Event::Cancel(seq) => Self::Cancel(*seq),
            Event::Purge => Self::Purge,
            Event::Reorder(names) => Self::Reorder(names.clone()),
            Event::Close(close) => Self::Close(CloseLine::of(close)),
            Event::Drain { timeout, close } => {
                Self::Drain { timeout: *timeout, close: CloseLine::of(close) }
            }
            Event::Reconnect => Self::Reconnect,
            Event::Retry { attempt, choice } => Self::Retry {
                attempt: *attempt,
                choice: match choice {
                    RetryChoice::Keep => ChoiceLine::Keep,
                    RetryChoice::After(delay) => ChoiceLine::After(*delay),
                    RetryChoice::Stop => ChoiceLine::Stop,
                },
            },
            Event::PauseReads => Self::PauseReads,
            Event::ResumeReads => Self::ResumeReads,
            Event::Release { transport } => Self::Release { transport: *transport },
            Event::Refuse { transport, retry, detail } => {
                Self::Refuse { transport: *transport, retry: *retry, detail: detail.clone() }
            }
            Event::Opened { transport, capabilities } => {
                Self::Opened { transport: *transport, capabilities: *capabilities }
            }
            Event::DialFailed { transport, failure } => {
                let DialFailure { kind, status, retry_after, detail } = failure.clone();
                Self::DialFailed { transport: *transport, kind, status, retry_after, detail }
            }
            Event::Received { transport, frame } => {
                Self::Received { transport: *transport, frame: FrameLine::of(frame) }
            }
            Event::Heard { transport } => Self::Heard { transport: *transport },
            Event::Flushed { transport, through } => {
                Self::Flushed { transport: *transport, through: *through }
            }
            Event::Buffered { transport, bytes } => {
                Self::Buffered { transport: *transport, bytes: *bytes }
            }
            Event::Violated { transport, violation } => {
                let Violation { code, detail } = violation.clone();
                Self::Violated { transport: *transport, code, detail }
            }
            Event::Ended { transport, end } => {
                let End { kind, detail } = end.clone();
                Self::Ended { transport: *transport, kind, detail }
            }
        }
    }

    /// The event; `None` for the start, which is none, and for what is not well formed.
    pub(super) fn to_event(&self) -> Option<Event> {
        Some(match self {
            Self::Start => return None,
            Self::Tick => Event::Tick,
            Self::Send { payload, class, ttl, ahead } => Event::Send(Outgoing {
                payload: payload.to_payload()?,
                class: *class,
                ttl: *ttl,
                ahead: *ahead,
            }),
            Self::Cancel(seq) => Event::Cancel(*seq),
            Self::Purge => Event::Purge,
            Self::Reorder(names) => Event::Reorder(names.clone()),
            Self::Close(close) => Event::Close(close.to_close()),
            Self::Drain { timeout, close } => {
                Event::Drain { timeout: *timeout, close: close.to_close() }
            }
            Self::Reconnect => Event::Reconnect,
            Self::Retry { attempt, choice } => Event::Retry {
                attempt: *attempt,
                choice: match choice {
                    ChoiceLine::Keep => RetryChoice::Keep,
                    ChoiceLine::After(delay) => RetryChoice::After(*delay),
                    ChoiceLine::Stop => RetryChoice::Stop,
                },
            },
            Self::PauseReads => Event::PauseReads,
            Self::ResumeReads => Event::ResumeReads,
            Self::Release { transport } => Event::Release { transport: *transport },
            Self::Refuse { transport, retry, detail } => {
                Event::Refuse { transport: *transport, retry: *retry, detail: detail.clone() }
            }
            Self::Opened { transport, capabilities } => {
                Event::Opened { transport: *transport, capabilities: *capabilities }
            }
            Self::DialFailed { transport, kind, status, retry_after, detail } => {
                let failure = DialFailure {
                    kind: *kind,
                    status: *status,
                    retry_after: *retry_after,
                    detail: detail.clone(),
                };
                Event::DialFailed { transport: *transport, failure }
            }
            Self::Received { transport, frame } => {
                Event::Received { transport: *transport, frame: frame.to_frame()? }
            }
            Self::Heard { transport } => Event::Heard { transport: *transport },
            Self::Flushed { transport, through } => {
                Event::Flushed { transport: *transport, through: *through }
            }
            Self::Buffered { transport, bytes } => {
                Event::Buffered { transport: *transport, bytes: *bytes }
            }
            Self::Violated { transport, code, detail } => Event::Violated {
                transport: *transport,
                violation: Violation { code: *code, detail: detail.clone() },
            },
            Self::Ended { transport, kind, detail } => Event::Ended {
                transport: *transport,
                end: End { kind: *kind, detail: detail.clone() },
            },
        })
    }

    /// How much memory the event would take beyond its line; `None` past the end of `u64`, and
    /// where bytes are not well formed.
    pub(super) fn weight(&self) -> Option<u64> {
        match self {
            Self::Send { payload: Data::Text(text), .. }
            | Self::Received { frame: FrameLine::Text(text), .. } => text.text_len(),
            Self::Send { payload: Data::Binary(bytes), .. }
            | Self::Received {
                frame: FrameLine::Binary(bytes) | FrameLine::Ping(bytes) | FrameLine::Pong(bytes),
                ..
            } => bytes.text_len().filter(|_| bytes.is_hex()).map(|digits| digits / 2),
            Self::Received { frame: FrameLine::Close(Some(close)), .. }
            | Self::Close(close)
            | Self::Drain { close, .. } => close.reason.text_len(),
            Self::Start
            | Self::Tick
            | Self::Cancel(_)
            | Self::Purge
            | Self::Reorder(_)
            | Self::Reconnect
            | Self::Retry { .. }
            | Self::PauseReads
            | Self::ResumeReads
            | Self::Release { .. }
            | Self::Refuse { .. }
            | Self::Opened { .. }
            | Self::DialFailed { .. }
            | Self::Received { frame: FrameLine::Close(None), .. }
            | Self::Heard { .. }
            | Self::Flushed { .. }
            | Self::Buffered { .. }
            | Self::Violated { .. }
            | Self::Ended { .. } => Some(0),
        }
    }
}

impl Data {
    pub(super) fn of(payload: &Payload) -> Self {
        match payload {
            Payload::Text(text) => Data::Text(Content::of_text(text)),
            Payload::Binary(bytes) => Data::Binary(Content::of_bytes(bytes)),
        }
    }

    fn to_payload(&self) -> Option<Payload> {
        Some(match self {
            Data::Text(text) => Payload::Text(text.to_text()),
            Data::Binary(bytes) => Payload::Binary(bytes.to_bytes()?),
        })
    }
}

impl FrameLine {
    pub(super) fn of(frame: &Frame) -> Self {
        match frame {
            Frame::Text(text) => Self::Text(Content::of_text(text)),
            Frame::Binary(bytes) => Self::Binary(Content::of_bytes(bytes)),
            Frame::Ping(bytes) => Self::Ping(Content::of_bytes(bytes)),
            Frame::Pong(bytes) => Self::Pong(Content::of_bytes(bytes)),
            Frame::Close(close) => Self::Close(close.as_ref().map(CloseLine::of)),
        }
    }

    fn to_frame(&self) -> Option<Frame> {
        Some(match self {
            Self::Text(text) => Frame::Text(text.to_text()),
            Self::Binary(bytes) => Frame::Binary(bytes.to_bytes()?),
            Self::Ping(bytes) => Frame::Ping(bytes.to_bytes()?),
            Self::Pong(bytes) => Frame::Pong(bytes.to_bytes()?),
            Self::Close(close) => Frame::Close(close.as_ref().map(CloseLine::to_close)),
        })
    }
}

impl CloseLine {
    pub(super) fn of(close: &CloseFrame) -> Self {
        Self { code: close.code, reason: Content::of_text(&close.reason) }
    }

    fn to_close(&self) -> CloseFrame {
        CloseFrame { code: self.code, reason: self.reason.to_text() }
    }
}
