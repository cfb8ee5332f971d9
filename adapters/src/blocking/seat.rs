//! Who drives a client's connection: a thread of its own, or the caller while it waits for messages.
//!
//! There is one driver, and whoever drives has taken it from the [`Seat`]: nobody else can take a
//! turn or sleep in the poller meanwhile. There are three modes:
//!
//! * **Slow.** The thread has the driver and sleeps in the poller. The caller waits for the inbox.
//! * **Fast.** The caller takes the driver for as long as it waits, so that a message comes about on
//!   the thread that wants it, and puts it back when it has one. While nobody has it, the first send
//!   takes a turn, and so does the fetch that makes room in a full inbox. For all else the thread is
//!   called.
//!
//! * **Loading.** For those who send without pause, so that no two threads hand over one message after
//!   the other under one lock. Nobody has the driver. Who sends writes what waits whenever that is
//!   much, and does nothing else; the thread takes a turn every [`LINGER`], for what they have left and
//!   for what there is besides writing. This begins when the thread finds much to write in two turns
//!   and somebody goes on sending, and ends when it finds little, or when somebody waits. Subscribers
//!   of `tracing` and recorders of metrics that a write calls are called on the sender's thread,
//!   within its `send`.
//!
//! The caller asks for the fast mode when messages come quickly. The thread looks every [`TICK`], and
//! makes it slow again if the caller has not come since: because it does something else, or because
//! it waits in vain. The caller itself sets no alarm for that, which would cost it more than all of
//! this does. Either ends it when there is so much to do that two threads do it sooner.
//!
//! Why nothing is missed: a driver is put back only if its last turn found nothing to do and left
//! the seat as its waker, or else the thread is told, or looks by itself. A call notes itself in `called` under the
//! lock; then it wakes the thread if the driver is there, and the poller if not. Whoever puts the
//! driver back looks at `called` under the same lock.
//!
//! The state's lock is the last one to be taken: nothing else is locked or dropped under it.

mod driving;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant as StdInstant};

use perennial_core::Instant;

use driving::Driving;

use super::driver::{Call, Driver};
use crate::clock::Clock;
use crate::engine::ToInbox;

/// How often the thread looks whether the caller comes.
const TICK: Duration = Duration::from_millis(5);
/// How many turns in a row may find something to do before that is left to the thread.
const TURNS: u32 = 8;
/// How long the thread leaves the writing to those who send. So long may wait what the last of them
/// has left, and what the peer says: short beside what a network takes, and long beside what it costs
/// to wake a thread.
const LINGER: Duration = Duration::from_millis(1);
/// Whether it does. Elsewhere so short a wait takes many times as long.
const LENDS: bool = cfg!(unix);

/// Where the driver is when nobody drives.
#[derive(Debug)]
pub(super) struct Seat {
    state: Mutex<State>,
    /// The thread waits here when it does not drive.
    to_thread: Condvar,
    /// The caller waits here until somebody puts the driver back.
    to_caller: Condvar,
    call: Call,
    clock: Clock,
}

#[derive(Debug)]
struct State {
    /// The driver, while nobody has it.
    vacant: Option<Vacant>,
    /// It is over: the driver is gone.
    over: bool,
    /// The caller drives when it waits.
    fast: bool,
    /// Somebody has called since the last turn.
    called: bool,
    /// Who drives.
    driving: Option<ThreadId>,
    /// The caller was here since the thread looked.
    seen: bool,
    /// The caller has received, and nobody has sent since.
    answers: bool,
    /// The caller waits until the driver is put back.
    caller_waits: bool,
    /// The writing is left to those who send. The driver is awake, as far as anybody else knows.
    loading: bool,
    /// How many messages had been sent when it was left to them.
    sends: u32,
    /// How many senders wait for room, and so do not write.
    stuck: usize,
    /// How often the writing was left to those who send.
    #[cfg(test)]
    loads: u32,
}

/// A driver that nobody has.
struct Vacant {
    driver: Box<Driver<ToInbox>>,
    rest: Rest,
}

impl std::fmt::Debug for Vacant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vacant").field("rest", &self.rest).finish_non_exhaustive()
    }
}

