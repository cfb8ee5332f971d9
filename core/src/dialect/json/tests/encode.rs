//! What is sent, rule by rule.

use alloc::string::{String, ToString};

use serde_json::Value;

use super::*;

/// What the default dialect writes for `payload`, and under which id.
fn written(dialect: &mut Json, payload: &str, id: u64) -> (String, Option<u64>) {
    let encoded = dialect.encode(text(payload), context(id)).expect("text is writable");
    (encoded.payload.as_text().expect("text stays text").to_string(), encoded.id)
}

#[test]
fn an_object_with_an_id_goes_out_unchanged() {
    let mut dialect = default();
    for (own, id) in [
        (r#"{"id":5,"x":1}"#, 5),
        (r#"{"id":0}"#, 0),
        (r#"{"id":18446744073709551615}"#, u64::MAX),
        (" {\n \"x\" : [ {\"id\":1} ] , \"id\" : 7 }\t", 7),
        (r#"{"\u0069d":9}"#, 9),
        (r#"{"\u0069\u0064":9}"#, 9),
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

    // A config refuses this, as no message gets an id; so does the dialect by itself.
    let mut dialect = json(|c| c.envelope = false);
    assert_eq!(refused(&mut dialect, own.clone(), acknowledged), EncodeError::NoAcks);

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
