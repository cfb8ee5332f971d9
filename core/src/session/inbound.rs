//! What a connection's notices mean to a session.

use super::{Door, Flushes, Output, Session, Stage, Unrouted};
use crate::action::Action;
use crate::event::Event;
use crate::notice::{Message, Notice, State};
use crate::requests::Heard;
use crate::subscriptions::Heard as Confirmation;

impl Session {
    /// What is left of a notice for the driver.
    pub(super) fn note(&mut self, door: &mut impl Door, notice: Notice) -> Option<Output> {
        match notice {
            Notice::Message(message) => return self.take(door, message),
            Notice::StateChanged { to: State::Open, transport: Some(transport), .. } => {
                self.opened(transport, door.connection().config().opening.timeout);
            }
            Notice::StateChanged { from: State::Open, to: State::Reconnecting, .. } => {
                self.lost();
                self.collect(door);
            }
            Notice::Flushed { seq, .. } => {
                if self.requests.flushed(seq) && !planted!(self, OwnFlushTold)
                    || self.subscriptions.flushed(seq)
                    || self.login.remove(&seq)
                    || self.config.flushes == Flushes::Omit
                {
                    return None;
                }
            }
            Notice::Undelivered { seq, fate, .. } => {
                if self.requests.undelivered(seq, fate)
                    || self.subscriptions.undelivered(seq, fate)
                    || self.login.remove(&seq)
                {
                    self.collect(door);
                    return None;
                }
            }
            Notice::Closed(_) => {
                self.down();
                // What came before it is told before it, and may answer what was asked.
                if self.shown > 0 && !planted!(self, EndOvertakes) {
                    self.end = Some(notice);
                } else {
                    self.finish(door, notice);
                }
                return None;
            }
            Notice::StateChanged { .. }
            | Notice::Dialing { .. }
            | Notice::Retrying { .. }
            | Notice::Suspended { .. }
            | Notice::Duplicate { .. }
            | Notice::Acknowledged { .. }
            | Notice::Writable
            | Notice::Pong { .. }
            | Notice::Dead { .. }
            | Notice::Warning(_) => {}
        }
        Some(Output::Action(Action::Notify(notice)))
    }

    /// Nothing will come any more: everything ends, and the closed notice is the last.
    pub(super) fn finish(&mut self, door: &mut impl Door, closed: Notice) {
        if !planted!(self, AskedBeyondEnd) {
            self.requests.close();
        }
        self.collect(door);
        self.outputs.push_back(Output::Action(Action::Notify(closed)));
    }

    /// Takes a message that came.
    pub(super) fn take(&mut self, door: &mut impl Door, message: Message) -> Option<Output> {
        let shown = self.shown > 0 && !planted!(self, LoginOvertaken);
        if self.stage == Stage::Login || shown {
            self.shown += 1;
            return Some(Output::DuringLogin(message));
        }
        self.sort(door, message)
    }

    /// Sorts a message: an answer, a confirmation, something for subscribers, or for the application.
    pub(super) fn sort(&mut self, door: &mut impl Door, mut message: Message) -> Option<Output> {
        // Without a request there never was, there is no answer.
        if self.asked {
            match self.requests.received(&message.payload) {
                Heard::Answered { .. } => {
                    self.collect(door);
                    return None;
                }
                Heard::Stray { .. } if !planted!(self, StrayDelivered) => return None,
                Heard::Stray { .. } | Heard::NotAResponse => {}
            }
        }
        match self.subscriptions.received(&message.payload) {
            Confirmation::NotMine => {}
            Confirmation::Confirmed { consume, .. } | Confirmation::Refused { consume, .. } => {
                planted!(self, ConsumedUntold => if consume {
                    self.subscriptions.poll_event();
                });
                self.collect(door);
                if consume {
                    return None;
                }
            }
        }
        if !self.bus.is_empty() {
            if !planted!(self, MatchedKept) {
                self.matched.clear();
            }
            let delivery = self.bus.route(message, &mut self.matched);
            if !self.matched.is_empty() {
                return Some(Output::Deliver(delivery));
            }
            message = delivery.into_message();
        }
        match self.config.unrouted {
            Unrouted::Deliver => Some(Output::Action(Action::Notify(Notice::Message(message)))),
            Unrouted::Discard => {
                self.discarded = self.discarded.saturating_add(1);
                None
            }
        }
    }

    /// Gathers what requests and subscriptions have to say.
    pub(super) fn collect(&mut self, door: &mut impl Door) {
        while let Some(seq) = self.requests.poll_cancellation() {
            self.order(door, Event::Cancel(seq));
        }
        while let Some(ended) = self.requests.poll_ended() {
            planted!(self, EndedTwice => self.outputs.push_back(Output::Ended(ended.clone())));
            self.outputs.push_back(Output::Ended(ended));
        }
        while let Some(told) = self.subscriptions.poll_event() {
            self.judge(door, &told.news);
            self.outputs.push_back(Output::Told(told));
        }
    }
}
