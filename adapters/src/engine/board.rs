//! What views show besides the state machine's own status: the messages, where the connection leads,
//! and that something has changed.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};

use perennial_core::{Closed, Instant, Message, Notice};

/// How many bytes of payload the history holds at most.
const MOST_BYTES: usize = 1 << 20;

/// Something, and when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stamped<T> {
    /// What came.
    pub value: T,
    /// When, since the connection's start.
    pub at: Duration,
    /// When, as the computer's clock had it.
    pub time: SystemTime,
}

/// Written by the driver, read by views. While there is neither a view nor a history, only changes
/// of the state and of the target are noted, and a message costs nothing.
#[derive(Debug)]
pub(crate) struct Board {
    posted: Mutex<Posted>,
    /// Whether messages are kept. Changes under the lock.
    keeps_messages: AtomicBool,
    /// How many messages the history holds.
    most: usize,
}

#[derive(Debug, Default)]
struct Posted {
    /// Goes up with every change.
    version: u64,
    /// Where the latest request goes.
    target: Option<Arc<str>>,
    latest: Option<Stamped<Message>>,
    history: VecDeque<Stamped<Message>>,
    bytes: usize,
    /// The last error was cleared away, and there was no other since.
    hides_error: bool,
    closed: Option<Closed>,
    viewers: usize,
    last_viewer: u64,
    /// The views that wait.
    waiting: Vec<(u64, Waker)>,
}

/// Names a view to its board, and knows what it has seen.
#[derive(Debug)]
pub(crate) struct Viewer {
    id: u64,
    seen: u64,
}

/// What is on the board.
#[derive(Debug)]
pub(crate) struct Glance {
    pub(crate) target: Option<Arc<str>>,
    pub(crate) latest: Option<Stamped<Message>>,
    pub(crate) hides_error: bool,
    pub(crate) closed: Option<Closed>,
}

impl Board {
    /// A board with a history of at most so many messages; without one for none.
    pub(crate) fn new(most: usize) -> Self {
        Self { posted: Mutex::default(), keeps_messages: AtomicBool::new(most > 0), most }
    }

    fn lock(&self) -> MutexGuard<'_, Posted> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether messages are kept, and so must be noted.
    pub(crate) fn keeps_messages(&self) -> bool {
        self.keeps_messages.load(Ordering::Relaxed)
    }

