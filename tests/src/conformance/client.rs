//! The connection under test, as a script sees it: what it tells is noted.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use perennial_core::{
    Closed, ClosedBy, Message, Notice, Outgoing, Payload, Reason, Seq, State, Status,
};

use super::LONG;
use super::adapter::{Received, Refused, Session, Waited};
use super::transcript::{Lane, Story, Transcript, lane};

/// A connection whose notices are noted. Every wait is bounded by [`LONG`].
pub(super) struct Client {
    session: Option<Box<dyn Session>>,
    transcript: Arc<Mutex<Transcript>>,
    place: usize,
    story: Story,
    accepted: BTreeSet<Seq>,
    ended: BTreeSet<Seq>,
    /// Notices that are in no lane.
    pub(super) pongs: usize,
    pub(super) writables: usize,
    is_over: bool,
    messages_are_luck: bool,
}

impl Client {
    pub(super) fn new(session: Box<dyn Session>, transcript: &Arc<Mutex<Transcript>>) -> Self {
        let mut stories = transcript.lock().unwrap_or_else(PoisonError::into_inner);
        stories.0.push(Story::default());
        Self {
            session: Some(session),
            transcript: Arc::clone(transcript),
            place: stories.0.len() - 1,
            story: Story { told: Vec::new(), sent: Some(Vec::new()) },
            accepted: BTreeSet::new(),
            ended: BTreeSet::new(),
            pongs: 0,
            writables: 0,
            is_over: false,
            messages_are_luck: false,
        }
    }

    pub(super) fn session(&self) -> &dyn Session {
        self.session.as_deref().expect("it is there until the drop")
    }

    /// What becomes of each message depends on how much a kernel takes: it is not compared.
    pub(super) fn sent_is_luck(&mut self) {
        self.story.sent = None;
    }

    /// How many messages were received depends on when reading stopped: they are not compared.
    pub(super) fn messages_are_luck(&mut self) {
        self.messages_are_luck = true;
        self.story.told.retain(|line| !line.text(false).starts_with("message"));
    }

    /// The next notice within `limit`; `None` if none came.
    pub(super) fn try_next(&mut self, limit: Duration) -> Option<Notice> {
        let session = self.session.as_mut().expect("it is there until the drop");
        match session.recv(limit) {
            Received::Notice(notice) => {
                self.note(&notice);
                Some(notice)
            }
            Received::Ended => panic!("the notices ended without a last one"),
            Received::TimedOut => None,
        }
    }

    fn note(&mut self, notice: &Notice) {
        assert!(!self.is_over, "{notice:?} came after the end");
        match lane(notice) {
            Lane::Told(_) if self.messages_are_luck && matches!(notice, Notice::Message(_)) => {}
            Lane::Told(line) => self.story.told.push(line),
            Lane::Sent(line) => {
                if let Some(sent) = &mut self.story.sent {
                    sent.push(line);
                }
            }
            Lane::Neither => {}
        }
        match notice {
            Notice::Flushed { seq, .. }
            | Notice::Acknowledged { seq, .. }
            | Notice::Undelivered { seq, .. } => {
                assert!(self.ended.insert(*seq), "message {seq} came to a second end");
            }
            Notice::Pong { .. } => self.pongs += 1,
            Notice::Writable => self.writables += 1,
            Notice::Closed(_) => self.is_over = true,
            Notice::StateChanged { .. }
            | Notice::Dialing { .. }
            | Notice::Retrying { .. }
            | Notice::Suspended { .. }
            | Notice::Message(_)
            | Notice::Duplicate { .. }
            | Notice::Dead { .. }
            | Notice::Warning(_) => {}
        }
    }

