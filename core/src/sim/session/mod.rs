//! The session under a checker: what passes through it, and what is compared with what.
//!
//! [`CheckedSession`] is to a [`Session`] what [`Checked`](super::Checked) is to a connection. It sees
//! what the session is asked, what it says, and by a tap on its door what it tells the connection and
//! takes from it. A model is fed with nothing but that, and says after each call what must have come
//! of it. [`SessionScenario`] carries scripts of [`SessionStep`]s out on one, over a connection that is
//! checked as well.

mod asked;
mod model;
mod order;
mod reading;
mod scenario;
mod setup;
mod standing;
mod stats;
mod step;
mod tap;
mod words;

use alloc::format;
use alloc::vec::Vec;

pub use scenario::{SessionScenario, run};
pub use setup::SessionSetup;
pub use stats::SessionStats;
pub use step::{Saying, SessionStep};

use asked::How;
use model::{Glimpse, Model};
use tap::{Seen, Tap};

use super::{Verdict, Violation, violation};
use crate::action::Action;
use crate::bus::{Pattern, SubscriberId};
use crate::config::ConfigError;
use crate::error::{Accepted, Rejected};
use crate::event::{Event, TransportId};
use crate::requests::{Request, RequestId};
use crate::session::{Decision, Door, Output, RequestError, Session, SessionConfig, SessionStatus};
use crate::subscriptions::{Subscription, SubscriptionId, SubscriptionRejected, Told};
use crate::time::Instant;

/// Something that the session has to say, sooner or later.
#[derive(Clone, Debug, PartialEq)]
enum Owed {
    Ended(RequestId, How),
    Told(Told),
    Login(TransportId),
    Closed(Action),
}

impl Owed {
    /// What is broken if it is not said.
    fn invariant(&self) -> u8 {
        match self {
            Owed::Ended(..) => 42,
            Owed::Told(_) => 48,
            Owed::Login(_) => 45,
            Owed::Closed(_) => 49,
        }
    }
}

/// A [`Session`] whose every step is checked against a model of what it promises.
///
/// It has the session's functions. The first violation is kept, and nothing is checked after it.
#[derive(Clone, Debug)]
pub struct CheckedSession {
    session: Session,
    model: Model,
    violation: Option<Violation>,
}

impl CheckedSession {
    /// As [`Session::new`], and the model of it.
    ///
    /// # Errors
    /// Those of [`Session::new`].
    pub fn new(config: SessionConfig, now: Instant) -> Result<Self, ConfigError> {
        let model = Model::new(config.clone(), now);
        Ok(Self { session: Session::new(config, now)?, model, violation: None })
    }

