//! Frames are packets of Socket.IO 5 in packets of Engine.IO 4.

mod packet;
mod redact;
mod value;

#[cfg(test)]
mod tests;

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use super::{Dialect, Encoded, Encoding, Meaning, Way};
use crate::config::Class;
use crate::error::EncodeError;
use crate::frame::Payload;
use crate::json;
use packet::{Flaw, Packet, Unread};

/// The largest id that a server written in JavaScript returns as it was: 2^53 - 1.
const LARGEST_ID: u64 = (1 << 53) - 1;

/// What the [`SocketIo`] dialect does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SocketIoConfig {
    /// The namespace to connect to. Default `/`; begins with `/`, at most 255 bytes, without a comma
    /// or a question mark.
    pub namespace: String,
    /// Whether an event that asks for an acknowledgement gets one at once, without data. Default on;
    /// otherwise it gets none.
    pub acknowledge: bool,
    /// Whether what Engine.IO has agreed on, `{"sid":…,"pingInterval":…,"pingTimeout":…}`, is passed
    /// on as a message. Default off.
    pub handshake: bool,
}

impl Default for SocketIoConfig {
    fn default() -> Self {
        Self { namespace: String::from("/"), acknowledge: true, handshake: false }
    }
}

impl SocketIoConfig {
    /// The longest name of a namespace in bytes.
    pub const MAX_NAMESPACE: usize = 255;
}

/// The dialect of a Socket.IO server, protocol 5, over Engine.IO, protocol 4, by the transport
/// `websocket` alone: the URL ends in `/socket.io/?EIO=4&transport=websocket`.
///
/// **Events** are messages both ways, each the text of a JSON array that begins with the event's
/// name: `["move",{"x":1}]`. What is sent is checked, as the server hangs up on what is no event; a
/// name is a string or a number, and none of `connect`, `connect_error`, `disconnect`,
/// `disconnecting`, `newListener` and `removeListener`, which are the protocol's own.
///
/// **The namespace** is connected right after the transport opened, by the
/// [greeting](Dialect::greeting); until the server has agreed, messages wait, as it hangs up on an
/// event that comes before. Under names that no event can have, the application is told
/// * `["connect",{"sid":"…"}]`: the namespace is connected under this id, and what waited goes out;
/// * `["connect_error",…]`: the server refuses, and says why; messages go on waiting;
/// * `["disconnect","io server disconnect"]`: the server has ended the namespace, and
///   `["disconnect","transport close"]`: Engine.IO is about to end; messages wait.
///
/// After a refusal or a disconnect it is for the application to close or to reconnect.
///
/// **Acknowledgements.** A message of class acknowledged goes out with an id, and the server's
/// acknowledgement settles it; data that comes with that is not passed on. The server sees a resend
/// as another event: what must not happen twice needs an id among its arguments. A received event
/// that asks for an acknowledgement has the id asked for; the ids begin anew with each transport, so
/// that no duplicate can be told by them.
///
/// The server's pings are answered. Binary attachments are neither read nor written: what announces
/// them, and they themselves, are [`Meaning::Unreadable`], as is all that is no packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketIo {
    /// Nothing of it ever changes, so clones share it.
    parts: Arc<Parts>,
}

#[derive(Debug, PartialEq, Eq)]
struct Parts {
    config: SocketIoConfig,
    /// `40`, with the namespace unless it is `/`.
    greeting: ByteString,
    /// `42`, likewise.
    event_head: ByteString,
    /// `43`, likewise.
    ack_head: ByteString,
}

impl SocketIo {
    /// The dialect with this configuration, whose rules a [`Config`](crate::Config) checks.
    #[must_use]
    pub fn new(config: SocketIoConfig) -> Self {
        let head = |kind: &str| {
            let mut head = String::from(kind);
            if config.namespace != "/" {
                head.push_str(&config.namespace);
                head.push(',');
            }
            ByteString::from(head)
        };
        let (greeting, event_head, ack_head) = (head("40"), head("42"), head("43"));
        Self { parts: Arc::new(Parts { config, greeting, event_head, ack_head }) }
    }

