//! `--record FILE`.

use std::fs::File;
use std::path::Path;

use perennial::{Record, RecordError};

use crate::errors::Usage;
use crate::people::tell;

/// Where the trace goes. What fails later ends the recording and not the connection; people are
/// told once.
pub(crate) fn to(path: &Path) -> Result<Record, Usage> {
    let name = path.display().to_string();
    let file = File::create(path).map_err(|error| {
        Usage::new(format!("--record: {name} cannot be written ({error})"), "choose another file")
    })?;
    Ok(Record::new(file).on_error(move |error| match error {
        RecordError::Write(error) => {
            tell(&format!("--record: {name} cannot be written ({error}): recording has stopped"));
        }
        other => tell(&format!("--record: {name}: {other}: recording has stopped")),
    }))
}
