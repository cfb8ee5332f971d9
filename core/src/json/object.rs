//! Objects: some top-level fields of one, without building the rest.

use core::fmt;
use core::ops::Range;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::scan::{Scan, Token};

/// Takes the fields it wants. Keys and values come as they stand in the text, quotes and all.
///
/// Where a name stands twice the last one should count, as in ECMAScript's `JSON.parse` and in
/// `serde_json` (RFC 8259 §4 leaves it open).
pub(crate) trait Pick<'a> {
    /// Where a value goes.
    type Place;

    /// The place for the value of this key, if it is wanted.
    fn place(&mut self, key: &'a str) -> Option<Self::Place>;

    /// Takes the value.
    fn put(&mut self, place: Self::Place, value: &'a str);
}

/// Reads `text` in one pass; `None` unless it is a JSON object and nothing else.
///
/// Allocates nothing unless values nest deeper than 128, and then a bit for each level: what is
/// skipped is skipped by iteration.
pub(crate) fn pick<'a, P: Pick<'a>>(text: &'a str, picker: P) -> Option<P> {
    pick_within(text, usize::MAX, picker)
}

/// The same; `None` as well if it nests deeper than `max_depth`, the object itself included.
pub(crate) fn pick_within<'a, P: Pick<'a>>(
    text: &'a str,
    max_depth: usize,
    mut picker: P,
) -> Option<P> {
    // What was read begins and ends with ASCII.
    let part = |token: Token| text.get(token.range).unwrap_or_default();
    Scan::new(text).object(max_depth, |name, value| {
        if let Some(place) = picker.place(part(name)) {
            picker.put(place, part(value));
        }
    })?;
    Some(picker)
}

/// As [`pick`]; what is not an object by the grammar is an error at a byte of the text.
pub(crate) fn try_pick<'a, P: Pick<'a>>(text: &'a str, picker: P) -> Result<P, usize> {
    pick(text, picker).ok_or_else(|| {
        let mut json = serde_json::Deserializer::from_str(text);
        let read = json.deserialize_map(Grammar).and_then(|()| json.end());
        read.map_or_else(|error| offset(text, &error), |()| text.len())
    })
}

/// Whether `text` is one JSON value of whatever kind, depth and size; otherwise at which byte it
/// is not.
pub(crate) fn check(text: &str) -> Result<(), usize> {
    serde_json::from_str::<IgnoredAny>(text).map(|_| ()).map_err(|error| offset(text, &error))
}

/// The fields of an object, in the order of the text; `None` if `text` is none.
pub(crate) fn members<'a>(text: &'a str, mut each: impl FnMut(&'a str, &'a str)) -> Option<()> {
    struct All<'a, F> {
        each: F,
        key: &'a str,
    }
    impl<'a, F: FnMut(&'a str, &'a str)> Pick<'a> for All<'a, F> {
        type Place = ();

        fn place(&mut self, key: &'a str) -> Option<()> {
            self.key = key;
            Some(())
        }

        fn put(&mut self, (): (), value: &'a str) {
            (self.each)(self.key, value);
        }
    }
    pick(text, All { each: &mut each, key: "" }).map(|_| ())
}

/// Where `part`, which was read out of `text`, stands in it.
pub(crate) fn range_of(text: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len());
    start..(start + part.len()).min(text.len())
}

/// The byte at which an error was found; its column counts bytes from 1, from the line's start.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    if error.is_eof() {
        return text.len();
    }
    let lines = error.line().saturating_sub(1);
    let line = match lines {
        0 => 0,
        _ => text.match_indices('\n').nth(lines - 1).map_or(0, |(at, _)| at + 1),
    };
    (line + error.column().saturating_sub(1)).min(text.len())
}

/// An object of which nothing is wanted but where it breaks the grammar.
struct Grammar;

impl<'de> Visitor<'de> for Grammar {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Keys are taken raw: decoded as strings they would refuse a lone surrogate, which the
        // grammar allows (RFC 8259 §8.2), and with it the whole object.
        while map.next_key::<&'de RawValue>()?.is_some() {
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}
