//! What the handles and the driver share: the state machine behind a lock, and how a sleeping
//! driver is woken.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use perennial_core::{
    Accepted, Action, BuiltIn, Closed, ClosedBy, Connection, DialFailure, End, EndKind, Event,
    Instant, Reason, Rejected, TransportId, code,
};
use polling::Poller;

use super::inbox::Inbox;
use super::lookup::Prepared;
use crate::clock::Clock;

/// How many actions may wait for the driver before no more messages are taken.
const MOST_PENDING: usize = 4096;

/// What the handles and the driver share.
#[derive(Debug)]
pub(super) struct Shared {
    core: Mutex<Core>,
    /// Something that a caller may wait for has changed: room in the outbox, open, closed.
    changed: Condvar,
    poller: Arc<Poller>,
    clock: Clock,
    pub(super) inbox: Inbox,
}

/// The state machine, and what else the driver must see before it sleeps.
///
/// All of it lies behind one lock, and so no wake-up can be lost: the driver looks at everything
/// here and sets `asleep` under the same lock. Whoever changes something later finds `asleep` set
/// and notifies the poller, whose `wait` then returns at once, even if it has not begun yet.
/// Whoever changed it earlier was seen. Nobody notifies a driver that is awake.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) connection: Connection<BuiltIn>,
    /// Actions taken from the connection that the driver has not seen.
    pub(super) pending: VecDeque<Action>,
    /// The dials that are prepared.
    pub(super) prepared: Vec<(TransportId, Result<Prepared, DialFailure>)>,
    /// The application has fetched enough for the driver to read on.
    pub(super) resume: bool,
    /// The application wants the transport dropped.
    pub(super) abort: bool,
    pub(super) closed: Option<Closed>,
    /// The thread that must never wait for the driver, because it is the driver.
    pub(super) driver: Option<ThreadId>,
    asleep: bool,
    /// Until when the driver sleeps.
    until: Option<Instant>,
    waiters: usize,
    /// Somebody was refused because too many actions waited.
    crowded: bool,
}

impl Shared {
    pub(super) fn new(
        connection: Connection<BuiltIn>,
        poller: Arc<Poller>,
        clock: Clock,
        inbox: Inbox,
    ) -> Self {
        let core = Core {
            connection,
            pending: VecDeque::new(),
            prepared: Vec::new(),
            resume: false,
            abort: false,
            closed: None,
            driver: None,
            asleep: false,
            until: None,
            waiters: 0,
            crowded: false,
        };
        Self { core: Mutex::new(core), changed: Condvar::new(), poller, clock, inbox }
    }

    /// The state machine. A panic of a thread that held it cannot have left it half changed in a
    /// way that matters more than going on.
    pub(super) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    /// Feeds an event on behalf of the application, and wakes the driver if that left it something
    /// to do before its time.
    pub(super) fn feed(&self, core: &mut Core, event: Event) -> Result<Accepted, Rejected> {
        let result = match core.connection.handle(self.clock.now(), event) {
            Err(Rejected::Busy(event)) if core.pending.len() < MOST_PENDING => {
                core.take_actions();
                core.connection.handle(self.clock.now(), event)
            }
            result => result,
        };
        core.crowded |= matches!(result, Err(Rejected::Busy(_)));
        // A driver that is awake looks for itself.
        if core.asleep {
            let until = core.take_actions();
            let earlier = match (until, core.until) {
                (Some(until), Some(asleep_until)) => until < asleep_until,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if earlier || !core.pending.is_empty() {
                self.wake(core);
            }
        }
        result
    }

    /// Wakes the driver, if it sleeps, to look at what has changed in `core`.
    pub(super) fn wake(&self, core: &mut Core) {
        if std::mem::take(&mut core.asleep) {
            // It fails only if the kernel has no memory left, and then the next one may get through.
            let _ = self.poller.notify();
        }
    }

    /// Notes that the driver sleeps from now on, until `until`.
    pub(super) fn fall_asleep(&self, core: &mut Core, until: Option<Instant>) {
        core.asleep = true;
        core.until = until;
    }

    /// Notes that the driver is awake.
    pub(super) fn wake_up(&self, core: &mut Core) {
        core.asleep = false;
    }

    /// Waits until something has changed, or until `deadline`. Returns whether it was in time.
    pub(super) fn wait<'a>(
        &'a self,
        mut core: MutexGuard<'a, Core>,
        deadline: Option<std::time::Instant>,
    ) -> (MutexGuard<'a, Core>, bool) {
        core.waiters += 1;
        let (mut core, in_time) = match deadline {
            None => (self.changed.wait(core).unwrap_or_else(PoisonError::into_inner), true),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(std::time::Instant::now());
                let (core, result) =
                    self.changed.wait_timeout(core, left).unwrap_or_else(PoisonError::into_inner);
                (core, !result.timed_out())
            }
        };
        core.waiters -= 1;
        (core, in_time)
    }

    /// Tells everybody who waits that something has changed.
    pub(super) fn announce(&self, core: &Core) {
        if core.waiters > 0 {
            self.changed.notify_all();
        }
    }

    /// The driver has taken the actions that wait: whoever was refused because of them may try
    /// again.
    pub(super) fn relieve(&self, core: &mut Core) {
        if std::mem::take(&mut core.crowded) {
            self.announce(core);
        }
    }

    /// The application has fetched enough for reading and sending to go on.
    pub(super) fn resume(&self) {
        let mut core = self.lock();
        core.resume = true;
        self.wake(&mut core);
        self.announce(&core);
    }

    /// The end. Whoever waits for anything is released.
    pub(super) fn finish(&self, closed: &Closed) -> Closed {
        let mut core = self.lock();
        let closed = core.closed.get_or_insert_with(|| closed.clone()).clone();
        self.announce(&core);
        drop(core);
        self.inbox.finish();
        closed
    }

    /// The end of a driver that did not get to its end: it panicked, or the operating system
    /// refused it something.
    pub(super) fn finish_early(&self, detail: &str) -> Closed {
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

impl Core {
    /// Takes the actions that can be taken, for the driver. Returns the next deadline.
    fn take_actions(&mut self) -> Option<Instant> {
        loop {
            match self.connection.poll() {
                Action::Wait { until, .. } => return until,
                action => self.pending.push_back(action),
            }
        }
    }

    /// The next action, or the next deadline when there is none.
    pub(super) fn next(&mut self) -> Result<Action, Option<Instant>> {
        if let Some(action) = self.pending.pop_front() {
            return Ok(action);
        }
        match self.connection.poll() {
            Action::Wait { until, .. } => Err(until),
            action => Ok(action),
        }
    }
}
