//! What waits for one subscriber to fetch it, bounded.
//!
//! The driver puts in and never waits; it calls nobody itself, but is given the waker to call, for it
//! puts in under the core's lock. The subscriber fetches, as a thread or as a task.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
#[cfg(any(feature = "async", test))]
use std::task::Context;
use std::task::{Poll, Waker};
#[cfg(any(feature = "blocking", test))]
use std::time::{Duration, Instant};

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

/// How many mailboxes of one connection have it stop reading.
#[derive(Clone, Debug, Default)]
pub(crate) struct Congestion(Arc<AtomicUsize>);

impl Congestion {
    /// Whether any of them does.
    pub(crate) fn is_any(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }

    fn enter(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns whether that was the last one.
    fn leave(&self) -> bool {
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
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

/// What putting something in came to.
#[derive(Debug)]
#[must_use = "somebody may have to be woken"]
pub(crate) struct Pushed {
    pub(crate) verdict: Verdict,
    /// To be called when no lock is held.
    pub(crate) wake: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was taken.
    Taken,
    /// It was taken, and the driver is to stop reading until it hears of [`Said::Room`].
    Full,
    /// It was not taken, and nothing ever will be: the subscriber is gone, or was cut off now or
    /// before.
    Over,
}

/// How many are fetched under one lock at most.
const BATCH: usize = 64;

/// Between the driver and one subscriber.
struct Mailbox<T> {
    held: Mutex<Held<T>>,
    capacity: Capacity,
    /// How much is fetched under one lock: a quarter of what is held, so that what the subscriber
    /// has taken out and not seen yet adds no more than that.
    batch: usize,
    congestion: Congestion,
}

struct Held<T> {
    /// Each with its size.
    queue: VecDeque<(T, usize)>,
    bytes: usize,
    /// How many made room since the last were fetched.
    missed: u64,
    /// The driver has stopped reading because of this one.
    stops: bool,
    end: Option<End>,
    /// Who fetches, if it waits and was not woken yet.
    waiting: Option<Waker>,
}

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Lagged,
    /// There is nobody to fetch it.
    Left,
}

/// A mailbox: the driver's end and the subscriber's.
pub(crate) fn mailbox<T>(
    capacity: Capacity,
    congestion: &Congestion,
    say: impl Fn(Said) + Send + Sync + 'static,
) -> (Post<T>, Mail<T>) {
    let capacity =
        Capacity { messages: capacity.messages.max(1), bytes: capacity.bytes.max(1), ..capacity };
    let held = Held {
        queue: VecDeque::new(),
        bytes: 0,
        missed: 0,
        stops: false,
        end: None,
        waiting: None,
    };
    let mailbox = Arc::new(Mailbox {
        held: Mutex::new(held),
        capacity,
        batch: (capacity.messages / 4).clamp(1, BATCH),
        congestion: congestion.clone(),
    });
    let mail = Mail {
        mailbox: Arc::clone(&mailbox),
        batch: VecDeque::new(),
        missed: 0,
        missed_next: 0,
        ended: false,
        #[cfg(any(feature = "blocking", test))]
        signal: None,
        say: Box::new(say),
    };
    (Post(mailbox), mail)
}

impl<T> Mailbox<T> {
    fn lock(&self) -> MutexGuard<'_, Held<T>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one of the limits is reached, each divided by `part`.
    fn is_full(&self, held: &Held<T>, part: usize) -> bool {
        held.queue.len() > (self.capacity.messages - 1) / part
            || held.bytes > (self.capacity.bytes - 1) / part
    }

    /// Whether there is no room for so many bytes more.
    fn lacks_room(&self, held: &Held<T>, size: usize) -> bool {
        !held.queue.is_empty()
            && (held.queue.len() >= self.capacity.messages
                || held.bytes.saturating_add(size) > self.capacity.bytes)
    }
}

/// The driver's end. Dropping it closes, and wakes the subscriber: see [`close`](Self::close).
pub(crate) struct Post<T>(Arc<Mailbox<T>>);

impl<T> Post<T> {
    /// Puts something of `size` bytes in, without waiting.
    pub(crate) fn push(&self, item: T, size: usize) -> Pushed {
        let mailbox = &*self.0;
        let mut held = mailbox.lock();
        if held.end.is_some() {
            return Pushed { verdict: Verdict::Over, wake: None };
        }
        match mailbox.capacity.slow {
            SlowConsumer::Block => {}
            SlowConsumer::DropOldest => {
                while mailbox.lacks_room(&held, size) && held.pop().is_some() {
                    held.missed += 1;
                }
            }
            SlowConsumer::Disconnect => {
                if mailbox.lacks_room(&held, size) {
                    held.end = Some(End::Lagged);
                    return Pushed { verdict: Verdict::Over, wake: held.waiting.take() };
                }
            }
        }
        held.queue.push_back((item, size));
        held.bytes = held.bytes.saturating_add(size);
        let mut verdict = Verdict::Taken;
        if mailbox.capacity.slow == SlowConsumer::Block && (held.stops || mailbox.is_full(&held, 1))
        {
            verdict = Verdict::Full;
            if !mem::replace(&mut held.stops, true) {
                mailbox.congestion.enter();
            }
        }
        Pushed { verdict, wake: held.waiting.take() }
    }

    /// Nothing more will come. What is held is still fetched. Returns whom to wake, when no lock is
    /// held.
    pub(crate) fn close(&self) -> Option<Waker> {
        let mut held = self.0.lock();
        held.end.get_or_insert(End::Closed);
        held.waiting.take()
    }
}

impl<T> Drop for Post<T> {
    fn drop(&mut self) {
        if let Some(waker) = self.close() {
            waker.wake();
        }
    }
}

impl<T> fmt::Debug for Post<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What was held may be secret, and is not shown.
impl<T> fmt::Debug for Mailbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.lock();
        f.debug_struct("Mailbox")
            .field("messages", &held.queue.len())
            .field("bytes", &held.bytes)
            .field("end", &held.end)
            .finish_non_exhaustive()
    }
}

