//! The event stream dialect from outside.

use alloc::string::ToString;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::stand_ins::stands;
use super::*;
use crate::config::Class;

fn plain() -> EventStream {
    EventStream::new(EventStreamConfig::default())
}

fn with_fields() -> EventStream {
    EventStream::new(EventStreamConfig { fields: true })
}

fn text(text: &str) -> Payload {
    Payload::Text(text.into())
}

/// The messages in a frame.
#[track_caller]
fn messages(mut dialect: EventStream, frame: &str) -> Vec<String> {
    let said = |payload: Payload| String::from(payload.as_text().expect("text stays text"));
    match dialect.decode(text(frame)) {
        Meaning::Message { payload, id: None } => [said(payload)].into(),
        Meaning::Messages(payloads) => {
            assert_ne!(payloads.len(), 1, "one message needs no list");
            payloads.into_iter().map(said).collect()
        }
        other => panic!("{frame:?} is {other:?}"),
    }
}

#[test]
fn an_event_is_its_data() {
    for (frame, data) in [
        ("data: hello\n\n", "hello"),
        ("data: hello", "hello"),
        ("data:hello\n\n", "hello"),
        ("data:  two\n\n", " two"),
        ("data\n\n", ""),
        ("data:\n\n", ""),
        ("data: a\ndata: b\ndata:\ndata: c\n\n", "a\nb\n\nc"),
        ("data\ndata\n\n", "\n"),
        ("event: x\nid: 5\ndata: a\nretry: 10\n\n", "a"),
        (": comment\ndata: a:b\n\n", "a:b"),
        ("data: {\"a\":1}\n\n", "{\"a\":1}"),
        ("data: é🌱\n\n", "é🌱"),
        ("dat: x\ndata: a\ndatax: y\nData: z\n data: w\n\n", "a"),
    ] {
        assert_eq!(messages(plain(), frame), [data], "{frame:?}");
    }
}

#[test]
fn lines_end_in_cr_lf_or_both_and_a_byte_order_mark_is_passed_over() {
    for frame in [
        "data: a\ndata: b\n\n",
        "data: a\r\ndata: b\r\n\r\n",
        "data: a\rdata: b\r\r",
        "data: a\r\ndata: b\n\r",
        "data: a\rdata: b",
        "\u{feff}data: a\ndata: b\n\n",
    ] {
        assert_eq!(messages(plain(), frame), ["a\nb"], "{frame:?}");
    }
    // Only one, and only at the front.
    assert_eq!(messages(plain(), "\u{feff}\u{feff}data: a\ndata: b\n\n"), ["b"]);
    assert_eq!(messages(plain(), "data: a\n\u{feff}data: b\n\n"), ["a"]);
}

#[test]
fn a_frame_may_hold_several_events_or_none() {
    let several = "data: a\n\n: x\n\n\ndata: b\nid: 1\n\ndata: c";
    assert_eq!(messages(plain(), several), ["a", "b", "c"]);
    for none in [
        "",
        "\n",
        "\r\n\r\n",
        ":",
        ": keep-alive\n\n",
        ":\n:\n",
        "retry: 3000\n\n",
        "id: 5\n\n",
        "event: ping\n\n",
        "id: \0\n\n",
        "id\n",
        "\u{feff}",
        "foo: bar\n: comment\n\n",
    ] {
        assert!(messages(plain(), none).is_empty(), "{none:?}");
    }
}

#[test]
fn one_line_of_data_is_not_copied() {
    let frame = ByteString::from("event: x\ndata: hello\n\n");
    let Meaning::Message { payload, .. } = plain().decode(Payload::Text(frame.clone())) else {
        panic!("no message");
    };
    assert_eq!(payload.as_bytes().as_ptr(), frame[15..].as_ptr());
}

