//! The messages of the model: where each is, and how each ends.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::fate;
use crate::config::{Class, Config, Overflow, WhileDown};
use crate::dialect::{BuiltIn, Dialect, Encoding};
use crate::error::{Accepted, Rejected};
use crate::event::{Outgoing, Seq};
use crate::frame::{Frame, Payload};
use crate::notice::{Doubt, DropReason, Fate, Notice};
use crate::time::{Duration, Instant};

/// How a message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Flushed(Seq),
    Acknowledged(Seq),
    Undelivered(Seq, Fate),
}

impl Outcome {
    pub(super) fn told(notice: &Notice) -> Option<Self> {
        match notice {
            Notice::Flushed { seq, .. } => Some(Self::Flushed(*seq)),
            Notice::Acknowledged { seq, .. } => Some(Self::Acknowledged(*seq)),
            Notice::Undelivered { seq, fate, .. } => Some(Self::Undelivered(*seq, *fate)),
            Notice::StateChanged { .. }
            | Notice::Dialing { .. }
            | Notice::Retrying { .. }
            | Notice::Suspended { .. }
            | Notice::Message(_)
            | Notice::Duplicate { .. }
            | Notice::Writable
            | Notice::Pong { .. }
            | Notice::Dead { .. }
            | Notice::Warning(_)
            | Notice::Closed(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Queued,
    Written(u64),
    /// Flushed at that time.
    Awaiting(Instant),
}

#[derive(Clone, Debug)]
struct Message {
    seq: Seq,
    id: Option<u64>,
    payload: Payload,
    class: Class,
    expires: Option<Instant>,
    place: Place,
    /// Whether it was ever written.
    written: bool,
    /// Whether it goes out before what is queued.
    ahead: bool,
}

impl Message {
    /// Whether it is in the queue and was never written.
    fn is_unsent(&self) -> bool {
        !self.written && !self.ahead
    }

    fn may_expire(&self) -> bool {
        self.place == Place::Queued || self.class == Class::Acknowledged
    }
}

/// So many messages may wait that go ahead.
const MAX_AHEAD: usize = 64;

/// Every message that has not ended, and how the others did: those that go ahead first, and then
/// the queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Messages {
    all: Vec<Message>,
    accepted: u64,
    /// The largest id used.
    last_id: u64,
    largest_written: Option<u64>,
    /// Of the event at hand, in order.
    pub(super) outcomes: Vec<Outcome>,
}

impl Messages {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn queued(&self) -> usize {
        self.all.iter().filter(|message| message.place == Place::Queued).count()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.all.len() - self.queued()
    }

    pub(super) fn bytes(&self) -> usize {
        self.all.iter().map(|message| message.payload.len()).sum()
    }

    pub(super) fn next_expiry(&self) -> Option<Instant> {
        let stoppable = self.all.iter().filter(|message| message.may_expire());
        stoppable.filter_map(|message| message.expires).min()
    }

    pub(super) fn next_resend(&self, timeout: Duration) -> Option<Instant> {
        let since = self.all.iter().filter_map(|message| match message.place {
            Place::Awaiting(since) => Some(since + timeout),
            Place::Queued | Place::Written(_) => None,
        });
        since.min()
    }

    /// Ends every message for which there is an outcome.
    fn end(&mut self, outcome: impl Fn(&Message) -> Option<Outcome>) {
        let outcomes = &mut self.outcomes;
        self.all.retain(|message| {
            let ended = outcome(message);
            let stays = ended.is_none();
            outcomes.extend(ended);
            stays
        });
    }

    #[allow(clippy::too_many_arguments, reason = "it is called once")]
    pub(super) fn offer(
        &mut self,
        message: &Outgoing,
        result: &Result<Accepted, Rejected>,
        config: &Config,
        dialect: &mut BuiltIn,
        now: Instant,
        leaving: bool,
        open: bool,
    ) -> Result<(), String> {
        let limits = &config.outbox;
        let ahead = message.ahead;
        let class = message.class.unwrap_or(limits.class);
        let class = if ahead { Class::Volatile } else { class };
        let unix_ms = config.wall_clock_origin_ms + now.as_millis();
        let context = Encoding { id: Some(self.last_id + 1), unix_ms, class };
        let encoded = dialect.encode(message.payload.clone(), context).ok();
        let encoded = encoded.filter(|it| class != Class::Acknowledged || it.id.is_some());
        let size = encoded.as_ref().map_or(message.payload.len(), |it| it.payload.len());
        let room = |all: &[Message]| {
            let queue = || all.iter().filter(|message| !message.ahead);
            let bytes: usize = queue().map(|message| message.payload.len()).sum();
            let waits = |message: &&Message| message.ahead && message.place == Place::Queued;
            if ahead {
                return all.iter().filter(waits).count() < MAX_AHEAD;
            }
            queue().count() < limits.max_messages && bytes + size <= limits.max_bytes
        };
        let gives_back = ahead || matches!(limits.overflow, Overflow::Reject | Overflow::Wait);
        let hopeless = class == Class::Volatile && !open && !ahead;
        let refused = leaving
            || !open && (ahead || limits.while_down == WhileDown::Refuse)
            || size > limits.max_bytes
            || encoded.is_none()
            || gives_back && !hopeless && !room(&self.all);
        let seq = match result {
            Ok(Accepted::Message(seq)) if !refused => *seq,
            Err(_) if refused => return Ok(()),
            other => return Err(format!("{other:?}, predicted refused: {refused}")),
        };
        let Some(encoded) = encoded else { return Ok(()) };
        self.accepted += 1;
        if seq.get() != self.accepted {
            return Err(format!("{seq} is not the number {}", self.accepted));
        }
        self.last_id = self.last_id.max(encoded.id.unwrap_or(0));
        let mut lost = hopeless.then_some(DropReason::NotOpen);
        if !hopeless && !room(&self.all) {
            let mut left = self.all.clone();
            while limits.overflow == Overflow::DropOldest && !room(&left) {
                let unsent = left.iter().filter(|message| message.is_unsent());
                let Some(oldest) = unsent.map(|message| message.seq).min() else { break };
                left.retain(|message| message.seq != oldest);
            }
            if room(&left) {
                let stays = |seq| left.iter().any(|message| message.seq == seq);
                let dropped = Fate::Dropped(DropReason::Oldest);
                self.end(|message| {
                    (!stays(message.seq)).then_some(Outcome::Undelivered(message.seq, dropped))
                });
            } else {
                lost = Some(DropReason::Newest);
            }
        }
        if let Some(why) = lost {
            self.outcomes.push(Outcome::Undelivered(seq, Fate::Dropped(why)));
            return Ok(());
        }
        let expires = message.ttl.or(limits.ttl).map(|ttl| now + ttl);
        let (payload, id, place) = (encoded.payload, encoded.id, Place::Queued);
        let message = Message { seq, id, payload, class, expires, place, written: false, ahead };
        let early = self.all.iter().filter(|message| message.ahead).count();
        self.all.insert(if ahead { early } else { self.all.len() }, message);
        Ok(())
    }

    /// Puts the named ones of what was never written first.
    pub(super) fn reorder(&mut self, names: &[Seq]) {
        let written = self.all.iter().take_while(|message| !message.is_unsent()).count();
        let mut first = written;
        for name in names {
            let rest = self.all.iter().skip(first);
            if let Some(at) = rest.clone().position(|message| message.seq == *name) {
                let message = self.all.remove(first + at);
                self.all.insert(first, message);
                first += 1;
            }
        }
    }

    /// A frame was written. If it is not the next message's, it is none's.
    pub(super) fn written(&mut self, index: u64, frame: &Frame, held: bool) {
        let mut all = self.all.iter_mut();
        let next = all.find(|message| message.place == Place::Queued && (message.ahead || !held));
        if let Some(message) = next
            && Frame::from(message.payload.clone()) == *frame
        {
            message.place = Place::Written(index);
            message.written = true;
            self.largest_written = self.largest_written.max(message.id);
        }
    }

    pub(super) fn flushed(&mut self, through: u64, now: Instant) {
        let covered = |place| matches!(place, Place::Written(index) if index <= through);
        // In the order in which they were written.
        let mut done: Vec<(Place, Seq)> = Vec::new();
        for message in self.all.iter_mut().filter(|message| covered(message.place)) {
            if message.class == Class::Acknowledged {
                message.place = Place::Awaiting(now);
            } else {
                done.push((message.place, message.seq));
            }
        }
        done.sort_by_key(|(place, _)| match place {
            Place::Written(index) => *index,
            Place::Queued | Place::Awaiting(_) => 0,
        });
        self.all.retain(|message| !done.iter().any(|(_, seq)| *seq == message.seq));
        self.outcomes.extend(done.into_iter().map(|(_, seq)| Outcome::Flushed(seq)));
    }

    pub(super) fn acknowledged(&mut self, id: u64, cumulative: bool) {
        if self.largest_written.is_none_or(|largest| id > largest) {
            return;
        }
        let covers = |message: &Message| {
            message.class == Class::Acknowledged
                && message.written
                && message.id.is_some_and(|own| own == id || cumulative && own < id)
        };
        self.end(|message| covers(message).then_some(Outcome::Acknowledged(message.seq)));
    }

    pub(super) fn cancel(&mut self, seq: Option<Seq>) {
        self.end(|message| {
            let meant = seq.map_or(!message.ahead, |seq| seq == message.seq) && !message.written;
            meant.then_some(Outcome::Undelivered(message.seq, Fate::Cancelled))
        });
    }

    pub(super) fn expire(&mut self, now: Instant) {
        self.end(|message| {
            let passed = message.expires.is_some_and(|expires| expires <= now);
            let fate =
                if message.written { Fate::Uncertain(Doubt::Expired) } else { Fate::Expired };
            (passed && message.may_expire()).then_some(Outcome::Undelivered(message.seq, fate))
        });
    }

    pub(super) fn resend(&mut self, now: Instant, timeout: Duration) {
        for message in &mut self.all {
            if matches!(message.place, Place::Awaiting(since) if since + timeout <= now) {
                message.place = Place::Queued;
            }
        }
    }

    /// The transport is lost: what is not acknowledged goes out again, what cannot ends.
    pub(super) fn lost(&mut self) {
        self.end(|message| {
            let fate = match message.class {
                Class::Acknowledged => return None,
                Class::Queued if message.place == Place::Queued => return None,
                Class::Queued => Fate::Uncertain(Doubt::Lost),
                Class::Volatile => fate(message.written, DropReason::Lost, Doubt::Lost),
            };
            Some(Outcome::Undelivered(message.seq, fate))
        });
        for message in &mut self.all {
            message.place = Place::Queued;
        }
    }

    /// Nothing is written any more; what was may still be confirmed.
    pub(super) fn drop_unsent(&mut self) {
        self.end(|message| {
            let fate = fate(message.written, DropReason::Closed, Doubt::Closed);
            let waits = message.place == Place::Queued;
            waits.then_some(Outcome::Undelivered(message.seq, fate))
        });
    }

    pub(super) fn fail_all(&mut self, unsent: DropReason, doubt: Doubt) {
        self.end(|message| {
            let fate = fate(message.written, unsent, doubt);
            Some(Outcome::Undelivered(message.seq, fate))
        });
    }
}
