//! The subscriptions: what is to be said of them on the open transport, and what stands there.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use serde_json::Value;

use super::reading::fits;
use crate::event::{Event, Seq};
use crate::frame::Payload;
use crate::notice::{DropReason, Fate};
use crate::sim::{Verdict, demand};
use crate::subscriptions::{
    Confirm, Limits, Matcher, News, Subscription, SubscriptionId, SubscriptionRejected, Told, What,
};
use crate::time::Instant;

/// How a subscription stands with the peer, on the open transport.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Unsaid,
    Said(Answer),
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Settled,
    /// Awaited until then.
    Until(Instant),
    /// It did not come in time, and counts all the same.
    Late,
}

/// The subscriptions.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    limits: Limits,
    live: BTreeMap<SubscriptionId, (Subscription, State)>,
    /// What is to be said on the open transport, first to last.
    queue: VecDeque<(SubscriptionId, What, Payload)>,
    /// Messages that the connection has taken and not ended, and on which transport: by its number.
    messages: BTreeMap<Seq, (SubscriptionId, What, u64)>,
    is_open: bool,
    /// Since when reading has stopped.
    deaf_since: Option<Instant>,
    /// How many transports there were.
    opens: u64,
    last: u64,
}

impl Standing {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            live: BTreeMap::new(),
            queue: VecDeque::new(),
            messages: BTreeMap::new(),
            is_open: false,
            deaf_since: None,
            opens: 0,
            last: 0,
        }
    }

    pub(super) fn live(&self) -> usize {
        self.live.len()
    }

    pub(super) fn unconfirmed(&self) -> usize {
        self.untils().count()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.untils().filter(|_| self.deaf_since.is_none()).min()
    }

    /// Reading stops, or goes on, and with it the time for each answer.
    pub(super) fn event(&mut self, now: Instant, event: &Event) {
        if let Event::PauseReads = event {
            self.deaf_since.get_or_insert(now);
        }
        if let Event::ResumeReads = event
            && let Some(since) = self.deaf_since.take()
        {
            for (subscription, state) in self.live.values_mut() {
                if let (State::Said(Answer::Until(until)), Some(confirm)) =
                    (state, &subscription.confirm)
                {
                    *until = (*until + (now - since)).min(now + confirm.timeout);
                }
            }
        }
    }

    fn untils(&self) -> impl Iterator<Item = Instant> {
        self.live.values().filter_map(|(_, state)| match state {
            State::Said(Answer::Until(until)) => Some(*until),
            State::Said(Answer::Settled | Answer::Late) | State::Unsaid | State::Refused => None,
        })
    }

    fn unsaying(&self) -> impl Iterator<Item = &Payload> {
        let unsaid = |(_, what, payload)| (what == &What::Unsay).then_some(payload);
        self.queue.iter().map(|(id, what, payload)| (id, what, payload)).filter_map(unsaid)
    }

    fn count(&self) -> usize {
        self.live.len() + self.unsaying().count()
    }

    fn bytes(&self) -> usize {
        let live: usize = self.live.values().map(|(subscription, _)| size(subscription)).sum();
        live + self.unsaying().map(Payload::len).sum::<usize>()
    }

    pub(super) fn added(&mut self, id: SubscriptionId, subscription: &Subscription) -> Verdict {
        demand!(46, id.get() > self.last, "subscription {id} came after {}", self.last);
        self.last = id.get();
        if self.is_open {
            self.queue.push_back((id, What::Say, subscription.say.clone()));
        }
        self.live.insert(id, (subscription.clone(), State::Unsaid));
        let (count, most) = (self.count(), self.limits.max_live);
        demand!(44, count <= most, "{count} subscriptions, at most {most}");
        let (bytes, most) = (self.bytes(), self.limits.max_bytes);
        demand!(44, bytes <= most, "subscriptions of {bytes} bytes, at most {most}");
        Ok(())
    }

    pub(super) fn refused(&self, of: &Subscription, why: &SubscriptionRejected) -> Verdict {
        let back = why.clone().into_subscription();
        demand!(44, back == *of, "{of:?} came back as {back:?}");
        let (count, bytes) = (self.count(), self.bytes());
        let just = match why {
            SubscriptionRejected::TooMany { limit, .. } => {
                count >= *limit && *limit == self.limits.max_live
            }
            SubscriptionRejected::TooLarge { size: needed, left, .. } => {
                needed > left && *left == self.limits.max_bytes - bytes && *needed == size(of)
            }
        };
        demand!(44, just, "refused with {count} subscriptions of {bytes} bytes: {why}");
        Ok(())
    }

    /// Says whether there was one of that name.
    pub(super) fn removed(&mut self, id: SubscriptionId) -> bool {
        let Some((subscription, state)) = self.live.remove(&id) else { return false };
        self.queue.retain(|(queued, what, _)| !(*queued == id && *what == What::Say));
        if let (State::Said(_), Some(unsay)) = (state, subscription.unsay) {
            self.queue.push_back((id, What::Unsay, unsay));
        }
        true
    }

    pub(super) fn opened(&mut self) {
        self.lost();
        self.is_open = true;
        self.opens += 1;
        let all = self.live.iter();
        self.queue = all.map(|(id, (of, _))| (*id, What::Say, of.say.clone())).collect();
    }

    pub(super) fn lost(&mut self) {
        self.is_open = false;
        self.queue.clear();
        self.live.values_mut().for_each(|(_, state)| *state = State::Unsaid);
    }

    /// Whether something is still to be said.
    pub(super) fn has_next(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether this is what is to be said next.
    pub(super) fn is_next(&self, payload: &Payload) -> bool {
        self.queue.front().is_some_and(|(_, _, next)| next == payload)
    }

    /// It was said.
    pub(super) fn said(&mut self, now: Instant, seq: Seq) {
        let Some((id, what, _)) = self.queue.pop_front() else { return };
        self.messages.insert(seq, (id, what, self.opens));
        if let (What::Say, Some((subscription, state))) = (what, self.live.get_mut(&id)) {
            *state = State::Said(match &subscription.confirm {
                None => Answer::Settled,
                Some(confirm) => Answer::Until(now + confirm.timeout),
            });
        }
    }

    /// It could not be said, and will not be on this transport.
    pub(super) fn unsayable(&mut self, detail: Box<str>) -> Option<Told> {
        let (id, _, _) = self.queue.pop_front()?;
        Some(Told { id, news: News::Unsayable { detail } })
    }

    pub(super) fn flushed(&mut self, seq: Seq) -> bool {
        self.messages.remove(&seq).is_some()
    }

    /// A message was given up: `None` if it was another's, and otherwise what is to be told of it.
    pub(super) fn undelivered(&mut self, seq: Seq, fate: Fate) -> Option<Option<Told>> {
        let (id, what, open) = self.messages.remove(&seq)?;
        let given_up = match fate {
            Fate::Expired | Fate::Cancelled => true,
            Fate::Dropped(DropReason::Oldest | DropReason::Newest) => true,
            // For want of a transport: the next one sets it right.
            Fate::Dropped(
                DropReason::NotOpen | DropReason::Lost | DropReason::Closed | DropReason::Suspended,
            )
            | Fate::Uncertain(_) => false,
        };
        if !given_up || !self.is_open || open != self.opens {
            return Some(None);
        }
        if what == What::Say {
            match self.live.get_mut(&id) {
                Some((_, state @ State::Said(_))) => *state = State::Unsaid,
                Some((_, State::Unsaid | State::Refused)) | None => return Some(None),
            }
        }
        Some(Some(Told { id, news: News::Undelivered(fate) }))
    }

    /// What is to be told of a message, and whether the application is not to see it.
    pub(super) fn received(&mut self, payload: &Payload, object: &Value) -> Option<(Told, bool)> {
        // The most fields first, then who was said first, then the refusal.
        let mut best: Option<(usize, SubscriptionId, bool)> = None;
        for (id, (subscription, state)) in &self.live {
            let waits = matches!(state, State::Said(Answer::Until(_) | Answer::Late));
            let Some(confirm) = subscription.confirm.as_ref().filter(|_| waits) else { continue };
            let mut look = |matcher: Option<&Matcher>, confirms: bool| {
                let Some(matcher) = matcher.filter(|matcher| fits(matcher, object)) else { return };
                let fields = matcher.fields().len();
                if best.is_none_or(|(most, ..)| fields > most) {
                    best = Some((fields, *id, confirms));
                }
            };
            look(confirm.refuse.as_ref(), false);
            look(Some(&confirm.when), true);
        }
        let (_, id, confirms) = best?;
        let (subscription, state) = self.live.get_mut(&id)?;
        *state = if confirms { State::Said(Answer::Settled) } else { State::Refused };
        let message = payload.clone();
        let news = if confirms { News::Confirmed { message } } else { News::Refused { message } };
        let consume = subscription.confirm.as_ref().is_some_and(|confirm| confirm.consume);
        Some((Told { id, news }, consume))
    }

    /// Nobody waits any longer for what is due.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<Told> {
        let mut told = Vec::new();
        if self.deaf_since.is_some() {
            return told;
        }
        for (id, (_, state)) in &mut self.live {
            if let State::Said(Answer::Until(until)) = *state
                && until <= now
            {
                *state = State::Said(Answer::Late);
                told.push(Told { id: *id, news: News::Unconfirmed });
            }
        }
        told
    }
}

/// The bytes that a subscription takes: of its messages and its matchers.
fn size(subscription: &Subscription) -> usize {
    let Subscription { say, unsay, confirm } = subscription;
    let matcher = |matcher: &Matcher| -> usize {
        matcher.fields().map(|(name, value)| name.len() + value.as_json().len()).sum()
    };
    let confirm = confirm.as_ref().map_or(0, |confirm| {
        let Confirm { when, refuse, timeout: _, consume: _ } = confirm;
        matcher(when) + refuse.as_ref().map_or(0, matcher)
    });
    say.len() + unsay.as_ref().map_or(0, Payload::len) + confirm
}
