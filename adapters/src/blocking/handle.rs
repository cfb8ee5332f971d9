//! The sending half, and every command.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use perennial_core::{Closed, Outgoing, Seq, State};

use super::seat::Seat;
use crate::engine::{Access, Control, Shared};
use crate::error::{NotOpen, Refusal, SendError};

/// Sends and commands. Cheap to clone, and to be used from any thread.
///
/// Every method of [`Control`] is its method too.
#[derive(Clone)]
pub struct Handle {
    control: Control,
    who: Who,
}

/// Who drives the connection.
#[derive(Clone)]
pub(super) enum Who {
    /// Always this thread.
    Thread(ThreadId),
    /// Whoever has taken it from here.
    Seat(Arc<Seat>),
}

/// After so many messages a sender writes what waits, where that is left to it.
const LOAD: u32 = 512;

/// How long a sender waits for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    None,
    Until(Instant),
    Endless,
}

impl Handle {
    pub(super) fn new(control: Control, who: Who) -> Self {
        Self { control, who }
    }

    /// Sends a message: accepted, it will end in exactly one of the outcomes that
    /// [`Counters`](crate::Counters) counts.
    ///
    /// Waits for room if the config's `outbox.overflow` is `wait`, except in the callback of
    /// [`Builder::run`](crate::Builder::run), which would wait for itself.
    ///
    /// Whoever sends without pause also writes, now and then, so that a subscriber of `tracing` or a
    /// recorder of metrics may be called on this thread.
    ///
    /// # Errors
    /// [`SendError`] gives the message back.
    pub fn send(&self, message: impl Into<Outgoing>) -> Result<Seq, SendError> {
        self.offer(message.into(), self.patience())
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

    /// Sends a message, without ever waiting.
    ///
    /// # Errors
    /// [`SendError`] gives the message back.
    pub fn try_send(&self, message: impl Into<Outgoing>) -> Result<Seq, SendError> {
        self.offer(message.into(), Patience::None)
    }

    /// How long a sender waits that has not said so.
    pub(super) fn patience(&self) -> Patience {
        if self.control.waits() { Patience::Endless } else { Patience::None }
    }

    fn offer(&self, mut message: Outgoing, patience: Patience) -> Result<Seq, SendError> {
        let (mut tried, mut may_unload) = (false, true);
        let mut core = self.shared().lock();
        loop {
            let error = match self.control.offer(&mut core, message) {
                Ok(seq) => {
                    self.release(core);
                    if self.shared().sends().is_multiple_of(LOAD) {
                        self.unload();
                    }
                    return Ok(seq);
                }
                Err(error) => error,
            };
            // Nobody is told of room ahead.
            if error.refusal != Refusal::Full || error.message.ahead || self.is_driver() {
                return Err(error);
            }
            let deadline = match patience {
                // What others take of the room that is made here must not keep one for ever.
                Patience::Until(deadline) if tried && deadline <= Instant::now() => {
                    return Err(SendError { refusal: Refusal::Timeout, ..error });
                }
                Patience::Until(deadline) => Some(deadline),
                Patience::None | Patience::Endless => None,
            };
            tried = true;
            if may_unload {
                message = error.message;
                drop(core);
                may_unload = self.unload();
                core = self.shared().lock();
                continue;
            }
            if patience == Patience::None {
                return Err(error);
            }
            message = error.message;
            core = self.await_room(core, deadline);
            may_unload = true;
        }
    }

    /// Waits until the connection is open.
    ///
    /// # Errors
    /// [`NotOpen`] when it is closed, or not open in time. On the thread that drives the connection,
    /// in a listener, the callback of [`Builder::run`](crate::Builder::run) or any hook but that of the
    /// request, it would wait for itself: if it is not open already, it is [`NotOpen::Timeout`] at once.
    /// The hook of the request has a thread of its own, and is what the opening waits for: there it waits
    /// in vain, until the dial has taken too long.
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
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) || self.is_driver() {
                return Err(NotOpen::Timeout);
            }
            core = self.await_change(core, deadline);
        }
    }

    /// Waits for the end.
    pub(super) fn wait_closed(&self) -> Closed {
        let mut core = self.shared().lock();
        loop {
            if let Some(closed) = &core.closed {
                return closed.clone();
            }
            core = self.await_change(core, None);
        }
    }

    /// The caller has fetched enough for reading and sending to go on.
    pub(super) fn resume(&self) {
        let mut core = self.shared().lock();
        core.resume();
        self.release_to(core, Seat::take_over);
    }

    /// Releases the core after a send, and has what is to be done about it done.
    pub(super) fn release(&self, core: Access<'_>) {
        self.release_to(core, Seat::help);
    }

    /// Releases the core, and has what is to be done done by `help`, or else by the driver.
    fn release_to(&self, mut core: Access<'_>, help: impl FnOnce(&Arc<Seat>) -> bool) {
        let Some(driver) = core.take_call() else { return };
        drop(core);
        if !self.seat().is_some_and(help) {
            driver.wake();
        }
    }

    /// Writes what waits, if that is left to those who send.
    fn unload(&self) -> bool {
        self.seat().is_some_and(Seat::unload)
    }

    /// Waits for room, or whatever else has changed.
    pub(super) fn await_room<'a>(&self, core: Access<'a>, deadline: Option<Instant>) -> Access<'a> {
        let wait = || core.wait(deadline).0;
        match self.seat() {
            Some(seat) => seat.stand_aside(wait),
            None => wait(),
        }
    }

    /// Waits until something has changed. Who waits for that does not drive.
    pub(super) fn await_change<'a>(
        &self,
        core: Access<'a>,
        deadline: Option<Instant>,
    ) -> Access<'a> {
        if let Some(seat) = self.seat() {
            seat.leave_to_thread();
        }
        core.wait(deadline).0
    }

    /// Whether this thread is the one that must never wait for the driver, because it is the driver.
    pub(super) fn is_driver(&self) -> bool {
        match &self.who {
            Who::Thread(driver) => *driver == thread::current().id(),
            Who::Seat(seat) => seat.is_driven_here(),
        }
    }

    /// Who drives, if that changes.
    pub(super) fn seat(&self) -> Option<&Arc<Seat>> {
        match &self.who {
            Who::Thread(_) => None,
            Who::Seat(seat) => Some(seat),
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        self.control.shared()
    }

    pub(super) fn control(&self) -> &Control {
        &self.control
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
