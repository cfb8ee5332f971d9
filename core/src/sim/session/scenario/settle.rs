//! The rest after the storm, for a session.

use alloc::format;

use super::super::step::{Saying, SessionStep};
use super::{Hand, SessionScenario};
use crate::config::{Config, HeartbeatStyle};
use crate::event::Event;
use crate::phase::Phase;
use crate::sim::world::bound;
use crate::sim::{Clock, Inbound, Rest, Step, Violation, Whom, violation};
use crate::time::Duration;

/// More than any rest takes.
const TOO_MANY: usize = 20_000;

/// So many of the last requests are answered again and again: as many as may be in flight, and more.
const ANSWERED: u8 = 32;

impl SessionScenario {
    /// Hands the session over to a peer and an application that do everything right, with which it
    /// must come to rest (invariant 52): open, with the queue released and empty, everything
    /// subscribed, and every request ended; or closed, with nothing left.
    ///
    /// # Errors
    /// The first invariant that is violated.
    pub fn settle(mut self) -> Result<Rest, Violation> {
        self.lazy = false;
        let now = self.base.latest.max(self.now());
        self.base.driver.set_now(now);
        self.handle(Event::ResumeReads);
        self.drain()?;
        // They may cost one transport after another.
        for id in core::mem::take(&mut self.large) {
            self.session.unsubscribe(&mut Hand(&mut self.base), now, id);
        }
        self.drain()?;
        let config = self.base.driver.config().clone();
        let until = now + bound(&config).saturating_add(SessionScenario::patience());
        for _ in 0..TOO_MANY {
            if let Some(rest) = self.rests() {
                self.check()?;
                return Ok(rest);
            }
            if self.now() > until {
                break;
            }
            self.serve(&config)?;
        }
        let (status, session) = (self.base.driver.status(), self.session.status());
        Err(*violation(52, format!("not at rest at {}: {session:?}, {status:?}", self.now())))
    }

    /// More than any request or subscription of a setup takes.
    fn patience() -> Duration {
        Duration::from_millis(4 * 256)
    }

    fn rests(&self) -> Option<Rest> {
        let connection = self.base.driver.checked().connection();
        let (status, idle) = (self.session.status(), connection.outbox.is_empty());
        let ended = status.requests == 0 && status.unconfirmed == 0;
        match connection.phase {
            Phase::Closed => (ended && self.looks.is_empty()).then_some(Rest::Closed),
            Phase::Open => (ended && idle && !connection.is_held()).then_some(Rest::Open),
            Phase::Idle | Phase::Waiting | Phase::Dialing | Phase::Closing(_) => None,
        }
    }

    /// Does the next thing that is to be done, or lets time pass.
    fn serve(&mut self, config: &Config) -> Result<(), Violation> {
        const WE: Whom = Whom::Current;
        let phase = self.base.driver.checked().connection().phase.clone();
        let asked = self.login.is_some() || !self.looks.is_empty() || self.queue.is_some();
        let mut did = true;
        match phase {
            Phase::Idle => self.handle(Event::Reconnect),
            Phase::Closing(_) => self.connection_step(Step::Ended(WE)),
            Phase::Closed if asked => self.oblige(),
            Phase::Waiting | Phase::Closed => did = false,
            Phase::Dialing => self.oblige(),
            Phase::Open if asked => self.oblige(),
            Phase::Open if self.flushed < self.base.written => {
                self.connection_step(Step::Flushed(WE, 0));
                self.drain()?;
                self.connection_step(Step::Buffered(WE, 0));
                for inbound in [Inbound::Pong(0), Inbound::DialectPong, Inbound::Ack(0, true)] {
                    self.drain()?;
                    self.connection_step(Step::Receive(WE, inbound));
                }
            }
            Phase::Open => did = self.reply()?,
        }
        self.drain()?;
        if did { Ok(()) } else { self.wait(config) }
    }

    /// Answers what was asked. Says whether there was anything.
    fn reply(&mut self) -> Result<bool, Violation> {
        let status = self.session.status();
        if status.unconfirmed > 0 {
            for key in 1..4 {
                self.step(SessionStep::Hear(Saying::Confirm(key)))?;
            }
        }
        // Those that are still to be sent will be answered by their time.
        let mut left = status.requests;
        for but in 0..ANSWERED {
            if self.session.status().requests == 0 {
                break;
            }
            self.step(SessionStep::Hear(Saying::Answer(but, false)))?;
            left = left.min(self.session.status().requests);
        }
        let now = self.session.status();
        Ok(now.unconfirmed < status.unconfirmed || left < status.requests)
    }

    /// Lets time pass; not so long that the peer is missed, who has something to say now and then.
    fn wait(&mut self, config: &Config) -> Result<(), Violation> {
        let heartbeat = &config.heartbeat;
        let silence = match heartbeat.style {
            HeartbeatStyle::Server => heartbeat.interval.min(heartbeat.deadline) / 2,
            HeartbeatStyle::Protocol
            | HeartbeatStyle::Application
            | HeartbeatStyle::Both
            | HeartbeatStyle::Off => Duration::MAX,
        };
        let silence = silence.min(heartbeat.stale_after.unwrap_or(Duration::MAX) / 2);
        let next = self.now() + silence;
        if self.deadline.is_none_or(|deadline| deadline > next) {
            self.base.driver.set_now(next);
            self.handle(Event::Tick);
            return self.step(SessionStep::Hear(Saying::News(0)));
        }
        self.connection_step(Step::Tick(Clock::Deadline));
        self.drain()
    }
}
