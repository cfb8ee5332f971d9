//! A driver in virtual time for the tests: it does what `poll` says, keeps what it saw, and
//! panics at once where an action breaks a rule that holds always.

mod json;
mod seen;

use alloc::string::String;
use alloc::vec::Vec;
use core::mem::take;

use proptest::collection;
use proptest::prelude::{ProptestConfig, Strategy, any};

pub(crate) use json::{inside, jsonish};

use crate::{
    Accepted, Action, Backoff, BuiltIn, Bytes, Capabilities, Class, CloseFrame, Config,
    ConfigBuilder, Connection, DialError, DialFailure, Dialect, DialectConfig, Duration, End,
    EndKind, Event, Frame, Instant, Jitter, JsonConfig, Notice, Outgoing, Payload, Rejected,
    RetryChoice, Seq, State, Timer, TransportId, Violation,
};

/// More actions than any one event may cause in these tests.
const TOO_MANY: usize = 100_000;

/// So many rounds of a loop, or a fiftieth under Miri, which is some hundred times slower.
pub(crate) const fn rounds(count: u32) -> u32 {
    if cfg!(miri) { count.div_ceil(50) } else { count }
}

/// The most steps of a random case, or a tenth under Miri.
pub(crate) const fn steps(count: usize) -> usize {
    if cfg!(miri) { count.div_ceil(10) } else { count }
}

/// The usual cases of a property, or `PROPTEST_CASES`; fewer under Miri.
pub(crate) fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    // Miri knows no directory where a failure could be kept.
    let failure_persistence = usual.failure_persistence.filter(|_| !cfg!(miri));
    ProptestConfig { cases: rounds(usual.cases), failure_persistence, ..ProptestConfig::default() }
}

/// Any text. `any::<String>` reads a regular expression for each, which takes Miri seconds.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    collection::vec(any::<char>(), 0..32).prop_map(String::from_iter)
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The first delay is 1 s and doubles up to the cap of 30 s; no jitter, so that times are plain.
fn plain_config() -> ConfigBuilder {
    let mut builder = Config::builder();
    builder.retry.backoff = Backoff::Exponential { base: secs(1), factor_percent: 200 };
    builder.retry.jitter = Jitter::None;
    builder
}

/// A write, as the driver saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) at: Instant,
    pub(crate) transport: u64,
    pub(crate) index: u64,
    pub(crate) frame: Frame,
}

/// A dial, as the driver saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dial {
    pub(crate) at: Instant,
    pub(crate) transport: u64,
    pub(crate) attempt: u32,
}

pub(crate) struct Harness<D: Dialect = BuiltIn> {
    pub(crate) connection: Connection<D>,
    pub(crate) now: Instant,
    /// What the driver was told, until taken.
    pub(crate) notices: Vec<Notice>,
    pub(crate) writes: Vec<Write>,
    pub(crate) dials: Vec<Dial>,
    pub(crate) aborts: Vec<u64>,
    /// The last wait.
    pub(crate) wait: Option<(Instant, Timer)>,
    /// Whether every write is flushed at once. On from the start.
    pub(crate) flushes: bool,
    /// Whether the peer answers protocol pings. On from the start.
    pub(crate) pongs: bool,
    /// Reported as `Opened` says; `SOCKET` from the start.
    pub(crate) capabilities: Capabilities,
    /// The transport from its dial to its abort or end.
    live: Option<u64>,
    opened: bool,
    last_id: u64,
    last_index: u64,
    /// The next write reported as flushed.
    unflushed: Option<u64>,
    /// Pings that the peer has not answered yet.
    asked: Vec<Bytes>,
    finished: bool,
}

impl Harness<BuiltIn> {
    /// A connection that has dialled, on plain frames.
    pub(crate) fn new(change: impl FnOnce(&mut ConfigBuilder)) -> Self {
        let mut builder = plain_config();
        change(&mut builder);
        let config = builder.build().expect("a valid config");
        let dialect = BuiltIn::new(&config.dialect);
        Self::with_dialect(config, dialect, 1)
    }

