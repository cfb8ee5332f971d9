//! A driver in virtual time: a checked connection, its clock, and what came out of it.

use alloc::vec::Vec;

use super::log::Log;
use super::{Checked, Violation};
use crate::action::Action;
use crate::config::Config;
use crate::dialect::Dialect;
use crate::error::{Accepted, Rejected};
use crate::event::Event;
use crate::notice::{Notice, State, Warning};
use crate::status::Status;
use crate::time::Instant;

/// More actions than any one event may cause.
const TOO_MANY: usize = 1 << 20;

/// What a run met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events handled.
    pub events: u64,
    /// Actions taken, the waits included.
    pub actions: u64,
    /// Dials.
    pub dials: u64,
    /// Times open.
    pub opened: u64,
    /// Frames written.
    pub writes: u64,
    /// Transports found dead.
    pub dead: u64,
    /// Clock jumps.
    pub jumps: u64,
    /// Messages that ended without a confirmed delivery.
    pub undelivered: u64,
    /// Messages flushed.
    pub flushed: u64,
    /// Messages acknowledged.
    pub acknowledged: u64,
    /// Messages received.
    pub messages: u64,
    /// Duplicates.
    pub duplicates: u64,
    /// Events refused.
    pub rejected: u64,
    /// Outages suspended.
    pub suspended: u64,
    /// Round trips measured.
    pub pongs: u64,
    /// Closed notices.
    pub closed: u64,
}

impl Stats {
    /// Adds another run's.
    pub fn add(&mut self, other: &Stats) {
        self.change(other, |own, other| *own += other);
    }

    /// What was met since the same run had met this, which is no more in anything.
    #[must_use]
    pub fn since(mut self, earlier: &Stats) -> Stats {
        self.change(earlier, |own, earlier| *own = own.saturating_sub(earlier));
        self
    }

    fn change(&mut self, other: &Stats, change: impl Fn(&mut u64, u64)) {
        let Stats {
            events,
            actions,
            dials,
            opened,
            writes,
            dead,
            jumps,
            undelivered,
            flushed,
            acknowledged,
            messages,
            duplicates,
            rejected,
            suspended,
            pongs,
            closed,
        } = other;
        change(&mut self.events, *events);
        change(&mut self.actions, *actions);
        change(&mut self.dials, *dials);
        change(&mut self.opened, *opened);
        change(&mut self.writes, *writes);
        change(&mut self.dead, *dead);
        change(&mut self.jumps, *jumps);
        change(&mut self.undelivered, *undelivered);
        change(&mut self.flushed, *flushed);
        change(&mut self.acknowledged, *acknowledged);
        change(&mut self.messages, *messages);
        change(&mut self.duplicates, *duplicates);
        change(&mut self.rejected, *rejected);
        change(&mut self.suspended, *suspended);
        change(&mut self.pongs, *pongs);
        change(&mut self.closed, *closed);
    }

    fn told(&mut self, notice: &Notice) {
        match notice {
            Notice::StateChanged { to, .. } => self.opened += u64::from(*to == State::Open),
            Notice::Suspended { .. } => self.suspended += 1,
            Notice::Message(_) => self.messages += 1,
            Notice::Duplicate { .. } => self.duplicates += 1,
            Notice::Flushed { .. } => self.flushed += 1,
            Notice::Acknowledged { .. } => self.acknowledged += 1,
            Notice::Undelivered { .. } => self.undelivered += 1,
            Notice::Pong { .. } => self.pongs += 1,
            Notice::Dead { .. } => self.dead += 1,
            Notice::Warning(Warning::ClockJump { .. }) => self.jumps += 1,
            Notice::Closed(_) => self.closed += 1,
            Notice::Dialing { .. }
            | Notice::Retrying { .. }
            | Notice::Writable
            | Notice::Warning(
                Warning::IgnoredAck { .. }
                | Warning::Unreadable { .. }
                | Warning::ClockBackwards { .. },
            ) => {}
        }
    }
}

