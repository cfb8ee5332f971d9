//! The mailboxes of one connection, behind one lock.
//!
//! The driver takes that once for a message, however many get it, and holds it for as long as it takes
//! to put so many references into queues. A subscriber holds it to take out what is its own, or to
//! leave its waker. Nobody is woken under it, and no waker and no whole queue is dropped: what they
//! hold may want the lock itself. Only what makes room for something newer goes there.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::mailbox::{Capacity, SlowConsumer};

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
    /// It was taken, and the driver is to stop reading until it hears of
    /// [`Said::Room`](super::mailbox::Said::Room).
    Full,
    /// It was not taken, and nothing ever will be: the subscriber is gone, or was cut off now or
    /// before.
    Over,
}

/// The mailboxes of one connection. A clone is the same shelf.
pub(crate) struct Shelf<T>(Arc<Mailboxes<T>>);

struct Mailboxes<T> {
    places: Mutex<Places<T>>,
    /// How often something was put in anywhere, or an end came: where that has not changed, a mailbox
    /// that was empty is. Changes under the lock.
    rounds: AtomicU64,
    /// How many mailboxes have the driver stop reading.
    stopping: AtomicUsize,
}

struct Places<T> {
    held: Vec<Held<T>>,
    /// Places that nobody uses any more.
    free: Vec<usize>,
}

/// What one mailbox holds.
pub(super) struct Held<T> {
    /// Each with its size.
    pub(super) queue: VecDeque<(T, usize)>,
    pub(super) bytes: usize,
    /// How many made room since the last were fetched.
    pub(super) missed: u64,
    capacity: Capacity,
    /// The driver has stopped reading because of this one.
    pub(super) stops: bool,
    pub(super) end: Option<End>,
    /// Whether the driver's end is there, and the subscriber's.
    ends: (bool, bool),
    /// Who fetches, if it waits and was not woken yet.
    pub(super) waiting: Option<Waker>,
}

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Closed,
    Lagged,
    /// There is nobody to fetch it.
    Left,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Arc::new(Mailboxes {
            places: Mutex::new(Places { held: Vec::new(), free: Vec::new() }),
            rounds: AtomicU64::new(0),
            stopping: AtomicUsize::new(0),
        }))
    }
}

impl<T> Clone for Shelf<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Shelf<T> {
    pub(super) fn lock(&self) -> Sorting<'_, T> {
        Sorting { mailboxes: &self.0, places: self.places(), is_changed: false }
    }

    fn places(&self) -> MutexGuard<'_, Places<T>> {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new mailbox: the driver's end. There must be a subscriber's as well.
    pub(super) fn open(&self, capacity: Capacity) -> Post<T> {
        let held = Held {
            queue: VecDeque::new(),
            bytes: 0,
            missed: 0,
            capacity,
            stops: false,
            end: None,
            ends: (true, true),
            waiting: None,
        };
        let mut places = self.places();
        let place = places.free.pop().unwrap_or(places.held.len());
        match places.held.get_mut(place) {
            Some(free) => *free = held,
            None => places.held.push(held),
        }
        drop(places);
        Post { shelf: self.clone(), place }
    }

    /// Whether a mailbox has the driver stop reading.
    pub(crate) fn is_congested(&self) -> bool {
        self.0.stopping.load(Ordering::Acquire) > 0
    }

    /// A mailbox has room again. Returns whether it was the last that had none.
    pub(super) fn has_room(&self) -> bool {
        self.0.stopping.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Changes whenever a mailbox may have got something.
    pub(super) fn rounds(&self) -> u64 {
        self.0.rounds.load(Ordering::Acquire)
    }
}

/// The mailboxes, while something is put in or taken out.
pub(crate) struct Sorting<'a, T> {
    mailboxes: &'a Mailboxes<T>,
    places: MutexGuard<'a, Places<T>>,
    is_changed: bool,
}

