//! The JSON dialect from outside: every rule, hostile input, and agreement with `serde_json`.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn json(change: impl FnOnce(&mut JsonConfig)) -> Json {
    let mut config = JsonConfig::default();
    change(&mut config);
    Json::new(config)
}

fn default() -> Json {
    json(|_| {})
}

fn context(id: u64) -> Encoding {
    Encoding { id: Some(id), unix_ms: 1_700_000_000_000, class: Class::Queued }
}

fn text(text: &str) -> Payload {
    Payload::Text(text.into())
}

fn message(payload: &str, id: Option<u64>) -> Meaning {
    Meaning::Message { payload: text(payload), id }
}

fn ack(id: u64, cumulative: bool) -> Meaning {
    Meaning::Ack { id, cumulative }
}

/// What the default dialect writes for `payload`, and under which id.
fn written(dialect: &mut Json, payload: &str, id: u64) -> (String, Option<u64>) {
    let encoded = dialect.encode(text(payload), context(id)).expect("text is writable");
    (encoded.payload.as_text().expect("text stays text").to_string(), encoded.id)
}

#[track_caller]
fn reads(dialect: &mut Json, frame: &str, meaning: Meaning) {
    assert_eq!(dialect.decode(text(frame)), meaning, "{frame}");
}

// Sending.

