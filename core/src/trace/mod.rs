//! Traces: what happened to a connection and what it did, written down so that it can be replayed.
//!
//! A trace is JSON Lines: a [`Header`] with everything that a connection starts from, then a line
//! for each event with its time and the actions that were taken after it and before the next. The
//! connection being a pure function of these, [`Replay`] feeds the events to a fresh one and finds
//! the same actions, bit for bit, or the first that differs.
//!
//! ```
//! use perennial_core::trace::{Contents, Recorder, Replay, Trace};
//! use perennial_core::{Action, Config, Connection, Event, Instant, Outgoing, Plain};
//!
//! let config = Config::default();
//! let mut now = Instant::ZERO;
//! let mut connection = Connection::new(config.clone(), Plain, 7, now);
//! let mut recorder = Recorder::new(config, Plain, 7, now, Contents::Redacted);
//!
//! // From here on the recorder stands between the driver and the connection.
//! let _ = recorder.handle(&mut connection, now, Event::Send(Outgoing::new("a secret")));
//! while let action = recorder.poll(&mut connection)
//!     && !matches!(action, Action::Wait { .. })
//! {}
//! now = Instant::from_millis(10_000);
//! let _ = recorder.handle(&mut connection, now, Event::Tick);
//! while let action = recorder.poll(&mut connection)
//!     && !matches!(action, Action::Wait { .. })
//! {}
//! recorder.finish();
//!
//! let text = recorder.text().to_owned();
//! assert!(!text.contains("secret"));
//! let trace = Trace::parse(text.as_bytes())?;
//! let mut replay = Replay::new(&trace)?;
//! while let Some(step) = replay.step()? {
//!     assert_eq!(step.difference, None);
//! }
//! # Ok::<(), perennial_core::trace::TraceError>(())
//! ```
//!
//! # What is not in a trace
//!
//! With [`Contents::Redacted`] what people and programs say to each other is not in it: no payload,
//! no close reason, no text of an error. In their place stand substitutes of the same length that
//! the [dialect](crate::Dialect::redact) reads alike. This holds by construction: a second
//! connection is fed with the substitutes alone, and what is written down as actions is what that
//! one does. The recorder sees to it that both do the same, and otherwise stops. URLs and headers
//! never reach a connection.
//!
//! What is in it: the config, the seed, times, lengths, ids of messages and of acknowledgements,
//! close codes, HTTP statuses, kinds of errors.

mod action;
mod alike;
mod compare;
mod content;
mod error;
mod event;
mod header;
mod recorder;
mod redact;
mod replay;
mod step;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;

pub use compare::{Difference, Place};
pub use error::{Flaw, TraceError};
pub use header::{Contents, Header, VERSION};
pub use recorder::{Fault, Recorder};
pub use replay::{MOST_HELD, Replay, Stepped};
pub use step::Step;

/// A trace that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What the connection started from.
    pub header: Header,
    steps: Vec<Step>,
}

impl Trace {
    /// Reads a trace, strictly.
    ///
    /// Takes memory in the order of the input's size, whatever the input says.
    ///
    /// # Errors
    /// [`TraceError`] with the first line that is not as it should be.
    pub fn parse(text: &[u8]) -> Result<Self, TraceError> {
        let (trace, error) = Self::salvage(text)?;
        error.map_or(Ok(trace), Err)
    }

    /// Reads a trace as far as it is whole: of a recording that was cut off, everything but the last
    /// line. The error says what is wrong with the first line that was left out, if one was.
    ///
    /// # Errors
    /// [`TraceError`] where there is not even a whole header and a first event.
    pub fn salvage(text: &[u8]) -> Result<(Self, Option<TraceError>), TraceError> {
        let mut lines = text.split_inclusive(|byte| *byte == b'\n').zip(1..);
        let (first, _) = lines.next().unwrap_or((b"", 1));
        let header = Header::parse(first)?;
        let mut steps: Vec<Step> = Vec::new();
        let mut error = None;
        for (line, number) in lines {
            match Step::parse(line, number, steps.is_empty()) {
                Ok(step) => steps.push(step),
                Err(flaw) => {
                    error = Some(flaw);
                    break;
                }
            }
        }
        if steps.is_empty() {
            // Cut off behind the header, before anything could be written.
            return Err(error.unwrap_or_else(|| TraceError::new(2, Flaw::Torn)));
        }
        Ok((Self { header, steps }, error))
    }

    /// Writes the trace as [`parse`](Self::parse) reads it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.header.line();
        for step in &self.steps {
            text.push_str(&step.line());
        }
        text
    }

    /// The steps: one for each event, the making of the connection being the first.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// How many actions there are in all.
    #[must_use]
    pub fn actions(&self) -> usize {
        self.steps.iter().map(Step::actions).sum()
    }
}
