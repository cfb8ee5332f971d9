//! What stands between a driver and its connection: subscriptions that are said again, requests and
//! their answers, a message bus, and what must come before the queue after each open.
//!
//! A [`Session`] has the door of a [`Connection`](crate::Connection) and passes events in and actions
//! out. It is as pure: no clock, no randomness, no waiting. On the way
//!
//! * a message that answers a [request](crate::requests) ends that;
//! * a message that [subscribers](crate::bus) want is theirs; every other one is the application's,
//!   as without a session;
//! * after each open, before anything that is queued, in this order: the application's login; the
//!   live [`subscriptions`], as they were made, and their confirmations; the
//!   requests of class acknowledged that were sent and not answered; a look of the application at the
//!   queue.
//!
//! The connection's config must have `opening.hold` on, or the queue does not wait. What the session
//! sends by itself counts among the connection's messages and ends in no notice: of a request one
//! hears how it ended, of a subscription whether it was confirmed.

mod door;
mod inbound;
mod opening;
mod output;
#[cfg(perennial_planted)]
mod planted;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

pub use door::Door;
use opening::{Said, Stage};
pub use output::{Asks, Decision, Flushes, Output, SessionStatus, Unconfirmed, Unrouted, Verdict};

use crate::action::Action;
use crate::bus::{Bus, Pattern, Routing, SubscriberId};
use crate::config::ConfigError;
use crate::error::{Accepted, Rejected};
use crate::event::{Event, Outgoing, Seq, TransportId};
use crate::notice::{Message, Notice, ReadyState};
use crate::requests::{self, Correlation, Request, RequestId, RequestRejected, Requests};
use crate::subscriptions::{
    self, Subscription, SubscriptionId, SubscriptionRejected, Subscriptions,
};
use crate::time::Instant;

/// What a session is made with.
#[derive(Clone, Debug, Default)]
pub struct SessionConfig {
    /// How a message's topic is found. Default: the JSON field `type`.
    pub routing: Routing,
    /// How an answer finds its request. Default: JSON-RPC 2.0.
    pub correlation: Correlation,
    /// How many requests there may be, and how long they may take.
    pub requests: requests::Limits,
    /// How many subscriptions there may be.
    pub subscriptions: subscriptions::Limits,
    /// What becomes of the connection when a subscription is refused or not confirmed.
    pub unconfirmed: Unconfirmed,
    /// What becomes of a message that no subscriber wants.
    pub unrouted: Unrouted,
    /// Whether the application is told of each message that was flushed.
    pub flushes: Flushes,
    /// What the application wants to be asked.
    pub asks: Asks,
}

/// The layer between a driver and its connection: see the [module](self).
#[derive(Clone, Debug)]
pub struct Session {
    config: SessionConfig,
    now: Instant,
    bus: Bus,
    requests: Requests,
    subscriptions: Subscriptions,
    /// The open transport.
    transport: Option<TransportId>,
    stage: Stage,
    /// Until when the queue waits for confirmations.
    patience: Instant,
    outputs: VecDeque<Output>,
    /// What the connection is to be told, once it takes events again.
    orders: VecDeque<Event>,
    /// What the application said to its login, and was not looked at.
    said: VecDeque<Said>,
    /// What came during the login and is none of its own.
    passed: VecDeque<Message>,
    /// How many messages were given out to be looked at and are not answered for. Whatever comes
    /// meanwhile goes the same way, or it would overtake them.
    shown: usize,
    /// The closed notice, while some of these came before it.
    end: Option<Notice>,
    /// For whom the last message to deliver is.
    matched: Vec<SubscriberId>,
    /// Messages of a login that have not ended.
    login: BTreeSet<Seq>,
    /// Whether there ever was a request.
    asked: bool,
    /// How many messages nobody wanted.
    discarded: u64,
    #[cfg(perennial_planted)]
    planted: Option<crate::planted::Fault>,
    /// What was taken back, for the fault that says it once more.
    #[cfg(perennial_planted)]
    ghosts: Vec<crate::frame::Payload>,
}

/// Why there is no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// It cannot be one, or there are too many.
    Rejected(RequestRejected),
    /// The connection did not take its message. The request comes back.
    NotSent {
        /// The request.
        request: Request,
        /// Why its message was not taken.
        rejected: Box<Rejected>,
    },
}

impl Session {
    /// A session for a connection that was just made.
    ///
    /// # Errors
    /// [`ConfigError`] with the first field that breaks a rule.
    pub fn new(config: SessionConfig, now: Instant) -> Result<Self, ConfigError> {
        Ok(Self {
            now,
            bus: Bus::new(config.routing.clone()),
            requests: Requests::new(config.correlation.clone(), config.requests)?,
            subscriptions: Subscriptions::new(config.subscriptions)?,
            config,
            transport: None,
            stage: Stage::Down,
            patience: now,
            outputs: VecDeque::new(),
            orders: VecDeque::new(),
            said: VecDeque::new(),
            passed: VecDeque::new(),
            shown: 0,
            end: None,
            matched: Vec::new(),
            login: BTreeSet::new(),
            asked: false,
            discarded: 0,
            #[cfg(perennial_planted)]
            planted: None,
            #[cfg(perennial_planted)]
            ghosts: Vec::new(),
        })
    }

