//! For the unit tests: tasks of which only a waker is left, and which need a lock for their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

struct Remains<F: Fn() -> bool> {
    is_free: F,
    found_it_free: Arc<AtomicBool>,
}

impl<F: Fn() -> bool + Send + Sync> Wake for Remains<F> {
    fn wake(self: Arc<Self>) {}
}

impl<F: Fn() -> bool> Drop for Remains<F> {
    fn drop(&mut self) {
        self.found_it_free.store((self.is_free)(), Ordering::SeqCst);
    }
}

/// Whether a task has found its lock free when it ended.
pub(crate) struct Ended(Arc<AtomicBool>);

impl Ended {
    pub(crate) fn found_it_free(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The last waker of a task that asks `is_free` at its end.
pub(crate) fn remains(is_free: impl Fn() -> bool + Send + Sync + 'static) -> (Waker, Ended) {
    let found_it_free = Arc::new(AtomicBool::new(false));
    let ended = Ended(Arc::clone(&found_it_free));
    (Waker::from(Arc::new(Remains { is_free, found_it_free })), ended)
}
