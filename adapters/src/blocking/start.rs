//! From a builder to a connection that a thread drives.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;

use perennial_core::{Closed, Duration, Notice};

use super::callback::ToCallback;
use super::client::Client;
use super::driver::{Call, Driver};
use super::handle::{Handle, Who};
use super::seat::Seat;
use crate::builder::Builder;
use crate::engine::{Parts, Sink, ToInbox};
use crate::error::{Error, NotOpen};

/// With the feature `blocking`.
impl Builder {
    /// Starts a thread that connects, and returns at once; with the config's `connect.fail_fast`,
    /// when the first attempt has succeeded.
    ///
    /// # Errors
    /// [`Error`] for what can never work, and [`Error::Closed`] for a first attempt that failed.
    pub fn connect(self) -> Result<Client, Error> {
        let fails_fast = self.fails_fast();
        let (parts, control) = self.prepare()?;
        let sink = ToInbox(Arc::clone(&parts.shared));
        let (driver, call) = driver(parts, sink)?;
        let seat = Arc::new(Seat::new(driver, call));
        let client = Client::new(Handle::new(control, Who::Seat(Arc::clone(&seat))));
        thread::Builder::new()
            .name("perennial".to_owned())
            .spawn(move || seat.run())
            .map_err(|source| Error::Io { what: "start a thread", source })?;
        if fails_fast && let Err(NotOpen::Closed(closed)) = client.wait_open(Duration::MAX) {
            return Err(Error::Closed(closed));
        }
        Ok(client)
    }

    /// Connects and drives the connection on this thread, until it is closed. `callback` is told
    /// every notice, save the messages that go to subscribers; it must not block, and
    /// [`ControlFlow::Break`] closes with code 1000 and tells it no more.
    ///
    /// # Errors
    /// [`Error`] for what can never work.
    pub fn run<F>(self, callback: F) -> Result<Closed, Error>
    where
        F: FnMut(&Handle, Notice) -> ControlFlow<()>,
    {
        let reports = self.wants_reports();
        let (parts, control) = self.prepare()?;
        let handle = Handle::new(control, Who::Thread(thread::current().id()));
        let (driver, call) = driver(parts, ToCallback::new(handle, callback, reports))?;
        Ok(driver.run(call))
    }
}

fn driver<S: Sink>(parts: Parts, sink: S) -> Result<(Driver<S>, Call), Error> {
    Driver::new(parts, sink).map_err(|source| Error::Io { what: "watch sockets", source })
}
