//! What the planted faults do to a session.

use super::Session;
use crate::config::Class;
use crate::event::{Event, Outgoing};
use crate::planted::Fault;
use crate::requests::Request;
use crate::session::Door;
use crate::subscriptions::SubscriptionId;

impl Session {
    /// Plants a fault.
    pub fn plant(&mut self, fault: Fault) {
        self.planted = Some(fault);
    }

    /// A request that goes out again though it may not.
    pub(super) fn misclassed(&self, mut request: Request) -> Request {
        if planted!(self, QueuedAskedAgain)
            && request.class.is_none_or(|class| class == Class::Queued)
        {
            request.class = Some(Class::Acknowledged);
        }
        request
    }

    /// Remembers what is taken back while the connection is down.
    pub(super) fn keep_ghost(&mut self, id: SubscriptionId) {
        let found = self.subscriptions.iter().find(|(live, _)| *live == id);
        if self.transport.is_none()
            && let Some((_, subscription)) = found
        {
            self.ghosts.push(subscription.say.clone());
        }
    }

    /// Says what was taken back.
    pub(super) fn say_ghosts(&mut self, door: &mut impl Door) {
        for payload in core::mem::take(&mut self.ghosts) {
            let _ = door.handle(self.now, Event::Send(Outgoing::new(payload).ahead()));
        }
    }
}
