//! The bus, requests and subscriptions for threads.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use perennial_core::bus::{Delivery, PatternError};
use perennial_core::requests::{Answer, Request, RequestId};
use perennial_core::subscriptions::News;
use serde::de::DeserializeOwned;

use super::handle::{Handle, Patience};
use super::seat::Seat;
use crate::engine::{Asked, Mail, Standing};
use crate::error::{Lagged, NotOpen, Refusal, RequestError, RequestFailed, Timeout};
use crate::listen::{Listen, TopicError};

impl Handle {
    /// A subscriber: what matches goes there, and no longer to the client, unless other subscribers
    /// want it as well. It is sorted while it is received, whoever fetches and whoever does not.
    ///
    /// What came before is the client's; with the config's `connect.auto` off nothing comes before
    /// [`reconnect`](crate::Control::reconnect).
    ///
    /// # Errors
    /// [`PatternError`] with what is wrong with the pattern's text.
    pub fn listen(&self, listen: impl Into<Listen>) -> Result<Listener, PatternError> {
        let mail = self.control().mail(listen.into())?;
        Ok(Listener { mail, handle: self.clone() })
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
    /// for the answer: that is [`Pending::wait`].
    ///
    /// # Errors
    /// [`RequestError`] gives the request back.
    pub fn request(&self, mut request: Request) -> Result<Pending, RequestError> {
        let patience = self.patience();
        let mut core = self.shared().lock();
        loop {
            match self.control().ask(&mut core, request) {
                Ok(asked) => {
                    self.release(core);
                    return Ok(Pending { asked, handle: self.clone() });
                }
                Err(RequestError::NotSent { request: back, refusal: Refusal::Full })
                    if patience == Patience::Endless && !self.is_driver() =>
                {
                    request = back;
                    core = self.await_room(core, None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until something was told of a subscription, at most so long: see [`Standing::news`].
    ///
    /// # Errors
    /// [`NotOpen`] when the connection is closed, or nothing was told in time.
    pub fn wait_standing(&self, standing: &Standing, timeout: Duration) -> Result<News, NotOpen> {
        let deadline = Instant::now().checked_add(timeout);
        let mut core = standing.shared.lock();
        loop {
            if let Some(news) = standing.look(&core.layer) {
                return Ok(news);
            }
            if let Some(closed) = &core.closed {
                return Err(NotOpen::Closed(Box::new(closed.clone())));
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) || self.is_driver() {
                return Err(NotOpen::Timeout);
            }
            core = self.await_change(core, deadline);
        }
    }

    /// Before this thread waits for what another one has to bring about.
    fn before_waiting(&self) {
        self.seat().into_iter().for_each(|seat| Seat::leave_to_thread(seat));
    }
}

/// A subscriber of the bus, for one thread: see [`Handle::listen`].
///
/// What it does not fetch is held within its limits, and what happens beyond those it has chosen:
/// see [`SlowConsumer`](crate::SlowConsumer). Dropping it ends the subscription.
pub struct Listener {
    mail: Mail<Arc<Delivery>>,
    handle: Handle,
}

impl Listener {
    /// The next message; waits for it. `None` when the connection is closed and everything was
    /// fetched.
    ///
    /// On the thread that drives the connection, in a hook or in the callback of
    /// [`Builder::run`](crate::Builder::run), it would wait for itself, and so does not wait: it is
    /// `None` if there is none yet.
    pub fn recv(&mut self) -> Option<Result<Delivery, Lagged>> {
        self.fetch().map(own)
    }

    /// The next message; waits for it at most so long. `Ok(None)` is the end.
    ///
    /// # Errors
    /// [`Timeout`] when nothing came; at once where [`recv`](Self::recv) does not wait.
    pub fn recv_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<Result<Delivery, Lagged>>, Timeout> {
        Ok(self.fetch_timeout(timeout)?.map(own))
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

    fn fetch(&mut self) -> Option<Shared> {
        let next = self.mail.try_recv();
        if next.is_some() || self.handle.is_driver() {
            return next;
        }
        self.handle.before_waiting();
        self.mail.recv()
    }

    fn fetch_timeout(&mut self, timeout: Duration) -> Result<Option<Shared>, Timeout> {
        if let Some(next) = self.mail.try_recv() {
            return Ok(Some(next));
        }
        // At its end it stays, and there is nothing to wait for.
        if self.mail.has_ended() {
            return Ok(None);
        }
        if self.handle.is_driver() {
            return Err(Timeout);
        }
        self.handle.before_waiting();
        self.mail.recv_timeout(timeout)
    }
}

/// A message as all its subscribers have it.
type Shared = Result<Arc<Delivery>, Lagged>;

/// The last subscriber has it for itself; for the others it costs what a clone does.
fn own(next: Shared) -> Result<Delivery, Lagged> {
    next.map(Arc::unwrap_or_clone)
}

/// The messages as they come.
impl Iterator for Listener {
    type Item = Result<Delivery, Lagged>;

    fn next(&mut self) -> Option<Self::Item> {
        self.recv()
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
    /// fetched.
    pub fn recv(&mut self) -> Option<Result<T, TopicError>> {
        self.listener.fetch().map(read)
    }

    /// The next payload; waits for it at most so long. `Ok(None)` is the end.
    ///
    /// # Errors
    /// [`Timeout`] when nothing came.
    pub fn recv_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<Result<T, TopicError>>, Timeout> {
        Ok(self.listener.fetch_timeout(timeout)?.map(read))
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

/// The payloads as they come.
impl<T: DeserializeOwned> Iterator for Topic<T> {
    type Item = Result<T, TopicError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.recv()
    }
}

impl<T> fmt::Debug for Topic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.listener.fmt(f)
    }
}

fn read<T: DeserializeOwned>(next: Shared) -> Result<T, TopicError> {
    next?.parse().map_err(TopicError::Payload)
}

/// A request on its way: see [`Handle::request`]. Dropping it takes the request back.
pub struct Pending {
    asked: Asked,
    handle: Handle,
}

impl Pending {
    /// The request's id, which is also that on the wire.
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.asked.id()
    }

    /// Waits for the answer. It comes, or does not, within the request's timeout.
    ///
    /// # Errors
    /// [`RequestFailed`] with what became of it. In the callback of
    /// [`Builder::run`](crate::Builder::run), which would wait for itself, and in a hook it is
    /// [`RequestFailed::Cancelled`]. After [`try_answer`](Self::try_answer) or
    /// [`wait_timeout`](Self::wait_timeout) has given the answer it is
    /// [`RequestFailed::AlreadyTaken`].
    pub fn wait(self) -> Result<Answer, RequestFailed> {
        if let Some(taken) = self.asked.slot.try_take() {
            return Asked::judge(taken);
        }
        if self.handle.is_driver() {
            return Err(RequestFailed::Cancelled);
        }
        self.handle.before_waiting();
        let taken = self.asked.slot.wait(None);
        taken.map_or(Err(RequestFailed::Closed), Asked::judge)
    }

    /// Waits for the answer at most so long; the request goes on if there is none. Once the answer
    /// was given it is [`RequestFailed::AlreadyTaken`], at once.
    ///
    /// # Errors
    /// [`Timeout`] when it has not ended.
    pub fn wait_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Result<Answer, RequestFailed>, Timeout> {
        let mut taken = self.asked.slot.try_take();
        if taken.is_none() && !self.handle.is_driver() {
            self.handle.before_waiting();
            taken = self.asked.slot.wait(Instant::now().checked_add(timeout));
        }
        taken.map(Asked::judge).ok_or(Timeout)
    }

    /// The answer, if the request has ended. It is given once, and `None` after that.
    pub fn try_answer(&mut self) -> Option<Result<Answer, RequestFailed>> {
        self.asked.try_answer()
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("id", &self.id()).finish_non_exhaustive()
    }
}
