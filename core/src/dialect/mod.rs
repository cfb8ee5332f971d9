//! What frames mean: which are heartbeats, acknowledgements, messages; and how those are written.
//!
//! A dialect knows frames and nothing else: no timers, no queues, no sockets. Implement
//! [`Dialect`] for a protocol of your own; [`BuiltIn`] covers the ones a config can name.

mod event_stream;
mod json;
mod plain;
mod redact;
mod socket_io;
#[cfg(test)]
mod stand_ins;
mod text;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use event_stream::{EventStream, EventStreamConfig};
pub use json::{Json, JsonConfig};
pub use plain::Plain;
pub use redact::Way;
pub(crate) use redact::filler;
pub use socket_io::{SocketIo, SocketIoConfig};
pub use text::Text;

use crate::config::Class;
use crate::error::EncodeError;
use crate::frame::Payload;

/// The pure codec between frames and messages.
///
/// Same calls, same answers: an implementation holds no clock and no randomness.
pub trait Dialect {
    /// Says what an inbound data frame is.
    fn decode(&mut self, payload: Payload) -> Meaning;

    /// Writes a message.
    ///
    /// # Errors
    /// Gives the payload back with the reason why it cannot be written.
    fn encode(
        &mut self,
        payload: Payload,
        context: Encoding,
    ) -> Result<Encoded, (Payload, EncodeError)>;

    /// What is said first on each transport, if anything is.
    ///
    /// It is written right after the transport opened, before anything else. A message is written
    /// only once a [`Meaning::Admission`] has said that the peer takes them; that has the rest of
    /// `connect.dial_timeout`.
    fn greeting(&mut self) -> Option<Payload> {
        None
    }

    /// A ping of the dialect's own, if it has one.
    fn ping(&mut self, unix_ms: u64) -> Option<Payload> {
        let _ = unix_ms;
        None
    }

    /// The answer to [`Meaning::Ping`], if there is one.
    fn pong(&mut self, unix_ms: u64) -> Option<Payload> {
        let _ = unix_ms;
        None
    }

    /// The acknowledgement of a received message, if the dialect sends any.
    fn ack(&mut self, id: u64) -> Option<Payload> {
        let _ = id;
        None
    }

    /// Whether the dialect has pings of its own.
    fn has_heartbeat(&self) -> bool {
        false
    }

    /// Whether [`encode`](Self::encode) may change the payload. If it never does, a message that
    /// is refused can be given back without having been kept.
    fn rewrites(&self) -> bool {
        true
    }

    /// What stands for a payload in a [trace](crate::trace): a payload of the same kind and length
    /// that this dialect reads or writes likewise, and that holds nothing of the original but what
    /// this dialect looks at.
    ///
    /// `label` differs from payload to payload and should be worked in where there is room, so that
    /// two of them are seldom alike. The default is for dialects that look at nothing.
    fn redact(&self, payload: &Payload, way: Way, label: u64) -> Payload {
        let _ = way;
        filler(payload, label)
    }
}

/// What a message is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// The id to give it, unless it carries one of its own; `None` when no ids are left.
    pub id: Option<u64>,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub unix_ms: u64,
    /// Its delivery class.
    pub class: Class,
}

/// A message as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The frame's payload.
    pub payload: Payload,
    /// The id it carries, if any.
    pub id: Option<u64>,
}

/// What an inbound data frame is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A message for the application.
    Message {
        /// What it says.
        payload: Payload,
        /// Its id, if it carries one.
        id: Option<u64>,
    },
    /// A message for the application that the dialect could not fully read.
    Unreadable {
        /// What it says.
        payload: Payload,
        /// What is wrong, and at which byte; never the data itself.
        detail: Box<str>,
    },
    /// Messages for the application without ids, in this order; with none of them the frame only
    /// proves that the peer lives. No more than 256: what one frame can lead to is bounded.
    Messages(Vec<Payload>),
    /// A message for the application, by which the peer also says whether it takes messages on this
    /// transport from now on. While it does not they wait: see [`Dialect::greeting`].
    Admission {
        /// What it says.
        payload: Payload,
        /// Whether it does.
        admits: bool,
    },
    /// The peer's ping: answer with [`Dialect::pong`].
    Ping,
    /// The answer to our ping.
    Pong,
    /// The peer has the message with this id, and with `cumulative` all with a smaller one.
    Ack {
        /// The id.
        id: u64,
        /// Whether it covers all ids up to this one.
        cumulative: bool,
    },
    /// An acknowledgement whose id is no usable number.
    BadAck,
}

