//! A driver that awaits an answer awake, among all those of the process that do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How many there are.
static WATCHES: AtomicUsize = AtomicUsize::new(0);
/// How often a stream is looked at before the executor's other tasks have their turns: for as long as
/// a peer nearby takes to answer. To be polled again costs more than a look, and an executor of several
/// threads wakes another one for it.
const LOOKS: usize = 64;

/// A driver that is awake.
#[derive(Debug)]
pub(super) struct Watch {
    until: Instant,
}

impl Watch {
    pub(super) fn new(most: Duration) -> Option<Self> {
        let until = Instant::now().checked_add(most)?;
        WATCHES.fetch_add(1, Ordering::Relaxed);
        Some(Self { until })
    }

    /// How often to look until others have their turns. The others may be awake for the same.
    pub(super) fn looks(&self) -> usize {
        if WATCHES.load(Ordering::Relaxed) == 1 { LOOKS } else { 1 }
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHES.fetch_sub(1, Ordering::Relaxed);
    }
}
