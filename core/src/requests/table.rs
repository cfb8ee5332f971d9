//! The table of what was asked and has not ended.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::fmt;

use super::correlation::Correlation;
use super::limits::Limits;
use super::outcome::{Answer, Ended, Outcome, Refusal};
use super::request::{Issued, Request, RequestId, RequestRejected};
use crate::config::{Class, ConfigError};
use crate::event::Seq;
use crate::frame::Payload;
use crate::notice::{Doubt, Fate};
use crate::time::Instant;

/// Where the message of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// Given out by [`Requests::issue`] or [`Requests::next_resend`].
    Issued,
    /// Accepted by the connection, which has not said what became of it.
    Outbox(Seq),
    /// Flushed to the present transport.
    Flushed,
    /// With a transport that was lost: it goes out again on the next.
    Again,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    class: Class,
    deadline: Instant,
    size: usize,
    /// The message, if it may have to go out again.
    message: Option<Payload>,
    /// Whether it may have been handed to a transport that is gone.
    handed: bool,
    place: Place,
}

/// What was asked and has not ended: see the [module](super).
///
/// A call costs a few searches in sorted maps of what is in flight, but for those that concern all of
/// it: a lost transport and the close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requests {
    correlation: Correlation,
    limits: Limits,
    /// The next id; `None` when none is left.
    next: Option<u64>,
    entries: BTreeMap<RequestId, Entry>,
    deadlines: BTreeSet<(Instant, RequestId)>,
    /// Messages that the connection has accepted and not ended. It may still hold one whose request
    /// has ended.
    messages: BTreeMap<Seq, RequestId>,
    /// What is to be sent again on the present transport. Its place is [`Place::Again`].
    resends: BTreeSet<RequestId>,
    /// What is to be sent again on the next one. So is its place.
    again: BTreeSet<RequestId>,
    /// Bytes of the messages of what is in flight.
    bytes: usize,
    ended: VecDeque<Ended>,
    /// Messages to be taken back, of requests that have ended.
    cancellations: BTreeSet<Seq>,
    strays: u64,
    closed: bool,
}

/// What a received message was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// No response: it belongs to the application.
    NotAResponse,
    /// The response to this request, which has ended with it, answered or refused.
    Answered {
        /// Which request.
        id: RequestId,
    },
    /// A response to no request that awaits one: a late or second one, or, for
    /// [`Correlation::JsonRpc`], one to a request that was never made. It was counted, and has ended
    /// nothing.
    Stray {
        /// The id that it bears.
        id: u64,
    },
}

/// The request has ended, or was never issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPending(pub RequestId);

impl fmt::Display for NotPending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {} has ended, or was never issued", self.0)
    }
}

impl core::error::Error for NotPending {}

impl Requests {
    /// An empty table.
    ///
    /// # Errors
    /// [`ConfigError`] if the correlation or the limits break a rule.
    pub fn new(correlation: Correlation, limits: Limits) -> Result<Self, ConfigError> {
        correlation.check()?;
        limits.check()?;
        Ok(Self {
            correlation,
            limits,
            next: Some(1),
            entries: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            messages: BTreeMap::new(),
            resends: BTreeSet::new(),
            again: BTreeSet::new(),
            bytes: 0,
            ended: VecDeque::new(),
            cancellations: BTreeSet::new(),
            strays: 0,
            closed: false,
        })
    }

    /// Takes a request and writes its message, which is to be sent at once; its time runs from now.
    ///
    /// # Errors
    /// [`RequestRejected`] gives the request back; no id is used up.
    pub fn issue(&mut self, now: Instant, request: Request) -> Result<Issued, RequestRejected> {
        if self.closed {
            return Err(RequestRejected::Closed(request));
        }
        // What ended and was not looked at takes room too, or there would be no bound.
        let limit = self.limits.max_in_flight;
        if self.entries.len().saturating_add(self.ended.len()) >= limit {
            return Err(RequestRejected::TooMany { request, limit });
        }
        let Some(number) = self.next else { return Err(RequestRejected::IdsExhausted(request)) };
        let text = match self.correlation.write(number, &request.body) {
            Ok(text) => text,
            Err((what, at)) => return Err(RequestRejected::Malformed { request, what, at }),
        };
        let (size, limit) = (text.len(), self.limits.max_bytes);
        if size > limit {
            return Err(RequestRejected::TooLarge { request, size, limit });
        }
        let left = limit - self.bytes;
        if size > left {
            return Err(RequestRejected::Full { request, size, left });
        }
        let id = RequestId(number);
        let payload = Payload::Text(text);
        let asked = request.class.unwrap_or_default();
        let (class, message) = match asked {
            Class::Volatile | Class::Queued => (asked, None),
            Class::Acknowledged => (Class::Queued, Some(payload.clone())),
        };
        let deadline = now + request.timeout.unwrap_or(self.limits.timeout);
        self.next = number.checked_add(1);
        self.bytes += size;
        self.deadlines.insert((deadline, id));
        let place = Place::Issued;
        let entry = Entry { class: asked, deadline, size, message, handed: false, place };
        self.entries.insert(id, entry);
        Ok(Issued { id, payload, class })
    }

