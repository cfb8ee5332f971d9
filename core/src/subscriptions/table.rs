//! The table of what is to stand at the server.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;

use super::subscription::{
    Limits, Removed, Saying, Subscription, SubscriptionId, SubscriptionRejected, What,
};
use super::waiting::{Role, Waiting};
use crate::config::ConfigError;
use crate::event::Seq;
use crate::frame::Payload;
use crate::notice::{DropReason, Fate};
use crate::time::Instant;

/// How a live subscription stands with the server, on the present transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// There is no transport, or the connection gave its message up.
    Unsaid,
    /// It is to be said.
    Queued { ticket: u64 },
    /// It was said.
    Said(Answer),
    /// The server refused it.
    Refused,
}

/// Whether an answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// It has come, or there is none.
    Settled,
    /// Until then.
    Awaited { until: Instant },
    /// No longer; a late one still counts.
    Late,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Shared, so that it can be looked at while the rest changes.
    subscription: Arc<Subscription>,
    size: usize,
    standing: Standing,
}

/// Something to be said on the present transport.
#[derive(Clone, Debug)]
enum Item {
    Say(SubscriptionId),
    Unsay { id: SubscriptionId, payload: Payload },
}

/// A message that the connection has accepted and not ended.
#[derive(Clone, Copy, Debug)]
struct Message {
    id: SubscriptionId,
    what: What,
    /// On which transport.
    era: u64,
}

/// What is said to the server again after each reconnect: see the [module](super).
///
/// A call costs a few searches in sorted maps, but for those that concern everything: an opened and a
/// lost transport. What comes in is read only while somebody waits for an answer.
#[derive(Clone, Debug)]
pub struct Subscriptions {
    limits: Limits,
    last: u64,
    entries: BTreeMap<SubscriptionId, Entry>,
    /// Bytes of what lives.
    bytes: usize,
    /// What is to be said, in that order.
    queue: BTreeMap<u64, Item>,
    last_ticket: u64,
    /// How many of the queue are unsaid, and their bytes.
    unsaying: usize,
    unsaying_bytes: usize,
    open: bool,
    /// Counts transports.
    era: u64,
    messages: BTreeMap<Seq, Message>,
    deadlines: BTreeSet<(Instant, SubscriptionId)>,
    waiting: Waiting,
    told: VecDeque<Told>,
    /// Since when nothing can be heard, so that nobody is late.
    deaf_since: Option<Instant>,
}

/// What a received message was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// No answer to a subscription.
    NotMine,
    /// It confirms this subscription.
    Confirmed {
        /// Which one.
        id: SubscriptionId,
        /// Whether the application is not to see the message.
        consume: bool,
    },
    /// It refuses this subscription.
    Refused {
        /// Which one.
        id: SubscriptionId,
        /// Whether the application is not to see the message.
        consume: bool,
    },
}

/// Something that the application may want to know of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which one.
    pub id: SubscriptionId,
    /// What happened.
    pub news: News,
}

/// What happened to a subscription on the present transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The server confirmed it.
    Confirmed {
        /// In this message.
        message: Payload,
    },
    /// The server refused it. It is said again on the next transport, unless it is removed.
    Refused {
        /// In this message.
        message: Payload,
    },
    /// No answer came in time. One that comes later will be told.
    Unconfirmed,
    /// The connection gave its message up while the transport was open: the server did not get it.
    /// If it lives, it is said again on the next transport.
    Undelivered(Fate),
    /// The connection would not take its message. If it lives, it is tried again on the next
    /// transport.
    Unsayable {
        /// Why not, in words.
        detail: Box<str>,
    },
}

