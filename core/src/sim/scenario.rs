//! A script carried out on one connection: the driver's hands, and what the peer remembers.

use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::hash::Hash as _;

use bytes::Bytes;
use bytestring::ByteString;

use super::driver::{Driver, Stats, Touch};
use super::fingerprint::Fingerprint;
use super::step::{Clock, Inbound, Step, Whom};
use super::{Echo, Idle, Log, Rest, Violation, Weather, World};
use crate::action::Action;
use crate::config::{Class, Config};
use crate::dialect::{BuiltIn, DialectConfig, HeartbeatFrames};
use crate::error::{Accepted, Rejected};
use crate::event::{
    Capabilities, DialError, DialFailure, End, EndKind, Event, Outgoing, RetryChoice, Seq,
    TransportId,
};
use crate::frame::{CloseFrame, Frame, Payload};
use crate::notice::Notice;
use crate::time::{Duration, Instant};

/// Where the clock stands at the start: later than any delay that is subtracted from it.
const START: Instant = Instant::from_millis(10_000_000);

/// A connection, and as much of a peer as the steps speak of.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub(super) driver: Driver<BuiltIn>,
    /// The latest that the connection was told.
    pub(super) latest: Instant,
    lazy: bool,
    /// The last transport dialled.
    pub(super) last: u64,
    /// The last write on it.
    pub(super) written: u64,
    pub(super) pings: Vec<Bytes>,
    /// Ids of messages, as the peer reads them.
    pub(super) ids: Vec<u64>,
    pub(super) seqs: Vec<Seq>,
    sent: u64,
    pending: u32,
    /// The last event, where somebody wants to know it.
    event: Option<(Instant, Event, Result<Accepted, Rejected>)>,
}

/// Runs the steps; every invariant is checked after each.
///
/// # Errors
/// The first invariant that is violated.
pub fn run(config: Config, seed: u64, steps: &[Step]) -> Result<Stats, Violation> {
    let mut scenario = Scenario::new(config, seed);
    for step in steps {
        scenario.step(*step)?;
    }
    Ok(*scenario.driver.stats())
}

