//! The state machine, and what else the driver must see before it sleeps.

use std::collections::VecDeque;
use std::task::Waker;

use perennial_core::session::{Decision, Session};
use perennial_core::{
    Accepted, Action, BuiltIn, Closed, Connection, Event, Instant, Rejected, TransportId,
};

use super::layer::{Layer, Recorded};
use super::lookup::Preparation;
use super::recording::Recording;

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
    pub(super) recording: Option<Box<Recording>>,
    /// Stands before both.
    pub(crate) layer: Layer,
    /// Actions taken from the connection that the driver has not seen.
    pub(super) pending: VecDeque<Action>,
    /// What was told of the dials that are prepared.
    pub(crate) prepared: Vec<(TransportId, Preparation)>,
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
    pub(super) asleep: Option<Waker>,
    /// Until when the driver sleeps.
    pub(super) until: Option<Instant>,
    /// How many threads wait for a change.
    pub(super) threads: usize,
    /// The tasks that wait for a change.
    pub(super) tasks: Vec<(u64, Waker)>,
    #[cfg(feature = "async")]
    last_ticket: u64,
    /// To be called when the lock is released.
    pub(super) to_call: Option<Waker>,
    /// Wakers that nobody needs any more, until the lock is released: what ends with the last of a
    /// task may want it.
    pub(super) retired: Vec<Waker>,
    /// So the driver's.
    pub(super) woken: Option<Waker>,
    /// Who waits for a change is to be called when the lock is released.
    pub(super) announced: bool,
    /// Somebody was refused because too many actions waited.
    pub(super) crowded: bool,
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
            retired: Vec::new(),
            woken: None,
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
        self.woken = self.asleep.take();
    }

    /// Has `task` called at the next change. It keeps its place among those who wait.
    #[cfg(feature = "async")]
    pub(crate) fn await_change(&mut self, ticket: &mut Ticket, task: &Waker) {
        if let Some((_, waiting)) = self.tasks.iter_mut().find(|(id, _)| Some(*id) == ticket.0) {
            if !waiting.will_wake(task) {
                self.retired.push(std::mem::replace(waiting, task.clone()));
            }
            return;
        }
        self.last_ticket += 1;
        ticket.0 = Some(self.last_ticket);
        self.tasks.push((self.last_ticket, task.clone()));
    }

    /// Forgets a task that waits no longer.
    #[cfg(feature = "async")]
    pub(crate) fn forget(&mut self, ticket: &mut Ticket) {
        if let Some(id) = ticket.0.take()
            && let Some(at) = self.tasks.iter().position(|(waiting, _)| *waiting == id)
        {
            self.retired.push(self.tasks.remove(at).1);
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
    pub(super) fn layer(&mut self) -> (&mut Layer, Recorded<'_>) {
        let Self { connection, recording, layer, .. } = self;
        (layer, Recorded { connection, recording: recording.as_deref_mut() })
    }

    /// Takes the actions that can be taken, for the driver. Returns the next deadline.
    pub(super) fn take_actions(&mut self) -> Option<Instant> {
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
