//! What every handle can do without waiting.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_core::{
    Accepted, CloseFrame, Closed, Counters, Event, Outgoing, Overflow, Rejected, Seq, State,
    Status, code,
};

use super::listeners::{ListenerGuard, StateChange};
use super::shared::{Access, Shared};
use super::view::View;
use crate::error::{Refusal, SendError};

/// The commands that never wait, the same for every driver. To be used from any thread or task.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
    overflow: Overflow,
}

impl Control {
    pub(crate) fn new(shared: Arc<Shared>, overflow: Overflow) -> Self {
        Self { shared, overflow }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Whether `send` waits for room.
    pub(crate) fn waits(&self) -> bool {
        self.overflow == Overflow::Wait
    }

    /// Sends a message, without ever waiting.
    ///
    /// # Errors
    /// [`SendError`] gives the message back.
    pub fn try_send(&self, message: impl Into<Outgoing>) -> Result<Seq, SendError> {
        self.offer(&mut self.shared.lock(), message.into())
    }

    /// Offers a message once.
    pub(crate) fn offer(&self, core: &mut Access<'_>, message: Outgoing) -> Result<Seq, SendError> {
        // A driver that did not get to its end leaves a connection that still takes messages.
        if core.closed.is_some() && core.connection.state() != State::Closed {
            return Err(SendError { message, refusal: Refusal::Closed });
        }
        let result = if self.shared.inbox.lags() {
            Err(Rejected::QueueFull(message))
        } else {
            core.feed(Event::Send(message))
        };
        match result {
            Ok(Accepted::Message(seq)) => {
                core.note_send();
                Ok(seq)
            }
            Ok(Accepted::Done | Accepted::Stale) => {
                unreachable!("the core names every message that it takes")
            }
            Err(rejected) => match SendError::from_rejected(rejected) {
                // Nobody makes room where nobody drives any more.
                Some(error) if error.refusal == Refusal::Full && core.closed.is_some() => {
                    Err(SendError { refusal: Refusal::Closed, ..error })
                }
                Some(error) => Err(error),
                None => unreachable!("the core gives back every message that it refuses"),
            },
        }
    }

    /// Takes a message back.
    ///
    /// # Errors
    /// [`Rejected::NotQueued`] if it was handed to a transport or has ended.
    pub fn cancel(&self, seq: Seq) -> Result<(), Rejected> {
        self.command(Event::Cancel(seq))
    }

    /// Takes back every message of the queue that was not handed to a transport, and with it the requests
    /// that were not. What goes [ahead](perennial_core::Outgoing::ahead) stays: a login, a subscription.
    pub fn purge(&self) {
        // Never refused.
        let _ = self.command(Event::Purge);
    }

    /// Closes with code 1000. What was not handed to a transport is dropped: see
    /// [`drain`](Self::drain).
    pub fn close(&self) {
        // Never refused: the code is a valid one.
        let _ = self.command(Event::Close(CloseFrame::new(code::NORMAL, "")));
    }

    /// Closes with a code and a reason, which is cut after 123 bytes.
    ///
    /// # Errors
    /// [`Rejected::InvalidClose`] for a code that may not be sent (RFC 6455 §7.4).
    pub fn close_with(&self, code: u16, reason: &str) -> Result<(), Rejected> {
        self.command(Event::Close(CloseFrame::new(code, reason)))
    }

    /// Sends what is queued, awaits what is unacknowledged, and then closes with code 1000. `None`
    /// means the config's `close.drain`.
    pub fn drain(&self, timeout: Option<Duration>) {
        let close = CloseFrame::new(code::NORMAL, "");
        // Never refused: the code is a valid one.
        let _ = self.command(Event::Drain { timeout, close });
    }

    /// Connects anew now, with the attempt counter at zero, whatever the state but closed.
    pub fn reconnect(&self) {
        let mut core = self.shared.lock();
        if core.feed(Event::Reconnect).is_err() {
            // Too much waits to be done; the driver does it when that is done.
            core.reconnect = true;
            core.wake();
        }
    }

    /// Drops the transport at once, without a close handshake, and closes.
    pub fn abort(&self) {
        let mut core = self.shared.lock();
        core.abort = true;
        core.wake();
    }

    fn command(&self, event: Event) -> Result<(), Rejected> {
        self.shared.lock().feed(event).map(|_| ())
    }

    /// A snapshot of everything a dashboard would show.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.lock().connection.status()
    }

    /// A view of the connection, for a part of the program that shows it: see [`View`].
    #[must_use]
    pub fn view(&self) -> View {
        View::new(&self.shared)
    }

    /// Has `listener` called at every change of the state that is told from now on, until the guard
    /// is dropped; a call that goes on just then is not waited for. See
    /// [`Builder::on_state`](crate::Builder::on_state).
    pub fn on_state(&self, listener: impl FnMut(&StateChange) + Send + 'static) -> ListenerGuard {
        ListenerGuard::new(&self.shared, Box::new(listener))
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.lock().connection.state()
    }

    /// The URL of the latest attempt, for people, without secrets: scheme, host, port and path, as
    /// [`Request::target`](crate::Request::target) shows them. One that is made anew for each attempt
    /// is known once the [request hook](crate::Builder::on_request) has made it. `None` before the
    /// first.
    #[must_use]
    pub fn target(&self) -> Option<Arc<str>> {
        self.shared.board.target()
    }

    /// The counts.
    #[must_use]
    pub fn counters(&self) -> Counters {
        *self.shared.lock().connection.counters()
    }

    /// How it ended, if it has. Whoever was told [`Notice::Closed`](perennial_core::Notice::Closed)
    /// finds the same here.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        let core = self.shared.lock();
        core.closed.as_ref().or(core.ending.as_ref()).cloned()
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("state", &self.state()).finish_non_exhaustive()
    }
}
