//! The sending half, and every command.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use perennial_core::{Closed, Outgoing, Seq, State};

use crate::engine::{Control, Shared};
use crate::error::{NotOpen, Refusal, SendError};

/// Sends and commands. Cheap to clone, and to be used from any thread.
///
/// Every method of [`Control`] is its method too.
#[derive(Clone)]
pub struct Handle {
    control: Control,
}

/// How long a sender waits for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    None,
    Until(Instant),
    Endless,
}

impl Handle {
    pub(super) fn new(control: Control) -> Self {
        Self { control }
    }

    /// Sends a message: accepted, it will end in exactly one of the outcomes that
    /// [`Counters`](crate::Counters) counts.
    ///
    /// Waits for room if the config's `outbox.overflow` is `wait`, except in the callback of
    /// [`Builder::run`](crate::Builder::run), which would wait for itself.
    ///
    /// # Errors
    /// [`SendError`] gives the message back.
    pub fn send(&self, message: impl Into<Outgoing>) -> Result<Seq, SendError> {
        self.offer(
            message.into(),
            if self.control.waits() { Patience::Endless } else { Patience::None },
        )
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
        let mut core = self.shared().lock();
        loop {
            let error = match self.control.offer(&mut core, message) {
                Ok(seq) => return Ok(seq),
                Err(error) => error,
            };
            if error.refusal != Refusal::Full || core.driver == Some(thread::current().id()) {
                return Err(error);
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
            core = core.wait(deadline).0;
        }
    }

    /// Waits until the connection is open.
    ///
    /// # Errors
    /// [`NotOpen`] when it is closed, or not open in time.
    pub fn wait_open(&self, timeout: Duration) -> Result<(), NotOpen> {
        let deadline = Instant::now().checked_add(timeout);
        let mut core = self.shared().lock();
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
            core = core.wait(deadline).0;
        }
    }

    /// Waits for the end.
    pub(super) fn wait_closed(&self) -> Closed {
        let mut core = self.shared().lock();
        loop {
            if let Some(closed) = &core.closed {
                return closed.clone();
            }
            core = core.wait(None).0;
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        self.control.shared()
    }
}

impl Deref for Handle {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("state", &self.state()).finish_non_exhaustive()
    }
}
