//! Where a message's topic and payload are found.

use alloc::borrow::Cow;
use bytes::Bytes;
use std::string::ToString;

use super::*;

#[track_caller]
fn reads(json: &str, topic: Option<&str>, payload: &str) {
    let delivery = delivered(fields(), text(json));
    assert_eq!(delivery.topic(), topic, "{json}");
    assert_eq!(delivery.as_text(), Some(payload), "{json}");
}

#[track_caller]
fn has_none(json: &str) {
    reads(json, None, json);
}

#[test]
fn the_topic_and_the_payload_are_top_level_fields() {
    reads(r#"{"type":"a","data":1}"#, Some("a"), "1");
    reads(r#"{"data":{"type":"b"},"type":"a"}"#, Some("a"), r#"{"type":"b"}"#);
    reads(r#"{"type":"a","data":"text"}"#, Some("a"), r#""text""#);
    reads(r#"{"type":"a","data":null}"#, Some("a"), "null");
    reads(r#"{"type":"","data":[]}"#, Some(""), "[]");
    reads(r#"{"type":"a.*","data":true}"#, Some("a.*"), "true");
    let spaced = " \t\r\n{ \"data\" : [ 1 , 2 ] , \"type\" : \"a\" } \n";
    reads(spaced, Some("a"), "[ 1 , 2 ]");
    // No such field: the payload is all there is.
    for whole in [r#"{"type":"a"}"#, r#"{"type":"a","Data":1}"#] {
        reads(whole, Some("a"), whole);
    }
}

#[test]
fn a_number_is_a_topic_as_it_is_written() {
    for number in
        ["0", "-0", "10", "1.0", "1e3", "1E+3", "-1.5e-3", "99999999999999999999", "1e999"]
    {
        let whole = std::format!(r#"{{"type":{number}}}"#);
        reads(&whole, Some(number), &whole);
    }
}

#[test]
fn escapes_are_understood_in_topics_and_names() {
    reads(r#"{"type":"caf\u00e9","data":1}"#, Some("café"), "1");
    reads(r#"{"type":"\ud83d\ude00\u0041\n\"\\\/\b\f\r\t"}"#, Some("😀A\n\"\\/\u{8}\u{c}\r\t"), {
        r#"{"type":"\ud83d\ude00\u0041\n\"\\\/\b\f\r\t"}"#
    });
    reads(r#"{"\u0074ype":"a","d\u0061t\u0061":1}"#, Some("a"), "1");
    has_none(r#"{"\u0074ype\u0073":"a"}"#);
    has_none(r#"{"\u0074yp":"a"}"#);
    has_none(r#"{"\\type":"a"}"#);
}

#[test]
fn a_lone_surrogate_is_no_topic_and_no_hindrance_elsewhere() {
    for topic in [r"\ud800", r"a\udc00", r"\ud800\u0041", r"\ud800\ud800", r"\ud800x", r"\ud800\n"]
    {
        has_none(&std::format!(r#"{{"type":"{topic}"}}"#));
    }
    reads(r#"{"\ud800":"\udc00","type":"a","data":"\ud800"}"#, Some("a"), r#""\ud800""#);
}

#[test]
fn the_last_of_two_fields_counts() {
    reads(r#"{"type":"a","data":1,"type":"b","data":2}"#, Some("b"), "2");
    reads(r#"{"type":"a","t\u0079pe":"b"}"#, Some("b"), r#"{"type":"a","t\u0079pe":"b"}"#);
    has_none(r#"{"type":"a","type":null}"#);
    has_none(r#"{"type":"a","type":{}}"#);
}

#[test]
fn what_has_no_topic() {
    for json in [
        "",
        " ",
        "text",
        "\u{feff}{\"type\":\"a\"}",
        r#"["type","a"]"#,
        r#""type""#,
        "{}",
        r#"{"data":1}"#,
        r#"{"Type":"a"}"#,
        r#"{"type":true}"#,
        r#"{"type":false}"#,
        r#"{"type":null}"#,
        r#"{"type":["a"]}"#,
        r#"{"type":{"type":"a"}}"#,
        r#"{"nested":{"type":"a"}}"#,
    ] {
        has_none(json);
    }
}

#[test]
fn what_is_not_json_has_no_topic() {
    let good = r#"{"a":[1,{"b":"\n"}],"type":"a","c":-1.5e+7,"d":[[],{}]}"#;
    reads(good, Some("a"), good);
    for end in 0..good.len() {
        has_none(&good[..end]);
    }
    for rest in ["}", "x", "{}", ",", "\u{0}"] {
        has_none(&std::format!("{good}{rest}"));
    }
    for value in [
        "",
        ",",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "--1",
        "1 2",
        "tru",
        "truex",
        "True",
        "nul",
        "NaN",
        "'a'",
        "\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12\"",
        "\"\n\"",
        "\"\u{0}\"",
        "\"\u{1f}\"",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{",
        "{]",
        "{1:2}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\" 1}",
        "{a:1}",
        "[[]",
        "[{}",
        "[[1]2]",
        "[{}[]]",
        "{\"a\":[1}",
        "[{\"a\":1]]",
    ] {
        has_none(&std::format!(r#"{{"type":"a","b":{value}}}"#));
        has_none(&std::format!(r#"{{"type":"a","b":[1,{value}]}}"#));
    }
    for object in [r#"{"type":"a",}"#, r#"{,"type":"a"}"#, r#"{"type"}"#, r#"{"type":"a" "b":1}"#] {
        has_none(object);
    }
}

#[test]
fn binary_data_has_no_field() {
    let json = &br#"{"type":"a"}"#[..];
    let delivery = delivered(fields(), message(json));
    assert_eq!((delivery.topic(), delivery.as_text()), (None, None));
    assert_eq!(delivery.as_bytes(), json);
}

#[test]
fn the_fields_are_configured() {
    let config = r#"{"topic":"é.\"","payload":"type","separator":"/"}"#;
    let config: RoutingConfig = serde_json::from_str(config).expect("valid");
    let bus = Bus::new(Routing::fields(config.clone()).expect("valid"));
    let delivery = bus.route(text(r#"{"é.\"":"t","type":"p"}"#), &mut Vec::new());
    assert_eq!((delivery.topic(), delivery.as_text()), (Some("t"), Some(r#""p""#)));
    assert!(bus.pattern("a/*").expect("a pattern").matches("a/b.c"));
    let written = serde_json::to_string(&config).expect("writable");
    assert_eq!(serde_json::from_str::<RoutingConfig>(&written).expect("readable"), config);
    assert_eq!(
        serde_json::from_str::<RoutingConfig>("{}").expect("valid"),
        RoutingConfig::default()
    );
    assert!(serde_json::from_str::<RoutingConfig>(r#"{"topics":"a"}"#).is_err());
    let defaults = delivered(Routing::default(), text(r#"{"type":"a","data":1}"#));
    assert_eq!(defaults.topic(), Some("a"));
    assert_eq!(defaults.as_text(), Some(r#"{"type":"a","data":1}"#));
}

#[test]
fn a_config_that_breaks_a_rule_is_refused() {
    let config = |topic: &str, payload: Option<&str>, separator| RoutingConfig {
        topic: topic.into(),
        payload: payload.map(Into::into),
        separator,
    };
    for (config, error) in [
        (config("", None, '.'), "routing.topic must name a field"),
        (
            config("type", Some(""), '.'),
            "routing.payload must name a field, or be left out for the whole message",
        ),
        (
            config("type", Some("type"), '.'),
            "routing.payload must be another field than that of the topic",
        ),
        (config("type", None, '*'), "routing.separator must not be *: it is the wildcard"),
    ] {
        let refused = Routing::fields(config).expect_err("it breaks a rule");
        assert_eq!(refused.to_string(), error);
    }
}

/// `topic payload`, with the range of both as it is counted by hand.
fn by_space() -> Routing {
    Routing::by(|payload| {
        let text = core::str::from_utf8(payload.as_bytes()).ok()?;
        let space = text.find(' ')?;
        Some(Address::new(&text[..space]).payload(space + 1..text.len()))
    })
}

#[test]
fn a_function_may_say_where_they_are() {
    let delivery = delivered(by_space(), text("a.b {}"));
    assert_eq!((delivery.topic(), delivery.as_text()), (Some("a.b"), Some("{}")));
    let delivery = delivered(by_space(), message(&b"a.b \x01"[..]));
    assert_eq!((delivery.topic(), delivery.as_text()), (Some("a.b"), None));
    assert_eq!(delivery.as_bytes(), b"\x01");
    assert_eq!(delivery.payload(), Payload::Binary(Bytes::from_static(b"\x01")));
    let delivery = delivered(by_space(), text("ab"));
    assert_eq!((delivery.topic(), delivery.as_text()), (None, Some("ab")));

    for topic in [Cow::Borrowed("made"), Cow::Owned("made".into())] {
        let routing = Routing::by(move |_| Some(Address::new(topic.clone())));
        for message in [text("whole"), message(&b"whole"[..])] {
            let delivery = delivered(routing.clone(), message);
            assert_eq!(delivery.topic(), Some("made"));
            assert_eq!(delivery.as_bytes(), b"whole");
        }
    }
    assert_eq!(by_space().separator(), '.');
    assert_eq!(std::format!("{:?}", by_space()), "Function");
}

#[test]
fn a_function_that_breaks_a_rule_names_no_topic() {
    let whole = "aé";
    for range in
        [0..4, 1..2, 2..3, 4..4, usize::MAX - 1..usize::MAX, core::ops::Range { start: 2, end: 1 }]
    {
        let routing = Routing::by(move |_| Some(Address::new("a").payload(range.clone())));
        let delivery = delivered(routing, text(whole));
        assert_eq!((delivery.topic(), delivery.as_text()), (None, Some(whole)));
    }
    for (len, topic) in [(MAX_TOPIC, true), (MAX_TOPIC + 1, false)] {
        let routing = Routing::by(move |_| Some(Address::new("x".repeat(len))));
        assert_eq!(delivered(routing, text(whole)).topic().is_some(), topic);
    }
    let routing = Routing::by(|_| Some(Address::new("a").payload(0..3)));
    assert_eq!(delivered(routing, message(&b"ab"[..])).topic(), None);
}

#[test]
fn a_part_of_the_message_is_not_copied() {
    let within = |part: &[u8], whole: &[u8]| whole.as_ptr_range().contains(&part.as_ptr());
    for (routing, message) in [
        (fields(), text(r#"{"type":"topic","data":{"a":1}}"#)),
        (by_space(), text("topic data")),
        (by_space(), message(&b"topic data"[..])),
    ] {
        let whole = message.payload.clone().into_bytes();
        let delivery = delivered(routing, message);
        assert!(within(delivery.topic().expect("a topic").as_bytes(), &whole));
        assert!(within(&delivery.shared_topic().expect("a topic").into_bytes(), &whole));
        assert!(within(delivery.as_bytes(), &whole));
        assert!(within(&delivery.payload().into_bytes(), &whole));
    }
}
