//! A second opinion: a model that predicts what a connection does.
//!
//! [`Checked`](super::Checked) looks at each promise by itself. This model is the whole machine
//! written down once more, the short way: a list of messages, a handful of deadlines, no
//! transports, no frames, no timers of the heartbeat. Three things it is told instead of predicting
//! them: which bytes were written, that a link was found dead, and what was drawn for a delay; each
//! must then be one that was possible.
//!
//! It speaks of punctual drivers with a clock that behaves: [`understands`] says of which steps.

mod agree;
mod delays;
mod messages;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub use agree::{agree, understands};
use messages::{Messages, Outcome};

use crate::action::Action;
use crate::config::{CloseRule, Config, HeartbeatStyle};
use crate::dialect::{BuiltIn, Dialect, Meaning};
use crate::error::{Accepted, Rejected};
use crate::event::{DialError, Event, RetryChoice};
use crate::frame::{Frame, Payload};
use crate::notice::{Doubt, DropReason, Fate, Notice, State};
use crate::status::Status;
use crate::time::{Duration, Instant};

/// Where the model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Idle,
    Waiting,
    Dialing,
    Open,
    Closing,
    Closed,
}

/// What a deadline is for. Of those that have passed the earliest acts first, and of those at once
/// the one that stands first here: what is dead or finished is found before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Drain,
    Close,
    Outage,
    Dial,
    Dead,
    Opening,
    Stable,
    Suspend,
    Ttl,
    Ack,
    Retry,
}

/// Why a connection is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Nothing that forbids or advises.
    Plain,
    Fatal,
    RetryAfter(Duration),
    Restart,
}

/// The model.
#[derive(Clone, Debug)]
pub struct Reference {
    config: Config,
    dialect: BuiltIn,
    at: At,
    was_open: bool,
    attempts: u32,
    /// Failures in a row.
    failures: u32,
    nominal: Duration,
    suspended: bool,
    draining: bool,
    heard: bool,
    /// What is queued waits for the release.
    held: bool,
    deadlines: [(Due, Option<Instant>); 11],
    messages: Messages,
    /// What the connection said, as far as the model wants to be told.
    delays: Vec<(u32, Duration)>,
    wrong: Option<String>,
}

impl Reference {
    /// The model of a connection that has just been made.
    #[must_use]
    pub fn new(config: &Config, now: Instant) -> Self {
        use Due::{Ack, Close, Dead, Dial, Drain, Opening, Outage, Retry, Stable, Suspend, Ttl};
        let order = [Drain, Close, Outage, Dial, Dead, Opening, Stable, Suspend, Ttl, Ack, Retry];
        let mut model = Self {
            config: config.clone(),
            dialect: BuiltIn::new(&config.dialect),
            at: At::Idle,
            was_open: false,
            attempts: 0,
            failures: 0,
            nominal: Duration::ZERO,
            suspended: false,
            draining: false,
            heard: false,
            held: false,
            deadlines: order.map(|due| (due, None)),
            messages: Messages::default(),
            delays: Vec::new(),
            wrong: None,
        };
        if config.connect.auto {
            model.go_down(now);
            model.dial(now);
        }
        model
    }

