//! What stands for a text in a trace: the shortest text that is read or written likewise, made as
//! long as the original.

use alloc::format;
use alloc::string::{String, ToString as _};
use core::iter::repeat_n;

use super::read::Fields;
use super::write;
use super::{Json, Reading};
use crate::dialect::redact::{self, filler};
use crate::dialect::{HeartbeatFrames, Meaning, Way};
use crate::frame::Payload;
use crate::json::{self, Escapes};

impl Json {
    pub(super) fn stand_in(&self, payload: &Payload, way: Way, label: u64) -> Payload {
        let Payload::Text(text) = payload else { return filler(payload, label) };
        match way {
            Way::Received => self.received_stand_in(text, payload, label),
            Way::Sent => self.sent_stand_in(text, payload, label),
        }
    }

    fn received_stand_in(&self, text: &str, payload: &Payload, label: u64) -> Payload {
        if self.parts.literals.as_ref().is_some_and(|pair| pair.heartbeat(text).is_some()) {
            // Its words stand in the config.
            return payload.clone();
        }
        let size = text.len();
        let heartbeat = |pong: bool| match &self.parts.config.heartbeat {
            HeartbeatFrames::Json { ping, pong: answer, .. } => {
                write::heartbeat(if pong { answer } else { ping }, None).to_string()
            }
            // Only JSON heartbeats get here.
            HeartbeatFrames::None | HeartbeatFrames::Literals { .. } => String::new(),
        };
        match self.read(text) {
            Reading::Consumed(meaning) => match meaning {
                Meaning::Ping => self.padded(heartbeat(false), size),
                Meaning::Pong => self.padded(heartbeat(true), size),
                Meaning::Ack { id, cumulative: false } => {
                    self.padded(write::ack(id).to_string(), size)
                }
                Meaning::Ack { id, cumulative: true } => {
                    self.padded(format!(r#"{{"ack":{id},"cumulative":true}}"#), size)
                }
                Meaning::BadAck => self.padded(String::from(r#"{"ack":-1}"#), size),
                // These are not consumed.
                Meaning::Message { .. }
                | Meaning::Unreadable { .. }
                | Meaning::Messages(_)
                | Meaning::Admission { .. } => filler(payload, label),
            },
            Reading::Message { id: Some(id) } => self.with_id(id, size),
            Reading::Message { id: None } => {
                let is_json = self.parts.config.warn_unreadable;
                self.harmless(label, |label| match payload {
                    Payload::Text(_) if is_json => Payload::from(value(size, label)),
                    Payload::Text(_) | Payload::Binary(_) => filler(payload, label),
                })
            }
            // No filler is JSON.
            Reading::NoJson => self.harmless(label, |label| filler(payload, label)),
            Reading::TooDeep { at } => too_deep(at, self.parts.config.max_depth, size),
        }
    }

    fn sent_stand_in(&self, text: &str, payload: &Payload, label: u64) -> Payload {
        if !self.parts.config.envelope {
            return filler(payload, label);
        }
        let size = text.len();
        let object = Fields::read(text, &self.parts.config.id_field, usize::MAX);
        if let Some(id) = object.and_then(|fields| fields.id()) {
            return self.with_id(id, size);
        }
        let stand_in = if object.is_some() || json::is_array_or_scalar(text, usize::MAX) {
            value(size, label)
        } else {
            words(text, label)
        };
        Payload::from(stand_in)
    }

    /// What is filled so, with a label that makes no heartbeat of it.
    fn harmless(&self, label: u64, fill: impl Fn(u64) -> Payload) -> Payload {
        match &self.parts.literals {
            Some(pair) => pair.harmless(label, fill),
            None => fill(label),
        }
    }

    /// An object with this id and nothing else.
    fn with_id(&self, id: u64, size: usize) -> Payload {
        self.padded(format!("{}{id}}}", self.parts.envelope_head), size)
    }

    /// White space around an object, or before its end, changes no meaning, unless it makes a
    /// literal of it: there are two of those, and more ways to pad.
    fn padded(&self, text: String, size: usize) -> Payload {
        let room = size.saturating_sub(text.len());
        let with = |before: usize| {
            let mut padded = String::with_capacity(size);
            padded.extend(repeat_n(' ', before));
            padded.push_str(&text);
            padded.extend(repeat_n(' ', room - before));
            padded
        };
        let is_literal = |text: &str| {
            self.parts.literals.as_ref().is_some_and(|pair| pair.heartbeat(text).is_some())
        };
        let within = text.strip_suffix('}').map(|head| format!("{head}{:room$}}}", ""));
        let padded = (0..=room.min(2)).map(with).chain(within).find(|text| !is_literal(text));
        Payload::from(padded.unwrap_or(text))
    }
}

/// A JSON value that is no object.
fn value(size: usize, label: u64) -> String {
    if size < 3 {
        // Below 10. As a string there would be no room for the label.
        let digit = char::from(b'0' + (label % 10) as u8);
        let head = if size < 2 { "" } else { "1" };
        return head.chars().chain([digit]).take(size).collect();
    }
    let mut value = String::with_capacity(size);
    value.push('"');
    redact::push(&mut value, size - 2, label);
    value.push('"');
    value
}

/// Text that is no JSON and takes as many escapes as `text`, in an envelope.
fn words(text: &str, label: u64) -> String {
    let Escapes { letters, codes } = json::escapes(text);
    let mut words = redact::text(text.len() - letters - codes, label);
    words.extend(repeat_n('\\', letters));
    words.extend(repeat_n('\u{1}', codes));
    words
}

/// Text that nests deeper than `max_depth` first at the byte `at`, which is at least `max_depth`.
fn too_deep(at: usize, max_depth: usize, size: usize) -> Payload {
    let mut text = String::with_capacity(size);
    text.push('{');
    text.extend(repeat_n('[', max_depth.saturating_sub(1)));
    text.extend(repeat_n(' ', at.saturating_sub(text.len())));
    text.push('[');
    text.extend(repeat_n(' ', size.saturating_sub(text.len())));
    Payload::from(text)
}