    /// As [`Connection::handle`](crate::Connection::handle), through this session.
    ///
    /// # Errors
    /// As there.
    pub fn handle(
        &mut self,
        door: &mut impl Door,
        now: Instant,
        event: Event,
    ) -> Result<Accepted, Rejected> {
        self.now = self.now.max(now);
        let pauses = matches!(event, Event::PauseReads);
        let is_of_reading = pauses || matches!(event, Event::ResumeReads);
        let result = door.handle(now, event);
        if is_of_reading && result.is_ok() && !planted!(self, DeafIsLate) {
            self.subscriptions.set_deaf(self.now, pauses);
        }
        result
    }

    /// The next thing to do, to tell or to ask. Ends in the `Wait` of the connection, whose deadline
    /// is the earlier one of both; come back with [`Event::Tick`] then.
    pub fn poll(&mut self, door: &mut impl Door) -> Output {
        loop {
            // There is nothing of the kind as a rule, and each message comes by here twice.
            if !self.is_empty() {
                if let Some(output) = self.outputs.pop_front() {
                    return output;
                }
                if let Some(message) = self.passed.pop_front() {
                    if let Some(output) = self.sort(door, message) {
                        return output;
                    }
                    continue;
                }
                if self.shown == 0
                    && let Some(end) = self.end.take()
                {
                    self.finish(door, end);
                    continue;
                }
                self.carry_out(door);
            }
            match door.poll() {
                Action::Notify(Notice::Message(message)) => {
                    if let Some(output) = self.take(door, message) {
                        return output;
                    }
                }
                Action::Notify(notice) => {
                    if let Some(output) = self.note(door, notice) {
                        return output;
                    }
                }
                Action::Wait { until, why } => {
                    let mut own = self.deadline();
                    if !self.is_at_rest(own) {
                        if self.go_on(door) {
                            continue;
                        }
                        own = self.deadline();
                    }
                    return Output::Action(match own {
                        Some(own) if until.is_none_or(|until| own < until) => {
                            Action::Wait { until: Some(own), why: None }
                        }
                        Some(_) | None => Action::Wait { until, why },
                    });
                }
                action @ (Action::Dial { .. } | Action::Write { .. } | Action::Abort { .. }) => {
                    return Output::Action(action);
                }
            }
        }
    }

    /// Whether nothing waits to be polled, or to be told the connection.
    fn is_empty(&self) -> bool {
        self.outputs.is_empty()
            && self.passed.is_empty()
            && self.orders.is_empty()
            && self.end.is_none()
    }

    /// Whether [`go_on`](Self::go_on) would change nothing, with this deadline.
    fn is_at_rest(&self, deadline: Option<Instant>) -> bool {
        self.is_empty()
            && self.said.is_empty()
            && deadline.is_none_or(|deadline| deadline > self.now)
            && match self.stage {
                Stage::Down | Stage::Login | Stage::Queue => true,
                Stage::Subscribing | Stage::Asking => false,
                Stage::Over => self.subscriptions.has_said_all(),
            }
    }

    /// Does what there is to do when the connection has nothing more. What was received has been seen
    /// by then, so nothing is late that came in time. Returns whether that left something to be polled.
    fn go_on(&mut self, door: &mut impl Door) -> bool {
        self.fire_due(door)
            || self.carry_out(door)
            || self.take_said(door)
            || self.advance(door)
            || !self.outputs.is_empty()
    }

    /// Says what [`Output::Login`], [`Output::DuringLogin`] and [`Output::Queue`] ask.
    pub fn decide(&mut self, door: &mut impl Door, now: Instant, decision: Decision) {
        self.now = self.now.max(now);
        match decision {
            Decision::Login { transport, send, verdict } => {
                self.said.push_back(Said { transport, send, verdict });
            }
            Decision::Pass(message) => {
                self.shown = self.shown.saturating_sub(1);
                self.passed.push_back(message);
            }
            Decision::Taken => self.shown = self.shown.saturating_sub(1),
            Decision::Queue { transport, drop, first } => {
                self.looked_at_queue(door, transport, drop, first);
            }
        }
    }

    /// Asks the peer something. [`Output::Ended`] tells the answer, or what else became of it.
    ///
    /// # Errors
    /// [`RequestError`] gives the request back; nothing was sent.
    pub fn request(
        &mut self,
        door: &mut impl Door,
        now: Instant,
        request: Request,
    ) -> Result<RequestId, RequestError> {
        self.now = self.now.max(now);
        #[cfg(perennial_planted)]
        let request = self.misclassed(request);
        let issued =
            self.requests.issue(self.now, request.clone()).map_err(RequestError::Rejected)?;
        // An acknowledged one is sent again by the session, not by the outbox.
        let message = Outgoing::new(issued.payload).class(issued.class);
        match door.handle(now, Event::Send(message)) {
            Ok(Accepted::Message(seq)) => {
                self.asked = true;
                self.requests.sent(issued.id, seq);
                Ok(issued.id)
            }
            Ok(Accepted::Done | Accepted::Stale) => {
                unreachable!("every message that is taken gets a name")
            }
            Err(rejected) => {
                self.requests.unsent(issued.id);
                Err(RequestError::NotSent { request, rejected: Box::new(rejected) })
            }
        }
    }