impl Scenario {
    /// A connection that has just been made, a while after the origin of time.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        Self::with_log(config, seed, Log::Off)
    }

    /// The same, and what is kept of the actions.
    #[must_use]
    pub fn with_log(config: Config, seed: u64, log: Log) -> Self {
        Self::begin(config, seed, START, log)
    }

    /// The same at another time: so much later than others begin.
    #[must_use]
    pub fn begin_later(config: Config, seed: u64, by: Duration) -> Self {
        Self::begin(config, seed, START + by, Log::Off)
    }

    fn begin(config: Config, seed: u64, now: Instant, log: Log) -> Self {
        let mut scenario = Self::made(config, seed, now, log);
        scenario.drain();
        scenario
    }

    /// One whose actions were not taken yet: that is another's to do.
    pub(super) fn untouched(config: Config, seed: u64) -> Self {
        Self::made(config, seed, START, Log::Off)
    }

    fn made(config: Config, seed: u64, now: Instant, log: Log) -> Self {
        let dialect = BuiltIn::new(&config.dialect);
        let mut driver = Driver::new(config, dialect, seed, now);
        driver.keep(log);
        Self {
            driver,
            latest: now,
            lazy: false,
            last: 0,
            written: 0,
            pings: Vec::new(),
            ids: Vec::new(),
            seqs: Vec::new(),
            sent: 0,
            pending: 0,
            event: None,
        }
    }

    /// The driver, with the connection.
    #[must_use]
    pub fn driver(&self) -> &Driver<BuiltIn> {
        &self.driver
    }

    /// Plants a fault in the connection.
    #[cfg(perennial_planted)]
    pub fn plant(&mut self, fault: crate::planted::Fault) {
        self.driver.plant(fault);
    }

    /// As [`Driver::keep_tape`].
    pub fn keep_tape(&mut self) {
        self.driver.keep_tape();
    }

    /// As [`Driver::into_tape`].
    #[must_use]
    pub fn into_tape(self) -> Vec<Touch> {
        self.driver.into_tape()
    }

    /// The event that a step stands for now; `None` for one that stands for none, or names what
    /// there is not.
    #[must_use]
    pub fn event(&self, step: Step) -> Option<Event> {
        let id = |whom| self.id(whom);
        Some(match step {
            Step::Pass(_) | Step::Lazy(_) | Step::Poll(_) => return None,
            Step::Tick(_) => Event::Tick,
            Step::Opened(whom, lacks) => Event::Opened {
                transport: id(whom)?,
                capabilities: Capabilities {
                    protocol_ping: lacks & 1 == 0,
                    answers_pings: lacks & 2 == 0,
                    flush_reports: lacks & 4 == 0,
                },
            },
            Step::DialFailed(whom, kind, asked) => {
                Event::DialFailed { transport: id(whom)?, failure: failure(kind, asked) }
            }
            Step::Receive(whom, inbound) => {
                Event::Received { transport: id(whom)?, frame: self.frame(inbound)? }
            }
            Step::Heard(whom) => Event::Heard { transport: id(whom)? },
            Step::Flushed(whom, but) => Event::Flushed {
                transport: id(whom)?,
                through: self.written.saturating_sub(u64::from(but)),
            },
            Step::FlushedBeyond(whom, by) => Event::Flushed {
                transport: id(whom)?,
                through: self.written.saturating_add(1 + u64::from(by)),
            },
            Step::Buffered(whom, bytes) => {
                Event::Buffered { transport: id(whom)?, bytes: u64::from(bytes) }
            }
            Step::Violated(whom, code) => Event::Violated {
                transport: id(whom)?,
                violation: crate::event::Violation { code, detail: "nonsense".into() },
            },
            Step::Ended(whom) => Event::Ended { transport: id(whom)?, end: End::new(EndKind::Eof) },
            Step::Send(size, class, ttl) => Event::Send(self.outgoing(size, class, ttl)),
            Step::SendAhead(size, class, ttl) => {
                Event::Send(self.outgoing(size, class, ttl).ahead())
            }
            Step::SendOdd(kind) => Event::Send(self.odd(kind)),
            Step::Cancel(but) => Event::Cancel(*last(&self.seqs, but)?),
            Step::Purge => Event::Purge,
            Step::Reorder(first, second) => {
                let named = [first, second].map(|but| last(&self.seqs, but).copied());
                Event::Reorder(named.into_iter().flatten().collect())
            }
            Step::Release(whom) => Event::Release { transport: id(whom)? },
            Step::Refuse(whom, retry) => {
                Event::Refuse { transport: id(whom)?, retry, detail: "not today".into() }
            }
            Step::Close(code) => Event::Close(CloseFrame::new(code, "")),
            Step::Drain(timeout) => Event::Drain {
                timeout: timeout.map(|ms| Duration::from_millis(ms.into())),
                close: CloseFrame::new(1000, "drained"),
            },
            Step::Reconnect => Event::Reconnect,
            Step::Retry(off, choice) => Event::Retry {
                attempt: self.pending.saturating_add(off.into()),
                choice: match choice {
                    None => RetryChoice::Keep,
                    Some(None) => RetryChoice::Stop,
                    Some(Some(ms)) => RetryChoice::After(Duration::from_millis(ms.into())),
                },
            },
            Step::Pause => Event::PauseReads,
            Step::Resume => Event::ResumeReads,
        })
    }

    /// Carries out a step.
    ///
    /// # Errors
    /// The first invariant that is violated.
    pub fn step(&mut self, step: Step) -> Result<(), Violation> {
        match step {
            Step::Pass(clock) | Step::Tick(clock) => self.pass(clock, self.driver.deadline()),
            Step::Lazy(lazy) => self.lazy = lazy,
            Step::Poll(count) => {
                for _ in 0..=count {
                    self.poll();
                }
            }
            Step::Opened(..)
            | Step::DialFailed(..)
            | Step::Receive(..)
            | Step::Heard(_)
            | Step::Flushed(..)
            | Step::FlushedBeyond(..)
            | Step::Buffered(..)
            | Step::Violated(..)
            | Step::Ended(_)
            | Step::Send(..)
            | Step::SendAhead(..)
            | Step::SendOdd(_)
            | Step::Cancel(_)
            | Step::Purge
            | Step::Reorder(..)
            | Step::Release(_)
            | Step::Refuse(..)
            | Step::Close(_)
            | Step::Drain(_)
            | Step::Reconnect
            | Step::Retry(..)
            | Step::Pause
            | Step::Resume => {}
        }
        if let Some(event) = self.event(step) {
            self.note_event(&event);
            let kept = matches!(self.driver.log(), Log::All(_)).then(|| event.clone());
            let result = self.driver.handle(event);
            self.note_result(&result);
            self.event = kept.map(|event| (self.driver.now(), event, result));
        } else {
            self.event = None;
        }
        if !self.lazy {
            self.drain();
        }
        self.driver.check()
    }

    /// Takes note of what the connection is to be told.
    pub(super) fn note_event(&mut self, event: &Event) {
        self.sent += u64::from(matches!(event, Event::Send(_)));
        self.latest = self.latest.max(self.driver.now());
    }

    /// And of what it answered.
    pub(super) fn note_result(&mut self, result: &Result<Accepted, Rejected>) {
        if let Ok(Accepted::Message(seq)) = result {
            self.seqs.push(*seq);
        }
    }

    /// Tells the connection something at another time than the driver's clock shows.
    pub(super) fn handle_at(&mut self, now: Instant, event: Event) -> Result<Accepted, Rejected> {
        let shown = self.driver.now();
        self.driver.set_now(now);
        let result = self.driver.handle(event);
        self.driver.set_now(shown);
        result
    }

    /// When and what the last step told the connection, and the answer; only with [`Log::All`],
    /// and `None` if it told it nothing.
    #[must_use]
    pub fn last_event(&self) -> Option<&(Instant, Event, Result<Accepted, Rejected>)> {
        self.event.as_ref()
    }

    /// Takes what decides on what the next steps mean.
    pub(super) fn remembered(&self, to: &mut Fingerprint) {
        (self.lazy, self.last, self.written, self.sent, self.pending).hash(to);
        to.instant(self.driver.now());
        fn two<T>(all: &[T]) -> &[T] {
            &all[all.len().saturating_sub(2)..]
        }
        (two(&self.pings), two(&self.ids), two(&self.seqs)).hash(to);
    }

    /// How many actions were kept so far.
    pub(super) fn taken(&self) -> usize {
        if let Log::All(log) = self.driver.log() { log.len() } else { 0 }
    }

    /// Takes actions until there are none.
    ///
    /// # Panics
    /// If there is no end of them.
    pub fn drain(&mut self) {
        // Bounded, should `poll` never end.
        for _ in 0..100_000 {
            if matches!(self.poll(), Action::Wait { .. }) {
                return;
            }
        }
        panic!("poll does not come to an end");
    }

    /// Hands the connection over to a network and a server without faults, in which it must come
    /// to rest: see [`World::settle`]. `browser` says what its transports are like from now on.
    ///
    /// # Errors
    /// The first invariant that is violated.
    pub fn settle(mut self, browser: bool) -> Result<Rest, Violation> {
        let mut server = Echo::new(&self.driver.config().dialect);
        // What was sent may be more than may be received.
        server.echoes = false;
        self.driver.set_now(self.latest.max(self.driver.now()));
        let mut world = World::take_over(0, server, Idle, self.driver);
        let browser = if browser { 1_000 } else { 0 };
        world.set_weather(Weather { browser, ..Weather::CALM });
        let rests = world.settle().map_err(|failure| failure.violation)?;
        Ok(rests.first().copied().unwrap_or(Rest::Closed))
    }

    pub(super) fn poll(&mut self) -> Action {
        let action = self.driver.poll();
        match &action {
            Action::Dial { transport, .. } => {
                self.last = transport.get();
                self.written = 0;
                self.pings.clear();
            }
            Action::Write { index, frame, .. } => {
                self.written = *index;
                self.read(frame);
            }
            Action::Notify(Notice::Retrying { attempt, .. }) => self.pending = *attempt,
            Action::Notify(_) | Action::Abort { .. } | Action::Wait { .. } => {}
        }
        action
    }

    /// What the peer reads.
    fn read(&mut self, frame: &Frame) {
        match frame {
            Frame::Ping(payload) => self.pings.push(payload.clone()),
            Frame::Text(text) => {
                let digits = |text: &str| {
                    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
                    text[..end].parse::<u64>().ok()
                };
                if let Some(id) = text.split(r#""id":"#).nth(1).and_then(digits) {
                    self.ids.push(id);
                }
            }
            Frame::Binary(_) | Frame::Pong(_) | Frame::Close(_) => {}
        }
    }

    /// Lets time pass; the deadline is what the last wait said.
    pub(super) fn pass(&mut self, clock: Clock, deadline: Option<Instant>) {
        let now = self.driver.now();
        let deadline = deadline.unwrap_or(now).max(now);
        let ms = |millis: u8| Duration::from_millis(u64::from(millis));
        let back =
            |from: Instant, nanos: u64| Instant::from_nanos(from.as_nanos().saturating_sub(nanos));
        self.driver.set_now(match clock {
            Clock::Deadline => deadline,
            Clock::Late(late) => deadline + ms(late),
            Clock::JustBefore => back(deadline, 1).max(now),
            Clock::Early => now + (deadline - now) / 2,
            Clock::By(by) => now + ms(by),
            Clock::Back(by) => back(now, u64::from(by) * 1_000_000),
            Clock::Jump(seconds) => now + Duration::from_secs(u64::from(seconds)),
        });
    }

    pub(super) fn id(&self, whom: Whom) -> Option<TransportId> {
        let last = self.last.checked_sub(1)? + 1;
        let id = match whom {
            Whom::Current => last,
            Whom::Past(back) => last.checked_sub(1 + u64::from(back))?,
            Whom::Future(on) => last + 1 + u64::from(on),
        };
        (id > 0).then_some(TransportId(id))
    }

    fn frame(&self, inbound: Inbound) -> Option<Frame> {
        let ack = |id: u64, cumulative: bool| {
            let cumulative = if cumulative { r#","cumulative":true"# } else { "" };
            Frame::Text(format!(r#"{{"ack":{id}{cumulative}}}"#).into())
        };
        Some(match inbound {
            Inbound::Message(Some(id)) => Frame::Text(format!(r#"{{"id":{id}}}"#).into()),
            Inbound::Message(None) => Frame::Text("news".into()),
            Inbound::Binary(size) => Frame::Binary(vec![7; usize::from(size)].into()),
            Inbound::Ping => Frame::Ping(Bytes::from_static(b"you?")),
            Inbound::Pong(but) => Frame::Pong(last(&self.pings, but)?.clone()),
            Inbound::WrongPong(nonce) => Frame::Pong(nonce.to_be_bytes().to_vec().into()),
            Inbound::DialectPing => Frame::Text(heartbeat(self.driver.config(), true)),
            Inbound::DialectPong => Frame::Text(heartbeat(self.driver.config(), false)),
            Inbound::Ack(but, cumulative) => ack(*last(&self.ids, but)?, cumulative),
            Inbound::AnyAck(id, cumulative) => ack(id, cumulative),
            Inbound::BadAck => Frame::Text(r#"{"ack":-1.5}"#.into()),
            Inbound::Deep => Frame::Text(r#"{"a":[[[[[[]]]]]]}"#.into()),
            Inbound::Close(code) => Frame::Close(code.map(|code| CloseFrame::new(code, "bye"))),
        })
    }

    /// A message that differs from all others.
    fn outgoing(&self, size: u8, class: u8, ttl: Option<u8>) -> Outgoing {
        let text = format!("{}", self.sent + 1);
        let text = format!("m{text:.>width$}", width = usize::from(size));
        Outgoing {
            payload: Payload::from(text),
            class: match class % 4 {
                0 => None,
                1 => Some(Class::Queued),
                2 => Some(Class::Volatile),
                _ => Some(Class::Acknowledged),
            },
            ttl: ttl.map(|ms| Duration::from_millis(ms.into())),
            ahead: false,
        }
    }

    fn odd(&self, kind: u8) -> Outgoing {
        let payload = match kind % 7 {
            0 => Payload::from(""),
            1 => Payload::from(format!(r#"{{"id":{}}}"#, (self.sent + 1) % 5)),
            2 => Payload::Text(heartbeat(self.driver.config(), true)),
            3 => Payload::from(vec![0_u8; 9]),
            4 => Payload::from(vec![0_u8; 2_000]),
            5 => Payload::from(format!(r#"{{"id":{}}}"#, u64::MAX)),
            _ => Payload::from("the same"),
        };
        let class = if kind & 8 == 0 { None } else { Some(Class::Acknowledged) };
        Outgoing { payload, class, ttl: None, ahead: false }
    }
}

/// The last but so many.
fn last<T>(all: &[T], but: u8) -> Option<&T> {
    all.iter().rev().nth(usize::from(but))
}

/// The peer's ping or pong, in the words of the dialect that `config` names.
fn heartbeat(config: &Config, ping: bool) -> ByteString {
    let word = |yes: &str, no: &str| if ping { yes.to_string() } else { no.to_string() };
    match &config.dialect {
        DialectConfig::Json(json) => match &json.heartbeat {
            HeartbeatFrames::Json { ping, pong, .. } => {
                format!(r#"{{"type":"{}"}}"#, word(ping, pong)).into()
            }
            HeartbeatFrames::Literals { ping, pong } => word(ping, pong).into(),
            HeartbeatFrames::None => word("ping", "pong").into(),
        },
        DialectConfig::Text { ping, pong } => word(ping, pong).into(),
        DialectConfig::SocketIo(_) => word("2", "3").into(),
        DialectConfig::Plain | DialectConfig::EventStream(_) | DialectConfig::Custom => {
            word("ping", "pong").into()
        }
    }
}

fn failure(kind: u8, asked: u16) -> DialFailure {
    let status = |status: u16| DialFailure {
        status: Some(status),
        retry_after: Some(Duration::from_millis(asked.into())),
        ..DialFailure::new(DialError::Status, "")
    };
    match kind % 10 {
        0 => DialFailure::new(DialError::Connect, "refused"),
        1 => DialFailure::new(DialError::Resolve, ""),
        2 => DialFailure::new(DialError::Tls, ""),
        3 => DialFailure::new(DialError::Handshake, ""),
        4 => DialFailure::new(DialError::Request, ""),
        5 => status(503),
        6 => status(429),
        7 => status(500),
        8 => status(401),
        9 => DialFailure { kind: DialError::Proxy, ..status(503) },
        10 => DialFailure::new(DialError::ProxyAuth, ""),
        _ => DialFailure::new(DialError::RequestRefused, ""),
    }
}
