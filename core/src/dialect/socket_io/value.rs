//! What a body must be: JSON of a kind, read in one pass that builds nothing and does not recurse.

use core::fmt;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::json;

/// What an event must not be called: these names are the protocol's own.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

pub(super) fn is_object(text: &str) -> bool {
    is_json(text, b'{')
}

pub(super) fn is_array(text: &str) -> bool {
    is_json(text, b'[')
}

pub(super) fn is_string(text: &str) -> bool {
    is_json(text, b'"')
}

fn is_json(text: &str, first: u8) -> bool {
    json::first_byte(text) == Some(first) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Whether `text` is an array that begins with a name an event may have: a number, or a string that
/// is none of the reserved.
pub(super) fn is_event(text: &str) -> bool {
    if json::first_byte(text) != Some(b'[') {
        return false;
    }
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_seq(Event).is_ok_and(|named| named) && json.end().is_ok()
}

struct Event;

impl<'de> Visitor<'de> for Event {
    /// Whether it has a name.
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        let Some(name) = seq.next_element::<&'de RawValue>()? else { return Ok(false) };
        let name = name.get();
        let reserved = || RESERVED.iter().any(|word| json::is_string(name, word));
        let named = json::is_number(name) || name.starts_with('"') && !reserved();
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(named)
    }
}
