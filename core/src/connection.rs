//! The state machine's door: an event comes in, is judged by the phase, and leaves actions behind.
//!
//! What each judgement does lives next door: `lifecycle` (dial, open, lose, retry), `opening` (what
//! is held back, and until when), `closing`, `liveness` (timers and heartbeats), `traffic` (messages both ways).

use alloc::string::ToString;

use crate::action::Action;
use crate::backoff::Schedule;
use crate::config::Config;
use crate::dedupe::Dedupe;
use crate::dialect::Dialect;
use crate::error::{Accepted, Rejected};
use crate::event::{Event, RetryChoice, TransportId};
use crate::frame::Frame;
use crate::heartbeat::Heartbeat;
use crate::notice::{Notice, ReadyState, Reason, State, Warning};
use crate::outbox::Outbox;
use crate::output::Output;
use crate::phase::{Draining, Phase};
use crate::rng::{Rng, Stream};
use crate::status::{Counters, Status};
use crate::time::{Duration, Instant};
use crate::timers::{Timer, Timers};
use crate::transport::Transport;

/// A WebSocket connection as a pure state machine.
///
/// It holds no socket, clock, thread or randomness of its own. A driver feeds it what happened
/// with [`handle`](Self::handle) and does what [`poll`](Self::poll) says until that says
/// [`Action::Wait`]. The same config, seed and events give the same actions, on every platform.
///
/// The [crate's page](crate) shows a complete driver.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection<D> {
    pub(crate) config: Config,
    pub(crate) dialect: D,
    pub(crate) phase: Phase,
    pub(crate) now: Instant,
    pub(crate) timers: Timers,
    pub(crate) output: Output,
    pub(crate) outbox: Outbox,
    pub(crate) dedupe: Dedupe,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) schedule: Schedule,
    /// The live transport: dialling, open, closing, or lingering after the peer's close.
    pub(crate) transport: Option<Transport>,
    /// The last id minted.
    pub(crate) last_transport: u64,
    /// Dials since the counter was last reset.
    pub(crate) attempts: u32,
    pub(crate) was_open: bool,
    /// Since when the connection is down, the first connect included.
    pub(crate) down_since: Instant,
    pub(crate) suspended: bool,
    pub(crate) reads_paused: bool,
    pub(crate) draining: Option<Draining>,
    /// Why the last transport was lost or the last dial failed.
    pub(crate) last_error: Option<Reason>,
}

impl<D: Dialect> Connection<D> {
    /// Makes a connection, which dials at once unless `connect.auto` is off.
    ///
    /// `seed` starts every random choice; give each client another one, or they will all return
    /// from an outage in step. `now` is the driver's present.
    #[must_use]
    pub fn new(config: Config, dialect: D, seed: u64, now: Instant) -> Self {
        let key = Rng::new(seed, Stream::Dedupe).next();
        let auto = config.connect.auto;
        let mut connection = Self {
            dedupe: Dedupe::new(config.inbox.dedupe, key),
            config,
            dialect,
            phase: Phase::Idle,
            now,
            timers: Timers::new(),
            output: Output::new(),
            outbox: Outbox::new(),
            heartbeat: Heartbeat::new(seed),
            schedule: Schedule::new(seed),
            transport: None,
            last_transport: 0,
            attempts: 0,
            was_open: false,
            down_since: now,
            suspended: false,
            reads_paused: false,
            draining: None,
            last_error: None,
        };
        if auto {
            connection.go_down(now);
            connection.dial(now);
        }
        connection
    }

    /// Takes an event that happened at `now`.
    ///
    /// Deadlines that have passed act first, save that what was received is taken before anything
    /// is called dead, or sent again, for want of it. An event of a transport that has passed
    /// changes nothing but a counter.
    ///
    /// # Errors
    /// [`Rejected`] gives back what was refused. Deadlines that had passed have acted all the
    /// same, and `rejected` is counted; nothing else has changed.
    pub fn handle(&mut self, now: Instant, event: Event) -> Result<Accepted, Rejected> {
        if self.output.is_busy() {
            return Err(Rejected::Busy(event));
        }
        let now = self.advance(now);
        self.look_for_jump(now);
        if let Event::Received { transport, .. } | Event::Heard { transport } = &event
            && self.is_live(*transport)
        {
            self.heard(now);
        }
        // So does the retry hook's choice, which answers for a delay that may be all but nothing.
        if let Event::Retry { attempt, choice } = event {
            let taken = self.choose_retry(now, attempt, choice);
            self.fire_due(now);
            self.settle(now);
            return Ok(taken);
        }
        let proof = Self::gives_proof(&event);
        if !proof {
            self.fire_due(now);
        }
        let result = self.dispatch(now, event);
        if proof {
            self.fire_due(now);
        }
        self.settle(now);
        result
    }