/// What the last turn has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// There may be more to do.
    Busy,
    /// It was so late, and there is nothing to do before this deadline, or a call.
    Idle(Instant, Option<Instant>),
}

/// How long a wait may last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) deadline: Option<StdInstant>,
    /// How much of it was left when it was last looked at.
    pub(super) left: Option<Duration>,
}

impl Limit {
    /// From now on.
    pub(super) fn after(timeout: Option<Duration>) -> Self {
        let deadline = timeout.and_then(|timeout| StdInstant::now().checked_add(timeout));
        Self { deadline, left: deadline.and(timeout) }
    }

    /// Looks at the clock, if there is a reason to.
    fn look(&mut self) {
        self.left =
            self.deadline.map(|deadline| deadline.saturating_duration_since(StdInstant::now()));
    }

    fn has_passed(&self) -> bool {
        self.left.is_some_and(|left| left.is_zero())
    }
}

/// How a visit of the caller ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visit {
    /// There is something for the caller.
    Found,
    /// It was not there in time.
    Late,
    /// The thread drives. The caller should wait for the inbox.
    Slow,
}

impl Seat {
    pub(super) fn new(driver: Driver<ToInbox>, call: Call) -> Self {
        let (clock, sends) = (driver.shared().clock(), driver.shared().sends());
        let vacant = Some(Vacant { driver: Box::new(driver), rest: Rest::Busy });
        let state = State {
            vacant,
            over: false,
            fast: false,
            called: false,
            driving: None,
            seen: false,
            answers: false,
            caller_waits: false,
            loading: false,
            sends,
            stuck: 0,
            #[cfg(test)]
            loads: 0,
        };
        let (to_thread, to_caller) = (Condvar::new(), Condvar::new());
        Self { state: Mutex::new(state), to_thread, to_caller, call, clock }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this thread drives, and so must not wait for what a turn would bring.
    pub(super) fn is_driven_here(&self) -> bool {
        self.lock().driving == Some(thread::current().id())
    }

    /// Leaves the driving to the thread: the caller is going to wait for something else.
    pub(super) fn leave_to_thread(&self) {
        self.slow_down(&mut self.lock());
    }

    /// Has the thread drive while somebody waits for room, in `wait`.
    pub(super) fn stand_aside<T>(&self, wait: impl FnOnce() -> T) -> T {
        let mut state = self.lock();
        state.stuck += 1;
        self.slow_down(&mut state);
        drop(state);
        let _stuck = Stuck(self);
        wait()
    }

    /// Ends the fast mode, whoever drives, and the loading.
    fn slow_down(&self, state: &mut State) {
        if std::mem::take(&mut state.loading) {
            self.to_thread.notify_one();
        }
        if !std::mem::take(&mut state.fast) {
            return;
        }
        if state.vacant.is_none() {
            // Whoever drives may be the caller, asleep in the poller.
            self.call.call();
        }
        self.to_thread.notify_one();
        self.release_caller(state);
    }

    fn release_caller(&self, state: &mut State) {
        if std::mem::take(&mut state.caller_waits) {
            self.to_caller.notify_one();
        }
    }

    /// Drives on this thread, whenever nobody else does, until it is over.
    pub(super) fn run(self: Arc<Self>) {
        let mut looked = StdInstant::now();
        while let Some((driving, _)) = self.await_turn(&mut looked) {
            driving.drive_on_thread();
        }
    }

    /// Waits until the thread must drive. `looked` is when it looked last whether the caller comes: by
    /// the clock, for who sends may call it before each wait is over.
    fn await_turn(self: &Arc<Self>, looked: &mut StdInstant) -> Option<(Driving<'_>, Rest)> {
        let mut state = self.lock();
        while !state.over {
            if state.loading {
                let wait = |state: &mut State| state.loading && !state.called;
                let waited = self.to_thread.wait_timeout_while(state, LINGER, wait);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                if state.vacant.is_some() {
                    return self.take(state);
                }
                // Whoever has the driver just now puts it back for the thread.
                state.loading = false;
                continue;
            }
            if looked.elapsed() >= TICK {
                *looked = StdInstant::now();
                if !std::mem::take(&mut state.seen) {
                    self.slow_down(&mut state);
                }
            }
            let mut wait = TICK;
            if let Some(vacant) = &state.vacant {
                let left = match vacant.rest {
                    Rest::Busy => Duration::ZERO,
                    Rest::Idle(_, None) => TICK,
                    Rest::Idle(_, Some(until)) => until.since(self.clock.now()),
                };
                if !state.fast || state.called || left.is_zero() {
                    return self.take(state);
                }
                wait = left.min(TICK);
            }
            let waited = self.to_thread.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }

    /// Takes the driver, if nobody has it.
    fn take<'a>(
        self: &'a Arc<Self>,
        mut state: MutexGuard<'_, State>,
    ) -> Option<(Driving<'a>, Rest)> {
        let Vacant { driver, rest } = state.vacant.take()?;
        state.driving = Some(thread::current().id());
        let rest = if std::mem::take(&mut state.called) { Rest::Busy } else { rest };
        drop(state);
        let waker = Waker::from(Arc::clone(self));
        Some((Driving { seat: self, driver: Some(driver), waker }, rest))
    }

    /// Has the caller drive until `found` says that there is something for it. With `asks` it wants
    /// the fast mode if it is slow.
    pub(super) fn visit(
        self: &Arc<Self>,
        asks: bool,
        mut limit: Limit,
        found: impl FnMut() -> bool,
    ) -> Visit {
        let mut state = self.lock();
        if std::mem::take(&mut state.loading) {
            self.to_thread.notify_one();
        }
        if asks && !state.fast && !state.over {
            state.fast = true;
            if state.vacant.is_none() {
                // The thread sleeps in the poller, or looks before it does.
                drop(state);
                self.call.call();
                state = self.lock();
            }
        }
        state.seen = true;
        while state.vacant.is_none() {
            if state.over || !state.fast {
                return Visit::Slow;
            }
            state.caller_waits = true;
            state = match limit.left {
                None => self.to_caller.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => {
                    state.caller_waits = false;
                    return Visit::Late;
                }
                Some(left) => {
                    let waited = self.to_caller.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            limit.look();
        }
        if !state.fast {
            return Visit::Slow;
        }
        let Some((driving, rest)) = self.take(state) else { return Visit::Slow };
        // A panic ends the connection, as it does on the thread, and not the caller.
        catch_unwind(AssertUnwindSafe(|| driving.drive_until(rest, limit, found)))
            .unwrap_or(Visit::Slow)
    }

    /// Takes turns in the thread's place after something was sent, if that is the answer to what
    /// the caller has received. Returns whether it did; else the thread must be called.
    pub(super) fn help(self: &Arc<Self>) -> bool {
        let mut state = self.lock();
        if !(state.fast && state.answers) {
            return false;
        }
        state.answers = false;
        self.drive_on(state)
    }

    /// The same after the caller has made room for what it is to receive.
    pub(super) fn take_over(self: &Arc<Self>) -> bool {
        let state = self.lock();
        state.fast && self.drive_on(state)
    }

    /// Writes what waits, if that is left to those who send. Returns whether something was written.
    pub(super) fn unload(self: &Arc<Self>) -> bool {
        let state = self.lock();
        if !state.loading {
            return false;
        }
        let Some((driving, _)) = self.take(state) else { return false };
        // As with a visit.
        catch_unwind(AssertUnwindSafe(|| driving.unload())).unwrap_or(false)
    }

    fn drive_on(self: &Arc<Self>, state: MutexGuard<'_, State>) -> bool {
        let Some((driving, _)) = self.take(state) else { return false };
        // As with a visit.
        let _ = catch_unwind(AssertUnwindSafe(|| driving.drive_on()));
        true
    }
}

/// Somebody waits for room; until this is dropped, so that a waker which panics leaves nothing behind.
struct Stuck<'a>(&'a Seat);

impl Drop for Stuck<'_> {
    fn drop(&mut self) {
        self.0.lock().stuck -= 1;
    }
}

impl Wake for Seat {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.lock();
        state.called = true;
        if state.vacant.is_some() {
            self.to_thread.notify_one();
        } else if !state.over {
            drop(state);
            self.call.call();
        }
    }
}
