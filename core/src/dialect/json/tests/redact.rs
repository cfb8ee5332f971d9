//! What stands for a text is read and written as the text is.

use alloc::format;
use alloc::string::String;

use proptest::prelude::*;

use super::agreement::jsonish;
use super::*;
use crate::dialect::stand_ins;

#[track_caller]
fn stands(dialect: &mut Json, original: &str, label: u64) {
    stand_ins::stands(dialect, &text(original), label);
}

fn dialects() -> [Json; 9] {
    let literals = |ping: &str, pong: &str| HeartbeatFrames::Literals {
        ping: String::from(ping),
        pong: String::from(pong),
    };
    [
        default(),
        json(|config| config.max_depth = 2),
        json(|config| {
            config.id_field = String::from("n\"\n");
            config.heartbeat = literals("b", "c");
            config.max_depth = 1;
        }),
        json(|config| config.heartbeat = literals(r#"{"id":5} "#, r#" {"id":5}"#)),
        json(|config| {
            config.envelope = false;
            config.acks = false;
            config.heartbeat = HeartbeatFrames::None;
        }),
        json(|config| config.warn_unreadable = true),
        json(|config| {
            config.warn_unreadable = true;
            config.heartbeat = literals("0", "b");
        }),
        json(|config| {
            config.warn_unreadable = true;
            config.heartbeat = literals("\"\"", "13");
        }),
        json(|config| {
            config.warn_unreadable = true;
            config.max_depth = 1;
        }),
    ]
}

#[test]
fn odd_texts() {
    for mut dialect in dialects() {
        for original in [
            "",
            " ",
            "b",
            "c",
            "d",
            "1",
            "{",
            "{}",
            "[]",
            "[[]]",
            " [1,[[2]]",
            "12",
            "\"",
            "\"\"",
            "\\",
            "\u{1}",
            "é\n\u{2}",
            "true",
            "null",
            "-1.5e3",
            r#"{"id":5}"#,
            r#"{"id":5}  "#,
            r#"{"id": 5}"#,
            r#"{"id":-5}"#,
            r#"{"\u0069d":18446744073709551615}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"p\u006fng"}"#,
            r#"{"ack":5}"#,
            r#"{"ack":5,"cumulative":true}"#,
            r#"{"ack":-0}"#,
            r#"{"ack":1e1}"#,
            r#"{"type":"ack","id":5}"#,
            r#"{"n\"\n":5}"#,
            r#"{"n\"\n":5} "#,
            r#"{"a":[[1]]}"#,
            r#" {"id":5,"a":[[[[["#,
            "{[",
            r#"{"a":"[[["}"#,
            "b\n",
            r#"{"id":5,"secret":"s3cr3t"}"#,
        ] {
            stands(&mut dialect, original, 3);
        }
    }
}

proptest! {
    #![proptest_config(crate::testing::cases())]

    #[test]
    fn any_text(original in prop_oneof![jsonish(), crate::testing::any_text()], label: u64) {
        for mut dialect in dialects() {
            stands(&mut dialect, &original, label);
        }
    }

    #[test]
    fn nothing_of_it_is_left(secret in "[0-9a-zA-Z]{12,20}x", n in 0..6_u8) {
        let original = match n {
            0 => secret.clone(),
            1 => format!(r#"{{"token":"{secret}"}}"#),
            2 => format!(r#"{{"id":5,"token":"{secret}"}}"#),
            3 => format!(r#"{{"{secret}":1}}"#),
            4 => format!(r#"{{"type":"ping","token":"{secret}"}}"#),
            _ => format!(r#"["{secret}"]"#),
        };
        for dialect in dialects() {
            for way in [Way::Sent, Way::Received] {
                let payload = dialect.redact(&text(&original), way, 1);
                prop_assert!(!payload.as_text().is_some_and(|text| text.contains(&secret)));
            }
        }
    }
}
