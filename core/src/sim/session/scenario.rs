//! A script carried out on a session: the application's hands, and the peer's.

mod settle;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;

use super::step::{Saying, SessionStep};
use super::words::{LARGE, PATTERNS, odd_request, request, subscription, text};
use super::{CheckedSession, SessionSetup, SessionStats};
use crate::action::Action;
use crate::bus::{Pattern, SubscriberId};
use crate::connection::Connection;
use crate::dialect::BuiltIn;
use crate::error::{Accepted, Rejected};
use crate::event::{Event, Outgoing, Seq, TransportId};
use crate::frame::Frame;
use crate::notice::Message;
use crate::phase::Phase;
use crate::requests::{Correlation, RequestId};
use crate::session::{Decision, Door, Output, Verdict};
use crate::sim::{Clock, Driver, Scenario, Step, Violation, Whom, violation};
use crate::subscriptions::SubscriptionId;
use crate::time::Instant;

/// More polls than any step may ask for.
const TOO_MANY: usize = 100_000;

/// The scenario of the connection as the session's door: the peer remembers what passes.
struct Hand<'a>(&'a mut Scenario);

impl Door for Hand<'_> {
    type Dialect = BuiltIn;

    fn connection(&self) -> &Connection<BuiltIn> {
        self.0.driver().checked().connection()
    }

    fn handle(&mut self, now: Instant, event: Event) -> Result<Accepted, Rejected> {
        self.0.handle_at(now, event)
    }

    fn poll(&mut self) -> Action {
        self.0.poll()
    }
}

/// A session over a connection, both under their checkers, and as much of an application and of a
/// peer as the steps speak of.
///
/// ```
/// use perennial_core::sim::{Choices, SessionScenario, SessionSetup, SessionStep};
///
/// let mut choices = Choices::from_seed(7);
/// let mut scenario = SessionScenario::new(&SessionSetup::choose(&mut choices), 7);
/// for _ in 0..200 {
///     // Every invariant is checked after every step.
///     scenario.step(SessionStep::choose(&mut choices))?;
/// }
/// scenario.settle()?;
/// # Ok::<(), perennial_core::sim::Violation>(())
/// ```
#[derive(Clone, Debug)]
pub struct SessionScenario {
    base: Scenario,
    session: CheckedSession,
    correlation: Correlation,
    lazy: bool,
    /// What the session's last wait said.
    deadline: Option<Instant>,
    /// The last write that was flushed.
    flushed: u64,
    /// What was given a name so far.
    names: u64,
    requests: Vec<RequestId>,
    subscriptions: Vec<SubscriptionId>,
    /// Those of them that cannot be said.
    large: Vec<SubscriptionId>,
    listeners: Vec<SubscriberId>,
    /// What the application was asked.
    login: Option<TransportId>,
    looks: VecDeque<Message>,
    queue: Option<TransportId>,
    stats: SessionStats,
    /// What the session said, if that is kept.
    log: Option<Vec<(Instant, Output)>>,
}

/// Runs the steps; every invariant is checked after each.
///
/// # Errors
/// The first invariant that is violated.
pub fn run(
    setup: &SessionSetup,
    seed: u64,
    steps: &[SessionStep],
) -> Result<SessionStats, Violation> {
    let mut scenario = SessionScenario::new(setup, seed);
    for step in steps {
        scenario.step(*step)?;
    }
    Ok(*scenario.stats())
}

impl SessionScenario {
    /// A session and a connection that were just made.
    ///
    /// # Panics
    /// If the session's config is not valid, which no setup may bring about.
    #[must_use]
    pub fn new(setup: &SessionSetup, seed: u64) -> Self {
        let base = Scenario::untouched(setup.config(), seed);
        let config = setup.session();
        let correlation = config.correlation.clone();
        let now = base.driver().now();
        let mut scenario = Self {
            base,
            session: CheckedSession::new(config, now).expect("every setup is valid"),
            correlation,
            lazy: false,
            deadline: None,
            flushed: 0,
            names: 0,
            requests: Vec::new(),
            subscriptions: Vec::new(),
            large: Vec::new(),
            listeners: Vec::new(),
            login: None,
            looks: VecDeque::new(),
            queue: None,
            stats: SessionStats::default(),
            log: None,
        };
        // What is broken already is found at the first step.
        let _ = scenario.drain();
        scenario
    }

    /// Keeps what the session says from now on.
    pub fn keep(&mut self) {
        self.log = Some(Vec::new());
    }

    /// What was kept, with the time that the driver's clock showed.
    #[must_use]
    pub fn log(&self) -> &[(Instant, Output)] {
        self.log.as_deref().unwrap_or_default()
    }

