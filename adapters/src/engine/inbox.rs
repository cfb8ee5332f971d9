//! What waits for the application to fetch it, bounded.

use std::collections::VecDeque;
use std::ops::{AddAssign, SubAssign};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
#[cfg(feature = "async")]
use std::task::{Context, Poll, Waker};
#[cfg(any(feature = "blocking", test))]
use std::time::Instant as StdInstant;

use perennial_core::{Config, Duration, Instant, Notice};

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
    held: Held,
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

/// How many notices are fetched under one lock at most.
const BATCH: usize = 64;

/// What was fetched together, and is handed to the application one by one. It counts against the
/// limits until the next batch is fetched.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// With when they came, since the start.
    notices: VecDeque<(Duration, Notice)>,
    held: Held,
}

/// What counts against the limits.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    messages: usize,
    bytes: usize,
    reports: usize,
}

impl Held {
    fn of(notice: &Notice) -> Self {
        match kind(notice) {
            Kind::Inbound => Self { messages: 1, bytes: size(notice), reports: 0 },
            Kind::Report => Self { reports: 1, ..Self::default() },
            Kind::State => Self::default(),
        }
    }
}

impl AddAssign for Held {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.reports += other.reports;
    }
}

impl SubAssign for Held {
    fn sub_assign(&mut self, other: Self) {
        self.messages -= other.messages;
        self.bytes -= other.bytes;
        self.reports -= other.reports;
    }
}

impl Batch {
    /// The next of them.
    pub(crate) fn next(&mut self) -> Option<(Duration, Notice)> {
        self.notices.pop_front()
    }
}

/// What fetching came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fetched {
    pub(crate) found: Found,
    /// Whether the driver, or a sender, waits to hear that there is room again.
    pub(crate) makes_room: bool,
}

/// What was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Some,
    /// Nothing yet.
    Nothing,
    /// Nothing more will come.
    Ended,
}

