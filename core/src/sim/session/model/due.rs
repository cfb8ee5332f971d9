//! What a poll has to say, and what has to be so when there is nothing left to be done.

use alloc::format;

use serde_json::Value;

use super::super::Owed;
use super::super::reading::{content, topic};
use super::{Direct, Glimpse, Model};
use crate::action::Action;
use crate::bus::{Delivery, SubscriberId};
use crate::event::Event;
use crate::notice::{Message, Notice};
use crate::session::Output;
use crate::sim::{Verdict, demand, violation};
use crate::time::Instant;

impl Model {
    pub(super) fn is_direct(
        &self,
        output: &Output,
        matched: &[SubscriberId],
        direct: &Direct,
    ) -> Verdict {
        let (number, just) = match (direct, output) {
            (Direct::Action(expected), Output::Action(action)) => {
                let is_message = matches!(expected, Action::Notify(Notice::Message(_)));
                (if is_message { 47 } else { 49 }, expected == action)
            }
            (Direct::DuringLogin(expected), Output::DuringLogin(message)) => {
                (47, expected == message)
            }
            (Direct::Deliver(message, read), Output::Deliver(delivery)) => {
                let to = self.subscribers(read.as_ref());
                (47, to == matched && self.is_delivery(delivery, message, read.as_ref()))
            }
            (Direct::Action(_) | Direct::DuringLogin(_) | Direct::Deliver(..), _) => (47, false),
        };
        demand!(number, just, "{output:?} for {matched:?}, where {direct:?} was due");
        Ok(())
    }

    fn is_delivery(&self, delivery: &Delivery, message: &Message, read: Option<&Value>) -> bool {
        let Some(routing) = self.config.routing.as_fields() else { return true };
        let about = read.and_then(|object| topic(routing, object));
        let content = read.filter(|_| about.is_some()).map(|object| content(routing, object));
        let parsed = delivery.parse::<Value>().ok();
        delivery.message() == message
            && delivery.topic() == about.as_deref()
            && content.is_none_or(|content| parsed.as_ref() == Some(content))
    }

    /// It says what it had to.
    pub(super) fn pay(&mut self, output: &Output) -> Verdict {
        let last = self.owed.len() == 1;
        let is = |owed: &Owed| match (owed, output) {
            (Owed::Ended(id, how), Output::Ended(ended)) => *id == ended.id && how.is(ended),
            (Owed::Told(told), Output::Told(said)) => told == said,
            (Owed::Login(transport), Output::Login { transport: asked }) => transport == asked,
            (Owed::Closed(closed), Output::Action(action)) => last && closed == action,
            (Owed::Ended(..) | Owed::Told(_) | Owed::Login(_) | Owed::Closed(_), _) => false,
        };
        if let Some(at) = self.owed.iter().position(is) {
            self.owed.remove(at);
            return Ok(());
        }
        let number = match output {
            Output::Ended(_) => 42,
            Output::Told(_) => 48,
            Output::Login { .. } | Output::Queue { .. } => 45,
            Output::Deliver(_) | Output::DuringLogin(_) => 47,
            Output::Action(_) => 49,
        };
        Err(violation(number, format!("{output:?}, where {:?} was due", self.owed)))
    }

    /// Nothing is left to be done, and that has to be so.
    pub(super) fn rest(
        &mut self,
        wait: &Action,
        door: Option<Instant>,
        glimpse: Glimpse,
    ) -> Verdict {
        while self.order.act(&mut self.orders) {}
        if glimpse.closes {
            self.orders.retain(|order| !matches!(order, Event::Refuse { .. }));
        }
        let (owed, orders) = (&self.owed, &self.orders);
        let first = owed.first().map_or(0, Owed::invariant);
        demand!(first, owed.is_empty(), "at rest, and {owed:?} was not said");
        demand!(49, orders.is_empty(), "at rest, and {orders:?} was not told");
        demand!(47, self.passed.is_empty(), "at rest, and {:?} waits", self.passed);
        demand!(45, !self.order.is_behind(), "at rest, and not so {:?}", self.order);
        self.subscriptions_are_said();
        let blocked = glimpse.ahead_room == 0;
        if self.order.is_past_login() && !self.order.looking {
            let (said, again) = (!self.standing.has_next(), self.asked.has_again());
            let asking = self.order.asking && !self.order.released;
            demand!(46, said || blocked || asking, "{:?} is not said", self.standing);
            demand!(43, !(asking && again) || blocked, "{:?}", self.asked);
            demand!(45, !self.is_all_said(), "not released: {:?}", self.order);
        }
        let own = [self.asked.deadline(), self.standing.deadline(), self.order.deadline(self.now)];
        let own = own.into_iter().flatten().min();
        let until = own.into_iter().chain(door).min();
        let is = matches!(wait, Action::Wait { until: told, .. } if *told == until);
        demand!(51, is, "{wait:?}, own {own:?}, the connection's {door:?}");
        demand!(51, own.is_none_or(|own| own > self.now), "{wait:?} at {}", self.now);
        Ok(())
    }
}