    fn read<'a>(&self, text: &'a str) -> Result<Packet<'a>, Unread> {
        packet::read(text, &self.parts.config.namespace)
    }

    /// What the packet in `text` means.
    fn meaning(&self, text: &ByteString, packet: Packet<'_>) -> Meaning {
        let slice = |body: &str| Payload::Text(text.slice_ref(body));
        match packet {
            Packet::Event { id, body } => Meaning::Message { payload: slice(body), id },
            Packet::Ack { id, .. } => Meaning::Ack { id, cumulative: false },
            Packet::BadAck { .. } => Meaning::BadAck,
            Packet::Ping => Meaning::Ping,
            Packet::Pong => Meaning::Pong,
            Packet::Handshake { body } if self.parts.config.handshake => {
                Meaning::Message { payload: slice(body), id: None }
            }
            Packet::Handshake { .. } | Packet::Idle => Meaning::Messages(Vec::new()),
            Packet::Connect { body } => told("connect", body, true),
            Packet::ConnectError { body } => told("connect_error", body, false),
            Packet::Disconnect => told("disconnect", r#""io server disconnect""#, false),
            Packet::Close => told("disconnect", r#""transport close""#, false),
        }
    }
}

/// What the application is told of the namespace: `["NAME",BODY]`.
fn told(name: &str, body: &str, admits: bool) -> Meaning {
    let comma = usize::from(!body.is_empty());
    let size = 4 + name.len() + comma + body.len();
    let mut text = String::with_capacity(size);
    text.push_str("[\"");
    text.push_str(name);
    text.push('"');
    if comma > 0 {
        text.push(',');
    }
    text.push_str(body);
    text.push(']');
    Meaning::Admission { payload: Payload::Text(json::finish(text, size)), admits }
}

impl Dialect for SocketIo {
    fn decode(&mut self, payload: Payload) -> Meaning {
        let unread = match &payload {
            Payload::Text(text) => match self.read(text) {
                Ok(packet) => return self.meaning(text, packet),
                Err(unread) => unread,
            },
            Payload::Binary(_) => Unread { flaw: Flaw::Binary, at: 0 },
        };
        Meaning::Unreadable { payload, detail: unread.to_string().into() }
    }

    fn encode(
        &mut self,
        payload: Payload,
        context: Encoding,
    ) -> Result<Encoded, (Payload, EncodeError)> {
        let text = match &payload {
            Payload::Text(text) => text,
            Payload::Binary(_) => return Err((payload, EncodeError::BinaryInText)),
        };
        if !value::is_event(text) {
            return Err((payload, EncodeError::NotAnEvent));
        }
        let id = match context.class {
            Class::Volatile | Class::Queued => None,
            Class::Acknowledged => match context.id.filter(|id| *id <= LARGEST_ID) {
                Some(id) => Some(id),
                None => return Err((payload, EncodeError::IdsExhausted)),
            },
        };
        // The server takes white space before the array for an id of 0.
        let body = text.trim_start_matches([' ', '\t', '\n', '\r']);
        let head = &self.parts.event_head;
        let size = head.len() + id.map_or(0, json::digits) + body.len();
        let mut event = String::with_capacity(size);
        event.push_str(head);
        if let Some(id) = id {
            json::push_number(&mut event, id);
        }
        event.push_str(body);
        Ok(Encoded { payload: Payload::Text(json::finish(event, size)), id })
    }

    fn greeting(&mut self) -> Option<Payload> {
        Some(Payload::Text(self.parts.greeting.clone()))
    }

    fn pong(&mut self, _unix_ms: u64) -> Option<Payload> {
        Some(Payload::from("3"))
    }

    fn ack(&mut self, id: u64) -> Option<Payload> {
        if !self.parts.config.acknowledge {
            return None;
        }
        let head = &self.parts.ack_head;
        let size = head.len() + json::digits(id) + 2;
        let mut ack = String::with_capacity(size);
        ack.push_str(head);
        json::push_number(&mut ack, id);
        ack.push_str("[]");
        Some(Payload::Text(json::finish(ack, size)))
    }

    fn redact(&self, payload: &Payload, way: Way, label: u64) -> Payload {
        self.stand_in(payload, way, label)
    }
}
