//! What can be wrong with a trace.

use alloc::string::String;
use core::fmt;

use super::header::{OLDEST, VERSION};

/// A trace that cannot be read or replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// The first line is no header: this is another kind of file.
    NotATrace,
    /// The trace is of a version that is not known; the newest is [`VERSION`].
    UnknownVersion {
        /// Its version.
        version: u64,
    },
    /// The last line breaks off: the recording was cut off.
    Torn,
    /// There is no event of this name.
    UnknownEvent {
        /// The name, cut after 40 characters.
        name: String,
    },
    /// The line does not follow the format.
    Malformed {
        /// In what.
        detail: String,
    },
    /// The event, with what the connection holds already, would take more memory than is granted.
    TooLarge {
        /// How many bytes it would take.
        bytes: u64,
        /// How many are granted.
        limit: u64,
    },
    /// The dialect is a program's own, and only that program can replay the trace.
    CustomDialect,
}

impl TraceError {
    pub(super) const fn new(line: usize, flaw: Flaw) -> Self {
        Self { line, flaw }
    }

    pub(super) fn malformed(line: usize, detail: impl Into<String>) -> Self {
        Self::new(line, Flaw::Malformed { detail: detail.into() })
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} ", self.line)?;
        match &self.flaw {
            Flaw::NotATrace => f.write_str("is no header of a trace"),
            Flaw::UnknownVersion { version } => {
                write!(f, "says version {version}; versions {OLDEST} to {VERSION} are known")
            }
            Flaw::Torn => f.write_str("is torn: the recording was cut off there"),
            Flaw::UnknownEvent { name } => write!(f, "has an unknown event, {name:?}"),
            Flaw::Malformed { detail } => write!(f, "is malformed: {detail}"),
            Flaw::TooLarge { bytes, limit } => {
                write!(f, "would take {bytes} bytes of memory, and {limit} are granted")
            }
            Flaw::CustomDialect => f.write_str(
                "names a custom dialect, and only the program that brought it can replay the trace",
            ),
        }
    }
}

impl core::error::Error for TraceError {}
