//! Who is called when the state changes.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use perennial_core::{Duration, Instant, Notice, Reason, State};

use super::shared::Shared;

/// A change of the state, as a listener is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateChange {
    /// The state before.
    pub old: State,
    /// The state now.
    pub new: State,
    /// Why; `None` for the change to [`State::Open`].
    pub reason: Option<Reason>,
    /// When, since the connection's start.
    pub at: Duration,
}

/// The states, and why, such as `open -> reconnecting: the connection was reset`.
impl fmt::Display for StateChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.old, self.new)?;
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

/// The loss of an open connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// Why it was lost. [`Reason::Application`] for a reconnect by hand.
    pub reason: Reason,
    /// How long it was open.
    pub open_for: Duration,
    /// Messages that wait for the next transport; those of class acknowledged that were handed to
    /// the one that was lost are among them.
    pub queued: usize,
    /// Whether there will be no next one: the connection is closed.
    pub last: bool,
}

/// Is told every change of the state.
pub(crate) type OnState = Box<dyn FnMut(&StateChange) + Send>;
/// Is told every loss.
pub(crate) type OnLoss = Box<dyn FnMut(&Loss) + Send>;

/// The listeners of one connection. They are called by the driver, and no lock is held that a
/// listener could want.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    list: Mutex<List>,
    /// When the connection was last open for the first time, in nanoseconds.
    open_since: AtomicU64,
}

#[derive(Default)]
struct List {
    state: Vec<Arc<Listener>>,
    loss: Vec<Arc<Mutex<OnLoss>>>,
    finished: bool,
}

struct Listener {
    call: Mutex<OnState>,
    /// It is not to be called any more.
    gone: AtomicBool,
}

impl Listeners {
    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add_on_loss(&self, call: OnLoss) {
        self.lock().loss.push(Arc::new(Mutex::new(call)));
    }

    pub(crate) fn add_on_state(&self, call: OnState) {
        self.add(call);
    }

    fn add(&self, call: OnState) -> Arc<Listener> {
        let listener = Arc::new(Listener { call: Mutex::new(call), gone: AtomicBool::new(false) });
        let mut list = self.lock();
        if !list.finished {
            list.state.push(Arc::clone(&listener));
        }
        listener
    }

    /// Tells what came at `at`, in order.
    pub(crate) fn note(&self, shared: &Shared, at: Instant, notices: &[Notice]) {
        for notice in notices {
            if let Notice::StateChanged { from, to, reason, .. } = notice {
                let at = at.since(Instant::ZERO);
                let change = StateChange { old: *from, new: *to, reason: reason.clone(), at };
                self.tell(&change);
                self.note_loss(shared, change);
            }
        }
    }

    fn tell(&self, change: &StateChange) {
        // A listener may add another, or take one away.
        let listeners = self.lock().state.clone();
        for listener in listeners {
            if !listener.gone.load(Ordering::Acquire) {
                listener.call.lock().unwrap_or_else(PoisonError::into_inner)(change);
            }
        }
    }

    fn note_loss(&self, shared: &Shared, change: StateChange) {
        let at = u64::try_from(change.at.as_nanos()).unwrap_or(u64::MAX);
        if change.new == State::Open {
            self.open_since.store(at, Ordering::Relaxed);
        }
        let (State::Open, Some(reason)) = (change.old, change.reason) else { return };
        let last = change.new == State::Closed;
        let is_farewell = last && reason == Reason::Application;
        let hooks = self.lock().loss.clone();
        if is_farewell || hooks.is_empty() {
            return;
        }
        let queued = shared.lock().connection.status().queued;
        let open_since = self.open_since.load(Ordering::Relaxed);
        let loss = Loss {
            reason,
            open_for: Duration::from_nanos(at.saturating_sub(open_since)),
            queued,
            last,
        };
        for hook in hooks {
            hook.lock().unwrap_or_else(PoisonError::into_inner)(&loss);
        }
    }

    /// Nothing more will be told. A listener may hold a handle, which would otherwise hold it.
    pub(crate) fn finish(&self) {
        let mut list = self.lock();
        let gone = mem::replace(&mut *list, List { finished: true, ..List::default() });
        drop(list);
        drop(gone);
    }

    fn remove(&self, listener: &Arc<Listener>) {
        let mut list = self.lock();
        list.state.retain(|other| !Arc::ptr_eq(other, listener));
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List")
            .field("state", &self.state.len())
            .field("loss", &self.loss.len())
            .finish_non_exhaustive()
    }
}

/// A listener that is called until this is dropped: see
/// [`Control::on_state`](crate::Control::on_state).
#[must_use = "the listener is taken away when this is dropped"]
pub struct ListenerGuard {
    shared: Arc<Shared>,
    listener: Arc<Listener>,
}

impl ListenerGuard {
    pub(crate) fn new(shared: &Arc<Shared>, call: OnState) -> Self {
        Self { shared: Arc::clone(shared), listener: shared.listeners.add(call) }
    }
}

impl Drop for ListenerGuard {
    fn drop(&mut self) {
        self.listener.gone.store(true, Ordering::Release);
        self.shared.listeners.remove(&self.listener);
    }
}

impl fmt::Debug for ListenerGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerGuard").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_says_from_what_to_what_and_why() {
        let (old, new) = (State::Connecting, State::Open);
        let mut change = StateChange { old, new, reason: None, at: Duration::ZERO };
        assert_eq!(change.to_string(), "connecting -> open");
        change = StateChange { old: State::Open, new: State::Reconnecting, ..change };
        change.reason = Some(Reason::DialTimeout);
        assert_eq!(change.to_string(), "open -> reconnecting: the dial timed out");
    }
}
