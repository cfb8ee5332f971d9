//! The opening: what comes before what, between the open and the release.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use crate::event::{Event, Outgoing, Seq, TransportId};
use crate::session::{Asks, Verdict as LoginVerdict};
use crate::time::{Duration, Instant};

/// What the application said to its login, and the session has not acted upon.
#[derive(Clone, Debug)]
struct Said {
    transport: TransportId,
    send: VecDeque<Outgoing>,
    verdict: Option<LoginVerdict>,
}

/// How far the opening of the open transport has come, by all that was seen.
#[derive(Clone, Debug)]
pub(super) struct Order {
    asks: Asks,
    pub(super) open: Option<TransportId>,
    /// Until when the queue waits for confirmations.
    patience: Instant,
    /// The application logs in.
    pub(super) login: bool,
    /// The transport was given up: nothing is said on it any more.
    pub(super) given_up: bool,
    /// The subscriptions were said, and it is the requests' turn.
    pub(super) asking: bool,
    /// The application looks at the queue, or has done so.
    pub(super) looking: bool,
    pub(super) looked: bool,
    pub(super) released: bool,
    said: VecDeque<Said>,
    /// Messages of a login that have not ended.
    messages: BTreeSet<Seq>,
}

impl Order {
    pub(super) fn new(asks: Asks) -> Self {
        Self {
            asks,
            open: None,
            patience: Instant::ZERO,
            login: false,
            given_up: false,
            asking: false,
            looking: false,
            looked: false,
            released: false,
            said: VecDeque::new(),
            messages: BTreeSet::new(),
        }
    }

    pub(super) fn opened(&mut self, now: Instant, transport: TransportId, timeout: Duration) {
        self.lost();
        self.open = Some(transport);
        self.patience = now + (timeout - timeout / 4);
        self.login = self.asks.login;
    }

    pub(super) fn lost(&mut self) {
        self.open = None;
        (self.login, self.given_up, self.asking) = (false, false, false);
        (self.looking, self.looked, self.released) = (false, false, false);
    }

    /// Whether it is the subscriptions' turn, or was.
    pub(super) fn is_past_login(&self) -> bool {
        self.open.is_some() && !self.login && !self.given_up
    }

    /// Whether the queue waits for confirmations, if any are awaited.
    pub(super) fn is_patient(&self, now: Instant) -> bool {
        !self.asking && now < self.patience
    }

    /// When that ends, if it goes on.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let subscribing = self.is_past_login() && !self.looking && !self.released;
        (subscribing && self.is_patient(now)).then_some(self.patience)
    }

    pub(super) fn asks_for_queue(&self) -> bool {
        self.asks.queue && !self.looked
    }

    pub(super) fn decided(
        &mut self,
        transport: TransportId,
        send: Vec<Outgoing>,
        verdict: Option<LoginVerdict>,
    ) {
        let lasting = |message: Outgoing| {
            let ttl = message.ttl.unwrap_or(Duration::MAX);
            message.ttl(ttl).ahead()
        };
        let send = send.into_iter().map(lasting).collect();
        self.said.push_back(Said { transport, send, verdict });
    }

    /// Whether the session may be acting upon something that was said to the login just now.
    pub(super) fn may_act(&self) -> bool {
        self.login && !self.said.is_empty()
    }

    fn is_stale(&self, said: &Said) -> bool {
        !self.login || self.open != Some(said.transport)
    }

    /// Whether this is the next message of the login.
    pub(super) fn is_next(&mut self, message: &Outgoing) -> bool {
        // What was said before it, and has no message left, has been acted upon.
        while let Some(said) = self.said.front()
            && (self.is_stale(said) || (said.send.is_empty() && said.verdict.is_none()))
        {
            self.said.pop_front();
        }
        self.login && self.said.front().is_some_and(|said| said.send.front() == Some(message))
    }

    /// It was sent, or refused, which fails the login.
    pub(super) fn sent(&mut self, seq: Option<Seq>) {
        let Some(said) = self.said.front_mut() else { return };
        said.send.pop_front();
        match seq {
            Some(seq) => {
                self.messages.insert(seq);
            }
            None => {
                said.send.clear();
                said.verdict = Some(LoginVerdict::Failed { detail: "".into() });
            }
        }
    }

    /// Acts upon what was said to the login, if nothing is left of it to be sent: says whether there
    /// was anything, and what the connection is to be told of it.
    pub(super) fn act(&mut self, orders: &mut Vec<Event>) -> bool {
        if self.said.front().is_none_or(|said| !self.is_stale(said) && !said.send.is_empty()) {
            return false;
        }
        let Some(said) = self.said.pop_front() else { return false };
        if self.is_stale(&said) {
            return true;
        }
        let (retry, detail) = match said.verdict {
            None => return true,
            Some(LoginVerdict::Good) => {
                self.login = false;
                return true;
            }
            Some(LoginVerdict::Failed { detail }) => (true, detail),
            Some(LoginVerdict::Refused { detail }) => (false, detail),
        };
        (self.login, self.given_up) = (false, true);
        orders.push(Event::Refuse { transport: said.transport, retry, detail });
        true
    }

    /// Whether something that was said to the login was not acted upon.
    pub(super) fn is_behind(&self) -> bool {
        !self.said.is_empty()
    }

    /// A message has ended. Says whether it was the login's.
    pub(super) fn ended(&mut self, seq: Seq) -> bool {
        self.messages.remove(&seq)
    }
}
