//! What the handles and the driver share: the state machine behind a lock, and how whoever sleeps
//! is woken.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use perennial_core::requests::{Outcome, Request, RequestId};
use perennial_core::session::RequestError;
use perennial_core::{
    Accepted, Closed, ClosedBy, Duration, End, EndKind, Event, Instant, Notice, Reason, Rejected,
    code,
};

use super::board::Board;
use super::core::Core;
use super::inbox::{Batch, Fetched, Found, Inbox};
use super::layer::{Layer, Recorded};
use super::listeners::Listeners;
use super::slot::Slot;
use crate::clock::Clock;

/// How many actions may wait for the driver before no more messages are taken.
const MOST_PENDING: usize = 4096;

/// What the handles and the driver share.
#[derive(Debug)]
pub(crate) struct Shared {
    core: Mutex<Core>,
    /// Something that a thread may wait for has changed: room in the outbox, open, closed.
    changed: Condvar,
    clock: Clock,
    pub(crate) inbox: Inbox,
    pub(crate) board: Board,
    pub(crate) listeners: Listeners,
    /// How many messages were sent. Beside the lock, so that a driver that gives way to those who
    /// have it may look.
    sends: AtomicU32,
}

/// Access to the core. Those who are to be woken are called when the lock is released, and wakers end
/// then, so that a waker may do what it likes, and a thread finds it free when it wakes up.
#[derive(Debug)]
pub(crate) struct Access<'a> {
    shared: &'a Shared,
    guard: Option<MutexGuard<'a, Core>>,
}

impl Deref for Access<'_> {
    type Target = Core;

    fn deref(&self) -> &Core {
        match &self.guard {
            Some(core) => core,
            None => unreachable!("only `drop` and `wait` take the guard, and both end the access"),
        }
    }
}

impl DerefMut for Access<'_> {
    fn deref_mut(&mut self) -> &mut Core {
        match &mut self.guard {
            Some(core) => core,
            None => unreachable!("only `drop` and `wait` take the guard, and both end the access"),
        }
    }
}

impl Drop for Access<'_> {
    fn drop(&mut self) {
        let Some(mut core) = self.guard.take() else { return };
        let driver = core.to_call.take();
        let ended = (std::mem::take(&mut core.retired), core.woken.take());
        // The common case: nobody is to be called.
        if driver.is_none() && !core.announced && !core.layer.owes_calls() {
            drop(core);
            drop(ended);
            return;
        }
        let calls = core.layer.take_calls();
        if std::mem::take(&mut core.announced) | core.layer.take_news() {
            let tasks = std::mem::take(&mut core.tasks);
            let threads = core.threads;
            drop(core);
            if threads > 0 {
                self.shared.changed.notify_all();
            }
            tasks.into_iter().for_each(|(_, task)| task.wake());
        } else {
            drop(core);
        }
        driver.into_iter().chain(calls).for_each(Waker::wake);
    }
}

impl Shared {
    pub(crate) fn new(
        core: Core,
        clock: Clock,
        inbox: Inbox,
        board: Board,
        listeners: Listeners,
    ) -> Self {
        let (core, changed) = (Mutex::new(core), Condvar::new());
        Self { core, changed, clock, inbox, board, listeners, sends: AtomicU32::new(0) }
    }

    /// The state machine. A panic of a thread that held it cannot have left it half changed in a
    /// way that matters more than going on.
    pub(crate) fn lock(&self) -> Access<'_> {
        let guard = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        Access { shared: self, guard: Some(guard) }
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// How many messages were sent, modulo 2^32.
    pub(crate) fn sends(&self) -> u32 {
        self.sends.load(Ordering::Relaxed)
    }

    /// The next notice of a batch, or of the batch after it, if there is one already.
    pub(crate) fn try_next(&self, batch: &mut Batch) -> Option<(Duration, Notice)> {
        batch.next().or_else(|| {
            self.account(self.inbox.try_fetch(batch));
            batch.next()
        })
    }

    /// Lets the driver know if fetching made the room that it waits for. Returns what was found.
    pub(crate) fn account(&self, fetched: Fetched) -> Found {
        if fetched.makes_room {
            self.resume();
        }
        fetched.found
    }

    /// The application has fetched enough for reading and sending to go on.
    pub(crate) fn resume(&self) {
        self.lock().resume();
    }