impl Fetched {
    /// Whether the application's wait ends with it.
    pub(crate) fn is_news(self) -> bool {
        self.makes_room || self.found != Found::Nothing
    }
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
        let lags = queues.held.reports >= self.max_messages;
        queues.wanted |= lags;
        lags
    }

    /// Whether one of the limits for reading is reached.
    pub(crate) fn is_filled(&self) -> bool {
        self.is_full(&self.lock(), 1)
    }

    /// Whether one of the limits for reading is reached, each divided by `part`.
    fn is_full(&self, queues: &Queues, part: usize) -> bool {
        queues.held.messages > (self.max_messages - 1) / part
            || queues.held.bytes > (self.max_bytes - 1) / part
    }

    /// The next batch in the place of one that was used up, without waiting.
    pub(crate) fn try_fetch(&self, batch: &mut Batch) -> Fetched {
        self.fetch(&mut self.lock(), batch)
    }

    /// The next batch in the place of one that was used up; waits for it, or for something else
    /// that is to be said.
    ///
    /// # Errors
    /// [`Timeout`] when nothing came before `deadline`.
    #[cfg(any(feature = "blocking", test))]
    pub(crate) fn wait(
        &self,
        batch: &mut Batch,
        deadline: Option<StdInstant>,
    ) -> Result<Fetched, Timeout> {
        let mut queues = self.lock();
        loop {
            let fetched = self.fetch(&mut queues, batch);
            if fetched.is_news() {
                return Ok(fetched);
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
    pub(crate) fn poll_fetch(&self, batch: &mut Batch, cx: &mut Context<'_>) -> Poll<Fetched> {
        let mut queues = self.lock();
        let fetched = self.fetch(&mut queues, batch);
        if fetched.is_news() {
            return Poll::Ready(fetched);
        }
        let replaced = match &queues.task {
            Some(task) if task.will_wake(cx.waker()) => None,
            Some(_) | None => queues.task.replace(cx.waker().clone()),
        };
        drop(queues);
        // What ends with the last waker of a task may want the lock.
        drop(replaced);
        Poll::Pending
    }

    fn fetch(&self, queues: &mut Queues, batch: &mut Batch) -> Fetched {
        queues.held -= std::mem::take(&mut batch.held);
        // Where somebody waits for room, or there is little, each notice counts as fetched at once.
        let together = !queues.wanted && self.max_messages > BATCH;
        for _ in 0..if together { BATCH } else { 1 } {
            let Some((at, notice)) = queues.pop() else { break };
            let held = Held::of(&notice);
            if together {
                batch.held += held;
            } else {
                queues.held -= held;
            }
            batch.notices.push_back((at.since(Instant::ZERO), notice));
        }
        let lags = queues.held.reports > (self.max_messages - 1) / 2;
        let makes_room = queues.wanted && !lags && !self.is_full(queues, 2);
        if makes_room {
            queues.wanted = false;
        }
        let found = match (batch.notices.is_empty(), queues.finished) {
            (false, _) => Found::Some,
            (true, false) => Found::Nothing,
            (true, true) => Found::Ended,
        };
        Fetched { found, makes_room }
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
        let rest = Queues { abandoned: true, finished: queues.finished, ..Queues::default() };
        let gone = std::mem::replace(&mut *queues, rest);
        drop(queues);
        drop(gone);
    }
}

impl Queues {
    /// The notice that came first.
    fn pop(&mut self) -> Option<(Instant, Notice)> {
        let order = |queue: &VecDeque<(u64, Instant, Notice)>| {
            queue.front().map_or(u64::MAX, |(order, ..)| *order)
        };
        let from_traffic = order(&self.traffic) < order(&self.states);
        let queue = if from_traffic { &mut self.traffic } else { &mut self.states };
        queue.pop_front().map(|(_, at, notice)| (at, notice))
    }

    fn put(&mut self, at: Instant, notice: Notice) {
        let order = self.next;
        self.next += 1;
        self.held += Held::of(&notice);
        if kind(&notice) != Kind::State {
            self.traffic.push_back((order, at, notice));
            return;
        }
        if self.states.len() >= MOST_STATES {
            self.states.pop_front();
            self.coalesced += 1;
        }
        self.states.push_back((order, at, notice));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "async")]
    use crate::remains::remains;
    use perennial_core::{Message, Payload};
    #[cfg(feature = "async")]
    use std::sync::Arc;

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

    /// The next notice, and whether fetching it made room.
    fn take(inbox: &Inbox, batch: &mut Batch) -> (Option<Notice>, bool) {
        if let Some((_, notice)) = batch.next() {
            return (Some(notice), false);
        }
        let makes_room = inbox.try_fetch(batch).makes_room;
        (batch.next().map(|(_, notice)| notice), makes_room)
    }

    fn put(inbox: &Inbox, notices: impl IntoIterator<Item = Notice>) -> bool {
        inbox.put(Instant::ZERO, notices.into_iter())
    }

    #[test]
    fn order_is_kept_across_kinds() {
        let inbox = inbox(true);
        let notices = [message("a"), state(), Notice::Writable, message("b"), state()];
        put(&inbox, notices.clone());
        let batch = &mut Batch::default();
        for notice in notices {
            assert_eq!(take(&inbox, batch).0, Some(notice));
        }
        assert!(take(&inbox, batch).0.is_none());
    }

    #[test]
    fn full_at_the_limit_and_room_at_half() {
        for (texts, until_room) in [(["a"; 4].as_slice(), 3), (["abcde"; 2].as_slice(), 2)] {
            let inbox = inbox(false);
            let (last, first) = texts.split_last().expect("some");
            assert!(put(&inbox, first.iter().map(|text| message(text))), "not full yet");
            assert!(!put(&inbox, [message(last)]), "full");
            let mut taken = 0;
            let batch = &mut Batch::default();
            while let (Some(_), makes_room) = take(&inbox, batch) {
                taken += 1;
                assert_eq!(makes_room, taken == until_room, "told once, at {taken}");
            }
        }
    }

    #[test]
    fn what_was_fetched_together_counts_until_it_is_used_up() {
        let mut builder = Config::builder();
        builder.inbox.max_messages = 2 * BATCH;
        let inbox = Inbox::new(&builder.build().expect("a config"), false);
        assert!(put(&inbox, vec![message("a"); BATCH]));
        let batch = &mut Batch::default();
        assert_eq!(inbox.try_fetch(batch).found, Found::Some);
        assert_eq!(batch.notices.len(), BATCH, "all of them");
        assert!(!put(&inbox, vec![message("b"); BATCH]), "full: they count still");
        while batch.next().is_some() {}
        let fetched = inbox.try_fetch(batch);
        assert_eq!(fetched, Fetched { found: Found::Some, makes_room: true });
        assert_eq!(batch.notices.len(), 1, "somebody waited for room");
    }

    #[test]
    fn room_is_made_even_if_there_is_nothing_left() {
        let inbox = inbox(false);
        let batch = &mut Batch::default();
        assert_eq!(inbox.try_fetch(batch).found, Found::Nothing);
        let mut builder = Config::builder();
        builder.inbox.max_messages = BATCH + 1;
        let inbox = Inbox::new(&builder.build().expect("a config"), false);
        put(&inbox, vec![message("a"); BATCH]);
        inbox.try_fetch(batch);
        put(&inbox, [state()]);
        assert!(!put(&inbox, [message("b")]), "full");
        while batch.next().is_some() {}
        assert!(inbox.try_fetch(batch).makes_room);
    }

    #[test]
    fn reports_come_only_if_wanted_and_hold_up_senders() {
        let unwanted = inbox(false);
        assert!(put(&unwanted, vec![Notice::Writable; 100]));
        assert!(take(&unwanted, &mut Batch::default()).0.is_none());
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
        let batch = &mut Batch::default();
        assert_eq!(std::iter::from_fn(|| take(&inbox, batch).0).count(), MOST_STATES);
    }

    #[test]
    fn the_end_comes_after_what_is_left() {
        let inbox = inbox(false);
        put(&inbox, [message("a")]);
        inbox.finish();
        let batch = &mut Batch::default();
        assert_eq!(inbox.wait(batch, None).expect("no deadline").found, Found::Some);
        assert!(batch.next().is_some());
        assert_eq!(inbox.wait(batch, None).expect("no deadline").found, Found::Ended);
    }

    #[test]
    fn a_wait_ends_at_its_deadline() {
        let inbox = inbox(false);
        let soon = StdInstant::now() + Duration::from_millis(5);
        let batch = &mut Batch::default();
        assert_eq!(inbox.wait(batch, Some(soon)).expect_err("nothing came"), Timeout);
    }

    #[test]
    fn what_is_abandoned_stays_empty() {
        let inbox = inbox(false);
        put(&inbox, vec![message("abcde"); 2]);
        inbox.abandon();
        assert!(put(&inbox, vec![message("abcde"); 9]), "reading goes on");
        assert!(take(&inbox, &mut Batch::default()).0.is_none());
    }

    #[cfg(feature = "async")]
    #[test]
    fn a_waker_that_is_needed_no_longer_ends_when_the_lock_is_free() {
        let inbox = Arc::new(inbox(false));
        let remains = || {
            let inbox = Arc::clone(&inbox);
            remains(move || inbox.queues.try_lock().is_ok())
        };
        let ((first, first_end), (second, second_end)) = (remains(), remains());
        let wait = |waker: Waker| {
            inbox.poll_fetch(&mut Batch::default(), &mut Context::from_waker(&waker))
        };
        assert!(wait(first).is_pending());
        // Another task waits in its place.
        assert!(wait(second).is_pending());
        assert!(first_end.found_it_free());
        inbox.abandon();
        assert!(second_end.found_it_free());
    }
}
