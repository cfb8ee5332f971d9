//! The bus, requests and subscriptions for tasks.

use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use perennial_core::bus::{Delivery, PatternError};
use perennial_core::requests::{Answer, Request, RequestId};
use perennial_core::subscriptions::News;
use serde::de::DeserializeOwned;

use super::handle::Handle;
use super::waiting::Waiting;
use crate::engine::{Asked, Mail, Standing};
use crate::error::{Lagged, NotOpen, Refusal, RequestError, RequestFailed};
use crate::listen::{Listen, TopicError};

impl Handle {
    /// A subscriber: what matches goes there, and no longer to the client, unless other subscribers
    /// want it as well. It is sorted while it is received, whoever fetches and whoever does not.
    ///
    /// What came before is the client's; nothing comes before the driver is polled.
    ///
    /// # Errors
    /// [`PatternError`] with what is wrong with the pattern's text.
    pub fn listen(&self, listen: impl Into<Listen>) -> Result<Listener, PatternError> {
        let mail = self.mail(listen.into())?;
        Ok(Listener { mail, _open: self.clone() })
    }

    /// A subscriber that reads the payloads as JSON: as [`listen`](Self::listen), typed.
    ///
    /// # Errors
    /// As there.
    pub fn topic<T: DeserializeOwned>(
        &self,
        listen: impl Into<Listen>,
    ) -> Result<Topic<T>, PatternError> {
        Ok(Topic { listener: self.listen(listen)?, payload: PhantomData })
    }

    /// Asks the server something. Waits for room in the outbox as [`send`](Self::send) does, and not
    /// for the answer: that is what awaiting the [`Pending`] does. Cancel-safe: dropped before its
    /// end, nothing was asked.
    ///
    /// # Errors
    /// [`RequestError`] gives the request back.
    pub async fn request(&self, request: Request) -> Result<Pending, RequestError> {
        let waits = self.waits();
        let mut waiting = Waiting::new(self.shared());
        let mut request = Some(request);
        poll_fn(|cx| {
            waiting.poll(cx, |core| match self.ask(core, request.take()?) {
                Err(RequestError::NotSent { request: back, refusal: Refusal::Full }) if waits => {
                    request = Some(back);
                    None
                }
                Ok(asked) => Some(Ok(Pending { asked, _open: self.clone() })),
                Err(error) => Some(Err(error)),
            })
        })
        .await
    }

    /// Waits until something was told of a subscription: see [`Standing::news`]. Cancel-safe.
    ///
    /// # Errors
    /// [`NotOpen::Closed`] when the connection is closed; never [`NotOpen::Timeout`].
    pub async fn wait_standing(&self, standing: &Standing) -> Result<News, NotOpen> {
        let mut waiting = Waiting::new(&standing.shared);
        poll_fn(|cx| {
            waiting.poll(cx, |core| match (standing.look(&core.layer), &core.closed) {
                (Some(news), _) => Some(Ok(news)),
                (None, Some(closed)) => Some(Err(NotOpen::Closed(Box::new(closed.clone())))),
                (None, None) => None,
            })
        })
        .await
    }
}

/// A subscriber of the bus, for one task: see [`Handle::listen`].
///
/// What it does not fetch is held within its limits, and what happens beyond those it has chosen:
/// see [`SlowConsumer`](crate::SlowConsumer). It keeps the connection open, as a handle does. Dropping
/// it ends the subscription.
pub struct Listener {
    mail: Mail<Arc<Delivery>>,
    _open: Handle,
}

impl Listener {
    /// The next message; waits for it. `None` when the connection is closed and everything was
    /// fetched. Cancel-safe: what was not returned stays.
    pub async fn recv(&mut self) -> Option<Result<Delivery, Lagged>> {
        self.mail.recv_async().await.map(own)
    }

    /// The next message, if there is one already.
    pub fn try_recv(&mut self) -> Option<Result<Delivery, Lagged>> {
        self.mail.try_recv().map(own)
    }

    /// How many messages made room for the one fetched last, since the one before it.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.mail.missed()
    }
}

impl Stream for Listener {
    type Item = Result<Delivery, Lagged>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().mail.poll_recv(cx).map(|next| next.map(own))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("ended", &self.mail.has_ended()).finish_non_exhaustive()
    }
}

/// A subscriber whose payloads are JSON of one type: see [`Handle::topic`].
pub struct Topic<T> {
    listener: Listener,
    payload: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Topic<T> {
    /// The next payload; waits for it. `None` when the connection is closed and everything was
    /// fetched. Cancel-safe: what was not returned stays.
    pub async fn recv(&mut self) -> Option<Result<T, TopicError>> {
        self.listener.mail.recv_async().await.map(read)
    }

    /// The next payload, if there is one already.
    pub fn try_recv(&mut self) -> Option<Result<T, TopicError>> {
        self.listener.mail.try_recv().map(read)
    }

    /// How many messages made room for the one fetched last, since the one before it.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.listener.missed()
    }
}

impl<T: DeserializeOwned> Stream for Topic<T> {
    type Item = Result<T, TopicError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().listener.mail.poll_recv(cx).map(|next| next.map(read))
    }
}

impl<T> fmt::Debug for Topic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.listener.fmt(f)
    }
}

/// A message as all its subscribers have it.
type Shared = Result<Arc<Delivery>, Lagged>;

/// The last subscriber has it for itself; for the others it costs what a clone does.
fn own(next: Shared) -> Result<Delivery, Lagged> {
    next.map(Arc::unwrap_or_clone)
}

fn read<T: DeserializeOwned>(next: Shared) -> Result<T, TopicError> {
    next?.parse().map_err(TopicError::Payload)
}

/// A request on its way, whose end can be awaited: see [`Handle::request`]. Dropping it takes the
/// request back. It keeps the connection open, as a handle does.
pub struct Pending {
    asked: Asked,
    _open: Handle,
}

impl Pending {
    /// The request's id, which is also that on the wire.
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.asked.id()
    }

    /// The answer, if the request has ended. It is given once, and `None` after that.
    pub fn try_answer(&mut self) -> Option<Result<Answer, RequestFailed>> {
        self.asked.try_answer()
    }
}

/// Ends with the answer, within the request's timeout. After [`Pending::try_answer`] has given that,
/// or when it is polled after its end, it is [`RequestFailed::AlreadyTaken`].
impl Future for Pending {
    type Output = Result<Answer, RequestFailed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().asked.slot.poll_take(cx).map(Asked::judge)
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("id", &self.id()).finish_non_exhaustive()
    }
}
