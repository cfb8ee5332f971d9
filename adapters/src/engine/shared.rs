//! What the handles and the driver share: the state machine behind a lock, and how whoever sleeps
//! is woken.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use perennial_core::requests::{Outcome, Request, RequestId};
use perennial_core::session::{Decision, RequestError, Session};
use perennial_core::{
    Accepted, Action, BuiltIn, Closed, ClosedBy, Connection, DialFailure, Duration, End, EndKind,
    Event, Instant, Notice, Reason, Rejected, TransportId, code,
};

use super::board::Board;
use super::inbox::{Batch, Fetched, Found, Inbox};
use super::layer::{Layer, Recorded};
use super::listeners::Listeners;
use super::lookup::Prepared;
use super::recording::Recording;
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
}

/// The state machine, and what else the driver must see before it sleeps.
///
/// All of it lies behind one lock, and so no wake-up can be lost: the driver looks at everything
/// here and leaves its waker in `asleep` under the same lock. Whoever changes something later finds
/// it there and calls it, and a call before the sleep has begun ends the sleep all the same. Whoever
/// changed something earlier was seen. Nobody calls a driver that is awake.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) connection: Connection<BuiltIn>,
    /// Stands between the connection and everybody else, if there is to be a trace.
    recording: Option<Box<Recording>>,
    /// Stands before both.
    pub(crate) layer: Layer,
    /// Actions taken from the connection that the driver has not seen.
    pending: VecDeque<Action>,
    /// The dials that are prepared.
    pub(crate) prepared: Vec<(TransportId, Result<Prepared, DialFailure>)>,
    /// The application has fetched enough for the driver to read on.
    pub(crate) resume: bool,
    /// The application wants the transport dropped.
    pub(crate) abort: bool,
    /// The application wants a new transport, and too many actions waited when it said so.
    pub(crate) reconnect: bool,
    /// The end that the application is being told. What still has to be said to the peer may be
    /// under way.
    pub(crate) ending: Option<Closed>,
    /// The end, when everything is done.
    pub(crate) closed: Option<Closed>,
    /// Calls the driver, if it sleeps.
    asleep: Option<Waker>,
    /// Until when the driver sleeps.
    until: Option<Instant>,
    /// How many threads wait for a change.
    threads: usize,
    /// The tasks that wait for a change.
    tasks: Vec<(u64, Waker)>,
    #[cfg(feature = "async")]
    last_ticket: u64,
    /// To be called when the lock is released.
    to_call: Option<Waker>,
    /// Who waits for a change is to be called when the lock is released.
    announced: bool,
    /// Somebody was refused because too many actions waited.
    crowded: bool,
}

/// Names a waiting task.
#[cfg(feature = "async")]
#[derive(Debug, Default)]
pub(crate) struct Ticket(Option<u64>);

#[cfg(feature = "async")]
impl Ticket {
    /// Whether the task waits.
    pub(crate) fn is_held(&self) -> bool {
        self.0.is_some()
    }
}

