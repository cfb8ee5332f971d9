//! The session of a connection, behind the core's lock, and those who wait for what it says.
//!
//! What the session says is passed on while the lock is held: nobody is waited for and nobody is
//! called meanwhile. Who is to be called is called when the lock is released.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use perennial_core::bus::{Delivery, Pattern, SubscriberId};
use perennial_core::requests::{Ended, Outcome, Request, RequestId};
use perennial_core::session::{Decision, Door, Output, RequestError, Session, SessionStatus};
use perennial_core::subscriptions::{
    self, Subscription, SubscriptionId, SubscriptionRejected, Told,
};
use perennial_core::{Accepted, Action, BuiltIn, Connection, Event, Instant, Notice, Rejected};

use super::hooks::Ask;
use super::mailbox::{Capacity, Mail, Said, mailbox};
use super::recording::Recording;
use super::routed::Routed;
use super::shelf::{Post, Shelf, Sorting, Verdict};
use super::slot::Slot;
use crate::opening::Waiting;

/// A connection, with whoever writes down what happens to it.
pub(crate) struct Recorded<'a> {
    pub(super) connection: &'a mut Connection<BuiltIn>,
    pub(super) recording: Option<&'a mut Recording>,
}

impl Door for Recorded<'_> {
    type Dialect = BuiltIn;

    fn connection(&self) -> &Connection<BuiltIn> {
        self.connection
    }

    fn handle(&mut self, now: Instant, event: Event) -> Result<Accepted, Rejected> {
        match &mut self.recording {
            None => self.connection.handle(now, event),
            Some(recording) => recording.handle(self.connection, now, event),
        }
    }

    fn poll(&mut self) -> Action {
        match &mut self.recording {
            None => self.connection.poll(),
            Some(recording) => recording.poll(self.connection),
        }
    }
}

/// What has become of a subscription on the present transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The last that was told of it; `None` before.
    pub(crate) news: Option<subscriptions::News>,
}

/// The session, and who waits for what.
#[derive(Debug)]
pub(crate) struct Layer {
    session: Session,
    /// By name, which grows: whoever comes is the last.
    posts: Vec<(SubscriberId, Post<Arc<Delivery>>)>,
    slots: BTreeMap<RequestId, Arc<Slot<Outcome>>>,
    standings: BTreeMap<SubscriptionId, Standing>,
    /// Where the mailboxes of all of them are.
    shelf: Shelf<Arc<Delivery>>,
    asks: Vec<Ask>,
    /// How many notices for the application there were.
    told: u64,
    /// Whether what goes to subscribers is shown to others as well, and what did.
    keeps_routed: bool,
    routed: Vec<Routed>,
    /// Whom to call when the lock is released.
    calls: Vec<Waker>,
    /// Somebody may wait for news of a subscription.
    has_news: bool,
}

impl Layer {
    pub(crate) fn new(session: Session) -> Self {
        Self {
            session,
            posts: Vec::new(),
            slots: BTreeMap::new(),
            standings: BTreeMap::new(),
            shelf: Shelf::default(),
            asks: Vec::new(),
            told: 0,
            keeps_routed: false,
            routed: Vec::new(),
            calls: Vec::new(),
            has_news: false,
        }
    }

    pub(super) fn handle(
        &mut self,
        mut door: Recorded<'_>,
        now: Instant,
        event: Event,
    ) -> Result<Accepted, Rejected> {
        self.session.handle(&mut door, now, event)
    }

    /// The next action. What the session has to say on the way is passed on.
    pub(super) fn poll(&mut self, mut door: Recorded<'_>) -> Action {
        loop {
            match self.session.poll(&mut door) {
                Output::Action(action) => {
                    self.told += u64::from(matches!(action, Action::Notify(_)));
                    return action;
                }
                Output::Deliver(delivery) => self.deliver(delivery),
                Output::Ended(Ended { id, outcome }) => {
                    if let Some(slot) = self.slots.remove(&id) {
                        self.calls.extend(slot.fill(outcome));
                    }
                }
                Output::Told(Told { id, news }) => {
                    if let Some(standing) = self.standings.get_mut(&id) {
                        standing.news = Some(news);
                        self.has_news = true;
                    }
                }
                Output::Login { transport } => self.asks.push(Ask::Login { transport }),
                Output::DuringLogin(message) => self.asks.push(Ask::DuringLogin(message)),
                Output::Queue { transport } => {
                    let waiting = door.connection().queued().map(|queued| Waiting {
                        seq: queued.seq,
                        id: queued.id,
                        payload: queued.payload.clone(),
                        class: queued.class,
                    });
                    let waiting = waiting.collect();
                    self.asks.push(Ask::Queue { transport, waiting });
                }
            }
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        if self.keeps_routed {
            let notice = Notice::Message(delivery.message().clone());
            self.routed.push(Routed { after: self.told, notice });
        }
        let size = delivery.message().payload.len();
        // One for all of them, so that what each is given is a reference.
        let delivery = Arc::new(delivery);
        let mut left = Vec::new();
        let Self { session, posts, shelf, calls, .. } = &mut *self;
        let mut put = |sorting: &mut Sorting<'_, _>, id, post: &Post<_>, delivery| {
            let pushed = sorting.put(post, delivery, size);
            calls.extend(pushed.wake);
            match pushed.verdict {
                Verdict::Taken | Verdict::Full => {}
                Verdict::Over => left.push(id),
            }
        };
        // Both are in the order of the names, so that one is looked for only behind the one before.
        let mut posts = &posts[..];
        let mut sorting = shelf.lock();
        let mut last = None;
        for id in session.matched() {
            if posts.first().is_none_or(|(first, _)| first != id) {
                posts = &posts[posts.partition_point(|(other, _)| other < id)..];
            }
            let Some(((_, post), rest)) = posts.split_first().filter(|((other, _), _)| other == id)
            else {
                continue;
            };
            posts = rest;
            if let Some((id, post)) = last.replace((*id, post)) {
                put(&mut sorting, id, post, Arc::clone(&delivery));
            }
        }
        // The last one takes what the others have counted.
        if let Some((id, post)) = last {
            put(&mut sorting, id, post, delivery);
        }
        drop(sorting);
        left.into_iter().for_each(|id| self.unlisten(id));
    }