impl<T> Held<T> {
    fn pop(&mut self) -> Option<(T, usize)> {
        let front = self.queue.pop_front()?;
        self.bytes -= front.1;
        Some(front)
    }
}

/// The subscriber's end. Dropping it drops what it holds, and tells the driver.
pub(crate) struct Mail<T> {
    mailbox: Arc<Mailbox<T>>,
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
        let mailbox = &*self.mailbox;
        let mut held = mailbox.lock();
        if held.queue.is_empty() {
            if let Some(end) = held.end {
                return Poll::Ready(Some(end));
            }
            match (&mut held.waiting, waker) {
                (Some(waiting), Some(waker)) => waiting.clone_from(waker),
                (waiting, Some(waker)) => *waiting = Some(waker.clone()),
                (_, None) => {}
            }
            return Poll::Pending;
        }
        self.missed_next = mem::take(&mut held.missed);
        let most = mailbox.capacity.bytes / 4;
        if held.queue.len() <= mailbox.batch && held.bytes <= most {
            mem::swap(&mut held.queue, &mut self.batch);
            held.bytes = 0;
        } else {
            let mut bytes = 0;
            while self.batch.len() < mailbox.batch
                && (self.batch.is_empty() || bytes <= most)
                && let Some(front) = held.pop()
            {
                bytes += front.1;
                self.batch.push_back(front);
            }
        }
        let has_room = held.stops && !mailbox.is_full(&held, 2);
        held.stops &= !has_room;
        drop(held);
        if has_room && mailbox.congestion.leave() {
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
        let mut held = self.mailbox.lock();
        let was_open = held.end.replace(End::Left).is_none();
        let queue = mem::take(&mut held.queue);
        held.bytes = 0;
        held.waiting = None;
        let stopped = mem::take(&mut held.stops);
        drop(held);
        drop(queue);
        if stopped && self.mailbox.congestion.leave() {
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
            .field("mailbox", &self.mailbox)
            .field("fetched", &self.batch.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "mailbox/tests.rs"]
mod tests;
