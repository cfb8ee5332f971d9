//! Texts that are JSON, or nearly.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;
use serde_json::Value;

/// The inside of a JSON string, written in any way there is; often with surrogates in it.
pub(crate) fn inside() -> impl Strategy<Value = String> {
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
pub(crate) fn jsonish() -> impl Strategy<Value = String> {
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
        1 => super::any_text(),
    ]
}
