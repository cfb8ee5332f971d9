//! `--record FILE`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use perennial::{Record, RecordError};

use crate::errors::Usage;
use crate::people::tell;

/// Where the trace goes, and whether that could be opened: known once the client is made. What fails
/// later ends the recording and not the connection; people are told once.
pub(crate) fn to(path: &Path) -> (Record, Opened) {
    let opened = Opened { path: path.to_owned(), failed: Arc::default() };
    let name = path.display().to_string();
    let failed = Arc::clone(&opened.failed);
    let record = Record::new(Lazy { opened: opened.clone(), file: None });
    let record = record.on_error(move |error| match error {
        // That is a usage error, and told as one.
        RecordError::Write(_) if failed.get().is_some() => {}
        RecordError::Write(error) => {
            tell(&format!("--record: {name} cannot be written ({error}): recording has stopped"));
        }
        other => tell(&format!("--record: {name}: {other}: recording has stopped")),
    });
    (record, opened)
}

/// What became of opening the file.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    path: PathBuf,
    failed: Arc<OnceLock<String>>,
}

impl Opened {
    /// Fails if the file could not be opened.
    pub(crate) fn check(&self) -> Result<(), Usage> {
        let Some(error) = self.failed.get() else { return Ok(()) };
        let name = self.path.display();
        Err(Usage::new(
            format!("--record: {name} cannot be written ({error})"),
            "choose another file",
        ))
    }
}

/// A file that is emptied by the first write. That comes when everything else was found usable: a
/// mistake on the command line must not cost an older trace.
struct Lazy {
    opened: Opened,
    file: Option<File>,
}

impl Lazy {
    fn file(&mut self) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => File::create(&self.opened.path).inspect_err(|error| {
                let _ = self.opened.failed.set(error.to_string());
            })?,
        };
        Ok(self.file.insert(file))
    }
}

impl Write for Lazy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}
