//! What happens to a connection: the input vocabulary.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::config::Class;
use crate::frame::{CloseFrame, Frame, Payload};
use crate::time::Duration;

/// Names one transport: one WebSocket from dial to end.
///
/// Minted by the core, strictly increasing from 1, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransportId(pub(crate) u64);

impl TransportId {
    /// The number: 1 for the first transport.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TransportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Names an accepted message: the n-th accepted by this connection, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub(crate) u64);

impl Seq {
    /// The number: 1 for the first accepted message.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// What to send.
    pub payload: Payload,
    /// How hard to try; `None` means the config's `outbox.class`.
    pub class: Option<Class>,
    /// How long it is worth sending, from acceptance; `None` means the config's `outbox.ttl`.
    pub ttl: Option<Duration>,
    /// Whether it goes [ahead](Self::ahead) of everything queued.
    pub ahead: bool,
}

impl Outgoing {
    /// A message of the config's default class and lifetime.
    #[must_use]
    pub fn new(payload: impl Into<Payload>) -> Self {
        Self { payload: payload.into(), class: None, ttl: None, ahead: false }
    }

    /// The same message with another delivery class.
    #[must_use]
    pub fn class(mut self, class: Class) -> Self {
        self.class = Some(class);
        self
    }

    /// The same message with a lifetime of its own.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The same message, to go out ahead of everything queued: a login, a subscription said again.
    ///
    /// It is bound to the transport that is open now, and so volatile whatever its class says. It
    /// goes out while that transport is [held](crate::Opening::hold) too, in the order in which
    /// such messages were sent. Only control frames precede it. It takes no room in the outbox: 64
    /// such messages may wait, see [`ahead_room`](crate::Connection::ahead_room). A
    /// [purge](Event::Purge) leaves it.
    #[must_use]
    pub fn ahead(mut self) -> Self {
        self.ahead = true;
        self
    }
}

impl<T: Into<Payload>> From<T> for Outgoing {
    fn from(payload: T) -> Self {
        Self::new(payload)
    }
}

/// Something that happened, to be given to [`Connection::handle`](crate::Connection::handle).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time has passed: the instant of the last [`Action::Wait`](crate::Action::Wait) has come.
    Tick,

    /// The application sends a message.
    Send(Outgoing),
    /// The application takes a message back. One that was handed to a transport cannot be.
    Cancel(Seq),
    /// The application takes back every message of the queue that was not handed to a transport. What
    /// goes [ahead](Outgoing::ahead) can be taken back one by one.
    Purge,
    /// The application puts the queue in order: of the messages that were never handed to a
    /// transport ([`Connection::queued`](crate::Connection::queued)) those named go first, in the
    /// order in which they are named, and the others follow as they were. Names that mean none of
    /// them, or that came before, are ignored. What is to be sent again still precedes them all.
    ///
    /// Ids stay as they were given. To a peer that acknowledges cumulatively a message that was
    /// overtaken by one with a larger id looks acknowledged as soon as it was handed over.
    Reorder(Vec<Seq>),
    /// The application closes the connection; what is not handed to a transport is dropped.
    Close(CloseFrame),
    /// The application sends what is queued, awaits what is unacknowledged, then closes.
    Drain {
        /// How long that may take; `None` means the config's `close.drain`.
        timeout: Option<Duration>,
        /// The close frame at its end.
        close: CloseFrame,
    },
    /// The application wants a new transport now, with the attempt counter at zero. Starts a
    /// connection whose config has `connect.auto` off.
    Reconnect,
    /// The answer to a [`Notice::Retrying`](crate::Notice::Retrying): the retry hook's choice.
    Retry {
        /// The attempt that the choice is about; another than the pending one changes nothing.
        attempt: u32,
        /// The choice.
        choice: RetryChoice,
    },
    /// The driver stops reading because the application lags behind. Liveness deadlines rest.
    PauseReads,
    /// The driver reads again. Liveness deadlines start anew.
    ResumeReads,

    /// The opening is over: what is queued may flow. Stale unless this transport is
    /// [held](crate::Opening::hold).
    Release {
        /// The transport that is held.
        transport: TransportId,
    },
    /// The application will not go on with this transport: its login was refused, a join failed,
    /// or what it was to bring did not come. Stale unless this transport is open,
    /// [held](crate::Opening::hold) or not.
    Refuse {
        /// The transport that is open.
        transport: TransportId,
        /// Whether another transport may fare better. Then this one is aborted, and the policy's
        /// retry follows as after any lost connection; the attempt counter goes on, unless the
        /// transport was called stable before. Otherwise the connection closes for good, with code
        /// 1000.
        retry: bool,
        /// Why, for people. The application keeps secrets out of it.
        detail: Box<str>,
    },

