//! One connection as the suite sees it, and the bounded inbox between the loop and the one who
//! fetches.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use perennial_core::{
    Accepted, CloseFrame, Config, Event, Notice, Outgoing, Rejected, Seq, State, Status,
};
use perennial_examples::own_loop::Target;
use perennial_tests::conformance::{Received, Refusal, Refused, Session, Waited};

use super::driver::Driver;

/// No wait is longer.
const LONG: Duration = Duration::from_secs(30);

/// What waits to be fetched. A full one stops the reading; too many reports hold up the sender.
pub(super) struct Inbox {
    queue: Mutex<Queue>,
    changed: Condvar,
    max_messages: usize,
    max_bytes: usize,
}

#[derive(Default)]
struct Queue {
    notices: VecDeque<Notice>,
    messages: usize,
    bytes: usize,
    reports: usize,
    paused: bool,
    ended: bool,
    /// How often something happened that may have made room for a sender.
    rooms: u64,
    abandoned: bool,
    forgotten: bool,
}

enum Kind {
    Inbound(usize),
    Report,
    State,
}

fn kind(notice: &Notice) -> Kind {
    match notice {
        Notice::Message(message) => Kind::Inbound(message.payload.len()),
        Notice::Duplicate { .. } => Kind::Inbound(0),
        Notice::Flushed { .. }
        | Notice::Acknowledged { .. }
        | Notice::Undelivered { .. }
        | Notice::Writable
        | Notice::Pong { .. } => Kind::Report,
        _ => Kind::State,
    }
}