/// Which dialect a config names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DialectConfig {
    /// Frames are messages, nothing more. See [`Plain`].
    #[default]
    Plain,
    /// Frames are messages, save two texts that are heartbeats. See [`Text`].
    Text {
        /// The ping, such as `ping`.
        ping: String,
        /// The pong, such as `pong`.
        pong: String,
    },
    /// Frames are JSON. See [`Json`].
    Json(JsonConfig),
    /// Frames are packets of Socket.IO. See [`SocketIo`].
    SocketIo(SocketIoConfig),
    /// Frames are events as `EventSource` reads them. See [`EventStream`].
    EventStream(EventStreamConfig),
    /// A [`Dialect`] of the program's own, given to [`Connection::new`](crate::Connection::new).
    /// What the config's check would otherwise know of the dialect is then up to the program.
    Custom,
}

impl DialectConfig {
    /// The text dialect with `ping` and `pong`.
    #[must_use]
    pub fn text() -> Self {
        DialectConfig::Text { ping: String::from("ping"), pong: String::from("pong") }
    }

    /// Whether the dialect has pings of its own, as far as the config can tell.
    #[must_use]
    pub fn has_heartbeat(&self) -> bool {
        match self {
            // A Socket.IO server pings, and takes none.
            DialectConfig::Plain | DialectConfig::SocketIo(_) | DialectConfig::EventStream(_) => {
                false
            }
            DialectConfig::Text { .. } | DialectConfig::Custom => true,
            DialectConfig::Json(json) => json.heartbeat != HeartbeatFrames::None,
        }
    }
}

/// What a dialect's own heartbeats look like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HeartbeatFrames {
    /// There are none.
    None,
    /// Two literal texts.
    Literals {
        /// The ping.
        ping: String,
        /// The pong.
        pong: String,
    },
    /// `{"type":PING}` and `{"type":PONG}`.
    Json {
        /// The ping's type.
        ping: String,
        /// The pong's type.
        pong: String,
        /// Whether a ping carries `"timestamp"`, in milliseconds since 1970.
        timestamp: bool,
    },
}

/// The dialects that a config can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuiltIn {
    /// [`Plain`].
    Plain(Plain),
    /// [`Text`].
    Text(Text),
    /// [`Json`].
    Json(Json),
    /// [`SocketIo`].
    SocketIo(SocketIo),
    /// [`EventStream`].
    EventStream(EventStream),
}

impl BuiltIn {
    /// The dialect that `config` names.
    #[must_use]
    pub fn new(config: &DialectConfig) -> Self {
        match config {
            // Whoever has a dialect of their own does not ask here.
            DialectConfig::Plain | DialectConfig::Custom => BuiltIn::Plain(Plain),
            DialectConfig::Text { ping, pong } => BuiltIn::Text(Text::new(ping, pong)),
            DialectConfig::Json(json) => BuiltIn::Json(Json::new(json.clone())),
            DialectConfig::SocketIo(config) => BuiltIn::SocketIo(SocketIo::new(config.clone())),
            DialectConfig::EventStream(config) => {
                BuiltIn::EventStream(EventStream::new(config.clone()))
            }
        }
    }
}

impl Dialect for BuiltIn {
    fn decode(&mut self, payload: Payload) -> Meaning {
        match self {
            BuiltIn::Plain(dialect) => dialect.decode(payload),
            BuiltIn::Text(dialect) => dialect.decode(payload),
            BuiltIn::Json(dialect) => dialect.decode(payload),
            BuiltIn::SocketIo(dialect) => dialect.decode(payload),
            BuiltIn::EventStream(dialect) => dialect.decode(payload),
        }
    }

