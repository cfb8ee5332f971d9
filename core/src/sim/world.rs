//! Connections, a network and a server, in virtual time.

use alloc::vec::Vec;
use core::fmt;

use super::application::{Application, Hands, Idle};
use super::choices::Choices;
use super::client::{Client, Happening};
use super::driver::{Driver, Stats};
use super::queue::{Queue, comes};
use super::server::{Order, Server};
use super::weather::{Fault, Weather};
use super::{Log, Violation, violation};
use crate::config::{Config, HeartbeatStyle};
use crate::dialect::{BuiltIn, Dialect};
use crate::event::Event;
use crate::notice::ReadyState;
use crate::rng::splitmix64;
use crate::time::{Duration, Instant};

/// Where the world's clock stands at the start, so that a client's may be set back.
const START: Instant = Instant::from_millis(100_000_000);

/// Any number of connections and one server, with a network in between that behaves as its
/// [`Weather`] says.
///
/// Everything that happens follows from the seed and from what was done to the world, bit for bit,
/// on every platform. Every invariant is checked after every event.
///
/// ```
/// use perennial_core::sim::{Echo, Weather, World};
/// use perennial_core::{Config, Duration};
///
/// let config = Config::default();
/// let mut world = World::new(7, Echo::new(&config.dialect));
/// world.connect(config);
/// // Ten minutes in bad weather, then an hour in which all must come to rest.
/// world.set_weather(Weather::storm(Duration::from_secs(20)));
/// for _ in 0..60 {
///     world.run_for(Duration::from_secs(10))?;
///     world.act(0, |hands| hands.send("hello").map(|_| ()).unwrap_or_default());
/// }
/// world.settle()?;
/// # Ok::<(), perennial_core::sim::Failure>(())
/// ```
#[derive(Clone, Debug)]
pub struct World<S, A = Idle, D = BuiltIn> {
    pub(super) seed: u64,
    pub(super) now: Instant,
    steps: u64,
    pub(super) clients: Vec<Client<D>>,
    pub(super) server: S,
    pub(super) application: A,
    pub(super) weather: Weather,
    pub(super) queue: Queue,
    log: Log,
    /// Faults are over.
    pub(super) settling: bool,
    /// One source for each purpose, so that a draw for one shifts nothing for the others.
    pub(super) network: Choices<'static>,
    pub(super) faults: Choices<'static>,
    pub(super) servers: Choices<'static>,
    pub(super) applications: Choices<'static>,
    /// Emptied at once; kept for their room.
    pub(super) orders: Vec<Order>,
    pub(super) wakes: Vec<Duration>,
}

/// A broken promise, and where in the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The world's seed.
    pub seed: u64,
    /// How many steps had been taken.
    pub step: u64,
    /// Whose connection.
    pub client: usize,
    /// What.
    pub violation: Violation,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, step, client, violation } = self;
        write!(f, "seed {seed}, step {step}, client {client}: {violation}")
    }
}

impl core::error::Error for Failure {}

/// How a connection came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Open, with an empty outbox.
    Open,
    /// Closed, as asked or by a limit of its config.
    Closed,
}

impl<S: Server> World<S> {
    /// A world without clients, in calm weather, whose application does nothing.
    #[must_use]
    pub fn new(seed: u64, server: S) -> Self {
        Self::with_application(seed, server, Idle)
    }
}

impl<S: Server, A: Application<BuiltIn>> World<S, A> {
    /// Adds a client with the dialect that its config names. Returns its number, from 0.
    pub fn connect(&mut self, config: Config) -> usize {
        let dialect = BuiltIn::new(&config.dialect);
        self.connect_with(config, dialect)
    }
}