    /// The WebSocket handshake succeeded.
    Opened {
        /// The transport that was dialled.
        transport: TransportId,
        /// What it can do.
        capabilities: Capabilities,
    },
    /// The dial failed before the WebSocket was open.
    DialFailed {
        /// The transport that was dialled.
        transport: TransportId,
        /// What went wrong.
        failure: DialFailure,
    },
    /// A frame arrived.
    Received {
        /// Where.
        transport: TransportId,
        /// What.
        frame: Frame,
    },
    /// Bytes arrived that complete no frame yet. They prove life.
    Heard {
        /// Where.
        transport: TransportId,
    },
    /// Everything up to and including the write numbered `through` was given to the kernel.
    Flushed {
        /// Where.
        transport: TransportId,
        /// The `index` of an [`Action::Write`](crate::Action::Write).
        through: u64,
    },
    /// So many bytes of what was written still wait in the transport. For transports without
    /// flush reports, such as a browser's (`bufferedAmount`).
    Buffered {
        /// Where.
        transport: TransportId,
        /// Bytes of payload not yet given to the network.
        bytes: u64,
    },
    /// The peer broke the protocol. The transport can still write a close frame.
    Violated {
        /// Where.
        transport: TransportId,
        /// How.
        violation: Violation,
    },
    /// The transport has ended: nothing can be read or written any more.
    Ended {
        /// Which.
        transport: TransportId,
        /// How.
        end: End,
    },
}

/// What a retry hook may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryChoice {
    /// Leave the policy's delay.
    Keep,
    /// Dial after this delay instead, counted from now.
    After(Duration),
    /// Give up.
    Stop,
}

/// What a transport can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Capabilities {
    /// Protocol pings can be written and protocol pongs are reported (RFC 6455 §5.5.2).
    pub protocol_ping: bool,
    /// The transport answers protocol pings by itself; otherwise the core writes the pongs.
    pub answers_pings: bool,
    /// [`Event::Flushed`] is reported; otherwise [`Event::Buffered`] must be.
    pub flush_reports: bool,
}

impl Capabilities {
    /// A transport over a socket of our own, with a WebSocket library that answers pings.
    pub const SOCKET: Self = Self { protocol_ping: true, answers_pings: true, flush_reports: true };
    /// A browser's `WebSocket`.
    pub const BROWSER: Self =
        Self { protocol_ping: false, answers_pings: true, flush_reports: false };
}

/// Why a dial failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DialFailure {
    /// The step that failed.
    pub kind: DialError,
    /// The HTTP status, where the server answered the handshake with another than 101, or a proxy
    /// with one that opens no tunnel.
    pub status: Option<u16>,
    /// How long the server, or the proxy, asks to be left alone (RFC 9110 §10.2.3), as a delay from now.
    pub retry_after: Option<Duration>,
    /// What happened, for people. The driver keeps secrets out of it.
    pub detail: Box<str>,
}

impl DialFailure {
    /// A failure without an HTTP answer.
    #[must_use]
    pub fn new(kind: DialError, detail: impl Into<Box<str>>) -> Self {
        Self { kind, status: None, retry_after: None, detail: detail.into() }
    }
}

impl fmt::Display for DialFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        if let Some(status) = self.status {
            write!(f, " (HTTP {status})")?;
        }
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

/// The step of a dial that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialError {
    /// The request could not be built (the request hook failed); worth another try.
    Request,
    /// The request cannot be built and never will be (the request hook says so); final.
    RequestRefused,
    /// The host name did not resolve.
    Resolve,
    /// No address accepted the TCP connection.
    Connect,
    /// The TLS handshake failed, a certificate that does not verify included.
    Tls,
    /// The answer to the handshake is not a valid one (RFC 6455 §4.1), or it broke off.
    Handshake,
    /// The server answered the handshake with another HTTP status than 101.
    Status,
    /// The proxy on the way refused, or did not do what a proxy does; worth another try.
    Proxy,
    /// The proxy wants other credentials than it was given, or some at all; final.
    ProxyAuth,
}

impl DialError {
    /// The step, in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            DialError::Request => "the request could not be built",
            DialError::RequestRefused => "the request was refused by its hook",
            DialError::Resolve => "the host name does not resolve",
            DialError::Connect => "the connection failed",
            DialError::Tls => "TLS failed",
            DialError::Handshake => "the WebSocket handshake failed",
            DialError::Status => "the server refused the handshake",
            DialError::Proxy => "the proxy did not connect",
            DialError::ProxyAuth => "the proxy wants authentication",
        }
    }
}

/// How the peer broke the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Violation {
    /// The close code that tells the peer: 1002, 1003, 1007 or 1009 (RFC 6455 §7.4.1).
    pub code: u16,
    /// What was wrong and where, for people; never the data itself.
    pub detail: Box<str>,
}

/// How a transport ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct End {
    /// What the transport saw.
    pub kind: EndKind,
    /// More, for people; may be empty.
    pub detail: Box<str>,
}

impl End {
    /// An end without further detail.
    #[must_use]
    pub fn new(kind: EndKind) -> Self {
        Self { kind, detail: Box::default() }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            EndKind::Eof => "the peer ended the connection",
            EndKind::Reset => "the connection was reset",
            EndKind::Io => "the connection failed",
        })?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

/// What a transport saw at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndKind {
    /// The end of the stream.
    Eof,
    /// A reset.
    Reset,
    /// Another failure to read or write.
    Io,
}
