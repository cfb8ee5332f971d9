//! The requests: what was asked and has not ended, and what has to become of it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Owed;
use super::reading::Response;
use crate::config::Class;
use crate::event::{Event, Outgoing, Seq};
use crate::frame::Payload;
use crate::notice::{Doubt, Fate};
use crate::requests::{Ended, Limits, Outcome, Request, RequestId, RequestRejected};
use crate::sim::{Verdict, demand};
use crate::time::Instant;

/// Where the message of a request is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// With the connection, which has not said what became of it.
    Waits(Seq),
    Flushed,
    /// It was handed to a transport that is gone, and goes out again on the next.
    Again,
}

#[derive(Clone, Debug, PartialEq)]
struct Question {
    class: Class,
    deadline: Instant,
    payload: Payload,
    /// Whether it was handed to a transport that is gone.
    handed: bool,
    place: Place,
}

/// How a request has to end.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum How {
    Answered(Payload, Response),
    TimedOut,
    Cancelled,
    Lost,
    Undelivered(Fate),
    Closed,
}

impl How {
    /// Whether that is how it ended.
    pub(super) fn is(&self, ended: &Ended) -> bool {
        let equal = |text: &str, part| serde_json::from_str(text).ok().as_ref() == Some(part);
        match (self, &ended.outcome) {
            (How::Answered(payload, response), Outcome::Answered(answer)) => {
                !response.refused
                    && answer.payload() == *payload
                    && equal(answer.result(), &response.part)
            }
            (How::Answered(payload, response), Outcome::Refused(refusal)) => {
                response.refused
                    && refusal.payload() == *payload
                    && equal(refusal.error(), &response.part)
            }
            (How::TimedOut, Outcome::TimedOut)
            | (How::Cancelled, Outcome::Cancelled)
            | (How::Lost, Outcome::Lost)
            | (How::Closed, Outcome::Closed) => true,
            (How::Undelivered(fate), Outcome::Undelivered(told)) => fate == told,
            (
                How::Answered(..)
                | How::TimedOut
                | How::Cancelled
                | How::Lost
                | How::Undelivered(_)
                | How::Closed,
                Outcome::Answered(_)
                | Outcome::Refused(_)
                | Outcome::TimedOut
                | Outcome::Cancelled
                | Outcome::Lost
                | Outcome::Undelivered(_)
                | Outcome::Closed,
            ) => false,
        }
    }
}

/// What was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    limits: Limits,
    pending: BTreeMap<RequestId, Question>,
    /// Messages that the connection has taken and not ended.
    messages: BTreeMap<Seq, RequestId>,
    /// What is still to be said again on the open transport.
    again: BTreeSet<RequestId>,
    last: u64,
    /// Whether there ever was one.
    pub(super) ever: bool,
    pub(super) strays: u64,
    closed: bool,
}