    /// Shows what came at `at` to views, which see `all` of it, and to listeners, which want little:
    /// with `shows` there is more among it than messages and reports.
    pub(crate) fn show<'a>(
        &self,
        at: Instant,
        all: impl Iterator<Item = &'a Notice>,
        notices: &[Notice],
        shows: bool,
    ) {
        if shows || self.board.keeps_messages() {
            self.board.note(at, all);
        }
        if shows {
            self.listeners.note(self, at, notices);
        }
    }

    /// The end. Whoever waits for anything is released.
    pub(crate) fn finish(&self, closed: &Closed) -> Closed {
        let mut core = self.lock();
        let closed = core.closed.get_or_insert_with(|| closed.clone()).clone();
        if let Some(mut recording) = core.recording.take() {
            recording.finish();
        }
        let (layer, door) = core.layer();
        layer.finish(door);
        core.announce();
        drop(core);
        self.board.finish(&closed);
        self.listeners.finish();
        self.inbox.finish();
        closed
    }

    /// The end of a driver that did not get to its end: it panicked, was dropped, or the operating
    /// system refused it something.
    pub(crate) fn finish_early(&self, detail: &str) -> Closed {
        let end = End { kind: EndKind::Io, detail: detail.into() };
        let closed = Closed {
            by: ClosedBy::Policy,
            code: code::ABNORMAL,
            clean: false,
            reason: Reason::Ended(end),
        };
        self.finish(&closed)
    }
}

impl Access<'_> {
    /// Feeds an event on behalf of the application, and wakes the driver if that left it something
    /// to do before its time.
    pub(crate) fn feed(&mut self, event: Event) -> Result<Accepted, Rejected> {
        let clock = self.shared.clock;
        let result = match self.handle(clock.now(), event) {
            Err(Rejected::Busy(event)) if self.may_make_room(&event) => {
                self.take_actions();
                self.handle(clock.now(), event)
            }
            result => result,
        };
        self.crowded |= matches!(result, Err(Rejected::Busy(_)));
        self.rouse();
        result
    }

    /// Notes that a message was sent.
    pub(crate) fn note_send(&self) {
        // Nobody else writes it: whoever does has the lock.
        let sends = self.shared.sends().wrapping_add(1);
        self.shared.sends.store(sends, Ordering::Relaxed);
    }

    /// Asks the peer something on behalf of the application.
    pub(crate) fn request(
        &mut self,
        request: Request,
    ) -> Result<(RequestId, Arc<Slot<Outcome>>), RequestError> {
        let now = self.shared.clock.now();
        let (layer, door) = self.layer();
        let result = match layer.request(door, now, request) {
            Err(RequestError::NotSent { request, rejected }) if matches!(&*rejected, Rejected::Busy(event) if self.may_make_room(event)) =>
            {
                self.take_actions();
                let (layer, door) = self.layer();
                layer.request(door, now, request)
            }
            result => result,
        };
        if let Err(RequestError::NotSent { rejected, .. }) = &result {
            self.crowded |= matches!(**rejected, Rejected::Busy(_));
        }
        self.rouse();
        result
    }

    /// Has something done by the layer on behalf of the application.
    pub(crate) fn command<T>(
        &mut self,
        what: impl FnOnce(&mut Layer, Recorded<'_>, Instant) -> T,
    ) -> T {
        let now = self.shared.clock.now();
        let (layer, door) = self.layer();
        let result = what(layer, door, now);
        self.rouse();
        result
    }

    /// Wakes the driver if it was left something to do before its time. One that is awake looks for
    /// itself.
    fn rouse(&mut self) {
        if self.asleep.is_some() {
            let until = self.take_actions();
            let earlier = match (until, self.until) {
                (Some(until), Some(asleep_until)) => until < asleep_until,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if earlier || !self.pending.is_empty() || self.layer.has_asks() {
                self.wake();
            }
        }
    }

    /// Whether actions may be put by so that `event` can be judged. What can be said again and
    /// again, with new actions each time, has its limit; the actions of all else are as few as the
    /// messages in the outbox.
    fn may_make_room(&self, event: &Event) -> bool {
        self.pending.len() < MOST_PENDING || !matches!(event, Event::Send(_) | Event::Reconnect)
    }

    /// Has a thread wait until something has changed, or until `deadline`. Returns whether it was in
    /// time.
    #[cfg(feature = "blocking")]
    pub(crate) fn wait(mut self, deadline: Option<std::time::Instant>) -> (Self, bool) {
        let shared = self.shared;
        if self.layer.owes_calls() {
            // They are made when the lock is released; the caller looks again meanwhile.
            drop(self);
            return (shared.lock(), true);
        }
        // Under the lock, or what changes before the wait begins would be missed. It is no task's
        // executor that runs here, but a thread that may wait.
        let calls = self.layer.take_calls();
        self.to_call.take().into_iter().chain(calls).for_each(Waker::wake);
        let Some(mut core) = self.guard.take() else { return (self, true) };
        if core.announced && core.threads > 0 {
            shared.changed.notify_all();
        }
        core.threads += 1;
        let (mut core, in_time) = match deadline {
            None => (shared.changed.wait(core).unwrap_or_else(PoisonError::into_inner), true),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(std::time::Instant::now());
                let waited = shared.changed.wait_timeout(core, left);
                let (core, result) = waited.unwrap_or_else(PoisonError::into_inner);
                (core, !result.timed_out())
            }
        };
        core.threads -= 1;
        (Self { shared, guard: Some(core) }, in_time)
    }

    /// Tells everybody who waits that something has changed.
    pub(crate) fn announce(&mut self) {
        self.announced = true;
    }

    /// As [`Shared::resume`].
    pub(crate) fn resume(&mut self) {
        self.resume = true;
        self.wake();
        self.announce();
    }

    /// The driver has taken the actions that wait: whoever was refused because of them may try
    /// again.
    pub(crate) fn relieve(&mut self) {
        if std::mem::take(&mut self.crowded) {
            self.announce();
        }
    }
}

