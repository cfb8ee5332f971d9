//! Where a connection's trace goes.

use std::fmt;
use std::io::{self, Write};

use perennial_core::trace::{Contents, Fault};

/// Where the [trace](perennial_core::trace) of a connection is written, and what of it.
///
/// Anything that is [`Write`] and `Send` becomes one: a file, a `Vec` behind a lock, a pipe.
///
/// ```no_run
/// use perennial::Record;
/// use perennial::blocking::Client;
///
/// let file = std::fs::File::create("feed.jsonl")?;
/// let record = Record::new(file).on_error(|error| eprintln!("no trace any more: {error}"));
/// let client = Client::builder("wss://example.com/feed").record(record).connect()?;
/// # drop(client);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is recorded before a builder has it"]
pub struct Record {
    pub(crate) writer: Box<dyn Write + Send>,
    pub(crate) contents: Contents,
    pub(crate) on_error: Box<dyn FnOnce(&RecordError) + Send>,
}

impl Record {
    /// Writes to `writer`: whole lines at a time, no later than when the driver next sleeps, and
    /// flushed. The connection waits meanwhile, so a writer should not block for long.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self {
            writer: Box::new(writer),
            contents: Contents::default(),
            on_error: Box::new(|error| {
                tracing::warn!(target: "perennial", %error, "recording stopped");
            }),
        }
    }

    /// What stands in the trace for payloads, close reasons and the texts of errors. Default:
    /// substitutes. [`Contents::Full`] writes them down as they are, **secrets included**; URLs and
    /// headers are not written in any case.
    pub fn contents(mut self, contents: Contents) -> Self {
        self.contents = contents;
        self
    }

    /// Says what to do when the recording stops before its end. Called once, while the connection
    /// is locked: it must not use a handle. Default: a warning by way of `tracing`.
    ///
    /// The connection goes on, without being recorded.
    pub fn on_error(mut self, told: impl FnOnce(&RecordError) + Send + 'static) -> Self {
        self.on_error = Box::new(told);
        self
    }
}

impl<W: Write + Send + 'static> From<W> for Record {
    fn from(writer: W) -> Self {
        Self::new(writer)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("contents", &self.contents).finish_non_exhaustive()
    }
}

/// Why a recording stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecordError {
    /// The writer failed.
    Write(io::Error),
    /// What happened cannot be written down.
    Fault(Fault),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::Write(error) => write!(f, "the trace cannot be written: {error}"),
            RecordError::Fault(fault) => write!(f, "{fault}"),
        }
    }
}

impl std::error::Error for RecordError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RecordError::Write(error) => Some(error),
            RecordError::Fault(fault) => Some(fault),
        }
    }
}
