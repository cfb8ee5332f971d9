//! What a JSON object must say to be the one that is waited for.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString as _};
use core::fmt::{self, Write as _};
use core::str::FromStr;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::json::{check, first_byte, members, normal, push_quoted, quoted_len, range_of};

/// A JSON value to compare with.
///
/// Two values are equal if they mean the same: strings with their escapes resolved, numbers by
/// their exact value (`1`, `1.0` and `10e-1` are equal), arrays element by element, objects field by
/// field in whatever order, the last of a name counting. One in a message that takes more than six times
/// the bytes of the longest that is waited for, and 4 KiB more, is equal to none: a peer's white space and
/// escapes are not followed without end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(String);

impl Value {
    /// The value `null`.
    #[must_use]
    pub fn null() -> Self {
        Self("null".into())
    }

    /// Any JSON text (RFC 8259) as a value.
    ///
    /// # Errors
    /// [`MatcherError`] if it is not JSON, or cannot be compared.
    pub fn parse(text: &str) -> Result<Self, MatcherError> {
        check(text).map_err(|at| MatcherError::NotJson { at })?;
        let token = text.trim_matches([' ', '\t', '\n', '\r']);
        let at = range_of(text, token).start;
        normal(token).map(|value| Self(value.into_owned())).ok_or(MatcherError::Incomparable { at })
    }

    /// The value as JSON text, in the form in which it is compared.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        let mut quoted = String::with_capacity(quoted_len(text));
        push_quoted(&mut quoted, text);
        Self(quoted)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self(value.to_string())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self(value.to_string())
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self(value.to_string())
    }
}

// It may be secret, so `Debug` shows only its length.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} bytes)", self.0.len())
    }
}

/// Fields that a JSON object must have, with these values; whatever else it has does not matter.
///
/// Only top-level fields count. Where a name stands twice the last one counts. It is written in
/// configs as the object of these fields: `{"type":"subscribed","channel":"news"}`. There numbers are
/// as exact as in [`parse`](Self::parse), for which it takes `serde_json`: no other format is read.
///
/// ```
/// use perennial_core::subscriptions::{Matcher, Value};
///
/// let built = Matcher::new("type", "subscribed").and("ids", Value::parse("[1,2]")?);
/// assert_eq!(built, r#"{"ids": [1.0, 2], "type": "subscribed"}"#.parse()?);
/// # Ok::<(), perennial_core::subscriptions::MatcherError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Matcher {
    /// Never empty: nothing would be waited for.
    fields: BTreeMap<String, Value>,
}

impl Matcher {
    /// An object with this field.
    #[must_use]
    pub fn new(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { fields: BTreeMap::from([(field.into(), value.into())]) }
    }

    /// With this field as well; the last of a name counts.
    #[must_use]
    pub fn and(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.fields.insert(field.into(), value.into());
        self
    }

    /// Reads the object that it is written as.
    ///
    /// # Errors
    /// [`MatcherError`] if the text is no JSON object with at least one field, or if a value cannot
    /// be compared.
    pub fn parse(text: &str) -> Result<Self, MatcherError> {
        check(text).map_err(|at| MatcherError::NotJson { at })?;
        if first_byte(text) != Some(b'{') {
            return Err(MatcherError::NotAnObject);
        }
        let mut fields = BTreeMap::new();
        let mut incomparable = None;
        let _ = members(text, |key, token| {
            match (serde_json::from_str::<String>(key), normal(token)) {
                (Ok(name), Some(value)) => {
                    fields.insert(name, Value(value.into_owned()));
                }
                (Err(_), _) => incomparable = incomparable.or(Some(range_of(text, key).start)),
                (_, None) => incomparable = incomparable.or(Some(range_of(text, token).start)),
            }
        });
        match incomparable {
            Some(at) => Err(MatcherError::Incomparable { at }),
            None if fields.is_empty() => Err(MatcherError::Empty),
            None => Ok(Self { fields }),
        }
    }

    /// The fields, ordered by name.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The bytes of its names and values.
    pub(super) fn size(&self) -> usize {
        self.fields.iter().map(|(name, value)| name.len() + value.0.len()).sum()
    }
}

impl FromStr for Matcher {
    type Err = MatcherError;

    fn from_str(text: &str) -> Result<Self, MatcherError> {
        Self::parse(text)
    }
}

/// The object that [`Matcher::parse`] reads.
fn write(fields: &BTreeMap<String, Value>) -> String {
    let mut out = String::from("{");
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_quoted(&mut out, name);
        // Writing to a string cannot fail.
        let _ = write!(out, ":{}", value.0);
    }
    out.push('}');
    out
}

// The values may be secret, so `Debug` shows only the names.
impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Matcher")?;
        f.debug_set().entries(self.fields.keys()).finish()
    }
}

impl Serialize for Matcher {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // As text: a number may have more digits than any type of Rust's.
        let fields = RawValue::from_string(write(&self.fields)).map_err(S::Error::custom)?;
        fields.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let fields = Box::<RawValue>::deserialize(from)?;
        Self::parse(fields.get()).map_err(D::Error::custom)
    }
}

/// Why a text is no matcher. It holds nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatcherError {
    /// It is not JSON (RFC 8259).
    NotJson {
        /// The byte where that shows.
        at: usize,
    },
    /// It is JSON and no object.
    NotAnObject,
    /// An object without fields, which anything would match.
    Empty,
    /// A value that nests deeper than 32, or a text that is no Unicode (RFC 8259 §8.2).
    Incomparable {
        /// The byte where it begins.
        at: usize,
    },
}

impl fmt::Display for MatcherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MatcherError::NotJson { at } => write!(f, "the matcher is not JSON, at byte {at}"),
            MatcherError::NotAnObject => {
                f.write_str("the matcher is no JSON object: write {\"field\":value}")
            }
            MatcherError::Empty => {
                f.write_str("the matcher has no fields and would match anything: name one")
            }
            MatcherError::Incomparable { at } => write!(
                f,
                "the matcher's value at byte {at} cannot be compared: it nests deeper than 32, or \
                 is no Unicode text"
            ),
        }
    }
}

impl core::error::Error for MatcherError {}

/// The name that a key stands for, if it is one of at most `longest` bytes.
pub(super) fn name_of(key: &str, longest: usize) -> Option<Cow<'_, str>> {
    let inner = key.strip_prefix('"')?.strip_suffix('"')?;
    // An escape takes at most six bytes for each byte it means, so that a hostile key is never
    // copied.
    if inner.len() > longest.saturating_mul(6) {
        return None;
    }
    if inner.contains('\\') {
        return serde_json::from_str(key).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}
