//! Arbitrary frames against every built-in dialect, under arbitrary settings.
//!
//! Nothing may panic, a message must come out as it went in, and what a dialect writes it must be able
//! to read. The JSON dialect must have read what a second reading of `docs/PROTOCOL.md` finds, by the
//! grammar alone and, where `serde_json` makes a value of a text, in that; those of Socket.IO and event
//! streams what `protocols` finds. What stands for a payload in a trace must be read and written like
//! the payload.

use arbitrary::Arbitrary;
use perennial_core::{
    BuiltIn, Class, Config, Dialect, DialectConfig, EncodeError, Encoding, HeartbeatFrames, Json,
    JsonConfig, Meaning, Payload, Way,
};
use serde_json::Value;

use super::frames::{Frame, Settings};
use super::{grammar, protocols};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    settings: Settings<'a>,
    id: Option<u64>,
    unix_ms: u64,
    class: u8,
    frames: Vec<Frame<'a>>,
}

/// See the module.
///
/// # Panics
/// If a dialect reads or writes something as it should not.
pub fn run(input: &[u8]) {
    let Some(input) = super::structured::<Input<'_>>(input) else { return };
    let config = input.settings.config();
    let mut dialect = BuiltIn::new(&config);
    let mut whole = Config::builder();
    whole.dialect = config.clone();
    // Others must not panic either, and that is all that is said of them.
    let is_valid = whole.build().is_ok();
    let class = match input.class % 3 {
        0 => Class::Volatile,
        1 => Class::Queued,
        _ => Class::Acknowledged,
    };
    let context = Encoding { id: input.id, unix_ms: input.unix_ms, class };

    let (id_field, namespace) = match &config {
        DialectConfig::Plain
        | DialectConfig::Text { .. }
        | DialectConfig::EventStream(_)
        | DialectConfig::Custom => ("id", "/"),
        DialectConfig::Json(json) => (&*json.id_field, "/"),
        DialectConfig::SocketIo(config) => ("id", &*config.namespace),
    };
    for frame in &input.frames {
        let payload = frame.payload(id_field, namespace);
        let meaning = dialect.decode(payload.clone());
        match &meaning {
            // What these make of a frame is another text: see below.
            Meaning::Message { .. } if is_protocol(&config) => {}
            Meaning::Message { payload: passed, .. }
            | Meaning::Unreadable { payload: passed, .. } => assert_eq!(*passed, payload),
            Meaning::Messages(_) | Meaning::Admission { .. } => assert!(is_protocol(&config)),
            Meaning::Ping | Meaning::Pong | Meaning::Ack { .. } | Meaning::BadAck => {}
        }
        let again = dialect.decode(payload.clone());
        assert_eq!(again, meaning, "the same frame was read in two ways");
        if let (DialectConfig::Json(json), Some(text)) = (&config, payload.as_text()) {
            agrees(json, text, &meaning);
            if is_valid {
                assert_eq!(meaning, by_the_grammar(json, text));
            }
        }
        if is_valid {
            protocols::agree(&config, &payload, &meaning);
            stands_in(&mut dialect, &payload, &meaning, context);
        }
        encodes(&config, &mut dialect, &payload, context);
    }
    writes(&config, &mut dialect, context);
}

/// Whether the dialect is one whose frames are more than their messages.
fn is_protocol(config: &DialectConfig) -> bool {
    matches!(config, DialectConfig::SocketIo(_) | DialectConfig::EventStream(_))
}

/// What `serde_json` makes of a top-level field.
fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.as_object()?.get(name)
}

/// Whether the names are ones that a config may have.
fn ordinary(json: &JsonConfig) -> bool {
    !["", "type", "data", "timestamp", "ack", "cumulative"].contains(&json.id_field.as_str())
}

/// The JSON dialect must have read `text` as `serde_json` does, where that can read it.
fn agrees(json: &JsonConfig, text: &str, meaning: &Meaning) {
    if matches!(meaning, Meaning::Unreadable { .. }) {
        if json.warn_unreadable && serde_json::from_str::<Value>(text).is_err() {
            return;
        }
        assert!(text.bytes().filter(|byte| b"{[".contains(byte)).count() > json.max_depth);
        return;
    }
    if !ordinary(json) {
        return;
    }
    if let HeartbeatFrames::Literals { ping, pong } = &json.heartbeat {
        if text == pong {
            return assert_eq!(*meaning, Meaning::Pong);
        }
        if text == ping {
            return assert_eq!(*meaning, Meaning::Ping);
        }
    }
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    let kind = field(&value, "type");
    let is_kind = |name: &str| kind.and_then(Value::as_str) == Some(name);
    if let HeartbeatFrames::Json { ping, pong, .. } = &json.heartbeat {
        if is_kind(pong) {
            return assert_eq!(*meaning, Meaning::Pong);
        }
        if is_kind(ping) {
            return assert_eq!(*meaning, Meaning::Ping);
        }
    }
    let places: &[&str] = match kind {
        _ if !json.acks => &[],
        None => &["ack"],
        Some(_) if is_kind("ack") => &["ack", json.id_field.as_str(), "id"],
        Some(_) => &[],
    };
    let number = places.iter().filter_map(|name| field(&value, name)).find(|n| n.is_number());
    match number.map(Value::as_u64) {
        Some(Some(id)) => {
            let cumulative = field(&value, "cumulative") == Some(&Value::Bool(true));
            assert_eq!(*meaning, Meaning::Ack { id, cumulative });
        }
        Some(None) => assert_eq!(*meaning, Meaning::BadAck),
        None => {
            let expected = field(&value, &json.id_field).and_then(Value::as_u64);
            let Meaning::Message { id, .. } = meaning else {
                panic!("a message was taken for {meaning:?}");
            };
            assert_eq!(*id, expected);
        }
    }
}

