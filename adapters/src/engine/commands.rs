//! What every handle can ask of the session.

use std::fmt;
use std::sync::Arc;

use perennial_core::State;
use perennial_core::bus::{Delivery, PatternError};
use perennial_core::requests::{Answer, Outcome, Request, RequestId};
use perennial_core::session::SessionStatus;
use perennial_core::subscriptions::{self, Subscription, SubscriptionId};

use super::control::Control;
use super::layer::Layer;
use super::mailbox::{Mail, Said};
use super::shared::{Access, Shared};
use super::slot::{Emptied, Slot};
use crate::error::{RequestError, RequestFailed, SubscribeError};
use crate::listen::{Listen, pattern};

/// A request on its way. Dropping it takes the request back.
#[derive(Debug)]
pub(crate) struct Asked {
    shared: Arc<Shared>,
    id: RequestId,
    pub(crate) slot: Arc<Slot<Outcome>>,
}

impl Asked {
    pub(crate) fn id(&self) -> RequestId {
        self.id
    }

    /// The answer, if the request has ended and it was not given before.
    pub(crate) fn try_answer(&self) -> Option<Result<Answer, RequestFailed>> {
        self.slot.try_take()?.ok().map(RequestFailed::judge)
    }

    /// What there was in the slot for the one who waited.
    pub(crate) fn judge(taken: Result<Outcome, Emptied>) -> Result<Answer, RequestFailed> {
        taken.map_or(Err(RequestFailed::AlreadyTaken), RequestFailed::judge)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // One that has ended is not found any more.
        self.shared.lock().command(|layer, door, now| layer.cancel(door, now, self.id));
    }
}

impl Control {
    /// A subscriber of the bus.
    pub(crate) fn mail(&self, listen: Listen) -> Result<Mail<Arc<Delivery>>, PatternError> {
        let shared = Arc::clone(self.shared());
        let mut core = self.shared().lock();
        let pattern = pattern(listen.wanted, core.layer.separator())?;
        let left = move |id, said| match said {
            Said::Room => shared.resume(),
            Said::Left => shared.lock().layer.unlisten(id),
        };
        let over = core.closed.is_some();
        Ok(core.layer.listen(&pattern, listen.capacity, over, left))
    }

    /// Makes a request, if there is room for it.
    pub(crate) fn ask(
        &self,
        core: &mut Access<'_>,
        request: Request,
    ) -> Result<Asked, RequestError> {
        // A driver that did not get to its end leaves a connection that still takes messages.
        if core.closed.is_some() {
            return Err(RequestError::closed(request));
        }
        let (id, slot) = core.request(request).map_err(RequestError::from_core)?;
        Ok(Asked { shared: Arc::clone(self.shared()), id, slot })
    }

    /// Says something to the server, now or once the connection is open, and again after every open,
    /// before anything that is queued; until what is returned is dropped, or taken back.
    ///
    /// # Errors
    /// [`SubscribeError`] gives it back.
    pub fn subscribe(&self, subscription: Subscription) -> Result<Standing, SubscribeError> {
        let mut core = self.shared().lock();
        if core.closed.is_some() || core.connection.state() == State::Closed {
            return Err(SubscribeError::Closed(Box::new(subscription)));
        }
        let subscribed = core.command(|layer, door, now| layer.subscribe(door, now, subscription));
        let id = subscribed.map_err(SubscribeError::Rejected)?;
        Ok(Standing { shared: Arc::clone(self.shared()), id, kept: false })
    }

    /// The bus, the requests and the subscriptions in numbers.
    #[must_use]
    pub fn session_status(&self) -> SessionStatus {
        self.shared().lock().layer.status()
    }
}

/// A subscription that is said again after every open: see [`Control::subscribe`].
///
/// Dropping it takes it back: the server is told, if it was, and it is never said again.
#[must_use = "dropping it takes it back"]
pub struct Standing {
    pub(crate) shared: Arc<Shared>,
    id: SubscriptionId,
    kept: bool,
}

impl Standing {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> SubscriptionId {
        self.id
    }

    /// What was told of it last: confirmed, refused, or not confirmed in time. `None` as long as
    /// nothing was, and always where nothing is awaited. After a reconnect the last one stands until
    /// there is another.
    #[must_use]
    pub fn news(&self) -> Option<subscriptions::News> {
        self.look(&self.shared.lock().layer)
    }

    /// Lets it stand for as long as the connection lives.
    pub fn keep(mut self) {
        self.kept = true;
    }

    /// What was told of it last.
    pub(crate) fn look(&self, layer: &Layer) -> Option<subscriptions::News> {
        layer.standing(self.id).and_then(|standing| standing.news.clone())
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        if !self.kept {
            let id = self.id;
            self.shared.lock().command(|layer, door, now| layer.unsubscribe(door, now, id));
        }
    }
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standing")
            .field("id", &self.id)
            .field("news", &self.news())
            .finish_non_exhaustive()
    }
}