    /// Lets the session do something at this door, and judges it by what passed.
    fn watch<T, D: Door>(
        &mut self,
        door: &mut D,
        call: impl FnOnce(&mut Session, &mut Tap<'_, D>) -> T,
        judge: impl FnOnce(&mut Model, &T, &[Seen], Glimpse) -> Verdict,
    ) -> T {
        let mut tap = Tap::new(door);
        let answer = call(&mut self.session, &mut tap);
        let (seen, ends) = tap.into_seen();
        if self.violation.is_none() {
            let verdict = if ends {
                let glimpse = Glimpse::of(door.connection());
                judge(&mut self.model, &answer, &seen, glimpse)
                    .and_then(|()| self.model.agrees(&self.session.status()))
            } else {
                Err(violation(50, format!("a call does not come to an end: {:?}", tail(&seen))))
            };
            self.violation = verdict.err().map(|broken| *broken);
        }
        answer
    }

    /// As [`Session::handle`].
    ///
    /// # Errors
    /// Those of [`Session::handle`]. A violation is no error here: see [`check`](Self::check).
    pub fn handle(
        &mut self,
        door: &mut impl Door,
        now: Instant,
        event: Event,
    ) -> Result<Accepted, Rejected> {
        let told = event.clone();
        self.watch(
            door,
            |session, door| session.handle(door, now, event),
            |model, result, seen, _| model.handled(now, told, result, seen),
        )
    }

    /// As [`Session::poll`].
    pub fn poll(&mut self, door: &mut impl Door) -> Output {
        let output = self.watch(
            door,
            |session, door| {
                let output = session.poll(door);
                (output, session.matched().to_vec())
            },
            |model, (output, matched), seen, glimpse| model.polled(output, matched, seen, glimpse),
        );
        if matches!(output.0, Output::Action(Action::Wait { .. })) && self.violation.is_none() {
            let again = self.session.clone().poll(&mut Tap::new(door));
            if again != output.0 {
                let detail = format!("{:?}, then {again:?}", output.0);
                self.violation = Some(*violation(51, detail));
            }
        }
        output.0
    }

    /// As [`Session::decide`].
    pub fn decide(&mut self, door: &mut impl Door, now: Instant, decision: Decision) {
        let decided = decision.clone();
        self.watch(
            door,
            |session, door| session.decide(door, now, decision),
            |model, (), seen, glimpse| model.decided(now, decided, seen, glimpse),
        );
    }

    /// As [`Session::request`].
    ///
    /// # Errors
    /// Those of [`Session::request`].
    pub fn request(
        &mut self,
        door: &mut impl Door,
        now: Instant,
        request: Request,
    ) -> Result<RequestId, RequestError> {
        let asked = request.clone();
        self.watch(
            door,
            |session, door| session.request(door, now, request),
            |model, result, seen, _| model.requested(now, &asked, result, seen),
        )
    }

    /// As [`Session::cancel`].
    pub fn cancel(&mut self, door: &mut impl Door, now: Instant, request: RequestId) {
        self.watch(
            door,
            |session, door| session.cancel(door, now, request),
            |model, (), seen, glimpse| model.cancelled(now, request, seen, glimpse),
        );
    }

    /// As [`Session::subscribe`].
    ///
    /// # Errors
    /// Those of [`Session::subscribe`].
    pub fn subscribe(
        &mut self,
        door: &mut impl Door,
        now: Instant,
        subscription: Subscription,
    ) -> Result<SubscriptionId, SubscriptionRejected> {
        let wanted = subscription.clone();
        self.watch(
            door,
            |session, door| session.subscribe(door, now, subscription),
            |model, result, seen, glimpse| model.subscribed(now, &wanted, result, seen, glimpse),
        )
    }

    /// As [`Session::unsubscribe`].
    pub fn unsubscribe(
        &mut self,
        door: &mut impl Door,
        now: Instant,
        subscription: SubscriptionId,
    ) -> bool {
        self.watch(
            door,
            |session, door| session.unsubscribe(door, now, subscription),
            |model, known, seen, glimpse| {
                model.unsubscribed(now, subscription, *known, seen, glimpse)
            },
        )
    }

    /// As [`Session::close`].
    pub fn close(&mut self, door: &mut impl Door) {
        self.watch(
            door,
            |session, door| session.close(door),
            |model, (), seen, glimpse| model.closed(seen, glimpse),
        );
    }

    /// As [`Session::listen`].
    pub fn listen(&mut self, pattern: &Pattern) -> SubscriberId {
        let id = self.session.listen(pattern);
        self.model.listened(id, pattern);
        id
    }

    /// As [`Session::unlisten`].
    pub fn unlisten(&mut self, subscriber: SubscriberId) -> bool {
        let known = self.session.unlisten(subscriber);
        if known != self.model.unlistened(subscriber) && self.violation.is_none() {
            let detail = format!("subscriber {subscriber} was known: {known}");
            self.violation = Some(*violation(44, detail));
        }
        known
    }

    /// As [`Session::status`].
    #[must_use]
    pub fn status(&self) -> SessionStatus {
        self.session.status()
    }

    /// What separates the segments of a topic.
    #[must_use]
    pub fn separator(&self) -> char {
        self.session.separator()
    }

    /// Whether every invariant held so far.
    ///
    /// # Errors
    /// The first violation.
    pub fn check(&self) -> Result<(), Violation> {
        self.violation.clone().map_or(Ok(()), Err)
    }

    /// Plants a fault in the session.
    #[cfg(perennial_planted)]
    pub fn plant(&mut self, fault: crate::planted::Fault) {
        self.session.plant(fault);
    }
}

/// The last few, in words.
fn tail(seen: &[Seen]) -> alloc::string::String {
    let last: Vec<&Seen> = seen.iter().rev().take(4).collect();
    format!("{last:?}")
}
