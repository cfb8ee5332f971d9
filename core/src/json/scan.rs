//! The grammar of RFC 8259, walked through once and without recursion.

use alloc::vec::Vec;

use super::Pick;

/// How many of the first bytes stand in a JSON string as they are: up to a quote, a backslash or a
/// control character (RFC 8259 §7).
pub(super) fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    // Eight at a time. A borrow may mark bytes above one that is meant, and never below.
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*word);
        let is = |byte: u8| {
            let differs = word ^ (ONES * u64::from(byte));
            differs.wrapping_sub(ONES) & !differs
        };
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (is(b'"') | is(b'\\') | control) & HIGH;
        if found != 0 {
            // At most 7.
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    at + rest.iter().position(special).unwrap_or(rest.len())
}

/// A text, and how far it was read.
pub(super) struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// An object that nests at most so deep, itself included. `None` if it is none, or deeper.
    pub(super) fn object<P: Pick<'a>>(&mut self, max_depth: usize, picker: &mut P) -> Option<()> {
        let below = max_depth.checked_sub(1)?;
        self.space();
        self.take(b'{')?;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Some(());
        }
        loop {
            let start = self.at;
            self.string()?;
            let place = picker.place(self.since(start));
            self.colon()?;
            let start = self.at;
            self.value(below)?;
            if let Some(place) = place {
                picker.put(place, self.since(start));
            }
            self.space();
            match self.next()? {
                b',' => self.space(),
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// Any value that nests at most so deep. What holds it is kept as a bit for each level.
    pub(super) fn value(&mut self, max_depth: usize) -> Option<()> {
        match self.peek()? {
            b'[' | b'{' => self.nested(max_depth),
            _ => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => None,
        }
    }

    fn nested(&mut self, max_depth: usize) -> Option<()> {
        let mut levels = Levels::default();
        loop {
            let byte = self.peek()?;
            if matches!(byte, b'[' | b'{') {
                if levels.depth == max_depth {
                    return None;
                }
                self.at += 1;
                self.space();
                let object = byte == b'{';
                levels.push(object);
                if self.peek() != Some(if object { b'}' } else { b']' }) {
                    if object {
                        self.string()?;
                        self.colon()?;
                    }
                    continue;
                }
            } else {
                self.scalar()?;
            }
            // A value has ended, or stands before the end of what is empty.
            loop {
                let Some(object) = levels.innermost() else { return Some(()) };
                self.space();
                match self.next()? {
                    b',' => {
                        self.space();
                        if object {
                            self.string()?;
                            self.colon()?;
                        }
                        break;
                    }
                    b'}' if object => levels.pop(),
                    b']' if !object => levels.pop(),
                    _ => return None,
                }
            }
        }
    }

    /// Whether nothing but white space is left.
    pub(super) fn is_over(&mut self) -> bool {
        self.space();
        self.at == self.text.len()
    }

    /// White space (RFC 8259 §2).
    pub(super) fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            self.at += plain(self.rest());
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        for _ in 0..4 {
                            self.next().filter(u8::is_ascii_hexdigit)?;
                        }
                    }
                    _ => return None,
                },
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.rest().starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    fn colon(&mut self) -> Option<()> {
        self.space();
        self.take(b':')?;
        self.space();
        Some(())
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// What was read from `start` on. Values begin and end with ASCII.
    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }
}

/// What holds the value at hand: for each level whether it is an object. Up to 64 levels take no
/// allocation.
#[derive(Default)]
struct Levels {
    depth: usize,
    /// The innermost in the lowest bit.
    inner: u64,
    outer: Vec<u64>,
}

impl Levels {
    fn push(&mut self, object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.inner);
        }
        self.inner = self.inner << 1 | u64::from(object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.inner >>= 1;
        self.depth -= 1;
        if self.depth.is_multiple_of(64)
            && let Some(inner) = self.outer.pop()
        {
            self.inner = inner;
        }
    }

    fn innermost(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.inner & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::format;
    use alloc::string::{String, ToString as _};

    use proptest::prelude::*;
    use serde::de::IgnoredAny;
    use serde_json::value::RawValue;

    use super::*;
    use crate::json::members;

    fn is_value(text: &str, max_depth: usize) -> bool {
        let mut scan = Scan::new(text);
        scan.space();
        scan.value(max_depth).is_some() && scan.is_over()
    }

    #[track_caller]
    fn agree(text: &str) {
        let valid = serde_json::from_str::<IgnoredAny>(text).is_ok();
        assert_eq!(is_value(text, usize::MAX), valid, "{text:?}");
        let mut ours = BTreeMap::new();
        let read = members(text, |key, value| {
            ours.insert(key.to_string(), value.to_string());
        });
        // Not every key is Unicode text; so they are compared as they stand, where they can be.
        let theirs = serde_json::from_str::<BTreeMap<String, &RawValue>>(text);
        match theirs {
            Ok(theirs) => {
                let names = ours.iter().filter_map(|(key, value)| {
                    Some((serde_json::from_str::<String>(key).ok()?, value.as_str()))
                });
                let ours: BTreeMap<String, &str> = names.collect();
                if ours.len() == theirs.len() && !text.contains("\\u") {
                    let theirs: BTreeMap<String, &str> =
                        theirs.into_iter().map(|(key, value)| (key, value.get())).collect();
                    assert_eq!(ours, theirs, "{text:?}");
                }
                assert!(read.is_some(), "{text:?}");
            }
            Err(_) => {
                let object = valid && text.trim_start().starts_with('{');
                assert_eq!(read.is_some(), object, "{text:?}");
            }
        }
    }

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
        for depth in [1, 2, 63, 64, 65, 128, 129, 100_000] {
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
    fn every_byte_stands_for_itself_or_does_not() {
        for byte in 0..=u8::MAX {
            for at in 0..20 {
                let mut bytes = [b'a'; 20];
                bytes[at] = byte;
                let special = byte < 0x20 || byte == b'"' || byte == b'\\';
                assert_eq!(plain(&bytes), if special { at } else { 20 }, "{byte} at {at}");
                bytes[19] = b'"';
                assert_eq!(plain(&bytes), if special { at } else { 19 }, "{byte} at {at}");
            }
        }
    }

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
    }
}
