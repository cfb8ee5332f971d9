//! The driver that carries out steps under the checker, and what the peer remembers.

use perennial_core::sim::{Checked, Violation};
use perennial_core::{
    Action, BuiltIn, Bytes, Capabilities, Class, CloseFrame, Config, DialError, DialFailure,
    Duration, End, EndKind, Event, Frame, Instant, Notice, Outgoing, Payload, RetryChoice, Seq,
    State, TransportId,
};

pub use crate::step::{Clock, Inbound, Step, Whom};

/// What a run met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events handled.
    pub events: u64,
    /// Actions taken.
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

/// Something that a driver does with a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Touch {
    /// It tells an event, at this time.
    Handle(Instant, Event),
    /// It takes an action.
    Poll,
}

/// A connection and the world around it.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// The connection.
    pub connection: Checked<BuiltIn>,
    /// The driver's clock.
    pub now: Instant,
    /// The latest that the connection was told.
    pub latest: Instant,
    /// What happened so far.
    pub stats: Stats,
    /// Every action taken.
    pub log: Vec<Action>,
    /// Everything that was done with the connection, if that is to be kept.
    pub tape: Option<Vec<Touch>>,
    lazy: bool,
    /// Every transport dialled, the current one last.
    ids: Vec<TransportId>,
    written: u64,
    pings: Vec<Bytes>,
    /// Ids of messages, as the peer reads them.
    acks: Vec<u64>,
    seqs: Vec<Seq>,
    sent: u64,
    deadline: Option<Instant>,
    pending: u32,
}

/// Runs the steps; every invariant is checked after each.
///
/// # Errors
/// The first invariant that is violated.
pub fn run(config: Config, seed: u64, steps: &[Step]) -> Result<Stats, Violation> {
    let mut world = World::new(config, seed);
    for step in steps {
        world.step(*step)?;
    }
    Ok(world.stats)
}

