//! The loop: sleeps until a socket is ready or a deadline comes, and deals out turns.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use mio::{Events, Poll, Token, Waker};
use perennial_core::{
    Accepted, BuiltIn, ConfigBuilder, ConfigError, Connection, Event, Instant, Notice, Rejected,
};
use slab::Slab;

use super::client::{Client, Next};
use super::clock::Clock;
use super::deadlines::Deadlines;
use super::target::Target;

/// The token of the waker; the others are the connections' keys.
const WAKE: Token = Token(usize::MAX);

/// Any number of connections, driven by whoever calls [`Reactor::turn`].
///
/// A connection is named by its key, which is free for another one once it was removed.
#[derive(Debug)]
pub struct Reactor {
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
    clock: Clock,
    clients: Slab<Client>,
    deadlines: Deadlines,
    /// The connections that wait for a turn, in the order in which they get it.
    ready: VecDeque<usize>,
    notices: VecDeque<(usize, Notice)>,
}

impl Reactor {
    /// A loop without connections.
    ///
    /// # Errors
    /// The operating system has no poller for it.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            waker,
            clock: Clock::start(),
            clients: Slab::new(),
            deadlines: Deadlines::default(),
            ready: VecDeque::new(),
            notices: VecDeque::new(),
        })
    }

    /// The present, as this loop counts it.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Ends a sleep of this loop, from any thread.
    #[must_use]
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Makes a connection and returns its key. It dials in the next turn, unless the config says
    /// otherwise. `seed` starts its random choices: each needs its own, or all return from an outage
    /// in step.
    ///
    /// # Errors
    /// The config breaks a rule.
    pub fn connect(
        &mut self,
        target: Target,
        mut config: ConfigBuilder,
        seed: u64,
    ) -> Result<usize, ConfigError> {
        config.wall_clock_origin_ms = self.clock.origin_unix_ms();
        let client = Client::new(target, config.build()?, seed, self.now());
        let key = self.clients.insert(client);
        self.enqueue(key);
        Ok(key)
    }

    /// The state machine of a connection, for its state, status and counts.
    #[must_use]
    pub fn connection(&self, key: usize) -> Option<&Connection<BuiltIn>> {
        self.clients.get(key).map(|client| &client.core)
    }

    /// Forgets a connection, best after [`Notice::Closed`]. One that lives ends at once.
    pub fn remove(&mut self, key: usize) {
        if self.clients.try_remove(key).is_some() {
            self.deadlines.set(key, None);
            self.ready.retain(|queued| *queued != key);
            self.notices.retain(|(of, _)| *of != key);
        }
    }

    /// Gives a connection an event of the application's, such as [`Event::Send`]. What it leads to
    /// is done in the next turn.
    ///
    /// # Errors
    /// As for [`Connection::handle`]; a connection that was removed is closed.
    pub fn handle(&mut self, key: usize, event: Event) -> Result<Accepted, Rejected> {
        let now = self.now();
        if self.deadlines.is_due(key, now) {
            // Nobody is called dead by a command while its answer lies in the kernel unread.
            self.turn_of(key, now);
        }
        let Some(client) = self.clients.get_mut(key) else {
            return match event {
                Event::Send(message) => Err(Rejected::Closed(message)),
                _ => Ok(Accepted::Stale),
            };
        };
        let notices = &mut self.notices;
        let result = client.command(now, event, &mut |notice| notices.push_back((key, notice)));
        self.enqueue(key);
        result
    }

    /// The next thing that an application is told, and by which connection.
    pub fn next_notice(&mut self) -> Option<(usize, Notice)> {
        self.notices.pop_front()
    }

    /// Sleeps until there is something to do, at most until `until`; then gives every connection
    /// that has something to do one turn. Call it again and again, and take the notices meanwhile.
    ///
    /// # Errors
    /// The poller failed.
    pub fn turn(&mut self, until: Option<Instant>) -> io::Result<()> {
        let now = self.now();
        let idle = self.ready.is_empty() && self.notices.is_empty();
        let until =
            if idle { until.into_iter().chain(self.deadlines.first()).min() } else { Some(now) };
        match self.poll.poll(&mut self.events, until.map(|until| until - now)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.events.clear(),
            result => result?,
        }
        for event in &self.events {
            let Some(client) = self.clients.get_mut(event.token().0) else { continue };
            // An error is found by reading, or by looking at the dial.
            client.fired(
                event.is_readable() || event.is_read_closed() || event.is_error(),
                event.is_writable() || event.is_write_closed() || event.is_error(),
            );
            if !std::mem::replace(&mut client.queued, true) {
                self.ready.push_back(event.token().0);
            }
        }
        let now = self.now();
        while let Some(key) = self.deadlines.pop_due(now) {
            self.enqueue(key);
        }
        for _ in 0..self.ready.len() {
            let Some(key) = self.ready.pop_front() else { break };
            if let Some(client) = self.clients.get_mut(key) {
                client.queued = false;
            }
            self.turn_of(key, self.now());
        }
        Ok(())
    }

    fn turn_of(&mut self, key: usize, now: Instant) {
        let Some(client) = self.clients.get_mut(key) else { return };
        let notices = &mut self.notices;
        let mut tell = |notice| notices.push_back((key, notice));
        match client.turn(now, self.poll.registry(), Token(key), &mut tell) {
            Next::Sleep(until) => self.deadlines.set(key, until),
            Next::Again => self.enqueue(key),
        }
    }

    fn enqueue(&mut self, key: usize) {
        if let Some(client) = self.clients.get_mut(key)
            && !std::mem::replace(&mut client.queued, true)
        {
            self.ready.push_back(key);
        }
    }
}
