//! What must come of each call, by the calls and by what passed.

mod due;
mod telling;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::vec::Vec;

use serde_json::Value;

use super::asked::Asked;
use super::order::Order;
use super::reading::{object, response, topic};
use super::standing::Standing;
use super::{Owed, Seen};
use crate::action::Action;
use crate::bus::{Pattern, SubscriberId};
use crate::connection::Connection;
use crate::dialect::Dialect;
use crate::error::{Accepted, Rejected};
use crate::event::{Event, Seq};
use crate::frame::Payload;
use crate::notice::{Message, Notice, ReadyState, State};
use crate::requests::{Correlation, Request, RequestId};
use crate::session::{
    Decision, Flushes, Output, RequestError, SessionConfig, SessionStatus, Unconfirmed, Unrouted,
};
use crate::sim::{Broken, Verdict, demand, violation};
use crate::subscriptions::{News, Subscription, SubscriptionId, SubscriptionRejected, Told};
use crate::time::{Duration, Instant};

/// What has to be seen of the connection itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glimpse {
    /// It closes, or drains and is past its opening.
    closes: bool,
    ahead_room: usize,
    has_queue: bool,
    opening: Duration,
}

impl Glimpse {
    pub(super) fn of<D: Dialect>(connection: &Connection<D>) -> Self {
        Self {
            closes: closes(connection),
            ahead_room: connection.ahead_room(),
            has_queue: connection.queued().next().is_some(),
            opening: connection.config().opening.timeout,
        }
    }
}

/// Whether it ends by itself, so that nothing may cost its transport.
pub(super) fn closes<D: Dialect>(connection: &Connection<D>) -> bool {
    matches!(connection.ready_state(), ReadyState::Closing | ReadyState::Closed)
        && !connection.is_held()
}

/// What a poll says about the last that it took from the connection.
#[derive(Clone, Debug)]
enum Direct {
    Action(Action),
    DuringLogin(Message),
    Deliver(Message, Option<Value>),
}

/// The model of a session.
#[derive(Clone, Debug)]
pub(super) struct Model {
    config: SessionConfig,
    now: Instant,
    asked: Asked,
    standing: Standing,
    order: Order,
    listeners: BTreeMap<SubscriberId, Pattern>,
    /// What is to be said and was not yet.
    owed: Vec<Owed>,
    /// What the connection is to be told and was not yet.
    orders: Vec<Event>,
    /// What the login gave back.
    passed: VecDeque<Message>,
    /// How many messages the login looks at.
    shown: usize,
    /// The closed notice, until all that came before it was told.
    end: Option<Action>,
    discarded: u64,
}

impl Model {
    pub(super) fn new(config: SessionConfig, now: Instant) -> Self {
        Self {
            asked: Asked::new(config.requests),
            standing: Standing::new(config.subscriptions),
            order: Order::new(config.asks),
            config,
            now,
            listeners: BTreeMap::new(),
            owed: Vec::new(),
            orders: Vec::new(),
            passed: VecDeque::new(),
            shown: 0,
            end: None,
            discarded: 0,
        }
    }

    /// The counts are those of the session.
    pub(super) fn agrees(&self, status: &SessionStatus) -> Verdict {
        let own = SessionStatus {
            subscribers: self.listeners.len(),
            discarded: self.discarded,
            requests: self.asked.count(),
            stray_answers: self.asked.strays,
            subscriptions: self.standing.live(),
            unconfirmed: self.standing.unconfirmed(),
        };
        demand!(44, own == *status, "{status:?}, and by what was seen {own:?}");
        Ok(())
    }

    // ---- what the driver does ------------------------------------------------------------------