impl Asked {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            pending: BTreeMap::new(),
            messages: BTreeMap::new(),
            again: BTreeSet::new(),
            last: 0,
            ever: false,
            strays: 0,
            closed: false,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.pending.len()
    }

    fn bytes(&self) -> usize {
        self.pending.values().map(|question| question.payload.len()).sum()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pending.values().map(|question| question.deadline).min()
    }

    /// An id is used up. Says whether it is greater than all before.
    pub(super) fn mint(&mut self, id: u64) -> bool {
        let greater = id > self.last;
        self.last = self.last.max(id);
        greater
    }

    /// A request was taken, and its message.
    pub(super) fn taken(
        &mut self,
        now: Instant,
        id: RequestId,
        seq: Seq,
        request: &Request,
        message: &Outgoing,
    ) -> Verdict {
        demand!(44, !self.closed, "request {id} was taken after the end");
        demand!(42, self.mint(id.get()), "request {id} came after {}", self.last);
        let class = request.class.unwrap_or_default();
        let sent = match class {
            Class::Volatile => Class::Volatile,
            // It is sent again by the session, not by the outbox.
            Class::Queued | Class::Acknowledged => Class::Queued,
        };
        let as_is = !message.ahead && message.ttl.is_none() && message.class == Some(sent);
        demand!(43, as_is, "request {id} of class {class:?} was sent as {message:?}");
        self.ever = true;
        let deadline = now + request.timeout.unwrap_or(self.limits.timeout);
        let payload = message.payload.clone();
        let place = Place::Waits(seq);
        self.pending.insert(id, Question { class, deadline, payload, handed: false, place });
        self.messages.insert(seq, id);
        let (count, most) = (self.count(), self.limits.max_in_flight);
        demand!(44, count <= most, "{count} requests, at most {most}");
        let (bytes, most) = (self.bytes(), self.limits.max_bytes);
        demand!(44, bytes <= most, "requests of {bytes} bytes, at most {most}");
        Ok(())
    }

    /// A request was refused, for this reason.
    pub(super) fn refused(&self, request: &Request, why: &RequestRejected) -> Verdict {
        let back = why.clone().into_request();
        demand!(44, back == *request, "{request:?} came back as {back:?}");
        let (count, bytes) = (self.count(), self.bytes());
        let just = match why {
            RequestRejected::TooMany { limit, .. } => {
                count >= *limit && *limit == self.limits.max_in_flight
            }
            RequestRejected::Full { size, left, .. } => {
                size > left && *left == self.limits.max_bytes - bytes
            }
            RequestRejected::TooLarge { size, limit, .. } => {
                size > limit && *limit == self.limits.max_bytes
            }
            RequestRejected::Closed(_) => self.closed,
            RequestRejected::IdsExhausted(_) => self.last == u64::MAX,
            // What is wrong with it is tested beside the table.
            RequestRejected::Malformed { .. } => !self.closed,
        };
        demand!(44, just, "refused with {count} requests of {bytes} bytes: {why}");
        Ok(())
    }

    /// Whether a message answers a request; which ends with it, and what of it waits is taken back.
    pub(super) fn received(
        &mut self,
        payload: &Payload,
        response: Response,
        claims_all: bool,
        owed: &mut Vec<Owed>,
        orders: &mut Vec<Event>,
    ) -> bool {
        let id = self.pending.keys().copied().find(|id| id.get() == response.id);
        let Some(id) = id else {
            let ours = claims_all || (1..=self.last).contains(&response.id);
            self.strays += u64::from(ours);
            return ours;
        };
        // A first message must have been handed over to be answered; a resend may still wait.
        let question = &self.pending[&id];
        if let (Place::Waits(seq), true) = (question.place, question.handed) {
            orders.push(Event::Cancel(seq));
        }
        self.end(id, How::Answered(payload.clone(), response), owed);
        true
    }

    pub(super) fn cancel(&mut self, id: RequestId, owed: &mut Vec<Owed>, orders: &mut Vec<Event>) {
        self.give_up(id, How::Cancelled, owed, orders);
    }

    /// What is due ends.
    pub(super) fn tick(&mut self, now: Instant, owed: &mut Vec<Owed>, orders: &mut Vec<Event>) {
        let due = self.pending.iter().filter(|(_, question)| question.deadline <= now);
        for id in due.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.give_up(id, How::TimedOut, owed, orders);
        }
    }

    fn give_up(&mut self, id: RequestId, how: How, owed: &mut Vec<Owed>, orders: &mut Vec<Event>) {
        let Some(question) = self.pending.get(&id) else { return };
        if let Place::Waits(seq) = question.place {
            orders.push(Event::Cancel(seq));
        }
        self.end(id, how, owed);
    }

    /// A message was flushed. Says whether it was a request's.
    pub(super) fn flushed(&mut self, seq: Seq) -> bool {
        let Some(id) = self.messages.remove(&seq) else { return false };
        if let Some(question) = self.pending.get_mut(&id)
            && question.place == Place::Waits(seq)
        {
            question.place = Place::Flushed;
        }
        true
    }

    /// A message was given up. Says whether it was a request's.
    pub(super) fn undelivered(&mut self, seq: Seq, fate: Fate, owed: &mut Vec<Owed>) -> bool {
        let Some(id) = self.messages.remove(&seq) else { return false };
        let Some(question) = self.pending.get_mut(&id) else { return true };
        let lost = fate == Fate::Uncertain(Doubt::Lost);
        let again = question.class == Class::Acknowledged && (lost || question.handed);
        if again {
            (question.handed, question.place) = (true, Place::Again);
        } else {
            self.end(id, if lost { How::Lost } else { How::Undelivered(fate) }, owed);
        }
        true
    }

    /// The transport is gone, and with it whatever was flushed to it.
    pub(super) fn lost(&mut self, owed: &mut Vec<Owed>) {
        self.again.clear();
        let flushed = self.pending.iter().filter(|(_, question)| question.place == Place::Flushed);
        for id in flushed.map(|(id, _)| *id).collect::<Vec<_>>() {
            match self.pending.get_mut(&id) {
                Some(question) if question.class == Class::Acknowledged => {
                    (question.handed, question.place) = (true, Place::Again);
                }
                Some(_) | None => self.end(id, How::Lost, owed),
            }
        }
    }

    /// A transport has opened: whatever was handed to an earlier one is to be said again.
    pub(super) fn opened(&mut self) {
        let again = self.pending.iter().filter(|(_, question)| question.place == Place::Again);
        self.again = again.map(|(id, _)| *id).collect();
    }

    /// Whether something is still to be said again on the open transport.
    pub(super) fn has_again(&self) -> bool {
        !self.again.is_empty()
    }

    /// Whether this is what is to be said again next.
    pub(super) fn is_next(&self, message: &Outgoing) -> bool {
        let first = self.again.first().and_then(|id| self.pending.get(id));
        first.is_some_and(|question| question.payload == message.payload)
    }

    /// It was said; or it cannot be on this transport, and may be on the next.
    pub(super) fn said_again(&mut self, seq: Option<Seq>) {
        let (Some(id), Some(seq)) = (self.again.pop_first(), seq) else { return };
        self.messages.insert(seq, id);
        if let Some(question) = self.pending.get_mut(&id) {
            question.place = Place::Waits(seq);
        }
    }

    /// Everything ends.
    pub(super) fn close(&mut self, owed: &mut Vec<Owed>) {
        self.closed = true;
        for id in self.pending.keys().copied().collect::<Vec<_>>() {
            self.end(id, How::Closed, owed);
        }
    }

    fn end(&mut self, id: RequestId, how: How, owed: &mut Vec<Owed>) {
        if self.pending.remove(&id).is_some() {
            self.again.remove(&id);
            owed.push(Owed::Ended(id, how));
        }
    }
}
