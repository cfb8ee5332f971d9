//! What an adapter brings: sockets that never block, and how to connect one.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

/// What is known of a socket after a read that did not fill its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterShortRead {
    /// There is no more, and what comes next wakes the driver.
    #[cfg_attr(
        not(feature = "blocking"),
        allow(dead_code, reason = "only the blocking driver's poller tells")
    )]
    Empty,
    /// There is hardly more, but nothing wakes the driver before a read has failed with
    /// [`io::ErrorKind::WouldBlock`]. It may come after everything else there is to do.
    #[cfg_attr(not(feature = "async"), allow(dead_code, reason = "only an async stream has it so"))]
    LikelyEmpty,
    /// Nothing: a read tells.
    Unknown,
}

/// A connected socket. Reading and writing never wait: where they would have to they fail with
/// [`io::ErrorKind::WouldBlock`], and the driver is woken when they need not.
pub(crate) trait Socket: Read + Write {
    /// What is known after a read that did not fill its buffer.
    fn after_short_read(&self) -> AfterShortRead;

    /// Has the next read ask the operating system, whatever was told before.
    fn look(&mut self);
}

/// The way to the peers.
pub(crate) trait Network {
    /// A connected socket.
    type Socket: Socket + Send + 'static;
    /// A connect in progress. Dropping it ends it.
    type Attempt;

    /// Begins to connect to `address`.
    fn connect(&mut self, address: SocketAddr) -> io::Result<Self::Attempt>;

    /// Looks at a connect. `None` while it is in progress.
    fn advance(&mut self, attempt: &mut Self::Attempt) -> Option<io::Result<Self::Socket>>;
}
