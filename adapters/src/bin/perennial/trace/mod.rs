//! Traces: writing, replaying and explaining them.

mod describe;
pub(crate) mod explain;
pub(crate) mod record;
pub(crate) mod replay;
mod step;
mod story;
mod svg;

use std::path::Path;

use perennial_core::trace::{Flaw, Trace, TraceError};

use crate::errors::Usage;

/// Reads a trace as far as it is whole, and says what is wrong with the rest.
fn read(path: &Path) -> Result<(Trace, Option<TraceError>), Usage> {
    let bytes = std::fs::read(path).map_err(|error| {
        let what = format!("{} cannot be read ({error})", path.display());
        Usage::new(what, "give a file that `perennial connect --record` wrote")
    })?;
    Trace::salvage(&bytes).map_err(|error| flawed(path, &error, 0))
}

/// Says what is wrong with a trace, before which `whole` events are right.
fn flawed(path: &Path, error: &TraceError, whole: usize) -> Usage {
    let remedy = match &error.flaw {
        Flaw::NotATrace => "give a file that `perennial connect --record` wrote".to_owned(),
        Flaw::UnknownVersion { .. } => "use the perennial that wrote it".to_owned(),
        Flaw::Torn | Flaw::UnknownEvent { .. } | Flaw::Malformed { .. } if whole > 0 => {
            let events = if whole == 1 { "event before it is" } else { "events before it are" };
            format!("the {whole} {events} whole: see --until {whole}")
        }
        Flaw::TooLarge { .. } => "a program can grant more: see perennial_core::trace".to_owned(),
        Flaw::CustomDialect => "replay it with that program".to_owned(),
        _ => "record it anew".to_owned(),
    };
    Usage::new(format!("{}: {error}", path.display()), remedy)
}