    /// The first notice that `pick` wants; others are passed over.
    pub(super) fn until<T>(&mut self, what: &str, mut pick: impl FnMut(&Notice) -> Option<T>) -> T {
        let end = Instant::now() + LONG;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Some(notice) = self.try_next(left) else {
                panic!("in vain waited for {what}; told so far:\n{}", self.so_far());
            };
            if let Some(found) = pick(&notice) {
                return found;
            }
            if let Notice::Closed(closed) = &notice {
                panic!("waited for {what}, and it closed: {closed:?}");
            }
        }
    }

    fn so_far(&self) -> Transcript {
        Transcript(vec![self.story.clone()])
    }

    /// Waits until it is open, anew if it was before.
    pub(super) fn opens(&mut self) {
        self.becomes(State::Open);
    }

    /// Waits for a change to this state.
    pub(super) fn becomes(&mut self, wanted: State) {
        self.until(wanted.as_str(), |notice| match notice {
            Notice::StateChanged { to, .. } if *to == wanted => Some(()),
            _ => None,
        });
    }

    /// The next message.
    pub(super) fn message(&mut self) -> Payload {
        self.until("a message", |notice| match notice {
            Notice::Message(Message { payload, .. }) => Some(payload.clone()),
            _ => None,
        })
    }

    /// The next message is this text.
    pub(super) fn hears(&mut self, text: &str) {
        assert_eq!(self.message().as_text(), Some(text));
    }

    /// The next message is these bytes.
    pub(super) fn hears_bytes(&mut self, bytes: &[u8]) {
        match self.message() {
            Payload::Binary(got) => assert!(got == bytes, "{} bytes, but others", got.len()),
            Payload::Text(text) => panic!("text: {text}"),
        }
    }

    /// The next retry: after how long, and what failed.
    pub(super) fn retries(&mut self) -> (Duration, Reason) {
        self.until("a retry", |notice| match notice {
            Notice::Retrying { delay, reason, .. } => Some((*delay, reason.clone())),
            _ => None,
        })
    }

    /// Waits for the end, and checks that it is one.
    pub(super) fn closed(&mut self) -> Closed {
        let closed = self.until("the end", |notice| match notice {
            Notice::Closed(closed) => Some(closed.clone()),
            _ => None,
        });
        let session = self.session.as_mut().expect("it is there until the drop");
        match session.recv(LONG) {
            Received::Ended => {}
            other => panic!("{other:?} came after the end"),
        }
        let status = session.status();
        assert_eq!(status.state, State::Closed);
        assert_eq!(self.accepted, self.ended, "messages that were accepted, and that ended");
        assert_eq!((status.queued, status.in_flight, status.outbox_bytes), (0, 0, 0));
        closed
    }

    /// Waits for the end, which the application asked for.
    pub(super) fn closed_as_asked(&mut self) -> Closed {
        let closed = self.closed();
        assert_eq!(closed.by, ClosedBy::Application, "{closed:?}");
        closed
    }

    /// Sends what must be accepted.
    pub(super) fn send(&mut self, message: impl Into<Outgoing>) -> Seq {
        self.try_send(message).expect("there is room")
    }

    pub(super) fn try_send(&mut self, message: impl Into<Outgoing>) -> Result<Seq, Refused> {
        let seq = self.session().send(message.into())?;
        self.accepts(seq);
        Ok(seq)
    }

    fn accepts(&mut self, seq: Seq) {
        assert!(self.accepted.insert(seq), "a second message {seq}");
    }

    /// Notes what became of a message that waited.
    pub(super) fn waited(&mut self, waited: &Waited) {
        if let Waited::Accepted(seq) = waited {
            self.accepts(*seq);
        }
    }

    pub(super) fn close(&self) {
        self.session().close(1000, "").expect("the code is a valid one");
    }

    pub(super) fn status(&self) -> Status {
        self.session().status()
    }

    /// Waits until the status is as wanted.
    pub(super) fn status_is(&self, what: &str, wanted: impl Fn(&Status) -> bool) {
        eventually(what, || wanted(&self.status()));
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if !self.is_over {
            // What became of messages was noted as far as it had come.
            self.story.sent = None;
        }
        let mut stories = self.transcript.lock().unwrap_or_else(PoisonError::into_inner);
        stories.0[self.place] = std::mem::take(&mut self.story);
        drop(stories);
        self.session = None;
    }
}

/// Waits until `condition` holds.
pub(super) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < end, "in vain waited for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