/// Access to the core. Those who are to be woken are called when the lock is released, so that a
/// waker may do what it likes, and a thread finds it free when it wakes up.
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
        Self { core, changed, clock, inbox, board, listeners }
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

    /// Shows what came at `at` to views and listeners, which want little of it: with `shows` there
    /// is more among it than messages and reports.
    pub(crate) fn show(&self, at: Instant, notices: &[Notice], shows: bool) {
        if shows || self.board.keeps_messages() {
            self.board.note(at, notices);
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

impl Core {
    pub(crate) fn new(
        connection: Connection<BuiltIn>,
        recording: Option<Box<Recording>>,
        session: Session,
    ) -> Self {
        Self {
            connection,
            recording,
            layer: Layer::new(session),
            pending: VecDeque::new(),
            prepared: Vec::new(),
            resume: false,
            abort: false,
            reconnect: false,
            ending: None,
            closed: None,
            asleep: None,
            until: None,
            threads: 0,
            tasks: Vec::new(),
            #[cfg(feature = "async")]
            last_ticket: 0,
            to_call: None,
            announced: false,
            crowded: false,
        }
    }

    /// Takes the call that would be made when the lock is released.
    #[cfg(feature = "blocking")]
    pub(crate) fn take_call(&mut self) -> Option<Waker> {
        self.to_call.take()
    }

    /// Wakes the driver, if it sleeps, to look at what has changed here.
    pub(crate) fn wake(&mut self) {
        if let Some(driver) = self.asleep.take() {
            self.to_call = Some(driver);
        }
    }

    /// Notes that the driver sleeps from now on, until `until` or until `waker` is called.
    pub(crate) fn fall_asleep(&mut self, until: Option<Instant>, waker: &Waker) {
        self.asleep = Some(waker.clone());
        self.until = until;
        self.recording.take_if(|recording| !recording.write());
    }

    /// Notes that the driver is awake.
    pub(crate) fn wake_up(&mut self) {
        self.asleep = None;
    }

    /// Has `task` called at the next change. It keeps its place among those who wait.
    #[cfg(feature = "async")]
    pub(crate) fn await_change(&mut self, ticket: &mut Ticket, task: &Waker) {
        if let Some((_, waiting)) = self.tasks.iter_mut().find(|(id, _)| Some(*id) == ticket.0) {
            waiting.clone_from(task);
            return;
        }
        self.last_ticket += 1;
        ticket.0 = Some(self.last_ticket);
        self.tasks.push((self.last_ticket, task.clone()));
    }

    /// Forgets a task that waits no longer.
    #[cfg(feature = "async")]
    pub(crate) fn forget(&mut self, ticket: &mut Ticket) {
        if let Some(id) = ticket.0.take() {
            self.tasks.retain(|(waiting, _)| *waiting != id);
        }
    }

    /// Tells the state machine an event.
    pub(crate) fn handle(&mut self, now: Instant, event: Event) -> Result<Accepted, Rejected> {
        let (layer, door) = self.layer();
        layer.handle(door, now, event)
    }

    /// Tells the session what the application has decided.
    pub(crate) fn decide(&mut self, now: Instant, decision: Decision) {
        let (layer, door) = self.layer();
        layer.decide(door, now, decision);
    }

    fn poll(&mut self) -> Action {
        let (layer, door) = self.layer();
        layer.poll(door)
    }

    /// The layer, and the way from there to the connection.
    fn layer(&mut self) -> (&mut Layer, Recorded<'_>) {
        let Self { connection, recording, layer, .. } = self;
        (layer, Recorded { connection, recording: recording.as_deref_mut() })
    }

    /// Takes the actions that can be taken, for the driver. Returns the next deadline.
    fn take_actions(&mut self) -> Option<Instant> {
        loop {
            match self.poll() {
                Action::Wait { until, .. } => return until,
                action => self.pending.push_back(action),
            }
        }
    }

    /// The next action; [`Action::Wait`] when there is none.
    pub(crate) fn next(&mut self) -> Action {
        match self.pending.pop_front() {
            Some(action) => action,
            None => self.poll(),
        }
    }
}

#[cfg(all(test, feature = "blocking", feature = "async"))]
mod tests {
    use super::*;
    use perennial_core::Config;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;
    use std::thread;
    use std::time::Instant as StdInstant;

    fn shared() -> Arc<Shared> {
        let config = Config::builder().build().expect("a config");
        let inbox = Inbox::new(&config, false);
        let dialect = BuiltIn::new(&config.dialect);
        let connection = Connection::new(config, dialect, 1, Instant::ZERO);
        Arc::new(Shared::new(connection, None, Clock::start(), inbox))
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
        let waiter = Arc::clone(&shared);
        let end = StdInstant::now() + Duration::from_secs(30);
        let thread = thread::spawn(move || waiter.lock().wait(Some(end)).1);
        while shared.lock().threads == 0 {
            thread::yield_now();
        }
        shared.lock().announce();
        assert!(task.found_it_free.load(Ordering::SeqCst));
        assert!(thread.join().expect("it waits"), "called in time");
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
