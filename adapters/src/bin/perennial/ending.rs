//! How a run comes to its end: what its threads tell each other of that, and what people are told.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use perennial_core::{Duration, State};

use crate::adapter::Handle;
use crate::ledger::Ledger;
use crate::people::{count, readable, tell};

/// What the threads of a run tell each other.
#[derive(Default)]
pub(crate) struct Ending {
    pub(crate) drain: Duration,
    /// `--deadline` passed.
    pub(crate) late: AtomicBool,
    /// A second signal came.
    pub(crate) aborted: AtomicBool,
    /// The connection was never open, and nobody waits for it any more.
    pub(crate) never_open: AtomicBool,
    /// stdin could not be read to its end.
    pub(crate) unread: AtomicBool,
    /// When draining began.
    begun: OnceLock<Instant>,
    told_of_waiting: AtomicBool,
}

impl Ending {
    /// `drain` is the config's `close.drain`.
    pub(crate) fn new(drain: Duration) -> Self {
        Self { drain, ..Self::default() }
    }

    /// stdin ended, or a signal came: the rest is to be sent.
    pub(crate) fn begin(&self, handle: &Handle) {
        self.begun.get_or_init(Instant::now);
        self.waits(handle);
    }

    /// Tells once that the end waits for the connection, where it does: it looks like a hang
    /// otherwise.
    pub(crate) fn waits(&self, handle: &Handle) {
        let status = handle.status();
        let rest = status.queued + status.in_flight;
        let is_down = match status.state {
            State::Reconnecting => rest > 0,
            // The first attempt is on its way at the start of every run.
            State::Connecting => status.last_error.is_some(),
            State::Open | State::Closed => false,
        };
        if self.begun.get().is_none()
            || !is_down
            || self.told_of_waiting.swap(true, Ordering::Relaxed)
        {
            return;
        }
        let what = match rest {
            0 => String::new(),
            _ => format!(" to send {}", count(rest as u64, "message", "messages")),
        };
        let drain = readable(self.drain);
        tell(&format!("waiting for the connection{what}, as long as --drain allows ({drain})"));
    }

    /// Whether something is left because draining took too long; with `was_open`, what the connection
    /// was at the end.
    pub(crate) fn hint(&self, ledger: &Ledger, was_open: bool) -> Option<&'static str> {
        let over = self.begun.get().is_some_and(|begun| begun.elapsed() >= self.drain);
        let stopped = self.late.load(Ordering::Relaxed) || self.aborted.load(Ordering::Relaxed);
        if stopped || !over || ledger.undelivered() == 0 {
            return None;
        }
        Some(match was_open {
            true => "--drain passed before the rest was through: raise --drain",
            false => "--drain passed before the connection was open again: raise --drain",
        })
    }
}