    /// The same with the JSON dialect and every message acknowledged.
    pub(crate) fn acks(change: impl FnOnce(&mut ConfigBuilder)) -> Self {
        Self::new(|config| {
            config.dialect = DialectConfig::Json(JsonConfig::default());
            config.outbox.class = Class::Acknowledged;
            config.inbox.dedupe = 16;
            change(config);
        })
    }

    /// A plain connection that is open.
    pub(crate) fn open_with(change: impl FnOnce(&mut ConfigBuilder)) -> Self {
        let mut harness = Self::new(change);
        harness.open();
        harness
    }

    /// A connection with acknowledgements that is open.
    pub(crate) fn open_acks(change: impl FnOnce(&mut ConfigBuilder)) -> Self {
        let mut harness = Self::acks(change);
        harness.open();
        harness
    }
}

impl<D: Dialect> Harness<D> {
    pub(crate) fn with_dialect(config: Config, dialect: D, seed: u64) -> Self {
        let now = Instant::from_millis(1_000);
        let mut harness = Self {
            connection: Connection::new(config, dialect, seed, now),
            now,
            notices: Vec::new(),
            writes: Vec::new(),
            dials: Vec::new(),
            aborts: Vec::new(),
            wait: None,
            flushes: true,
            pongs: true,
            capabilities: Capabilities::SOCKET,
            live: None,
            opened: false,
            last_id: 0,
            last_index: 0,
            unflushed: None,
            asked: Vec::new(),
            finished: false,
        };
        harness.drain_actions();
        harness
    }

    // --- events -------------------------------------------------------------------------------

    /// Feeds one event at the present and does what follows.
    pub(crate) fn handle(&mut self, event: Event) -> Result<Accepted, Rejected> {
        let (opens, ends) = match &event {
            Event::Opened { transport, .. } => (Some(transport.get()), None),
            Event::DialFailed { transport, .. } | Event::Ended { transport, .. } => {
                (None, Some(transport.get()))
            }
            _ => (None, None),
        };
        let result = self.connection.handle(self.now, event);
        // A driver that reports nonsense, such as the failed dial of an open transport, is wrong.
        if result == Ok(Accepted::Done) {
            if opens.is_some() && opens == self.live {
                self.opened = true;
            }
            if ends.is_some() && ends == self.live {
                self.live = None;
            }
        }
        self.drain_actions();
        self.check_balance();
        result
    }

    /// An event that takes effect.
    #[track_caller]
    pub(crate) fn done(&mut self, event: Event) {
        assert_eq!(self.handle(event), Ok(Accepted::Done));
    }

    /// An event that is stale.
    #[track_caller]
    pub(crate) fn stale(&mut self, event: Event) {
        assert_eq!(self.handle(event), Ok(Accepted::Stale));
    }

    pub(crate) fn tick(&mut self) {
        let _ = self.handle(Event::Tick);
    }

    /// Lets time pass as a punctual driver does, from deadline to deadline.
    pub(crate) fn advance(&mut self, by: Duration) {
        let target = self.now + by;
        let mut turns = 0;
        while let Some((until, _)) = self.wait
            && until <= target
        {
            self.now = self.now.max(until);
            self.tick();
            turns += 1;
            assert!(turns < TOO_MANY, "time stands still at {}", self.now);
        }
        self.now = target;
    }

    /// Lets time pass without a tick: the driver sleeps too long.
    pub(crate) fn oversleep(&mut self, by: Duration) {
        self.now = self.now + by;
    }

    pub(crate) fn transport(&self) -> TransportId {
        TransportId(self.last_id)
    }

    /// The pending dial succeeds.
    #[track_caller]
    pub(crate) fn open(&mut self) {
        let event = Event::Opened { transport: self.transport(), capabilities: self.capabilities };
        self.done(event);
        assert_eq!(self.connection.state(), State::Open);
    }

