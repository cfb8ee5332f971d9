//! Reading: the few fields of an object that mean something here, without building the rest.

use core::fmt;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The top-level fields that the dialect knows, each value as it stands in the text.
///
/// Where a name stands twice the last one counts, as in ECMAScript's `JSON.parse` and in
/// `serde_json` (RFC 8259 §4 leaves it open).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields<'a> {
    kind: Option<&'a str>,
    ack: Option<&'a str>,
    cumulative: Option<&'a str>,
    id: Option<&'a str>,
    /// The field `id`, where the configured one has another name.
    plain_id: Option<&'a str>,
}

/// What an object says about acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ack {
    /// It is one.
    Good { id: u64, cumulative: bool },
    /// It is one, and its number is none from 0 to 2^64 - 1.
    Bad,
}

impl<'a> Fields<'a> {
    /// Reads `text` in one pass; `None` unless it is a JSON object and nothing else.
    ///
    /// Allocates nothing unless values nest two deep or deeper, and then at most a byte for each
    /// level: what is skipped is skipped by iteration.
    pub(super) fn read(text: &'a str, id_field: &str) -> Option<Self> {
        if first_byte(text) != Some(b'{') {
            return None;
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let fields = json.deserialize_map(Reader { id_field, fields: Self::default() }).ok()?;
        json.end().ok()?;
        Some(fields)
    }

    /// Whether the field `type` is the string `kind`.
    pub(super) fn is_kind(&self, kind: &str) -> bool {
        self.kind.is_some_and(|token| is_string(token, kind))
    }

    /// The integer of the id field, if it holds one from 0 to 2^64 - 1.
    pub(super) fn id(&self) -> Option<u64> {
        self.id.and_then(integer)
    }

    /// The acknowledgement, if the object has the form of one.
    ///
    /// Without a `type` that is a number in `ack`; with the type `ack`, a number in `ack`, in the
    /// id field or in `id`, the first of them that there is. With another type it is none.
    pub(super) fn ack(&self) -> Option<Ack> {
        let places = match self.kind {
            None => [self.ack, None, None],
            Some(token) if is_string(token, "ack") => [self.ack, self.id, self.plain_id],
            Some(_) => return None,
        };
        let number = places.into_iter().flatten().find(|token| is_number(token))?;
        Some(match integer(number) {
            Some(id) => Ack::Good { id, cumulative: self.cumulative == Some("true") },
            None => Ack::Bad,
        })
    }
}

/// Whether `text` is one JSON value by the grammar of RFC 8259, of whatever depth and size, and
/// not an object: what [`Fields::read`] refuses need not be read again.
pub(super) fn is_array_or_scalar(text: &str) -> bool {
    // Most texts that are not JSON show it at once, and need no error to be made.
    matches!(first_byte(text), Some(b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'))
        && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Where `text` first nests deeper than `max_depth`: the offset in bytes of the bracket that does.
///
/// Looks at brackets outside of strings and at nothing else; that the text is JSON is not checked.
pub(super) fn too_deep(text: &str, max_depth: usize) -> Option<usize> {
    // Each level takes a byte, so that short texts need no look.
    if text.len() <= max_depth {
        return None;
    }
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > max_depth {
                    return Some(at);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The first byte after white space (RFC 8259 §2).
pub(super) fn first_byte(text: &str) -> Option<u8> {
    text.bytes().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

/// Whether a valid JSON value is a number.
fn is_number(token: &str) -> bool {
    token.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// The value of a valid JSON value that is an integer from 0 to 2^64 - 1, written as one.
fn integer(token: &str) -> Option<u64> {
    // A JSON number never begins with the `+` that `parse` would take.
    token.parse().ok()
}

/// What stands between the quotes of a valid JSON value, if it is a string.
fn unquoted(token: &str) -> Option<&str> {
    token.strip_prefix('"')?.strip_suffix('"')
}

/// Whether a valid JSON value is the string `expected`.
fn is_string(token: &str, expected: &str) -> bool {
    let Some(inner) = unquoted(token) else { return false };
    // An escape takes at most six bytes for each byte it means; what is longer cannot be equal,
    // so that a hostile string is never copied.
    if !inner.contains('\\') || inner.len() > expected.len().saturating_mul(6) {
        return inner == expected;
    }
    serde_json::from_str::<alloc::string::String>(token).is_ok_and(|string| string == expected)
}

struct Reader<'a, 'f> {
    id_field: &'f str,
    fields: Fields<'a>,
}

impl<'a> Reader<'a, '_> {
    /// The place for the value of this key, given as it stands in the text.
    fn place(&mut self, key: &str) -> Option<&mut Option<&'a str>> {
        let Self { id_field, fields } = self;
        // Looked for once, not for every name.
        let escaped = key.contains('\\');
        let names =
            |name: &str| if escaped { is_string(key, name) } else { unquoted(key) == Some(name) };
        if names(id_field) {
            Some(&mut fields.id)
        } else if names("type") {
            Some(&mut fields.kind)
        } else if names("ack") {
            Some(&mut fields.ack)
        } else if names("cumulative") {
            Some(&mut fields.cumulative)
        } else if names("id") {
            Some(&mut fields.plain_id)
        } else {
            None
        }
    }
}

impl<'de> Visitor<'de> for Reader<'de, '_> {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        // Keys are taken raw as well: decoded as strings they would refuse a lone surrogate, which
        // the grammar allows (RFC 8259 §8.2), and with it the whole object.
        while let Some(key) = map.next_key::<&'de RawValue>()? {
            match self.place(key.get()) {
                Some(place) => *place = Some(map.next_value::<&'de RawValue>()?.get()),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(self.fields)
    }
}