/// What `docs/PROTOCOL.md` says of a received text, in its order.
fn by_the_grammar(json: &JsonConfig, text: &str) -> Meaning {
    let message = |id| Meaning::Message { payload: Payload::from(text.to_owned()), id };
    if let HeartbeatFrames::Literals { ping, pong } = &json.heartbeat {
        if text == pong {
            return Meaning::Pong;
        }
        if text == ping {
            return Meaning::Ping;
        }
    }
    let too_deep = |at: usize| {
        let payload = Payload::from(text.to_owned());
        let detail = format!("JSON nests deeper than max_depth {} at byte {at}", json.max_depth);
        Meaning::Unreadable { payload, detail: detail.into() }
    };
    let without_id = || {
        if !json.warn_unreadable {
            return message(None);
        }
        if let Some(at) = deeper(text, json.max_depth) {
            return too_deep(at);
        }
        // As the value of a field, and the only one, so that no object's end is taken for its own.
        let alone = format!(r#"{{"a":{text}}}"#);
        if grammar::fields(&alone).is_none_or(|fields| fields.len() != 1) {
            let payload = Payload::from(text.to_owned());
            return Meaning::Unreadable { payload, detail: "the text is not JSON".into() };
        }
        message(None)
    };
    if !text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{') {
        return without_id();
    }
    if let Some(at) = deeper(text, json.max_depth) {
        return too_deep(at);
    }
    let Some(fields) = grammar::fields(text) else { return without_id() };
    let last = |wanted: &str| {
        let mut fields = fields.iter().rev();
        fields.find(|(name, _)| grammar::is_string(name, wanted)).map(|(_, value)| *value)
    };
    let kind = last("type");
    let is_kind = |name: &str| kind.is_some_and(|token| grammar::is_string(token, name));
    if let HeartbeatFrames::Json { ping, pong, .. } = &json.heartbeat {
        if is_kind(pong) {
            return Meaning::Pong;
        }
        if is_kind(ping) {
            return Meaning::Ping;
        }
    }
    let places: &[&str] = match kind {
        _ if !json.acks => &[],
        None => &["ack"],
        Some(_) if is_kind("ack") => &["ack", &json.id_field, "id"],
        Some(_) => &[],
    };
    let is_number = |token: &&str| token.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    if let Some(number) = places.iter().filter_map(|place| last(place)).find(is_number) {
        return match number.parse() {
            Ok(id) => Meaning::Ack { id, cumulative: last("cumulative") == Some("true") },
            Err(_) => Meaning::BadAck,
        };
    }
    message(last(&json.id_field).and_then(|token| token.parse().ok()))
}

/// At which byte a text nests deeper than that.
fn deeper(text: &str, most: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            // To the end of the string.
            b'"' => loop {
                match bytes.next() {
                    Some((_, b'\\')) => drop(bytes.next()),
                    Some((_, b'"')) | None => break,
                    Some(_) => {}
                }
            },
            b'{' | b'[' if depth == most => return Some(at),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// What stands for a payload in a trace must be as long, and read and written alike.
fn stands_in(dialect: &mut BuiltIn, payload: &Payload, meaning: &Meaning, context: Encoding) {
    let alike = |one: &Payload, other: &Payload| {
        assert_eq!(one.len(), other.len());
        assert_eq!(one.as_text().is_some(), other.as_text().is_some());
    };
    let label = context.unix_ms;
    let received = dialect.redact(payload, Way::Received, label);
    alike(&received, payload);
    assert_eq!(shape(dialect.decode(received)), shape(meaning.clone()));

    let sent = dialect.redact(payload, Way::Sent, label);
    alike(&sent, payload);
    match (dialect.encode(payload.clone(), context), dialect.encode(sent, context)) {
        (Ok(one), Ok(other)) => {
            alike(&one.payload, &other.payload);
            assert_eq!(one.id, other.id);
        }
        (Err((_, one)), Err((_, other))) => assert_eq!(one, other),
        (one, other) => panic!("{one:?} became {other:?}"),
    }
}

/// A meaning with blanks, as long as what it says, in its place.
fn shape(meaning: Meaning) -> Meaning {
    let blank = |payload: Payload| Payload::from(vec![0; payload.len()]);
    match meaning {
        Meaning::Message { payload, id } => Meaning::Message { payload: blank(payload), id },
        Meaning::Unreadable { payload, detail } => {
            Meaning::Unreadable { payload: blank(payload), detail }
        }
        Meaning::Messages(payloads) => Meaning::Messages(payloads.into_iter().map(blank).collect()),
        Meaning::Admission { payload, admits } => {
            Meaning::Admission { payload: blank(payload), admits }
        }
        other @ (Meaning::Ping | Meaning::Pong | Meaning::Ack { .. } | Meaning::BadAck) => other,
    }
}

/// What is sent must carry the message, or the message must come back.
fn encodes(config: &DialectConfig, dialect: &mut BuiltIn, payload: &Payload, context: Encoding) {
    let encoded = match dialect.encode(payload.clone(), context) {
        Ok(encoded) => encoded,
        Err((back, error)) => {
            assert_eq!(back, *payload);
            match error {
                EncodeError::NoAcks => assert_eq!(context.class, Class::Acknowledged),
                EncodeError::BinaryInText => assert_eq!(payload.as_text(), None),
                EncodeError::IdsExhausted => {
                    assert!(context.id.is_none_or(|id| is_protocol(config) && id >= 1 << 53));
                }
                EncodeError::NotAnEvent => {
                    assert!(matches!(config, DialectConfig::SocketIo(_)));
                    assert!(!payload.as_text().is_some_and(protocols::is_surely_an_event));
                }
                EncodeError::OneWay => assert!(matches!(config, DialectConfig::EventStream(_))),
            }
            return;
        }
    };
    if encoded.payload == *payload {
        return;
    }
    if let DialectConfig::SocketIo(config) = config {
        return protocols::is_written(config, payload, &encoded, context);
    }
    let DialectConfig::Json(json) = config else { panic!("the message was changed") };
    let text = payload.as_text().expect("only text is wrapped");
    let envelope = encoded.payload.as_text().expect("an envelope is text");
    assert_eq!(encoded.id, context.id);
    if !ordinary(json) {
        return;
    }
    let content = grammar::fields(envelope).map_or(Vec::new(), |fields| fields);
    let [(_, id), (_, data), (_, timestamp)] = content[..] else { panic!("{envelope}") };
    assert_eq!(Some(id), context.id.map(|id| id.to_string()).as_deref());
    assert_eq!(timestamp, context.unix_ms.to_string());
    if grammar::is_value(text) {
        assert_eq!(data, text.trim_matches([' ', '\t', '\n', '\r']));
    } else {
        assert!(grammar::is_string(data, text));
    }
    // Where `serde_json` reads the content it must read the envelope, and the same content in it:
    // unless that is too large a number or too deep a nest for it.
    match (serde_json::from_str::<Value>(text), serde_json::from_str::<Value>(envelope)) {
        (content, Ok(envelope)) => {
            assert_eq!(envelope[&json.id_field].as_u64(), context.id);
            assert_eq!(envelope["timestamp"].as_u64(), Some(context.unix_ms));
            let content = content.unwrap_or_else(|_| Value::from(text));
            assert_eq!(envelope["data"], content);
        }
        (_, Err(error)) => {
            let message = error.to_string();
            assert!(
                ["recursion limit", "out of range", "surrogate", "hex escape"]
                    .iter()
                    .any(|known| message.contains(known)),
                "{message}"
            );
        }
    }
}

/// What a dialect writes of its own it must know again.
fn writes(config: &DialectConfig, dialect: &mut BuiltIn, context: Encoding) {
    assert_eq!(dialect.has_heartbeat(), config.has_heartbeat());
    let ping = dialect.ping(context.unix_ms);
    let pong = dialect.pong(context.unix_ms);
    assert_eq!(ping.is_some(), dialect.has_heartbeat());
    let answers = dialect.has_heartbeat() || matches!(config, DialectConfig::SocketIo(_));
    assert_eq!(pong.is_some(), answers);
    let readable = match config {
        DialectConfig::Plain
        | DialectConfig::Text { .. }
        | DialectConfig::SocketIo(_)
        | DialectConfig::EventStream(_)
        | DialectConfig::Custom => true,
        DialectConfig::Json(json) => json.max_depth > 0 && json.id_field != "type",
    };
    if let (Some(ping), Some(pong), true) = (ping, pong, readable) {
        let same = dialect.decode(ping.clone()) == dialect.decode(pong.clone());
        assert_eq!(dialect.decode(pong), Meaning::Pong);
        if !same {
            assert_eq!(dialect.decode(ping), Meaning::Ping);
        }
    }
    if let (Some(ack), DialectConfig::Json(json)) = (dialect.ack(context.unix_ms), config) {
        let mut peer = Json::new(JsonConfig {
            heartbeat: HeartbeatFrames::None,
            acks: true,
            max_depth: 1,
            id_field: String::from("id"),
            ..json.clone()
        });
        let expected = Meaning::Ack { id: context.unix_ms, cumulative: false };
        assert_eq!(peer.decode(ack), expected);
    }
}