    /// Waits until the pending dial is under way.
    #[track_caller]
    pub(crate) fn await_dial(&mut self) {
        for _ in 0..100 {
            if self.phase() == "dialing" {
                return;
            }
            let until = self.wait.expect("a dial is pending").0;
            self.advance(until - self.now);
        }
        panic!("no dial came");
    }

    /// Waits for the pending dial and lets it succeed.
    #[track_caller]
    pub(crate) fn reopen(&mut self) {
        self.await_dial();
        self.open();
    }

    /// The pending dial fails.
    #[track_caller]
    pub(crate) fn fail_dial(&mut self) {
        self.fail_with(DialFailure::new(DialError::Connect, "refused"));
    }

    #[track_caller]
    pub(crate) fn fail_with(&mut self, failure: DialFailure) {
        self.done(Event::DialFailed { transport: self.transport(), failure });
    }

    /// The server refuses the handshake.
    #[track_caller]
    pub(crate) fn refuse(&mut self, status: u16, retry_after: Option<Duration>) {
        let failure = DialFailure::new(DialError::Status, "");
        self.fail_with(DialFailure { status: Some(status), retry_after, ..failure });
    }

    /// The transport is reset.
    #[track_caller]
    pub(crate) fn reset(&mut self) {
        self.end(EndKind::Reset);
    }

    #[track_caller]
    pub(crate) fn end(&mut self, kind: EndKind) {
        self.done(Event::Ended { transport: self.transport(), end: End::new(kind) });
    }

    #[track_caller]
    pub(crate) fn receive(&mut self, frame: Frame) {
        self.done(Event::Received { transport: self.transport(), frame });
    }

    #[track_caller]
    pub(crate) fn receive_text(&mut self, text: &str) {
        self.receive(Frame::Text(text.into()));
    }

    /// The peer closes.
    #[track_caller]
    pub(crate) fn peer_closes(&mut self, code: u16) {
        self.receive(Frame::Close(Some(CloseFrame::new(code, ""))));
    }

    #[track_caller]
    pub(crate) fn hear(&mut self) {
        self.done(Event::Heard { transport: self.transport() });
    }

    #[track_caller]
    pub(crate) fn violate(&mut self, code: u16) {
        let violation = Violation { code, detail: "for a test".into() };
        self.done(Event::Violated { transport: self.transport(), violation });
    }

    #[track_caller]
    pub(crate) fn flush(&mut self, through: u64) {
        self.done(Event::Flushed { transport: self.transport(), through });
    }

    #[track_caller]
    pub(crate) fn close(&mut self) {
        self.done(Event::Close(CloseFrame::new(1000, "bye")));
    }

    #[track_caller]
    pub(crate) fn drain(&mut self, timeout: Option<Duration>) {
        self.done(Event::Drain { timeout, close: CloseFrame::new(1000, "") });
    }

    #[track_caller]
    pub(crate) fn choose(&mut self, attempt: u32, choice: RetryChoice) {
        self.done(Event::Retry { attempt, choice });
    }

    /// Sends; the message must be accepted.
    #[track_caller]
    pub(crate) fn send(&mut self, message: impl Into<Outgoing>) -> Seq {
        match self.handle(Event::Send(message.into())) {
            Ok(Accepted::Message(seq)) => seq,
            other => panic!("not accepted: {other:?}"),
        }
    }

    /// Sends a text of that class.
    #[track_caller]
    pub(crate) fn send_as(&mut self, text: &'static str, class: Class) -> Seq {
        self.send(Outgoing::new(text).class(class))
    }

    /// Sends; the message must be refused.
    #[track_caller]
    pub(crate) fn refused(&mut self, message: impl Into<Outgoing>) -> Rejected {
        self.handle(Event::Send(message.into())).expect_err("the message was accepted")
    }