impl World {
    /// A connection that has just been made, a while after the origin of time.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        let now = Instant::from_millis(10_000);
        let dialect = BuiltIn::new(&config.dialect);
        let mut world = Self {
            connection: Checked::new(config, dialect, seed, now),
            now,
            latest: now,
            stats: Stats::default(),
            log: Vec::new(),
            tape: None,
            lazy: false,
            ids: Vec::new(),
            written: 0,
            pings: Vec::new(),
            acks: Vec::new(),
            seqs: Vec::new(),
            sent: 0,
            deadline: None,
            pending: 0,
        };
        world.drain();
        world
    }

    /// Carries out a step.
    ///
    /// # Errors
    /// The first invariant that is violated.
    pub fn step(&mut self, step: Step) -> Result<(), Violation> {
        match step {
            Step::Pass(clock) => self.pass(clock),
            Step::Lazy(lazy) => self.lazy = lazy,
            Step::Poll(count) => {
                for _ in 0..=count {
                    self.poll();
                }
            }
            Step::Tick(clock) => {
                self.pass(clock);
                self.handle(Event::Tick);
            }
            Step::Opened(..)
            | Step::DialFailed(..)
            | Step::Receive(..)
            | Step::Heard(_)
            | Step::Flushed(..)
            | Step::FlushedBeyond(..)
            | Step::Buffered(..)
            | Step::Violated(..)
            | Step::Ended(_) => {
                if let Some(event) = self.transport_event(step) {
                    self.handle(event);
                }
            }
            Step::Send(..)
            | Step::SendOdd(_)
            | Step::Cancel(_)
            | Step::Purge
            | Step::Close(_)
            | Step::Drain(_)
            | Step::Reconnect
            | Step::Retry(..)
            | Step::Pause
            | Step::Resume => {
                if let Some(event) = self.command(step) {
                    self.handle(event);
                }
            }
        }
        if !self.lazy {
            self.drain();
        }
        self.connection.check()
    }

    /// Gives an event to the connection.
    pub fn handle(&mut self, event: Event) {
        self.stats.events += 1;
        self.latest = self.latest.max(self.now);
        if let Some(tape) = &mut self.tape {
            tape.push(Touch::Handle(self.now, event.clone()));
        }
        match self.connection.handle(self.now, event) {
            Ok(perennial_core::Accepted::Message(seq)) => self.seqs.push(seq),
            Ok(_) => {}
            Err(_) => self.stats.rejected += 1,
        }
    }

    /// Takes actions until there are none. Returns them.
    pub fn drain(&mut self) -> Vec<Action> {
        let from = self.log.len();
        // Bounded, should `poll` never end.
        for _ in 0..100_000 {
            if matches!(self.poll(), Action::Wait { .. }) {
                return self.log[from..].to_vec();
            }
        }
        panic!("poll does not come to an end");
    }

    /// Takes one action.
    pub fn poll(&mut self) -> Action {
        let action = self.connection.poll();
        if let Some(tape) = &mut self.tape {
            tape.push(Touch::Poll);
        }
        self.stats.actions += 1;
        match &action {
            Action::Dial { transport, .. } => {
                self.stats.dials += 1;
                self.ids.push(*transport);
                self.written = 0;
                self.pings.clear();
            }
            Action::Write { index, frame, .. } => {
                self.stats.writes += 1;
                self.written = *index;
                self.read(frame);
            }
            Action::Wait { until, .. } => self.deadline = *until,
            Action::Notify(notice) => self.told(notice),
            Action::Abort { .. } => {}
        }
        if !matches!(action, Action::Wait { .. }) {
            self.log.push(action.clone());
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
                    self.acks.push(id);
                }
            }
            Frame::Binary(_) | Frame::Pong(_) | Frame::Close(_) => {}
        }
    }

    fn told(&mut self, notice: &Notice) {
        let stats = &mut self.stats;
        match notice {
            Notice::StateChanged { to, .. } => stats.opened += u64::from(*to == State::Open),
            Notice::Retrying { attempt, .. } => self.pending = *attempt,
            Notice::Suspended { .. } => stats.suspended += 1,
            Notice::Message(_) => stats.messages += 1,
            Notice::Duplicate { .. } => stats.duplicates += 1,
            Notice::Acknowledged { .. } => stats.acknowledged += 1,
            Notice::Undelivered { .. } => stats.undelivered += 1,
            Notice::Pong { .. } => stats.pongs += 1,
            Notice::Dead { .. } => stats.dead += 1,
            Notice::Warning(perennial_core::Warning::ClockJump { .. }) => stats.jumps += 1,
            Notice::Closed(_) => stats.closed += 1,
            Notice::Dialing { .. }
            | Notice::Flushed { .. }
            | Notice::Writable
            | Notice::Warning(_) => {}
        }
    }

    fn pass(&mut self, clock: Clock) {
        let deadline = self.deadline.unwrap_or(self.now).max(self.now);
        let ms = |millis: u8| Duration::from_millis(u64::from(millis));
        self.now = match clock {
            Clock::Deadline => deadline,
            Clock::Late(late) => deadline + ms(late),
            Clock::Early => self.now + (deadline - self.now) / 2,
            Clock::By(by) => self.now + ms(by),
            Clock::Back(by) => {
                Instant::from_nanos(self.now.as_nanos().saturating_sub(u64::from(by) * 1_000_000))
            }
            Clock::Jump(seconds) => self.now + Duration::from_secs(u64::from(seconds)),
        };
    }

    fn id(&self, whom: Whom) -> Option<TransportId> {
        let last = self.ids.len().checked_sub(1)?;
        match whom {
            Whom::Current => Some(self.ids[last]),
            Whom::Past(back) => self.ids.get(last.checked_sub(1 + usize::from(back))?).copied(),
            Whom::Future(on) => {
                // The core alone mints ids; serde is how a number becomes one.
                let id = self.ids[last].get() + 1 + u64::from(on);
                serde_json::from_value(id.into()).ok()
            }
        }
    }

    fn transport_event(&mut self, step: Step) -> Option<Event> {
        Some(match step {
            Step::Opened(whom, lacks) => Event::Opened {
                transport: self.id(whom)?,
                capabilities: Capabilities {
                    protocol_ping: lacks & 1 == 0,
                    answers_pings: lacks & 2 == 0,
                    flush_reports: lacks & 4 == 0,
                },
            },
            Step::DialFailed(whom, kind, asked) => {
                Event::DialFailed { transport: self.id(whom)?, failure: failure(kind, asked) }
            }
            Step::Receive(whom, inbound) => {
                Event::Received { transport: self.id(whom)?, frame: self.frame(inbound)? }
            }
            Step::Heard(whom) => Event::Heard { transport: self.id(whom)? },
            Step::Flushed(whom, but) => Event::Flushed {
                transport: self.id(whom)?,
                through: self.written.saturating_sub(u64::from(but)),
            },
            Step::FlushedBeyond(whom, by) => Event::Flushed {
                transport: self.id(whom)?,
                through: self.written.saturating_add(1 + u64::from(by)),
            },
            Step::Buffered(whom, bytes) => {
                Event::Buffered { transport: self.id(whom)?, bytes: u64::from(bytes) }
            }
            Step::Violated(whom, code) => Event::Violated {
                transport: self.id(whom)?,
                violation: perennial_core::Violation { code, detail: "nonsense".into() },
            },
            Step::Ended(whom) => {
                Event::Ended { transport: self.id(whom)?, end: End::new(EndKind::Eof) }
            }
            _ => return None,
        })
    }

    fn frame(&self, inbound: Inbound) -> Option<Frame> {
        let ack = |id: u64, cumulative: bool| {
            let cumulative = if cumulative { r#","cumulative":true"# } else { "" };
            Frame::Text(format!(r#"{{"ack":{id}{cumulative}}}"#).into())
        };
        let last = |len: usize, but: u8| len.checked_sub(1 + usize::from(but));
        Some(match inbound {
            Inbound::Message(Some(id)) => Frame::Text(format!(r#"{{"id":{id}}}"#).into()),
            Inbound::Message(None) => Frame::Text("news".into()),
            Inbound::Binary(size) => Frame::Binary(vec![7; usize::from(size)].into()),
            Inbound::Ping => Frame::Ping(Bytes::from_static(b"you?")),
            Inbound::Pong(but) => Frame::Pong(self.pings[last(self.pings.len(), but)?].clone()),
            Inbound::WrongPong(nonce) => Frame::Pong(nonce.to_be_bytes().to_vec().into()),
            Inbound::DialectPing => Frame::Text(self.heartbeat(true)),
            Inbound::DialectPong => Frame::Text(self.heartbeat(false)),
            Inbound::Ack(but, cumulative) => {
                ack(self.acks[last(self.acks.len(), but)?], cumulative)
            }
            Inbound::AnyAck(id, cumulative) => ack(id, cumulative),
            Inbound::BadAck => Frame::Text(r#"{"ack":-1.5}"#.into()),
            Inbound::Deep => Frame::Text(r#"{"a":[[[[[[]]]]]]}"#.into()),
            Inbound::Close(code) => Frame::Close(code.map(|code| CloseFrame::new(code, "bye"))),
        })
    }

    /// The peer's ping or pong, in the words of the dialect.
    #[must_use]
    pub fn heartbeat(&self, ping: bool) -> perennial_core::ByteString {
        use perennial_core::{DialectConfig, HeartbeatFrames};
        let word = |yes: &str, no: &str| if ping { yes.to_string() } else { no.to_string() };
        match &self.connection.connection().config().dialect {
            DialectConfig::Json(json) => match &json.heartbeat {
                HeartbeatFrames::Json { ping, pong, .. } => {
                    format!(r#"{{"type":"{}"}}"#, word(ping, pong)).into()
                }
                HeartbeatFrames::Literals { ping, pong } => word(ping, pong).into(),
                HeartbeatFrames::None => word("ping", "pong").into(),
            },
            DialectConfig::Text { ping, pong } => word(ping, pong).into(),
            DialectConfig::Plain | DialectConfig::Custom => word("ping", "pong").into(),
        }
    }

    fn command(&mut self, step: Step) -> Option<Event> {
        Some(match step {
            Step::Send(size, class, ttl) => Event::Send(self.outgoing(size, class, ttl)),
            Step::SendOdd(kind) => Event::Send(self.odd(kind)),
            Step::Cancel(but) => {
                let at = self.seqs.len().checked_sub(1 + usize::from(but))?;
                Event::Cancel(self.seqs[at])
            }
            Step::Purge => Event::Purge,
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
            _ => return None,
        })
    }

    /// A message that differs from all others.
    fn outgoing(&mut self, size: u8, class: u8, ttl: Option<u8>) -> Outgoing {
        self.sent += 1;
        let text = format!("{}", self.sent);
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
        }
    }

    fn odd(&mut self, kind: u8) -> Outgoing {
        self.sent += 1;
        let payload = match kind % 7 {
            0 => Payload::from(""),
            1 => Payload::from(format!(r#"{{"id":{}}}"#, self.sent % 5)),
            2 => Payload::from(self.heartbeat(true)),
            3 => Payload::from(vec![0_u8; 9]),
            4 => Payload::from(vec![0_u8; 2_000]),
            5 => Payload::from(format!(r#"{{"id":{}}}"#, u64::MAX)),
            _ => Payload::from("the same"),
        };
        let class = if kind & 8 == 0 { None } else { Some(Class::Acknowledged) };
        Outgoing { payload, class, ttl: None }
    }
}

fn failure(kind: u8, asked: u16) -> DialFailure {
    let status = |status: u16| DialFailure {
        status: Some(status),
        retry_after: Some(Duration::from_millis(asked.into())),
        ..DialFailure::new(DialError::Status, "")
    };
    match kind % 12 {
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