    /// Whether a deadline may have been waiting for just this: a pong, data, an acknowledgement.
    /// A close frame proves that bytes came and nothing more.
    fn gives_proof(event: &Event) -> bool {
        matches!(event, Event::Received { frame, .. } if !matches!(frame, Frame::Close(_)))
    }

    fn dispatch(&mut self, now: Instant, event: Event) -> Result<Accepted, Rejected> {
        match event {
            Event::Tick => {
                planted!(self.output, EarlyTickActs => self.postpone_ping(now));
                Ok(Accepted::Done)
            }

            Event::Send(message) => self.send(now, message).inspect_err(|_| {
                self.output.counters.rejected += 1;
                planted!(self.output, RejectionCounts => self.output.counters.accepted += 1);
            }),
            Event::Cancel(seq) => {
                if self.outbox.cancel(seq, &mut self.output) {
                    Ok(Accepted::Done)
                } else {
                    Err(Rejected::NotQueued(seq))
                }
            }
            Event::Purge => {
                self.outbox.purge(&mut self.output);
                Ok(Accepted::Done)
            }
            Event::Reorder(names) => {
                planted!(self.output, OrderIgnored => return Ok(Accepted::Done));
                self.outbox.reorder(&names);
                Ok(Accepted::Done)
            }
            Event::Close(close) => self.close(now, close),
            Event::Drain { timeout, close } => self.drain(now, timeout, close),
            Event::Reconnect => Ok(self.reconnect(now)),
            // Judged before the deadlines: see `handle`.
            Event::Retry { .. } => Ok(Accepted::Done),
            Event::PauseReads => Ok(self.pause_reads()),
            Event::ResumeReads => Ok(self.resume_reads(now)),

            Event::Release { transport } => {
                if !(self.is_current(transport) && self.is_held()) {
                    return Ok(self.stale());
                }
                self.release(now);
                Ok(Accepted::Done)
            }
            Event::Refuse { transport, retry, detail } => {
                if !self.is_open_on(transport) {
                    return Ok(self.stale());
                }
                self.refuse(now, retry, detail);
                Ok(Accepted::Done)
            }

            Event::Opened { transport, capabilities } => {
                let current = self.is_current(transport) || planted!(self.output, StaleOpenActs);
                if current && matches!(self.phase, Phase::Dialing) {
                    self.opened(now, capabilities);
                    return Ok(Accepted::Done);
                }
                planted!(self.output, LateOpenKept => return Ok(self.stale()));
                // Whoever opened it thinks it is wanted. It is not.
                if transport.get() <= self.last_transport && !self.is_current(transport) {
                    self.output.push(Action::Abort { transport });
                }
                Ok(self.stale())
            }
            Event::DialFailed { transport, failure } => {
                if !(self.is_current(transport) && matches!(self.phase, Phase::Dialing)) {
                    return Ok(self.stale());
                }
                self.transport = None;
                self.dial_failed(now, Reason::DialFailed(failure));
                Ok(Accepted::Done)
            }
            Event::Received { transport, frame } => {
                if !self.is_live(transport) {
                    return Ok(self.stale());
                }
                self.received(now, transport, frame);
                Ok(Accepted::Done)
            }
            Event::Heard { transport } => {
                if !self.is_live(transport) {
                    return Ok(self.stale());
                }
                Ok(Accepted::Done)
            }
            Event::Flushed { transport, through } => {
                if !self.is_current(transport) {
                    return Ok(self.stale());
                }
                self.flushed(now, |transport| transport.flushed(through));
                Ok(Accepted::Done)
            }
            Event::Buffered { transport, bytes } => {
                if !self.is_current(transport) {
                    return Ok(self.stale());
                }
                self.flushed(now, |transport| transport.drained_to(bytes));
                Ok(Accepted::Done)
            }
            Event::Violated { transport, violation } => {
                if !self.is_live(transport) {
                    return Ok(self.stale());
                }
                self.violated(now, violation);
                Ok(Accepted::Done)
            }
            Event::Ended { transport, end } => {
                if !self.is_current(transport) && !planted!(self.output, StaleEndActs) {
                    return Ok(self.stale());
                }
                self.ended(now, end);
                Ok(Accepted::Done)
            }
        }
    }

    /// What follows from any event.
    fn settle(&mut self, now: Instant) {
        if self.outbox.is_empty() {
            self.timers.disarm(Timer::Ttl);
            self.timers.disarm(Timer::Ack);
            self.end_drain(now);
        }
        if !matches!(self.phase, Phase::Closed) && self.outbox.take_writable(&self.config) {
            self.output.notify(Notice::Writable);
        }
        // It is asked for at once, and more than once.
        self.timers.settle();
    }

