//! The handles as sinks.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;
use perennial_core::Outgoing;

use super::client::Client;
use super::handle::Handle;
use super::waiting::Waiting;
use crate::error::{Refusal, SendError};

/// Ready when what was taken before was accepted; that waits for room, whatever the config's
/// `outbox.overflow`. Flushed means accepted, not written. Closing drains, and waits for the end.
impl Sink<Outgoing> for Handle {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.get_mut().poll_slot(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Outgoing) -> Result<(), SendError> {
        let this = self.get_mut();
        if this.slot.is_some() {
            return Err(SendError { message, refusal: Refusal::Full });
        }
        match this.try_send(message) {
            Ok(_) => Ok(()),
            // Nobody is told of room ahead.
            Err(SendError { message, refusal: Refusal::Full }) if !message.ahead => {
                this.slot = Some(message);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.get_mut().poll_slot(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let this = self.get_mut();
        ready!(this.poll_slot(cx))?;
        if !std::mem::replace(&mut this.draining, true) {
            this.drain(None);
        }
        this.place().poll(cx, |core| core.closed.is_some().then_some(Ok(())))
    }
}

impl Handle {
    /// Passes on what the sink has taken.
    fn poll_slot(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let Some(message) = self.slot.take() else { return Poll::Ready(Ok(())) };
        let control = (**self).clone();
        let mut refused = None;
        let outcome = self.place().poll(cx, |core| match control.offer(core, message) {
            Err(SendError { message, refusal: Refusal::Full }) if !message.ahead => {
                refused = Some(message);
                None
            }
            result => Some(result.map(|_| ())),
        });
        self.slot = refused;
        outcome
    }

    fn place(&mut self) -> &mut Waiting {
        let shared = (**self).shared().clone();
        self.waiting.get_or_insert_with(|| Waiting::new(&shared))
    }
}

/// As its handle.
impl Sink<Outgoing> for Client {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Pin::new(&mut self.get_mut().handle).poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Outgoing) -> Result<(), SendError> {
        Pin::new(&mut self.get_mut().handle).start_send(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Pin::new(&mut self.get_mut().handle).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Pin::new(&mut self.get_mut().handle).poll_close(cx)
    }
}