impl Subscriptions {
    /// An empty table.
    ///
    /// # Errors
    /// [`ConfigError`] if the limits break a rule.
    pub fn new(limits: Limits) -> Result<Self, ConfigError> {
        limits.check()?;
        Ok(Self {
            limits,
            last: 0,
            entries: BTreeMap::new(),
            bytes: 0,
            queue: BTreeMap::new(),
            last_ticket: 0,
            unsaying: 0,
            unsaying_bytes: 0,
            open: false,
            era: 0,
            messages: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            waiting: Waiting::default(),
            told: VecDeque::new(),
            deaf_since: None,
        })
    }

    /// Adds a subscription, which lives until it is removed. On an open transport it is said after
    /// whatever was to be said before; otherwise on the next one.
    ///
    /// # Errors
    /// [`SubscriptionRejected`] gives it back if there is no room.
    pub fn add(
        &mut self,
        subscription: Subscription,
    ) -> Result<SubscriptionId, SubscriptionRejected> {
        let limit = self.limits.max_live;
        // News takes room too, or whoever adds and removes and never looks would fill the memory.
        let taken =
            self.entries.len().saturating_add(self.unsaying).saturating_add(self.told.len());
        if taken >= limit {
            let subscription = Box::new(subscription);
            return Err(SubscriptionRejected::TooMany { subscription, limit });
        }
        let size = subscription.size();
        let left = self.limits.max_bytes.saturating_sub(self.bytes + self.unsaying_bytes);
        if size > left {
            let subscription = Box::new(subscription);
            return Err(SubscriptionRejected::TooLarge { subscription, size, left });
        }
        // A number for each nanosecond of 584 years.
        self.last = self.last.saturating_add(1);
        let id = SubscriptionId(self.last);
        self.bytes += size;
        let standing = if self.open {
            Standing::Queued { ticket: self.enqueue(Item::Say(id)) }
        } else {
            Standing::Unsaid
        };
        self.entries.insert(id, Entry { subscription: Arc::new(subscription), size, standing });
        Ok(id)
    }

    /// Removes a subscription. Returns what that means for the server; `None` if there is none of this
    /// name.
    pub fn remove(&mut self, id: SubscriptionId) -> Option<Removed> {
        let entry = self.entries.remove(&id)?;
        self.bytes -= entry.size;
        match entry.standing {
            Standing::Unsaid | Standing::Refused => Some(Removed::Nothing),
            Standing::Queued { ticket } => {
                self.queue.remove(&ticket);
                Some(Removed::Nothing)
            }
            Standing::Said(answer) => {
                self.wait_no_more(id, &entry.subscription, answer);
                let Some(payload) = entry.subscription.unsay.clone() else {
                    return Some(Removed::Stands);
                };
                self.unsaying += 1;
                self.unsaying_bytes += payload.len();
                self.enqueue(Item::Unsay { id, payload });
                Some(Removed::Unsay)
            }
        }
    }

    /// A transport has opened: all that lives is to be said, in the order in which it was added.
    ///
    /// News that was not looked at is dropped: it was of an earlier transport.
    pub fn opened(&mut self) {
        self.lost();
        self.told.clear();
        self.open = true;
        self.era += 1;
        for (id, entry) in &mut self.entries {
            self.last_ticket += 1;
            self.queue.insert(self.last_ticket, Item::Say(*id));
            entry.standing = Standing::Queued { ticket: self.last_ticket };
        }
    }

    /// The transport is gone, and with it whatever stood at the server or was to be unsaid there.
    pub fn lost(&mut self) {
        self.open = false;
        self.queue.clear();
        (self.unsaying, self.unsaying_bytes) = (0, 0);
        self.deadlines.clear();
        self.waiting.clear();
        for entry in self.entries.values_mut() {
            entry.standing = Standing::Unsaid;
        }
    }

    /// Whether there is nothing to be said.
    pub(crate) fn has_said_all(&self) -> bool {
        self.queue.is_empty()
    }

