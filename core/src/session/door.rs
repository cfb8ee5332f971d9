//! The way to a connection, for what stands between it and a driver.

use crate::action::Action;
use crate::connection::Connection;
use crate::dialect::Dialect;
use crate::error::{Accepted, Rejected};
use crate::event::Event;
use crate::time::Instant;

/// A connection, or something that stands before one, such as a
/// [`Recorder`](crate::trace::Recorder) with the connection that it records.
pub trait Door {
    /// The connection's dialect.
    type Dialect: Dialect;

    /// The connection, to be looked at.
    fn connection(&self) -> &Connection<Self::Dialect>;

    /// As [`Connection::handle`].
    ///
    /// # Errors
    /// As there.
    fn handle(&mut self, now: Instant, event: Event) -> Result<Accepted, Rejected>;

    /// As [`Connection::poll`].
    fn poll(&mut self) -> Action;
}

impl<D: Dialect> Door for Connection<D> {
    type Dialect = D;

    fn connection(&self) -> &Connection<D> {
        self
    }

    fn handle(&mut self, now: Instant, event: Event) -> Result<Accepted, Rejected> {
        Connection::handle(self, now, event)
    }

    fn poll(&mut self) -> Action {
        Connection::poll(self)
    }
}
