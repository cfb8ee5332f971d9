//! stdin: every line is one message.

use std::cell::Cell;
use std::io::{self, BufReader};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use perennial::{Refusal, SendError};
use perennial_core::{Duration, Outbox, Outgoing, Overflow, Payload, State};

use crate::adapter::Handle;
use crate::lines::{self, Line};
use crate::output::Output;
use crate::people::tell;
use crate::position::raw_field;

/// How long to wait for reports to be printed.
const LAG: Duration = Duration::from_millis(1);
/// So many rejected lines are told one by one; those after them are counted.
const MOST_TOLD: u32 = 10;
/// More than an envelope adds to a line, in bytes.
const ENVELOPE: usize = 256;

/// Sends the lines of stdin.
pub(crate) struct Input<'a> {
    pub(crate) handle: &'a Handle,
    pub(crate) output: &'a Output,
    /// The limits that lines must fit.
    pub(crate) outbox: &'a Outbox,
    /// The field that holds a message's id, where there is one.
    pub(crate) id_field: Option<&'a str>,
    /// How many rejected lines people were told of.
    pub(crate) told: Cell<u32>,
}

impl Input<'_> {
    /// Reads to the end of stdin, or until the connection takes no more. Fails if stdin cannot be read.
    pub(crate) fn run(&self) -> io::Result<()> {
        let mut stdin = BufReader::with_capacity(64 << 10, std::io::stdin());
        loop {
            let line = match lines::read(&mut stdin, self.outbox.max_bytes)? {
                Line::Whole(line) => line,
                Line::TooLong { bytes } => {
                    self.too_large(bytes, None);
                    continue;
                }
                Line::End => return Ok(()),
            };
            let Ok(line) = String::from_utf8(line) else {
                self.reject(None, "not UTF-8: a text message must be");
                continue;
            };
            if let Err(error) = self.send(line) {
                let id = self.id_of(&error.message.payload);
                match error.refusal {
                    Refusal::TooLarge { size, .. } => self.too_large(size as u64, id),
                    Refusal::Closed => {
                        self.reject(id, "closed: the connection takes no more messages");
                        return Ok(());
                    }
                    Refusal::Full => self.reject(id, "full: the queue has no room"),
                    _ => self.reject(id, &error.to_string()),
                }
            }
        }
    }

    /// Sends, waiting for room if the config says so. A client whose reports are not fetched takes no
    /// messages either; that is waited for in any case, since it says nothing about the queue.
    fn send(&self, line: String) -> Result<(), SendError> {
        let size = line.len();
        if self.outbox.overflow != Overflow::Reject {
            return self.handle.send_patiently(line).map(|_| ());
        }
        let mut line = Outgoing::from(line);
        loop {
            match self.handle.try_send(line) {
                Err(SendError { message, refusal: Refusal::Full }) if self.has_room(size) => {
                    line = message;
                    std::thread::sleep(LAG);
                }
                sent => return sent.map(|_| ()),
            }
        }
    }

    fn has_room(&self, size: usize) -> bool {
        let status = self.handle.status();
        status.queued + status.in_flight < self.outbox.max_messages
            && status.outbox_bytes.saturating_add(size).saturating_add(ENVELOPE)
                <= self.outbox.max_bytes
    }

    fn too_large(&self, bytes: u64, id: Option<u64>) {
        let limit = self.outbox.max_bytes;
        self.reject(id, &format!("too large: {bytes} bytes, and --queue-bytes is {limit}"));
    }

    fn reject(&self, id: Option<u64>, reason: &str) {
        self.output.rejected(id, reason, || {
            let told = self.told.get();
            if told < MOST_TOLD {
                tell(&format!("a line was rejected: {reason}"));
            } else if told == MOST_TOLD {
                tell("further rejected lines are counted only: see the end, or use --events");
            }
            self.told.set(told.saturating_add(1));
        });
    }

    fn id_of(&self, payload: &Payload) -> Option<u64> {
        raw_field(payload.as_text()?, self.id_field?)?.parse().ok()
    }
}

/// The end of stdin: what was accepted is sent, then the connection is closed. One that was never
/// open is waited for first, as long as a drain may take; `never_open` is set if that was in vain.
pub(crate) fn drain(handle: &Handle, drain: Duration, never_open: &AtomicBool) {
    if handle.state() != State::Connecting {
        return handle.drain(None);
    }
    let start = Instant::now();
    let opened = handle.wait_open(drain).is_ok() || handle.state() != State::Connecting;
    // Before the end, which whoever judges it waits for.
    never_open.store(!opened, Ordering::Relaxed);
    handle.drain(Some(drain.saturating_sub(start.elapsed())));
}
