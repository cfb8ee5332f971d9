//! What waits for one subscriber to fetch it, bounded.
//!
//! The driver puts in and never waits; it calls nobody itself, but is given the waker to call, for it
//! puts in under the core's lock. The subscriber fetches, as a thread or as a task.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
#[cfg(any(feature = "blocking", test))]
use std::sync::Arc;
#[cfg(any(feature = "async", test))]
use std::task::Context;
use std::task::{Poll, Waker};
#[cfg(any(feature = "blocking", test))]
use std::time::{Duration, Instant};

use super::shelf::{End, Post, Shelf};
#[cfg(any(feature = "blocking", test))]
use super::signal::Signal;
use crate::error::Lagged;
#[cfg(any(feature = "blocking", test))]
use crate::error::Timeout;

/// What becomes of a subscriber that does not keep up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SlowConsumer {
    /// Reading from the network stops until it has fetched half of what it holds. Nothing is lost,
    /// and every other subscriber of the connection waits with it.
    #[default]
    Block,
    /// Its oldest messages make room. It is told how many.
    DropOldest,
    /// It is cut off. What it holds it still gets, and then [`Lagged`].
    Disconnect,
}

/// How much a mailbox holds, and what happens beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// How many messages. None counts as one.
    pub(crate) messages: usize,
    /// How many bytes of payload. A message that is larger than that is held alone.
    pub(crate) bytes: usize,
    pub(crate) slow: SlowConsumer,
}

impl Default for Capacity {
    /// 256 messages, 1 MiB, and reading stops.
    fn default() -> Self {
        Self { messages: 256, bytes: 1 << 20, slow: SlowConsumer::Block }
    }
}

/// What the subscriber's end has to say to the driver. It says so on the subscriber's thread or in
/// its task, and holds no lock meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The last mailbox that had reading stopped has room again.
    Room,
    /// The subscriber is gone.
    Left,
}

type Say = Box<dyn Fn(Said) + Send + Sync>;

/// How many are fetched under one lock at most.
const BATCH: usize = 64;

/// A mailbox on a shelf: the driver's end and the subscriber's.
pub(crate) fn mailbox<T>(
    capacity: Capacity,
    shelf: &Shelf<T>,
    say: impl Fn(Said) + Send + Sync + 'static,
) -> (Post<T>, Mail<T>) {
    let capacity =
        Capacity { messages: capacity.messages.max(1), bytes: capacity.bytes.max(1), ..capacity };
    let post = shelf.open(capacity);
    let mail = Mail {
        shelf: shelf.clone(),
        place: post.place(),
        most: Most { messages: (capacity.messages / 4).clamp(1, BATCH), bytes: capacity.bytes / 4 },
        batch: VecDeque::new(),
        empty_since: None,
        missed: 0,
        missed_next: 0,
        ended: false,
        #[cfg(any(feature = "blocking", test))]
        signal: None,
        say: Box::new(say),
    };
    (post, mail)
}

/// How much is fetched under one lock: a quarter of what is held, so that what the subscriber has
/// taken out and not seen yet adds no more than that.
#[derive(Clone, Copy, Debug)]
struct Most {
    messages: usize,
    bytes: usize,
}

/// The subscriber's end. Dropping it drops what it holds, and tells the driver.
pub(crate) struct Mail<T> {
    shelf: Shelf<T>,
    place: usize,
    most: Most,
    /// Since when there is nothing to fetch, by the count of the shelf.
    empty_since: Option<u64>,
    /// What was fetched together, and is handed out one by one.
    batch: VecDeque<(T, usize)>,
    /// How many were missed before the one handed out last.
    missed: u64,
    /// How many were missed before the first of the batch.
    missed_next: u64,
    /// It was told that nothing more comes.
    ended: bool,
    /// Wakes a thread that waits here; made when one does for the first time.
    #[cfg(any(feature = "blocking", test))]
    signal: Option<(Arc<Signal>, Waker)>,
    say: Say,
}

impl<T> Mail<T> {
    /// The next one, if there is one already.
    pub(crate) fn try_recv(&mut self) -> Option<Result<T, Lagged>> {
        match self.next(None) {
            Poll::Ready(next) => next,
            Poll::Pending => None,
        }
    }

    /// The next one; waits for it. `None` when nothing more comes.
    #[cfg(any(feature = "blocking", test))]
    pub(crate) fn recv(&mut self) -> Option<Result<T, Lagged>> {
        // Without a deadline there is no timeout.
        self.wait(None).ok().flatten()
    }

