//! What waits for the application to fetch it, bounded.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
#[cfg(feature = "async")]
use std::task::{Context, Poll, Waker};
#[cfg(any(feature = "blocking", test))]
use std::time::Instant as StdInstant;

use perennial_core::{Config, Instant, Notice};

#[cfg(any(feature = "blocking", test))]
use crate::error::Timeout;

/// How many notices about the connection's state wait before the oldest make room.
const MOST_STATES: usize = 1024;

/// A queue from the driver to the application.
///
/// * Messages, and duplicates if reports are wanted: bounded by the config's `inbox.max_messages`
///   and `inbox.max_bytes`; the driver stops reading when they are reached. It overshoots by what
///   it reads in one turn.
/// * Reports about messages sent, if they are wanted: bounded by `inbox.max_messages` and what the
///   outbox holds; no more messages are taken for sending. Reading goes on: to stop it for what
///   *we* sent would hide from the heartbeat that the peer has fallen silent.
/// * Notices about the state: the last 1024. The oldest make room, and are counted.
#[derive(Debug)]
pub(crate) struct Inbox {
    queues: Mutex<Queues>,
    arrived: Condvar,
    reports: bool,
    max_messages: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Queues {
    /// Messages and reports, with the order of their arrival among all notices.
    traffic: VecDeque<(u64, Instant, Notice)>,
    states: VecDeque<(u64, Instant, Notice)>,
    next: u64,
    messages: usize,
    bytes: usize,
    reports: usize,
    coalesced: u64,
    /// Somebody waits for room.
    wanted: bool,
    /// The thread that fetches waits, and was not woken yet.
    waiting: bool,
    /// The task that fetches, if it waits and was not woken yet.
    #[cfg(feature = "async")]
    task: Option<Waker>,
    /// Nothing more will come.
    finished: bool,
    /// Nobody will fetch anything any more.
    abandoned: bool,
}

/// What a notice is to the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Something the peer sent.
    Inbound,
    /// What became of something we sent.
    Report,
    /// Everything else.
    State,
}

fn kind(notice: &Notice) -> Kind {
    match notice {
        Notice::Message(_) | Notice::Duplicate { .. } => Kind::Inbound,
        Notice::Flushed { .. }
        | Notice::Acknowledged { .. }
        | Notice::Undelivered { .. }
        | Notice::Writable
        | Notice::Pong { .. } => Kind::Report,
        Notice::StateChanged { .. }
        | Notice::Dialing { .. }
        | Notice::Retrying { .. }
        | Notice::Suspended { .. }
        | Notice::Dead { .. }
        | Notice::Warning(_)
        | Notice::Closed(_) => Kind::State,
    }
}

/// The payload's bytes.
fn size(notice: &Notice) -> usize {
    if let Notice::Message(message) = notice { message.payload.len() } else { 0 }
}

/// Whether `notice` is told only to an application that wants reports.
pub(crate) fn is_report(notice: &Notice) -> bool {
    kind(notice) == Kind::Report || matches!(notice, Notice::Duplicate { .. })
}

/// A notice that was fetched.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) at: Instant,
    pub(crate) notice: Notice,
    /// Whether the driver, or a sender, waits to hear that there is room again.
    pub(crate) makes_room: bool,
}

