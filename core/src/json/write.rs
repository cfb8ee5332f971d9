//! Writing: every text is put together in one buffer of exactly its size.

use alloc::string::String;
use core::fmt::Write as _;

use bytestring::ByteString;

use super::words::plain;

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

/// `00` to `99`.
const PAIRS: &str = "\
    0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
    5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

pub(crate) fn push_number(out: &mut String, mut number: u64) {
    // At most 20 digits. Two at a time, the last ones first.
    let mut pairs = [0; 10];
    let mut count = 0;
    while number >= 100 {
        pairs[count] = (number % 100) as usize;
        number /= 100;
        count += 1;
    }
    // What is left is below 100, and begins with no zero.
    let first = number as usize * 2;
    out.push_str(&PAIRS[first + usize::from(number < 10)..first + 2]);
    for pair in pairs[..count].iter().rev() {
        out.push_str(&PAIRS[pair * 2..pair * 2 + 2]);
    }
}

/// How a byte is written that does not stand for itself (RFC 8259 §7): by a backslash and this
/// letter, or by its code, which is below 0x20.
fn letter(byte: u8) -> Option<char> {
    match byte {
        b'"' => Some('"'),
        b'\\' => Some('\\'),
        b'\n' => Some('n'),
        b'\r' => Some('r'),
        b'\t' => Some('t'),
        0x08 => Some('b'),
        0x0c => Some('f'),
        _ => None,
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
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.get(plain(rest, 0)..).and_then(<[u8]>::split_first) {
        match letter(*byte) {
            Some(_) => escapes.letters += 1,
            None => escapes.codes += 1,
        }
        rest = after;
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
    let mut rest = text;
    loop {
        // What is escaped is ASCII: both ends are the ends of characters.
        let (as_it_is, escaped) = rest.split_at(plain(rest.as_bytes(), 0));
        out.push_str(as_it_is);
        let Some(byte) = escaped.bytes().next() else { break };
        match letter(byte) {
            Some(letter) => {
                out.push('\\');
                out.push(letter);
            }
            None => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
        rest = escaped.get(1..).unwrap_or_default();
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn numbers_are_written_as_they_are() {
        let mut numbers: alloc::vec::Vec<u64> = (0..=1_000).chain([u64::MAX]).collect();
        for power in 1..20 {
            let ten = 10_u64.pow(power);
            numbers.extend([ten - 1, ten, ten + 1, ten / 7, u64::MAX / ten]);
        }
        for number in numbers {
            let mut out = String::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string());
            assert_eq!(digits(number), out.len());
        }
    }

    #[test]
    fn texts_are_written_as_serde_json_does() {
        for text in
            ["", "a", "é\"\\\u{1}\u{1f}\n\r\t\u{8}\u{c}\u{7f}z", "\"", "123456789\u{0}123456789"]
        {
            let mut out = String::new();
            push_quoted(&mut out, text);
            assert_eq!(out, serde_json::to_string(text).unwrap());
            assert_eq!(quoted_len(text), out.len());
        }
    }
}
