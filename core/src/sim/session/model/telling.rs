//! What the session tells the connection of itself, and when it may.

use alloc::format;
use alloc::string::ToString as _;

use super::super::Seen;
use super::{Glimpse, Model, called_off};
use crate::error::{Accepted, Rejected};
use crate::event::{Event, Outgoing, TransportId};
use crate::sim::{Broken, Verdict, demand, violation};
use crate::time::Instant;

impl Model {
    pub(super) fn told_alone(&mut self, seen: &[Seen], glimpse: Glimpse) -> Verdict {
        for seen in seen {
            match seen {
                Seen::Told(at, event, result) => self.told(*at, event, result, glimpse)?,
                Seen::Closes => return Err(called_off()),
                Seen::Took(action) => {
                    return Err(violation(49, format!("{action:?} was taken outside of a poll")));
                }
            }
        }
        Ok(())
    }

    /// The session tells the connection something of itself.
    pub(super) fn told(
        &mut self,
        at: Instant,
        event: &Event,
        result: &Result<Accepted, Rejected>,
        glimpse: Glimpse,
    ) -> Verdict {
        demand!(49, at == self.now, "{event:?} was told at {at}, and it was {}", self.now);
        loop {
            let known = if let Event::Send(message) = event {
                self.says(message, result)?
            } else if let Event::Release { transport } = event {
                self.releases(*transport, result, glimpse)
            } else {
                self.ordered(event, result)
            };
            // The login may have come to something meanwhile.
            if known {
                return Ok(());
            }
            if !self.order.act(&mut self.orders) {
                return Err(self.unasked(event));
            }
        }
    }

    fn unasked(&self, event: &Event) -> Broken {
        let number = if matches!(event, Event::Send(_) | Event::Release { .. }) { 45 } else { 49 };
        violation(number, format!("the connection was told {event:?} by {:?}", self.order))
    }

    /// Something that was decided before. Details are for people.
    fn ordered(&mut self, event: &Event, result: &Result<Accepted, Rejected>) -> bool {
        let is = |order: &Event| match (order, event) {
            (
                Event::Refuse { transport, retry, detail: _ },
                Event::Refuse { transport: of, retry: again, detail: _ },
            ) => transport == of && retry == again,
            (order, event) => order == event,
        };
        let Some(at) = self.orders.iter().position(is) else { return false };
        // What is refused as busy is told again.
        if !matches!(result, Err(Rejected::Busy(_))) {
            self.orders.remove(at);
        }
        true
    }

    /// A message that goes ahead: the login's, a subscription, or a request once more.
    fn says(
        &mut self,
        message: &Outgoing,
        result: &Result<Accepted, Rejected>,
    ) -> Result<bool, Broken> {
        let seq = match result {
            Ok(Accepted::Message(seq)) => Some(*seq),
            Ok(Accepted::Done | Accepted::Stale) | Err(_) => None,
        };
        let busy = matches!(result, Err(Rejected::Busy(_)));
        if self.order.is_next(message) {
            self.order.sent(seq);
            return Ok(true);
        }
        if !self.order.is_past_login() || self.order.looking || !message.ahead {
            return Ok(false);
        }
        if self.standing.is_next(&message.payload) {
            match (seq, result) {
                (Some(seq), _) => self.standing.said(self.now, seq),
                // It is lost already, and the next one sets it right.
                (None, Err(Rejected::NotOpen(_))) => {}
                (None, Err(rejected)) if !busy => {
                    let told = self.standing.unsayable(rejected.to_string().into());
                    told.into_iter().for_each(|told| self.tell(told));
                }
                (None, _) => {}
            }
            return Ok(true);
        }
        let in_turn = self.are_subscriptions_said() && !self.order.released;
        if in_turn && self.asked.is_next(message) {
            self.order.asking = true;
            // Lost with the transport, it is said on the next.
            let lost = matches!(result, Err(Rejected::NotOpen(_)));
            if !(busy || lost) {
                self.asked.said_again(seq);
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn releases(
        &mut self,
        transport: TransportId,
        result: &Result<Accepted, Rejected>,
        glimpse: Glimpse,
    ) -> bool {
        if self.ordered(&Event::Release { transport }, result) {
            return true;
        }
        let in_turn = self.order.open == Some(transport)
            && self.is_all_said()
            && !(self.order.asks_for_queue() && glimpse.has_queue)
            && !self.orders.iter().any(|order| matches!(order, Event::Reorder(_)));
        if in_turn {
            self.order.released = true;
            if matches!(result, Err(Rejected::Busy(_))) {
                self.orders.push(Event::Release { transport });
            }
        }
        in_turn
    }

    pub(super) fn asks_for_queue(&mut self, transport: TransportId) -> Verdict {
        // The login may have come to an end meanwhile.
        while self.order.login && self.order.act(&mut self.orders) {}
        let in_turn =
            self.order.open == Some(transport) && self.is_all_said() && self.order.asks_for_queue();
        demand!(45, in_turn, "asked about the queue of {transport} by {:?}", self.order);
        self.order.looking = true;
        Ok(())
    }

    /// The queue's turn has come, and it was not released.
    pub(super) fn is_all_said(&self) -> bool {
        self.are_subscriptions_said()
            && !self.asked.has_again()
            && !self.order.looking
            && !self.order.released
    }

    /// The subscriptions were said, and confirmed, or that took too long.
    pub(super) fn are_subscriptions_said(&self) -> bool {
        let waits = self.standing.unconfirmed() > 0 && self.order.is_patient(self.now);
        self.order.is_past_login() && (self.order.asking || !(waits || self.standing.has_next()))
    }

    /// What was to be said of subscriptions was, as far as there was room.
    pub(super) fn subscriptions_are_said(&mut self) {
        self.order.asking |= self.are_subscriptions_said();
    }
}
