//! Who waits for which message, found without looking at each who waits.
//!
//! Matchers that name the same fields form a shape; within a shape, the values that are waited for
//! are sorted. A message is read once for all shapes and then looked up once in each. There are few
//! shapes, as a rule: one or two.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::fmt;
use core::ops::Range;

use super::matcher::{Matcher, name_of};
use super::subscription::SubscriptionId;
use crate::json::{Pick, normal, pick, range_of};

/// What a message means to the one who waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// This comes first, where both fit.
    Refuse,
    Confirm,
}

/// How much longer than the longest value that is waited for one in a message may be written to be
/// compared with it at all: so much for escapes, of which each makes six bytes of one, and so much for
/// white space and idle zeros. A peer may write what it likes, and must not be able to have values of
/// any size made comparable.
const ESCAPES: usize = 6;
const SPACE: usize = 4096;

/// Everyone who waits.
#[derive(Clone, Default)]
pub(super) struct Waiting {
    /// Those with more fields first.
    shapes: Vec<Shape>,
    /// The names in all shapes, sorted, with how many shapes have them.
    names: Vec<(String, usize)>,
    /// Where the values of these stand in the message that is being read.
    found: Vec<Option<Range<usize>>>,
    /// The values of a shape's fields, being looked up.
    key: String,
    /// The length of the longest value that somebody waits for, or has waited for while others do.
    longest: usize,
}

#[derive(Clone)]
struct Shape {
    /// Sorted.
    fields: Vec<String>,
    /// Who waits for these values, each followed by a line's end, which no value contains.
    values: BTreeMap<String, BTreeSet<(SubscriptionId, Role)>>,
}

impl Shape {
    fn order(&self) -> (Reverse<usize>, impl Iterator<Item = &str> + Clone) {
        (Reverse(self.fields.len()), self.fields.iter().map(String::as_str))
    }
}

// The values may be secret.
impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.shapes.iter().map(|shape| shape.values.len()).sum::<usize>();
        write!(f, "Waiting({} shapes, {values} values)", self.shapes.len())
    }
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.shapes.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.shapes.clear();
        self.names.clear();
        self.longest = 0;
    }

    pub(super) fn insert(&mut self, id: SubscriptionId, role: Role, matcher: &Matcher) {
        let index = self.shape(matcher).unwrap_or_else(|index| {
            let fields: Vec<String> = matcher.fields().map(|(name, _)| name.into()).collect();
            for field in &fields {
                match self.names.binary_search_by(|(name, _)| name.cmp(field)) {
                    Ok(at) => self.names[at].1 += 1,
                    Err(at) => self.names.insert(at, (field.clone(), 1)),
                }
            }
            self.shapes.insert(index, Shape { fields, values: BTreeMap::new() });
            index
        });
        self.shapes[index].values.entry(key(matcher)).or_default().insert((id, role));
        let longest = matcher.fields().map(|(_, value)| value.as_json().len()).max();
        self.longest = self.longest.max(longest.unwrap_or_default());
    }

    pub(super) fn remove(&mut self, id: SubscriptionId, role: Role, matcher: &Matcher) {
        let Ok(index) = self.shape(matcher) else { return };
        let values = &mut self.shapes[index].values;
        let key = key(matcher);
        if let Some(waiting) = values.get_mut(&key) {
            waiting.remove(&(id, role));
            if waiting.is_empty() {
                values.remove(&key);
            }
        }
        if values.is_empty() {
            let shape = self.shapes.remove(index);
            for field in &shape.fields {
                if let Ok(at) = self.names.binary_search_by(|(name, _)| name.cmp(field)) {
                    self.names[at].1 -= 1;
                    if self.names[at].1 == 0 {
                        self.names.remove(at);
                    }
                }
            }
        }
        if self.is_empty() {
            self.longest = 0;
        }
    }

    /// Who waits for this message.
    pub(super) fn find(&mut self, text: &str) -> Option<(SubscriptionId, Role)> {
        if self.is_empty() {
            return None;
        }
        self.found.clear();
        self.found.resize(self.names.len(), None);
        let longest = self.names.iter().map(|(name, _)| name.len()).max()?;
        pick(text, Reader { text, names: &self.names, longest, found: &mut self.found })?;
        let most = self.longest.saturating_mul(ESCAPES).saturating_add(SPACE);
        for found in &mut self.found {
            found.take_if(|range| range.len() > most);
        }
        let mut best: Option<(usize, (SubscriptionId, Role))> = None;
        for shape in &self.shapes {
            let size = shape.fields.len();
            if best.is_some_and(|(fields, _)| fields > size) {
                break;
            }
            self.key.clear();
            let read = push_values(&mut self.key, shape, &self.names, &self.found, text);
            let first = read.and_then(|()| shape.values.get(&self.key)?.first().copied());
            if let Some(first) = first
                && best.is_none_or(|(_, best)| first < best)
            {
                best = Some((size, first));
            }
        }
        best.map(|(_, who)| who)
    }

    /// Where the shape of a matcher is, or where it would have to be.
    fn shape(&self, matcher: &Matcher) -> Result<usize, usize> {
        let fields = matcher.fields();
        let size = Reverse(fields.len());
        self.shapes.binary_search_by(|shape| {
            let (own, names) = shape.order();
            own.cmp(&size).then_with(|| names.cmp(matcher.fields().map(|(name, _)| name)))
        })
    }
}

/// The values of a matcher as they are looked up.
fn key(matcher: &Matcher) -> String {
    let mut key = String::new();
    for (_, value) in matcher.fields() {
        key.push_str(value.as_json());
        key.push('\n');
    }
    key
}

/// The values of a message likewise; `None` if one is missing or cannot be compared.
fn push_values(
    key: &mut String,
    shape: &Shape,
    names: &[(String, usize)],
    found: &[Option<Range<usize>>],
    text: &str,
) -> Option<()> {
    for field in &shape.fields {
        let place = names.binary_search_by(|(name, _)| name.cmp(field)).ok()?;
        let range = found.get(place)?.clone()?;
        key.push_str(&normal(text.get(range)?)?);
        key.push('\n');
    }
    Some(())
}

struct Reader<'a, 'n> {
    text: &'a str,
    names: &'n [(String, usize)],
    /// The length of the longest of them.
    longest: usize,
    found: &'n mut [Option<Range<usize>>],
}

impl<'a> Pick<'a> for Reader<'a, '_> {
    type Place = usize;

    fn place(&mut self, key: &'a str) -> Option<usize> {
        let key = name_of(key, self.longest)?;
        self.names.binary_search_by(|(name, _)| name.as_str().cmp(&key)).ok()
    }

    fn put(&mut self, place: usize, value: &'a str) {
        if let Some(found) = self.found.get_mut(place) {
            *found = Some(range_of(self.text, value));
        }
    }
}