#[test]
fn an_object_with_an_id_goes_out_unchanged() {
    let mut dialect = default();
    for (own, id) in [
        (r#"{"id":5,"x":1}"#, 5),
        (r#"{"id":0}"#, 0),
        (r#"{"id":18446744073709551615}"#, u64::MAX),
        (" {\n \"x\" : [ {\"id\":1} ] , \"id\" : 7 }\t", 7),
        (r#"{"\u0069d":9}"#, 9),
        (r#"{"id":1,"id":2}"#, 2),
        (r#"{"id":"1","id":2}"#, 2),
        (r#"{"type":"ping","id":3}"#, 3),
    ] {
        let payload = text(own);
        let address = payload.as_bytes().as_ptr();
        let encoded = dialect.encode(payload, context(99)).expect("text is writable");
        assert_eq!(encoded, Encoded { payload: text(own), id: Some(id) }, "{own}");
        assert_eq!(encoded.payload.as_bytes().as_ptr(), address, "{own} was copied");
    }
}

#[test]
fn any_other_text_is_wrapped() {
    let mut dialect = default();
    for value in [
        r#"{"x":1}"#,
        r#"{"id":"5"}"#,
        r#"{"id":-1}"#,
        r#"{"id":-0}"#,
        r#"{"id":1.0}"#,
        r#"{"id":1e3}"#,
        r#"{"id":1e400}"#,
        r#"{"id":18446744073709551616}"#,
        r#"{"id":null}"#,
        r#"{"id":true}"#,
        r#"{"id":[5]}"#,
        r#"{"id":1,"id":"1"}"#,
        r#"{"x":{"id":5}}"#,
        r#"{"ID":5}"#,
        r#"{"x":"\ud800"}"#,
        r#"{"\ud800":1}"#,
        "[1, 2 ,3]",
        "\"text\"",
        "-1.50e+10",
        "1e400",
        "12345678901234567890123456789",
        "true",
        "false",
        "null",
        " [\n] ",
        "{}",
    ] {
        let expected = std::format!(r#"{{"id":7,"data":{value},"timestamp":1700000000000}}"#);
        assert_eq!(written(&mut dialect, value, 7), (expected, Some(7)));
    }
    for (other, quoted) in [
        ("hello", r#""hello""#),
        ("", r#""""#),
        ("  ", r#""  ""#),
        ("no", r#""no""#),
        ("nul", r#""nul""#),
        ("true x", r#""true x""#),
        ("01", r#""01""#),
        ("+1", r#""+1""#),
        (".5", r#"".5""#),
        ("NaN", r#""NaN""#),
        ("{\"id\":5", r#""{\"id\":5""#),
        ("{\"id\":5}}", r#""{\"id\":5}}""#),
        ("{\"id\":5,}", r#""{\"id\":5,}""#),
        ("{\"id\":05}", r#""{\"id\":05}""#),
        ("{\"id\":5} {}", r#""{\"id\":5} {}""#),
        ("{'id':5}", r#""{'id':5}""#),
        ("[1,]", r#""[1,]""#),
        ("\u{feff}{}", "\"\u{feff}{}\""),
        ("a\nb\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}", "\"a\\nb\\r\\t\\b\\f\\u0000\\u001f\u{7f}\""),
        ("é\\\"𝄞\u{2028}", "\"é\\\\\\\"𝄞\u{2028}\""),
    ] {
        let expected = std::format!(r#"{{"id":7,"data":{quoted},"timestamp":1700000000000}}"#);
        assert_eq!(written(&mut dialect, other, 7), (expected, Some(7)));
    }
    // A raw line break within a key or a string is no JSON: it must not go out as JSON.
    for broken in ["{\"a\nb\":1,\"id\":5}", "{\"a\":\"\n\",\"id\":5}", "\"\n\""] {
        let (out, id) = written(&mut dialect, broken, 7);
        assert_eq!(id, Some(7));
        let value: Value = serde_json::from_str(&out).expect("an envelope is JSON");
        assert_eq!(value["data"], broken);
    }
}

#[test]
fn numbers_of_every_size_fit_the_envelope() {
    let mut dialect = default();
    for (id, unix_ms) in [(0, 0), (9, 10), (10, 9), (99, 100), (u64::MAX, u64::MAX)] {
        let context = Encoding { id: Some(id), unix_ms, class: Class::Acknowledged };
        let encoded = dialect.encode(text("1"), context).expect("text is writable");
        let expected = std::format!(r#"{{"id":{id},"data":1,"timestamp":{unix_ms}}}"#);
        assert_eq!(encoded, Encoded { payload: text(&expected), id: Some(id) });
    }
}

#[test]
fn the_id_field_has_the_configured_name() {
    let mut dialect = json(|c| c.id_field = "se\"q\u{1}".to_string());
    let own = r#"{"se\"q\u0001":3,"id":4}"#;
    assert_eq!(written(&mut dialect, own, 7), (own.to_string(), Some(3)));
    assert_eq!(
        written(&mut dialect, r#"{"id":4}"#, 7),
        (r#"{"se\"q\u0001":7,"data":{"id":4},"timestamp":1700000000000}"#.to_string(), Some(7))
    );
    reads(&mut dialect, own, message(own, Some(3)));
    reads(&mut dialect, r#"{"id":4}"#, message(r#"{"id":4}"#, None));
}

#[test]
fn what_cannot_be_written_comes_back() {
    let refused = |dialect: &mut Json, payload: Payload, context: Encoding| {
        let (back, error) = dialect.encode(payload.clone(), context).expect_err("it was written");
        assert_eq!(back, payload);
        error
    };
    let acknowledged = Encoding { class: Class::Acknowledged, ..context(1) };
    let binary = Payload::from(&b"\x00"[..]);

    let mut dialect = default();
    assert_eq!(refused(&mut dialect, binary.clone(), context(1)), EncodeError::BinaryInText);
    assert_eq!(refused(&mut dialect, binary.clone(), acknowledged), EncodeError::BinaryInText);
    let used_up = Encoding { id: None, ..context(1) };
    assert_eq!(refused(&mut dialect, text("x"), used_up), EncodeError::IdsExhausted);
    // A message that brings its own id needs none.
    let own = text(r#"{"id":1}"#);
    assert_eq!(
        dialect.encode(own.clone(), used_up),
        Ok(Encoded { payload: own.clone(), id: Some(1) })
    );

    let mut dialect = json(|c| c.acks = false);
    assert_eq!(refused(&mut dialect, text("x"), acknowledged), EncodeError::NoAcks);
    assert_eq!(refused(&mut dialect, own.clone(), acknowledged), EncodeError::NoAcks);
    assert_eq!(written(&mut dialect, "x", 7).1, Some(7));

    let mut dialect = json(|c| {
        c.acks = false;
        c.envelope = false;
    });
    assert_eq!(refused(&mut dialect, own.clone(), acknowledged), EncodeError::NoAcks);
    for payload in [text("x"), own, binary] {
        for class in [Class::Volatile, Class::Queued] {
            let context = Encoding { class, ..used_up };
            assert_eq!(
                dialect.encode(payload.clone(), context),
                Ok(Encoded { payload: payload.clone(), id: None })
            );
        }
    }
}

// Receiving.

#[test]
fn messages_pass_with_their_id_and_are_not_copied() {
    let mut dialect = default();
    for (frame, id) in [
        (r#"{"id":5,"data":{"a":[1,{"b":2}]},"timestamp":1}"#, Some(5)),
        (r#"{"data":1}"#, None),
        (r#"{"id":"5"}"#, None),
        (r#"{"id":1,"id":2}"#, Some(2)),
        (r#"{"id":1,"id":null}"#, None),
        (r#"{"x":{"id":5}}"#, None),
        (r#"[{"id":5}]"#, None),
        (r#"{"id":18446744073709551615}"#, Some(u64::MAX)),
        (r#"{"id":18446744073709551616}"#, None),
        (r#"{"id":1e400}"#, None),
        (r#"{"id":1.0}"#, None),
        (r#"{"id":-5}"#, None),
        (r#"{"\ud800":1,"id":5}"#, Some(5)),
        (r#"{"id":5,"x":1e999}"#, Some(5)),
        ("\r\n\t {\"id\" :\n5 } ", Some(5)),
        ("hello", None),
        ("", None),
        (" ", None),
        ("{", None),
        ("{}", None),
        ("{\"id\":5", None),
        ("{\"id\":5} x", None),
        ("{\"id\":5}{\"id\":6}", None),
        ("\u{feff}{\"id\":5}", None),
        ("{not json}", None),
        ("{\"a\nb\":1,\"id\":5}", None),
        ("5", None),
        (r#""{\"id\":5}""#, None),
    ] {
        let payload = text(frame);
        let address = payload.as_bytes().as_ptr();
        let Meaning::Message { payload, id: read } = dialect.decode(payload) else {
            panic!("{frame} is no message");
        };
        assert_eq!(read, id, "{frame}");
        assert_eq!(payload, text(frame));
        assert_eq!(payload.as_bytes().as_ptr(), address, "{frame} was copied");
    }
    let binary = Payload::Binary(Bytes::from_static(br#"{"id":5}"#));
    assert_eq!(dialect.decode(binary.clone()), Meaning::Message { payload: binary, id: None });
}

#[test]
fn json_heartbeats_are_consumed() {
    let mut dialect = default();
    for ping in [
        r#"{"type":"ping"}"#,
        r#" { "timestamp" : 1 , "type" : "ping" } "#,
        r#"{"type":"ping","id":5,"ack":6}"#,
        r#"{"type":"\u0070ing"}"#,
        r#"{"\u0074ype":"ping"}"#,
        r#"{"type":"x","type":"ping"}"#,
    ] {
        reads(&mut dialect, ping, Meaning::Ping);
    }
    reads(&mut dialect, r#"{"type":"pong","t":[[]]}"#, Meaning::Pong);
    for other in [
        "ping",
        r#"{"type":"pin"}"#,
        r#"{"type":"pingx"}"#,
        r#"{"type":"PING"}"#,
        r#"{"type":["ping"]}"#,
        r#"{"type":"ping","type":"x"}"#,
        r#"{"data":{"type":"ping"}}"#,
        r#"{"type":"ping""#,
        r#""ping""#,
    ] {
        reads(&mut dialect, other, message(other, None));
    }
    // One name for both: an answer to an answer would never end.
    let mut dialect = json(|c| {
        c.heartbeat = HeartbeatFrames::Json {
            ping: "heartbeat".to_string(),
            pong: "heartbeat".to_string(),
            timestamp: true,
        };
    });
    reads(&mut dialect, r#"{"type":"heartbeat"}"#, Meaning::Pong);
}

#[test]
fn literal_heartbeats_are_consumed() {
    let mut dialect = json(|c| {
        c.heartbeat = HeartbeatFrames::Literals {
            ping: "ping".to_string(),
            pong: r#"{"op":11}"#.to_string(),
        };
    });
    reads(&mut dialect, "ping", Meaning::Ping);
    reads(&mut dialect, r#"{"op":11}"#, Meaning::Pong);
    for other in [" ping", r#"{"op": 11}"#, r#"{"type":"ping"}"#, r#"{"type":"pong"}"#] {
        reads(&mut dialect, other, message(other, None));
    }
    assert_eq!(
        dialect.decode(Payload::from(&b"ping"[..])),
        Meaning::Message { payload: Payload::from(&b"ping"[..]), id: None }
    );
    assert_eq!(dialect.ping(1), Some(text("ping")));
    assert_eq!(dialect.pong(1), Some(text(r#"{"op":11}"#)));
    assert!(dialect.has_heartbeat());
}

#[test]
fn acknowledgements_are_read_in_every_form() {
    let mut dialect = default();
    for (frame, meaning) in [
        (r#"{"ack":5}"#, ack(5, false)),
        (r#"{"ack":0}"#, ack(0, false)),
        (r#"{"ack":18446744073709551615}"#, ack(u64::MAX, false)),
        (r#"{"ack":5,"cumulative":true}"#, ack(5, true)),
        (r#"{"cumulative":true,"ack":5}"#, ack(5, true)),
        (r#"{"ack":5,"cumulative":false}"#, ack(5, false)),
        (r#"{"ack":5,"cumulative":"true"}"#, ack(5, false)),
        (r#"{"ack":5,"cumulative":1}"#, ack(5, false)),
        (r#"{"ack":5,"timestamp":1,"x":{}}"#, ack(5, false)),
        (r#"{"type":"ack","id":5}"#, ack(5, false)),
        (r#"{"id":5,"type":"ack","cumulative":true}"#, ack(5, true)),
        (r#"{"type":"ack","ack":5}"#, ack(5, false)),
        (r#"{"type":"ack","ack":5,"id":6}"#, ack(5, false)),
        (r#"{"type":"ack","ack":"x","id":6}"#, ack(6, false)),
        (r#"{"type":"\u0061ck","id":5}"#, ack(5, false)),
        (r#"{"ack":1,"ack":2}"#, ack(2, false)),
        (r#"{"ack":"x","ack":2}"#, ack(2, false)),
        ("\n{ \"ack\" : 5 }\n", ack(5, false)),
    ] {
        reads(&mut dialect, frame, meaning);
    }
    let huge = std::format!(r#"{{"ack":{}}}"#, "9".repeat(1 << 20));
    for bad in [
        r#"{"ack":-1}"#,
        r#"{"ack":-0}"#,
        r#"{"ack":1.0}"#,
        r#"{"ack":0.5}"#,
        r#"{"ack":1e3}"#,
        r#"{"ack":1E0}"#,
        r#"{"ack":1e400}"#,
        r#"{"ack":18446744073709551616}"#,
        r#"{"ack":18446744073709551616,"cumulative":true}"#,
        r#"{"type":"ack","id":-1}"#,
        r#"{"type":"ack","id":1.5}"#,
        r#"{"type":"ack","ack":1.5,"id":1}"#,
        &huge,
    ] {
        reads(&mut dialect, bad, Meaning::BadAck);
    }
    for (other, id) in [
        (r#"{"ack":"5"}"#, None),
        (r#"{"ack":{"id":5}}"#, None),
        (r#"{"ack":[5]}"#, None),
        (r#"{"ack":null}"#, None),
        (r#"{"ack":true,"id":3}"#, Some(3)),
        (r#"{"ack":1,"ack":"x"}"#, None),
        (r#"{"type":"ack"}"#, None),
        (r#"{"type":"ack","id":"5"}"#, None),
        (r#"{"type":"chat","ack":5,"id":6}"#, Some(6)),
        (r#"{"type":null,"ack":5}"#, None),
        (r#"{"type":"acks","id":5}"#, Some(5)),
        (r#"{"data":{"ack":5}}"#, None),
        (r#"{"ack":05}"#, None),
        (r#"{"ack":+5}"#, None),
        (r#"{"ack":5"#, None),
    ] {
        reads(&mut dialect, other, message(other, id));
    }
}

#[test]
fn an_acknowledgement_may_use_either_name_of_the_id() {
    let mut dialect = json(|c| c.id_field = "seq".to_string());
    reads(&mut dialect, r#"{"type":"ack","seq":5}"#, ack(5, false));
    reads(&mut dialect, r#"{"type":"ack","id":5}"#, ack(5, false));
    reads(&mut dialect, r#"{"type":"ack","id":6,"seq":5}"#, ack(5, false));
    reads(&mut dialect, r#"{"type":"ack","id":6,"seq":"5"}"#, ack(6, false));
    reads(&mut dialect, r#"{"type":"ack","seq":-5}"#, Meaning::BadAck);
}

#[test]
fn without_acks_they_are_messages() {
    let mut dialect = json(|c| c.acks = false);
    for (frame, id) in
        [(r#"{"ack":5}"#, None), (r#"{"ack":-5}"#, None), (r#"{"type":"ack","id":5}"#, Some(5))]
    {
        reads(&mut dialect, frame, message(frame, id));
    }
}

#[test]
fn frames_are_written_as_configured() {
    let mut dialect = default();
    assert_eq!(dialect.ping(5), Some(text(r#"{"type":"ping"}"#)));
    assert_eq!(dialect.pong(5), Some(text(r#"{"type":"pong"}"#)));
    assert_eq!(dialect.ack(5), None);
    assert!(dialect.has_heartbeat());
    let (first, second) = (dialect.ping(1).expect("a ping"), dialect.ping(2).expect("a ping"));
    assert_eq!(first.as_bytes().as_ptr(), second.as_bytes().as_ptr(), "the ping was built twice");

    let mut dialect = json(|c| {
        c.acknowledge = true;
        c.heartbeat = HeartbeatFrames::Json {
            ping: "he\"art".to_string(),
            pong: "beat".to_string(),
            timestamp: true,
        };
    });
    assert_eq!(dialect.ping(1234), Some(text(r#"{"type":"he\"art","timestamp":1234}"#)));
    assert_eq!(dialect.ping(0), Some(text(r#"{"type":"he\"art","timestamp":0}"#)));
    assert_eq!(dialect.pong(1234), Some(text(r#"{"type":"beat"}"#)));
    let ping = dialect.ping(1234).expect("a ping");
    assert_eq!(dialect.decode(ping), Meaning::Ping);
    assert_eq!(dialect.ack(0), Some(text(r#"{"ack":0}"#)));
    assert_eq!(dialect.ack(u64::MAX), Some(text(r#"{"ack":18446744073709551615}"#)));

    let mut dialect = json(|c| c.heartbeat = HeartbeatFrames::None);
    assert_eq!(dialect.ping(5), None);
    assert_eq!(dialect.pong(5), None);
    assert!(!dialect.has_heartbeat());
    reads(&mut dialect, r#"{"type":"ping"}"#, message(r#"{"type":"ping"}"#, None));
}

// Hostile input.

#[track_caller]
fn unreadable(dialect: &mut Json, frame: &str, limit: usize, at: usize) {
    let expected = std::format!("JSON nests deeper than max_depth {limit} at byte {at}");
    let meaning = dialect.decode(text(frame));
    assert_eq!(meaning, Meaning::Unreadable { payload: text(frame), detail: expected.into() });
}

fn nested(depth: usize) -> String {
    std::format!("{{\"a\":{}1{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1))
}

#[test]
fn nesting_is_bounded() {
    let mut dialect = json(|c| c.max_depth = 3);
    reads(&mut dialect, &nested(3), message(&nested(3), None));
    unreadable(&mut dialect, &nested(4), 3, 7);
    unreadable(&mut dialect, r#"  {"a":[],"b":{"c":[{}]},"id":5}"#, 3, 20);
    // Brackets in strings do not nest, nor do those that follow one another.
    for flat in
        [r#"{"[[[[[[":"{{{{{{\"[[[[\\","id":5}"#, r#"{"a":[],"b":[],"c":[],"d":[{},{},{}],"id":5}"#]
    {
        reads(&mut dialect, flat, message(flat, Some(5)));
    }
    // Only what could be an object is read at all.
    reads(&mut dialect, "[[[[[[[[]]]]]]]]", message("[[[[[[[[]]]]]]]]", None));
    reads(&mut dialect, "}}}}{{{{", message("}}}}{{{{", None));

    let mut dialect = json(|c| c.max_depth = 1);
    reads(&mut dialect, r#"{"id":5}"#, message(r#"{"id":5}"#, Some(5)));
    unreadable(&mut dialect, r#"{"id":5,"a":{}}"#, 1, 12);

    let mut dialect = json(|c| c.max_depth = 10_000);
    reads(&mut dialect, &nested(10_000), message(&nested(10_000), None));
    unreadable(&mut dialect, &nested(10_001), 10_000, 5 + 9_999);
}

#[test]
fn a_mebibyte_of_brackets_is_survived() {
    const MIB: usize = 1 << 20;
    let hostile = [
        std::format!("{{\"a\":{}", "[".repeat(MIB)),
        nested(MIB),
        std::format!("{}1{}", "{\"a\":".repeat(MIB / 5), "}".repeat(MIB / 5)),
        "{".repeat(MIB),
        std::format!("{{\"ack\":{}", "[".repeat(MIB)),
    ];
    // A small stack: recursion would end it.
    let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(move || {
        let mut dialect = default();
        for frame in &hostile {
            let meaning = dialect.decode(text(frame));
            assert!(matches!(meaning, Meaning::Unreadable { .. }), "{meaning:?}");
            // Without the bound on depth, as when sending, it is the skipping that must not recurse.
            let encoded = dialect.encode(text(frame), context(1)).expect("text is writable");
            let out = encoded.payload.as_text().expect("text stays text");
            let json = frame.ends_with(['}', ']']);
            let head = if json { r#"{"id":1,"data":{""# } else { r#"{"id":1,"data":"{"# };
            assert!(out.starts_with(head), "{}", &out[..40]);
            assert!(Fields::read(out, "id").is_some(), "an envelope is JSON");
        }
    });
    thread.expect("a thread starts").join().expect("the stack sufficed");
}

#[test]
fn hostile_texts_are_messages() {
    let mut dialect = default();
    const MIB: usize = 1 << 20;
    for frame in [
        std::format!("{{\"a\":\"{}", "\\".repeat(MIB)),
        std::format!("{{\"{}\":1}}", "\\u0069".repeat(MIB / 6)),
        std::format!("{{\"type\":\"{}\"}}", "\\u0070".repeat(MIB / 6)),
        std::format!("{{{}", "\"id\":1,".repeat(MIB / 7)),
        std::format!("{{\"id\":{}}}", "9".repeat(MIB)),
        std::format!("{{\"id\":0.{}}}", "9".repeat(MIB)),
        std::format!("{{\"id\":1e{}}}", "9".repeat(MIB)),
        std::format!("{{{}}}", " ".repeat(MIB)),
        " ".repeat(MIB),
        "\"".repeat(MIB),
    ] {
        assert_eq!(dialect.decode(text(&frame)), message(&frame, None));
    }
}

// Agreement with serde_json.

/// Texts that are often JSON, often nearly JSON, and often use the fields that mean something.
fn jsonish() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_string()),
        Just("true".to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        (0_u64..20).prop_map(|n| n.to_string()),
        any::<f64>()
            .prop_filter("JSON has finite numbers only", |n| n.is_finite())
            .prop_map(|n| Value::from(n).to_string()),
        "[0-9]{18,21}",
        Just("1e3".to_string()),
        Just("\"ack\"".to_string()),
        Just("\"ping\"".to_string()),
        any::<String>().prop_map(|s| Value::from(s).to_string()),
    ];
    let key = prop_oneof![
        4 => proptest::sample::select(
            &["\"id\"", "\"type\"", "\"ack\"", "\"cumulative\"", "\"data\"", "\"\\u0069d\""][..]
        )
        .prop_map(ToString::to_string),
        1 => any::<String>().prop_map(|s| Value::from(s).to_string()),
    ];
    let value = scalar.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| std::format!("[{}]", items.join(","))),
            prop::collection::vec((key.clone(), inner), 0..5).prop_map(|fields| {
                let fields: Vec<_> =
                    fields.into_iter().map(|(k, v)| std::format!("{k}: {v}")).collect();
                std::format!("{{{}}}", fields.join(" ,"))
            }),
        ]
    });
    prop_oneof![
        6 => value.clone(),
        // Broken: one character replaced.
        2 => (value, any::<prop::sample::Index>(), any::<char>()).prop_map(|(text, at, with)| {
            let mut chars: Vec<char> = text.chars().collect();
            let at = at.index(chars.len());
            chars[at] = with;
            chars.into_iter().collect()
        }),
        2 => any::<String>(),
    ]
}

fn id_of(text: &str) -> Option<u64> {
    serde_json::from_str::<Value>(text).ok()?.as_object()?.get("id")?.as_u64()
}

proptest! {
    #[test]
    fn what_is_sent_can_be_read(payload in jsonish(), id: u64, unix_ms: u64) {
        let mut dialect = default();
        let context = Encoding { id: Some(id), unix_ms, class: Class::Acknowledged };
        let encoded = dialect.encode(text(&payload), context).expect("text is writable");
        let out = encoded.payload.as_text().expect("text stays text");
        if let Some(own) = id_of(&payload) {
            prop_assert_eq!(out, &payload);
            prop_assert_eq!(encoded.id, Some(own));
        } else {
            prop_assert_eq!(encoded.id, Some(id));
            let value: Value = serde_json::from_str(out).expect("an envelope is JSON");
            prop_assert_eq!(value.as_object().map(serde_json::Map::len), Some(3));
            prop_assert_eq!(&value["id"], id);
            prop_assert_eq!(&value["timestamp"], unix_ms);
            let data =
                serde_json::from_str(&payload).unwrap_or_else(|_| Value::from(payload.clone()));
            prop_assert_eq!(&value["data"], &data);
        }
        // What comes back in that form, as from an echo, is the same message.
        let echoed = dialect.decode(encoded.payload.clone());
        if let Meaning::Message { payload, id } = echoed {
            prop_assert_eq!(payload, encoded.payload);
            prop_assert_eq!(id, encoded.id);
        } else {
            // Only a message with an id of its own can be something else.
            prop_assert!(id_of(&payload).is_some());
        }
    }

    #[test]
    fn the_dialect_agrees_with_a_parser(frame in jsonish()) {
        let mut dialect = default();
        let meaning = dialect.decode(text(&frame));
        let value = serde_json::from_str::<Value>(&frame).ok();
        let field = |name| value.as_ref().and_then(Value::as_object).and_then(|o| o.get(name));
        let kind = field("type");
        let number = match kind.map(Value::as_str) {
            None => field("ack").filter(|n| n.is_number()),
            Some(Some("ack")) => {
                [field("ack"), field("id")].into_iter().flatten().find(|n| n.is_number())
            }
            Some(_) => None,
        };
        let expected = if kind == Some(&Value::from("ping")) {
            Meaning::Ping
        } else if kind == Some(&Value::from("pong")) {
            Meaning::Pong
        } else if let Some(number) = number {
            match number.as_u64() {
                Some(id) => ack(id, field("cumulative") == Some(&Value::Bool(true))),
                None => Meaning::BadAck,
            }
        } else {
            message(&frame, id_of(&frame))
        };
        prop_assert_eq!(meaning, expected);
    }

    #[test]
    fn no_text_panics(frame: String, broken in r#"[{}\[\]",:\\ 0-9a-z"-]{0,64}"#, depth in 1_usize..6) {
        for heartbeat in [
            JsonConfig::default().heartbeat,
            HeartbeatFrames::None,
            HeartbeatFrames::Literals { ping: "a".to_string(), pong: "{}".to_string() },
        ] {
            let mut dialect = json(|c| {
                c.max_depth = depth;
                c.heartbeat = heartbeat;
            });
            for frame in [&frame, &broken, &std::format!("{{{broken}")] {
                let _ = dialect.decode(text(frame));
                let _ = dialect.encode(text(frame), context(1));
            }
        }
    }

    #[test]
    fn depth_is_what_a_parser_sees(frame in jsonish(), limit in 1_usize..5) {
        fn depth(value: &Value) -> usize {
            match value {
                Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
                Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
            }
        }
        // A field that stands twice hides the first one's depth from the parser.
        if let Ok(value) = serde_json::from_str::<Value>(&frame)
            && value.to_string().len() == frame.replace(": ", ":").replace(" ,", ",").len()
        {
            prop_assert_eq!(read::too_deep(&frame, limit).is_some(), depth(&value) > limit);
        }
    }
}