    fn encode(
        &mut self,
        payload: Payload,
        context: Encoding,
    ) -> Result<Encoded, (Payload, EncodeError)> {
        match self {
            BuiltIn::Plain(dialect) => dialect.encode(payload, context),
            BuiltIn::Text(dialect) => dialect.encode(payload, context),
            BuiltIn::Json(dialect) => dialect.encode(payload, context),
            BuiltIn::SocketIo(dialect) => dialect.encode(payload, context),
            BuiltIn::EventStream(dialect) => dialect.encode(payload, context),
        }
    }

    fn greeting(&mut self) -> Option<Payload> {
        match self {
            BuiltIn::Plain(dialect) => dialect.greeting(),
            BuiltIn::Text(dialect) => dialect.greeting(),
            BuiltIn::Json(dialect) => dialect.greeting(),
            BuiltIn::SocketIo(dialect) => dialect.greeting(),
            BuiltIn::EventStream(dialect) => dialect.greeting(),
        }
    }

    fn ping(&mut self, unix_ms: u64) -> Option<Payload> {
        match self {
            BuiltIn::Plain(dialect) => dialect.ping(unix_ms),
            BuiltIn::Text(dialect) => dialect.ping(unix_ms),
            BuiltIn::Json(dialect) => dialect.ping(unix_ms),
            BuiltIn::SocketIo(dialect) => dialect.ping(unix_ms),
            BuiltIn::EventStream(dialect) => dialect.ping(unix_ms),
        }
    }

    fn pong(&mut self, unix_ms: u64) -> Option<Payload> {
        match self {
            BuiltIn::Plain(dialect) => dialect.pong(unix_ms),
            BuiltIn::Text(dialect) => dialect.pong(unix_ms),
            BuiltIn::Json(dialect) => dialect.pong(unix_ms),
            BuiltIn::SocketIo(dialect) => dialect.pong(unix_ms),
            BuiltIn::EventStream(dialect) => dialect.pong(unix_ms),
        }
    }

    fn ack(&mut self, id: u64) -> Option<Payload> {
        match self {
            BuiltIn::Plain(dialect) => dialect.ack(id),
            BuiltIn::Text(dialect) => dialect.ack(id),
            BuiltIn::Json(dialect) => dialect.ack(id),
            BuiltIn::SocketIo(dialect) => dialect.ack(id),
            BuiltIn::EventStream(dialect) => dialect.ack(id),
        }
    }

    fn has_heartbeat(&self) -> bool {
        match self {
            BuiltIn::Plain(dialect) => dialect.has_heartbeat(),
            BuiltIn::Text(dialect) => dialect.has_heartbeat(),
            BuiltIn::Json(dialect) => dialect.has_heartbeat(),
            BuiltIn::SocketIo(dialect) => dialect.has_heartbeat(),
            BuiltIn::EventStream(dialect) => dialect.has_heartbeat(),
        }
    }

    fn rewrites(&self) -> bool {
        match self {
            BuiltIn::Plain(dialect) => dialect.rewrites(),
            BuiltIn::Text(dialect) => dialect.rewrites(),
            BuiltIn::Json(dialect) => dialect.rewrites(),
            BuiltIn::SocketIo(dialect) => dialect.rewrites(),
            BuiltIn::EventStream(dialect) => dialect.rewrites(),
        }
    }

    fn redact(&self, payload: &Payload, way: Way, label: u64) -> Payload {
        match self {
            BuiltIn::Plain(dialect) => dialect.redact(payload, way, label),
            BuiltIn::Text(dialect) => dialect.redact(payload, way, label),
            BuiltIn::Json(dialect) => dialect.redact(payload, way, label),
            BuiltIn::SocketIo(dialect) => dialect.redact(payload, way, label),
            BuiltIn::EventStream(dialect) => dialect.redact(payload, way, label),
        }
    }
}
