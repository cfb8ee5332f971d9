//! What drives one connection: an engine that takes turns, and a poller to sleep in between them.

use std::io;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread;
use std::time::{Duration, Instant as StdInstant};

use mio::{Events, Poll, Token};
use perennial_core::{Closed, Instant};

use super::connect::Sockets;
use crate::engine::{Engine, Parts, Shared, Sink, Turn, Written};

/// Drives one connection, on whichever thread has it.
pub(super) struct Driver<S> {
    engine: Engine<Sockets, S>,
    poll: Poll,
    readiness: Events,
    span: tracing::Span,
}

/// The poller's token for a call; no socket has it.
const CALL: Token = Token(0);
/// How many readiness events are taken at once. There is one socket, and a few while it dials.
const EVENTS: usize = 16;

/// Ends the poller's wait, even if it has not begun yet.
#[derive(Debug)]
pub(super) struct Call(mio::Waker);

impl Call {
    pub(super) fn call(&self) {
        // It fails only if the kernel has no memory left, and then the next one may get through.
        let _ = self.0.wake();
    }
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.call();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.call();
    }
}

/// What ended a sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// A socket, or the time.
    ByEvent,
    /// A call, whatever else.
    ByCall,
}

impl<S: Sink> Driver<S> {
    /// A driver, and what ends its sleep.
    pub(super) fn new(parts: Parts, sink: S) -> io::Result<(Self, Call)> {
        let poll = Poll::new()?;
        let call = Call(mio::Waker::new(poll.registry(), CALL)?);
        let sockets = Sockets::new(poll.registry().try_clone()?, CALL);
        let engine = Engine::new(parts, sockets, sink);
        let span = engine.span();
        Ok((Self { engine, poll, readiness: Events::with_capacity(EVENTS), span }, call))
    }

    /// Drives the connection to its end, on this thread alone.
    pub(super) fn run(mut self, call: Call) -> Closed {
        let waker = Waker::from(Arc::new(call));
        loop {
            match self.turn(&waker) {
                Turn::Busy | Turn::Told => {}
                Turn::Over(closed) => return closed,
                Turn::Idle(now, until) => {
                    if let Err(error) = self.sleep(now, until, None) {
                        return self.fail(&error);
                    }
                }
            }
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        self.engine.shared()
    }

    /// Takes a turn.
    pub(super) fn turn(&mut self, waker: &Waker) -> Turn {
        let _entered = self.span.enter();
        self.engine.turn(waker)
    }

    /// As [`Engine::write_out`].
    pub(super) fn write_out(&mut self) -> Written {
        let _entered = self.span.enter();
        self.engine.write_out()
    }

    /// Has the next turn look whether there is something to read.
    pub(super) fn probe(&mut self) {
        if let Some(link) = self.engine.link() {
            link.probe();
        }
    }

    /// As [`Engine::did_much`].
    pub(super) fn did_much(&self) -> bool {
        self.engine.did_much()
    }

    /// As [`Engine::reads_on`].
    pub(super) fn reads_on(&self) -> bool {
        self.engine.reads_on()
    }

    /// Whether it is about to connect, and so has deadlines of its own.
    pub(super) fn is_dialing(&self) -> bool {
        self.engine.dial_deadline().is_some()
    }

    /// The end, because it cannot sleep.
    pub(super) fn fail(&self, error: &io::Error) -> Closed {
        self.shared().finish_early(&format!("cannot wait for sockets: {error}"))
    }

    /// Waits for readiness: awake first, if an answer is likely to come soon, and then asleep.
    fn await_readiness(&mut self, now: Instant, timeout: Option<Duration>) -> io::Result<()> {
        let Some(awake) = self.engine.busy_poll(now) else {
            return self.poll.poll(&mut self.readiness, timeout);
        };
        let awake = timeout.map_or(awake, |timeout| timeout.min(awake));
        let began = StdInstant::now();
        loop {
            // Others may need this core, the peer among them.
            thread::yield_now();
            self.poll.poll(&mut self.readiness, Some(Duration::ZERO))?;
            if !self.readiness.is_empty() {
                return Ok(());
            }
            let passed = began.elapsed();
            if passed >= awake {
                let left = timeout.map(|timeout| timeout.saturating_sub(passed));
                return self.poll.poll(&mut self.readiness, left);
            }
        }
    }

    /// Sleeps until a socket is ready, a deadline comes, a handle calls or `most` has passed. `now`
    /// is how late it is.
    pub(super) fn sleep(
        &mut self,
        now: Instant,
        until: Option<Instant>,
        most: Option<Duration>,
    ) -> io::Result<Woken> {
        let dial_deadline = self.engine.dial_deadline();
        let dial_left = dial_deadline.map(|at| at.saturating_duration_since(StdInstant::now()));
        let until_left = until.map(|at| at.since(now));
        let timeout = until_left.into_iter().chain(dial_left).chain(most).min();
        let mut woken = Woken::ByEvent;
        match self.await_readiness(now, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(woken),
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
                _ => {
                    if event.token() == CALL {
                        woken = Woken::ByCall;
                    }
                    self.engine.look_at_dial();
                }
            }
        }
        if dial_deadline.is_some_and(|at| at <= StdInstant::now()) {
            self.engine.look_at_dial();
        }
        Ok(woken)
    }
}
