//! The loop of a thread: a turn, and sleep in the poller when there was nothing to do.

use std::io;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread;
use std::time::{Duration, Instant as StdInstant};

use mio::{Events, Poll, Token};
use perennial_core::{Closed, Instant};

use super::connect::Sockets;
use crate::engine::{Engine, Parts, Sink, Turn};

/// Drives one connection.
pub(super) struct Driver<S> {
    engine: Engine<Sockets, S>,
    poll: Poll,
    waker: Waker,
    readiness: Events,
}

/// The poller's token for a call; no socket has it.
const CALL: Token = Token(0);
/// How many readiness events are taken at once. There is one socket, and a few while it dials.
const EVENTS: usize = 16;

/// Ends the poller's wait, even if it has not begun yet.
struct Call(mio::Waker);

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // It fails only if the kernel has no memory left, and then the next one may get through.
        let _ = self.0.wake();
    }
}

impl<S: Sink> Driver<S> {
    pub(super) fn new(parts: Parts, sink: S) -> io::Result<Self> {
        let poll = Poll::new()?;
        let call = mio::Waker::new(poll.registry(), CALL)?;
        let sockets = Sockets::new(poll.registry().try_clone()?, CALL);
        let engine = Engine::new(parts, sockets, sink);
        let waker = Waker::from(Arc::new(Call(call)));
        Ok(Self { engine, poll, waker, readiness: Events::with_capacity(EVENTS) })
    }

    /// Drives the connection to its end.
    pub(super) fn run(mut self) -> Closed {
        let span = self.engine.span();
        let _entered = span.enter();
        self.engine.shared().lock().driver = Some(thread::current().id());
        loop {
            match self.engine.turn(&self.waker) {
                Turn::Busy | Turn::Told => {}
                Turn::Over(closed) => return closed,
                Turn::Idle(now, until) => {
                    if let Err(error) = self.sleep(now, until) {
                        let detail = format!("cannot wait for sockets: {error}");
                        return self.engine.shared().finish_early(&detail);
                    }
                }
            }
        }
    }

    /// Sleeps until a socket is ready, a deadline comes or a handle calls. `now` is how late it is.
    fn sleep(&mut self, now: Instant, until: Option<Instant>) -> io::Result<()> {
        let dial_deadline = self.engine.dial_deadline();
        let dial_left = dial_deadline.map(|at| at.saturating_duration_since(StdInstant::now()));
        let timeout: Option<Duration> =
            until.map(|at| at.since(now)).into_iter().chain(dial_left).min();
        match self.poll.poll(&mut self.readiness, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &self.readiness {
            let readable = event.is_readable() || event.is_read_closed() || event.is_error();
            let writable = event.is_writable() || event.is_write_closed() || event.is_error();
            let token = self.engine.link().map(|link| link.socket().token());
            match self.engine.link() {
                Some(link) if token == Some(event.token()) => {
                    link.socket().note(event);
                    link.fired(readable, writable);
                }
                _ => self.engine.look_at_dial(),
            }
        }
        if dial_deadline.is_some_and(|at| at <= StdInstant::now()) {
            self.engine.look_at_dial();
        }
        Ok(())
    }
}
