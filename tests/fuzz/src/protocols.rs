//! A second reading of Socket.IO and of event streams, the short way.

use perennial_core::{Class, DialectConfig, Encoded, Encoding, Meaning, Payload, SocketIoConfig};
use serde_json::Value;

use super::grammar;

const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// The dialect must have read the payload as this does.
pub(super) fn agree(config: &DialectConfig, payload: &Payload, meaning: &Meaning) {
    let Some(text) = payload.as_text() else { return };
    match config {
        DialectConfig::SocketIo(config) => socket_io(config, text, meaning),
        DialectConfig::EventStream(config) => event_stream(config.fields, text, meaning),
        DialectConfig::Plain
        | DialectConfig::Text { .. }
        | DialectConfig::Json(_)
        | DialectConfig::Custom => {}
    }
}

/// What `serde_json` makes of a text; `None` where it makes nothing of what is JSON all the same,
/// such as too large a number, too deep a nest, or half a surrogate pair.
fn value(text: &str) -> Option<Option<Value>> {
    match serde_json::from_str(text) {
        Ok(value) => Some(Some(value)),
        Err(_) if grammar::is_value(text) => None,
        Err(_) => Some(None),
    }
}

fn is_event(value: &Value) -> bool {
    match value.as_array().and_then(|array| array.first()) {
        Some(Value::String(name)) => !RESERVED.contains(&name.as_str()),
        Some(Value::Number(_)) => true,
        Some(_) | None => false,
    }
}

/// Whether a text is an event, as far as `serde_json` can tell.
pub(super) fn is_surely_an_event(text: &str) -> bool {
    value(text).flatten().as_ref().is_some_and(is_event)
}

fn socket_io(config: &SocketIoConfig, text: &str, meaning: &Meaning) {
    let unread = matches!(meaning, Meaning::Unreadable { .. });
    let says = |body: &str| {
        let body = Payload::from(body.to_owned());
        matches!(meaning, Meaning::Message { payload, id: None } if *payload == body)
    };
    let nothing = || *meaning == Meaning::Messages(Vec::new());
    let admission = |text: String, admits| {
        let payload = Payload::from(text);
        assert_eq!(*meaning, Meaning::Admission { payload, admits });
    };
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some('0'), _) => {
            let body = &text[1..];
            match value(body) {
                Some(Some(Value::Object(_))) if config.handshake => assert!(says(body)),
                Some(Some(Value::Object(_))) => assert!(nothing()),
                Some(_) => assert!(unread),
                None => {}
            }
            return;
        }
        (Some('1'), _) => {
            return admission(r#"["disconnect","transport close"]"#.into(), false);
        }
        (Some('2'), _) => return assert_eq!(*meaning, Meaning::Ping),
        (Some('3'), _) => return assert_eq!(*meaning, Meaning::Pong),
        (Some('5' | '6'), _) => return assert!(nothing()),
        (Some('4'), Some('0'..='4')) => {}
        _ => return assert!(unread),
    }
    let (kind, rest) = (text.as_bytes()[1], &text[2..]);
    let (namespace, rest) = match rest.strip_prefix('/') {
        Some(_) => rest.split_once(',').unwrap_or((rest, "")),
        None => ("/", rest),
    };
    if namespace != config.namespace {
        return assert!(unread);
    }
    let body = match kind {
        b'2' | b'3' => rest.trim_start_matches(|letter: char| letter.is_ascii_digit()),
        _ => rest,
    };
    let digits = &rest[..rest.len() - body.len()];
    let number: Option<u64> = digits.parse().ok();
    if kind == b'3' && number.is_none() {
        return assert_eq!(*meaning, Meaning::BadAck);
    }
    if kind == b'2' && number.is_none() && !digits.is_empty() {
        return assert!(unread);
    }
    let Some(value) = value(body) else { return };
    match (kind, number, value) {
        (b'0', _, Some(Value::Object(_))) => admission(format!(r#"["connect",{body}]"#), true),
        (b'1', ..) if body.is_empty() => {
            admission(r#"["disconnect","io server disconnect"]"#.into(), false);
        }
        (b'2', id, Some(value)) if is_event(&value) => {
            let payload = Payload::from(body.to_owned());
            assert_eq!(*meaning, Meaning::Message { payload, id });
        }
        (b'3', Some(id), Some(Value::Array(_))) => {
            assert_eq!(*meaning, Meaning::Ack { id, cumulative: false });
        }
        (b'3', Some(id), _) if body.is_empty() => {
            assert_eq!(*meaning, Meaning::Ack { id, cumulative: false });
        }
        (b'4', ..) if body.is_empty() => admission(r#"["connect_error"]"#.into(), false),
        (b'4', _, Some(Value::Object(_) | Value::String(_))) => {
            admission(format!(r#"["connect_error",{body}]"#), false);
        }
        _ => assert!(unread, "{text:?} is {meaning:?}"),
    }
}

/// What went out must be the event that was sent.
pub(super) fn is_written(
    config: &SocketIoConfig,
    payload: &Payload,
    encoded: &Encoded,
    context: Encoding,
) {
    let text = payload.as_text().expect("only text is an event");
    let frame = encoded.payload.as_text().expect("an event is text");
    let name = match config.namespace.as_str() {
        "/" => String::new(),
        name => format!("{name},"),
    };
    let id = match context.class {
        Class::Acknowledged => context.id,
        Class::Volatile | Class::Queued => None,
    };
    assert_eq!(encoded.id, id);
    let id = id.map_or(String::new(), |id| id.to_string());
    let body = text.trim_start_matches([' ', '\t', '\n', '\r']);
    assert_eq!(frame, format!("42{name}{id}{body}"));
    assert!(grammar::is_value(text));
}

/// The standard's algorithm, on a text that has been made simpler first.
fn event_stream(fields: bool, text: &str, meaning: &Meaning) {
    let stream = text.strip_prefix('\u{feff}').unwrap_or(text);
    let stream = stream.replace("\r\n", "\n").replace('\r', "\n") + "\n\n";
    let mut events = Vec::new();
    let mut lines = 0;
    for block in stream.split("\n\n") {
        let (mut data, mut name, mut id) = (Vec::new(), "", None);
        for line in block.split('\n') {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            lines += usize::from(!line.is_empty());
            match field {
                "data" => data.push(value),
                "event" => name = value,
                "id" if !value.contains('\0') => id = Some(value),
                _ => {}
            }
        }
        if !data.is_empty() {
            let name = if name.is_empty() { "message" } else { name };
            events.push((name, data.join("\n"), id));
        }
    }
    let said: Vec<&Payload> = match meaning {
        Meaning::Message { payload, id: None } => vec![payload],
        Meaning::Messages(payloads) => payloads.iter().collect(),
        Meaning::Unreadable { .. } => {
            return assert!(events.len() > 256 || events.is_empty() && lines > 0);
        }
        other => panic!("a stream is {other:?}"),
    };
    assert_eq!(said.len(), events.len());
    for (said, (name, data, id)) in said.into_iter().zip(events) {
        let said = said.as_text().expect("text stays text");
        if !fields {
            assert_eq!(said, data);
            continue;
        }
        let said: Value = serde_json::from_str(said).expect("an object");
        assert_eq!(said["event"].as_str(), Some(name));
        assert_eq!(said["data"].as_str(), Some(&*data));
        assert_eq!(said.get("id").and_then(Value::as_str), id);
    }
}
