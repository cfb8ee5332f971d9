//! Frames are JSON: heartbeats, envelopes and acknowledgements.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::{Dialect, Encoded, Encoding, HeartbeatFrames, Meaning};
use crate::config::default_id_field;
use crate::error::EncodeError;
use crate::frame::Payload;

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
            max_depth: 128,
        }
    }
}

/// The dialect of servers that speak JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json {
    config: JsonConfig,
}

impl Json {
    /// The dialect with this configuration.
    #[must_use]
    pub fn new(config: JsonConfig) -> Self {
        Self { config }
    }
}

impl Dialect for Json {
    fn decode(&mut self, payload: Payload) -> Meaning {
        Meaning::Message { payload, id: None }
    }

    fn encode(
        &mut self,
        payload: Payload,
        context: Encoding,
    ) -> Result<Encoded, (Payload, EncodeError)> {
        Ok(Encoded { payload, id: context.id.filter(|_| self.config.envelope) })
    }
}
