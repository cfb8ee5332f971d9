//! Agreement with `serde_json`'s own reading.

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::super::escape::unescape;
use super::super::scan::Scanner;
use super::*;

/// The inside of a JSON string, written in any way there is; often with surrogates in it.
fn inside() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ a-e.*]{1,3}",
        1 => any::<char>().prop_map(|char| {
            let quoted = Value::from(char.to_string()).to_string();
            quoted[1..quoted.len() - 1].to_string()
        }),
        1 => any::<u16>().prop_map(|unit| format!("\\u{unit:04x}")),
        1 => (0xd7f0_u16..0xe010).prop_map(|unit| format!("\\u{unit:04X}")),
        1 => any::<char>().prop_map(|char| {
            char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
        }),
        1 => prop::sample::select(&["\\n", "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\r", "\\t"][..])
            .prop_map(ToString::to_string),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// Texts that are often JSON, often nearly JSON, and often use the fields that mean something.
fn jsonish() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_string()),
        Just("true".to_string()),
        Just("false".to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,20})([.][0-9]{1,4})?([eE][+-]?[0-9]{1,3})?",
        inside().prop_map(|inside| format!("\"{inside}\"")),
    ];
    let name = prop_oneof![
        6 => prop::sample::select(
            &["\"type\"", "\"data\"", "\"t\\u0079pe\"", "\"dat\\u0061\"", "\"typ\"", "\"\""][..]
        )
        .prop_map(ToString::to_string),
        1 => inside().prop_map(|inside| format!("\"{inside}\"")),
    ];
    let space = || prop::sample::select(&["", "", "", " ", "\n\t \r"][..]);
    let object = {
        let name = name.clone();
        move |value: BoxedStrategy<String>| {
            let field = (name.clone(), space(), value, space())
                .prop_map(|(name, before, value, after)| format!("{name}{before}:{after}{value}"));
            (prop::collection::vec(field, 0..6), space()).prop_map(|(fields, space)| {
                format!("{space}{{{space}{}{space}}}{space}", fields.join(&format!("{space},")))
            })
        }
    };
    let inner = object.clone();
    let value = scalar.prop_recursive(4, 32, 5, move |value| {
        prop_oneof![
            (prop::collection::vec(value.clone(), 0..4), space())
                .prop_map(|(items, space)| format!("[{space}{}{space}]", items.join(","))),
            inner(value.boxed()),
        ]
    });
    let whole = object(value.boxed()).boxed();
    prop_oneof![
        6 => whole.clone(),
        // Broken: one character replaced.
        3 => (whole, any::<prop::sample::Index>(), prop_oneof![any::<char>(), "[{}\\[\\]\",:\\\\0-9.e-]".prop_map(|s| s.chars().next().unwrap_or(' '))])
            .prop_map(|(text, at, with)| {
                let mut chars: Vec<char> = text.chars().collect();
                let at = at.index(chars.len());
                chars[at] = with;
                chars.into_iter().collect()
            }),
        1 => crate::testing::any_text(),
    ]
}

proptest! {
    #![proptest_config(crate::testing::cases())]

    #[test]
    fn what_is_json_is_what_a_parser_takes(text in jsonish()) {
        let object = text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{');
        let is_json = object && serde_json::from_str::<IgnoredAny>(&text).is_ok();
        prop_assert_eq!(Scanner::new(&text).object(|_, _| ()).is_some(), is_json);
    }

    #[test]
    fn topic_and_payload_are_what_a_parser_finds(json in jsonish()) {
        let delivery = delivered(fields(), text(&json));
        let whole = Some(json.as_str());
        let Ok(value) = serde_json::from_str::<Value>(&json) else {
            // No JSON, or a surrogate or a number that no `Value` holds.
            if serde_json::from_str::<IgnoredAny>(&json).is_err() {
                prop_assert_eq!((delivery.topic(), delivery.as_text()), (None, whole));
            }
            return Ok(());
        };
        match value.as_object().and_then(|object| object.get("type")) {
            Some(Value::String(topic)) => prop_assert_eq!(delivery.topic(), Some(topic.as_str())),
            Some(number @ Value::Number(_)) => {
                let topic = delivery.topic().map(serde_json::from_str::<Value>);
                let read = topic.and_then(Result::ok);
                prop_assert_eq!(read.as_ref(), Some(number));
            }
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => {
                prop_assert_eq!((delivery.topic(), delivery.as_text()), (None, whole));
                return Ok(());
            }
        }
        match value.get("data") {
            Some(data) => {
                let read = delivery.as_text().map(serde_json::from_str::<Value>);
                let read = read.and_then(Result::ok);
                prop_assert_eq!(read.as_ref(), Some(data));
                // As it stands, and no space around it.
                prop_assert_eq!(delivery.as_text(), delivery.as_text().map(str::trim_ascii));
            }
            None => prop_assert_eq!(delivery.as_text(), whole),
        }
    }

    #[test]
    fn a_string_means_what_a_parser_says(inside in inside()) {
        let ours: Option<String> = unescape(&inside).collect();
        prop_assert_eq!(ours, serde_json::from_str(&format!("\"{inside}\"")).ok());
    }

    #[test]
    fn depth_is_what_the_brackets_say(kinds in prop::collection::vec(any::<bool>(), 120..136)) {
        let open: String = kinds.iter().map(|is_array| if *is_array { "[" } else { "{\"a\":" }).collect();
        let close: String = kinds.iter().rev().map(|is_array| if *is_array { ']' } else { '}' }).collect();
        let json = format!("{{\"type\":\"a\",\"data\":{open}0{close}}}");
        let is_read = kinds.len() < MAX_DEPTH;
        prop_assert_eq!(delivered(fields(), text(&json)).topic().is_some(), is_read);
        // A bracket of the other kind is noticed, however deep.
        let wrong = json.replacen(['}', ']'], "", 1);
        let delivery = delivered(fields(), text(&wrong));
        prop_assert_eq!(delivery.topic(), None);
    }

    #[test]
    fn no_message_panics(
        text in jsonish(), topic in crate::testing::any_text(), start in 0_usize..40, end in 0_usize..40,
    ) {
        let routing = Routing::by(move |_| {
            Some(Address::new(topic.clone()).payload(core::ops::Range { start, end }))
        });
        for message in [message(text.clone()), message(text.clone().into_bytes())] {
            let delivery = delivered(routing.clone(), message);
            let is_part = text.as_bytes().get(start..end);
            if delivery.topic().is_some() {
                prop_assert_eq!(Some(delivery.as_bytes()), is_part);
            } else {
                prop_assert_eq!(delivery.as_bytes(), text.as_bytes());
            }
            prop_assert_eq!(delivery.payload().into_bytes(), delivery.as_bytes());
            let _ = delivery.parse::<Value>();
        }
    }
}
