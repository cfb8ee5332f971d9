//! The loop of a thread: a turn, and sleep in the poller when there was nothing to do.

use std::io;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread;
use std::time::{Duration, Instant as StdInstant};

use perennial_core::{Closed, Instant};
use polling::{Events, Poller};

use super::connect::Sockets;
use crate::engine::{Engine, Sink, Turn};

/// Drives one connection.
pub(super) struct Driver<S> {
    engine: Engine<Sockets, S>,
    poller: Arc<Poller>,
    readiness: Events,
}

/// Ends the poller's wait, even if it has not begun yet.
struct Call(Arc<Poller>);

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        // It fails only if the kernel has no memory left, and then the next one may get through.
        let _ = self.0.notify();
    }
}

impl<S: Sink> Driver<S> {
    pub(super) fn new(engine: Engine<Sockets, S>, poller: Arc<Poller>) -> Self {
        Self { engine, poller, readiness: Events::new() }
    }

    /// Drives the connection to its end.
    pub(super) fn run(mut self) -> Closed {
        let span = self.engine.span();
        let _entered = span.enter();
        self.engine.shared().lock().driver = Some(thread::current().id());
        let waker = Waker::from(Arc::new(Call(Arc::clone(&self.poller))));
        loop {
            match self.engine.turn(&waker) {
                Turn::Busy => {}
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
        if !self.engine.watch() {
            return Ok(());
        }
        let dial_deadline = self.engine.dial_deadline();
        let dial_left = dial_deadline.map(|at| at.saturating_duration_since(StdInstant::now()));
        let timeout: Option<Duration> =
            until.map(|at| at.since(now)).into_iter().chain(dial_left).min();
        self.readiness.clear();
        self.poller.wait(&mut self.readiness, timeout)?;
        for event in self.readiness.iter() {
            let key = self.engine.link().map(|link| link.socket().key());
            match self.engine.link() {
                Some(link) if key == Some(event.key) => link.fired(event.readable, event.writable),
                _ => self.engine.look_at_dial(),
            }
        }
        if dial_deadline.is_some_and(|at| at <= StdInstant::now()) {
            self.engine.look_at_dial();
        }
        Ok(())
    }
}
