//! Writing: every frame is put together in one buffer of exactly its size.

use alloc::string::String;
use core::fmt::Write as _;

use bytestring::ByteString;

/// What goes into an envelope.
#[derive(Clone, Copy, Debug)]
pub(super) enum Data<'a> {
    /// A JSON value, to be written as it is.
    Value(&'a str),
    /// Any text, to be written as a JSON string.
    Text(&'a str),
}

/// `{"FIELD":`, the beginning of an envelope.
pub(super) fn envelope_head(id_field: &str) -> String {
    let mut head = String::with_capacity(3 + quoted_len(id_field));
    head.push('{');
    push_quoted(&mut head, id_field);
    head.push(':');
    head
}

/// `{"id":ID,"data":DATA,"timestamp":MS}` with the head given.
pub(super) fn envelope(head: &str, id: u64, data: Data<'_>, unix_ms: u64) -> ByteString {
    const DATA: &str = r#","data":"#;
    const TIMESTAMP: &str = r#","timestamp":"#;
    let size = match data {
        Data::Value(value) => value.len(),
        Data::Text(text) => quoted_len(text),
    };
    let size = head.len() + digits(id) + DATA.len() + size + TIMESTAMP.len() + digits(unix_ms) + 1;
    let mut out = String::with_capacity(size);
    out.push_str(head);
    push_number(&mut out, id);
    out.push_str(DATA);
    match data {
        Data::Value(value) => out.push_str(value),
        Data::Text(text) => push_quoted(&mut out, text),
    }
    out.push_str(TIMESTAMP);
    push_number(&mut out, unix_ms);
    out.push('}');
    finish(out, size)
}

/// `{"type":KIND}`, or `{"type":KIND,"timestamp":MS}`.
pub(super) fn heartbeat(kind: &str, unix_ms: Option<u64>) -> ByteString {
    const TYPE: &str = r#"{"type":"#;
    const TIMESTAMP: &str = r#","timestamp":"#;
    let stamp = unix_ms.map_or(0, |unix_ms| TIMESTAMP.len() + digits(unix_ms));
    let size = TYPE.len() + quoted_len(kind) + stamp + 1;
    let mut out = String::with_capacity(size);
    out.push_str(TYPE);
    push_quoted(&mut out, kind);
    if let Some(unix_ms) = unix_ms {
        out.push_str(TIMESTAMP);
        push_number(&mut out, unix_ms);
    }
    out.push('}');
    finish(out, size)
}

/// `{"ack":ID}`.
pub(super) fn ack(id: u64) -> ByteString {
    const ACK: &str = r#"{"ack":"#;
    let size = ACK.len() + digits(id) + 1;
    let mut out = String::with_capacity(size);
    out.push_str(ACK);
    push_number(&mut out, id);
    out.push('}');
    finish(out, size)
}

/// A buffer of exactly its text's size becomes a shared one as it is; a larger one would cost a
/// second allocation.
pub(in crate::dialect) fn finish(out: String, size: usize) -> ByteString {
    debug_assert_eq!(out.len(), size, "the size was computed wrongly");
    out.into()
}

/// How many decimal digits a number takes.
pub(in crate::dialect) fn digits(number: u64) -> usize {
    // At most 20.
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

pub(in crate::dialect) fn push_number(out: &mut String, number: u64) {
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
pub(in crate::dialect) struct Escapes {
    /// By a backslash and a letter.
    pub(in crate::dialect) letters: usize,
    /// By their code.
    pub(in crate::dialect) codes: usize,
}

pub(in crate::dialect) fn escapes(text: &str) -> Escapes {
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
pub(in crate::dialect) fn quoted_len(text: &str) -> usize {
    let Escapes { letters, codes } = escapes(text);
    2 + text.len() + letters + 5 * codes
}

pub(in crate::dialect) fn push_quoted(out: &mut String, text: &str) {
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