    // --- the driver ---------------------------------------------------------------------------

    #[track_caller]
    fn drain_actions(&mut self) {
        for _ in 0..TOO_MANY {
            match self.connection.poll() {
                Action::Wait { until, why } => {
                    assert_eq!(self.connection.poll(), Action::Wait { until, why });
                    self.wait = until.zip(why);
                    if !self.peer_reacts() {
                        return;
                    }
                }
                action => self.act(action),
            }
        }
        panic!("the actions do not end");
    }

    #[track_caller]
    fn act(&mut self, action: Action) {
        match action {
            Action::Dial { transport, attempt } => {
                let transport = transport.get();
                assert_eq!(self.live, None, "two transports at once");
                assert!(transport > self.last_id, "an id was used again");
                assert!(!self.finished, "a dial after the end");
                self.live = Some(transport);
                self.opened = false;
                self.last_id = transport;
                self.last_index = 0;
                self.unflushed = None;
                self.asked.clear();
                self.dials.push(Dial { at: self.now, transport, attempt });
            }
            Action::Write { transport, index, frame } => {
                let transport = transport.get();
                assert_eq!(self.live, Some(transport), "a write to no live transport");
                assert!(self.opened, "a write before the transport was open");
                self.last_index += 1;
                assert_eq!(index, self.last_index, "writes are numbered without gaps");
                self.unflushed = Some(index);
                if let Frame::Ping(payload) = &frame
                    && self.pongs
                {
                    self.asked.push(payload.clone());
                }
                self.writes.push(Write { at: self.now, transport, index, frame });
            }
            Action::Abort { transport } => {
                let transport = transport.get();
                // A transport that opened too late is refused by the same action.
                if self.live == Some(transport) {
                    self.live = None;
                }
                self.aborts.push(transport);
            }
            Action::Notify(notice) => {
                assert!(!self.finished, "a notice after the end: {notice:?}");
                self.finished = matches!(notice, Notice::Closed(_));
                self.notices.push(notice);
            }
            Action::Wait { .. } => unreachable!("handled by the caller"),
        }
    }

    /// Flushes, and answers pings, if told to. Says whether anything was done.
    fn peer_reacts(&mut self) -> bool {
        let transport = self.transport();
        if self.live.is_none() {
            return false;
        }
        let mut events = Vec::new();
        if self.flushes
            && let Some(through) = self.unflushed.take()
        {
            events.push(if self.capabilities.flush_reports {
                Event::Flushed { transport, through }
            } else {
                Event::Buffered { transport, bytes: 0 }
            });
        }
        for payload in take(&mut self.asked) {
            events.push(Event::Received { transport, frame: Frame::Pong(payload) });
        }
        let any = !events.is_empty();
        for event in events {
            let _ = self.connection.handle(self.now, event);
        }
        any
    }

    /// `accepted` is the sum of everything that may become of a message.
    #[track_caller]
    fn check_balance(&self) {
        let status = self.connection.status();
        let counters = status.counters;
        let ended = counters.flushed
            + counters.acknowledged
            + counters.uncertain
            + counters.expired
            + counters.dropped
            + counters.cancelled;
        let held = u64::try_from(status.queued + status.in_flight).expect("few");
        assert_eq!(counters.accepted, ended + held, "the books do not balance: {counters:?}");
        let limits = &self.connection.config().outbox;
        let outbox = &self.connection.outbox;
        assert!(outbox.living() <= limits.max_messages);
        assert!(outbox.living_bytes() <= limits.max_bytes);
        assert!(status.queued + status.in_flight - outbox.living() <= 128);
        assert!(status.buffered_amount <= status.outbox_bytes);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("a short time")
}

/// A text message as the peer sends it.
pub(crate) fn text(text: &str) -> Frame {
    Frame::Text(text.into())
}

pub(crate) fn payload(size: usize) -> Payload {
    Payload::from(alloc::vec![0_u8; size])
}
