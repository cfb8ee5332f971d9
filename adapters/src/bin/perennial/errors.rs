//! What goes wrong before anything runs, and how it is said.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

/// A usage or configuration error: exit status 2. Or a stdout that cannot be written: 1.
#[derive(Debug)]
pub(crate) struct Usage {
    what: String,
    remedy: String,
    status: u8,
}

impl Usage {
    /// What is wrong, and what to do about it. Neither may repeat a value that could be a secret.
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into(), status: 2 }
    }

    fn unwritable(error: &io::Error) -> Self {
        let what = format!("stdout cannot be written ({error})");
        Self { what, remedy: "make room, or send it elsewhere".to_owned(), status: 1 }
    }
}

impl std::error::Error for Usage {}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

impl Usage {
    /// Says it on stderr.
    pub(crate) fn report(&self) -> ExitCode {
        complain(&self.to_string());
        ExitCode::from(self.status)
    }
}

/// Writes to stdout what a command is there to say.
pub(crate) fn print(text: &str) -> Result<(), Usage> {
    let mut out = io::stdout().lock();
    printed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// What became of writing to stdout. A reader that goes away had enough; whatever else goes wrong is
/// no success.
pub(crate) fn printed(result: io::Result<()>) -> Result<(), Usage> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Usage::unwritable(&error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The same for a command that does nothing else.
pub(crate) fn print_all(text: &str) -> ExitCode {
    print(text).map_or_else(|error| error.report(), |()| ExitCode::SUCCESS)
}

/// One line for people on stderr. A stderr that is closed is no reason to stop.
///
/// Control characters are escaped: some of what is told comes from servers, and must not steer a
/// terminal.
pub(crate) fn complain(line: &str) {
    let mut printable = String::with_capacity(line.len() + 16);
    printable.push_str("perennial: ");
    for character in line.chars() {
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable.push('\n');
    // One write, so that lines of several threads do not mix.
    let _ = std::io::stderr().lock().write_all(printable.as_bytes());
}

/// Something that a person typed as a name. Longer or odder things may be secrets.
pub(crate) fn is_word(text: &str) -> bool {
    (1..=24).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'_')
}