#[cfg(all(test, feature = "blocking", feature = "async"))]
mod tests {
    use super::*;
    use crate::engine::Ticket;
    use crate::remains::remains;
    use perennial_core::session::{Session, SessionConfig};
    use perennial_core::{BuiltIn, Config, Connection};
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::task::Wake;
    use std::thread;
    use std::time::Instant as StdInstant;

    fn shared() -> Arc<Shared> {
        let config = Config::builder().build().expect("a config");
        let inbox = Inbox::new(&config, false);
        let dialect = BuiltIn::new(&config.dialect);
        let connection = Connection::new(config, dialect, 1, Instant::ZERO);
        let now = Instant::ZERO;
        let session = Session::new(SessionConfig::default(), now).expect("a session");
        let core = Core::new(connection, None, session);
        let listeners = Listeners::default();
        Arc::new(Shared::new(core, Clock::start(), inbox, Board::new(0), listeners))
    }

    /// A task that needs the lock as soon as it is called.
    struct Task {
        shared: Arc<Shared>,
        found_it_free: AtomicBool,
    }

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            let is_free = self.shared.core.try_lock().is_ok();
            self.found_it_free.store(is_free, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_waits_is_called_when_the_lock_is_free() {
        let shared = shared();
        let task = Task { shared: Arc::clone(&shared), found_it_free: AtomicBool::new(false) };
        let task = Arc::new(task);
        shared.lock().await_change(&mut Ticket::default(), &Waker::from(Arc::clone(&task)));
        // Nobody else is there who could have it.
        shared.lock().announce();
        assert!(task.found_it_free.load(Ordering::SeqCst));
        let waiter = Arc::clone(&shared);
        let end = StdInstant::now() + Duration::from_secs(30);
        let thread = thread::spawn(move || waiter.lock().wait(Some(end)).1);
        while shared.lock().threads == 0 {
            thread::yield_now();
        }
        shared.lock().announce();
        assert!(thread.join().expect("it waits"), "called in time");
    }

    #[test]
    fn a_waker_that_is_needed_no_longer_ends_when_the_lock_is_free() {
        let shared = shared();
        let remains = || {
            let shared = Arc::clone(&shared);
            remains(move || shared.core.try_lock().is_ok())
        };
        let mut ticket = Ticket::default();
        let (first, first_end) = remains();
        shared.lock().await_change(&mut ticket, &first);
        drop(first);
        // Another task waits in its place.
        let (second, second_end) = remains();
        shared.lock().await_change(&mut ticket, &second);
        drop(second);
        assert!(first_end.found_it_free());
        shared.lock().forget(&mut ticket);
        assert!(second_end.found_it_free());
        let (driver, driver_end) = remains();
        shared.lock().fall_asleep(None, &driver);
        drop(driver);
        shared.lock().wake_up();
        assert!(driver_end.found_it_free());
    }

    #[test]
    fn who_announces_and_then_waits_itself_calls_the_others_first() {
        let shared = shared();
        let waiter = Arc::clone(&shared);
        let end = StdInstant::now() + Duration::from_secs(30);
        let thread = thread::spawn(move || waiter.lock().wait(Some(end)).0.announce());
        while shared.lock().threads == 0 {
            thread::yield_now();
        }
        let mut core = shared.lock();
        core.announce();
        assert!(core.wait(Some(end)).1, "called by the one that it has called");
        thread.join().expect("it waits");
    }
}
