//! What `handle` accepts and refuses.

use core::fmt;

use crate::event::{Event, Outgoing, Seq};
use crate::frame::CloseFrame;

/// What became of an event that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It took effect.
    Done,
    /// The message was accepted under this name; it will end in exactly one notice.
    Message(Seq),
    /// The event named a transport, an attempt or a state that has passed; only a counter changed.
    Stale,
}

/// An event that was refused. The connection is as it was, and what was refused comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// The outbox is full and the config says `reject` or `wait`. Send again after
    /// [`Notice::Writable`](crate::Notice::Writable). Or as many messages wait as may go
    /// [ahead](crate::Outgoing::ahead): send again when there is
    /// [room](crate::Connection::ahead_room).
    QueueFull(Outgoing),
    /// The encoded message alone is larger than the whole outbox may be.
    TooLarge {
        /// The message.
        message: Outgoing,
        /// Its size on the wire in bytes.
        size: usize,
        /// The config's `outbox.max_bytes`.
        limit: usize,
    },
    /// The connection is closed, closing or draining.
    Closed(Outgoing),
    /// No transport is open, and the message was to go [ahead](crate::Outgoing::ahead) of everything
    /// queued, or the config's `outbox.while_down` says `refuse`. Send it again when one is.
    NotOpen(Outgoing),
    /// The dialect cannot write the message.
    Unencodable {
        /// The message.
        message: Outgoing,
        /// Why not.
        error: EncodeError,
    },
    /// No message of that name can be cancelled: it was handed to a transport or has ended.
    NotQueued(Seq),
    /// The close code may not be sent (RFC 6455 §7.4): use 1000, 3000-4999.
    InvalidClose(CloseFrame),
    /// Too many actions wait: drain [`Connection::poll`](crate::Connection::poll) first.
    Busy(Event),
}

impl Rejected {
    /// The message, if it was one that was refused.
    #[must_use]
    pub fn into_message(self) -> Option<Outgoing> {
        match self {
            Rejected::QueueFull(message)
            | Rejected::TooLarge { message, .. }
            | Rejected::Closed(message)
            | Rejected::NotOpen(message)
            | Rejected::Unencodable { message, .. }
            | Rejected::Busy(Event::Send(message)) => Some(message),
            Rejected::NotQueued(_) | Rejected::InvalidClose(_) | Rejected::Busy(_) => None,
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejected::QueueFull(message) if message.ahead => {
                f.write_str("64 messages wait to go ahead: send more when they were handed over")
            }
            Rejected::QueueFull(_) => {
                f.write_str("the outbox is full: wait until it is writable, or raise its limits")
            }
            Rejected::TooLarge { size, limit, .. } => write!(
                f,
                "the message takes {size} bytes and the outbox holds {limit}: raise outbox.max_bytes"
            ),
            Rejected::Closed(_) => f.write_str("the connection takes no more messages: it closes"),
            Rejected::NotOpen(message) if message.ahead => {
                f.write_str("no transport is open to go ahead on: send it when one is")
            }
            Rejected::NotOpen(_) => f.write_str(
                "no transport is open: send it when one is, or set outbox.while_down to accept",
            ),
            Rejected::Unencodable { error, .. } => write!(f, "{error}"),
            Rejected::NotQueued(seq) => {
                write!(f, "message {seq} cannot be cancelled: it was sent or has ended")
            }
            Rejected::InvalidClose(close) => {
                write!(f, "close code {} may not be sent: use 1000 or 3000 to 4999", close.code)
            }
            Rejected::Busy(_) => f.write_str("too many actions wait: drain `poll` first"),
        }
    }
}

impl core::error::Error for Rejected {}

/// Why a dialect cannot write a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// Class acknowledged needs ids, and this dialect writes none.
    NoAcks,
    /// The dialect's envelope is text, and the payload is binary.
    BinaryInText,
    /// The id space is used up: an id of 2^64 - 1 was sent, or of 2^53 - 1 in the Socket.IO dialect.
    IdsExhausted,
    /// The text is no event of Socket.IO: a JSON array that begins with the event's name, a string or
    /// a number, and none of the names that the protocol keeps for itself.
    NotAnEvent,
    /// The dialect only receives.
    OneWay,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EncodeError::NoAcks => {
                "the dialect cannot acknowledge: use the json dialect with acks, or another class"
            }
            EncodeError::BinaryInText => {
                "binary data does not fit the dialect's text envelope: encode it first"
            }
            EncodeError::IdsExhausted => "no ids are left: the largest one was sent",
            EncodeError::NotAnEvent => {
                "the text is no event: send a JSON array that begins with the event's name, \
                 which must not be one that Socket.IO reserves, such as connect"
            }
            EncodeError::OneWay => "the dialect only receives: send by another connection",
        })
    }
}

impl core::error::Error for EncodeError {}