/// Something that a driver does with a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Touch {
    /// It tells an event, at this time.
    Handle(Instant, Event),
    /// It takes an action.
    Poll,
}

/// A connection under the checker, with a clock of its own.
///
/// It decides nothing about the network: [`World`](super::World) and
/// [`Scenario`](super::Scenario) do, each in its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Driver<D> {
    connection: Checked<D>,
    now: Instant,
    deadline: Option<Instant>,
    stats: Stats,
    log: Log,
    /// Everything that was done with the connection, if that is to be kept.
    tape: Option<Vec<Touch>>,
}

impl<D: Dialect + Clone + PartialEq> Driver<D> {
    /// A driver whose clock shows `now`, with a connection that has just been made.
    #[must_use]
    pub fn new(config: Config, dialect: D, seed: u64, now: Instant) -> Self {
        let connection = Checked::new(config, dialect, seed, now);
        let (stats, log) = (Stats::default(), Log::default());
        Self { connection, now, deadline: None, stats, log, tape: None }
    }

    /// Plants a fault in the connection.
    #[cfg(perennial_planted)]
    pub fn plant(&mut self, fault: crate::planted::Fault) {
        self.connection.plant(fault);
    }

    /// Keeps everything that is done with the connection from now on.
    pub fn keep_tape(&mut self) {
        self.tape = Some(Vec::new());
    }

    /// What was done with the connection since it was to be kept.
    #[must_use]
    pub fn into_tape(self) -> Vec<Touch> {
        self.tape.unwrap_or_default()
    }

    /// Keeps the actions from now on, as [`log`](Self::log) says.
    pub fn keep(&mut self, log: Log) {
        self.log = log;
    }

    /// What was kept of the actions.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// What the driver's clock shows.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Sets the driver's clock, forwards or backwards.
    pub fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// What the last [`Action::Wait`] said.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// What was met so far.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The connection, under its checker.
    #[must_use]
    pub fn checked(&self) -> &Checked<D> {
        &self.connection
    }

    /// The connection's configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.connection.connection().config()
    }

    /// The connection's status. It is put together anew at each call.
    #[must_use]
    pub fn status(&self) -> Status {
        self.connection.connection().status()
    }

    /// Whether every invariant held so far.
    ///
    /// # Errors
    /// The first violation.
    pub fn check(&self) -> Result<(), Violation> {
        self.connection.check()
    }

    /// Gives the connection an event, at the time that the driver's clock shows.
    ///
    /// # Errors
    /// Those of [`Connection::handle`](crate::Connection::handle).
    #[inline]
    pub fn handle(&mut self, event: Event) -> Result<Accepted, Rejected> {
        self.stats.events += 1;
        if let Some(tape) = &mut self.tape {
            tape.push(Touch::Handle(self.now, event.clone()));
        }
        let result = self.connection.handle(self.now, event);
        self.stats.rejected += u64::from(result.is_err());
        result
    }

    /// Takes one action.
    #[inline]
    pub fn poll(&mut self) -> Action {
        let action = self.connection.poll();
        if let Some(tape) = &mut self.tape {
            tape.push(Touch::Poll);
        }
        self.stats.actions += 1;
        match &action {
            Action::Dial { .. } => self.stats.dials += 1,
            Action::Write { .. } => self.stats.writes += 1,
            Action::Wait { until, .. } => self.deadline = *until,
            Action::Notify(notice) => self.stats.told(notice),
            Action::Abort { .. } => {}
        }
        self.log.take(self.now, &action);
        action
    }

    /// Takes actions until there are none, and returns them without the last one, the wait.
    ///
    /// # Panics
    /// If there is no end of them.
    pub fn drain(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        for _ in 0..TOO_MANY {
            match self.poll() {
                Action::Wait { .. } => return actions,
                action @ (Action::Dial { .. }
                | Action::Write { .. }
                | Action::Abort { .. }
                | Action::Notify(_)) => actions.push(action),
            }
        }
        panic!("poll does not come to an end");
    }
}