    /// The driver of the connection.
    #[must_use]
    pub fn driver(&self) -> &Driver<BuiltIn> {
        self.base.driver()
    }

    /// The session, under its checker.
    #[must_use]
    pub fn session(&self) -> &CheckedSession {
        &self.session
    }

    /// What the session's run met so far.
    #[must_use]
    pub fn stats(&self) -> &SessionStats {
        &self.stats
    }

    /// Plants a fault in the session.
    #[cfg(perennial_planted)]
    pub fn plant(&mut self, fault: crate::planted::Fault) {
        self.session.plant(fault);
    }

    /// Carries out a step.
    ///
    /// # Errors
    /// The first invariant that is violated.
    pub fn step(&mut self, step: SessionStep) -> Result<(), Violation> {
        self.stats.calls += 1;
        match step {
            SessionStep::Connection(step) => self.connection_step(step),
            SessionStep::Oblige => self.oblige(),
            SessionStep::Cut => {
                self.step(SessionStep::Connection(Step::Ended(Whom::Current)))?;
                self.step(SessionStep::Oblige)?;
                self.oblige();
            }
            SessionStep::Hear(saying) => self.hear(saying),
            SessionStep::Subscribe(kind, patience) => {
                self.names += 1;
                let wanted = subscription(self.names, kind, patience);
                let now = self.now();
                let result = self.session.subscribe(&mut Hand(&mut self.base), now, wanted);
                self.large.extend(result.as_ref().ok().filter(|_| kind == LARGE));
                self.subscriptions.extend(result);
            }
            SessionStep::Unsubscribe(but) => {
                if let Some(id) = last(&self.subscriptions, but) {
                    let now = self.now();
                    self.session.unsubscribe(&mut Hand(&mut self.base), now, id);
                }
            }
            SessionStep::Ask(class, timeout) => {
                self.ask(request(&self.correlation, class, timeout));
            }
            SessionStep::AskOdd(kind) => self.ask(odd_request(kind)),
            SessionStep::GiveUp(but) => self.give_up(but),
            SessionStep::Burst(count, class) => {
                for _ in 0..=count {
                    self.ask(request(&self.correlation, class, None));
                    self.give_up(0);
                }
            }
            SessionStep::Listen(kind) => {
                let separator = self.session.separator();
                let text = PATTERNS.get(usize::from(kind));
                let pattern = text.and_then(|text| Pattern::parse(text, separator).ok());
                let pattern = pattern.unwrap_or_else(Pattern::unrouted);
                self.listeners.push(self.session.listen(&pattern));
            }
            SessionStep::Unlisten(but) => {
                if let Some(id) = last(&self.listeners, but) {
                    self.session.unlisten(id);
                }
            }
            SessionStep::Login(before, count, verdict) => self.answer_login(before, count, verdict),
            SessionStep::Look(pass) => self.look(pass),
            SessionStep::LookAtQueue(drop, last_first) => self.look_at_queue(drop, last_first),
            SessionStep::Leave => self.session.close(&mut Hand(&mut self.base)),
        }
        if self.lazy { self.check() } else { self.drain() }
    }

    fn now(&self) -> Instant {
        self.base.driver().now()
    }

    /// Whether every invariant held so far, of the session and of the connection.
    ///
    /// # Errors
    /// The first violation.
    pub fn check(&self) -> Result<(), Violation> {
        self.base.driver().check()?;
        self.session.check()
    }

    fn connection_step(&mut self, step: Step) {
        match step {
            Step::Pass(clock) | Step::Tick(clock) => self.base.pass(clock, self.deadline),
            Step::Lazy(lazy) => self.lazy = lazy,
            Step::Poll(count) => (0..=count).for_each(|_| {
                self.poll();
            }),
            // That is the session's to do.
            Step::Release(_) => return,
            // The largest id: nothing could be said after it.
            Step::SendOdd(kind) if kind % 7 == 5 => return,
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
            | Step::Refuse(..)
            | Step::Close(_)
            | Step::Drain(_)
            | Step::Reconnect
            | Step::Retry(..)
            | Step::Pause
            | Step::Resume => {}
        }
        if let Step::Flushed(Whom::Current, 0) = step {
            self.flushed = self.base.written;
        }
        if let Some(event) = self.base.event(step) {
            self.handle(event);
        }
    }

    fn handle(&mut self, event: Event) {
        self.base.note_event(&event);
        let now = self.now();
        let result = self.session.handle(&mut Hand(&mut self.base), now, event);
        self.base.note_result(&result);
    }

