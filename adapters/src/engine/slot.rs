//! A place for one thing that somebody waits for.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
#[cfg(feature = "async")]
use std::task::{Context, Poll};
#[cfg(feature = "blocking")]
use std::time::Instant;

/// A place that is filled once and emptied once. Whoever looks after that is told so, and does not
/// wait for what never comes.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

#[derive(Debug)]
struct State<T> {
    content: Content<T>,
    /// The task that waits, if one does.
    task: Option<Waker>,
    /// How many threads wait.
    threads: usize,
}

#[derive(Debug)]
enum Content<T> {
    Nothing,
    Value(T),
    Emptied,
}

/// A slot was emptied before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Emptied;

impl<T> Content<T> {
    /// Empties it. `None` as long as it was not filled.
    fn take(&mut self) -> Option<Result<T, Emptied>> {
        if matches!(self, Content::Nothing) {
            return None;
        }
        match mem::replace(self, Content::Emptied) {
            Content::Value(value) => Some(Ok(value)),
            Content::Nothing | Content::Emptied => Some(Err(Emptied)),
        }
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        let state = State { content: Content::Nothing, task: None, threads: 0 };
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
        state.content = Content::Value(value);
        if state.threads > 0 {
            self.filled.notify_all();
        }
        state.task.take()
    }

    /// Empties it, if it was filled.
    pub(crate) fn try_take(&self) -> Option<Result<T, Emptied>> {
        self.lock().content.take()
    }

    /// Empties it, or has the task called when it is filled.
    #[cfg(feature = "async")]
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Result<T, Emptied>> {
        let mut state = self.lock();
        if let Some(taken) = state.content.take() {
            return Poll::Ready(taken);
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
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Option<Result<T, Emptied>> {
        let mut state = self.lock();
        loop {
            if let Some(taken) = state.content.take() {
                return Some(taken);
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

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "async")]
    use crate::remains::remains;
    #[cfg(feature = "async")]
    use std::sync::Arc;

    #[test]
    fn who_looks_into_an_emptied_slot_does_not_wait() {
        let slot = Slot::default();
        assert_eq!(slot.try_take(), None);
        assert!(slot.fill(1).is_none());
        assert_eq!(slot.try_take(), Some(Ok(1)));
        assert_eq!(slot.try_take(), Some(Err(Emptied)));
        #[cfg(feature = "blocking")]
        assert_eq!(slot.wait(None), Some(Err(Emptied)));
        #[cfg(feature = "async")]
        {
            let cx = &mut Context::from_waker(Waker::noop());
            assert_eq!(slot.poll_take(cx), Poll::Ready(Err(Emptied)));
        }
    }

    #[cfg(feature = "async")]
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
