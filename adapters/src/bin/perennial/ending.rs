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
    begun: OnceLock<Begun>,
    told_of_waiting: AtomicBool,
}

/// How it was when the rest was to be sent.
struct Begun {
    at: Instant,
    /// How many messages were left.
    rest: usize,
    /// How many had come to nothing by then.
    undelivered: u64,
    /// A connection that was never open is waited for, whatever is left.
    waits_to_open: bool,
}

/// What the connection was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WasOpen {
    Never,
    Before,
    AtTheEnd,
}

impl Ending {
    /// `drain` is the config's `close.drain`.
    pub(crate) fn new(drain: Duration) -> Self {
        Self { drain, ..Self::default() }
    }

    /// stdin ended, a signal came, or there was enough: the rest is to be sent. Whoever calls must not
    /// be held up by an stderr that takes nothing, so another thread tells.
    pub(crate) fn begin(&self, handle: &Handle, waits_to_open: bool) {
        self.begun.get_or_init(|| {
            let (status, counters) = (handle.status(), handle.counters());
            Begun {
                at: Instant::now(),
                rest: status.queued + status.in_flight,
                undelivered: counters.expired + counters.dropped + counters.uncertain,
                waits_to_open,
            }
        });
        if let Some(text) = self.waiting(handle) {
            std::thread::spawn(move || tell(&text));
        }
    }

    /// Tells once that the end waits for the connection, where it does: it looks like a hang
    /// otherwise.
    pub(crate) fn waits(&self, handle: &Handle) {
        if let Some(text) = self.waiting(handle) {
            tell(&text);
        }
    }

    fn waiting(&self, handle: &Handle) -> Option<String> {
        let begun = self.begun.get()?;
        let status = handle.status();
        let rest = status.queued + status.in_flight;
        let is_down = match status.state {
            State::Reconnecting => rest > 0,
            // The first attempt is on its way at the start of every run.
            State::Connecting => status.last_error.is_some() && (rest > 0 || begun.waits_to_open),
            State::Open | State::Closed => false,
        };
        if !is_down || self.told_of_waiting.swap(true, Ordering::Relaxed) {
            return None;
        }
        let what = match rest {
            0 => String::new(),
            _ => format!(" to send {}", count(rest as u64, "message", "messages")),
        };
        let drain = readable(self.drain);
        Some(format!("waiting for the connection{what}, as long as --drain allows ({drain})"))
    }

    /// What to do where something is left because draining took too long.
    pub(crate) fn hint(&self, ledger: &Ledger, was_open: WasOpen) -> Option<&'static str> {
        let begun = self.begun.get()?;
        let over = begun.at.elapsed() >= self.drain;
        // What came to nothing before has other reasons.
        let left = begun.rest > 0 && ledger.undelivered() > begun.undelivered;
        let stopped = self.late.load(Ordering::Relaxed) || self.aborted.load(Ordering::Relaxed);
        (over && left && !stopped).then_some(match was_open {
            WasOpen::AtTheEnd => "--drain passed before the rest was through: raise --drain",
            WasOpen::Before => "--drain passed before the connection was open again: raise --drain",
            WasOpen::Never => "--drain passed before the connection was open: raise --drain",
        })
    }
}