    /// Gives a request up. What was not sent yet is not sent. Its end is told, if it has not ended.
    pub fn cancel(&mut self, door: &mut impl Door, now: Instant, request: RequestId) {
        self.now = self.now.max(now);
        if let Ok(Some(seq)) = self.requests.cancel(request) {
            self.order(door, Event::Cancel(seq));
        }
        self.collect(door);
    }

    /// Says something to the peer now, or once the connection is open, and again after every open
    /// until it is taken back.
    ///
    /// # Errors
    /// [`SubscriptionRejected`] gives it back.
    pub fn subscribe(
        &mut self,
        door: &mut impl Door,
        now: Instant,
        subscription: Subscription,
    ) -> Result<SubscriptionId, SubscriptionRejected> {
        self.now = self.now.max(now);
        let id = self.subscriptions.add(subscription)?;
        self.advance(door);
        Ok(id)
    }

    /// Takes a subscription back: says so to the peer, if it was said, and never says it again.
    pub fn unsubscribe(
        &mut self,
        door: &mut impl Door,
        now: Instant,
        subscription: SubscriptionId,
    ) -> bool {
        self.now = self.now.max(now);
        planted!(self, TakenBackSaid => self.keep_ghost(subscription));
        let known = self.subscriptions.remove(subscription).is_some();
        self.advance(door);
        known
    }

    /// Nobody drives the connection any more: every request ends, and none is taken.
    pub fn close(&mut self, door: &mut impl Door) {
        self.requests.close();
        self.collect(door);
    }

    /// What separates the segments of a topic: see [`Pattern::parse`].
    #[must_use]
    pub fn separator(&self) -> char {
        self.config.routing.separator()
    }

    /// Adds a subscriber to the bus.
    pub fn listen(&mut self, pattern: &Pattern) -> SubscriberId {
        self.bus.subscribe(pattern)
    }

    /// Takes a subscriber off the bus.
    pub fn unlisten(&mut self, subscriber: SubscriberId) -> bool {
        self.bus.unsubscribe(subscriber)
    }

    /// For whom the last [`Output::Deliver`] is, in the order in which they subscribed.
    #[must_use]
    pub fn matched(&self) -> &[SubscriberId] {
        &self.matched
    }

    /// The session in numbers.
    #[must_use]
    pub fn status(&self) -> SessionStatus {
        SessionStatus {
            subscribers: self.bus.len(),
            discarded: self.discarded,
            requests: self.requests.in_flight(),
            stray_answers: self.requests.strays(),
            subscriptions: self.subscriptions.live(),
            unconfirmed: self.subscriptions.unconfirmed(),
        }
    }

    /// Tells the connection something. One that takes no events before its actions are taken is told
    /// then.
    fn order(&mut self, door: &mut impl Door, event: Event) {
        self.orders.push_back(event);
        self.carry_out(door);
    }

    /// Tells the connection what it was not told yet. Returns whether it was told anything.
    fn carry_out(&mut self, door: &mut impl Door) -> bool {
        let mut told = false;
        while let Some(event) = self.orders.pop_front() {
            // A connection that closes is left alone, and one that drains, once its opening is over.
            let connection = door.connection();
            let closes = match connection.ready_state() {
                ReadyState::Connecting | ReadyState::Open => false,
                ReadyState::Closing | ReadyState::Closed => !connection.is_held(),
            };
            let closes = closes && !planted!(self, CloseCalledOff);
            if matches!(event, Event::Refuse { .. }) && closes {
                continue;
            }
            if let Err(Rejected::Busy(event)) = door.handle(self.now, event) {
                self.orders.push_front(event);
                break;
            }
            // What is stale, or has ended meanwhile, changes nothing.
            told = true;
        }
        told
    }

    fn deadline(&self) -> Option<Instant> {
        planted!(self, TimeoutForgotten => return self.subscriptions.deadline());
        let answers = earlier(self.requests.deadline(), self.subscriptions.deadline());
        earlier(answers, self.waits_until())
    }

    /// Lets the deadlines act that have passed. Returns whether one had.
    fn fire_due(&mut self, door: &mut impl Door) -> bool {
        if self.deadline().is_none_or(|deadline| deadline > self.now) {
            return false;
        }
        self.requests.tick(self.now);
        self.subscriptions.tick(self.now);
        self.collect(door);
        true
    }
}

/// The earlier of two deadlines.
fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (deadline, None) | (None, deadline) => deadline,
    }
}
