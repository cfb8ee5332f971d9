//! The accepted messages: where each is, and how each ends.

mod balance;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::Hash as _;

use super::entry::{Entry, Limited, Place, Sums};
use super::fingerprint::Fingerprint;
use super::glance::Stage;
use super::offer::Offer;
use super::wire::{Flushed, Wire};
use super::{Moment, Verdict, demand, violation};
use crate::action::Action;
use crate::config::{Class, Config, Outbox as Limits, Overflow, WhileDown};
use crate::dialect::{Encoding, Meaning};
use crate::error::{Accepted, Rejected};
use crate::event::{Event, Outgoing, Seq, TransportId};
use crate::frame::Frame;
use crate::notice::{Doubt, DropReason, Fate, Notice, State};
use crate::time::Instant;

/// So many messages may wait that go ahead, and as many be with the transport.
const MAX_AHEAD: usize = 64;

/// Every accepted message that has not ended, and the counts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ledger {
    entries: VecDeque<Entry>,
    last_seq: u64,
    next_id: Option<u64>,
    largest_id: Option<u64>,
    flushed: u64,
    acknowledged: u64,
    uncertain: u64,
    expired: u64,
    dropped: u64,
    cancelled: u64,
    resent: u64,
    rejected: u64,
    /// When reads were last seen to be paused.
    paused_at: Instant,
    /// What the messages add up to, kept with every change.
    sums: Sums,
    /// Before this nothing is late, no lifetime passes, and nothing that has ended waits to be told.
    look: Instant,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            last_seq: 0,
            next_id: Some(1),
            largest_id: None,
            flushed: 0,
            acknowledged: 0,
            uncertain: 0,
            expired: 0,
            dropped: 0,
            cancelled: 0,
            resent: 0,
            rejected: 0,
            paused_at: Instant::ZERO,
            sums: Sums::default(),
            look: Instant::ZERO,
        }
    }

    /// Takes what decides on what comes next. Counts do not.
    pub(super) fn fingerprint(&self, to: &mut Fingerprint) {
        self.entries.iter().for_each(|entry| entry.fingerprint(to));
        let last = (self.entries.len(), self.last_seq, self.next_id, self.largest_id);
        last.hash(to);
        to.instant(self.paused_at);
    }

    /// What a message would be written with.
    pub(super) fn context(&self, now: Instant, config: &Config, message: &Outgoing) -> Encoding {
        let class = message.class.unwrap_or(config.outbox.class);
        let class = if message.ahead { Class::Volatile } else { class };
        let unix_ms = config.wall_clock_origin_ms.saturating_add(now.as_millis());
        Encoding { id: self.next_id, unix_ms, class }
    }

    /// Whether a message of that size finds room.
    pub(super) fn has_room(&self, size: usize, limits: &Limits) -> bool {
        let Limited { messages, bytes } = self.sums.limited;
        messages < limits.max_messages && bytes.saturating_add(size) <= limits.max_bytes
    }

    /// Whether a message finds a place, if it is small enough.
    pub(super) fn has_place(&self, limits: &Limits) -> bool {
        self.sums.limited.messages < limits.max_messages
    }

    /// Whether one more may wait that goes ahead.
    pub(super) fn has_ahead_room(&self) -> bool {
        self.sums.ahead < MAX_AHEAD
    }

    /// Takes a message that was offered. What it would be written as is not asked for where it was
    /// refused for want of room, and there is no place whatever its size.
    pub(super) fn offered(
        &mut self,
        moment: &Moment<'_>,
        message: &Outgoing,
        offer: Option<Offer>,
    ) -> Verdict {
        let Moment { config, result, due, .. } = moment;
        let limits = &config.outbox;
        let rejected = match result {
            Ok(Accepted::Message(seq)) => {
                let Some(offer) = offer else {
                    return Err(violation(25, alloc::format!("{message:?} was not looked at")));
                };
                return self.accepted(moment, *seq, message, offer);
            }
            Ok(other) => return Err(violation(25, alloc::format!("a message was {other:?}"))),
            Err(rejected) => rejected,
        };
        self.rejected += 1;
        let ahead = message.ahead;
        let size = offer.as_ref().map(|offer| offer.size);
        let fits = |size| if ahead { self.has_ahead_room() } else { self.has_room(size, limits) };
        let full = size.map_or(!self.has_place(limits), |size| !fits(size));
        let down = matches!(due.phase, Stage::Idle | Stage::Waiting | Stage::Dialing);
        let cause = match rejected {
            Rejected::QueueFull(_) => {
                (ahead || matches!(limits.overflow, Overflow::Reject | Overflow::Wait)) && full
            }
            Rejected::NotOpen(_) => down && (ahead || limits.while_down == WhileDown::Refuse),
            Rejected::TooLarge { .. } => size.is_some_and(|size| size > limits.max_bytes),
            Rejected::Closed(_) => {
                matches!(due.phase, Stage::Closing | Stage::Closed)
                    || due.ready_state == crate::notice::ReadyState::Closing
                        && !(ahead && (down || due.held))
            }
            Rejected::Unencodable { .. } => offer.is_some_and(|offer| match offer.encoded {
                Ok(encoded) => offer.class == Class::Acknowledged && encoded.id.is_none(),
                Err(_) => true,
            }),
            Rejected::NotQueued(_) | Rejected::InvalidClose(_) | Rejected::Busy(_) => false,
        };
        demand!(30, cause, "{rejected:?} without cause");
        let back = match rejected {
            Rejected::QueueFull(back)
            | Rejected::TooLarge { message: back, .. }
            | Rejected::Closed(back)
            | Rejected::NotOpen(back)
            | Rejected::Unencodable { message: back, .. } => Some(back),
            Rejected::NotQueued(_) | Rejected::InvalidClose(_) | Rejected::Busy(_) => None,
        };
        demand!(30, back == Some(message), "{message:?} came back as {back:?}");
        Ok(())
    }

    fn accepted(
        &mut self,
        moment: &Moment<'_>,
        seq: Seq,
        message: &Outgoing,
        offer: Offer,
    ) -> Verdict {
        let Moment { now, config, due, .. } = moment;
        let Offer { class, encoded, .. } = offer;
        let open = due.phase == Stage::Open;
        let needs_open = message.ahead || config.outbox.while_down == WhileDown::Refuse;
        demand!(41, open || !needs_open, "{message:?} is taken while {:?}", due.phase);
        demand!(22, !message.ahead || self.has_ahead_room(), "{message:?} is one too many");
        let Ok(encoded) = encoded else {
            return Err(violation(25, alloc::format!("{message:?} cannot be encoded")));
        };
        demand!(25, seq.get() == self.last_seq + 1, "{seq} was accepted after {}", self.last_seq);
        self.last_seq = seq.get();
        if let (Some(used), Some(next)) = (encoded.id, self.next_id)
            && used >= next
        {
            self.next_id = used.checked_add(1);
        }
        let ttl = message.ttl.or(config.outbox.ttl);
        let entry = Entry {
            seq: seq.get(),
            id: encoded.id,
            payload: encoded.payload,
            class,
            expires: ttl.map(|ttl| *now + ttl),
            place: Place::Queued,
            written: false,
            ahead: message.ahead,
            transport: due.transport.filter(|_| open),
        };
        self.look = self.look.min(entry.expires.unwrap_or(self.look));
        self.sums.add(&entry);
        self.entries.push_back(entry);
        Ok(())
    }

    /// Puts what was never written in the order that the application wants.
    #[inline]
    pub(super) fn reordered(&mut self, moment: &Moment<'_>) {
        if let Event::Reorder(names) = moment.event
            && moment.done()
        {
            self.reorder(names);
        }
    }

    fn reorder(&mut self, names: &[Seq]) {
        let unsent = |entry: &Entry| !entry.written && !entry.ahead;
        let mut places = Vec::new();
        let mut rest: Vec<Entry> = Vec::new();
        for (place, entry) in self.entries.iter().enumerate().filter(|(_, entry)| unsent(entry)) {
            places.push(place);
            rest.push(entry.clone());
        }
        let mut ordered = Vec::new();
        for name in names {
            let named = rest.iter().position(|entry| entry.seq == name.get());
            ordered.extend(named.map(|named| rest.remove(named)));
        }
        ordered.extend(rest);
        for (place, entry) in places.into_iter().zip(ordered) {
            self.entries[place] = entry;
        }
    }

    /// The next to be written.
    fn next(&self) -> Option<usize> {
        let ahead = self.sums.ahead > 0;
        let next = |entry: &Entry| entry.place == Place::Queued && entry.ahead == ahead;
        self.entries.iter().position(next)
    }

    /// Notes the writes that a flush report covers.
    pub(super) fn flushed(&mut self, now: Instant, indices: Flushed) {
        for entry in &mut self.entries {
            if let Place::Written(index) = entry.place
                && indices.contains(&index)
            {
                let place = match entry.class {
                    Class::Acknowledged => Place::Awaiting(now),
                    Class::Volatile | Class::Queued => Place::Flushed,
                };
                self.sums.put_at(place, entry);
                self.look = self.look.min(now);
            }
        }
    }

    /// Notes what the peer says of an acknowledgement.
    pub(super) fn heard(&mut self, now: Instant, meaning: &Meaning) {
        let Meaning::Ack { id, cumulative } = meaning else { return };
        // What was never written cannot have arrived.
        if self.largest_id.is_none_or(|largest| *id > largest) {
            return;
        }
        for entry in &mut self.entries {
            let covered = entry.id.is_some_and(|own| own == *id || *cumulative && own < *id);
            if entry.class == Class::Acknowledged && entry.written && covered {
                self.sums.put_at(Place::Acknowledged, entry);
                self.look = self.look.min(now);
                if !*cumulative {
                    break;
                }
            }
        }
    }

    #[inline]
    pub(super) fn action(&mut self, moment: &Moment<'_>, action: &Action) -> Verdict {
        match action {
            Action::Notify(notice) => self.told(moment, action, notice),
            Action::Dial { .. }
            | Action::Abort { .. }
            | Action::Write { .. }
            | Action::Wait { .. } => Ok(()),
        }
    }

    fn told(&mut self, moment: &Moment<'_>, action: &Action, notice: &Notice) -> Verdict {
        match notice {
            Notice::Flushed { seq, id } => {
                let entry = self.take(*seq, *id, action)?;
                let flushed = entry.place == Place::Flushed;
                demand!(25, flushed, "{action:?} of what is {:?}", entry.place);
                self.flushed += 1;
            }
            Notice::Acknowledged { seq, id } => {
                let entry = self.take(*seq, *id, action)?;
                let acknowledged = entry.place == Place::Acknowledged;
                demand!(25, acknowledged, "{action:?} of what is {:?}", entry.place);
                self.acknowledged += 1;
            }
            Notice::Undelivered { seq, id, fate, payload } => {
                let entry = self.take(*seq, *id, action)?;
                demand!(25, *payload == entry.payload, "{action:?} of {:?}", entry.payload);
                let may = self.may_end(moment, &entry, *fate);
                demand!(25, may, "{action:?} of {entry:?}");
                match fate {
                    Fate::Expired => self.expired += 1,
                    Fate::Cancelled => self.cancelled += 1,
                    Fate::Dropped(_) => self.dropped += 1,
                    Fate::Uncertain(_) => self.uncertain += 1,
                }
            }
            Notice::StateChanged { to: State::Reconnecting, .. } => return self.lost(moment),
            Notice::StateChanged { to: State::Closed, .. } => {
                let left = self.entries.front();
                demand!(25, left.is_none(), "closed, and nothing was told of {left:?}");
            }
            Notice::StateChanged { to: State::Connecting | State::Open, .. }
            | Notice::Dialing { .. }
            | Notice::Retrying { .. }
            | Notice::Suspended { .. }
            | Notice::Message(_)
            | Notice::Duplicate { .. }
            | Notice::Writable
            | Notice::Pong { .. }
            | Notice::Dead { .. }
            | Notice::Warning(_)
            | Notice::Closed(_) => {}
        }
        Ok(())
    }

    /// Whether a message may end so.
    fn may_end(&self, moment: &Moment<'_>, entry: &Entry, fate: Fate) -> bool {
        let Moment { now, config, event, .. } = moment;
        let expired = entry.expires.is_some_and(|expires| expires <= *now);
        let newest = moment.sent() == Some(entry.seq);
        let certain = !entry.written;
        match fate {
            Fate::Expired => certain && expired,
            Fate::Cancelled => {
                let purged = matches!(event, Event::Purge) && !entry.ahead;
                certain && (purged || matches!(event, Event::Cancel(_)))
            }
            Fate::Dropped(DropReason::Oldest) => {
                certain && config.outbox.overflow == Overflow::DropOldest && !newest && !entry.ahead
            }
            Fate::Dropped(DropReason::Newest) => newest && !entry.ahead,
            Fate::Dropped(DropReason::NotOpen) => {
                newest && entry.class == Class::Volatile && entry.transport.is_none()
            }
            Fate::Dropped(DropReason::Lost) => certain && entry.class == Class::Volatile,
            Fate::Dropped(DropReason::Closed) => certain,
            Fate::Dropped(DropReason::Suspended) => certain && config.retry.fail_outbox_on_suspend,
            Fate::Uncertain(Doubt::Lost) => {
                entry.class != Class::Acknowledged && matches!(entry.place, Place::Written(_))
            }
            Fate::Uncertain(Doubt::Closed) => entry.written,
            Fate::Uncertain(Doubt::Expired) => {
                entry.written && expired && entry.class == Class::Acknowledged
            }
            Fate::Uncertain(Doubt::Suspended) => {
                entry.written && config.retry.fail_outbox_on_suspend
            }
        }
    }

    fn take(&mut self, seq: Seq, id: Option<u64>, action: &Action) -> Result<Entry, super::Broken> {
        let index = self.entries.iter().position(|entry| entry.seq == seq.get());
        let entry = index.and_then(|index| self.entries.remove(index));
        let entry = entry.ok_or_else(|| {
            violation(25, alloc::format!("{action:?} of what has ended or never was"))
        })?;
        demand!(26, entry.id == id, "{action:?}, whose id is {:?}", entry.id);
        self.sums.remove(&entry);
        Ok(entry)
    }

    /// The transport is lost: what was with it is told already, or goes out again.
    fn lost(&mut self, moment: &Moment<'_>) -> Verdict {
        // A message that is sent in the same event comes after what is due.
        let sent = moment.sent();
        for entry in self.entries.iter_mut().filter(|entry| sent != Some(entry.seq)) {
            match entry.class {
                Class::Volatile => {
                    let rule = if entry.ahead { 41 } else { 27 };
                    demand!(rule, false, "{entry:?} outlives its transport");
                }
                Class::Queued => {
                    demand!(25, !entry.written, "lost, and nothing was told of {entry:?}");
                }
                Class::Acknowledged => {
                    if matches!(entry.place, Place::Written(_) | Place::Awaiting(_)) {
                        self.sums.put_at(Place::Queued, entry);
                    }
                }
            }
        }
        Ok(())
    }

    /// Judges a written message.
    pub(super) fn write(
        &mut self,
        transport: TransportId,
        index: u64,
        frame: &Frame,
        held: bool,
    ) -> Verdict {
        let next = self.next();
        let Some(entry) = next.and_then(|next| self.entries.get_mut(next)) else {
            return Err(violation(29, alloc::format!("{frame:?}, and nothing waits")));
        };
        let invariant = match entry {
            Entry { ahead: true, .. } => 39,
            Entry { written: true, .. } => 26,
            _ => 29,
        };
        demand!(38, entry.ahead || !held, "{frame:?} before the release");
        let expected = frame.carries(&entry.payload);
        demand!(invariant, expected, "{frame:?}, but first comes {entry:?}");
        if entry.class == Class::Volatile {
            let invariant = if entry.ahead { 41 } else { 27 };
            demand!(27, !entry.written, "{entry:?} written again");
            let own = entry.transport == Some(transport);
            demand!(invariant, own, "{entry:?} written to {transport}");
        }
        self.resent += u64::from(entry.written);
        entry.written = true;
        self.sums.put_at(Place::Written(index), entry);
        self.largest_id = self.largest_id.max(entry.id);
        Ok(())
    }

    /// Whether something could be written now that is not.
    #[inline]
    pub(super) fn withheld(&self, wire: &Wire, config: &Config, held: bool) -> Verdict {
        if self.sums.queued == 0 { Ok(()) } else { self.holds_back(wire, config, held) }
    }

    fn holds_back(&self, wire: &Wire, config: &Config, held: bool) -> Verdict {
        let Some(next) = self.next().map(|next| &self.entries[next]) else { return Ok(()) };
        if held && !next.ahead {
            return Ok(());
        }
        let with_transport =
            |entry: &&Entry| entry.ahead && matches!(entry.place, Place::Written(_));
        let filled = next.ahead && self.entries.iter().filter(with_transport).count() >= MAX_AHEAD;
        let unacknowledged = |entry: &&Entry| {
            entry.class == Class::Acknowledged
                && matches!(entry.place, Place::Written(_) | Place::Awaiting(_))
        };
        let window = config.outbox.ack_window;
        let blocked = next.class == Class::Acknowledged
            && self.entries.iter().filter(unacknowledged).count() >= window;
        let credit = wire.has_credit(next.payload.len(), config);
        demand!(26, blocked || filled || !credit, "{next:?} is held back");
        Ok(())
    }
}
