//! What stands for a text is read and written as the text is.

use alloc::format;

use proptest::prelude::*;

use super::*;
use crate::dialect::stand_ins::stands;

fn dialects() -> [SocketIo; 4] {
    let handshake = SocketIoConfig { handshake: true, ..SocketIoConfig::default() };
    [default(), within("/chat"), within("/b........"), SocketIo::new(handshake)]
}

#[test]
fn every_packet_and_every_flaw() {
    for mut dialect in dialects() {
        for frame in [
            "",
            "0",
            "0{}",
            r#"0{"sid":"a"}"#,
            "0x",
            "1",
            "1x",
            "2",
            "2probe",
            "3",
            "4",
            "47",
            "4b",
            "40",
            "40{}",
            r#"40{"sid":"a"}"#,
            r#"40/chat,{"sid":"a"}"#,
            "40x",
            "41",
            "41/chat,",
            "41/chat",
            "41{}",
            "42",
            r#"42["a",{"b":1}]"#,
            r#"42/chat,7["a"]"#,
            "42[5]",
            "42 [5]",
            r#"42[""]"#,
            r#"42007["a"]"#,
            "42[]",
            r#"42["connect"]"#,
            "4218446744073709551616[5]",
            "42/",
            "42/,[5]",
            "42/chat",
            "42/chat2,[5]",
            "42/b........x,[5]",
            "42/b........,[5]",
            "42/d.......,[5]",
            "43",
            "431",
            "431[]",
            "430[1,2]",
            "43/chat,5[ ]",
            "43[]",
            "43-1",
            "43/,[]",
            "43/,5[]",
            "4399999999999999999999[]",
            "431{}",
            "44",
            r#"44{"a":1}"#,
            r#"44"no""#,
            "44/chat,",
            "44[]",
            "451-[]",
            "461",
            "5",
            "5x",
            "6",
            "7",
            "b",
            "bAQI=",
            "é",
            "?",
            "[\"a\"]",
            " [\"a\"]",
            "\t\n [5] ",
            "[\"a\",\"\\u0062\"]",
            "[null]",
            "hello",
        ] {
            stands(&mut dialect, &text(frame), 3);
            stands(&mut dialect, &text(frame), 0);
        }
        stands(&mut dialect, &Payload::from(&[1_u8, 2][..]), 3);
    }
}

fn packets() -> impl Strategy<Value = String> {
    let head = prop::sample::select(&[
        "",
        "0",
        "1",
        "2",
        "3",
        "4",
        "40",
        "41",
        "42",
        "43",
        "44",
        "45",
        "42/chat,",
        "43/chat,",
        "44/chat,",
        "40/b........,",
        "42/",
        "b",
        "7",
    ]);
    let id = prop::sample::select(&["", "", "", "0", "17", "99999999999999999999"]);
    let body = prop_oneof![
        prop::sample::select(&["", "[]", "{}", "[5]", r#"["a"]"#, r#"{"sid":"x"}"#, "\"no\""])
            .prop_map(String::from),
        crate::testing::any_text(),
    ];
    (head, id, body).prop_map(|(head, id, body)| format!("{head}{id}{body}"))
}

proptest! {
    #![proptest_config(crate::testing::cases())]

    #[test]
    fn any_packet(frame in packets(), label: u64) {
        for mut dialect in dialects() {
            stands(&mut dialect, &text(&frame), label);
        }
    }

    #[test]
    fn nothing_of_it_is_left(secret in "[0-9a-zA-Z]{12,20}x", n in 0..12_u8) {
        let original = match n {
            0 => secret.clone(),
            1 => format!(r#"0{{"sid":"{secret}"}}"#),
            2 => format!(r#"40{{"sid":"{secret}"}}"#),
            3 => format!(r#"42["{secret}"]"#),
            4 => format!(r#"42["a",{{"{secret}":1}}]"#),
            5 => format!(r#"431["{secret}"]"#),
            6 => format!(r#"44{{"message":"{secret}"}}"#),
            7 => format!("42/{secret},[5]"),
            8 => format!("2{secret}"),
            9 => format!("451-{secret}"),
            10 => format!("43x{secret}"),
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
