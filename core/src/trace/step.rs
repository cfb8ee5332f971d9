//! A line: an event, what became of it, and the actions that were taken after it.

use alloc::borrow::ToOwned as _;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::action::ActionLine;
use super::error::{Flaw, TraceError};
use super::event::{EventLine, NAMES};
use crate::error::{Accepted, Rejected};
use crate::event::Seq;
use crate::time::Instant;

/// One line of a trace behind the header: an event with its time, and the actions that were taken
/// after it and before the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    pub(super) at: Instant,
    pub(super) event: EventLine,
    #[serde(skip_serializing_if = "OutcomeLine::is_done")]
    pub(super) outcome: OutcomeLine,
    pub(super) actions: Vec<ActionLine>,
}

/// What `handle` said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OutcomeLine {
    #[default]
    Done,
    Message(Seq),
    Stale,
    QueueFull,
    TooLarge,
    Closed,
    NotOpen,
    Unencodable,
    NotQueued,
    InvalidClose,
    Busy,
}

/// A step whose event was not looked at yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unread<'a> {
    at: Instant,
    #[serde(borrow)]
    event: &'a RawValue,
    #[serde(default)]
    outcome: OutcomeLine,
    actions: Vec<ActionLine>,
}

impl Step {
    pub(super) const fn new(at: Instant, event: EventLine, outcome: OutcomeLine) -> Self {
        Self { at, event, outcome, actions: Vec::new() }
    }

    /// Reads a line. `first` says whether it is the first behind the header.
    pub(super) fn parse(line: &[u8], number: usize, first: bool) -> Result<Self, TraceError> {
        let malformed = |detail: String| match line.last() {
            Some(b'\n') => TraceError::malformed(number, detail),
            // What ends without a line's end was cut off, wherever that was.
            _ => TraceError::new(number, Flaw::Torn),
        };
        let json = |error: serde_json::Error| malformed(error.to_string());
        let unread: Unread<'_> = serde_json::from_slice(line).map_err(json)?;
        if let Some(name) = name(unread.event)
            && !NAMES.contains(&name.as_str())
        {
            let name = name.chars().take(40).collect();
            return Err(TraceError::new(number, Flaw::UnknownEvent { name }));
        }
        let event: EventLine = serde_json::from_str(unread.event.get()).map_err(json)?;
        let Some(weight) = event.weight() else {
            return Err(malformed("a payload is no hexadecimal text, or has no size".to_owned()));
        };
        if weight > super::MOST_HELD {
            let flaw = Flaw::TooLarge { bytes: weight, limit: super::MOST_HELD };
            return Err(TraceError::new(number, flaw));
        }
        if first != (event == EventLine::Start) {
            return Err(malformed("start is the first event, and no other is".to_owned()));
        }
        let mut actions = unread.actions.iter().rev();
        if actions.next().is_some() && actions.any(ActionLine::is_wait) {
            return Err(malformed("a wait is the last action".to_owned()));
        }
        let Unread { at, outcome, actions, .. } = unread;
        Ok(Self { at, event, outcome, actions })
    }

    /// The line, its end included.
    pub(super) fn line(&self) -> String {
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }

    /// When it happened.
    #[must_use]
    pub fn at(&self) -> Instant {
        self.at
    }

    /// How many actions were taken after it and before the next.
    #[must_use]
    pub fn actions(&self) -> usize {
        self.actions.len()
    }

    /// The event as the line has it, in JSON.
    #[must_use]
    pub fn event(&self) -> String {
        serde_json::to_string(&self.event).unwrap_or_default()
    }
}

impl OutcomeLine {
    pub(super) const fn of(result: &Result<Accepted, Rejected>) -> Self {
        match result {
            Ok(Accepted::Done) => Self::Done,
            Ok(Accepted::Message(seq)) => Self::Message(*seq),
            Ok(Accepted::Stale) => Self::Stale,
            Err(Rejected::QueueFull(_)) => Self::QueueFull,
            Err(Rejected::TooLarge { .. }) => Self::TooLarge,
            Err(Rejected::Closed(_)) => Self::Closed,
            Err(Rejected::NotOpen(_)) => Self::NotOpen,
            Err(Rejected::Unencodable { .. }) => Self::Unencodable,
            Err(Rejected::NotQueued(_)) => Self::NotQueued,
            Err(Rejected::InvalidClose(_)) => Self::InvalidClose,
            Err(Rejected::Busy(_)) => Self::Busy,
        }
    }

    // `serde` wants a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

/// The name of an event: a string, or the only key of an object.
fn name(event: &RawValue) -> Option<String> {
    let text = event.get();
    if text.starts_with('"') {
        return serde_json::from_str(text).ok();
    }
    let rest = text.strip_prefix('{')?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    values.next()?.ok()
}