    /// The connection accepted the message of a request, or a resend of it.
    pub fn sent(&mut self, id: RequestId, seq: Seq) {
        self.messages.insert(seq, id);
        match self.entries.get_mut(&id) {
            Some(entry) => {
                entry.place = Place::Outbox(seq);
                self.resends.remove(&id);
                self.again.remove(&id);
            }
            // It ended meanwhile.
            None => {
                self.cancellations.insert(seq);
            }
        }
    }

    /// The connection refused the message. A request that was just issued is forgotten, as if it
    /// had never been; a resend is the next again. Returns whether the request was forgotten.
    pub fn unsent(&mut self, id: RequestId) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        match (entry.place, entry.handed) {
            (Place::Issued, false) => {
                self.take(id);
                true
            }
            (Place::Issued, true) => {
                entry.place = Place::Again;
                self.resends.insert(id);
                false
            }
            (Place::Outbox(_) | Place::Flushed | Place::Again, _) => false,
        }
    }

    /// The connection would not take a resend, and will not on this transport: it goes out again on
    /// the next one, if it has not ended by then.
    pub fn put_off(&mut self, id: RequestId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.place == Place::Issued && entry.handed {
            entry.place = Place::Again;
            self.again.insert(id);
        }
    }

    /// The connection has flushed a message. Returns whether it was a request's.
    #[inline]
    pub fn flushed(&mut self, seq: Seq) -> bool {
        !self.messages.is_empty() && self.was_flushed(seq)
    }

    fn was_flushed(&mut self, seq: Seq) -> bool {
        let Some(id) = self.messages.remove(&seq) else { return false };
        self.cancellations.remove(&seq);
        if let Some(entry) = self.entries.get_mut(&id)
            && entry.place == Place::Outbox(seq)
        {
            entry.place = Place::Flushed;
        }
        true
    }

    /// The connection has given a message up. Returns whether it was a request's.
    ///
    /// A request that was handed to a transport before and is of class acknowledged goes out again
    /// on the next transport, whatever became of this resend. Any other one ends:
    /// [`Outcome::Lost`] if it was handed over, [`Outcome::Undelivered`] with the fate otherwise.
    pub fn undelivered(&mut self, seq: Seq, fate: Fate) -> bool {
        let Some(id) = self.messages.remove(&seq) else { return false };
        self.cancellations.remove(&seq);
        let Some(entry) = self.entries.get_mut(&id) else { return true };
        if entry.place != Place::Outbox(seq) {
            return true;
        }
        let lost = fate == Fate::Uncertain(Doubt::Lost);
        match entry.class {
            Class::Acknowledged if lost || entry.handed => {
                entry.handed = true;
                entry.place = Place::Again;
                self.again.insert(id);
            }
            Class::Volatile | Class::Queued if lost => self.end(id, Outcome::Lost),
            Class::Volatile | Class::Queued | Class::Acknowledged => {
                self.end(id, Outcome::Undelivered(fate));
            }
        }
        true
    }

    /// The transport is gone. What was flushed to it ends as [`Outcome::Lost`], or goes out again on
    /// the next; of what was not, the connection says what becomes of it.
    pub fn transport_lost(&mut self) {
        self.again.append(&mut self.resends);
        let mut lost = VecDeque::new();
        for (id, entry) in &mut self.entries {
            let again = match (entry.place, entry.class) {
                (Place::Flushed, Class::Volatile | Class::Queued) => {
                    lost.push_back(*id);
                    false
                }
                (Place::Flushed, Class::Acknowledged) => true,
                // Taken for a resend that came to nothing.
                (Place::Issued, _) => entry.handed,
                (Place::Outbox(_) | Place::Again, _) => false,
            };
            if again {
                entry.handed = true;
                entry.place = Place::Again;
                self.again.insert(*id);
            }
        }
        for id in lost {
            self.end(id, Outcome::Lost);
        }
    }

    /// A transport has opened: what was handed to an earlier one is to be sent again.
    pub fn transport_opened(&mut self) {
        self.resends.append(&mut self.again);
    }

    /// The next message to be sent again on the present transport, oldest request first; `None` if
    /// there is none. Its owner says [`sent`](Self::sent); or [`unsent`](Self::unsent), and asks again
    /// when there is room; or [`put_off`](Self::put_off).
    pub fn next_resend(&mut self) -> Option<(RequestId, Payload)> {
        let id = self.resends.pop_first()?;
        let entry = self.entries.get_mut(&id)?;
        let payload = entry.message.clone()?;
        entry.place = Place::Issued;
        Some((id, payload))
    }

    /// Whether anything is still to be sent again on the present transport.
    #[must_use]
    pub fn has_resends(&self) -> bool {
        !self.resends.is_empty()
    }

    /// Shows it a received message, which is read once. A response ends its request.
    ///
    /// An id of a request that was never handed over is taken for an answer all the same: whether it
    /// was is known only with the flush's report, which may come later than the answer.
    pub fn received(&mut self, payload: &Payload) -> Heard {
        let Payload::Text(text) = payload else { return Heard::NotAResponse };
        let Some(response) = self.correlation.read(text) else { return Heard::NotAResponse };
        let id = RequestId(response.id);
        let Some(entry) = self.entries.get(&id) else {
            let minted = id.0 >= 1 && self.next.is_none_or(|next| id.0 < next);
            if !minted && !self.correlation.claims_every_response() {
                return Heard::NotAResponse;
            }
            self.strays = self.strays.saturating_add(1);
            return Heard::Stray { id: id.0 };
        };
        // A first message must have been handed over to be answered; a resend may still wait.
        if let (Place::Outbox(seq), true) = (entry.place, entry.handed) {
            self.cancellations.insert(seq);
        }
        let outcome = if response.refused {
            Outcome::Refused(Refusal::new(text.clone(), response.part))
        } else {
            Outcome::Answered(Answer::new(text.clone(), response.part))
        };
        self.end(id, outcome);
        Heard::Answered { id }
    }

    /// Takes a request back: it ends as [`Outcome::Cancelled`]. Returns its message if the
    /// connection may still hold it, to be cancelled there.
    ///
    /// # Errors
    /// [`NotPending`] if it has ended, or was never issued.
    pub fn cancel(&mut self, id: RequestId) -> Result<Option<Seq>, NotPending> {
        let entry = self.entries.get(&id).ok_or(NotPending(id))?;
        let seq = entry.outbox();
        self.end(id, Outcome::Cancelled);
        Ok(seq)
    }

    /// Ends what is due by `now` as [`Outcome::TimedOut`].
    pub fn tick(&mut self, now: Instant) {
        while let Some((deadline, id)) = self.deadlines.first().copied()
            && deadline <= now
        {
            if let Some(seq) = self.entries.get(&id).and_then(Entry::outbox) {
                self.cancellations.insert(seq);
            }
            self.end(id, Outcome::TimedOut);
        }
    }

    /// When to [`tick`](Self::tick) next; `None` if nothing is in flight.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Ends everything as [`Outcome::Closed`], oldest first, and takes nothing more.
    pub fn close(&mut self) {
        self.closed = true;
        while let Some((id, _)) = self.entries.first_key_value() {
            self.end(*id, Outcome::Closed);
        }
        self.cancellations.clear();
    }

    /// The next request that has ended, in the order in which they did.
    pub fn poll_ended(&mut self) -> Option<Ended> {
        self.ended.pop_front()
    }

    /// The next message that is to be cancelled in the connection, as its request has ended. The
    /// connection may refuse that, if it has handed the message over meanwhile.
    pub fn poll_cancellation(&mut self) -> Option<Seq> {
        self.cancellations.pop_first()
    }

    /// How many requests await their end.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.entries.len()
    }

    /// How many bytes the messages of these take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many messages the connection has accepted and not ended, as far as is known. Some may be
    /// of requests that have ended.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.messages.len()
    }

    /// How many responses were strays.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// The one place where a request ends.
    fn end(&mut self, id: RequestId, outcome: Outcome) {
        if self.take(id) {
            self.ended.push_back(Ended { id, outcome });
        }
    }

    fn take(&mut self, id: RequestId) -> bool {
        let Some(entry) = self.entries.remove(&id) else { return false };
        self.deadlines.remove(&(entry.deadline, id));
        self.resends.remove(&id);
        self.again.remove(&id);
        self.bytes -= entry.size;
        true
    }
}

impl Entry {
    /// The message that the connection may still hold.
    fn outbox(&self) -> Option<Seq> {
        match self.place {
            Place::Outbox(seq) => Some(seq),
            Place::Issued | Place::Flushed | Place::Again => None,
        }
    }
}
