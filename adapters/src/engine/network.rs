//! What an adapter brings: sockets that never block, and how to connect one.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

/// A connected socket. Reading and writing never wait: where they would have to they fail with
/// [`io::ErrorKind::WouldBlock`], and the driver is woken when they need not.
pub(crate) trait Socket: Read + Write {
    /// Whether what comes after a read that did not fill its buffer wakes the driver, although
    /// reading did not fail with [`io::ErrorKind::WouldBlock`].
    fn tells_after_short_read(&self) -> bool;

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
