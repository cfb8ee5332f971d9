//! What an application is told.

use alloc::boxed::Box;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::event::{Seq, TransportId};
use crate::frame::Payload;
pub(crate) use crate::reason::{Capability, Closed, ClosedBy, Reason};
use crate::time::Duration;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Never open yet: dialling, or waiting to dial again.
    Connecting,
    /// A WebSocket is open.
    Open,
    /// Was open, and is dialling or waiting to dial again.
    Reconnecting,
    /// Finished; nothing follows.
    Closed,
}

impl State {
    /// The state's name in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Connecting => "connecting",
            State::Open => "open",
            State::Reconnecting => "reconnecting",
            State::Closed => "closed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A browser's `readyState` (WHATWG WebSockets §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum ReadyState {
    /// 0: not open yet, or not open again yet.
    Connecting = 0,
    /// 1: open.
    Open = 1,
    /// 2: closing or draining.
    Closing = 2,
    /// 3: closed.
    Closed = 3,
}

/// A message that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it says, as the dialect hands it on.
    pub payload: Payload,
    /// Its id, where the dialect knows one.
    pub id: Option<u64>,
    /// The transport it came on.
    pub transport: TransportId,
}

impl Message {
    /// The text, if it is text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        self.payload.as_text()
    }
}

/// Text as it is; binary data as its length, such as `<5 bytes>`.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_text() {
            Some(text) => f.write_str(text),
            None => write!(f, "<{} bytes>", self.payload.len()),
        }
    }
}

/// Something the application is told. See [`Action::Notify`](crate::Action::Notify).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The state changed.
    StateChanged {
        /// The state before.
        from: State,
        /// The state now.
        to: State,
        /// The transport that opened or was lost.
        transport: Option<TransportId>,
        /// Why; `None` for the change to [`State::Open`].
        reason: Option<Reason>,
    },
    /// A dial begins.
    Dialing {
        /// The transport being dialled.
        transport: TransportId,
        /// Which attempt since the counter was last reset, from 1.
        attempt: u32,
    },
    /// A dial will follow after a delay. A retry hook answers with
    /// [`Event::Retry`](crate::Event::Retry).
    Retrying {
        /// The attempt to come.
        attempt: u32,
        /// The wait before it.
        delay: Duration,
        /// The policy's delay before jitter and advice.
        nominal: Duration,
        /// The server's advice that raised the delay, if any did.
        advice: Option<Advice>,
        /// How long the connection has been down.
        outage: Duration,
        /// What failed.
        reason: Reason,
    },
    /// The outage has lasted for `retry.suspend_after`: nothing is promised any more, though
    /// retries go on at the cap.
    Suspended {
        /// How long the connection has been down.
        outage: Duration,
    },
    /// A message arrived.
    Message(Message),
    /// A message arrived whose id was among the last ones; it was dropped.
    Duplicate {
        /// The id.
        id: u64,
    },
    /// A message of class volatile or queued was given to the kernel.
    Flushed {
        /// Which.
        seq: Seq,
        /// Its id on the wire, where the dialect gave one.
        id: Option<u64>,
    },
    /// The peer acknowledged a message of class acknowledged.
    Acknowledged {
        /// Which.
        seq: Seq,
        /// Its id on the wire.
        id: Option<u64>,
    },
    /// An accepted message ended without a confirmed delivery.
    Undelivered {
        /// Which.
        seq: Seq,
        /// Its id on the wire, where the dialect gave one.
        id: Option<u64>,
        /// What may have become of it.
        fate: Fate,
        /// What would have gone out, or may have: the encoded message.
        payload: Payload,
    },
    /// There is room in the outbox again after a message was rejected as
    /// [`QueueFull`](crate::Rejected::QueueFull).
    Writable,
    /// A pong matched a ping.
    Pong {
        /// The time between them.
        rtt: Duration,
    },
    /// The transport was found dead.
    Dead {
        /// How long nothing was heard; with [`Death::Stale`], how long no data came.
        silence: Duration,
        /// What found it.
        why: Death,
    },
    /// Something was wrong with what the peer sent, though not wrong enough to close.
    Warning(Warning),
    /// The end. Exactly one, and nothing after it.
    Closed(Closed),
}

