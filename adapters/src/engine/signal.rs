//! A waker for a thread that waits.
//!
//! It has a lock of its own rather than the thread's token for parking: whoever runs a task on this
//! thread may use that one, and would miss a call that came here.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::time::Instant;

/// What a thread waits for.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    came: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Quiet,
    /// The thread waits.
    Awaited,
    /// Somebody has called.
    Called,
}

impl Signal {
    /// A signal, and the waker that gives it.
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let signal = Arc::new(Self::default());
        let waker = Waker::from(Arc::clone(&signal));
        (signal, waker)
    }

    /// Waits for a call, or takes one that has come. Returns whether there was one before
    /// `deadline`.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while *state != State::Called {
            *state = State::Awaited;
            state = match deadline {
                None => self.came.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        *state = State::Quiet;
                        return false;
                    }
                    let waited = self.came.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        *state = State::Quiet;
        true
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let awaited = std::mem::replace(&mut *state, State::Called) == State::Awaited;
        drop(state);
        if awaited {
            self.came.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_call_before_the_wait_ends_it_once() {
        let (signal, waker) = Signal::new();
        waker.wake_by_ref();
        waker.wake();
        assert!(signal.wait(None));
        assert!(!signal.wait(Some(Instant::now() + Duration::from_millis(2))));
    }

    #[test]
    fn a_call_during_the_wait_ends_it() {
        let (signal, waker) = Signal::new();
        let (back, answer) = Signal::new();
        let other = std::thread::spawn(move || {
            for _ in 0..1_000 {
                waker.wake_by_ref();
                assert!(back.wait(Some(Instant::now() + LONG)), "in time");
            }
        });
        for _ in 0..1_000 {
            assert!(signal.wait(Some(Instant::now() + LONG)), "in time");
            answer.wake_by_ref();
        }
        other.join().expect("no panic");
    }
}
