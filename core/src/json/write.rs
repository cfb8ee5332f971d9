//! Writing: every text is put together in one buffer of exactly its size.

use alloc::string::String;
use core::fmt::Write as _;

use bytestring::ByteString;

/// A buffer of exactly its text's size becomes a shared one as it is; a larger one would cost a
/// second allocation.
pub(crate) fn finish(out: String, size: usize) -> ByteString {
    debug_assert_eq!(out.len(), size, "the size was computed wrongly");
    out.into()
}

/// How many decimal digits a number takes.
pub(crate) fn digits(number: u64) -> usize {
    // At most 20.
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

pub(crate) fn push_number(out: &mut String, number: u64) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{number}");
}

/// How a byte of a string must be escaped (RFC 8259 §7).
enum Escape {
    None,
    /// By a backslash and this letter.
    Letter(char),
    /// By its code, which is below 0x20.
    Code,
}

fn escape(byte: u8) -> Escape {
    match byte {
        b'"' => Escape::Letter('"'),
        b'\\' => Escape::Letter('\\'),
        b'\n' => Escape::Letter('n'),
        b'\r' => Escape::Letter('r'),
        b'\t' => Escape::Letter('t'),
        0x08 => Escape::Letter('b'),
        0x0c => Escape::Letter('f'),
        0..0x20 => Escape::Code,
        _ => Escape::None,
    }
}

/// How many bytes of a text must be escaped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Escapes {
    /// By a backslash and a letter.
    pub(crate) letters: usize,
    /// By their code.
    pub(crate) codes: usize,
}

pub(crate) fn escapes(text: &str) -> Escapes {
    let mut escapes = Escapes::default();
    for byte in text.bytes() {
        match escape(byte) {
            Escape::None => {}
            Escape::Letter(_) => escapes.letters += 1,
            Escape::Code => escapes.codes += 1,
        }
    }
    escapes
}

/// The length of `text` as a JSON string, quotes included.
pub(crate) fn quoted_len(text: &str) -> usize {
    let Escapes { letters, codes } = escapes(text);
    2 + text.len() + letters + 5 * codes
}

pub(crate) fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = escape(byte);
        if matches!(escape, Escape::None) {
            continue;
        }
        // What is escaped is ASCII: both ends are the ends of characters.
        out.push_str(&text[done..at]);
        done = at + 1;
        match escape {
            Escape::None => {}
            Escape::Letter(letter) => {
                out.push('\\');
                out.push(letter);
            }
            Escape::Code => {
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
    }
    out.push_str(&text[done..]);
    out.push('"');
}
