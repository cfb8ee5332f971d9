//! Properties, and agreement with `serde_json`'s own reading.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Texts that are often JSON, often nearly JSON, and often use the fields that mean something.
pub(super) fn jsonish() -> impl Strategy<Value = String> {
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
        crate::testing::any_text().prop_map(|s| Value::from(s).to_string()),
    ];
    let key = prop_oneof![
        4 => proptest::sample::select(
            &["\"id\"", "\"type\"", "\"ack\"", "\"cumulative\"", "\"data\"", "\"\\u0069d\""][..]
        )
        .prop_map(ToString::to_string),
        1 => crate::testing::any_text().prop_map(|s| Value::from(s).to_string()),
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
        2 => crate::testing::any_text(),
    ]
    .prop_filter("numbers beyond f64 are JSON, but no `Value` holds them", |text| {
        use serde::de::IgnoredAny;
        serde_json::from_str::<IgnoredAny>(text).is_err()
            || serde_json::from_str::<Value>(text).is_ok()
    })
}

fn id_of(text: &str) -> Option<u64> {
    serde_json::from_str::<Value>(text).ok()?.as_object()?.get("id")?.as_u64()
}

proptest! {
    #![proptest_config(crate::testing::cases())]

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
    fn no_text_panics(
        frame in crate::testing::any_text(), broken in r#"[{}\[\]",:\\ 0-9a-z"-]{0,64}"#, depth in 1_usize..6) {
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
            prop_assert_eq!(json::too_deep(&frame, limit).is_some(), depth(&value) > limit);
        }
    }
}
