//! Where strings and numbers end, wherever in eight bytes that is.

use serde::de::IgnoredAny;
use std::format;
use std::string::String;

use super::super::scan::Scanner;

/// How far apart the places are that are tried: Miri, which is slow, tries some.
const STRIDE: usize = if cfg!(miri) { 5 } else { 1 };

fn agrees(json: &str) {
    let is_json = serde_json::from_str::<IgnoredAny>(json).is_ok();
    assert_eq!(Scanner::new(json).object(|_, _| ()).is_some(), is_json, "{json:?}");
}

#[test]
fn a_string_ends_at_its_quote_and_nowhere_else() {
    // Each character that is one byte, and some of two, three and four, after and before others.
    let others = ['\u{80}', 'é', '\u{7ff}', '\u{2028}', '\u{ffff}', '\u{10000}', '\u{10ffff}'];
    for char in (0..=127_u8).map(char::from).chain(others) {
        for before in (0..18).step_by(STRIDE) {
            for after in [0, 1, 7, 8] {
                let (before, after) = ("x".repeat(before), "\u{7f}".repeat(after));
                agrees(&format!("{{\"{before}{char}{after}\":1}}"));
                agrees(&format!("{{\"a\":\"{before}{char}{after}\"}}"));
            }
        }
    }
}

#[test]
fn a_number_ends_at_its_last_digit() {
    for char in (0..=127_u8).map(char::from).chain(['é', '\u{2028}', '\u{10ffff}']) {
        for before in (0..18).step_by(STRIDE) {
            for after in [0, 1, 8] {
                let (before, after) = ("190".repeat(6).split_off(18 - before), "9".repeat(after));
                agrees(&format!("{{\"a\":{before}{char}{after}}}"));
                agrees(&format!("{{\"a\":[-1.{before}{char}{after}]}}"));
            }
        }
    }
}

#[test]
fn each_field_is_told_of_as_it_stands() {
    let json = "{ \"name with é\" : -12345678.25e+10 ,\t\"\\n\":[{\"a\":[]}],\"\":\"\" }";
    let mut told = alloc::vec::Vec::new();
    let whole = Scanner::new(json).object(|name, value| {
        told.push((String::from(&json[name.range]), String::from(&json[value.range])));
    });
    assert_eq!(whole, Some(()));
    let expected =
        [("\"name with é\"", "-12345678.25e+10"), ("\"\\n\"", "[{\"a\":[]}]"), ("\"\"", "\"\"")];
    assert_eq!(told, expected.map(|(name, value)| (name.into(), value.into())));
}
