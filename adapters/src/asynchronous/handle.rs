//! The sending half, and every command.

use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use perennial_core::{Closed, Outgoing, Seq, State};

use super::waiting::{Waiting, poll_seldom};
use crate::engine::Control;
use crate::error::{NotOpen, Refusal, SendError};

/// Sends and commands. Cheap to clone, and to be used from any task.
///
/// Every method of [`Control`] is its method too. It is a `Sink` of [`Outgoing`] as well.
///
/// When the client and all its handles are dropped the connection is closed with code 1000. What is
/// still queued then is lost: [`drain`](Control::drain) before.
#[derive(Debug)]
pub struct Handle {
    presence: Arc<Presence>,
    /// What the sink has taken and could not pass on yet.
    pub(super) slot: Option<Outgoing>,
    pub(super) waiting: Option<Waiting>,
    /// Whether the sink drains.
    pub(super) draining: bool,
}

/// Closes when the last one who could use the connection is gone.
#[derive(Debug)]
struct Presence(Control);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Another handle, to the same connection. What a sink has taken stays with that sink.
impl Clone for Handle {
    fn clone(&self) -> Self {
        Self { presence: Arc::clone(&self.presence), slot: None, waiting: None, draining: false }
    }
}

impl Deref for Handle {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.presence.0
    }
}

impl Handle {
    pub(super) fn new(control: Control) -> Self {
        Self { presence: Arc::new(Presence(control)), slot: None, waiting: None, draining: false }
    }

    /// Sends a message: accepted, it will end in exactly one of the outcomes that
    /// [`Counters`](crate::Counters) counts. It does not wait for the network.
    ///
    /// Waits for room if the config's `outbox.overflow` is `wait`. With reports on, somebody must
    /// fetch them meanwhile.
    ///
    /// Cancel-safe: dropped before its end, the message was not accepted.
    ///
    /// # Errors
    /// [`SendError`] gives the message back.
    pub fn send(&self, message: impl Into<Outgoing>) -> Sending<'_> {
        let waits = self.waits();
        Sending { control: self, message: Some(message.into()), waits, waiting: None }
    }

    /// As [`send`](Self::send), but waits for room whatever the config says. Cancel-safe.
    ///
    /// # Errors
    /// [`SendError`] gives the message back.
    pub fn send_when_ready(&self, message: impl Into<Outgoing>) -> Sending<'_> {
        Sending { control: self, message: Some(message.into()), waits: true, waiting: None }
    }

    /// Closes with code 1000. What was not handed to a transport is dropped: see
    /// [`drain`](Control::drain). Returns at once; [`wait_closed`](Self::wait_closed) waits.
    pub fn close(&self) {
        // Said here too, or a sink's `close` would come before the one of `Control`.
        Control::close(self);
    }

    /// Waits until the connection is open. Cancel-safe.
    ///
    /// # Errors
    /// [`NotOpen::Closed`] when it is closed; never [`NotOpen::Timeout`].
    pub async fn wait_open(&self) -> Result<(), NotOpen> {
        let mut waiting = Waiting::new(self.shared());
        poll_fn(|cx| {
            waiting.poll(cx, |core| match &core.closed {
                _ if core.connection.state() == State::Open => Some(Ok(())),
                Some(closed) => Some(Err(NotOpen::Closed(Box::new(closed.clone())))),
                None => None,
            })
        })
        .await
    }

    /// Waits for the end. It does not itself close. Cancel-safe.
    pub async fn wait_closed(&self) -> Closed {
        let mut waiting = Waiting::new(self.shared());
        poll_fn(|cx| waiting.poll(cx, |core| core.closed.clone())).await
    }

    /// The states from now on, the present one first. Who is slow to look sees the latest, not each;
    /// [`State::Closed`] is the last.
    #[must_use]
    pub fn state_changes(&self) -> StateChanges {
        StateChanges { waiting: Waiting::new(self.shared()), last: None }
    }
}

/// A message on its way into the outbox: see [`Handle::send`].
#[must_use = "nothing is sent before it is awaited"]
pub struct Sending<'a> {
    control: &'a Control,
    message: Option<Outgoing>,
    waits: bool,
    waiting: Option<Waiting>,
}

impl Future for Sending<'_> {
    type Output = Result<Seq, SendError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(message) = this.message.take() else { return Poll::Pending };
        if !this.waits {
            return Poll::Ready(this.control.try_send(message));
        }
        poll_seldom(&mut this.waiting, this.control.shared(), cx, |core| {
            match this.control.offer(core, message) {
                // Nobody is told of room ahead.
                Err(SendError { message, refusal: Refusal::Full }) if !message.ahead => {
                    this.message = Some(message);
                    None
                }
                result => Some(result),
            }
        })
    }
}

impl fmt::Debug for Sending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("message", &self.message).finish_non_exhaustive()
    }
}

/// The states of a connection: see [`Handle::state_changes`]. It does not keep the connection open.
#[derive(Debug)]
pub struct StateChanges {
    waiting: Waiting,
    last: Option<State>,
}

impl Stream for StateChanges {
    type Item = State;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<State>> {
        let this = self.get_mut();
        let last = this.last;
        if last == Some(State::Closed) {
            return Poll::Ready(None);
        }
        let state = this.waiting.poll(cx, |core| {
            // A driver that did not get to its end leaves the state as it was.
            let state = if core.closed.is_some() { State::Closed } else { core.connection.state() };
            (last != Some(state)).then_some(state)
        });
        state.map(|state| {
            this.last = Some(state);
            Some(state)
        })
    }
}