#[test]
fn with_fields_a_message_says_what_it_is_called_and_where_to_resume() {
    for (frame, message) in [
        ("data: a\n\n", r#"{"event":"message","data":"a"}"#),
        ("event:\ndata: a\n\n", r#"{"event":"message","data":"a"}"#),
        ("event: x\nid: 5\ndata: a\n\n", r#"{"event":"x","data":"a","id":"5"}"#),
        ("event: x\nevent: y\nid: 5\nid\ndata: a\n\n", r#"{"event":"y","data":"a","id":""}"#),
        ("id: 5\nid: a\0b\ndata: a\n\n", r#"{"event":"message","data":"a","id":"5"}"#),
        ("data: \"\\\t\ndata: \u{1}\n\n", r#"{"event":"message","data":"\"\\\t\n\u0001"}"#),
    ] {
        assert_eq!(messages(with_fields(), frame), [message], "{frame:?}");
    }
    let two = messages(with_fields(), "event: x\nid: 5\ndata: a\n\ndata: b\n\n");
    assert_eq!(two[1], r#"{"event":"message","data":"b"}"#, "nothing is handed on");
    // Without data there is no event to be called anything.
    assert_eq!(messages(with_fields(), "event: x\n\ndata: b\n\n"), [two[1].as_str()]);
}

#[test]
fn what_is_no_stream_is_passed_on_with_a_reason() {
    let unreadable = |payload: Payload, why: &str| {
        let meaning = plain().decode(payload.clone());
        assert_eq!(meaning, Meaning::Unreadable { payload, detail: why.into() });
    };
    for frame in ["hello", "{\"data\":1}", "foo: bar\n\n", "\u{feff}hello\n", " : x"] {
        unreadable(text(frame), "no field of an event stream from byte 0 on");
    }
    unreadable(Payload::from(&b"data: a"[..]), "binary data in an event stream at byte 0");
    let event = "data: a\n\n";
    let most = event.repeat(EventStream::MAX_EVENTS);
    assert_eq!(messages(plain(), &most).len(), EventStream::MAX_EVENTS);
    let why = format!("more than 256 events at byte {}", most.len() + event.len() - 1);
    unreadable(text(&event.repeat(EventStream::MAX_EVENTS + 1)), &why);
}

#[test]
fn nothing_is_sent() {
    let mut dialect = plain();
    for class in [Class::Volatile, Class::Queued, Class::Acknowledged] {
        let context = Encoding { id: Some(1), unix_ms: 0, class };
        for payload in [text("data: a\n\n"), Payload::from(&[1_u8][..])] {
            let refused = dialect.encode(payload.clone(), context);
            assert_eq!(refused, Err((payload, EncodeError::OneWay)));
        }
    }
    assert!(!dialect.rewrites() && !dialect.has_heartbeat());
    assert_eq!((dialect.ping(0), dialect.pong(0), dialect.ack(1)), (None, None, None));
    assert_eq!(dialect.greeting(), None);
}

/// Lines of a stream, and what is none.
fn streams() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => prop::sample::select(&[
            "data: a", "data:b", "data", "data:  c\"\\", "event: x", "event", "id: 5", "id", "id: \0x",
            "retry: 10", ": comment", ":", "", "", "foo: bar", "data: \u{1}\u{0}\t", "hello",
        ]).prop_map(String::from),
        1 => "data: .{0,8}",
        1 => ".{0,8}",
    ];
    let end = prop::sample::select(&["\n", "\r\n", "\r", "\n\n"]);
    let lines = prop::collection::vec((line, end), 0..10);
    let mark = prop::sample::select(&["", "", "\u{feff}"]);
    (mark, lines).prop_map(|(mark, lines)| {
        lines.into_iter().fold(String::from(mark), |text, (line, end)| text + &line + end)
    })
}

/// The events of a stream by the letter of the standard's section 9.2.6, on characters.
fn by_the_standard(stream: &str) -> Vec<Value> {
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream);
    let stream = stream.replace("\r\n", "\n").replace('\r', "\n") + "\n\n";
    let (mut data, mut kind, mut id) = (String::new(), String::new(), None);
    let mut events = Vec::new();
    for line in stream.split('\n') {
        if line.is_empty() {
            if !data.is_empty() {
                data.pop();
                let kind = if kind.is_empty() { "message" } else { &kind };
                let mut event = json!({ "event": kind, "data": data });
                if let Some(id) = id {
                    event["id"] = Value::from(id);
                }
                events.push(event);
            }
            (data, kind, id) = (String::new(), String::new(), None);
            continue;
        }
        let at = line.find(':');
        let (field, value) = at.map_or((line, ""), |at| (&line[..at], &line[at + 1..]));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => kind = value.to_string(),
            "data" => data = data + value + "\n",
            "id" if !value.contains('\0') => id = Some(value),
            _ => {}
        }
    }
    events
}

proptest! {
    #![proptest_config(crate::testing::cases())]

    #[test]
    fn a_stream_is_read_by_the_letter(stream in streams()) {
        let expected = by_the_standard(&stream);
        let meaning = with_fields().decode(text(&stream));
        if matches!(meaning, Meaning::Unreadable { .. }) {
            prop_assert!(expected.is_empty());
            return Ok(());
        }
        let read = |text: &String| serde_json::from_str::<Value>(text).expect("JSON");
        let events: Vec<Value> = messages(with_fields(), &stream).iter().map(read).collect();
        let data: Vec<_> = expected.iter().map(|event| event["data"].as_str().expect("text")).collect();
        prop_assert_eq!(&messages(plain(), &stream), &data);
        prop_assert_eq!(events, expected);
    }

    #[test]
    fn what_stands_for_a_stream_is_read_likewise(stream in streams(), label: u64) {
        for mut dialect in [plain(), with_fields()] {
            stands(&mut dialect, &text(&stream), label);
        }
    }

    #[test]
    fn nothing_of_it_is_left(secret in "[0-9a-zA-Z]{12,20}x", n in 0..8_u8) {
        let original = match n {
            0 => secret.clone(),
            1 => format!("data: {secret}\n\n"),
            2 => format!("data: a\ndata:{secret}"),
            3 => format!("event: {secret}\ndata: a\n\n"),
            4 => format!("id: {secret}\n\n"),
            5 => format!("id: \0{secret}\n\n"),
            6 => format!(": {secret}\r"),
            _ => format!("{secret}: x\ndata"),
        };
        for dialect in [plain(), with_fields()] {
            for way in [Way::Sent, Way::Received] {
                let payload = dialect.redact(&text(&original), way, 1);
                prop_assert!(!payload.as_text().is_some_and(|text| text.contains(&secret)));
            }
        }
    }
}

#[test]
fn what_stands_for_bytes_and_for_too_much_is_read_likewise() {
    for mut dialect in [plain(), with_fields()] {
        stands(&mut dialect, &Payload::from(&b"data: a"[..]), 3);
        stands(&mut dialect, &text(&"data: a\n\n".repeat(EventStream::MAX_EVENTS + 1)), u64::MAX);
    }
}
