//! The loop that carries events in and actions out. It decides nothing.
//!
//! A turn: move bytes as far as the sockets are ready (`exchange`); tell the state machine and ask
//! what to do (`consult`); do it, and flush once (`act`). When a turn found nothing to do, sleep in
//! the poller until a socket is ready, a deadline comes or a handle calls.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use perennial_core::{
    Action, Capabilities, CloseFrame, Closed, Config, DialFailure, End, EndKind, Event, Instant,
    Notice, Rejected, RetryChoice, TransportId, code,
};
use polling::Events;
use tungstenite::WebSocket;

use super::builder::RetryContext;
use super::dial::{Dial, Dialing};
use super::handle::Handle;
use super::journal;
use super::link::{Link, Reading};
use super::lookup::{Prepared, Preparer};
use super::shared::{Core, Shared};
use super::sink::Sink;
use super::stream::Wire;

/// How many actions are done in one turn, so that reading has its turn too.
const ACTIONS: usize = 256;

/// Overrides the delay before an attempt.
pub(super) type RetryHook = Box<dyn FnMut(&RetryContext) -> RetryChoice + Send>;

/// Drives one connection.
pub(super) struct Driver<S> {
    shared: Arc<Shared>,
    handle: Handle,
    sink: S,
    config: Config,
    dialing: Dialing,
    preparer: Preparer,
    retry_hook: Option<RetryHook>,
    /// What to call the other side in the journal.
    target: String,

    dial: Option<Dial>,
    /// Whether something may have happened to the dial.
    dial_is_due: bool,
    link: Option<Link>,
    /// Reading has stopped until the application has fetched enough.
    paused: bool,
    /// Whether this turn has read as far as the socket was ready.
    has_read: bool,
    /// How many turns there were since the last sleep.
    awake: u32,

    /// What the state machine is to be told.
    events: VecDeque<Event>,
    /// What it wants done.
    actions: VecDeque<Action>,
    notices: Vec<Notice>,
    readiness: Events,
}

/// What a turn amounts to.
enum Turn {
    /// There was something to do, at this time.
    Busy(Instant),
    /// There is nothing to do before this deadline.
    Idle(Option<Instant>),
}

impl<S: Sink> Driver<S> {
    pub(super) fn new(
        handle: Handle,
        sink: S,
        config: Config,
        dialing: Dialing,
        preparer: Preparer,
        retry_hook: Option<RetryHook>,
        target: String,
    ) -> Self {
        Self {
            shared: Arc::clone(handle.shared()),
            handle,
            sink,
            config,
            dialing,
            preparer,
            retry_hook,
            target,
            dial: None,
            dial_is_due: false,
            link: None,
            paused: false,
            has_read: false,
            awake: 0,
            events: VecDeque::new(),
            actions: VecDeque::new(),
            notices: Vec::new(),
            readiness: Events::new(),
        }
    }

    /// Drives the connection to its end.
    pub(super) fn run(mut self) -> Closed {
        let span = journal::span(&self.target);
        let _entered = span.enter();
        let guard = Guard(Arc::clone(&self.shared));
        self.shared.lock().driver = Some(thread::current().id());
        loop {
            self.exchange();
            match self.consult() {
                Turn::Busy(now) => {
                    self.awake = self.awake.saturating_add(1);
                    if let Some(closed) = self.act(now) {
                        self.shared.finish(&closed);
                        return closed;
                    }
                }
                Turn::Idle(until) => {
                    self.awake = 0;
                    if let Err(error) = self.sleep(until) {
                        return guard.fail(&format!("cannot wait for sockets: {error}"));
                    }
                }
            }
        }
    }

    /// Moves bytes as far as the sockets are ready.
    fn exchange(&mut self) {
        self.has_read = false;
        if std::mem::take(&mut self.dial_is_due) {
            self.advance_dial();
        }
        let Some(link) = &mut self.link else { return };
        if self.awake > 1 {
            // The poller was not asked for a while.
            link.retry_flush();
            link.probe();
        }
        if link.wants_flush() {
            self.events.extend(link.flush());
        }
        if self.paused {
            // What is left to read would wait for the application; a new transport should not.
            if let Some(end) = link.broken().cloned() {
                self.events.push_back(Event::Ended { transport: link.transport(), end });
                self.link = None;
            }
        } else if link.wants_read() {
            self.has_read = true;
            if link.read(&mut self.events) == Reading::Ended {
                link.say_goodbye();
                self.link = None;
            }
        }
    }

