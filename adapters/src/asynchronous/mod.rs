//! The async client, for any runtime.
//!
//! Connecting gives a [`Client`] and a [`Driver`], and starts nothing: the driver is a future that
//! your executor must poll, until it ends with how the connection was [closed](crate::Closed). The
//! modules `smol`, `async_std` and `tokio`, each with the feature of its name, bring the two things
//! that a driver needs of a [`Runtime`], and a `spawn` in one line. [`Driver::join`] drives the
//! connection in the task that uses it.
//!
//! # Cancellation
//!
//! Every future here can be dropped at any time, as `select!` does:
//!
//! * [`Client::recv`] and the streams lose nothing: a notice stays until it is returned.
//! * A dropped [`send`](Handle::send) has not accepted its message, which is dropped with it. One
//!   that has returned was accepted.
//! * What a sink's `start_send` took is offered by whatever is called next on that sink, and lost
//!   with the sink if nothing is.
//! * A dropped [`Driver`] drops the socket, and the connection is over: everybody who waits is told.

mod client;
mod dialer;
mod driver;
mod handle;
mod join;
#[cfg(all(unix, any(feature = "smol", feature = "async-std")))]
pub(crate) mod readable;
mod ready;
mod session;
mod sink;
mod waiting;
mod watch;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Context;
use std::time::Instant;

use futures_io::{AsyncRead, AsyncWrite};

use crate::builder::Builder;
use crate::engine::ToInbox;
use crate::error::Error;

pub use client::{Client, Messages};
pub use driver::Driver;
pub use handle::{Handle, Sending, StateChanges};
pub use join::Join;
pub use session::{Listener, Pending, Topic};

/// What a runtime brings: a way to connect, and a way to sleep.
///
/// Both futures are polled by the driver alone, on the task that polls the driver. Dropping one
/// ends what it does.
pub trait Runtime: Send + 'static {
    /// A byte stream. Where it has to wait it must have the task woken, and a write that was taken
    /// must reach the peer without a further call, save `poll_flush`.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Whether a stream that has just given less than it was asked for has itself asked no more of the
    /// operating system when it is read again, and says at once that it has to wait. Otherwise that
    /// read waits until the application has had its turn, for it is a system call that hardly ever
    /// finds anything. `false` by default, which is right for every stream.
    ///
    /// Where it is `true` and [`is_readable`](Self::is_readable) does not tell, an answer is
    /// [awaited awake](Builder::busy_poll) by way of [`yield_now`](Self::yield_now); where it is `false`,
    /// by reading.
    const KNOWS_WHEN_EMPTY: bool = false;

    /// Connects to `address`: the target's, or the proxy's on the way there. There is no need for a
    /// timeout; the driver has one. It should set `TCP_NODELAY`: frames are collected before they are
    /// written.
    fn open(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::Io>> + Send + 'static + use<Self>;

    /// Whether a read would not have to wait: for there is something to read, the end of the stream or an
    /// error, which stays there, by the operating system or in a buffer of the stream. Asked while an
    /// answer is [awaited awake](Builder::busy_poll), because it costs less than a read that has to wait
    /// and leave its waker. `None`, as by default, where that is not known.
    fn is_readable(&self, io: &Self::Io) -> Option<bool> {
        let _ = io;
        None
    }

    /// Has the task of `cx` polled again after the tasks that are ready have had their turns, and the
    /// runtime has looked at its streams if [`KNOWS_WHEN_EMPTY`](Self::KNOWS_WHEN_EMPTY) makes it wait for
    /// that. By default the task's waker is called.
    fn yield_now(&self, cx: &mut Context<'_>) {
        cx.waker().wake_by_ref();
    }

    /// Sleeps until `at`; a little longer does no harm.
    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + Send + 'static + use<Self>;
}

/// With any of the features `smol`, `async-std` and `tokio`, or `async` for a runtime of your own.
impl Builder {
    /// A client, and the future that connects it and drives it to its end. Nothing happens before
    /// that is polled.
    ///
    /// This does not wait for the first attempt, whatever the config's `connect.fail_fast`: see
    /// [`Handle::wait_open`].
    ///
    /// # Errors
    /// [`Error`] for what can never work. That the server cannot be reached is not an error: it is
    /// tried again.
    pub fn connect_on<R: Runtime>(self, runtime: R) -> Result<(Client, Driver<R>), Error> {
        let (parts, control) = self.prepare()?;
        let sink = ToInbox(Arc::clone(&parts.shared));
        let driver = Driver::new(parts, runtime, sink);
        Ok((Client::new(Handle::new(control)), driver))
    }
}
