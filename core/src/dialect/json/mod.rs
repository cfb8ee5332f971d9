//! Frames are JSON: heartbeats, envelopes and acknowledgements.

pub(super) mod read;
mod redact;
pub(super) mod write;

#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Dialect, Encoded, Encoding, HeartbeatFrames, Meaning, Text, Way};
use crate::config::{Class, default_id_field};
use crate::error::EncodeError;
use crate::frame::Payload;
use crate::json;
use read::{Ack, Fields};
use write::Data;

/// What the [`Json`] dialect reads and writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JsonConfig {
    /// The dialect's own heartbeats. Default `{"type":"ping"}` and `{"type":"pong"}`.
    pub heartbeat: HeartbeatFrames,
    /// The top-level field that holds a message's id, an integer from 0 to 2^64 - 1.
    /// Default `id`.
    pub id_field: String,
    /// Whether a message that is not a JSON object with an id goes out as
    /// `{"id":n,"data":…,"timestamp":ms}`; otherwise every message goes out as it is. Default on.
    pub envelope: bool,
    /// Whether `{"ack":n}` and `{"type":"ack","id":n}`, with or without `"cumulative":true`, are
    /// acknowledgements; otherwise they are messages. Default on.
    pub acks: bool,
    /// Whether received messages that carry an id are acknowledged with `{"ack":n}`. Default off.
    pub acknowledge: bool,
    /// Whether a received text that is not JSON is passed on with a
    /// [warning](crate::Warning::Unreadable); otherwise it is a message like any other. Default off.
    pub warn_unreadable: bool,
    /// How deeply a received text may nest before it is passed on unread. Default 128; 1 to 10,000.
    pub max_depth: usize,
}

impl Default for JsonConfig {
    fn default() -> Self {
        Self {
            heartbeat: HeartbeatFrames::Json {
                ping: String::from("ping"),
                pong: String::from("pong"),
                timestamp: false,
            },
            id_field: default_id_field(),
            envelope: true,
            acks: true,
            acknowledge: false,
            warn_unreadable: false,
            max_depth: 128,
        }
    }
}

/// The dialect of servers that speak JSON.
///
/// **Received.** A text that is a JSON object is, by its top-level fields alone:
/// * a heartbeat, if `type` is the configured ping or pong, whatever else it holds; where both
///   have one name it is a pong, as it would be answered for ever otherwise;
/// * with `acks`, an acknowledgement: a number in `ack` and either no `type` or the type `ack`, or
///   the type `ack` and a number in the id field or in `id`. Only `"cumulative":true` makes it
///   cumulative. A number that is none from 0 to 2^64 - 1 written as an integer is
///   [`Meaning::BadAck`]; where there is no number it is no acknowledgement but a message;
/// * otherwise a message, whose id is the integer in the id field, if there is one.
///
/// Where a field stands twice the last one counts. Every other text and all binary data are
/// messages without an id, save literal heartbeats; text that is not JSON is no error, and with
/// `warn_unreadable` it is [`Meaning::Unreadable`]. Messages are passed on as they came, not copied.
/// What starts like an object, or with `warn_unreadable` like anything else, and nests deeper than
/// `max_depth` is [`Meaning::Unreadable`], whether it is JSON or not.
///
/// **Sent**, with `envelope`: a JSON object with an integer from 0 to 2^64 - 1 in the id field goes
/// out as it is; any other text is wrapped, as the JSON value that it is, byte for byte, or else
/// as a string. `max_depth` does not bound what is sent. Without `envelope` all goes out as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json {
    /// Nothing of it ever changes, so clones share it.
    parts: Arc<Parts>,
}

#[derive(Debug, PartialEq, Eq)]
struct Parts {
    config: JsonConfig,
    /// The heartbeats, if they are literals.
    literals: Option<Text>,
    /// The ping, ready to be sent, unless it carries a timestamp.
    ping: Option<Payload>,
    /// The pong, ready to be sent.
    pong: Option<Payload>,
    /// `{"id":`, with the configured field.
    envelope_head: String,
}

impl Json {
    /// The dialect with this configuration, whose rules a [`Config`](crate::Config) checks.
    #[must_use]
    pub fn new(config: JsonConfig) -> Self {
        let (literals, ping, pong) = match &config.heartbeat {
            HeartbeatFrames::None => (None, None, None),
            HeartbeatFrames::Literals { ping, pong } => {
                let mut text = Text::new(ping, pong);
                let (ping, pong) = (text.ping(0), text.pong(0));
                (Some(text), ping, pong)
            }
            HeartbeatFrames::Json { ping, pong, timestamp } => {
                let ready = |kind| Payload::Text(write::heartbeat(kind, None));
                (None, (!timestamp).then(|| ready(ping)), Some(ready(pong)))
            }
        };
        let envelope_head = write::envelope_head(&config.id_field);
        Self { parts: Arc::new(Parts { config, literals, ping, pong, envelope_head }) }
    }

