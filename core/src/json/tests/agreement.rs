//! Agreement with `serde_json`, on texts made up by chance.

use alloc::format;
use alloc::string::String;

use proptest::prelude::*;

use super::*;
use crate::testing::{inside, jsonish};

proptest! {
    #![proptest_config(crate::testing::cases())]

    #[test]
    fn it_agrees_with_serde_json(
        parts in prop::collection::vec(prop::sample::select(&[
            "{", "}", "[", "]", ",", ":", "\"a\"", "\"id\"", "\"\\n\"", "\"\\u00e9\"", "\"", "\\", "0",
            "-1", "12.5e3", "1", ".", "e", "true", "null", " ", "\n", "é", "{\"a\":1}", "[1,2]", "\"x\":",
        ][..]), 0..12),
    ) {
        agree(&parts.concat());
    }

    #[test]
    fn it_agrees_on_what_is_nearly_json(text in jsonish()) {
        agree(&text);
    }

    #[test]
    fn a_string_means_what_a_parser_says(inside in inside()) {
        let ours: Option<String> = unescape(&inside).collect();
        prop_assert_eq!(ours, serde_json::from_str(&format!("\"{inside}\"")).ok());
    }
}