impl Inbox {
    pub(crate) fn new(config: &Config, reports: bool) -> Self {
        Self {
            queues: Mutex::default(),
            arrived: Condvar::new(),
            reports,
            max_messages: config.inbox.max_messages,
            max_bytes: config.inbox.max_bytes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts notices in. Returns whether the driver should read on.
    pub(crate) fn put(&self, at: Instant, notices: impl Iterator<Item = Notice>) -> bool {
        let mut queues = self.lock();
        for notice in notices {
            if !queues.abandoned && (self.reports || !is_report(&notice)) {
                queues.put(at, notice);
            }
        }
        let full = self.is_full(&queues, 1);
        queues.wanted |= full;
        self.wake(queues);
        !full
    }

    /// Wakes the one who fetches: outside the lock, or it would wait for that.
    fn wake(&self, mut queues: MutexGuard<'_, Queues>) {
        let thread = std::mem::take(&mut queues.waiting);
        #[cfg(feature = "async")]
        let task = queues.task.take();
        drop(queues);
        if thread {
            self.arrived.notify_one();
        }
        #[cfg(feature = "async")]
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Whether the application lags so far behind with its reports that it may not send. If so, it
    /// is noted that somebody waits.
    pub(crate) fn lags(&self) -> bool {
        if !self.reports {
            return false;
        }
        let mut queues = self.lock();
        let lags = queues.reports >= self.max_messages;
        queues.wanted |= lags;
        lags
    }

    /// Whether one of the limits for reading is reached, each divided by `part`.
    fn is_full(&self, queues: &Queues, part: usize) -> bool {
        queues.messages > (self.max_messages - 1) / part
            || queues.bytes > (self.max_bytes - 1) / part
    }

    /// The next notice, without waiting.
    pub(crate) fn try_take(&self) -> Option<Fetched> {
        self.take(&mut self.lock())
    }

    /// The next notice; `None` when nothing more will come.
    ///
    /// # Errors
    /// [`Timeout`] when nothing came before `deadline`.
    #[cfg(any(feature = "blocking", test))]
    pub(crate) fn wait(&self, deadline: Option<StdInstant>) -> Result<Option<Fetched>, Timeout> {
        let mut queues = self.lock();
        loop {
            if let Some(fetched) = self.take(&mut queues) {
                return Ok(Some(fetched));
            }
            if queues.finished {
                return Ok(None);
            }
            queues.waiting = true;
            queues = match deadline {
                None => self.arrived.wait(queues).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(StdInstant::now());
                    if left.is_zero() {
                        queues.waiting = false;
                        return Err(Timeout);
                    }
                    let waited = self.arrived.wait_timeout(queues, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            queues.waiting = false;
        }
    }

    /// As [`wait`](Self::wait), for a task: it is woken when there is something.
    #[cfg(feature = "async")]
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<Fetched>> {
        let mut queues = self.lock();
        if let Some(fetched) = self.take(&mut queues) {
            return Poll::Ready(Some(fetched));
        }
        if queues.finished {
            return Poll::Ready(None);
        }
        match &mut queues.task {
            Some(task) => task.clone_from(cx.waker()),
            task => *task = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn take(&self, queues: &mut Queues) -> Option<Fetched> {
        let order = |queue: &VecDeque<(u64, Instant, Notice)>| {
            queue.front().map_or(u64::MAX, |(order, ..)| *order)
        };
        let from_traffic = order(&queues.traffic) < order(&queues.states);
        let queue = if from_traffic { &mut queues.traffic } else { &mut queues.states };
        let (_, at, notice) = queue.pop_front()?;
        match kind(&notice) {
            Kind::Inbound => {
                queues.messages -= 1;
                queues.bytes -= size(&notice);
            }
            Kind::Report => queues.reports -= 1,
            Kind::State => {}
        }
        let lags = queues.reports > (self.max_messages - 1) / 2;
        let makes_room = queues.wanted && !lags && !self.is_full(queues, 2);
        if makes_room {
            queues.wanted = false;
        }
        Some(Fetched { at, notice, makes_room })
    }

    /// How many notices about the state made room for later ones.
    pub(crate) fn coalesced(&self) -> u64 {
        self.lock().coalesced
    }

    /// Nothing more will come.
    pub(crate) fn finish(&self) {
        let mut queues = self.lock();
        queues.finished = true;
        self.wake(queues);
    }

    /// Nobody will fetch anything any more.
    pub(crate) fn abandon(&self) {
        let mut queues = self.lock();
        *queues = Queues { abandoned: true, finished: queues.finished, ..Queues::default() };
    }
}

impl Queues {
    fn put(&mut self, at: Instant, notice: Notice) {
        let order = self.next;
        self.next += 1;
        match kind(&notice) {
            Kind::Inbound => {
                self.messages += 1;
                self.bytes += size(&notice);
                self.traffic.push_back((order, at, notice));
            }
            Kind::Report => {
                self.reports += 1;
                self.traffic.push_back((order, at, notice));
            }
            Kind::State => {
                if self.states.len() >= MOST_STATES {
                    self.states.pop_front();
                    self.coalesced += 1;
                }
                self.states.push_back((order, at, notice));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perennial_core::{Duration, Message, Payload};

    fn inbox(reports: bool) -> Inbox {
        let mut builder = Config::builder();
        builder.inbox.max_messages = 4;
        builder.inbox.max_bytes = 10;
        Inbox::new(&builder.build().expect("a config"), reports)
    }

    fn message(text: &'static str) -> Notice {
        let transport = serde_json::from_str("1").expect("an id is a number");
        Notice::Message(Message { payload: Payload::from(text), id: None, transport })
    }

    fn state() -> Notice {
        Notice::Suspended { outage: Duration::ZERO }
    }

    fn put(inbox: &Inbox, notices: impl IntoIterator<Item = Notice>) -> bool {
        inbox.put(Instant::ZERO, notices.into_iter())
    }

    #[test]
    fn order_is_kept_across_kinds() {
        let inbox = inbox(true);
        let notices = [message("a"), state(), Notice::Writable, message("b"), state()];
        put(&inbox, notices.clone());
        for notice in notices {
            assert_eq!(inbox.try_take().map(|fetched| fetched.notice), Some(notice));
        }
        assert!(inbox.try_take().is_none());
    }

    #[test]
    fn full_at_the_limit_and_room_at_half() {
        for (texts, until_room) in [(["a"; 4].as_slice(), 3), (["abcde"; 2].as_slice(), 2)] {
            let inbox = inbox(false);
            let (last, first) = texts.split_last().expect("some");
            assert!(put(&inbox, first.iter().map(|text| message(text))), "not full yet");
            assert!(!put(&inbox, [message(last)]), "full");
            let mut taken = 0;
            while let Some(fetched) = inbox.try_take() {
                taken += 1;
                assert_eq!(fetched.makes_room, taken == until_room, "told once, at {taken}");
            }
        }
    }

    #[test]
    fn reports_come_only_if_wanted_and_hold_up_senders() {
        let unwanted = inbox(false);
        assert!(put(&unwanted, vec![Notice::Writable; 100]));
        assert!(unwanted.try_take().is_none());
        assert!(!unwanted.lags());
        let wanted = inbox(true);
        assert!(put(&wanted, vec![Notice::Writable; 3]));
        assert!(!wanted.lags());
        assert!(put(&wanted, [Notice::Writable]), "what is sent does not stop reading");
        assert!(wanted.lags());
        assert!(!put(&wanted, vec![Notice::Duplicate { id: 1 }; 4]), "what is received does");
    }

    #[test]
    fn states_are_bounded_and_counted() {
        let inbox = inbox(false);
        assert!(put(&inbox, vec![state(); MOST_STATES + 7]), "they stop nothing");
        assert_eq!(inbox.coalesced(), 7);
        assert_eq!(std::iter::from_fn(|| inbox.try_take()).count(), MOST_STATES);
    }

    #[test]
    fn the_end_comes_after_what_is_left() {
        let inbox = inbox(false);
        put(&inbox, [message("a")]);
        inbox.finish();
        assert!(inbox.wait(None).expect("no deadline").is_some());
        assert!(inbox.wait(None).expect("no deadline").is_none());
    }

    #[test]
    fn a_wait_ends_at_its_deadline() {
        let inbox = inbox(false);
        let soon = StdInstant::now() + Duration::from_millis(5);
        assert_eq!(inbox.wait(Some(soon)).expect_err("nothing came"), Timeout);
    }

    #[test]
    fn what_is_abandoned_stays_empty() {
        let inbox = inbox(false);
        put(&inbox, vec![message("abcde"); 2]);
        inbox.abandon();
        assert!(put(&inbox, vec![message("abcde"); 9]), "reading goes on");
        assert!(inbox.try_take().is_none());
    }
}