    /// Takes an event, what `handle` answered, and the actions until the next wait.
    pub fn step<'a>(
        &mut self,
        now: Instant,
        event: &Event,
        result: &Result<Accepted, Rejected>,
        actions: impl Iterator<Item = &'a Action> + Clone,
    ) {
        self.messages.outcomes.clear();
        self.set(Due::Dead, None);
        for action in actions.clone() {
            match action {
                Action::Notify(Notice::Dead { .. }) => self.set(Due::Dead, Some(now)),
                Action::Notify(Notice::Retrying { attempt, delay, .. }) => {
                    self.delays.push((*attempt, *delay));
                }
                Action::Notify(_)
                | Action::Dial { .. }
                | Action::Write { .. }
                | Action::Abort { .. }
                | Action::Wait { .. } => {}
            }
        }
        self.take(now, event, result);
        self.end_drain(now);
        let mut told = Vec::new();
        for action in actions {
            match action {
                Action::Write { index, frame, .. } => {
                    self.messages.written(*index, frame, self.held);
                }
                Action::Notify(notice) => told.extend(Outcome::told(notice)),
                Action::Dial { .. } | Action::Abort { .. } | Action::Wait { .. } => {}
            }
        }
        // Several that end at once are told in their order.
        if told != self.messages.outcomes {
            self.wrong(format!("ends {told:?}, predicted {:?}", self.messages.outcomes));
        }
        if let Some((attempt, _)) = self.delays.pop() {
            self.wrong(format!("attempt {attempt} was announced, none was predicted"));
        }
    }

    /// Compares with the connection.
    ///
    /// # Errors
    /// What differs.
    pub fn compare(&self, status: &Status) -> Result<(), String> {
        if let Some(wrong) = &self.wrong {
            return Err(wrong.clone());
        }
        let (state, phase) = match self.at {
            At::Idle => (self.down(), "idle"),
            At::Waiting => (self.down(), "waiting"),
            At::Dialing => (self.down(), "dialing"),
            At::Open if self.held => (State::Open, "opening"),
            At::Open => (State::Open, "open"),
            At::Closing => (State::Open, "closing"),
            At::Closed => (State::Closed, "closed"),
        };
        let predicted = (
            state,
            phase,
            self.attempts,
            self.suspended,
            self.messages.queued(),
            self.messages.in_flight(),
            self.messages.bytes(),
        );
        let is = (
            status.state,
            status.phase,
            status.attempt,
            status.suspended,
            status.queued,
            status.in_flight,
            status.outbox_bytes,
        );
        if predicted == is { Ok(()) } else { Err(format!("predicted {predicted:?}, is {is:?}")) }
    }

    fn down(&self) -> State {
        if self.was_open { State::Reconnecting } else { State::Connecting }
    }

    fn wrong(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }

    fn set(&mut self, due: Due, at: Option<Instant>) {
        if let Some(entry) = self.deadlines.iter_mut().find(|entry| entry.0 == due) {
            entry.1 = at;
        }
    }

    /// Lets every deadline act that has passed.
    fn pass(&mut self, now: Instant) {
        loop {
            self.set(Due::Ttl, self.messages.next_expiry());
            let resend = self.messages.next_resend(self.config.outbox.ack_timeout);
            self.set(Due::Ack, resend.filter(|_| self.at == At::Open));
            let passed = self.deadlines.iter().filter(|(_, at)| at.is_some_and(|at| at <= now));
            let Some((due, _)) = passed.min_by_key(|(_, at)| *at).copied() else { break };
            self.set(due, None);
            match due {
                Due::Drain => self.begin_close(now),
                Due::Close if self.at == At::Closing => self.finish(),
                // The transport that lingered is gone.
                Due::Close => {}
                Due::Outage => self.finish(),
                Due::Dial if self.at == At::Open => self.lost(now, Why::Plain),
                Due::Dial => self.failed(now, Why::Plain),
                Due::Dead | Due::Opening => self.lost(now, Why::Plain),
                Due::Stable => {
                    if self.heard || self.config.heartbeat.style == HeartbeatStyle::Off {
                        self.reset();
                    }
                }
                Due::Suspend => {
                    self.suspended = true;
                    if self.config.retry.fail_outbox_on_suspend {
                        self.messages.fail_all(DropReason::Suspended, Doubt::Suspended);
                    }
                }
                Due::Ttl => self.messages.expire(now),
                Due::Ack => self.messages.resend(now, self.config.outbox.ack_timeout),
                Due::Retry => self.dial(now),
            }
        }
        self.end_drain(now);
    }

    fn end_drain(&mut self, now: Instant) {
        if self.draining && self.messages.is_empty() {
            self.begin_close(now);
        }
    }

    fn take(&mut self, now: Instant, event: &Event, result: &Result<Accepted, Rejected>) {
        let live = *result == Ok(Accepted::Done);
        if live && matches!(event, Event::Received { .. } | Event::Heard { .. }) {
            self.heard = true;
            let stable = self.deadlines.contains(&(Due::Stable, None));
            if self.at == At::Open && stable && !self.held {
                self.reset();
            }
        }
        // What may prove life is read before anything is called dead for want of it.
        let proof =
            matches!(event, Event::Received { frame, .. } if !matches!(frame, Frame::Close(_)));
        if !proof && !matches!(event, Event::Retry { .. }) {
            self.pass(now);
        }
        // Else what was refused or is stale changes nothing.
        if live || matches!(event, Event::Send(_)) {
            self.act(now, event, result);
        }
        if proof || matches!(event, Event::Retry { .. }) {
            self.pass(now);
        }
    }

    fn act(&mut self, now: Instant, event: &Event, result: &Result<Accepted, Rejected>) {
        match event {
            Event::Send(message) => {
                let drains = self.draining && !(message.ahead && self.held);
                let leaving = drains || matches!(self.at, At::Closing | At::Closed);
                let open = self.at == At::Open;
                let (config, dialect) = (&self.config, &mut self.dialect);
                let wrong =
                    self.messages.offer(message, result, config, dialect, now, leaving, open);
                if let Err(what) = wrong {
                    self.wrong(what);
                }
            }
            Event::Tick | Event::Heard { .. } | Event::PauseReads | Event::ResumeReads => {}
            Event::Buffered { .. } => {}
            Event::Cancel(seq) => self.messages.cancel(Some(*seq)),
            Event::Purge => self.messages.cancel(None),
            Event::Reorder(names) => self.messages.reorder(names),
            Event::Release { .. } => {
                self.held = false;
                self.set(Due::Opening, None);
                self.set(Due::Stable, Some(now + self.config.retry.stable_after));
            }
            Event::Refuse { retry: true, .. } => self.lost(now, Why::Plain),
            Event::Refuse { retry: false, .. } => self.shake_hands(now),
            Event::Close(_) => self.begin_close(now),
            Event::Drain { timeout, .. } => {
                if !self.draining && !matches!(self.at, At::Closing | At::Closed) {
                    self.draining = true;
                    self.set(Due::Drain, Some(now + timeout.unwrap_or(self.config.close.drain)));
                }
            }
            Event::Reconnect => {
                if matches!(self.at, At::Open | At::Closing) {
                    self.messages.lost();
                }
                if matches!(self.at, At::Open | At::Closing | At::Idle) {
                    self.go_down(now);
                }
                self.reset();
                self.dial(now);
            }
            Event::Retry { choice, .. } => match choice {
                RetryChoice::Keep => {}
                RetryChoice::After(delay) => self.set(Due::Retry, Some(now + *delay)),
                RetryChoice::Stop => self.finish(),
            },
            Event::Opened { .. } => {
                self.at = At::Open;
                self.was_open = true;
                self.suspended = false;
                self.heard = false;
                for due in [Due::Outage, Due::Suspend] {
                    self.set(due, None);
                }
                // Else its answer is a part of the dial.
                if self.dialect.greeting().is_none() {
                    self.set(Due::Dial, None);
                }
                self.held = self.config.opening.hold;
                let due = if self.held { Due::Opening } else { Due::Stable };
                let (opening, stable) =
                    (self.config.opening.timeout, self.config.retry.stable_after);
                self.set(due, Some(now + if self.held { opening } else { stable }));
            }
            Event::DialFailed { failure, .. } => {
                let fatal = match failure.kind {
                    DialError::RequestRefused | DialError::ProxyAuth => true,
                    DialError::Status => failure
                        .status
                        .is_some_and(|status| self.config.retry.fatal_statuses.contains(&status)),
                    DialError::Request
                    | DialError::Resolve
                    | DialError::Connect
                    | DialError::Tls
                    | DialError::Handshake
                    | DialError::Proxy => false,
                };
                let asked =
                    failure.retry_after.filter(|_| matches!(failure.status, Some(429 | 503)));
                let why =
                    if fatal { Why::Fatal } else { asked.map_or(Why::Plain, Why::RetryAfter) };
                self.failed(now, why);
            }
            Event::Received { frame, .. } => self.received(now, frame),
            Event::Flushed { through, .. } => self.messages.flushed(*through, now),
            Event::Violated { .. } => {
                if self.at == At::Open {
                    self.shake_hands(now);
                }
            }
            Event::Ended { .. } => match self.at {
                At::Open => self.lost(now, Why::Plain),
                At::Closing => self.finish(),
                At::Dialing => self.failed(now, Why::Plain),
                At::Waiting => self.set(Due::Close, None),
                At::Idle | At::Closed => {}
            },
        }
    }

    fn received(&mut self, now: Instant, frame: &Frame) {
        let payload = match frame {
            Frame::Text(text) => Payload::Text(text.clone()),
            Frame::Binary(bytes) => Payload::Binary(bytes.clone()),
            Frame::Ping(_) | Frame::Pong(_) => return,
            Frame::Close(close) => {
                if self.at != At::Open {
                    return;
                }
                self.set(Due::Close, Some(now + self.config.close.timeout));
                let code = close.as_ref().map_or(1005, |close| close.code);
                let fatal = self.config.retry.close_codes.get(&code) == Some(&CloseRule::Final);
                return match code {
                    _ if fatal => self.say_last(),
                    1012 | 1013 => self.lost(now, Why::Restart),
                    _ => self.lost(now, Why::Plain),
                };
            }
        };
        if payload.len() > self.config.inbox.max_message {
            if self.at == At::Open {
                self.shake_hands(now);
            }
            return;
        }
        match self.dialect.decode(payload) {
            Meaning::Ack { id, cumulative } => self.messages.acknowledged(id, cumulative),
            Meaning::Admission { .. } => self.set(Due::Dial, None),
            Meaning::Message { .. }
            | Meaning::Unreadable { .. }
            | Meaning::Messages(_)
            | Meaning::Ping
            | Meaning::Pong
            | Meaning::BadAck => {}
        }
    }

    fn go_down(&mut self, now: Instant) {
        self.set(Due::Outage, self.config.retry.max_outage.map(|limit| now + limit));
        self.set(Due::Suspend, self.config.retry.suspend_after.map(|limit| now + limit));
    }

    fn dial(&mut self, now: Instant) {
        self.at = At::Dialing;
        self.attempts += 1;
        self.held = false;
        for due in [Due::Retry, Due::Close, Due::Opening, Due::Stable] {
            self.set(due, None);
        }
        self.set(Due::Dial, Some(now + self.config.connect.dial_timeout));
    }

    fn reset(&mut self) {
        self.attempts = 0;
        self.failures = 0;
        self.nominal = Duration::ZERO;
    }

    fn lost(&mut self, now: Instant, why: Why) {
        self.held = false;
        self.set(Due::Opening, None);
        self.set(Due::Stable, None);
        self.set(Due::Dial, None);
        self.messages.lost();
        self.go_down(now);
        self.failed(now, why);
    }

    /// The transport or the dial is gone: there will be another dial, or the end.
    fn failed(&mut self, now: Instant, why: Why) {
        self.set(Due::Dial, None);
        let retry = &self.config.retry;
        let over = retry.max_attempts.is_some_and(|most| self.attempts >= most)
            || retry.max_retries.is_some_and(|most| self.failures >= most);
        let first = self.config.connect.fail_fast && !self.was_open;
        if why == Why::Fatal || self.draining && self.messages.is_empty() || first || over {
            return self.finish();
        }
        self.at = At::Waiting;
        let (low, high) = self.range(why);
        if self.delays.is_empty() {
            return self.wrong(format!("attempt {} was not announced", self.attempts + 1));
        }
        let (attempt, delay) = self.delays.remove(0);
        if attempt != self.attempts + 1 || !(low..=high).contains(&delay) {
            let next = self.attempts + 1;
            self.wrong(format!(
                "attempt {attempt} in {delay:?}, predicted {next} in {low:?} to {high:?}"
            ));
        }
        self.set(Due::Retry, Some(now + delay));
    }

    fn begin_close(&mut self, now: Instant) {
        match self.at {
            At::Open => self.shake_hands(now),
            At::Closing | At::Closed => {}
            At::Idle | At::Waiting | At::Dialing => self.finish(),
        }
    }

    fn shake_hands(&mut self, now: Instant) {
        self.set(Due::Close, Some(now + self.config.close.timeout));
        self.say_last();
    }

    /// A close frame goes out and nothing after it.
    fn say_last(&mut self) {
        self.at = At::Closing;
        self.draining = false;
        self.held = false;
        for due in [Due::Drain, Due::Opening, Due::Stable, Due::Dial] {
            self.set(due, None);
        }
        self.messages.drop_unsent();
    }

    fn finish(&mut self) {
        self.at = At::Closed;
        self.held = false;
        self.draining = false;
        self.suspended = false;
        self.messages.fail_all(DropReason::Closed, Doubt::Closed);
        for entry in &mut self.deadlines {
            entry.1 = None;
        }
    }
}

/// How a message that was never written ends, or one that was.
fn fate(written: bool, unsent: DropReason, doubt: Doubt) -> Fate {
    if written { Fate::Uncertain(doubt) } else { Fate::Dropped(unsent) }
}
