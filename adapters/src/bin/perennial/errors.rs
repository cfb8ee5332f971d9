//! What goes wrong before anything runs, and how it is said.

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

/// A usage or configuration error: exit status 2.
#[derive(Debug)]
pub(crate) struct Usage {
    what: String,
    remedy: String,
}

impl Usage {
    /// What is wrong, and what to do about it. Neither may repeat a value that could be a secret.
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

impl Usage {
    /// Says it on stderr.
    pub(crate) fn report(&self) -> ExitCode {
        complain(&self.to_string());
        ExitCode::from(2)
    }
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