    /// The next one; waits for it at most so long. `Ok(None)` when nothing more comes.
    ///
    /// # Errors
    /// [`Timeout`] when nothing came.
    #[cfg(any(feature = "blocking", test))]
    pub(crate) fn recv_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<Result<T, Lagged>>, Timeout> {
        // What is there needs no clock.
        match self.next(None) {
            Poll::Ready(next) => Ok(next),
            Poll::Pending => self.wait(Instant::now().checked_add(timeout)),
        }
    }

    #[cfg(any(feature = "blocking", test))]
    fn wait(&mut self, deadline: Option<Instant>) -> Result<Option<Result<T, Lagged>>, Timeout> {
        loop {
            let (signal, waker) = self.signal.get_or_insert_with(Signal::new).clone();
            if let Poll::Ready(next) = self.next(Some(&waker)) {
                return Ok(next);
            }
            if !signal.wait(deadline) {
                return Err(Timeout);
            }
        }
    }

    /// The next one; the task is woken when there is one. `None` when nothing more comes.
    /// Cancel-safe: what was not returned stays.
    #[cfg(any(feature = "async", test))]
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Lagged>>> {
        self.next(Some(cx.waker()))
    }

    /// How many messages made room before the one returned last, and after the one before it.
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }

    /// Whether nothing more comes, and everything that came was returned.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The next one, or the end. With a waker that is called when there is one.
    fn next(&mut self, waker: Option<&Waker>) -> Poll<Option<Result<T, Lagged>>> {
        if self.batch.is_empty() {
            if self.ended {
                return Poll::Ready(None);
            }
            if let Some(end) = std::task::ready!(self.fetch(waker)) {
                self.ended = true;
                return Poll::Ready((end == End::Lagged).then_some(Err(Lagged)));
            }
        }
        self.missed = mem::take(&mut self.missed_next);
        Poll::Ready(self.batch.pop_front().map(|(item, _)| Ok(item)))
    }

    /// The next batch in the place of one that was used up, or the end.
    fn fetch(&mut self, waker: Option<&Waker>) -> Poll<Option<End>> {
        // Who looks again and again, and would not wait, keeps nobody from the lock.
        if waker.is_none() && self.empty_since.is_some_and(|since| since == self.shelf.rounds()) {
            return Poll::Pending;
        }
        let mut sorting = self.shelf.lock();
        let held = sorting.held(self.place);
        if held.queue.is_empty() {
            if let Some(end) = held.end {
                return Poll::Ready(Some(end));
            }
            let replaced = match waker {
                Some(waker) if !held.waiting.as_ref().is_some_and(|old| old.will_wake(waker)) => {
                    held.waiting.replace(waker.clone())
                }
                Some(_) | None => None,
            };
            self.empty_since = Some(self.shelf.rounds());
            drop(sorting);
            drop(replaced);
            return Poll::Pending;
        }
        self.missed_next = mem::take(&mut held.missed);
        if held.queue.len() <= self.most.messages && held.bytes <= self.most.bytes {
            mem::swap(&mut held.queue, &mut self.batch);
            held.bytes = 0;
        } else {
            let mut bytes = 0;
            while self.batch.len() < self.most.messages
                && (self.batch.is_empty() || bytes <= self.most.bytes)
                && let Some(front) = held.pop()
            {
                bytes += front.1;
                self.batch.push_back(front);
            }
        }
        let has_room = held.stops && !held.is_full(2);
        held.stops &= !has_room;
        drop(sorting);
        if has_room && self.shelf.has_room() {
            (self.say)(Said::Room);
        }
        Poll::Ready(None)
    }
}

#[cfg(feature = "async")]
impl<T> Mail<T> {
    /// The next one; waits for it. `None` when nothing more comes. Cancel-safe.
    pub(crate) async fn recv_async(&mut self) -> Option<Result<T, Lagged>> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }
}

#[cfg(feature = "async")]
impl<T> futures_core::Stream for Mail<T> {
    type Item = Result<T, Lagged>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<T, Lagged>>> {
        self.get_mut().poll_recv(cx)
    }
}

/// Nothing in it is pinned.
impl<T> Unpin for Mail<T> {}

impl<T> Drop for Mail<T> {
    fn drop(&mut self) {
        let mut sorting = self.shelf.lock();
        let held = sorting.held(self.place);
        let was_open = held.end.replace(End::Left).is_none();
        let own = (mem::take(&mut held.queue), held.waiting.take());
        held.bytes = 0;
        let stopped = mem::take(&mut held.stops);
        sorting.leave_as_subscriber(self.place);
        drop(sorting);
        drop(own);
        if stopped && self.shelf.has_room() {
            (self.say)(Said::Room);
        }
        if was_open {
            (self.say)(Said::Left);
        }
    }
}

impl<T> fmt::Debug for Mail<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("mailbox", self.shelf.lock().held(self.place))
            .field("fetched", &self.batch.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "mailbox/tests.rs"]
mod tests;
