//! Writing a trace while a connection is driven.

use alloc::string::String;
use core::fmt;

use super::action::ActionLine;
use super::alike::alike;
use super::event::EventLine;
use super::header::{Contents, Header};
use super::redact::redacted;
use super::step::{OutcomeLine, Step};
use crate::action::Action;
use crate::config::Config;
use crate::connection::Connection;
use crate::dialect::Dialect;
use crate::error::{Accepted, Rejected};
use crate::event::Event;
use crate::time::Instant;

/// Writes down what a driver feeds to a connection and takes from it.
///
/// It stands between the two: from the connection's making on, every event goes through
/// [`handle`](Self::handle) and every action through [`poll`](Self::poll). What it has written is
/// taken with [`text`](Self::text) and [`clear`](Self::clear); it does no input or output of its
/// own. See [the module](crate::trace) for an example and for what is written.
///
/// With [`Contents::Redacted`] it holds a second connection, and so costs what the connection costs
/// once more.
#[derive(Clone, Debug)]
pub struct Recorder<D> {
    /// Is fed with substitutes; what it does is what is written. Absent if nothing is redacted.
    shadow: Option<Connection<D>>,
    /// The line that may still get actions.
    line: Option<Step>,
    /// How many events there were, to tell their substitutes apart.
    events: u64,
    text: String,
    fault: Option<Fault>,
}

/// Why a recording has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection did not do with the event what it does with the substitute. A
    /// [dialect](crate::Dialect::redact) of a program's own may be the cause.
    Diverged,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Diverged => {
                f.write_str("what happened cannot be recorded without the payloads themselves")
            }
        }
    }
}

impl core::error::Error for Fault {}

impl<D: Dialect> Recorder<D> {
    /// Begins to record a connection that is made with just these.
    #[must_use]
    pub fn new(config: Config, dialect: D, seed: u64, now: Instant, contents: Contents) -> Self {
        let header = Header { config, seed, contents };
        let text = header.line();
        let shadow = match contents {
            Contents::Redacted => Some(Connection::new(header.config, dialect, seed, now)),
            Contents::Full => None,
        };
        let line = Some(Step::new(now, EventLine::Start, OutcomeLine::Done));
        Self { shadow, line, events: 1, text, fault: None }
    }

    /// As [`Connection::handle`], and written down.
    ///
    /// An event that is refused as [`Rejected::Busy`] has changed nothing and is not written.
    ///
    /// # Errors
    /// Those of [`Connection::handle`].
    pub fn handle(
        &mut self,
        connection: &mut Connection<D>,
        now: Instant,
        event: Event,
    ) -> Result<Accepted, Rejected> {
        if self.fault.is_some() {
            return connection.handle(now, event);
        }
        let Some(shadow) = &mut self.shadow else {
            let line = EventLine::of(&event);
            let result = connection.handle(now, event);
            if !matches!(result, Err(Rejected::Busy(_))) {
                self.begin(now, line, OutcomeLine::of(&result));
            }
            return result;
        };
        let substitute = redacted(&event, shadow, self.events);
        let result = connection.handle(now, event);
        if matches!(result, Err(Rejected::Busy(_))) {
            return result;
        }
        let line = EventLine::of(&substitute);
        let outcome = OutcomeLine::of(&shadow.handle(now, substitute));
        if outcome == OutcomeLine::of(&result) {
            self.begin(now, line, outcome);
        } else {
            self.stop(Fault::Diverged);
        }
        result
    }

    /// As [`Connection::poll`], and written down.
    pub fn poll(&mut self, connection: &mut Connection<D>) -> Action {
        let action = connection.poll();
        let is_wait = matches!(action, Action::Wait { .. });
        let Some(line) = &mut self.line else {
            // Once there was nothing more to do, there is not until something happens.
            if self.fault.is_none() && !is_wait {
                self.stop(Fault::Diverged);
            }
            return action;
        };
        let written = match &mut self.shadow {
            None => ActionLine::of(&action),
            Some(shadow) => {
                let substitute = shadow.poll();
                if !alike(&action, &substitute) {
                    self.stop(Fault::Diverged);
                    return action;
                }
                ActionLine::of(&substitute)
            }
        };
        line.actions.push(written);
        if is_wait {
            self.end_line();
        }
        action
    }

    fn begin(&mut self, now: Instant, event: EventLine, outcome: OutcomeLine) {
        self.end_line();
        self.events = self.events.wrapping_add(1);
        self.line = Some(Step::new(now, event, outcome));
    }

    fn end_line(&mut self) {
        if let Some(line) = self.line.take() {
            self.text.push_str(&line.line());
        }
    }

    fn stop(&mut self, fault: Fault) {
        self.end_line();
        self.fault = Some(fault);
        self.shadow = None;
    }

    /// Ends the line of the last event, even if not all of its actions were taken. Nothing is to be
    /// recorded after it.
    pub fn finish(&mut self) {
        self.end_line();
    }

    /// Whole lines that were written and not [cleared](Self::clear). An event's line is whole once
    /// all its actions were taken, or the next event has come.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Forgets the lines in [`text`](Self::text), which were taken care of.
    pub fn clear(&mut self) {
        self.text.clear();
    }

    /// Why the recording has stopped, if it has. What was written until then is a trace.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }
}
