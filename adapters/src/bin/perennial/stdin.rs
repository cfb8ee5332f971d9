//! stdin: every line is one message.

use std::io::BufReader;

use perennial::blocking::Handle;
use perennial::{Refusal, SendError};
use perennial_core::{Duration, Payload, State};

use crate::lines::{self, Line};
use crate::output::Output;
use crate::people::tell;
use crate::position::raw_field;

/// Sends the lines of stdin.
pub(crate) struct Input<'a> {
    pub(crate) handle: &'a Handle,
    pub(crate) output: &'a Output,
    /// The longest line, in bytes.
    pub(crate) limit: usize,
    /// The field that holds a message's id, where there is one.
    pub(crate) id_field: Option<&'a str>,
}

impl Input<'_> {
    /// Reads to the end of stdin, or until the connection takes no more.
    pub(crate) fn run(&self) {
        let mut stdin = BufReader::with_capacity(64 << 10, std::io::stdin());
        loop {
            let line = match lines::read(&mut stdin, self.limit) {
                Ok(Line::Whole(line)) => line,
                Ok(Line::TooLong { bytes }) => {
                    self.too_large(bytes, None);
                    continue;
                }
                Ok(Line::End) => return,
                Err(error) => return tell(&format!("stdin cannot be read: {error}")),
            };
            let Ok(line) = String::from_utf8(line) else {
                self.reject(None, "not UTF-8: a text message must be");
                continue;
            };
            if let Err(SendError { message, refusal }) = self.handle.send(line) {
                let id = self.id_of(&message.payload);
                match refusal {
                    Refusal::TooLarge { size, .. } => self.too_large(size as u64, id),
                    Refusal::Closed => {
                        return self.reject(id, "closed: the connection takes no more messages");
                    }
                    Refusal::Full => self.reject(id, "full: the queue has no room"),
                    other => self.reject(id, &other.to_string()),
                }
            }
        }
    }

    fn too_large(&self, bytes: u64, id: Option<u64>) {
        let limit = self.limit;
        self.reject(id, &format!("too large: {bytes} bytes, and --queue-bytes is {limit}"));
    }

    fn reject(&self, id: Option<u64>, reason: &str) {
        tell(&format!("a line was rejected: {reason}"));
        self.output.rejected(id, reason);
    }

    fn id_of(&self, payload: &Payload) -> Option<u64> {
        raw_field(payload.as_text()?, self.id_field?)?.parse().ok()
    }
}

/// The end of stdin: what was accepted is sent, then the connection is closed. Returns whether the
/// connection was ever open; if not, that is waited for first, as long as a drain may take.
pub(crate) fn drain(handle: &Handle, drain: Duration) -> bool {
    if handle.state() != State::Connecting {
        handle.drain(None);
        return true;
    }
    let deadline = std::time::Instant::now() + drain;
    let opened = handle.wait_open(drain).is_ok() || handle.state() != State::Connecting;
    handle.drain(Some(deadline.saturating_duration_since(std::time::Instant::now())));
    opened
}