    /// Whatever comes next where nothing goes wrong.
    fn oblige(&mut self) {
        let step = if let Some(transport) = self.login {
            self.login = None;
            let send = [self.message("user")].into();
            let verdict = Some(Verdict::Good);
            return self.decide(Decision::Login { transport, send, verdict });
        } else if !self.looks.is_empty() {
            return self.look(true);
        } else if self.queue.is_some() {
            return self.look_at_queue(0, false);
        } else if matches!(self.base.driver.checked().connection().phase, Phase::Dialing) {
            Step::Opened(Whom::Current, 0)
        } else if self.flushed < self.base.written {
            Step::Flushed(Whom::Current, 0)
        } else {
            Step::Tick(Clock::Deadline)
        };
        self.connection_step(step);
    }

    fn hear(&mut self, saying: Saying) {
        let but = match saying {
            Saying::Answer(but, _) => but,
            Saying::AnyAnswer(..)
            | Saying::Confirm(_)
            | Saying::Refuse(_)
            | Saying::News(_)
            | Saying::Odd(_) => 0,
        };
        let id = last(&self.requests, but).map_or(1, RequestId::get);
        let text = text(saying, &self.correlation, id);
        if let Some(transport) = self.base.id(Whom::Current) {
            self.handle(Event::Received { transport, frame: Frame::Text(text.into()) });
        }
    }

    fn ask(&mut self, request: crate::requests::Request) {
        let now = self.now();
        let result = self.session.request(&mut Hand(&mut self.base), now, request);
        self.requests.extend(result);
    }

    fn give_up(&mut self, but: u8) {
        if let Some(id) = last(&self.requests, but) {
            let now = self.now();
            self.session.cancel(&mut Hand(&mut self.base), now, id);
        }
    }

    fn decide(&mut self, decision: Decision) {
        let now = self.now();
        self.session.decide(&mut Hand(&mut self.base), now, decision);
    }

    fn message(&mut self, what: &str) -> Outgoing {
        self.names += 1;
        Outgoing::new(format!("{what} {}", self.names))
    }

    fn answer_login(&mut self, before: bool, count: u8, verdict: u8) {
        let whom = if before { Whom::Past(0) } else { Whom::Current };
        let Some(transport) = self.base.id(whom) else { return };
        let send = (0..count).map(|_| self.message("login")).collect();
        let verdict = match verdict % 16 {
            0..=8 => Some(Verdict::Good),
            9..=12 => None,
            13 | 14 => Some(Verdict::Failed { detail: "no seat".into() }),
            _ => Some(Verdict::Refused { detail: "no such user".into() }),
        };
        if verdict.is_some() && self.login == Some(transport) {
            self.login = None;
        }
        self.decide(Decision::Login { transport, send, verdict });
    }

    fn look(&mut self, pass: bool) {
        let Some(message) = self.looks.pop_front() else { return };
        self.decide(if pass { Decision::Pass(message) } else { Decision::Taken });
    }

    fn look_at_queue(&mut self, drop: u8, last_first: bool) {
        let Some(transport) = self.queue.take() else { return };
        let connection = self.base.driver.checked().connection();
        let queued: Vec<Seq> = connection.queued().map(|queued| queued.seq).collect();
        let first = queued.last().copied().filter(|_| last_first).into_iter().collect();
        let chosen = queued.into_iter().take(8).enumerate().filter(|(at, _)| drop >> at & 3 == 3);
        let drop = chosen.map(|(_, seq)| seq).collect();
        self.decide(Decision::Queue { transport, drop, first });
    }

    /// Takes what the session says, until that is a wait.
    fn drain(&mut self) -> Result<(), Violation> {
        for _ in 0..TOO_MANY {
            let waits = matches!(self.poll(), Output::Action(Action::Wait { .. }));
            self.check()?;
            if waits {
                return Ok(());
            }
        }
        Err(*violation(50, format!("{TOO_MANY} polls do not come to an end")))
    }

    fn poll(&mut self) -> Output {
        let output = self.session.poll(&mut Hand(&mut self.base));
        self.stats.told(&output);
        match &output {
            Output::Action(Action::Wait { until, .. }) => self.deadline = *until,
            Output::Action(Action::Dial { .. }) => self.flushed = 0,
            Output::Action(Action::Write { .. } | Action::Abort { .. } | Action::Notify(_)) => {}
            Output::Login { transport } => self.login = Some(*transport),
            Output::DuringLogin(message) => self.looks.push_back(message.clone()),
            Output::Queue { transport } => self.queue = Some(*transport),
            Output::Deliver(_) | Output::Ended(_) | Output::Told(_) => {}
        }
        let now = self.now();
        if let Some(log) = &mut self.log {
            log.push((now, output.clone()));
        }
        output
    }
}

/// The last but so many.
fn last<T: Copy>(all: &[T], but: u8) -> Option<T> {
    all.iter().rev().nth(usize::from(but)).copied()
}
