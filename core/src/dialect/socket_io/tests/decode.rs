//! What is received.

use alloc::format;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const BODY: &str = "no such data in a packet of this type at byte";

#[test]
fn packets_of_engine_io() {
    let mut dialect = default();
    let handshake = r#"0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;
    let nothing = || Meaning::Messages(Vec::new());
    reads(&mut dialect, handshake, nothing());
    reads(&mut dialect, "1", admission(r#"["disconnect","transport close"]"#, false));
    reads(&mut dialect, "2", Meaning::Ping);
    reads(&mut dialect, "2probe", Meaning::Ping);
    reads(&mut dialect, "3", Meaning::Pong);
    reads(&mut dialect, "5", nothing());
    reads(&mut dialect, "6", nothing());
    let config = SocketIoConfig { handshake: true, ..SocketIoConfig::default() };
    reads(&mut SocketIo::new(config), handshake, message(&handshake[1..], None));
}

#[test]
fn the_namespace_is_connected_refused_and_left() {
    let mut dialect = default();
    reads(&mut dialect, r#"40{"sid":"x"}"#, admission(r#"["connect",{"sid":"x"}]"#, true));
    let refused = admission(r#"["connect_error",{"message":"no","data":{"a":1}}]"#, false);
    reads(&mut dialect, r#"44{"message":"no","data":{"a":1}}"#, refused);
    reads(&mut dialect, r#"44"no""#, admission(r#"["connect_error","no"]"#, false));
    reads(&mut dialect, "44", admission(r#"["connect_error"]"#, false));
    let left = admission(r#"["disconnect","io server disconnect"]"#, false);
    reads(&mut dialect, "41", left.clone());

    let mut dialect = within("/chat");
    reads(&mut dialect, r#"40/chat,{"sid":"x"}"#, admission(r#"["connect",{"sid":"x"}]"#, true));
    reads(&mut dialect, r#"44/chat,"no""#, admission(r#"["connect_error","no"]"#, false));
    for frame in ["41/chat,", "41/chat"] {
        reads(&mut dialect, frame, left.clone());
    }
}

#[test]
fn events_are_the_text_of_their_array() {
    let mut dialect = default();
    reads(&mut dialect, r#"42["a",1,{"b":[2]}]"#, message(r#"["a",1,{"b":[2]}]"#, None));
    reads(&mut dialect, r#"42["a"] "#, message(r#"["a"] "#, None));
    reads(&mut dialect, r#"42[5]"#, message("[5]", None));
    reads(&mut dialect, r#"42/,["a"]"#, message(r#"["a"]"#, None));
    reads(&mut dialect, r#"4217["a"]"#, message(r#"["a"]"#, Some(17)));
    reads(&mut dialect, r#"42007["a"]"#, message(r#"["a"]"#, Some(7)));
    let largest = r#"4218446744073709551615["a"]"#;
    reads(&mut dialect, largest, message(r#"["a"]"#, Some(u64::MAX)));
    let mut dialect = within("/chat");
    reads(&mut dialect, r#"42/chat,["a","b,c"]"#, message(r#"["a","b,c"]"#, None));
    reads(&mut dialect, r#"42/chat,0["a"]"#, message(r#"["a"]"#, Some(0)));
}

#[test]
fn an_event_is_not_copied() {
    let frame = ByteString::from(r#"421["a",1]"#);
    let Meaning::Message { payload, .. } = default().decode(Payload::Text(frame.clone())) else {
        panic!("no message");
    };
    assert_eq!(payload.as_bytes().as_ptr(), frame[3..].as_ptr());
}

#[test]
fn acknowledgements() {
    let mut dialect = default();
    let ack = |id| Meaning::Ack { id, cumulative: false };
    reads(&mut dialect, "431[]", ack(1));
    reads(&mut dialect, r#"430[{"ok":true},2]"#, ack(0));
    reads(&mut dialect, "437", ack(7));
    reads(&mut dialect, "4318446744073709551615[]", ack(u64::MAX));
    reads(&mut dialect, "4318446744073709551616[]", Meaning::BadAck);
    reads(&mut dialect, "43[]", Meaning::BadAck);
    reads(&mut dialect, "43-1[]", Meaning::BadAck);
    reads(&mut within("/chat"), "43/chat,12[]", ack(12));
    reads(&mut dialect, "431{}", unreadable("431{}", &format!("{BODY} 3")));
}

#[test]
fn what_is_no_packet_is_passed_on_with_a_reason() {
    let mut dialect = default();
    for frame in ["", "7", "x", "[\"a\"]", " 2", "é"] {
        reads(&mut dialect, frame, unreadable(frame, "no packet type of Engine.IO at byte 0"));
    }
    for frame in ["4", "47", "4x", "4é"] {
        reads(&mut dialect, frame, unreadable(frame, "no packet type of Socket.IO at byte 1"));
    }
    for frame in ["42", "42{}", "42[]", "42[null]", "42[\"a\"", "42[\"a\"]]", "42\"a\"", "42[,]"] {
        reads(&mut dialect, frame, unreadable(frame, &format!("{BODY} 2")));
    }
    for name in ["connect", "connect_error", "disconnect", "newListener", "c\\u006fnnect"] {
        let frame = format!(r#"42["{name}",1]"#);
        reads(&mut dialect, &frame, unreadable(&frame, &format!("{BODY} 2")));
    }
    // A server of an earlier protocol says no more than this.
    for frame in ["40", "40[]", "40x", "41{}", "44[]", "44{"] {
        reads(&mut dialect, frame, unreadable(frame, &format!("{BODY} 2")));
    }
    for frame in ["0", "0[]", "0{"] {
        reads(&mut dialect, frame, unreadable(frame, &format!("{BODY} 1")));
    }
    let large = r#"4218446744073709551616["a"]"#;
    reads(&mut dialect, large, unreadable(large, "an id above 2^64 - 1 at byte 2"));
    for (namespace, frame) in [
        ("/", r#"42/chat,["a"]"#),
        ("/chat", r#"42["a"]"#),
        ("/chat", r#"42/chat2,["a"]"#),
        ("/chat", r#"42/cha["a"]"#),
    ] {
        let detail = "a packet of another namespace at byte 2";
        reads(&mut within(namespace), frame, unreadable(frame, detail));
    }
}

#[test]
fn binary_attachments_are_refused() {
    let mut dialect = default();
    let detail = |at| format!("binary attachments are not read at byte {at}");
    let announced = r#"451-["a",{"_placeholder":true,"num":0}]"#;
    reads(&mut dialect, announced, unreadable(announced, &detail(1)));
    reads(&mut dialect, "461-1[]", unreadable("461-1[]", &detail(1)));
    reads(&mut dialect, "bAQI=", unreadable("bAQI=", &detail(0)));
    let payload = Payload::from(&[1_u8, 2][..]);
    let expected = Meaning::Unreadable { payload: payload.clone(), detail: detail(0).into() };
    assert_eq!(dialect.decode(payload), expected);
}

fn jsonish() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(&[
        "[",
        "]",
        "[",
        "]",
        "{",
        "}",
        "\"a\"",
        "\"connect\"",
        ",",
        ",",
        ":",
        "1",
        "-2.5e3",
        "null",
        "true",
        " ",
        "\\",
        "\"",
        "0",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(crate::testing::cases())]

    #[test]
    fn an_event_is_what_another_reader_of_json_calls_one(body in jsonish()) {
        let value = serde_json::from_str::<Value>(&body).ok();
        let first = value.as_ref().and_then(Value::as_array).and_then(|array| array.first());
        let is_event = match first {
            Some(Value::String(name)) => name != "connect",
            Some(Value::Number(_)) => true,
            Some(_) | None => false,
        };
        // Digits at its front would be an id.
        prop_assume!(!body.starts_with(|first: char| first.is_ascii_digit()));
        let expected = if is_event {
            message(&body, None)
        } else {
            unreadable(&format!("42{body}"), &format!("{BODY} 2"))
        };
        prop_assert_eq!(default().decode(text(&format!("42{body}"))), expected);
        let written = default().encode(text(&body), encode::context(1));
        prop_assert_eq!(written.is_ok(), is_event);
    }
}