    fn advance_dial(&mut self) {
        let Some(dial) = &mut self.dial else { return };
        let Some(outcome) = dial.advance(&mut self.dialing) else { return };
        let transport = dial.transport();
        self.dial = None;
        match outcome {
            Ok(socket) => self.open(transport, *socket),
            Err(failure) => self.events.push_back(Event::DialFailed { transport, failure }),
        }
    }

    fn open(&mut self, transport: TransportId, socket: WebSocket<Wire>) {
        self.link = Some(Link::new(transport, socket, &self.config));
        let capabilities = Capabilities::SOCKET;
        self.events.push_back(Event::Opened { transport, capabilities });
    }

    /// Tells the state machine what has happened, and takes what is to be done. Everything that
    /// could call the driver is looked at under the same lock as it falls asleep under: see
    /// [`Core`].
    fn consult(&mut self) -> Turn {
        let shared = Arc::clone(&self.shared);
        let mut core = shared.lock();
        // Looked at under the lock, or a handle that came first would have come from the future.
        let now = shared.clock().now();
        shared.wake_up(&mut core);
        if std::mem::take(&mut core.abort) {
            self.abort(&mut core, now);
        }
        for (transport, outcome) in std::mem::take(&mut core.prepared) {
            self.begin(transport, outcome);
        }
        if std::mem::take(&mut core.resume) && std::mem::take(&mut self.paused) {
            self.events.push_back(Event::ResumeReads);
            if let Some(link) = &mut self.link {
                link.probe();
            }
        }
        while let Some(event) = self.events.pop_front() {
            self.tell(&mut core, now, event);
        }
        let until = loop {
            if self.actions.len() >= ACTIONS {
                break None;
            }
            match core.next() {
                Ok(action) => self.actions.push_back(action),
                Err(Some(until)) if until <= now => {
                    // An answer that lies in the kernel unread must not be missed.
                    if let Some(link) = &mut self.link
                        && !(self.paused || self.has_read)
                    {
                        link.probe();
                        if link.wants_read() {
                            break Some(until);
                        }
                    }
                    self.tell(&mut core, now, Event::Tick);
                }
                Err(until) => break until,
            }
        };
        shared.relieve(&mut core);
        let reads_on = !self.paused && self.link.as_ref().is_some_and(Link::wants_read);
        let flushes_on = self.link.as_ref().is_some_and(Link::wants_flush);
        if !self.actions.is_empty() || reads_on || flushes_on || self.dial_is_due {
            return Turn::Busy(now);
        }
        shared.fall_asleep(&mut core, until);
        Turn::Idle(until)
    }

    fn tell(&mut self, core: &mut Core, now: Instant, mut event: Event) {
        while let Err(Rejected::Busy(refused)) = core.connection.handle(now, event) {
            let before = self.actions.len();
            while let Ok(action) = core.next() {
                self.actions.push_back(action);
            }
            debug_assert!(self.actions.len() > before, "busy with nothing");
            if self.actions.len() == before {
                return;
            }
            event = refused;
        }
    }

    /// Does what is to be done, and flushes once.
    fn act(&mut self, now: Instant) -> Option<Closed> {
        let mut closed = None;
        while let Some(action) = self.actions.pop_front() {
            match action {
                Action::Write { transport, index, frame } => {
                    if let Some(link) = self.link_of(transport) {
                        link.write(index, frame);
                    }
                }
                Action::Notify(notice) => {
                    journal::note(&notice);
                    self.ask_retry_hook(&notice);
                    if let Notice::Closed(end) = &notice {
                        closed = Some(end.clone());
                    }
                    self.notices.push(notice);
                }
                Action::Dial { transport, attempt } => self.dial(transport, attempt),
                Action::Abort { transport } => self.drop_transport(transport),
                Action::Wait { .. } => {}
            }
        }
        if let Some(link) = &mut self.link
            && link.wants_flush()
        {
            self.events.extend(link.flush());
        }
        self.deliver(now);
        if closed.is_some()
            && let Some(link) = &mut self.link
        {
            link.say_goodbye();
        }
        closed
    }

    fn link_of(&mut self, transport: TransportId) -> Option<&mut Link> {
        self.link.as_mut().filter(|link| link.transport() == transport)
    }

