//! A driver that awaits an answer awake, among all those of the process that do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How many there are.
static WATCHES: AtomicUsize = AtomicUsize::new(0);
/// How often a stream is looked at before the executor's other tasks have their turns: for as long as
/// a peer nearby takes to answer. To be polled again costs more than a look, and an executor of several
/// threads wakes another one for it.
const LOOKS: usize = 64;
/// For how long at most.
const LOOK: Duration = Duration::from_micros(50);

/// What comes after a look that has seen nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Again,
    Yield,
    Over,
}

/// A driver that is awake.
#[derive(Debug)]
pub(super) struct Watch {
    until: Instant,
    /// Until when others do without their turns.
    alone_until: Instant,
}

impl Watch {
    pub(super) fn new(most: Duration) -> Option<Self> {
        let until = Instant::now().checked_add(most)?;
        WATCHES.fetch_add(1, Ordering::Relaxed);
        Some(Self { until, alone_until: until })
    }

    /// Begins to look. How often to until others have their turns; those may be awake for the same.
    pub(super) fn begin(&mut self) -> usize {
        self.alone_until = Instant::now() + LOOK;
        if WATCHES.load(Ordering::Relaxed) == 1 { LOOKS } else { 1 }
    }

    /// Whether it is over, or others should have their turns.
    pub(super) fn look(&self) -> Look {
        let now = Instant::now();
        if now >= self.until {
            Look::Over
        } else if now >= self.alone_until {
            Look::Yield
        } else {
            Look::Again
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHES.fetch_sub(1, Ordering::Relaxed);
    }
}