    /// Notes what came at `at`.
    pub(crate) fn note<'a>(&self, at: Instant, notices: impl IntoIterator<Item = &'a Notice>) {
        let mut posted = self.lock();
        let keeps_messages = self.keeps_messages();
        let mut time = None;
        let mut changed = false;
        for notice in notices {
            changed |= match notice {
                Notice::Message(message) if keeps_messages => {
                    let time = *time.get_or_insert_with(SystemTime::now);
                    let at = at.since(Instant::ZERO);
                    posted.keep(Stamped { value: message.clone(), at, time }, self.most);
                    true
                }
                Notice::Retrying { .. } => {
                    posted.hides_error = false;
                    true
                }
                Notice::Closed(closed) => {
                    posted.hides_error = false;
                    posted.closed = Some(closed.clone());
                    true
                }
                Notice::StateChanged { .. }
                | Notice::Dialing { .. }
                | Notice::Suspended { .. }
                | Notice::Pong { .. } => true,
                Notice::Message(_)
                | Notice::Duplicate { .. }
                | Notice::Flushed { .. }
                | Notice::Acknowledged { .. }
                | Notice::Undelivered { .. }
                | Notice::Writable
                | Notice::Dead { .. }
                | Notice::Warning(_) => false,
            };
        }
        if changed {
            Self::change(posted);
        }
    }

    /// Notes where the latest request goes.
    pub(crate) fn head_for(&self, target: Arc<str>) {
        let mut posted = self.lock();
        if posted.target.as_ref() != Some(&target) {
            posted.target = Some(target);
            Self::change(posted);
        }
    }

    /// Where the latest request goes, if there was one.
    pub(crate) fn target(&self) -> Option<Arc<str>> {
        self.lock().target.clone()
    }

    /// The end, if that was not noted.
    pub(crate) fn finish(&self, closed: &Closed) {
        let mut posted = self.lock();
        if posted.closed.is_none() {
            posted.closed = Some(closed.clone());
            Self::change(posted);
        }
    }

    /// Clears the messages away, and the last error.
    pub(crate) fn clear(&self) {
        let mut posted = self.lock();
        let gone = (posted.latest.take(), mem::take(&mut posted.history));
        posted.bytes = 0;
        posted.hides_error = true;
        Self::change(posted);
        drop(gone);
    }

    /// Has everybody who waits look: outside the lock.
    fn change(mut posted: MutexGuard<'_, Posted>) {
        posted.version += 1;
        let waiting = mem::take(&mut posted.waiting);
        drop(posted);
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// One more view. It has seen the present, or what another has seen.
    pub(crate) fn enter(&self, like: Option<&Viewer>) -> Viewer {
        let mut posted = self.lock();
        posted.viewers += 1;
        posted.last_viewer += 1;
        self.keeps_messages.store(true, Ordering::Relaxed);
        let seen = like.map_or(posted.version, |other| other.seen);
        Viewer { id: posted.last_viewer, seen }
    }

    /// One view less. What nobody keeps any more goes with the last one.
    pub(crate) fn leave(&self, viewer: &Viewer) {
        let mut posted = self.lock();
        let waiting = posted.waiting.iter().position(|(id, _)| *id == viewer.id);
        let waiting = waiting.map(|at| posted.waiting.remove(at));
        posted.viewers -= 1;
        let mut latest = None;
        if posted.viewers == 0 && self.most == 0 {
            self.keeps_messages.store(false, Ordering::Relaxed);
            latest = posted.latest.take();
        }
        drop(posted);
        // What ends with the last waker of a task may want the lock.
        drop((waiting, latest));
    }

    pub(crate) fn glance(&self) -> Glance {
        let posted = self.lock();
        Glance {
            target: posted.target.clone(),
            latest: posted.latest.clone(),
            hides_error: posted.hides_error,
            closed: posted.closed.clone(),
        }
    }

    pub(crate) fn history(&self) -> Vec<Stamped<Message>> {
        self.lock().history.iter().cloned().collect()
    }

    /// Whether something has changed that `viewer` has not seen; it has seen it then. `false` when
    /// nothing will change any more. Otherwise `waker` is called at the next change.
    pub(crate) fn poll_change(&self, viewer: &mut Viewer, waker: &Waker) -> Poll<bool> {
        let mut posted = self.lock();
        if mem::replace(&mut viewer.seen, posted.version) != posted.version {
            return Poll::Ready(true);
        }
        if posted.closed.is_some() {
            return Poll::Ready(false);
        }
        let waiting = posted.waiting.iter_mut().find(|(id, _)| *id == viewer.id);
        let replaced = match waiting {
            Some((_, waiting)) if waiting.will_wake(waker) => None,
            Some((_, waiting)) => Some(mem::replace(waiting, waker.clone())),
            None => {
                posted.waiting.push((viewer.id, waker.clone()));
                None
            }
        };
        drop(posted);
        drop(replaced);
        Poll::Pending
    }
}