impl<S, A, D> World<S, A, D>
where
    S: Server,
    A: Application<D>,
    D: Dialect + Clone + PartialEq,
{
    /// A world without clients, in calm weather.
    #[must_use]
    pub fn with_application(seed: u64, server: S, application: A) -> Self {
        let choices = |purpose: u64| Choices::from_seed(splitmix64(seed ^ purpose << 56).1);
        Self {
            seed,
            now: START,
            steps: 0,
            clients: Vec::new(),
            server,
            application,
            weather: Weather::CALM,
            queue: Queue::default(),
            log: Log::Off,
            settling: false,
            network: choices(1),
            faults: choices(2),
            servers: choices(3),
            applications: choices(4),
            orders: Vec::new(),
            wakes: Vec::new(),
        }
    }

    /// Adds a client with a dialect of its own. Returns its number, from 0.
    pub fn connect_with(&mut self, config: Config, dialect: D) -> usize {
        let client = self.clients.len();
        let (_, seed) = splitmix64(self.seed.wrapping_add(client as u64));
        self.adopt(Driver::new(config, dialect, seed, self.now))
    }

    /// Adds a client whose driver is under way. Returns its number.
    pub(super) fn adopt(&mut self, mut driver: Driver<D>) -> usize {
        let client = self.clients.len();
        if self.log != Log::Off {
            driver.keep(self.log.clone());
        }
        self.clients.push(Client::new(driver));
        self.act(client, |_| ());
        self.join(client);
        let mut hands = Hands {
            client,
            driver: &mut self.clients[client].driver,
            wakes: &mut self.wakes,
            choices: &mut self.applications,
            settling: self.settling,
        };
        self.application.started(&mut hands);
        self.drain(client);
        self.next_fault(client);
        client
    }

    /// Lets the world go on from a scenario, whose connection becomes its only client.
    #[must_use]
    pub(super) fn take_over(seed: u64, server: S, application: A, driver: Driver<D>) -> Self {
        let mut world = Self::with_application(seed, server, application);
        world.now = driver.now();
        world.adopt(driver);
        world
    }

    /// Changes the weather from now on.
    pub fn set_weather(&mut self, weather: Weather) {
        let fair = self.weather.every.is_none();
        self.weather = weather;
        if fair {
            (0..self.clients.len()).for_each(|client| self.next_fault(client));
        }
    }

    /// Lets something go wrong after a time.
    pub fn fault_in(&mut self, after: Duration, client: usize, fault: Fault) {
        self.schedule(self.now + after, Happening::Fault { client, fault });
    }

    /// Keeps every client's actions from now on, also of clients to come.
    pub fn keep(&mut self, log: Log) {
        for client in &mut self.clients {
            client.driver.keep(log.clone());
        }
        self.log = log;
    }

    /// Does something in a client's name, as its application would.
    ///
    /// # Panics
    /// If there is no such client.
    pub fn act<T>(&mut self, client: usize, act: impl FnOnce(&mut Hands<'_, D>) -> T) -> T {
        self.clients[client].set_clock(self.now);
        let mut hands = Hands {
            client,
            driver: &mut self.clients[client].driver,
            wakes: &mut self.wakes,
            choices: &mut self.applications,
            settling: self.settling,
        };
        let answer = act(&mut hands);
        self.drain(client);
        answer
    }

    /// The world's time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// How many steps were taken.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &S {
        &self.server
    }

    /// The application.
    #[must_use]
    pub fn application(&self) -> &A {
        &self.application
    }

    /// How many clients there are.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// A client's driver, with its connection.
    ///
    /// # Panics
    /// If there is no such client.
    #[must_use]
    pub fn driver(&self, client: usize) -> &Driver<D> {
        &self.clients[client].driver
    }

    /// What was met so far, by all clients together.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        self.clients.iter().for_each(|client| stats.add(client.driver.stats()));
        stats
    }

    /// Whether every connection is closed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.clients.iter().all(Client::is_closed)
    }

    /// Lets one thing happen. Says whether there was one.
    ///
    /// # Errors
    /// The first promise that is broken.
    pub fn step(&mut self) -> Result<bool, Failure> {
        let Some((at, what)) = self.queue.pop() else { return Ok(false) };
        self.steps += 1;
        self.now = self.now.max(at);
        let client = what.client();
        self.happen(what);
        if let Some(client) = client
            && self.clients[client].driver.checked().is_broken()
        {
            let verdict = self.clients[client].driver.check();
            return verdict.map(|()| true).map_err(|violation| self.failure(client, violation));
        }
        Ok(true)
    }

    /// Lets so many things happen, or as many as there are.
    ///
    /// # Errors
    /// The first promise that is broken.
    pub fn run(&mut self, steps: u64) -> Result<(), Failure> {
        for _ in 0..steps {
            if !self.step()? {
                break;
            }
        }
        Ok(())
    }

    /// Lets happen what happens within this time.
    ///
    /// # Errors
    /// The first promise that is broken.
    pub fn run_for(&mut self, time: Duration) -> Result<(), Failure> {
        let until = self.now + time;
        while self.queue.next().is_some_and(|next| next <= until) {
            self.step()?;
        }
        self.now = until;
        Ok(())
    }

    /// Ends the faults, and lets every connection come to rest: open, with an empty outbox
    /// (invariant 37). The application is not woken any more. What the faults left behind is left
    /// to the connection to find out; only a half-open link that no heartbeat finds out is reset:
    /// one that can still be heard, or is not watched. Returns how each came to rest; a connection
    /// may be closed that its config limits, or whose transport cannot ping though it must.
    ///
    /// A server that refuses, keeps silent or never acknowledges is a fault that only you can end:
    /// do so before.
    ///
    /// # Errors
    /// The first promise that is broken; 37 if a connection is not at rest within the time that
    /// its config's limits add up to, or closes without cause.
    pub fn settle(&mut self) -> Result<Vec<Rest>, Failure> {
        self.weather = Weather { browser: self.weather.browser, ..Weather::CALM };
        self.settling = true;
        let mut rests: Vec<Option<Rest>> = Vec::new();
        let mut may_close = Vec::new();
        let mut until = Vec::new();
        for client in 0..self.clients.len() {
            let status = self.clients[client].driver.status();
            let config = self.clients[client].driver.config().clone();
            // What the faults have spoilt may cost the transport at hand, and with it the last
            // attempt.
            let retries = self.clients[client].driver.checked().connection().schedule.retries();
            let last = config.retry.max_attempts.is_some_and(|most| status.attempt >= most)
                || config.retry.max_retries.is_some_and(|most| retries >= most);
            let leaving = matches!(status.phase, "closing" | "closed")
                || status.ready_state == ReadyState::Closing;
            let first = config.connect.fail_fast && status.counters.reconnects == 0;
            let unable = self.weather.browser > 0 && !config.dialect.has_heartbeat();
            let limited = last || first || config.retry.max_outage.is_some();
            may_close.push(leaving || limited || unable);
            // A clock that was set back stands still until it has caught up.
            let held = self.clients[client].held(self.now);
            until.push(self.now + held.saturating_add(bound(&config)));
            rests.push(None);
            self.clear_up(client);
            if status.phase == "idle" {
                self.feed(client, Event::Reconnect);
            }
            // Nobody is woken any more who might have done so later.
            if let Some(transport) = status.transport.filter(|_| status.held) {
                self.feed(client, Event::Release { transport });
            }
        }
        loop {
            for client in 0..self.clients.len() {
                if rests[client].is_some() {
                    continue;
                }
                let of = &self.clients[client];
                if of.is_closed() {
                    if !may_close[client] {
                        return Err(self.restless(client, "closed without cause"));
                    }
                    rests[client] = Some(Rest::Closed);
                } else if of.is_at_rest() {
                    rests[client] = Some(Rest::Open);
                } else if self.now > until[client] {
                    return Err(self.restless(client, "not at rest in time"));
                }
            }
            if rests.iter().all(Option::is_some) {
                return Ok(rests.into_iter().flatten().collect());
            }
            if !self.step()? {
                let stuck = rests.iter().position(Option::is_none).unwrap_or(0);
                return Err(self.restless(stuck, "nothing is awaited any more"));
            }
        }
    }

    fn restless(&self, client: usize, what: &str) -> Failure {
        let status = self.clients[client].driver.status();
        let detail = alloc::format!("{what}: {status:?} at {}", self.now);
        self.failure(client, *violation(37, detail))
    }

    fn failure(&self, client: usize, violation: Violation) -> Failure {
        Failure { seed: self.seed, step: self.steps, client, violation }
    }

    pub(super) fn schedule(&mut self, at: Instant, what: Happening) {
        if comes(at) {
            self.queue.push(at, what);
        }
    }
}

/// How long a connection may take to come to rest once nothing goes wrong any more: until what the
/// faults left behind is found out, one wait, one dial, and every message's acknowledgement.
pub(super) fn bound(config: &Config) -> Duration {
    let heartbeat = &config.heartbeat;
    let silence = match heartbeat.style {
        HeartbeatStyle::Off => Duration::ZERO,
        HeartbeatStyle::Protocol
        | HeartbeatStyle::Application
        | HeartbeatStyle::Both
        | HeartbeatStyle::Server => {
            heartbeat.interval * (heartbeat.misses + 1) + heartbeat.deadline
        }
    };
    let messages = u32::try_from(config.outbox.max_messages).unwrap_or(u32::MAX);
    silence
        .saturating_add(config.clock.probe_deadline)
        .saturating_add(config.connect.dial_timeout * 2)
        .saturating_add(config.retry.cap * 2)
        .saturating_add(config.retry.max_retry_after)
        .saturating_add(config.close.timeout)
        .saturating_add(config.opening.timeout)
        .saturating_add(config.close.drain)
        .saturating_add(config.outbox.ack_timeout.saturating_mul(messages.saturating_add(2)))
        .saturating_add(Duration::from_secs(1))
}
