//! What an application may do with a transport that has just opened, before anything else is sent on
//! it; and what it may do with the queue before that flows.

use std::fmt;

use perennial_core::session::Verdict;
use perennial_core::{Class, Message, Outgoing, Payload, Seq, TransportId};

use crate::request::HookError;

/// Looks at what is received while a login goes on.
pub(crate) type Expectation = Box<dyn FnMut(&Message) -> Result<Reply, HookError> + Send>;

/// The most messages that an open hook may send.
const MOST_MESSAGES: usize = 64;

/// A transport that has just opened, in the hands of the open hook: see
/// [`Builder::on_open`](crate::Builder::on_open).
pub struct Opening {
    transport: TransportId,
    pub(crate) messages: Vec<Outgoing>,
    pub(crate) expectation: Option<Expectation>,
}

/// What a message that came during a login is to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing: it is the application's, like any other.
    Other,
    /// A part of the login, which goes on.
    More,
    /// The end of the login, which has succeeded.
    Done,
}

impl Opening {
    pub(crate) fn new(transport: TransportId) -> Self {
        Self { transport, messages: Vec::new(), expectation: None }
    }

    /// The transport that has opened.
    #[must_use]
    pub fn transport(&self) -> TransportId {
        self.transport
    }

    /// Sends a message before everything else, on this transport or never: its class does not
    /// matter. Messages go out in the order of these calls, after the hook has returned. One that
    /// the dialect or the outbox cannot take fails the transport.
    ///
    /// # Errors
    /// [`HookError::Stop`] for more than 64 messages.
    pub fn send(&mut self, message: impl Into<Outgoing>) -> Result<(), HookError> {
        if self.messages.len() >= MOST_MESSAGES {
            let detail = format!("the open hook may send {MOST_MESSAGES} messages");
            return Err(HookError::Stop(detail));
        }
        self.messages.push(message.into());
        Ok(())
    }

    /// Has everything else wait until `look` has seen the message that ends the login, at most for the
    /// config's `opening.timeout`. It is called with each message received meanwhile, and says what
    /// that is, or fails the transport. It must not block.
    pub fn expect(
        &mut self,
        look: impl FnMut(&Message) -> Result<Reply, HookError> + Send + 'static,
    ) {
        self.expectation = Some(Box::new(look));
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("transport", &self.transport)
            .field("messages", &self.messages.len())
            .field("expects", &self.expectation.is_some())
            .finish()
    }
}

/// A message that waits to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// Its name.
    pub seq: Seq,
    /// Its id on the wire, where the dialect gave it one.
    pub id: Option<u64>,
    /// What will be sent.
    pub payload: Payload,
    /// Its delivery class.
    pub class: Class,
}

/// What waits to be sent on a transport that has just opened, in the hands of the queue hook: see
/// [`Builder::on_queue`](crate::Builder::on_queue).
#[derive(Debug)]
pub struct Queue {
    transport: TransportId,
    messages: Vec<Waiting>,
    pub(crate) dropped: Vec<Seq>,
    pub(crate) first: Vec<Seq>,
}

impl Queue {
    pub(crate) fn new(transport: TransportId, messages: Vec<Waiting>) -> Self {
        Self { transport, messages, dropped: Vec::new(), first: Vec::new() }
    }

    /// The transport that has opened.
    #[must_use]
    pub fn transport(&self) -> TransportId {
        self.transport
    }

    /// What waits, in the order in which it would go out. Messages that were sent before and go out
    /// again are not among it.
    #[must_use]
    pub fn messages(&self) -> &[Waiting] {
        &self.messages
    }

    /// Takes a message back: it ends as cancelled.
    pub fn drop(&mut self, message: Seq) {
        self.dropped.push(message);
    }

    /// Sends these first, in this order; the others follow as they stand. The last call counts.
    pub fn first(&mut self, messages: impl IntoIterator<Item = Seq>) {
        self.first = messages.into_iter().collect();
    }
}

/// What a hook's error means for a login.
pub(crate) fn verdict(error: HookError) -> Verdict {
    match error {
        HookError::Retry(detail) => Verdict::Failed { detail: detail.into() },
        HookError::Stop(detail) => Verdict::Refused { detail: detail.into() },
    }
}
