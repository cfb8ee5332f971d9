//! Walking over JSON by the grammar of RFC 8259, in one pass.
//!
//! Numbers are not read and strings not copied, so that nothing is lost and nothing allocated, however
//! a text nests: `serde_json` keeps the levels it skips on the heap. The bound on depth makes room for
//! them in one integer. What is inside a string, and digits, is looked at eight bytes at a time.

use core::ops::Range;

use super::MAX_DEPTH;

/// A name or value, as it stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// In bytes, a string's quotes included.
    pub(super) range: Range<usize>,
}

/// What a value is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    String { escaped: bool },
    Number,
    Other,
}

/// A place in a text.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Which of the open levels are objects: a bit for each, the innermost the lowest.
type Levels = u128;
const _: () = assert!(MAX_DEPTH <= Levels::BITS as usize);

impl<'a> Scanner<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0 }
    }

    /// Reads the whole text as an object, and tells of every field in it. `None` unless it is one,
    /// and nothing else; fields may have been told of before that was found.
    #[inline]
    pub(super) fn object(&mut self, mut field: impl FnMut(Token, Token)) -> Option<()> {
        self.expect(b'{')?;
        if self.next()? == b'}' {
            self.at += 1;
        } else {
            loop {
                let name = self.name()?;
                field(name, self.value(MAX_DEPTH - 1)?);
                match self.next()? {
                    b',' => self.at += 1,
                    b'}' => break self.at += 1,
                    _ => return None,
                }
            }
        }
        self.next().is_none().then_some(())
    }

    /// A value that nests at most so deep.
    #[inline]
    fn value(&mut self, max_depth: usize) -> Option<Token> {
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
        let mut objects: Levels = 0;
        let mut depth = 0;
        loop {
            // A value begins.
            let mut byte = self.next()?;
            if matches!(byte, b'{' | b'[') {
                depth += 1;
                if depth > max_depth {
                    return None;
                }
                objects = objects << 1 | Levels::from(byte == b'{');
                self.at += 1;
                byte = self.next()?;
                if byte != close(objects) {
                    if objects & 1 == 1 {
                        self.name()?;
                    }
                    continue;
                }
            } else {
                self.scalar(byte)?;
                byte = self.next()?;
            }
            // It has ended, and perhaps what it is in.
            while byte == close(objects) {
                self.at += 1;
                objects >>= 1;
                depth -= 1;
                if depth == 0 {
                    return Some(());
                }
                byte = self.next()?;
            }
            if byte != b',' {
                return None;
            }
            self.at += 1;
            if objects & 1 == 1 {
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
        // Nothing follows a leading zero but a fraction or an exponent. What follows a number is a
        // comma or a bracket, or the text is none.
        let mut next = if first == b'0' { self.peek()? } else { self.digits()? };
        if next == b'.' {
            self.at += 1;
            self.digit()?;
            next = self.digits()?;
        }
        if matches!(next, b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek()?, b'+' | b'-') {
                self.at += 1;
            }
            self.digit()?;
            self.digits()?;
        }
        Some(Kind::Number)
    }

    /// Goes to the next byte of a string that does not stand for itself, a quote, a backslash, or a
    /// control character, and says which it is; `None` if there is none.
    #[inline]
    fn plain(&mut self) -> Option<u8> {
        self.find(
            |word| word.less_than(0x20) | word.equal_to(b'"') | word.equal_to(b'\\'),
            |byte| matches!(byte, b'"' | b'\\' | 0..0x20),
        )
    }

    /// Goes to the next byte that is no digit, and says which it is; `None` if there is none.
    #[inline]
    fn digits(&mut self) -> Option<u8> {
        self.find(Word::no_digits, |byte| !byte.is_ascii_digit())
    }

    #[inline]
    fn digit(&mut self) -> Option<u8> {
        let byte = self.peek().filter(u8::is_ascii_digit)?;
        self.at += 1;
        Some(byte)
    }

    /// Goes to the next byte that is looked for, and says which it is; `None` if there is none. Both
    /// look for the same: one in eight bytes, the other in one.
    #[inline]
    fn find(&mut self, in_word: impl Fn(Word) -> u64, is_it: impl Fn(u8) -> bool) -> Option<u8> {
        while let Some(chunk) = self.bytes.get(self.at..)?.first_chunk() {
            let found = in_word(Word(u64::from_le_bytes(*chunk)));
            if found != 0 {
                self.at += first(found);
                return self.peek();
            }
            self.at += chunk.len();
        }
        while !is_it(self.peek()?) {
            self.at += 1;
        }
        self.peek()
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

/// What ends the innermost of the open levels.
#[inline]
const fn close(objects: Levels) -> u8 {
    if objects & 1 == 1 { b'}' } else { b']' }
}

/// Eight bytes, the first the lowest.
///
/// What is asked of all of them at once is answered by a mask with the highest bit of each byte that
/// is so. A carry out of such a byte may spoil the answers about those above, so that only the lowest
/// bit means anything, and whether there is one.
#[derive(Clone, Copy, Debug)]
struct Word(u64);

const EACH: u64 = u64::from_ne_bytes([1; 8]);
const HIGHEST: u64 = EACH << 7;

impl Word {
    /// Bytes below `limit`, which is at most 128.
    #[inline]
    const fn less_than(self, limit: u8) -> u64 {
        self.0.wrapping_sub(EACH * limit as u64) & !self.0 & HIGHEST
    }

    #[inline]
    const fn equal_to(self, byte: u8) -> u64 {
        Self(self.0 ^ (EACH * byte as u64)).less_than(1)
    }

    /// Bytes that are no ASCII digits.
    #[inline]
    const fn no_digits(self) -> u64 {
        let digits = self.0 ^ (EACH * b'0' as u64);
        (digits.wrapping_add(EACH * (0x80 - 10)) | digits) & HIGHEST
    }
}

/// Which is the first byte in a mask that is not empty.
#[inline]
const fn first(mask: u64) -> usize {
    (mask.trailing_zeros() / 8) as usize
}
