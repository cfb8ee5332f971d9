//! One connection as several parts of a program see it.

use std::fmt;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use perennial_core::{Closed, Instant, Message, ReadyState, State};

use super::board::{Stamped, Viewer};
use super::shared::Shared;
#[cfg(feature = "blocking")]
use super::signal::Signal;
#[cfg(feature = "blocking")]
use crate::error::Timeout;

/// A look at a connection, for a part of a program that shows it: its state, the latest message, and
/// what came before that if [`Builder::history`](crate::Builder::history) is on.
///
/// From [`Control::view`](crate::Control::view). It is cheap to clone, and all views of a connection
/// see the same. It does not keep the connection open, and still shows the end after that. It takes
/// nothing from the client, which receives every message as if there were no view.
///
/// A view sees changes of the state, attempts and the waits before them, where they lead, round trips,
/// messages, and [`clear`](Self::clear). Who is slow to look sees the latest, not each. What is queued and in
/// flight is shown too, but that it changes is no change.
pub struct View {
    shared: Arc<Shared>,
    viewer: Viewer,
    /// Wakes a thread that waits here; made when one does for the first time.
    #[cfg(feature = "blocking")]
    signal: Option<(Arc<Signal>, Waker)>,
}

/// A connection at one time, from [`View::snapshot`]. No secret is in it but the latest message, of
/// which `Debug` shows only the length.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// When it was taken, since the connection's start.
    pub at: Duration,
    /// The state.
    pub state: State,
    /// The state as a browser would name it.
    pub ready_state: ReadyState,
    /// What it is about, in a word: see [`Status::phase`](perennial_core::Status::phase).
    pub phase: &'static str,
    /// The URL of the latest attempt, without query and user part: see
    /// [`Control::target`](crate::Control::target).
    pub target: Option<Arc<str>>,
    /// Whether the outage has lasted for the config's `retry.suspend_after`.
    pub suspended: bool,
    /// Dials since the attempt counter was last reset.
    pub attempt: u32,
    /// Why the connection was last lost or the last dial failed, until it is
    /// [cleared](View::clear).
    pub last_error: Option<String>,
    /// The last measured round trip.
    pub rtt: Option<Duration>,
    /// Messages that wait to be handed to a transport.
    pub queued: usize,
    /// Messages that were handed to a transport and await a flush or an acknowledgement.
    pub in_flight: usize,
    /// How long the connection has been down, if it was open before.
    pub down_for: Option<Duration>,
    /// How long until the next dial, if one is pending.
    pub retry_in: Option<Duration>,
    /// The last message received while there was a view or a history, until it is
    /// [cleared](View::clear).
    pub latest: Option<Stamped<Message>>,
    /// How many messages were received, duplicates not counted.
    pub received: u64,
    /// How it ended, if it has.
    pub closed: Option<Closed>,
}

impl Snapshot {
    /// Whether a WebSocket is open, and not about to close.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.ready_state == ReadyState::Open
    }

    /// Whether a WebSocket is to be expected: a dial is under way, or waits for its time. Not while
    /// one is open, nor before anybody asks for one where the config's `connect.auto` is off, nor when
    /// it is closing or closed.
    #[must_use]
    pub fn loading(&self) -> bool {
        self.ready_state == ReadyState::Connecting && self.phase != "idle"
    }
}

impl View {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self::with(Arc::clone(shared), shared.board.enter(None))
    }

    fn with(shared: Arc<Shared>, viewer: Viewer) -> Self {
        Self {
            shared,
            viewer,
            #[cfg(feature = "blocking")]
            signal: None,
        }
    }

    /// The present.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let core = self.shared.lock();
        let now = self.shared.clock().now();
        let status = core.connection.status();
        drop(core);
        let seen = self.shared.board.glance();
        // A driver that did not get to its end leaves the state as it was.
        let is_closed = seen.closed.is_some();
        Snapshot {
            at: now.since(Instant::ZERO),
            state: if is_closed { State::Closed } else { status.state },
            ready_state: if is_closed { ReadyState::Closed } else { status.ready_state },
            phase: if is_closed { "closed" } else { status.phase },
            target: seen.target,
            suspended: status.suspended && !is_closed,
            attempt: status.attempt,
            last_error: status.last_error.filter(|_| !seen.hides_error),
            rtt: status.rtt,
            queued: status.queued,
            in_flight: status.in_flight,
            down_for: status.outage_since.filter(|_| !is_closed).map(|since| now.since(since)),
            retry_in: status.retry_at.filter(|_| !is_closed).map(|at| at.since(now)),
            latest: seen.latest,
            received: status.counters.received,
            closed: seen.closed,
        }
    }

    /// The last messages, the oldest first: at most as many as
    /// [`Builder::history`](crate::Builder::history) says, and at most 1 MiB of them.
    #[must_use]
    pub fn history(&self) -> Vec<Stamped<Message>> {
        self.shared.board.history()
    }

    /// Forgets the latest message, the history and the last error, for every view.
    pub fn clear(&self) {
        self.shared.board.clear();
    }

    /// Waits for a change since the last one that this view returned, or since it was made, at most
    /// so long; and returns what is there then. `Ok(None)` when the connection is closed and that was
    /// returned.
    ///
    /// Not for hooks, listeners and the callback of `Builder::run`: on the thread that drives nothing
    /// changes while it waits. There, [`snapshot`](Self::snapshot) tells the present.
    ///
    /// # Errors
    /// [`Timeout`] when nothing changed.
    #[cfg(feature = "blocking")]
    pub fn wait_changed(&mut self, timeout: Duration) -> Result<Option<Snapshot>, Timeout> {
        let deadline = std::time::Instant::now().checked_add(timeout);
        loop {
            let (signal, waker) = self.signal.get_or_insert_with(Signal::new).clone();
            if let Poll::Ready(snapshot) = self.poll_changed(&waker) {
                return Ok(snapshot);
            }
            if !signal.wait(deadline) {
                return Err(Timeout);
            }
        }
    }

    /// Waits for a change since the last one that this view returned, or since it was made, and
    /// returns what is there then. `None` when the connection is closed and that was returned.
    /// Cancel-safe: a change that was not returned is returned by the next call.
    #[cfg(feature = "async")]
    pub async fn changed(&mut self) -> Option<Snapshot> {
        std::future::poll_fn(|cx| self.poll_changed(cx.waker())).await
    }

    fn poll_changed(&mut self, waker: &Waker) -> Poll<Option<Snapshot>> {
        let changed = self.shared.board.poll_change(&mut self.viewer, waker);
        changed.map(|changed| changed.then(|| self.snapshot()))
    }
}

/// Another view of the same connection. It has seen what this one has seen.
impl Clone for View {
    fn clone(&self) -> Self {
        let viewer = self.shared.board.enter(Some(&self.viewer));
        Self::with(Arc::clone(&self.shared), viewer)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.shared.board.leave(&self.viewer);
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("snapshot", &self.snapshot()).finish_non_exhaustive()
    }
}
