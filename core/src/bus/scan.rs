//! Walking over JSON by the grammar of RFC 8259, in one pass.
//!
//! Numbers are not read and strings not copied, so that nothing is lost and nothing allocated, however
//! a text nests: `serde_json` keeps the levels it skips on the heap. The bound on depth makes room for
//! them in one integer.

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
    pub(super) fn object(&mut self, mut field: impl FnMut(Token, Token)) -> Option<()> {
        self.space();
        self.eat(b'{')?;
        self.space();
        if self.eat(b'}').is_none() {
            loop {
                let name = self.name()?;
                field(name, self.value(MAX_DEPTH - 1)?);
                self.space();
                if self.eat(b',').is_none() {
                    break self.eat(b'}')?;
                }
                self.space();
            }
        }
        self.space();
        (self.at == self.bytes.len()).then_some(())
    }

    /// A value that nests at most so deep.
    fn value(&mut self, max_depth: usize) -> Option<Token> {
        self.space();
        let start = self.at;
        let kind = match self.peek()? {
            b'{' | b'[' => {
                self.nested(max_depth)?;
                Kind::Other
            }
            _ => self.scalar()?,
        };
        Some(Token { kind, range: start..self.at })
    }

    /// An object or array.
    fn nested(&mut self, max_depth: usize) -> Option<()> {
        let mut objects: Levels = 0;
        let mut depth = 0;
        loop {
            // A value begins.
            let open = self.peek()?;
            let mut is_first = matches!(open, b'{' | b'[');
            if is_first {
                depth += 1;
                if depth > max_depth {
                    return None;
                }
                objects = objects << 1 | Levels::from(open == b'{');
                self.at += 1;
            } else {
                self.scalar()?;
            }
            self.space();
            // It ends, unless it has just begun, and perhaps what it is in.
            while self.eat(if objects & 1 == 1 { b'}' } else { b']' }).is_some() {
                objects >>= 1;
                depth -= 1;
                if depth == 0 {
                    return Some(());
                }
                is_first = false;
                self.space();
            }
            if !is_first {
                self.eat(b',')?;
                self.space();
            }
            if objects & 1 == 1 {
                self.name()?;
                self.space();
            }
        }
    }

    /// A field's name, and the colon after it.
    fn name(&mut self) -> Option<Token> {
        let start = self.at;
        let escaped = self.string()?;
        let range = start..self.at;
        self.space();
        self.eat(b':')?;
        Some(Token { kind: Kind::String { escaped }, range })
    }

    fn scalar(&mut self) -> Option<Kind> {
        Some(match self.peek()? {
            b'"' => Kind::String { escaped: self.string()? },
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'n' => self.literal(b"null")?,
            _ => self.number()?,
        })
    }

    /// A string. Says whether there are escapes in it.
    fn string(&mut self) -> Option<bool> {
        self.eat(b'"')?;
        let mut escaped = false;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 1;
                    match self.peek()? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                        b'u' => {
                            let digits = self.bytes.get(self.at + 1..self.at + 5)?;
                            if !digits.iter().all(u8::is_ascii_hexdigit) {
                                return None;
                            }
                            self.at += 4;
                        }
                        _ => return None,
                    }
                }
                0..0x20 => return None,
                _ => {}
            }
            self.at += 1;
        }
        self.at += 1;
        Some(escaped)
    }

    fn literal(&mut self, literal: &[u8]) -> Option<Kind> {
        let end = self.at + literal.len();
        if self.bytes.get(self.at..end)? != literal {
            return None;
        }
        self.at = end;
        Some(Kind::Other)
    }

    fn number(&mut self) -> Option<Kind> {
        let _ = self.eat(b'-');
        // Nothing follows a leading zero but a fraction or an exponent.
        if self.eat(b'0').is_none() {
            self.digits()?;
        }
        if self.eat(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(Kind::Number)
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// White space (RFC 8259 §2).
    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        if self.peek()? != byte {
            return None;
        }
        self.at += 1;
        Some(())
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}
