//! Where two records of what a connection did part.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;
use serde_json::Value;

use super::Trace;
use super::header::Header;
use super::step::Step;
use crate::time::Instant;

/// A place where two records differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which event, from 1; its line is one further. 0 for the header.
    pub step: usize,
    /// When it happened, in the first record.
    pub at: Instant,
    /// What differs.
    pub place: Place,
    /// What the first record says, or the recording, in JSON.
    pub recorded: String,
    /// What the other says, or the replay.
    pub replayed: String,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A field of the header.
    Header(String),
    /// When the event happened.
    Time,
    /// The event.
    Event,
    /// What became of the event.
    Outcome,
    /// The n-th action after it, from 1.
    Action(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Header(field) => write!(f, "{field}"),
            Place::Time => f.write_str("the time"),
            Place::Event => f.write_str("the event"),
            Place::Outcome => f.write_str("what became of it"),
            Place::Action(number) => write!(f, "action {number}"),
        }
    }
}

/// What stands on a side that has nothing.
pub(super) const NOTHING: &str = "nothing";

/// In JSON.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl Trace {
    /// Every field of the headers that differs. Two recordings have different seeds and wall clocks
    /// unless they were asked to have the same.
    #[must_use]
    pub fn header_differences(&self, other: &Self) -> Vec<Difference> {
        let at = self.steps.first().map_or(Instant::ZERO, Step::at);
        let mut found = Vec::new();
        let mut note = |field: &str, recorded: String, replayed: String| {
            if recorded != replayed {
                let place = Place::Header(field.to_string());
                found.push(Difference { step: 0, at, place, recorded, replayed });
            }
        };
        let Header { config, seed, contents } = &self.header;
        note("seed", json(seed), json(&other.header.seed));
        note("contents", json(contents), json(&other.header.contents));
        let tree = |config| serde_json::to_value(config).unwrap_or_default();
        leaves("config", &tree(config), &tree(&other.header.config), &mut note);
        found
    }

    /// The first step that differs, in whatever: the time of an event, the event, what became of it,
    /// an action.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<Difference> {
        self.first(other, |recorded, replayed| recorded.difference(replayed))
    }

    /// The first step that differs in kind: in the name of the event, or in the names of the actions
    /// after it. Two recordings of like runs differ in times long before.
    #[must_use]
    pub fn difference_in_kind(&self, other: &Self) -> Option<Difference> {
        self.first(other, |recorded, replayed| {
            let (recorded, replayed) = (recorded.kinds(), replayed.kinds());
            let place = if recorded.first() == replayed.first() {
                Place::Action(recorded.iter().zip(&replayed).take_while(|(a, b)| a == b).count())
            } else {
                Place::Event
            };
            (recorded != replayed).then(|| (place, recorded.join(" "), replayed.join(" ")))
        })
    }

    fn first(
        &self,
        other: &Self,
        differ: impl Fn(&Step, &Step) -> Option<(Place, String, String)>,
    ) -> Option<Difference> {
        let found = self.steps.iter().zip(&other.steps).zip(1..).find_map(|((one, two), step)| {
            let (place, recorded, replayed) = differ(one, two)?;
            Some(Difference { step, at: one.at, place, recorded, replayed })
        });
        if found.is_some() || self.steps.len() == other.steps.len() {
            return found;
        }
        // One of them ends earlier.
        let shorter = self.steps.len().min(other.steps.len());
        let event =
            |trace: &Self| trace.steps.get(shorter).map_or(NOTHING.to_string(), Step::event);
        Some(Difference {
            step: shorter + 1,
            at: self
                .steps
                .get(shorter)
                .or(other.steps.get(shorter))
                .map_or(Instant::ZERO, Step::at),
            place: Place::Event,
            recorded: event(self),
            replayed: event(other),
        })
    }
}

impl Step {
    fn difference(&self, other: &Self) -> Option<(Place, String, String)> {
        if self.event != other.event {
            return Some((Place::Event, json(&self.event), json(&other.event)));
        }
        if self.at != other.at {
            return Some((Place::Time, precise(self.at), precise(other.at)));
        }
        if self.outcome != other.outcome {
            return Some((Place::Outcome, json(&self.outcome), json(&other.outcome)));
        }
        let longer = self.actions.len().max(other.actions.len());
        let index =
            (0..longer).find(|index| self.actions.get(*index) != other.actions.get(*index))?;
        let side = |step: &Self| step.actions.get(index).map_or(NOTHING.to_string(), json);
        Some((Place::Action(index + 1), side(self), side(other)))
    }

    /// The name of the event, then those of the actions.
    fn kinds(&self) -> Vec<String> {
        let actions = self.actions.iter().filter(|action| !action.is_wait());
        core::iter::once(kind(&self.event)).chain(actions.map(kind)).collect()
    }
}

/// A moment with every digit: two that differ look different.
fn precise(at: Instant) -> String {
    let nanos = at.as_nanos();
    format!("{}.{:09}s", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

/// The name of a variant; of a notice, its own.
fn kind(value: &impl Serialize) -> String {
    let mut value = serde_json::to_value(value).unwrap_or_default();
    loop {
        match value {
            Value::String(name) => return name,
            Value::Object(fields) => match fields.into_iter().next() {
                Some((name, inner)) if name == "notify" => value = inner,
                Some((name, _)) => return name,
                None => return String::new(),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                return String::new();
            }
        }
    }
}

/// Notes every leaf at which two trees differ.
fn leaves(path: &str, one: &Value, two: &Value, note: &mut impl FnMut(&str, String, String)) {
    match (one, two) {
        (Value::Object(one), Value::Object(two)) => {
            let missing = Value::Null;
            let names = one.keys().chain(two.keys().filter(|name| !one.contains_key(*name)));
            for name in names {
                let side = |fields: &serde_json::Map<String, Value>| {
                    fields.get(name).cloned().unwrap_or_else(|| missing.clone())
                };
                leaves(&format!("{path}.{name}"), &side(one), &side(two), note);
            }
        }
        (one, two) => note(path, one.to_string(), two.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as tree;

    #[test]
    fn a_notice_goes_by_its_own_name() {
        for (value, name) in [
            (tree!("tick"), "tick"),
            (tree!({"send": {"notify": 1}}), "send"),
            (tree!({"notify": "writable"}), "writable"),
            (tree!({"notify": {"dialing": {"attempt": 1}}}), "dialing"),
            (tree!(7), ""),
        ] {
            assert_eq!(kind(&value), name, "{value}");
        }
    }

    #[test]
    fn every_leaf_is_compared_once() {
        let one = tree!({"a": 1, "b": {"c": 2, "d": true}});
        let two = tree!({"a": 3, "b": {"d": true, "e": "new"}});
        let mut seen = Vec::new();
        leaves("config", &one, &two, &mut |path, one, two| {
            seen.push(format!("{path} {one} {two}"))
        });
        assert_eq!(
            seen,
            [
                "config.a 1 3",
                "config.b.c 2 null",
                "config.b.d true true",
                "config.b.e null \"new\""
            ]
        );
    }
}