    fn deliver(&mut self, now: Instant) {
        if self.notices.is_empty() {
            return;
        }
        let matters = |notice: &Notice| {
            matches!(notice, Notice::StateChanged { .. } | Notice::Writable | Notice::Closed(_))
        };
        let somebody_waits = self.notices.iter().any(matters);
        if !self.sink.put(&self.handle, now, &mut self.notices) && !self.paused {
            self.paused = true;
            self.events.push_back(Event::PauseReads);
        }
        if somebody_waits {
            let core = self.shared.lock();
            self.shared.announce(&core);
        }
    }

    fn ask_retry_hook(&mut self, notice: &Notice) {
        if let Some(hook) = &mut self.retry_hook
            && let Notice::Retrying { attempt, delay, outage, reason, .. } = notice
        {
            let context = RetryContext {
                attempt: *attempt,
                delay: *delay,
                outage: *outage,
                reason: reason.clone(),
            };
            let choice = hook(&context);
            self.events.push_back(Event::Retry { attempt: *attempt, choice });
        }
    }

    fn dial(&mut self, transport: TransportId, attempt: u32) {
        self.dial = Some(Dial::new(transport));
        let shared = Arc::clone(&self.shared);
        let report = move |outcome| {
            let mut core = shared.lock();
            core.prepared.push((transport, outcome));
            shared.wake(&mut core);
        };
        if let Some(outcome) = self.preparer.prepare(transport, attempt, report) {
            self.begin(transport, outcome);
        }
    }

    /// Begins to connect, unless the dial was given up while it was prepared.
    fn begin(&mut self, transport: TransportId, outcome: Result<Prepared, DialFailure>) {
        let Some(dial) = self.dial.as_mut().filter(|dial| dial.transport() == transport) else {
            return;
        };
        match outcome {
            Ok(prepared) => {
                dial.begin(prepared);
                self.dial_is_due = true;
            }
            Err(failure) => {
                self.dial = None;
                self.events.push_back(Event::DialFailed { transport, failure });
            }
        }
    }

    fn drop_transport(&mut self, transport: TransportId) {
        self.dial.take_if(|dial| dial.transport() == transport);
        if let Some(mut link) = self.link.take_if(|link| link.transport() == transport) {
            // The last words, such as a close frame, as far as the kernel takes them at once.
            if link.wants_flush() {
                let _ = link.flush();
            }
            link.say_goodbye();
        }
    }

    /// Drops everything and has the state machine close.
    fn abort(&mut self, core: &mut Core, now: Instant) {
        self.dial = None;
        let link = self.link.take();
        self.tell(core, now, Event::Close(CloseFrame::new(code::NORMAL, "")));
        if let Some(link) = link {
            let end = End { kind: EndKind::Io, detail: "aborted by the application".into() };
            self.tell(core, now, Event::Ended { transport: link.transport(), end });
        }
    }

    /// Sleeps until a socket is ready, a deadline comes or a handle calls.
    fn sleep(&mut self, until: Option<Instant>) -> io::Result<()> {
        if let Some(link) = &mut self.link
            && let Err(error) = link.watch(!self.paused)
        {
            let end = End { kind: EndKind::Io, detail: error.to_string().into() };
            self.events.push_back(Event::Ended { transport: link.transport(), end });
            self.link = None;
            return Ok(());
        }
        let clock = self.shared.clock();
        let dial_deadline = self.dial.as_ref().and_then(Dial::deadline);
        let dial_left =
            dial_deadline.map(|at| at.saturating_duration_since(std::time::Instant::now()));
        let timeout: Option<Duration> =
            until.map(|at| clock.until(at)).into_iter().chain(dial_left).min();
        self.readiness.clear();
        self.dialing.poller.wait(&mut self.readiness, timeout)?;
        for event in self.readiness.iter() {
            match self.link.as_mut().filter(|link| link.key() == event.key) {
                Some(link) => link.fired(event.readable, event.writable),
                None => self.dial_is_due = true,
            }
        }
        self.dial_is_due |= dial_deadline.is_some_and(|at| at <= std::time::Instant::now());
        Ok(())
    }
}

/// Releases whoever waits for a driver that does not get to its end.
struct Guard(Arc<Shared>);

impl Guard {
    fn fail(self, detail: &str) -> Closed {
        self.0.finish_early(detail)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Without effect after an end that was reached.
        self.0.finish_early("the driver panicked");
    }
}