impl<T> Sorting<'_, T> {
    /// Puts something of `size` bytes into a mailbox of this shelf.
    pub(crate) fn put(&mut self, post: &Post<T>, item: T, size: usize) -> Pushed {
        self.is_changed = true;
        self.places.held[post.place].put(item, size, &self.mailboxes.stopping)
    }

    /// What a mailbox holds that has an end still.
    pub(super) fn held(&mut self, place: usize) -> &mut Held<T> {
        &mut self.places.held[place]
    }

    /// Nothing more will come into a mailbox. Returns whom to wake.
    fn close(&mut self, place: usize) -> Option<Waker> {
        self.is_changed = true;
        let held = self.held(place);
        held.end.get_or_insert(End::Closed);
        held.waiting.take()
    }

    /// The driver's end is gone.
    fn leave_as_driver(&mut self, place: usize) {
        let held = self.held(place);
        held.ends.0 = false;
        self.free(place);
    }

    /// The subscriber's end is gone, and has taken out all that was its own.
    pub(super) fn leave_as_subscriber(&mut self, place: usize) {
        let held = self.held(place);
        held.ends.1 = false;
        self.free(place);
    }

    /// Without ends, a mailbox makes room for another one.
    fn free(&mut self, place: usize) {
        if self.held(place).ends == (false, false) {
            self.places.free.push(place);
        }
    }
}

impl<T> Drop for Sorting<'_, T> {
    fn drop(&mut self) {
        if self.is_changed {
            // Nobody else writes it meanwhile.
            let rounds = self.mailboxes.rounds.load(Ordering::Relaxed);
            self.mailboxes.rounds.store(rounds.wrapping_add(1), Ordering::Release);
        }
    }
}

impl<T> Held<T> {
    #[inline]
    fn put(&mut self, item: T, size: usize, stopping: &AtomicUsize) -> Pushed {
        if self.end.is_some() {
            return Pushed { verdict: Verdict::Over, wake: None };
        }
        match self.capacity.slow {
            SlowConsumer::Block => {}
            SlowConsumer::DropOldest => {
                while self.lacks_room(size) && self.pop().is_some() {
                    self.missed += 1;
                }
            }
            SlowConsumer::Disconnect => {
                if self.lacks_room(size) {
                    self.end = Some(End::Lagged);
                    return Pushed { verdict: Verdict::Over, wake: self.waiting.take() };
                }
            }
        }
        self.queue.push_back((item, size));
        self.bytes = self.bytes.saturating_add(size);
        let mut verdict = Verdict::Taken;
        if self.capacity.slow == SlowConsumer::Block && (self.stops || self.is_full(1)) {
            verdict = Verdict::Full;
            if !mem::replace(&mut self.stops, true) {
                stopping.fetch_add(1, Ordering::AcqRel);
            }
        }
        Pushed { verdict, wake: self.waiting.take() }
    }

    pub(super) fn pop(&mut self) -> Option<(T, usize)> {
        let front = self.queue.pop_front()?;
        self.bytes -= front.1;
        Some(front)
    }

    /// Whether one of the limits is reached, each divided by `part`.
    pub(super) fn is_full(&self, part: usize) -> bool {
        self.queue.len() > (self.capacity.messages - 1) / part
            || self.bytes > (self.capacity.bytes - 1) / part
    }

    /// Whether there is no room for so many bytes more.
    fn lacks_room(&self, size: usize) -> bool {
        !self.queue.is_empty()
            && (self.queue.len() >= self.capacity.messages
                || self.bytes.saturating_add(size) > self.capacity.bytes)
    }
}

/// The driver's end of a mailbox. Dropping it closes, and wakes the subscriber: see
/// [`close`](Self::close).
pub(crate) struct Post<T> {
    shelf: Shelf<T>,
    place: usize,
}

impl<T> Post<T> {
    /// Nothing more will come. What is held is still fetched. Returns whom to wake, when no lock is
    /// held.
    pub(crate) fn close(&self) -> Option<Waker> {
        self.shelf.lock().close(self.place)
    }

    /// Where it is.
    #[cfg(test)]
    pub(super) const fn shelf(&self) -> &Shelf<T> {
        &self.shelf
    }

    pub(super) const fn place(&self) -> usize {
        self.place
    }
}

impl<T> Drop for Post<T> {
    fn drop(&mut self) {
        let mut sorting = self.shelf.lock();
        let waiting = sorting.close(self.place);
        sorting.leave_as_driver(self.place);
        drop(sorting);
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

impl<T> fmt::Debug for Post<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shelf.lock().held(self.place).fmt(f)
    }
}

impl<T> fmt::Debug for Shelf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").field("congested", &self.is_congested()).finish_non_exhaustive()
    }
}

/// What was held may be secret, and is not shown.
impl<T> fmt::Debug for Held<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("messages", &self.queue.len())
            .field("bytes", &self.bytes)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "shelf/tests.rs"]
mod tests;
