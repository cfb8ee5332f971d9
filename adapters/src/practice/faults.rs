//! What can be made to go wrong.

use std::ops::RangeInclusive;
use std::time::Duration;

/// A time, fixed or drawn anew each time from a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Shortest.
    pub min: Duration,
    /// Longest; never below `min` in effect.
    pub max: Duration,
}

impl From<Duration> for Span {
    fn from(d: Duration) -> Self {
        Self { min: d, max: d }
    }
}

impl From<RangeInclusive<Duration>> for Span {
    fn from(range: RangeInclusive<Duration>) -> Self {
        Self { min: *range.start(), max: *range.end() }
    }
}

/// Handshakes answered with an HTTP status in place of an upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status, 100 to 599.
    pub status: u16,
    /// `Retry-After`, in whole seconds, rounded up (RFC 9110 §10.2.3).
    pub retry_after: Option<Duration>,
    /// Further header fields, sent as they are (a `Retry-After` date, a `Location`, …).
    pub headers: Vec<(String, String)>,
    /// For how long, counted from the server's start or from the call that set it; `None` is for
    /// ever.
    pub lasting: Option<Duration>,
    /// How many handshakes; `None` is all of them.
    pub times: Option<u32>,
}

impl Refusal {
    /// Refuses every handshake with this status until told otherwise.
    pub fn status(status: u16) -> Self {
        Self { status, retry_after: None, headers: Vec::new(), lasting: None, times: None }
    }

    /// With this `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// For so long only.
    #[must_use]
    pub fn lasting(mut self, lasting: Duration) -> Self {
        self.lasting = Some(lasting);
        self
    }

    /// For so many handshakes only.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}

/// A close frame of the server's own accord.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseAfter {
    /// The close code; not checked, so that forbidden ones can be sent too.
    pub code: u16,
    /// The reason; cut to the 123 bytes that fit a control frame (RFC 6455 §5.5).
    pub reason: String,
    /// After so many data messages received on a connection; 0 is right after its opening.
    pub messages: u64,
}

/// Output in small pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trickle {
    /// Bytes per write, at least 1.
    pub bytes: usize,
    /// Pause between two writes; zero is none.
    pub pause: Duration,
    /// Also the handshake's answer. Some clients, those built on `tungstenite` among them, refuse a
    /// handshake that comes in very many very small reads.
    pub handshake: bool,
}

/// Breaches of the protocol, one at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misbehave {
    /// Resets every connection as soon as it is accepted.
    ResetOnAccept,
    /// Answers the handshake with these bytes as they are and closes TCP.
    Garbage(Vec<u8>),
    /// Accepts TCP and never answers the handshake.
    NeverAnswer,
    /// Answers with a `Sec-WebSocket-Accept` that does not belong to the key.
    BadAccept,
    /// Claims `permessage-deflate`, asked for or not.
    UnaskedExtension,
    /// Claims a subprotocol that the client did not offer.
    UnaskedSubprotocol,
    /// Sends half of the handshake's answer and closes TCP.
    HalfHandshake,
    /// Sends a head that never ends, up to so many bytes.
    EndlessHead {
        /// Total size.
        bytes: usize,
    },
    /// Ends the closing handshake, whoever began it, but never closes TCP.
    CloseWithoutFin,
    /// Never answers a close frame, nor closes TCP.
    IgnoreClose,
    /// Once open, sends binary messages as fast as they are taken, for ever.
    Flood {
        /// Payload bytes of each.
        size: usize,
    },
}

/// The faults of a server. All off by default.
///
/// A time that counts from a connection's opening starts anew for the live connections when the
/// faults are changed at run time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Faults {
    /// Resets (RST) each connection so long after its opening.
    pub drop_every: Option<Span>,
    /// Ends (FIN, no close frame) each connection so long after its opening. Together with
    /// `drop_every` the earlier one wins, so equal ranges make a mix.
    pub fin_every: Option<Span>,
    /// Turns each connection half-open so long after its opening: it stays up and is read from, but
    /// nothing is ever answered again.
    pub freeze_after: Option<Span>,
    /// Refuses handshakes.
    pub refuse: Option<Refusal>,
    /// Fraction of the app's messages that is sent twice, 0 to 1.
    pub duplicate: f64,
    /// Fraction of the acks that is not sent, 0 to 1.
    pub lose_acks: f64,
    /// Fraction of the messages with an id that is thrown away on arrival, neither acknowledged
    /// nor answered, 0 to 1.
    pub lose_messages: f64,
    /// The handshake is answered so late.
    pub slow_handshake: Option<Span>,
    /// Closes after a number of messages.
    pub close_after: Option<CloseAfter>,
    /// A breach of the protocol.
    pub misbehave: Option<Misbehave>,
    /// A text message in the same write as the handshake's answer.
    pub glue_first: Option<String>,
    /// Bytes sent as they are right after the handshake's answer (and after `glue_first`).
    pub raw_after_open: Vec<u8>,
    /// Sends in small pieces.
    pub trickle: Option<Trickle>,
}
