//! What is JSON, how deep, and what is none.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;

#[test]
fn the_grammar_is_that_of_the_rfc() {
    for text in [
        "",
        " ",
        "0",
        "-0",
        "-",
        "01",
        "-01",
        "1.",
        ".1",
        "1.0",
        "1e",
        "1e+",
        "1e+0",
        "1E-07",
        "+1",
        "1 2",
        "0x1",
        "true",
        "tru",
        "truex",
        "null ",
        "nul",
        "false",
        "False",
        "NaN",
        "\"\"",
        "\"",
        "\"\\\"",
        "\"\\u12\"",
        "\"\\u12G4\"",
        "\"\\ud800\"",
        "\"\\x\"",
        "\"\t\"",
        "\"\u{7f}é\"",
        "[]",
        "[ ]",
        "[",
        "]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{}",
        "{ }",
        "{1:2}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1]",
        "{\"a\" : [ { } , \"\" ] }",
        "{,}",
        "\u{feff}{}",
        "{\"a\":1} x",
        "{\"a\":1}\r\n\t ",
        "\u{b}1",
        "[[[]],{\"a\":{\"b\":[{}]}}]",
    ] {
        agree(text);
    }
}

#[test]
fn depth_is_bounded_and_takes_no_recursion() {
    let deep = if cfg!(miri) { 1_000 } else { 100_000 };
    for depth in [1, 2, 63, 64, 65, 128, 129, deep] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let inner = if open == "[" { "" } else { "0" };
            let text = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
            assert!(is_value(&text, depth), "{depth}");
            assert!(!is_value(&text, depth - 1), "{depth}");
            assert!(!is_value(text.strip_suffix(close).unwrap(), usize::MAX), "{depth}");
        }
    }
    // Both kinds, mixed, so that every level is told apart.
    let text = "[{\"a\":".repeat(100) + "0" + &"}]".repeat(100);
    assert!(is_value(&text, 200));
    assert!(!is_value(&text.replacen("}]}]", "}]]}", 1), 200));
}

#[test]
fn each_field_is_told_of_as_it_stands() {
    let json = "{ \"name with é\" : -12345678.25e+10 ,\t\"\\n\":[{\"a\":[]}],\"\":\"\" }";
    let mut told = Vec::new();
    let whole = Scan::new(json).object(3, |name, value| {
        told.push((String::from(&json[name.range]), String::from(&json[value.range])));
    });
    assert_eq!(whole, None, "it nests deeper");
    told.clear();
    let whole = Scan::new(json).object(4, |name, value| {
        told.push((String::from(&json[name.range]), String::from(&json[value.range])));
    });
    assert_eq!(whole, Some(()));
    let expected =
        [("\"name with é\"", "-12345678.25e+10"), ("\"\\n\"", "[{\"a\":[]}]"), ("\"\"", "\"\"")];
    assert_eq!(told, expected.map(|(name, value)| (name.into(), value.into())));
}