    /// Answers what the session asked.
    pub(super) fn decide(&mut self, mut door: Recorded<'_>, now: Instant, decision: Decision) {
        self.session.decide(&mut door, now, decision);
    }

    /// Takes what the application is to be asked.
    pub(super) fn take_asks(&mut self, to: &mut Vec<Ask>) {
        to.append(&mut self.asks);
    }

    /// Says whether the messages that go to subscribers are kept from now on.
    pub(super) fn keep_routed(&mut self, keep: bool) {
        self.keeps_routed = keep;
    }

    /// Takes those that are kept and came when there had been at most so many notices.
    pub(super) fn take_routed(&mut self, told: u64, to: &mut Vec<Routed>) {
        let count = self.routed.partition_point(|routed| routed.after <= told);
        to.extend(self.routed.drain(..count));
    }

    /// Whether the application is to be asked something.
    pub(super) fn has_asks(&self) -> bool {
        !self.asks.is_empty()
    }

    /// Whether a subscriber has reading stopped.
    pub(super) fn is_congested(&self) -> bool {
        self.shelf.is_congested()
    }

    /// Whether anybody is to be called, or told that something has changed.
    #[inline]
    pub(super) fn owes_calls(&self) -> bool {
        self.has_news || !self.calls.is_empty()
    }

    /// Whom to call now that the lock is released.
    pub(super) fn take_calls(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.calls)
    }

    /// Whether there was news of a subscription since the last call.
    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// The end: nobody is to wait any longer.
    pub(super) fn finish(&mut self, mut door: Recorded<'_>) {
        self.session.close(&mut door);
        self.calls.extend(
            std::mem::take(&mut self.slots)
                .into_values()
                .filter_map(|slot| slot.fill(Outcome::Closed)),
        );
        let posts = std::mem::take(&mut self.posts);
        for (id, post) in posts {
            self.session.unlisten(id);
            self.calls.extend(post.close());
        }
        self.has_news = true;
    }

    /// What separates the segments of a topic.
    pub(super) fn separator(&self) -> char {
        self.session.separator()
    }

    /// Adds a subscriber, whose end has `say` called. `over`: nothing will come any more.
    pub(super) fn listen(
        &mut self,
        pattern: &Pattern,
        capacity: Capacity,
        over: bool,
        say: impl Fn(SubscriberId, Said) + Send + Sync + 'static,
    ) -> Mail<Arc<Delivery>> {
        let id = self.session.listen(pattern);
        let (post, mail) = mailbox(capacity, &self.shelf, move |said| say(id, said));
        self.posts.push((id, post));
        if over {
            self.unlisten(id);
        }
        mail
    }

    /// Takes a subscriber off the bus.
    pub(super) fn unlisten(&mut self, id: SubscriberId) {
        self.session.unlisten(id);
        if let Ok(at) = self.posts.binary_search_by_key(&id, |(id, _)| *id) {
            self.calls.extend(self.posts.remove(at).1.close());
        }
    }

    pub(super) fn request(
        &mut self,
        mut door: Recorded<'_>,
        now: Instant,
        request: Request,
    ) -> Result<(RequestId, Arc<Slot<Outcome>>), RequestError> {
        let id = self.session.request(&mut door, now, request)?;
        let slot = Arc::new(Slot::default());
        self.slots.insert(id, Arc::clone(&slot));
        Ok((id, slot))
    }

    pub(super) fn cancel(&mut self, mut door: Recorded<'_>, now: Instant, id: RequestId) {
        self.session.cancel(&mut door, now, id);
    }

    pub(super) fn subscribe(
        &mut self,
        mut door: Recorded<'_>,
        now: Instant,
        subscription: Subscription,
    ) -> Result<SubscriptionId, SubscriptionRejected> {
        let id = self.session.subscribe(&mut door, now, subscription)?;
        self.standings.insert(id, Standing { news: None });
        Ok(id)
    }

    pub(super) fn unsubscribe(&mut self, mut door: Recorded<'_>, now: Instant, id: SubscriptionId) {
        self.standings.remove(&id);
        self.session.unsubscribe(&mut door, now, id);
    }

    pub(super) fn standing(&self, id: SubscriptionId) -> Option<&Standing> {
        self.standings.get(&id)
    }

    pub(super) fn status(&self) -> SessionStatus {
        self.session.status()
    }
}

#[cfg(test)]
#[path = "layer/tests.rs"]
mod tests;