    /// What is to be said next, until [`said`](Self::said) says that it was; `None` if there is
    /// nothing.
    ///
    /// It is to be sent as a volatile message: if the transport is lost, it is said again anyway.
    #[must_use]
    pub fn next_to_say(&self) -> Option<Saying> {
        let (ticket, item) = self.queue.first_key_value()?;
        let (id, what, payload) = match item {
            Item::Say(id) => (*id, What::Say, self.entries.get(id)?.subscription.say.clone()),
            Item::Unsay { id, payload } => (*id, What::Unsay, payload.clone()),
        };
        Some(Saying { id, what, payload, ticket: *ticket })
    }

    /// The connection accepted what [`next_to_say`](Self::next_to_say) gave. The time for the
    /// confirmation runs from now.
    pub fn said(&mut self, now: Instant, saying: &Saying, seq: Seq) {
        let Saying { id, what, .. } = *saying;
        self.messages.insert(seq, Message { id, what, era: self.era });
        match self.queue.remove(&saying.ticket) {
            Some(Item::Say(id)) => self.wait(now, id),
            Some(Item::Unsay { payload, .. }) => {
                self.unsaying -= 1;
                self.unsaying_bytes -= payload.len();
            }
            None => {}
        }
    }

    /// The connection would not take what [`next_to_say`](Self::next_to_say) gave, and never will.
    pub fn unsayable(&mut self, saying: &Saying, detail: &str) {
        match self.queue.remove(&saying.ticket) {
            Some(Item::Say(id)) => {
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.standing = Standing::Unsaid;
                }
            }
            Some(Item::Unsay { payload, .. }) => {
                self.unsaying -= 1;
                self.unsaying_bytes -= payload.len();
            }
            None => return,
        }
        self.told
            .push_back(Told { id: saying.id, news: News::Unsayable { detail: detail.into() } });
    }

    /// The connection has flushed a message. Returns whether it was one of these.
    #[inline]
    pub fn flushed(&mut self, seq: Seq) -> bool {
        !self.messages.is_empty() && self.messages.remove(&seq).is_some()
    }

    /// The connection has given a message up. Returns whether it was one of these.
    ///
    /// Where that was for want of a transport, the next one sets it right. Otherwise the application
    /// is told; trying again at once might go on for ever.
    pub fn undelivered(&mut self, seq: Seq, fate: Fate) -> bool {
        let Some(message) = self.messages.remove(&seq) else { return false };
        let told = match fate {
            Fate::Expired | Fate::Cancelled => true,
            Fate::Dropped(reason) => match reason {
                DropReason::Oldest | DropReason::Newest => true,
                DropReason::NotOpen
                | DropReason::Lost
                | DropReason::Closed
                | DropReason::Suspended => false,
            },
            Fate::Uncertain(_) => false,
        };
        let Message { id, what, era } = message;
        if !told || !self.open || era != self.era {
            return true;
        }
        match what {
            What::Say => {
                let Some(entry) = self.entries.get_mut(&id) else { return true };
                let Standing::Said(answer) = entry.standing else { return true };
                entry.standing = Standing::Unsaid;
                let subscription = Arc::clone(&entry.subscription);
                self.wait_no_more(id, &subscription, answer);
            }
            What::Unsay => {}
        }
        self.told.push_back(Told { id, news: News::Undelivered(fate) });
        true
    }

    /// Shows it a received message, which is read only if somebody waits for an answer.
    #[inline]
    pub fn received(&mut self, payload: &Payload) -> Heard {
        if self.waiting.is_empty() { Heard::NotMine } else { self.read(payload) }
    }

    fn read(&mut self, payload: &Payload) -> Heard {
        let Payload::Text(text) = payload else { return Heard::NotMine };
        let Some((id, role)) = self.waiting.find(text) else { return Heard::NotMine };
        let Some(entry) = self.entries.get_mut(&id) else { return Heard::NotMine };
        let Standing::Said(answer) = entry.standing else { return Heard::NotMine };
        let subscription = Arc::clone(&entry.subscription);
        let consume = subscription.confirm.as_ref().is_some_and(|confirm| confirm.consume);
        let message = payload.clone();
        let (standing, heard, news) = match role {
            Role::Confirm => (
                Standing::Said(Answer::Settled),
                Heard::Confirmed { id, consume },
                News::Confirmed { message },
            ),
            Role::Refuse => {
                (Standing::Refused, Heard::Refused { id, consume }, News::Refused { message })
            }
        };
        entry.standing = standing;
        self.wait_no_more(id, &subscription, answer);
        self.told.push_back(Told { id, news });
        heard
    }

    /// Says whether reading has stopped, so that no answer can be heard. Until it goes on no answer is
    /// late; then each that is awaited has as much time as it had left.
    pub fn set_deaf(&mut self, now: Instant, deaf: bool) {
        if deaf {
            self.deaf_since.get_or_insert(now);
            return;
        }
        let Some(since) = self.deaf_since.take() else { return };
        let lost = now - since;
        for (until, id) in core::mem::take(&mut self.deadlines) {
            if let Some(entry) = self.entries.get_mut(&id)
                && let Some(confirm) = &entry.subscription.confirm
            {
                // What was said meanwhile has not lost so much.
                let until = (until + lost).min(now + confirm.timeout);
                entry.standing = Standing::Said(Answer::Awaited { until });
                self.deadlines.insert((until, id));
            }
        }
    }

    /// Waits no longer for answers that are due by `now`.
    pub fn tick(&mut self, now: Instant) {
        while self.deaf_since.is_none()
            && let Some((until, id)) = self.deadlines.first().copied()
            && until <= now
        {
            self.deadlines.pop_first();
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.standing = Standing::Said(Answer::Late);
                self.told.push_back(Told { id, news: News::Unconfirmed });
            }
        }
    }

    /// When to [`tick`](Self::tick) next; `None` if no answer is waited for, or none can be heard.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().filter(|_| self.deaf_since.is_none()).map(|(until, _)| *until)
    }

    /// The next news, in the order in which it happened.
    pub fn poll_event(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// How many were said and wait for their answer, and have not waited too long.
    #[must_use]
    pub fn unconfirmed(&self) -> usize {
        self.deadlines.len()
    }

    /// How many live.
    #[must_use]
    pub fn live(&self) -> usize {
        self.entries.len()
    }

    /// How many bytes the messages and matchers of these take, and what is to be unsaid.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes + self.unsaying_bytes
    }

    /// How many messages the connection has accepted and not ended, as far as is known.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.messages.len()
    }

    /// Those that live, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (SubscriptionId, &Subscription)> {
        self.entries.iter().map(|(id, entry)| (*id, &*entry.subscription))
    }

    fn enqueue(&mut self, item: Item) -> u64 {
        self.last_ticket += 1;
        self.queue.insert(self.last_ticket, item);
        self.last_ticket
    }

    fn wait(&mut self, now: Instant, id: SubscriptionId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let answer = match &entry.subscription.confirm {
            None => Answer::Settled,
            Some(confirm) => {
                self.waiting.insert(id, Role::Confirm, &confirm.when);
                if let Some(refuse) = &confirm.refuse {
                    self.waiting.insert(id, Role::Refuse, refuse);
                }
                let until = now + confirm.timeout;
                self.deadlines.insert((until, id));
                Answer::Awaited { until }
            }
        };
        entry.standing = Standing::Said(answer);
    }

    fn wait_no_more(&mut self, id: SubscriptionId, subscription: &Subscription, answer: Answer) {
        match answer {
            Answer::Settled => return,
            Answer::Awaited { until } => {
                self.deadlines.remove(&(until, id));
            }
            Answer::Late => {}
        }
        if let Some(confirm) = &subscription.confirm {
            self.waiting.remove(id, Role::Confirm, &confirm.when);
            if let Some(refuse) = &confirm.refuse {
                self.waiting.remove(id, Role::Refuse, refuse);
            }
        }
    }
}