    fn at(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    pub(super) fn handled(
        &mut self,
        now: Instant,
        event: Event,
        result: &Result<Accepted, Rejected>,
        seen: &[Seen],
    ) -> Verdict {
        self.at(now);
        if result.is_ok() {
            self.standing.event(self.now, &event);
        }
        let expected = Seen::Told(now, event, result.clone());
        let seen = match seen {
            // The application may.
            [Seen::Closes, seen @ ..] | seen => seen,
        };
        demand!(49, seen == [expected], "an event led to {seen:?} and {result:?}");
        Ok(())
    }

    pub(super) fn decided(
        &mut self,
        now: Instant,
        decision: Decision,
        seen: &[Seen],
        glimpse: Glimpse,
    ) -> Verdict {
        self.at(now);
        match decision {
            Decision::Login { transport, send, verdict } => {
                self.order.decided(transport, send, verdict);
            }
            Decision::Pass(message) => {
                self.shown = self.shown.saturating_sub(1);
                self.passed.push_back(message);
            }
            Decision::Taken => self.shown = self.shown.saturating_sub(1),
            Decision::Queue { transport, drop, first } => {
                if self.order.looking && self.order.open == Some(transport) {
                    self.orders.extend(drop.into_iter().map(Event::Cancel));
                    if !first.is_empty() {
                        self.orders.push(Event::Reorder(first));
                    }
                    (self.order.looking, self.order.looked) = (false, true);
                }
            }
        }
        self.told_alone(seen, glimpse)
    }

    pub(super) fn requested(
        &mut self,
        now: Instant,
        request: &Request,
        result: &Result<RequestId, RequestError>,
        seen: &[Seen],
    ) -> Verdict {
        self.at(now);
        match (result, seen) {
            (Ok(id), [Seen::Told(at, Event::Send(message), Ok(Accepted::Message(seq)))])
                if *at == now =>
            {
                let written = self.id(&message.payload);
                demand!(43, written == Some(id.get()), "request {id} bears the id {written:?}");
                self.asked.taken(self.now, *id, *seq, request, message)
            }
            (Err(RequestError::Rejected(why)), []) => self.asked.refused(request, why),
            (
                Err(RequestError::NotSent { request: back, rejected }),
                [Seen::Told(_, Event::Send(message), Err(why))],
            ) => {
                let written = self.id(&message.payload);
                demand!(43, written.is_some_and(|id| self.asked.mint(id)), "the id {written:?}");
                demand!(44, back == request, "{request:?} came back as {back:?}");
                demand!(44, **rejected == *why, "{why:?} was told as {rejected:?}");
                Ok(())
            }
            _ => Err(violation(43, format!("a request led to {seen:?} and {result:?}"))),
        }
    }

    /// The id that a request bears.
    fn id(&self, payload: &Payload) -> Option<u64> {
        let name = match &self.config.correlation {
            Correlation::JsonRpc => "id",
            Correlation::Fields { request, .. } => request,
        };
        object(payload)?.get(name)?.as_u64()
    }

    pub(super) fn cancelled(
        &mut self,
        now: Instant,
        id: RequestId,
        seen: &[Seen],
        glimpse: Glimpse,
    ) -> Verdict {
        self.at(now);
        self.asked.cancel(id, &mut self.owed, &mut self.orders);
        self.told_alone(seen, glimpse)
    }

    pub(super) fn subscribed(
        &mut self,
        now: Instant,
        subscription: &Subscription,
        result: &Result<SubscriptionId, SubscriptionRejected>,
        seen: &[Seen],
        glimpse: Glimpse,
    ) -> Verdict {
        self.at(now);
        match result {
            Ok(id) => self.standing.added(*id, subscription)?,
            Err(why) => self.standing.refused(subscription, why)?,
        }
        self.told_alone(seen, glimpse)?;
        self.subscriptions_are_said();
        Ok(())
    }

    pub(super) fn unsubscribed(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        known: bool,
        seen: &[Seen],
        glimpse: Glimpse,
    ) -> Verdict {
        self.at(now);
        let own = self.standing.removed(id);
        demand!(46, own == known, "subscription {id} was known: {known}");
        self.told_alone(seen, glimpse)?;
        self.subscriptions_are_said();
        Ok(())
    }

    pub(super) fn closed(&mut self, seen: &[Seen], glimpse: Glimpse) -> Verdict {
        self.asked.close(&mut self.owed);
        self.told_alone(seen, glimpse)
    }

    pub(super) fn listened(&mut self, id: SubscriberId, pattern: &Pattern) {
        self.listeners.insert(id, pattern.clone());
    }

    pub(super) fn unlistened(&mut self, id: SubscriberId) -> bool {
        self.listeners.remove(&id).is_some()
    }

    // ---- what the session says -----------------------------------------------------------------

    pub(super) fn polled(
        &mut self,
        output: &Output,
        matched: &[SubscriberId],
        seen: &[Seen],
        glimpse: Glimpse,
    ) -> Verdict {
        // What was asked in another call comes before all of it.
        if let (Output::Queue { transport }, []) = (output, seen) {
            return self.asks_for_queue(*transport);
        }
        let mut direct = None;
        // What is to be said comes first, then what the login gave back, then the connection.
        while self.owed.is_empty()
            && direct.is_none()
            && let Some(message) = self.passed.pop_front()
        {
            direct = self.sort(message);
        }
        if self.owed.is_empty() && direct.is_none() {
            self.end();
        }
        let mut door = None;
        let lasts = seen.iter().rposition(|seen| matches!(seen, Seen::Took(_)));
        for (at, seen) in seen.iter().enumerate() {
            match seen {
                Seen::Told(at, event, result) => self.told(*at, event, result, glimpse)?,
                Seen::Closes => return Err(called_off()),
                Seen::Took(action) => {
                    let free = direct.is_none() && self.owed.is_empty();
                    let number = self.owed.first().map_or(49, Owed::invariant);
                    demand!(number, free, "{action:?} was taken before {direct:?} {:?}", self.owed);
                    door = Some(action);
                    let shown = if let Output::DuringLogin(message) = output {
                        (lasts == Some(at)).then_some(message)
                    } else {
                        None
                    };
                    direct = self.took(action, shown, glimpse);
                }
            }
        }
        if said_subscriptions(seen) {
            self.subscriptions_are_said();
        }
        match (output, direct) {
            (Output::Action(wait @ Action::Wait { .. }), None) => match door {
                Some(Action::Wait { until, .. }) => self.rest(wait, *until, glimpse),
                _ => Err(violation(51, format!("{wait:?}, and the connection said {door:?}"))),
            },
            (Output::Queue { transport }, None) => self.asks_for_queue(*transport),
            (output, None) => self.pay(output),
            (output, Some(direct)) => self.is_direct(output, matched, &direct),
        }
    }

    /// What an action means, and what of it is passed on at once. `shown` is the message that was
    /// then shown to the login, if one was.
    fn took(
        &mut self,
        action: &Action,
        shown: Option<&Message>,
        glimpse: Glimpse,
    ) -> Option<Direct> {
        let as_it_is = Some(Direct::Action(action.clone()));
        let Action::Notify(notice) = action else {
            if let Action::Wait { .. } = action {
                self.tick();
                return None;
            }
            return as_it_is;
        };
        match notice {
            Notice::Message(message) => {
                // Until the connection was at rest nobody can tell whether the login is over.
                let unsure = self.shown == 0 && self.order.may_act();
                let login = if unsure {
                    shown == Some(message)
                } else {
                    self.shown > 0 || self.order.login
                };
                if login {
                    self.shown += 1;
                    return Some(Direct::DuringLogin(message.clone()));
                }
                self.sort(message.clone())
            }
            Notice::StateChanged { to: State::Open, transport: Some(transport), .. } => {
                self.order.opened(self.now, *transport, glimpse.opening);
                self.standing.opened();
                self.asked.opened();
                if self.order.login {
                    self.owed.push(Owed::Login(*transport));
                }
                as_it_is
            }
            Notice::StateChanged { from: State::Open, to: State::Reconnecting, .. } => {
                self.lost();
                as_it_is
            }
            Notice::Flushed { seq, .. } => {
                let told = !self.flushed(*seq) && self.config.flushes == Flushes::Tell;
                as_it_is.filter(|_| told)
            }
            Notice::Undelivered { seq, .. } if self.order.ended(*seq) => None,
            Notice::Undelivered { seq, fate, .. } => {
                if self.asked.undelivered(*seq, *fate, &mut self.owed) {
                    return None;
                }
                let Some(told) = self.standing.undelivered(*seq, *fate) else { return as_it_is };
                told.into_iter().for_each(|told| self.tell(told));
                None
            }
            Notice::Closed(_) => {
                self.down();
                self.end = Some(action.clone());
                self.end();
                None
            }
            Notice::StateChanged { .. }
            | Notice::Dialing { .. }
            | Notice::Retrying { .. }
            | Notice::Suspended { .. }
            | Notice::Duplicate { .. }
            | Notice::Acknowledged { .. }
            | Notice::Writable
            | Notice::Pong { .. }
            | Notice::Dead { .. }
            | Notice::Warning(_) => as_it_is,
        }
    }

    fn lost(&mut self) {
        self.down();
        self.asked.lost(&mut self.owed);
    }

    fn down(&mut self) {
        self.order.lost();
        self.standing.lost();
        // All but these were about the transport.
        self.orders.retain(|event| matches!(event, Event::Cancel(_)));
    }

    /// The end comes after whatever the login looks at, and what it gives back.
    fn end(&mut self) {
        if self.shown == 0
            && self.passed.is_empty()
            && let Some(end) = self.end.take()
        {
            self.asked.close(&mut self.owed);
            self.owed.push(Owed::Closed(end));
        }
    }

    fn flushed(&mut self, seq: Seq) -> bool {
        self.asked.flushed(seq) || self.standing.flushed(seq) || self.order.ended(seq)
    }

    fn tick(&mut self) {
        self.asked.tick(self.now, &mut self.owed, &mut self.orders);
        for told in self.standing.tick(self.now) {
            self.tell(told);
        }
    }

    /// There is news of a subscription, which may cost the transport.
    pub(super) fn tell(&mut self, told: Told) {
        let failed = match told.news {
            News::Confirmed { .. } => false,
            News::Refused { .. }
            | News::Unconfirmed
            | News::Undelivered(_)
            | News::Unsayable { .. } => true,
        };
        self.owed.push(Owed::Told(told));
        if let (Unconfirmed::Reconnect, Some(transport)) =
            (self.config.unconfirmed, self.order.open)
            && failed
            && !self.order.given_up
        {
            self.order.given_up = true;
            self.orders.push(Event::Refuse { transport, retry: true, detail: "".into() });
        }
    }

    /// Where a message goes: to one place.
    fn sort(&mut self, message: Message) -> Option<Direct> {
        let read = object(&message.payload);
        if let Some(object) = &read {
            let correlation = &self.config.correlation;
            let response = response(correlation, object).filter(|_| self.asked.ever);
            let claims_all = matches!(correlation, Correlation::JsonRpc);
            if let Some(response) = response {
                let Self { asked, owed, orders, .. } = self;
                if asked.received(&message.payload, response, claims_all, owed, orders) {
                    return None;
                }
            }
            if let Some((told, consume)) = self.standing.received(&message.payload, object) {
                self.tell(told);
                if consume {
                    return None;
                }
            }
        }
        if !self.subscribers(read.as_ref()).is_empty() {
            return Some(Direct::Deliver(message, read));
        }
        match self.config.unrouted {
            Unrouted::Deliver => Some(Direct::Action(Action::Notify(Notice::Message(message)))),
            Unrouted::Discard => {
                self.discarded += 1;
                None
            }
        }
    }

    /// Who wants a message that reads so. What a function of the program reads is not known here.
    pub(super) fn subscribers(&self, read: Option<&Value>) -> Vec<SubscriberId> {
        let Some(routing) = self.config.routing.as_fields() else { return Vec::new() };
        let topic = read.and_then(|object| topic(routing, object));
        let wants = |pattern: &Pattern| match &topic {
            Some(topic) => pattern.matches(topic),
            None => *pattern == Pattern::unrouted(),
        };
        self.listeners.iter().filter(|(_, pattern)| wants(pattern)).map(|(id, _)| *id).collect()
    }
}

/// A close is the application's, and so is what calls it off.
fn called_off() -> Broken {
    violation(49, "a transport was given up while the connection closed".into())
}

/// Whether messages were sent after all was quiet: whoever does that goes as far as it can.
fn said_subscriptions(seen: &[Seen]) -> bool {
    let quiet = |seen: &Seen| matches!(seen, Seen::Took(Action::Wait { .. }));
    let after = seen.iter().rposition(quiet).map_or(&[][..], |at| &seen[at + 1..]);
    after.iter().any(|seen| matches!(seen, Seen::Told(_, Event::Send(_), _)))
}