impl Inbox {
    fn new(config: &Config) -> Self {
        let (max_messages, max_bytes) = (config.inbox.max_messages, config.inbox.max_bytes);
        Self { queue: Mutex::default(), changed: Condvar::new(), max_messages, max_bytes }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a notice in. Returns whether reading must stop from now on.
    pub(super) fn put(&self, notice: Notice) -> bool {
        let mut queue = self.lock();
        queue.ended |= matches!(notice, Notice::Closed(_));
        queue.rooms += u64::from(matches!(notice, Notice::Writable | Notice::Closed(_)));
        if !queue.abandoned {
            match kind(&notice) {
                Kind::Inbound(bytes) => {
                    queue.messages += 1;
                    queue.bytes += bytes;
                }
                Kind::Report => queue.reports += 1,
                Kind::State => {}
            }
            queue.notices.push_back(notice);
        }
        let is_full = queue.messages >= self.max_messages || queue.bytes >= self.max_bytes;
        self.changed.notify_all();
        is_full && !std::mem::replace(&mut queue.paused, true)
    }

    /// The next notice, and whether reading may go on.
    fn take(&self, limit: Duration) -> (Received, bool) {
        let end = Instant::now() + limit;
        let mut queue = self.lock();
        loop {
            if let Some(notice) = queue.notices.pop_front() {
                match kind(&notice) {
                    Kind::Inbound(bytes) => {
                        queue.messages -= 1;
                        queue.bytes -= bytes;
                    }
                    Kind::Report => {
                        queue.reports -= 1;
                        queue.rooms += 1;
                        self.changed.notify_all();
                    }
                    Kind::State => {}
                }
                let has_room =
                    queue.messages <= self.max_messages / 2 && queue.bytes <= self.max_bytes / 2;
                let resumes = queue.paused && has_room;
                queue.paused &= !resumes;
                return (Received::Notice(notice), resumes);
            }
            if queue.ended {
                return (Received::Ended, false);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return (Received::TimedOut, false);
            }
            queue =
                self.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether reports that nobody fetches hold up the sender.
    fn lags(&self) -> bool {
        self.lock().reports >= self.max_messages
    }

    fn rooms(&self) -> u64 {
        self.lock().rooms
    }

    /// Waits until there may be room that was not there at `rooms`. Returns whether it was in time.
    fn wait_for_room(&self, rooms: u64, end: Instant) -> bool {
        let mut queue = self.lock();
        while queue.rooms == rooms {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            queue =
                self.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    /// The connection is over and removed.
    pub(super) fn forgotten(&self) {
        self.lock().forgotten = true;
        self.changed.notify_all();
    }
}

pub(super) struct OwnSession {
    driver: &'static Driver,
    key: usize,
    inbox: Arc<Inbox>,
}

impl OwnSession {
    pub(super) fn connect(
        driver: &'static Driver,
        target: Target,
        config: Config,
        seed: u64,
    ) -> Self {
        let inbox = Arc::new(Inbox::new(&config));
        let theirs = Arc::clone(&inbox);
        let key = driver.ask(move |state| {
            let key = state.reactor.connect(target, config.into_builder(), seed);
            let key = key.expect("the config was checked before");
            state.inboxes.insert(key, theirs);
            key
        });
        Self { driver, key, inbox }
    }

    fn handle(&self, event: Event) -> Result<Accepted, Rejected> {
        let key = self.key;
        self.driver.ask(move |state| state.reactor.handle(key, event))
    }
}

fn send(driver: &Driver, key: usize, inbox: &Inbox, message: Outgoing) -> Result<Seq, Refused> {
    let refused = |refusal, message| Err(Refused { message, refusal });
    if inbox.lags() {
        return refused(Refusal::Full, message);
    }
    match driver.ask(move |state| state.reactor.handle(key, Event::Send(message))) {
        Ok(Accepted::Message(seq)) => Ok(seq),
        Err(Rejected::QueueFull(message) | Rejected::Busy(Event::Send(message))) => {
            refused(Refusal::Full, message)
        }
        Err(Rejected::TooLarge { message, .. }) => refused(Refusal::TooLarge, message),
        Err(Rejected::Closed(message)) => refused(Refusal::Closed, message),
        Err(Rejected::NotOpen(message)) => refused(Refusal::NotOpen, message),
        Err(Rejected::Unencodable { message, .. }) => refused(Refusal::Unencodable, message),
        other => panic!("no answer to a message: {other:?}"),
    }
}

impl Session for OwnSession {
    fn recv(&mut self, limit: Duration) -> Received {
        let (received, resumes) = self.inbox.take(limit);
        if resumes {
            let key = self.key;
            self.driver.tell(move |state| {
                state.reactor.handle(key, Event::ResumeReads).expect("never refused");
            });
        }
        received
    }

    fn send(&self, message: Outgoing) -> Result<Seq, Refused> {
        send(self.driver, self.key, &self.inbox, message)
    }

    fn send_within(&self, message: Outgoing, limit: Duration) -> Receiver<Waited> {
        let (driver, key, inbox) = (self.driver, self.key, Arc::clone(&self.inbox));
        let end = Instant::now() + limit;
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let mut message = message;
            let outcome = loop {
                let rooms = inbox.rooms();
                match send(driver, key, &inbox, message) {
                    Ok(seq) => break Waited::Accepted(seq),
                    Err(Refused { message: back, refusal: Refusal::Full }) => message = back,
                    Err(refused) => break Waited::Refused(refused.refusal),
                }
                if !inbox.wait_for_room(rooms, end) {
                    break Waited::Withdrawn;
                }
            };
            // Nobody need be interested.
            let _ = sender.send(outcome);
        });
        receiver
    }

    fn cancel(&self, seq: Seq) -> Result<(), Rejected> {
        self.handle(Event::Cancel(seq)).map(drop)
    }

    fn purge(&self) {
        self.handle(Event::Purge).expect("never refused");
    }

    fn close(&self, code: u16, reason: &str) -> Result<(), Rejected> {
        self.handle(Event::Close(CloseFrame::new(code, reason))).map(drop)
    }

    fn drain(&self, timeout: Option<Duration>) {
        let close = CloseFrame::new(1000, "");
        self.handle(Event::Drain { timeout, close }).expect("the code may be sent");
    }

    fn reconnect(&self) {
        self.handle(Event::Reconnect).expect("never refused");
    }

    fn status(&self) -> Status {
        let key = self.key;
        self.driver.ask(move |state| {
            state.reactor.connection(key).expect("it is there until the drop").status()
        })
    }
}

/// Closes, in the background, and waits until the loop has forgotten it.
impl Drop for OwnSession {
    fn drop(&mut self) {
        let key = self.key;
        let inbox = Arc::clone(&self.inbox);
        self.driver.tell(move |state| {
            inbox.lock().abandoned = true;
            let close = Event::Close(CloseFrame::new(1000, ""));
            state.reactor.handle(key, close).expect("the code may be sent");
            // The close frame's answer may lie behind what nobody will fetch.
            state.reactor.handle(key, Event::ResumeReads).expect("never refused");
            let core = state.reactor.connection(key);
            if inbox.lock().ended || core.is_none_or(|core| core.state() == State::Closed) {
                state.forget(key);
            }
        });
        let end = Instant::now() + LONG;
        let mut queue = self.inbox.lock();
        while !queue.forgotten {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(queue);
                assert!(thread::panicking(), "the connection goes on without a client");
                return;
            }
            let waited = self.inbox.changed.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