    /// The next thing to do. After [`Action::Wait`] the answer stays the same until the next
    /// [`handle`](Self::handle).
    pub fn poll(&mut self) -> Action {
        if let Some(action) = self.output.pop() {
            return action;
        }
        if let Some(transport) = &mut self.transport
            && transport.capabilities.is_some()
        {
            let id = transport.id;
            if let Some((index, frame)) = transport.next_control() {
                return Action::Write { transport: id, index, frame };
            }
            if matches!(self.phase, Phase::Open)
                && self.outbox.queued() > 0
                && transport.takes_data()
                // After a jump the link may well be dead: what is written now might be lost.
                && (!self.heartbeat.is_probing() || self.reads_paused)
                && let Some((index, frame)) =
                    self.outbox.hand_over(transport, &self.config.outbox, &mut self.output)
            {
                return Action::Write { transport: id, index, frame };
            }
        }
        match self.timers.settle() {
            Some((until, why)) => Action::Wait { until: Some(until), why: Some(why) },
            None => Action::Wait { until: None, why: None },
        }
    }

    /// Holds a clock that goes backwards.
    fn advance(&mut self, now: Instant) -> Instant {
        planted!(self.output, ClockBackwards => self.now = now);
        if now < self.now {
            self.output.counters.clock_backwards += 1;
            // The closed notice is the last.
            if self.phase != Phase::Closed {
                let by = self.now - now;
                self.output.notify(Notice::Warning(Warning::ClockBackwards { by }));
            }
        } else {
            self.now = now;
        }
        self.now
    }

    pub(crate) fn stale(&mut self) -> Accepted {
        self.output.counters.stale_events += 1;
        Accepted::Stale
    }

    /// Whether `id` names the transport that is dialling, open, closing or lingering.
    fn is_current(&self, id: TransportId) -> bool {
        self.transport.as_ref().is_some_and(|transport| transport.id == id)
    }

    /// Whether `id` names a transport from which anything may still be heard.
    fn is_live(&self, id: TransportId) -> bool {
        self.is_current(id) && matches!(self.phase, Phase::Open | Phase::Closing(_))
    }

    /// Whether `id` names the transport that is open.
    pub(crate) fn is_open_on(&self, id: TransportId) -> bool {
        self.is_current(id) && matches!(self.phase, Phase::Open)
    }

    fn choose_retry(&mut self, now: Instant, attempt: u32, choice: RetryChoice) -> Accepted {
        let pending =
            matches!(self.phase, Phase::Waiting) && attempt == self.attempts.saturating_add(1);
        if !pending {
            return self.stale();
        }
        match choice {
            RetryChoice::Keep => {}
            RetryChoice::After(delay) => self.timers.arm(Timer::Retry, now + delay),
            RetryChoice::Stop => self.stop_retrying(now),
        }
        Accepted::Done
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        self.phase.state(self.was_open)
    }

    /// The state as a browser would name it. Closing begins with the drain or the close.
    #[must_use]
    pub fn ready_state(&self) -> ReadyState {
        match &self.phase {
            Phase::Closed => ReadyState::Closed,
            Phase::Closing(_) => ReadyState::Closing,
            Phase::Idle | Phase::Waiting | Phase::Dialing | Phase::Open
                if self.draining.is_some() =>
            {
                ReadyState::Closing
            }
            Phase::Open => ReadyState::Open,
            Phase::Idle | Phase::Waiting | Phase::Dialing => ReadyState::Connecting,
        }
    }

    /// Bytes of application data that were accepted and not yet given to the network, as a
    /// browser's `bufferedAmount`.
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.outbox.buffered_amount()
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The counts.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.output.counters
    }

    /// How many actions wait besides writes. Bounded by the outbox's `max_messages` and a constant.
    #[must_use]
    pub fn undrained(&self) -> usize {
        self.output.len()
    }

    /// A snapshot of everything a dashboard would show.
    #[must_use]
    pub fn status(&self) -> Status {
        let live = matches!(self.phase, Phase::Open | Phase::Closing(_));
        let down = self.was_open && matches!(self.phase, Phase::Waiting | Phase::Dialing);
        Status {
            state: self.state(),
            ready_state: self.ready_state(),
            phase: if self.is_held() { "opening" } else { self.phase.as_str() },
            suspended: self.suspended,
            reads_paused: self.reads_paused,
            held: self.is_held(),
            transport: self.transport.as_ref().map(|transport| transport.id),
            attempt: self.attempts,
            outage_since: down.then_some(self.down_since),
            retry_at: self.timers.get(Timer::Retry),
            last_error: self.last_error.as_ref().map(Reason::to_string),
            rtt: self.heartbeat.rtt,
            last_heard: live.then_some(self.heartbeat.last_heard),
            deadline: self.timers.earliest(),
            queued: self.outbox.queued(),
            in_flight: self.outbox.in_flight(),
            outbox_bytes: self.outbox.bytes(),
            buffered_amount: self.outbox.buffered_amount(),
            counters: self.output.counters,
        }
    }

    /// How long the connection has been down.
    pub(crate) fn outage(&self, now: Instant) -> Duration {
        now - self.down_since
    }
}