impl Posted {
    fn keep(&mut self, message: Stamped<Message>, most: usize) {
        if most > 0 {
            self.bytes += message.value.payload.len();
            self.history.push_back(message.clone());
            while self.history.len() > most || self.bytes > MOST_BYTES {
                let Some(oldest) = self.history.pop_front() else { break };
                self.bytes -= oldest.value.payload.len();
            }
        }
        self.latest = Some(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counting::allocations;
    use crate::remains::remains;
    use perennial_core::{ClosedBy, Payload, Reason};

    fn message(payload: Payload) -> Notice {
        let transport = serde_json::from_str("1").expect("an id is a number");
        Notice::Message(Message { payload, id: None, transport })
    }

    fn note(board: &Board, text: &'static str) {
        board.note(Instant::from_nanos(7), &[message(Payload::from(text))]);
    }

    fn texts(board: &Board) -> Vec<String> {
        board.history().iter().map(|stamped| stamped.value.to_string()).collect()
    }

    fn closed() -> Closed {
        let reason = Reason::Application;
        Closed { by: ClosedBy::Application, code: 1000, clean: true, reason }
    }

    #[test]
    fn the_history_is_bounded_by_messages_and_by_bytes() {
        let board = Board::new(3);
        for text in ["a", "b", "c", "d"] {
            note(&board, text);
        }
        assert_eq!(texts(&board), ["b", "c", "d"]);
        let stamp = board.glance().latest.expect("the last one");
        assert_eq!((stamp.value.as_text(), stamp.at), (Some("d"), Duration::from_nanos(7)));
        assert!(stamp.time > SystemTime::UNIX_EPOCH);

        let half = || message(Payload::from(vec![0; MOST_BYTES / 2]));
        board.note(Instant::ZERO, &[half(), half()]);
        assert_eq!(board.history().len(), 2, "as many bytes as it may hold");
        note(&board, "e");
        assert_eq!(board.history().len(), 2);
        board.note(Instant::ZERO, &[message(Payload::from(vec![0; MOST_BYTES + 1]))]);
        assert!(board.history().is_empty(), "one that is too large");
        assert!(board.glance().latest.is_some());
        note(&board, "f");
        assert_eq!(texts(&board), ["f"]);
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let board = Board::new(0);
        let notices = [message(Payload::from("a"))];
        assert_eq!(allocations(|| board.note(Instant::ZERO, &notices)), 0);
        assert!(!board.keeps_messages());
        assert!(board.glance().latest.is_none());
        let first = board.enter(None);
        let second = board.enter(Some(&first));
        note(&board, "b");
        board.leave(&first);
        assert!(board.glance().latest.is_some());
        assert!(board.history().is_empty());
        board.leave(&second);
        assert!(!board.keeps_messages());
        assert!(
            board.glance().latest.is_none(),
            "or it would be shown when it is no more the last"
        );
    }

    #[test]
    fn a_viewer_sees_the_latest_and_the_end() {
        let board = Board::new(0);
        let mut viewer = board.enter(None);
        let poll = |viewer: &mut Viewer| board.poll_change(viewer, Waker::noop());
        assert!(poll(&mut viewer).is_pending());
        note(&board, "a");
        note(&board, "b");
        let mut other = board.enter(Some(&viewer));
        let mut late = board.enter(None);
        for viewer in [&mut viewer, &mut other] {
            assert_eq!(poll(viewer), Poll::Ready(true));
            assert!(poll(viewer).is_pending());
        }
        assert!(poll(&mut late).is_pending(), "it has seen the present");
        board.note(Instant::ZERO, &[Notice::Closed(closed())]);
        board.finish(&closed());
        assert_eq!(poll(&mut viewer), Poll::Ready(true));
        assert_eq!(poll(&mut viewer), Poll::Ready(false));
        board.clear();
        assert_eq!(poll(&mut viewer), Poll::Ready(true), "clearing is a change even then");
        assert_eq!(poll(&mut viewer), Poll::Ready(false));
    }

    #[test]
    fn another_target_is_a_change_and_the_same_is_none() {
        let board = Board::new(0);
        let mut viewer = board.enter(None);
        let poll = |viewer: &mut Viewer| board.poll_change(viewer, Waker::noop());
        assert_eq!((board.target(), board.glance().target), (None, None));
        for target in ["ws://h:80/one", "ws://h:80/two"] {
            board.head_for(target.into());
            assert_eq!(poll(&mut viewer), Poll::Ready(true));
            board.head_for(target.into());
            assert!(poll(&mut viewer).is_pending());
            board.clear();
            assert_eq!(poll(&mut viewer), Poll::Ready(true));
            assert_eq!(board.target().as_deref(), Some(target), "it is nothing to be cleared away");
            assert_eq!(board.glance().target, board.target());
        }
    }

    #[test]
    fn a_change_wakes_everybody_who_waits_and_nobody_who_has_left() {
        let board = Board::new(0);
        let signals: Vec<_> = (0..3).map(|_| crate::engine::signal::Signal::new()).collect();
        let mut viewers: Vec<_> = signals.iter().map(|_| board.enter(None)).collect();
        for (viewer, (_, waker)) in viewers.iter_mut().zip(&signals) {
            // Twice, as a task that is polled for another reason does.
            assert!(board.poll_change(viewer, waker).is_pending());
            assert!(board.poll_change(viewer, waker).is_pending());
        }
        board.leave(&viewers[0]);
        assert_eq!(board.lock().waiting.len(), 2);
        board.finish(&closed());
        let woken: Vec<_> = signals
            .iter()
            .map(|(signal, _)| signal.wait(Some(std::time::Instant::now())))
            .collect();
        assert_eq!(woken, [false, true, true]);
    }

    #[test]
    fn a_waker_that_is_needed_no_longer_ends_when_the_lock_is_free() {
        let board = Arc::new(Board::new(0));
        let remains = || {
            let board = Arc::clone(&board);
            remains(move || board.posted.try_lock().is_ok())
        };
        let mut viewer = board.enter(None);
        let ((first, first_end), (second, second_end)) = (remains(), remains());
        assert!(board.poll_change(&mut viewer, &first).is_pending());
        drop(first);
        // Another task waits in its place.
        assert!(board.poll_change(&mut viewer, &second).is_pending());
        drop(second);
        assert!(first_end.found_it_free());
        board.leave(&viewer);
        assert!(second_end.found_it_free());
    }
}
