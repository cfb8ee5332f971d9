//! Feeding a trace to a fresh connection.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::Trace;
use super::action::ActionLine;
use super::compare::{Difference, NOTHING, Place, json};
use super::error::{Flaw, TraceError};
use super::event::EventLine;
use super::step::{OutcomeLine, Step};
use crate::action::Action;
use crate::connection::Connection;
use crate::dialect::{BuiltIn, Dialect, DialectConfig};
use crate::event::Event;
use crate::time::Instant;

/// How many bytes of payload a replay holds at most, unless it is told otherwise: 256 MiB.
pub const MOST_HELD: u64 = 256 << 20;

/// The most states that are kept for steps backwards.
const SNAPSHOTS: usize = 32;
/// A state that holds more payload than this is not kept.
// Miri takes many minutes over so much.
pub(super) const LARGEST_SNAPSHOT: u64 = if cfg!(miri) { 1 << 14 } else { 1 << 20 };

/// A fresh connection that is taken through a trace, forwards and backwards.
///
/// [`Trace`] and the [module](crate::trace) have an example.
#[derive(Clone, Debug)]
pub struct Replay<'t, D = BuiltIn> {
    trace: &'t Trace,
    dialect: D,
    now: State<D>,
    pub(super) snapshots: Vec<State<D>>,
    /// How many steps lie between two snapshots.
    stride: usize,
    limit: u64,
}

/// The connection after so many steps.
#[derive(Clone, Debug)]
pub(super) struct State<D> {
    connection: Connection<D>,
    pub(super) done: usize,
    held: Held,
}

/// A bound for the bytes of payload that a connection holds.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    /// What lay in the outbox when no actions waited the last time.
    before: u64,
    /// What came since then.
    since: u64,
}

/// What a step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stepped {
    /// Which step it was, from 1.
    pub number: usize,
    /// When it happened.
    pub at: Instant,
    /// The event; `None` for the making of the connection, which is the first step.
    pub event: Option<Event>,
    /// What became of the event, in JSON, as the replay has it.
    pub outcome: String,
    /// The actions of the replay, as many as were recorded.
    pub actions: Vec<Action>,
    /// The first difference from what was recorded, if there is one. What follows a step that
    /// differs says little.
    pub difference: Option<Difference>,
}

impl<'t> Replay<'t> {
    /// A connection as the recorded one was when it was made.
    ///
    /// # Errors
    /// [`Flaw::CustomDialect`] if the config names no dialect of ours: see
    /// [`with_dialect`](Self::with_dialect).
    pub fn new(trace: &'t Trace) -> Result<Self, TraceError> {
        match &trace.header.config.dialect {
            DialectConfig::Custom => Err(TraceError::new(1, Flaw::CustomDialect)),
            dialect @ (DialectConfig::Plain
            | DialectConfig::Text { .. }
            | DialectConfig::Json(_)
            | DialectConfig::SocketIo(_)
            | DialectConfig::EventStream(_)) => {
                Ok(Self::with_dialect(trace, BuiltIn::new(dialect)))
            }
        }
    }
}

impl<'t, D: Dialect + Clone> Replay<'t, D> {
    /// The same with a dialect of the program's own.
    #[must_use]
    pub fn with_dialect(trace: &'t Trace, dialect: D) -> Self {
        let now = State::new(trace, dialect.clone());
        Self { trace, dialect, now, snapshots: Vec::new(), stride: 64, limit: MOST_HELD }
    }

    /// Grants so many bytes of memory for payloads. Default [`MOST_HELD`].
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// How many steps were taken: the number of the last.
    #[must_use]
    pub fn position(&self) -> usize {
        self.now.done
    }

    /// The connection as it is now.
    #[must_use]
    pub fn connection(&self) -> &Connection<D> {
        &self.now.connection
    }

    /// Takes a step: feeds the event, takes as many actions as were taken, and compares them.
    /// `None` at the end.
    ///
    /// # Errors
    /// [`Flaw::TooLarge`] if that would take more memory than is granted.
    pub fn step(&mut self) -> Result<Option<Stepped>, TraceError> {
        let Some(step) = self.trace.steps.get(self.now.done) else { return Ok(None) };
        self.keep();
        let line = self.now.done + 2;
        self.now.admit(step, line, self.limit)?;
        Ok(Some(self.now.take(step)))
    }

    /// Goes to where `position` steps were taken, at most to the end: backwards by way of a state
    /// that was kept.
    ///
    /// # Errors
    /// Those of [`step`](Self::step).
    pub fn seek(&mut self, position: usize) -> Result<(), TraceError> {
        if position < self.now.done {
            self.snapshots.retain(|state| state.done <= position);
            self.now = match self.snapshots.last() {
                Some(state) => state.clone(),
                None => State::new(self.trace, self.dialect.clone()),
            };
        }
        while self.now.done < position && self.step()?.is_some() {}
        Ok(())
    }

