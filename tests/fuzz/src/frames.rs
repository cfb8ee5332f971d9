//! Frames and settings for the dialects, so that the fuzzer need not find their grammars.

use arbitrary::Arbitrary;
use perennial_core::{
    Bytes, DialectConfig, EventStreamConfig, HeartbeatFrames, JsonConfig, Payload, SocketIoConfig,
};
use serde_json::Value;

#[derive(Arbitrary, Debug)]
pub(super) enum Settings<'a> {
    Plain,
    Text {
        ping: &'a str,
        pong: &'a str,
    },
    Json(JsonSettings<'a>),
    /// The default, so that the fuzzer need not find it.
    DefaultJson,
    SocketIo {
        namespace: Option<&'a str>,
        flags: u8,
    },
    EventStream {
        fields: bool,
    },
}

#[derive(Arbitrary, Debug)]
pub(super) struct JsonSettings<'a> {
    heartbeat: Heartbeat<'a>,
    id_field: Option<&'a str>,
    envelope: bool,
    acks: bool,
    acknowledge: bool,
    max_depth: u8,
    warn_unreadable: bool,
}

#[derive(Arbitrary, Debug)]
pub(super) enum Heartbeat<'a> {
    None,
    Literals { ping: &'a str, pong: &'a str },
    Json { ping: &'a str, pong: &'a str, timestamp: bool },
}

#[derive(Arbitrary, Debug)]
pub(super) enum Frame<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    /// A JSON object, so that the fuzzer need not find the grammar.
    Object(Vec<(Name<'a>, Content<'a>)>),
    /// A packet of Socket.IO, likewise.
    Packet {
        kind: u8,
        named: bool,
        id: Option<u64>,
        body: Vec<Content<'a>>,
    },
    /// An event stream.
    Stream(Vec<(Line<'a>, u8)>),
}

#[derive(Arbitrary, Debug)]
pub(super) enum Line<'a> {
    Empty,
    Data(&'a str),
    Event(&'a str),
    Id(&'a str),
    Retry(u16),
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
pub(super) enum Name<'a> {
    Id,
    EscapedId,
    ConfiguredId,
    Type,
    Ack,
    Cumulative,
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
pub(super) enum Content<'a> {
    Integer(u64),
    Negative(i64),
    Fraction(u8),
    Exponent(i16),
    TooLarge,
    Bool(bool),
    Null,
    Ping,
    Pong,
    Ack,
    String(&'a str),
    Nest(u8),
}

impl Frame<'_> {
    pub(super) fn payload(&self, id_field: &str, namespace: &str) -> Payload {
        match self {
            Frame::Text(text) => Payload::Text((*text).into()),
            Frame::Binary(bytes) => Payload::Binary(Bytes::copy_from_slice(bytes)),
            Frame::Object(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, content)| format!("{}:{}", name.json(id_field), content.json()))
                    .collect();
                Payload::Text(format!("{{{}}}", fields.join(",")).into())
            }
            Frame::Packet { kind, named, id, body } => {
                let kinds =
                    ["0", "1", "2", "3", "40", "41", "42", "43", "44", "45", "46", "5", "7"];
                let kind = kinds[usize::from(*kind) % kinds.len()];
                let name = if *named { format!("{namespace},") } else { String::new() };
                let id = id.map_or(String::new(), |id| id.to_string());
                let body = match &body[..] {
                    [] => String::new(),
                    [Content::Null] => String::from("{}"),
                    parts => {
                        let parts: Vec<_> = parts.iter().map(Content::json).collect();
                        format!("[{}]", parts.join(","))
                    }
                };
                Payload::Text(format!("{kind}{name}{id}{body}").into())
            }
            Frame::Stream(lines) => {
                let text = lines.iter().map(|(line, end)| {
                    let end = ["\n", "\r", "\r\n", "\n\n"][usize::from(*end % 4)];
                    match line {
                        Line::Empty => String::from(end),
                        Line::Data(value) => format!("data: {value}{end}"),
                        Line::Event(value) => format!("event:{value}{end}"),
                        Line::Id(value) => format!("id: {value}{end}"),
                        Line::Retry(value) => format!("retry: {value}{end}"),
                        Line::Other(value) => format!("{value}{end}"),
                    }
                });
                Payload::Text(text.collect::<String>().into())
            }
        }
    }
}

impl Name<'_> {
    fn json(&self, id_field: &str) -> String {
        match self {
            Name::Id => String::from(r#""id""#),
            Name::EscapedId => String::from(r#""\u0069d""#),
            Name::ConfiguredId => Value::from(id_field).to_string(),
            Name::Type => String::from(r#""type""#),
            Name::Ack => String::from(r#""ack""#),
            Name::Cumulative => String::from(r#""cumulative""#),
            Name::Other(name) => Value::from(*name).to_string(),
        }
    }
}

impl Content<'_> {
    fn json(&self) -> String {
        match self {
            Content::Integer(number) => number.to_string(),
            Content::Negative(number) => number.to_string(),
            Content::Fraction(number) => format!("{number}.0"),
            Content::Exponent(number) => format!("1e{number}"),
            Content::TooLarge => String::from("18446744073709551616"),
            Content::Bool(value) => value.to_string(),
            Content::Null => String::from("null"),
            Content::Ping => String::from(r#""ping""#),
            Content::Pong => String::from(r#""pong""#),
            Content::Ack => String::from(r#""ack""#),
            Content::String(text) => Value::from(*text).to_string(),
            Content::Nest(depth) => {
                let depth = usize::from(*depth);
                "[".repeat(depth) + "0" + &"]".repeat(depth)
            }
        }
    }
}

impl Settings<'_> {
    pub(super) fn config(&self) -> DialectConfig {
        match self {
            Settings::Plain => DialectConfig::Plain,
            Settings::Text { ping, pong } => {
                DialectConfig::Text { ping: (*ping).into(), pong: (*pong).into() }
            }
            Settings::Json(json) => DialectConfig::Json(json.config()),
            Settings::DefaultJson => DialectConfig::Json(JsonConfig::default()),
            Settings::SocketIo { namespace, flags } => DialectConfig::SocketIo(SocketIoConfig {
                namespace: namespace.unwrap_or("/").into(),
                acknowledge: flags & 1 != 0,
                handshake: flags & 2 != 0,
            }),
            Settings::EventStream { fields } => {
                DialectConfig::EventStream(EventStreamConfig { fields: *fields })
            }
        }
    }
}

impl JsonSettings<'_> {
    fn config(&self) -> JsonConfig {
        let heartbeat = match self.heartbeat {
            Heartbeat::None => HeartbeatFrames::None,
            Heartbeat::Literals { ping, pong } => {
                HeartbeatFrames::Literals { ping: ping.into(), pong: pong.into() }
            }
            Heartbeat::Json { ping, pong, timestamp } => {
                HeartbeatFrames::Json { ping: ping.into(), pong: pong.into(), timestamp }
            }
        };
        JsonConfig {
            heartbeat,
            id_field: self.id_field.unwrap_or("id").into(),
            envelope: self.envelope,
            acks: self.acks,
            acknowledge: self.acknowledge,
            max_depth: self.max_depth.into(),
            warn_unreadable: self.warn_unreadable,
        }
    }
}
