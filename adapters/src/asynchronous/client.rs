//! The receiving half.

use std::future::poll_fn;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use perennial_core::{Message, Notice, Outgoing};

use super::handle::{Handle, Sending};
use crate::builder::Builder;
use crate::engine::{Batch, Found};
use crate::into_request::IntoRequest;

/// A connection that a [`Driver`](super::Driver) drives.
///
/// Every method of [`Handle`] and of [`Control`](crate::Control) is its method too. It is a `Stream`
/// of [`Notice`] and a `Sink` of [`Outgoing`].
///
/// What is received is fetched with [`recv`](Self::recv) and its like; while nobody does, at most
/// the config's `inbox.max_messages` and `inbox.max_bytes` are held and then reading stops. Of the
/// notices about the state the last 1024 are held; see [`coalesced`](Self::coalesced).
///
/// Dropping it drops what was not fetched. The connection goes on for as long as there is a handle,
/// and is closed with code 1000 with the last of them.
#[derive(Debug)]
pub struct Client {
    pub(super) handle: Handle,
    batch: Batch,
}

impl Client {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle, batch: Batch::default() }
    }

    /// A client to be, for a URL or a whole request.
    pub fn builder(request: impl IntoRequest) -> Builder {
        Builder::new(request)
    }

    /// Another handle to this connection.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The next notice; waits for it. `None` after [`Notice::Closed`] was fetched. Cancel-safe:
    /// what was not returned stays.
    pub async fn recv(&mut self) -> Option<Notice> {
        self.recv_stamped().await.map(|(_, notice)| notice)
    }

    /// The next notice, and when it came, since the start; waits for it. Cancel-safe.
    pub async fn recv_stamped(&mut self) -> Option<(Duration, Notice)> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next notice, if there is one already.
    pub fn try_recv(&mut self) -> Option<Notice> {
        self.try_recv_stamped().map(|(_, notice)| notice)
    }

    /// The next notice and when it came, since the start, if there is one already.
    pub fn try_recv_stamped(&mut self) -> Option<(Duration, Notice)> {
        self.handle.shared().try_next(&mut self.batch)
    }

    /// The messages as they come; ends when the connection is closed. Other notices are passed over.
    pub fn messages(&mut self) -> Messages<'_> {
        Messages(self)
    }

    /// As [`Handle::send`].
    pub fn send(&self, message: impl Into<Outgoing>) -> Sending<'_> {
        self.handle.send(message)
    }

    /// As [`Handle::close`].
    pub fn close(&self) {
        self.handle.close();
    }

    /// How many notices about the state were not fetched in time and made room for later ones.
    #[must_use]
    pub fn coalesced(&self) -> u64 {
        self.handle.shared().inbox.coalesced()
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Duration, Notice)>> {
        loop {
            if let Some(next) = self.batch.next() {
                return Poll::Ready(Some(next));
            }
            let shared = self.handle.shared();
            let fetched = std::task::ready!(shared.inbox.poll_fetch(&mut self.batch, cx));
            if shared.account(fetched) == Found::Ended {
                return Poll::Ready(None);
            }
        }
    }
}

impl Deref for Client {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.handle.shared().inbox.abandon();
        self.handle.shared().resume();
    }
}

impl Stream for Client {
    type Item = Notice;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Notice>> {
        let next = self.get_mut().poll_recv(cx);
        next.map(|next| next.map(|(_, notice)| notice))
    }
}

/// The messages of a connection: see [`Client::messages`].
#[derive(Debug)]
pub struct Messages<'a>(&'a mut Client);

impl Stream for Messages<'_> {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        let client = &mut self.get_mut().0;
        loop {
            match std::task::ready!(client.poll_recv(cx)) {
                Some((_, Notice::Message(message))) => return Poll::Ready(Some(message)),
                Some(_) => {}
                None => return Poll::Ready(None),
            }
        }
    }
}
