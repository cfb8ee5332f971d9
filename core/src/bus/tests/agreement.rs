//! Agreement with `serde_json`'s own reading.

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::format;
use std::string::String;

use super::*;
use crate::testing::jsonish;

proptest! {
    #![proptest_config(crate::testing::cases())]

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