/// What became of an accepted message that was neither flushed nor acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Its lifetime passed before it was handed to a transport. The peer does not have it.
    Expired,
    /// The application took it back. The peer does not have it.
    Cancelled,
    /// It was given up before it was handed to a transport. The peer does not have it.
    Dropped(DropReason),
    /// It was handed to a transport that died before delivery was confirmed. The peer may have it.
    Uncertain(Doubt),
}

impl Fate {
    /// Why, in words.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Fate::Expired => "its lifetime passed",
            Fate::Cancelled => "it was cancelled",
            Fate::Dropped(DropReason::Oldest) => "the queue was full and it was the oldest",
            Fate::Dropped(DropReason::Newest) => "the queue was full",
            Fate::Dropped(DropReason::NotOpen) => "it is volatile and the connection was not open",
            Fate::Dropped(DropReason::Lost) => "it is volatile and the connection was lost",
            Fate::Dropped(DropReason::Closed) => "the connection closed before it was sent",
            Fate::Dropped(DropReason::Suspended) => "the outage lasted too long",
            Fate::Uncertain(Doubt::Lost) => "the connection was lost before it was flushed",
            Fate::Uncertain(Doubt::Closed) => "the connection closed before it was acknowledged",
            Fate::Uncertain(Doubt::Expired) => "its lifetime passed before it was acknowledged",
            Fate::Uncertain(Doubt::Suspended) => "the outage lasted too long",
        }
    }
}

/// Why a message was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Overflow under `drop_oldest`.
    Oldest,
    /// Overflow under `drop_newest`.
    Newest,
    /// Volatile, offered while not open.
    NotOpen,
    /// Volatile, and its transport was lost.
    Lost,
    /// Left over at the close.
    Closed,
    /// The outage was suspended and the config fails the outbox then.
    Suspended,
}

/// Why the fate of a message is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// The transport was lost before the flush was reported.
    Lost,
    /// The connection closed before the flush or the acknowledgement.
    Closed,
    /// Its lifetime passed after it was handed to a transport.
    Expired,
    /// The outage was suspended and the config fails the outbox then.
    Suspended,
}

/// What found a transport dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Death {
    /// A ping, or the server's own rhythm, went unanswered.
    Pong,
    /// No data came for `heartbeat.stale_after`.
    Stale,
    /// The probe after a clock jump went unanswered.
    Probe,
}

impl Death {
    /// The name in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Death::Pong => "pong",
            Death::Stale => "stale",
            Death::Probe => "probe",
        }
    }
}

/// A server's advice that raised a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Advice {
    /// `Retry-After` with a 429 or 503 (RFC 9110 §10.2.3).
    RetryAfter,
    /// Close code 1012 or 1013.
    CloseCode,
}

impl Advice {
    /// The name in kebab case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Advice::RetryAfter => "retry-after",
            Advice::CloseCode => "close-code",
        }
    }
}

/// Something amiss that did not end the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// An acknowledgement for an id that is not awaiting one, or that is no usable id.
    IgnoredAck {
        /// The id, where it is one.
        id: Option<u64>,
    },
    /// A message that the dialect could not read; it was passed on as it came.
    Unreadable {
        /// What is wrong, and at which byte.
        detail: Box<str>,
    },
    /// Time went backwards; it was held.
    ClockBackwards {
        /// By how much.
        by: Duration,
    },
    /// Time jumped forwards while open; a probe was sent.
    ClockJump {
        /// How late the connection was woken.
        late: Duration,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::IgnoredAck { id: Some(id) } => {
                write!(f, "an acknowledgement of {id} was ignored: that awaits none")
            }
            Warning::IgnoredAck { id: None } => {
                f.write_str("an acknowledgement without a usable id was ignored")
            }
            Warning::Unreadable { detail } => {
                write!(f, "a message could not be read, and was passed on as it came: {detail}")
            }
            Warning::ClockBackwards { by } => {
                write!(f, "the clock went back by {by:?}, and was held")
            }
            Warning::ClockJump { late } => {
                write!(
                    f,
                    "the clock jumped forwards by {late:?}: a probe asks whether the link lives"
                )
            }
        }
    }
}
