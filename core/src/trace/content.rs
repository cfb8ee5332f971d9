//! Texts and bytes as a trace writes them: long runs of one character are written short.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Deserialize, Serialize};

/// Runs shorter than this are written out.
const SHORTEST_RUN: u64 = 16;

/// A text. As JSON a string, or, with long runs, a list of strings and `[character, count]`.
///
/// It takes the memory that its JSON takes, not the memory of what it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Content {
    Plain(String),
    Pieces(Vec<Piece>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Piece {
    Literal(String),
    Run(char, u64),
}

impl Content {
    pub(super) fn of_text(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            let mut count = 1;
            while chars.next_if_eq(&char).is_some() {
                count += 1;
            }
            if count < SHORTEST_RUN {
                literal.extend((0..count).map(|_| char));
                continue;
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(core::mem::take(&mut literal)));
            }
            pieces.push(Piece::Run(char, count));
        }
        if pieces.is_empty() {
            return Content::Plain(literal);
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Content::Pieces(pieces)
    }

    /// Bytes, as the text of their lower-case hexadecimal digits.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        let mut digits = String::with_capacity(bytes.len().saturating_mul(2));
        for byte in bytes {
            // Writing to a string cannot fail.
            let _ = write!(digits, "{byte:02x}");
        }
        Self::of_text(&digits)
    }

    /// The length in bytes of the text; `None` past the end of `u64`.
    pub(super) fn text_len(&self) -> Option<u64> {
        match self {
            Content::Plain(text) => Some(text.len() as u64),
            Content::Pieces(pieces) => pieces.iter().try_fold(0_u64, |sum, piece| {
                let len = match piece {
                    Piece::Literal(text) => text.len() as u64,
                    Piece::Run(char, count) => count.checked_mul(char.len_utf8() as u64)?,
                };
                sum.checked_add(len)
            }),
        }
    }

    /// The text. The caller has looked at how long it is.
    pub(super) fn to_text(&self) -> ByteString {
        self.expand().into()
    }

    fn expand(&self) -> String {
        match self {
            Content::Plain(text) => text.clone(),
            Content::Pieces(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Literal(literal) => text.push_str(literal),
                        Piece::Run(char, count) => text.extend((0..*count).map(|_| *char)),
                    }
                }
                text
            }
        }
    }

    /// The bytes; `None` where they are no pairs of hexadecimal digits.
    pub(super) fn to_bytes(&self) -> Option<Bytes> {
        let digits = self.expand();
        let value = |digit: u8| char::from(digit).to_digit(16);
        let bytes: Option<Vec<u8>> = digits
            .as_bytes()
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => u8::try_from(value(*high)? << 4 | value(*low)?).ok(),
                _ => None,
            })
            .collect();
        bytes.map(Bytes::from)
    }

    /// Whether [`to_bytes`](Self::to_bytes) has an answer, without building it.
    pub(super) fn is_hex(&self) -> bool {
        let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digits = match self {
            Content::Plain(text) => hex(text),
            Content::Pieces(pieces) => pieces.iter().all(|piece| match piece {
                Piece::Literal(text) => hex(text),
                Piece::Run(char, _) => char.is_ascii_hexdigit(),
            }),
        };
        digits && self.text_len().is_some_and(|len| len % 2 == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn json(content: &Content) -> String {
        serde_json::to_string(content).unwrap()
    }

    #[test]
    fn long_runs_are_written_short() {
        assert_eq!(json(&Content::of_text("")), r#""""#);
        assert_eq!(json(&Content::of_text("a.....")), r#""a.....""#);
        let long = alloc::format!("a{}b", ".".repeat(1_000));
        assert_eq!(json(&Content::of_text(&long)), r#"["a",[".",1000],"b"]"#);
        assert_eq!(json(&Content::of_bytes(&[0; 16])), r#"[["0",32]]"#);
        assert_eq!(json(&Content::of_bytes(&[0xab, 1])), r#""ab01""#);
        let shortest = ".".repeat(16);
        assert_eq!(json(&Content::of_text(&shortest)), r#"[[".",16]]"#);
        assert_eq!(json(&Content::of_text(&shortest[1..])), r#""...............""#);
    }

    #[test]
    fn lengths_do_not_overflow() {
        for text in [r#"[["x",18446744073709551615],"x"]"#, r#"[["é",9223372036854775808]]"#] {
            let content: Content = serde_json::from_str(text).unwrap();
            assert_eq!(content.text_len(), None);
            assert!(!content.is_hex());
        }
        for wrong in ["1", "[1]", r#"[["xy",2]]"#, r#"[["x",-1]]"#, r#"[["x",1,1]]"#, "null"] {
            assert!(serde_json::from_str::<Content>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_hex_is_bytes() {
        for wrong in ["0", "0g", "é", "+1"] {
            let content = Content::Plain(wrong.into());
            assert!(!content.is_hex(), "{wrong}");
            assert_eq!(content.to_bytes(), None, "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(crate::testing::cases())]

        #[test]
        fn content_comes_back(
            pieces in prop::collection::vec((crate::testing::any_text(), any::<char>(), 0..40_usize), 0..4),
        ) {
            let text: String = pieces
                .iter()
                .map(|(text, char, count)| alloc::format!("{text}{}", vec![*char; *count].iter().collect::<String>()))
                .collect();
            let content = Content::of_text(&text);
            let read: Content = serde_json::from_str(&json(&content)).unwrap();
            prop_assert_eq!(&read, &content);
            prop_assert_eq!(read.text_len(), Some(text.len() as u64));
            prop_assert_eq!(&*read.to_text(), &text);
            let bytes = Content::of_bytes(text.as_bytes());
            prop_assert!(bytes.is_hex());
            prop_assert_eq!(bytes.to_bytes(), Some(Bytes::from(text.into_bytes())));
        }
    }
}
