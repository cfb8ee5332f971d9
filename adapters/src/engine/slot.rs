//! A place for one thing that somebody waits for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
#[cfg(feature = "async")]
use std::task::{Context, Poll};
#[cfg(feature = "blocking")]
use std::time::Instant;

/// A place that is filled once and emptied once.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

#[derive(Debug)]
struct State<T> {
    value: Option<T>,
    /// The task that waits, if one does.
    task: Option<Waker>,
    /// How many threads wait.
    threads: usize,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        let state = State { value: None, task: None, threads: 0 };
        Self { state: Mutex::new(state), filled: Condvar::new() }
    }
}

impl<T> Slot<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills it. Returns the task that is to be called for it, once no lock is held.
    pub(crate) fn fill(&self, value: T) -> Option<Waker> {
        let mut state = self.lock();
        state.value = Some(value);
        if state.threads > 0 {
            self.filled.notify_all();
        }
        state.task.take()
    }

    /// Empties it, if it was filled.
    pub(crate) fn try_take(&self) -> Option<T> {
        self.lock().value.take()
    }

    /// Empties it, or has the task called when it is filled.
    #[cfg(feature = "async")]
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<T> {
        let mut state = self.lock();
        if let Some(value) = state.value.take() {
            return Poll::Ready(value);
        }
        let replaced = match &state.task {
            Some(task) if task.will_wake(cx.waker()) => None,
            Some(_) | None => state.task.replace(cx.waker().clone()),
        };
        drop(state);
        // What ends with the last waker of a task may want the lock.
        drop(replaced);
        Poll::Pending
    }

    /// Empties it; waits until it is filled, or until `deadline`.
    #[cfg(feature = "blocking")]
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(value) = state.value.take() {
                return Some(value);
            }
            state.threads += 1;
            state = match deadline {
                None => self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        state.threads -= 1;
                        return None;
                    }
                    let waited = self.filled.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.threads -= 1;
        }
    }
}

#[cfg(all(test, feature = "async"))]
mod tests {
    use super::*;
    use crate::remains::remains;
    use std::sync::Arc;

    #[test]
    fn a_waker_that_is_needed_no_longer_ends_when_the_lock_is_free() {
        let slot = Arc::new(Slot::<u8>::default());
        let remains = || {
            let slot = Arc::clone(&slot);
            remains(move || slot.state.try_lock().is_ok())
        };
        let ((first, first_end), (second, second_end)) = (remains(), remains());
        let wait = |waker: Waker| slot.poll_take(&mut Context::from_waker(&waker));
        assert!(wait(first).is_pending());
        // Another task waits in its place.
        assert!(wait(second).is_pending());
        assert!(first_end.found_it_free());
        drop(slot.fill(1));
        assert!(second_end.found_it_free());
    }
}
