//! The sending half, and every command.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use perennial_core::{
    Accepted, CloseFrame, Closed, Counters, Event, Outgoing, Rejected, Seq, State, Status, code,
};

use super::shared::Shared;
use crate::error::{NotOpen, Refusal, SendError};

/// Sends and commands. Cheap to clone, and to be used from any thread.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    /// Whether `send` waits for room: the config's `outbox.overflow` is `wait`.
    waits: bool,
}

/// How long a sender waits for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    None,
    Until(Instant),
    Endless,
}

impl Handle {
    pub(super) fn new(shared: Arc<Shared>, waits: bool) -> Self {
        Self { shared, waits }
    }

    /// Sends a message: accepted, it will end in exactly one of the outcomes that
    /// [`Counters`] counts.
    ///
    /// Waits for room if the config's `outbox.overflow` is `wait`, except in the callback of
    /// [`Builder::run`](super::Builder::run), which would wait for itself.
    ///
    /// # Errors
    /// [`SendError`] gives the message back.
    pub fn send(&self, message: impl Into<Outgoing>) -> Result<Seq, SendError> {
        self.offer(message.into(), if self.waits { Patience::Endless } else { Patience::None })
    }

    /// Sends a message, without ever waiting.
    ///
    /// # Errors
    /// [`SendError`] gives the message back.
    pub fn try_send(&self, message: impl Into<Outgoing>) -> Result<Seq, SendError> {
        self.offer(message.into(), Patience::None)
    }

    /// Sends a message, and waits for room at most so long, whatever the config says.
    ///
    /// # Errors
    /// [`SendError`] gives the message back.
    pub fn send_timeout(
        &self,
        message: impl Into<Outgoing>,
        timeout: Duration,
    ) -> Result<Seq, SendError> {
        let patience =
            Instant::now().checked_add(timeout).map_or(Patience::Endless, Patience::Until);
        self.offer(message.into(), patience)
    }

    fn offer(&self, mut message: Outgoing, patience: Patience) -> Result<Seq, SendError> {
        let shared = &self.shared;
        let mut core = shared.lock();
        loop {
            // A driver that did not get to its end leaves a connection that still takes messages.
            if core.closed.is_some() && core.connection.state() != State::Closed {
                return Err(SendError { message, refusal: Refusal::Closed });
            }
            let result = if shared.inbox.lags() {
                Err(Rejected::QueueFull(message))
            } else {
                shared.feed(&mut core, Event::Send(message))
            };
            let error = match result {
                Ok(Accepted::Message(seq)) => return Ok(seq),
                Ok(Accepted::Done | Accepted::Stale) => {
                    unreachable!("the core names every message that it takes")
                }
                Err(rejected) => match SendError::from_rejected(rejected) {
                    Some(error) => error,
                    None => unreachable!("the core gives back every message that it refuses"),
                },
            };
            if error.refusal != Refusal::Full || core.driver == Some(thread::current().id()) {
                return Err(error);
            }
            // Nobody makes room where nobody drives any more.
            if core.closed.is_some() {
                return Err(SendError { refusal: Refusal::Closed, ..error });
            }
            let deadline = match patience {
                Patience::None => return Err(error),
                Patience::Endless => None,
                Patience::Until(deadline) if deadline <= Instant::now() => {
                    return Err(SendError { refusal: Refusal::Timeout, ..error });
                }
                Patience::Until(deadline) => Some(deadline),
            };
            message = error.message;
            core = shared.wait(core, deadline).0;
        }
    }

    /// Takes a message back.
    ///
    /// # Errors
    /// [`Rejected::NotQueued`] if it was handed to a transport or has ended.
    pub fn cancel(&self, seq: Seq) -> Result<(), Rejected> {
        self.command(Event::Cancel(seq))
    }

    /// Takes back every message that was not handed to a transport.
    pub fn purge(&self) {
        // Never refused.
        let _ = self.command(Event::Purge);
    }

    /// Closes with code 1000. What was not handed to a transport is dropped: see
    /// [`Handle::drain`].
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
        // Never refused.
        let _ = self.command(Event::Reconnect);
    }

    /// Drops the transport at once, without a close handshake, and closes.
    pub fn abort(&self) {
        let mut core = self.shared.lock();
        core.abort = true;
        self.shared.wake(&mut core);
    }

    fn command(&self, mut event: Event) -> Result<(), Rejected> {
        let mut core = self.shared.lock();
        loop {
            match self.shared.feed(&mut core, event) {
                // The driver takes the actions that wait, and waits for nobody.
                Err(Rejected::Busy(refused)) if core.driver != Some(thread::current().id()) => {
                    if core.closed.is_some() {
                        return Ok(());
                    }
                    event = refused;
                    core = self.shared.wait(core, None).0;
                }
                result => return result.map(|_| ()),
            }
        }
    }

    /// A snapshot of everything a dashboard would show.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.lock().connection.status()
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.lock().connection.state()
    }

    /// The counts.
    #[must_use]
    pub fn counters(&self) -> Counters {
        *self.shared.lock().connection.counters()
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.shared.lock().closed.clone()
    }

    /// Waits until the connection is open.
    ///
    /// # Errors
    /// [`NotOpen`] when it is closed, or not open in time.
    pub fn wait_open(&self, timeout: Duration) -> Result<(), NotOpen> {
        let deadline = Instant::now().checked_add(timeout);
        let mut core = self.shared.lock();
        loop {
            if core.connection.state() == State::Open {
                return Ok(());
            }
            if let Some(closed) = &core.closed {
                return Err(NotOpen::Closed(Box::new(closed.clone())));
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(NotOpen::Timeout);
            }
            core = self.shared.wait(core, deadline).0;
        }
    }

    /// Waits for the end.
    pub(super) fn wait_closed(&self) -> Closed {
        let mut core = self.shared.lock();
        loop {
            if let Some(closed) = &core.closed {
                return closed.clone();
            }
            core = self.shared.wait(core, None).0;
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("state", &self.state()).finish_non_exhaustive()
    }
}
