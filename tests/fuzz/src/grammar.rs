//! The grammar of RFC 8259, in the simplest way: what `serde_json` is held to where its values say
//! less than the text, as of numbers that are too large and of surrogates that stand alone.

/// The fields of the outermost object of a text, in their order: names and values as they stand
/// there. `None` if the text is not exactly one object.
pub(super) fn fields(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut reader = Reader { text, at: 0 };
    reader.space();
    let fields = reader.object()?;
    reader.space();
    (reader.at == text.len()).then_some(fields)
}

/// Whether a text is exactly one value.
pub(super) fn is_value(text: &str) -> bool {
    let mut reader = Reader { text, at: 0 };
    reader.space();
    let is_value = reader.value().is_some();
    reader.space();
    is_value && reader.at == text.len()
}

/// Whether a token is a string that means `expected`.
pub(super) fn is_string(token: &str, expected: &str) -> bool {
    token.starts_with('"') && units(token) == expected.encode_utf16().collect::<Vec<u16>>()
}

/// What the string that is a token means, in the units in which it may be escaped.
fn units(token: &str) -> Vec<u16> {
    let mut units = Vec::new();
    let mut letters = token[1..token.len() - 1].chars();
    while let Some(letter) = letters.next() {
        let mut pair = [0; 2];
        if letter != '\\' {
            units.extend_from_slice(letter.encode_utf16(&mut pair));
            continue;
        }
        units.push(match letters.next() {
            Some('b') => 8,
            Some('t') => 9,
            Some('n') => 10,
            Some('f') => 12,
            Some('r') => 13,
            Some('u') => {
                let digits: String = letters.by_ref().take(4).collect();
                u16::from_str_radix(&digits, 16).expect("the grammar was checked")
            }
            // `"`, `\` and `/` stand for themselves, and are below 128.
            other => other.map_or(0, |letter| u16::try_from(u32::from(letter)).unwrap_or(0)),
        });
    }
    units
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn object(&mut self) -> Option<Vec<(&'a str, &'a str)>> {
        let mut fields = Vec::new();
        self.take(b'{')?;
        self.space();
        if self.take(b'}').is_some() {
            return Some(fields);
        }
        loop {
            self.space();
            let name = self.string()?;
            self.space();
            self.take(b':')?;
            self.space();
            fields.push((name, self.value()?));
            self.space();
            if self.take(b'}').is_some() {
                return Some(fields);
            }
            self.take(b',')?;
        }
    }

    fn array(&mut self) -> Option<()> {
        self.take(b'[')?;
        self.space();
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            self.space();
            self.value()?;
            self.space();
            if self.take(b']').is_some() {
                return Some(());
            }
            self.take(b',')?;
        }
    }

    fn value(&mut self) -> Option<&'a str> {
        let from = self.at;
        match self.peek()? {
            b'{' => drop(self.object()?),
            b'[' => self.array()?,
            b'"' => drop(self.string()?),
            b'-' | b'0'..=b'9' => self.number()?,
            _ => {
                let rest = &self.text[from..];
                let word = ["true", "false", "null"].into_iter().find(|w| rest.starts_with(w))?;
                self.at += word.len();
            }
        }
        Some(&self.text[from..self.at])
    }

    fn string(&mut self) -> Option<&'a str> {
        let from = self.at;
        self.take(b'"')?;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(&self.text[from..self.at]);
                }
                b'\\' => {
                    self.at += 1;
                    match self.peek()? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
                        b'u' => {
                            let digits = self.text.as_bytes().get(self.at + 1..self.at + 5)?;
                            if !digits.iter().all(u8::is_ascii_hexdigit) {
                                return None;
                            }
                            self.at += 5;
                        }
                        _ => return None,
                    }
                }
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
    }

    fn digits(&mut self) -> Option<()> {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > from).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
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
}
