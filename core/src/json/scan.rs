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
        &mut self,
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
                self.nested(max_depth)?;
                Kind::Other
            }
            _ => self.scalar(first)?,
        };
        Some(Token { kind, range: start..self.at })
    }

    /// An object or array, at its first byte.
    fn nested(&mut self, max_depth: usize) -> Option<()> {
        let mut levels = Levels::default();
        loop {
            // A value begins.
            let mut byte = self.next()?;
            if matches!(byte, b'{' | b'[') {
                if levels.depth == max_depth {
                    return None;
                }
                levels.push(byte == b'{');
                self.at += 1;
                byte = self.next()?;
                if byte != levels.close() {
                    if levels.is_object() {
                        self.name()?;
                    }
                    continue;
                }
            } else {
                self.scalar(byte)?;
                byte = self.next()?;
            }
            // It has ended, and perhaps what it is in.
            while byte == levels.close() {
                self.at += 1;
                levels.pop();
                if levels.depth == 0 {
                    return Some(());
                }
                byte = self.next()?;
            }
            if byte != b',' {
                return None;
            }
            self.at += 1;
            if levels.is_object() {
                self.name()?;
            }
        }
    }

    /// A field's name, and the colon after it.
    #[inline]
    fn name(&mut self) -> Option<Token> {
        if self.next()? != b'"' {
            return None;
        }
        let start = self.at;
        let escaped = self.string()?;
        let range = start..self.at;
        self.expect(b':')?;
        Some(Token { kind: Kind::String { escaped }, range })
    }

    /// A value that begins with this byte, and is no object or array.
    #[inline]
    fn scalar(&mut self, first: u8) -> Option<Kind> {
        match first {
            b'"' => Some(Kind::String { escaped: self.string()? }),
            b'-' | b'0'..=b'9' => self.number(first),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => None,
        }
    }

    /// A string, at its first quote. Says whether there are escapes in it.
    #[inline]
    fn string(&mut self) -> Option<bool> {
        self.at += 1;
        let stop = self.plain()?;
        self.at += 1;
        if stop == b'"' {
            return Some(false);
        }
        self.escaped(stop)?;
        Some(true)
    }

    /// The rest of a string, after this byte, which is not just itself.
    fn escaped(&mut self, mut stop: u8) -> Option<()> {
        loop {
            match stop {
                b'"' => return Some(()),
                b'\\' => match self.peek()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        let digits = self.bytes.get(self.at + 1..self.at + 5)?;
                        if !digits.iter().all(u8::is_ascii_hexdigit) {
                            return None;
                        }
                        self.at += 4;
                    }
                    _ => return None,
                },
                // A control character.
                _ => return None,
            }
            self.at += 1;
            stop = self.plain()?;
            self.at += 1;
        }
    }

    fn literal(&mut self, literal: &[u8]) -> Option<Kind> {
        let end = self.at + literal.len();
        if self.bytes.get(self.at..end)? != literal {
            return None;
        }
        self.at = end;
        Some(Kind::Other)
    }

    /// A number that begins with this byte.
    #[inline]
    fn number(&mut self, first: u8) -> Option<Kind> {
        self.at += 1;
        let first = if first == b'-' { self.digit()? } else { first };
        // Nothing follows a leading zero but a fraction or an exponent.
        let mut next = if first == b'0' { self.peek() } else { self.digits() };
        if next == Some(b'.') {
            self.at += 1;
            self.digit()?;
            next = self.digits();
        }
        if matches!(next, Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek()?, b'+' | b'-') {
                self.at += 1;
            }
            self.digit()?;
            self.digits();
        }
        Some(Kind::Number)
    }

    /// Goes to the next byte of a string that does not stand for itself, a quote, a backslash, or a
    /// control character, and says which it is; `None` if there is none.
    #[inline]
    fn plain(&mut self) -> Option<u8> {
        self.at = words::plain(self.bytes, self.at);
        self.peek()
    }

    /// Goes to the next byte that is no digit, and says which it is; `None` if there is none.
    #[inline]
    fn digits(&mut self) -> Option<u8> {
        self.at = words::digits(self.bytes, self.at);
        self.peek()
    }

    #[inline]
    fn digit(&mut self) -> Option<u8> {
        let byte = self.peek().filter(u8::is_ascii_digit)?;
        self.at += 1;
        Some(byte)
    }

    /// Goes to the next byte that is no white space (RFC 8259 §2), and says which it is; `None` if
    /// there is none.
    #[inline]
    fn next(&mut self) -> Option<u8> {
        while matches!(self.peek()?, b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.peek()
    }

    /// This byte, and white space before it.
    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        if self.next()? != byte {
            return None;
        }
        self.at += 1;
        Some(())
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
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

    /// Whether the innermost is one.
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