    /// Keeps the present state, if it is time for one.
    fn keep(&mut self) {
        let done = self.now.done;
        let newer = self.snapshots.last().is_none_or(|state| state.done < done);
        if done == 0
            || !done.is_multiple_of(self.stride)
            || !newer
            || self.now.held.sum() > LARGEST_SNAPSHOT
        {
            return;
        }
        if self.snapshots.len() >= SNAPSHOTS {
            self.stride = self.stride.saturating_mul(2);
            let stride = self.stride;
            self.snapshots.retain(|state| state.done.is_multiple_of(stride));
            if !done.is_multiple_of(stride) {
                return;
            }
        }
        self.snapshots.push(self.now.clone());
    }
}

impl Trace {
    /// The same events, with what this version does upon them in the place of what was recorded.
    /// For when it does something else on purpose.
    ///
    /// # Errors
    /// Those of [`Replay::new`] and [`Replay::step`].
    pub fn record_anew(&self) -> Result<Self, TraceError> {
        let mut replay = Replay::new(self)?;
        let mut anew = self.clone();
        for (step, line) in anew.steps.iter_mut().zip(2..) {
            replay.now.admit(step, line, replay.limit)?;
            let connection = &mut replay.now.connection;
            step.outcome = match step.event.to_event() {
                Some(event) => OutcomeLine::of(&connection.handle(step.at, event)),
                None => OutcomeLine::Done,
            };
            // Whoever took all took all, and who did not takes as many.
            let all = step.actions.last().is_some_and(ActionLine::is_wait);
            let most = if all { usize::MAX } else { step.actions.len() };
            step.actions.clear();
            while step.actions.len() < most && !step.actions.last().is_some_and(ActionLine::is_wait)
            {
                step.actions.push(ActionLine::of(&connection.poll()));
            }
            replay.now.settle();
        }
        Ok(anew)
    }
}

impl Held {
    const fn sum(self) -> u64 {
        self.before.saturating_add(self.since)
    }
}

impl<D: Dialect> State<D> {
    fn new(trace: &Trace, dialect: D) -> Self {
        let at = trace.steps.first().map_or(Instant::ZERO, Step::at);
        let header = &trace.header;
        let connection = Connection::new(header.config.clone(), dialect, header.seed, at);
        Self { connection, done: 0, held: Held::default() }
    }

    /// Looks at how much memory the event may take before it takes it.
    fn admit(&mut self, step: &Step, line: usize, limit: u64) -> Result<(), TraceError> {
        let weight = step.event.weight().unwrap_or(u64::MAX);
        // An envelope is larger than what is in it: an escape makes six bytes of one.
        let weight = match (&step.event, &self.connection.config.dialect) {
            (
                EventLine::Send { .. },
                DialectConfig::Json(_) | DialectConfig::SocketIo(_) | DialectConfig::Custom,
            ) => weight.saturating_mul(6),
            _ => weight,
        };
        let since = self.held.since.saturating_add(weight);
        let bytes = self.held.before.saturating_add(since);
        if weight > 0 && bytes > limit {
            return Err(TraceError::new(line, Flaw::TooLarge { bytes, limit }));
        }
        self.held.since = since;
        Ok(())
    }

    fn take(&mut self, step: &Step) -> Stepped {
        self.done += 1;
        let number = self.done;
        let mut difference = None;
        let mut note = |place, recorded, replayed| {
            if recorded != replayed {
                let at = step.at;
                difference.get_or_insert(Difference {
                    step: number,
                    at,
                    place,
                    recorded,
                    replayed,
                });
            }
        };
        let event = step.event.to_event();
        let outcome = match event.clone() {
            Some(event) => OutcomeLine::of(&self.connection.handle(step.at, event)),
            None => OutcomeLine::Done,
        };
        note(Place::Outcome, json(&step.outcome), json(&outcome));
        let mut actions = Vec::new();
        for (recorded, index) in step.actions.iter().zip(1..) {
            let action = self.connection.poll();
            let replayed = ActionLine::of(&action);
            if *recorded != replayed {
                note(Place::Action(index), json(recorded), json(&replayed));
            }
            let over = replayed.is_wait();
            actions.push(action);
            if over {
                if let Some(next) = step.actions.get(index) {
                    note(Place::Action(index + 1), json(next), NOTHING.to_string());
                }
                break;
            }
        }
        self.settle();
        Stepped { number, at: step.at, event, outcome: json(&outcome), actions, difference }
    }
    /// What waited to be told was told, if it was.
    fn settle(&mut self) {
        if self.connection.undrained() == 0 {
            let outbox = self.connection.outbox.bytes();
            self.held = Held { before: u64::try_from(outbox).unwrap_or(u64::MAX), since: 0 };
        }
    }
}