    /// Reads an inbound text.
    fn read(&self, text: &str) -> Reading {
        if let Some(heartbeat) = self.parts.literals.as_ref().and_then(|pair| pair.heartbeat(text))
        {
            return Reading::Consumed(heartbeat);
        }
        if json::first_byte(text) != Some(b'{') {
            return self.without_id(text);
        }
        let max_depth = self.parts.config.max_depth;
        let Some(fields) = Fields::read(text, &self.parts.config.id_field, max_depth) else {
            // Too deep, or no JSON, or both.
            return match json::too_deep(text, max_depth) {
                Some(at) => Reading::TooDeep { at },
                None => self.without_id(text),
            };
        };
        if let HeartbeatFrames::Json { ping, pong, .. } = &self.parts.config.heartbeat {
            if fields.is_kind(pong) {
                return Reading::Consumed(Meaning::Pong);
            }
            if fields.is_kind(ping) {
                return Reading::Consumed(Meaning::Ping);
            }
        }
        match fields.ack().filter(|_| self.parts.config.acks) {
            Some(Ack::Good { id, cumulative }) => {
                Reading::Consumed(Meaning::Ack { id, cumulative })
            }
            Some(Ack::Bad) => Reading::Consumed(Meaning::BadAck),
            None => Reading::Message { id: fields.id() },
        }
    }

    /// A text that is no object. It need not be read any further, unless somebody wants to know.
    fn without_id(&self, text: &str) -> Reading {
        let JsonConfig { warn_unreadable, max_depth, .. } = self.parts.config;
        if !warn_unreadable || json::is_array_or_scalar(text, max_depth) {
            return Reading::Message { id: None };
        }
        match json::too_deep(text, max_depth) {
            Some(at) => Reading::TooDeep { at },
            None => Reading::NoJson,
        }
    }
}

/// What a text was found to be, before its payload is moved.
enum Reading {
    /// No message.
    Consumed(Meaning),
    /// A message.
    Message { id: Option<u64> },
    /// A message that nests too deeply, first at this byte.
    TooDeep { at: usize },
    /// A message that is not JSON, where that is worth a warning.
    NoJson,
}

impl Dialect for Json {
    fn decode(&mut self, payload: Payload) -> Meaning {
        let reading = match &payload {
            Payload::Text(text) => self.read(text),
            Payload::Binary(_) => Reading::Message { id: None },
        };
        match reading {
            Reading::Consumed(meaning) => meaning,
            Reading::Message { id } => Meaning::Message { payload, id },
            Reading::TooDeep { at } => {
                let limit = self.parts.config.max_depth;
                let detail = format!("JSON nests deeper than max_depth {limit} at byte {at}");
                Meaning::Unreadable { payload, detail: detail.into() }
            }
            Reading::NoJson => {
                Meaning::Unreadable { payload, detail: "the text is not JSON".into() }
            }
        }
    }

    fn encode(
        &mut self,
        payload: Payload,
        context: Encoding,
    ) -> Result<Encoded, (Payload, EncodeError)> {
        let acknowledged = match context.class {
            Class::Acknowledged => true,
            Class::Volatile | Class::Queued => false,
        };
        if acknowledged && !(self.parts.config.acks && self.parts.config.envelope) {
            return Err((payload, EncodeError::NoAcks));
        }
        if !self.parts.config.envelope {
            return Ok(Encoded { payload, id: None });
        }
        let text = match &payload {
            Payload::Text(text) => text,
            Payload::Binary(_) => return Err((payload, EncodeError::BinaryInText)),
        };
        let object = Fields::read(text, &self.parts.config.id_field, usize::MAX);
        if let Some(id) = object.and_then(|fields| fields.id()) {
            return Ok(Encoded { payload, id: Some(id) });
        }
        let Some(id) = context.id else { return Err((payload, EncodeError::IdsExhausted)) };
        let data = if object.is_some() || json::is_array_or_scalar(text, usize::MAX) {
            Data::Value(text)
        } else {
            Data::Text(text)
        };
        let envelope = write::envelope(&self.parts.envelope_head, id, data, context.unix_ms);
        Ok(Encoded { payload: Payload::Text(envelope), id: Some(id) })
    }

    fn ping(&mut self, unix_ms: u64) -> Option<Payload> {
        match &self.parts.config.heartbeat {
            HeartbeatFrames::Json { ping, timestamp: true, .. } => {
                Some(Payload::Text(write::heartbeat(ping, Some(unix_ms))))
            }
            HeartbeatFrames::None
            | HeartbeatFrames::Literals { .. }
            | HeartbeatFrames::Json { .. } => self.parts.ping.clone(),
        }
    }

    fn pong(&mut self, _unix_ms: u64) -> Option<Payload> {
        self.parts.pong.clone()
    }

    fn ack(&mut self, id: u64) -> Option<Payload> {
        self.parts.config.acknowledge.then(|| Payload::Text(write::ack(id)))
    }

    fn has_heartbeat(&self) -> bool {
        self.parts.config.heartbeat != HeartbeatFrames::None
    }

    fn rewrites(&self) -> bool {
        self.parts.config.envelope
    }

    fn redact(&self, payload: &Payload, way: Way, label: u64) -> Payload {
        self.stand_in(payload, way, label)
    }
}
