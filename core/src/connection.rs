//! The state machine's door.

use crate::action::Action;
use crate::config::Config;
use crate::dialect::Dialect;
use crate::error::{Accepted, Rejected};
use crate::event::Event;
use crate::notice::{ReadyState, State};
use crate::status::{Counters, Status};
use crate::time::Instant;

/// A WebSocket connection as a pure state machine.
#[derive(Clone, Debug)]
pub struct Connection<D> {
    config: Config,
    dialect: D,
    now: Instant,
}

impl<D: Dialect> Connection<D> {
    /// Makes a connection.
    #[must_use]
    pub fn new(config: Config, dialect: D, seed: u64, now: Instant) -> Self {
        let _ = seed;
        Self { config, dialect, now }
    }

    /// Takes an event.
    ///
    /// # Errors
    /// [`Rejected`] gives the event back.
    pub fn handle(&mut self, now: Instant, event: Event) -> Result<Accepted, Rejected> {
        self.now = now;
        let _ = (event, self.dialect.has_heartbeat());
        Ok(Accepted::Done)
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Action {
        Action::Wait { until: None, why: None }
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        State::Connecting
    }

    /// The state as a browser would name it.
    #[must_use]
    pub fn ready_state(&self) -> ReadyState {
        ReadyState::Connecting
    }

    /// The checked configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The counts.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        unreachable!()
    }

    /// A snapshot.
    #[must_use]
    pub fn status(&self) -> Status {
        unreachable!()
    }
}
