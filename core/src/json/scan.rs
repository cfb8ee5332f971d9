//! Walking over JSON by the grammar of RFC 8259, in one pass and without recursion.
//!
//! Numbers are not read and strings not copied, so that nothing is lost and nothing allocated: of what
//! holds the value at hand a bit is kept for each level, and 128 of them have room in one integer.
//! `serde_json` keeps the levels it skips on the heap.

use alloc::vec::Vec;
use core::ops::Range;

use super::words;

/// A name or value, as it stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// In bytes, a string's quotes included.
    pub(crate) range: Range<usize>,
}

/// What a value is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    String { escaped: bool },
    Number,
    Other,
}

/// A place in a text.
///
/// What is not inlined takes and returns the place as a number, so that it stays in a register: it
/// changes with every token.
#[derive(Clone, Debug)]
pub(crate) struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0 }
    }

    /// Reads the whole text as an object, and tells of every field in it, its name and its value.
    /// `None` unless it is one, and nothing else, and nests at most so deep, itself included; fields
    /// may have been told of before that was found.
    ///
    /// Allocates nothing unless values nest deeper than 128, and then a bit for each level.
    #[inline]
    pub(crate) fn object(
        mut self,
        max_depth: usize,
        mut field: impl FnMut(Token, Token),
    ) -> Option<()> {
        let below = max_depth.checked_sub(1)?;
        self.expect(b'{')?;
        if self.next()? == b'}' {
            self.at += 1;
        } else {
            loop {
                let name = self.name()?;
                field(name, self.value(below)?);
                match self.next()? {
                    b',' => self.at += 1,
                    b'}' => break self.at += 1,
                    _ => return None,
                }
            }
        }
        self.is_over().then_some(())
    }

    /// Whether nothing but white space is left.
    #[inline]
    pub(super) fn is_over(&mut self) -> bool {
        self.next().is_none()
    }

    /// A value that nests at most so deep.
    #[inline]
    pub(super) fn value(&mut self, max_depth: usize) -> Option<Token> {
        let first = self.next()?;
        let start = self.at;
        let kind = match first {
            b'{' | b'[' => {
                self.at = nested(self.bytes, self.at, max_depth)?;
                Kind::Other
            }
            _ => self.scalar(first)?,
        };
        Some(Token { kind, range: start..self.at })
    }

    /// A field's name, and the colon after it.
    #[inline(always)]
    fn name(&mut self) -> Option<Token> {
        self.expect(b'"')?;
        let start = self.at - 1;
        let escaped = self.string()?;
        let range = start..self.at;
        self.expect(b':')?;
        Some(Token { kind: Kind::String { escaped }, range })
    }

    /// A value that begins with this byte, and is no object or array.
    #[inline(always)]
    fn scalar(&mut self, first: u8) -> Option<Kind> {
        let (end, kind) = match first {
            b'"' => {
                self.at += 1;
                return Some(Kind::String { escaped: self.string()? });
            }
            b'-' | b'0'..=b'9' => (number(self.bytes, self.at, first), Kind::Number),
            b't' => (literal(self.bytes, self.at, b"true"), Kind::Other),
            b'f' => (literal(self.bytes, self.at, b"false"), Kind::Other),
            b'n' => (literal(self.bytes, self.at, b"null"), Kind::Other),
            _ => return None,
        };
        self.at = end?;
        Some(kind)
    }

    /// A string, behind its first quote. Says whether there are escapes in it.
    #[inline(always)]
    fn string(&mut self) -> Option<bool> {
        let stop = words::plain(self.bytes, self.at);
        if self.bytes.get(stop) == Some(&b'"') {
            self.at = stop + 1;
            return Some(false);
        }
        self.at = escaped(self.bytes, stop)?;
        Some(true)
    }

    /// Goes to the next byte that is no white space (RFC 8259 §2), and says which it is; `None` if
    /// there is none.
    #[inline(always)]
    fn next(&mut self) -> Option<u8> {
        while matches!(self.peek()?, b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.peek()
    }

    /// This byte, and white space before it.
    #[inline(always)]
    fn expect(&mut self, byte: u8) -> Option<()> {
        // As a rule there is none.
        if self.peek()? != byte && self.next()? != byte {
            return None;
        }
        self.at += 1;
        Some(())
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

/// Where an object or array ends that begins here, if it nests at most so deep.
fn nested(bytes: &[u8], at: usize, max_depth: usize) -> Option<usize> {
    let mut scan = Scan { bytes, at };
    let mut levels = Levels::default();
    loop {
        if levels.is_object() {
            scan.name()?;
        }
        // A value begins.
        let mut byte = scan.next()?;
        if matches!(byte, b'{' | b'[') {
            if levels.depth == max_depth {
                return None;
            }
            levels.push(byte == b'{');
            scan.at += 1;
            byte = scan.next()?;
            if byte != levels.close() {
                continue;
            }
        } else {
            scan.scalar(byte)?;
            byte = scan.next()?;
        }
        // It has ended, and perhaps what it is in.
        while byte == levels.close() {
            scan.at += 1;
            levels.pop();
            if levels.depth == 0 {
                return Some(scan.at);
            }
            byte = scan.next()?;
        }
        if byte != b',' {
            return None;
        }
        scan.at += 1;
    }
}

/// Where a string ends, of which this byte is the first that is not just itself.
fn escaped(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => match bytes.get(at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                b'u' => {
                    if !bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) {
                        return None;
                    }
                    at += 6;
                }
                _ => return None,
            },
            // A control character.
            _ => return None,
        }
        at = words::plain(bytes, at);
    }
}

/// Where this ends, if it is here.
fn literal(bytes: &[u8], at: usize, literal: &[u8]) -> Option<usize> {
    let end = at + literal.len();
    (bytes.get(at..end)? == literal).then_some(end)
}

/// Where a number ends that begins here, with this byte.
fn number(bytes: &[u8], mut at: usize, first: u8) -> Option<usize> {
    // One digit or more.
    let digits = |at: usize| {
        bytes.get(at).filter(|byte| byte.is_ascii_digit())?;
        Some(words::digits(bytes, at + 1))
    };
    if first == b'-' {
        at += 1;
    }
    // Nothing follows a leading zero but a fraction or an exponent.
    at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(at)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = bytes.get(at) {
            at += 1;
        }
        at = digits(at)?;
    }
    Some(at)
}

/// What holds the value at hand: for each level whether it is an object.
#[derive(Default)]
struct Levels {
    depth: usize,
    /// The innermost in the lowest bit.
    inner: u128,
    /// Those for which there is no room in it.
    outer: Vec<u128>,
}

impl Levels {
    #[inline]
    fn push(&mut self, object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(128) {
            self.outer.push(self.inner);
        }
        self.inner = self.inner << 1 | u128::from(object);
        self.depth += 1;
    }

    /// Of what is not empty.
    #[inline]
    fn pop(&mut self) {
        self.inner >>= 1;
        self.depth -= 1;
        if self.depth.is_multiple_of(128)
            && let Some(inner) = self.outer.pop()
        {
            self.inner = inner;
        }
    }

    /// Whether there is an innermost one, and it is an object.
    #[inline]
    const fn is_object(&self) -> bool {
        self.inner & 1 == 1
    }

    /// What ends the innermost.
    #[inline]
    const fn close(&self) -> u8 {
        if self.is_object() { b'}' } else { b']' }
    }
}
