//! What is sent.

use super::*;

pub(super) fn context(id: u64) -> Encoding {
    Encoding { id: Some(id), unix_ms: 0, class: Class::Queued }
}

fn acknowledged(id: Option<u64>) -> Encoding {
    Encoding { id, unix_ms: 0, class: Class::Acknowledged }
}

#[track_caller]
fn writes(dialect: &mut SocketIo, event: &str, context: Encoding, frame: &str, id: Option<u64>) {
    let expected = Ok(Encoded { payload: text(frame), id });
    assert_eq!(dialect.encode(text(event), context), expected, "{event}");
}

#[test]
fn an_event_goes_out_as_one() {
    let mut dialect = default();
    writes(&mut dialect, r#"["a",1]"#, context(5), r#"42["a",1]"#, None);
    writes(&mut dialect, " \r\n\t[\"a\"] ", context(5), r#"42["a"] "#, None);
    writes(&mut dialect, "[7]", context(5), "42[7]", None);
    let volatile = Encoding { class: Class::Volatile, ..context(5) };
    writes(&mut dialect, r#"["a"]"#, volatile, r#"42["a"]"#, None);
    writes(&mut within("/chat"), r#"["a"]"#, context(5), r#"42/chat,["a"]"#, None);
}

#[test]
fn one_of_class_acknowledged_carries_an_id() {
    writes(&mut default(), r#"["a"]"#, acknowledged(Some(12)), r#"4212["a"]"#, Some(12));
    let mut chat = within("/chat");
    writes(&mut chat, r#"["a"]"#, acknowledged(Some(0)), r#"42/chat,0["a"]"#, Some(0));
    let largest = 9_007_199_254_740_991;
    let frame = r#"429007199254740991["a"]"#;
    writes(&mut default(), r#"["a"]"#, acknowledged(Some(largest)), frame, Some(largest));
    for id in [Some(largest + 1), None] {
        let refused = default().encode(text(r#"["a"]"#), acknowledged(id));
        assert_eq!(refused, Err((text(r#"["a"]"#), EncodeError::IdsExhausted)));
    }
}

#[test]
fn what_is_no_event_comes_back() {
    let mut dialect = default();
    for other in [
        "",
        "hello",
        "{}",
        r#"{"event":"a"}"#,
        "[]",
        "[null]",
        r#"[["a"]]"#,
        r#"["a""#,
        r#"["a"] x"#,
        r#"["connect"]"#,
        r#"["disconnect","bye"]"#,
        r#"["disc\u006fnnecting"]"#,
        r#"["removeListener"]"#,
        "42[\"a\"]",
        "2",
    ] {
        let refused = dialect.encode(text(other), context(1));
        assert_eq!(refused, Err((text(other), EncodeError::NotAnEvent)), "{other}");
    }
    let binary = Payload::from(&b"[\"a\"]"[..]);
    let refused = dialect.encode(binary.clone(), context(1));
    assert_eq!(refused, Err((binary, EncodeError::BinaryInText)));
}

#[test]
fn what_the_protocol_says_itself() {
    let mut dialect = default();
    assert_eq!(dialect.greeting(), Some(text("40")));
    assert_eq!((dialect.ping(0), dialect.has_heartbeat()), (None, false));
    assert_eq!(dialect.pong(0), Some(text("3")));
    assert_eq!(dialect.ack(12), Some(text("4312[]")));
    assert!(dialect.rewrites());
    let mut dialect = within("/chat");
    assert_eq!(dialect.greeting(), Some(text("40/chat,")));
    assert_eq!(dialect.ack(0), Some(text("43/chat,0[]")));
    let config = SocketIoConfig { acknowledge: false, ..SocketIoConfig::default() };
    assert_eq!(SocketIo::new(config).ack(12), None);
}
