//! One face for every driver: behind it the blocking client, or the async one on a thread of its
//! own.

use std::io;
use std::ops::Deref;
use std::thread;
use std::time::Duration;

use futures_lite::future::{block_on, or};
use perennial::asynchronous;
use perennial::blocking;
use perennial::core::Seq;
use perennial::{Builder, Closed, Control, Error, NotOpen, Notice, SendError};

use crate::args::AdapterName;

/// A connection and its driver.
pub(crate) enum Client {
    Blocking(blocking::Client),
    Async(asynchronous::Client),
}

/// Sends and commands.
#[derive(Clone)]
pub(crate) enum Handle {
    Blocking(blocking::Handle),
    Async(asynchronous::Handle),
}

/// Connects, and has the driver run beside.
pub(crate) fn connect(adapter: AdapterName, builder: Builder) -> Result<Client, Error> {
    match adapter {
        AdapterName::Blocking => builder.connect().map(Client::Blocking),
        // These two have a thread for their reactor. An executor would have the driver's thread take
        // its turns at that as well, and wake up for it.
        AdapterName::Smol => {
            let (client, driver) = builder.connect_on(perennial::smol::Smol)?;
            drive(client, move || block_on(driver))
        }
        AdapterName::AsyncStd => {
            let (client, driver) = builder.connect_on(perennial::async_std::AsyncStd)?;
            drive(client, move || block_on(driver))
        }
        AdapterName::Tokio => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|source| Error::Io { what: "start tokio", source })?;
            let (client, driver) = builder.connect_on(perennial::tokio::Tokio)?;
            drive(client, move || runtime.block_on(driver))
        }
    }
}

fn drive(
    client: asynchronous::Client,
    run: impl FnOnce() -> Closed + Send + 'static,
) -> Result<Client, Error> {
    let spawned: io::Result<_> = thread::Builder::new().name("perennial".to_owned()).spawn(run);
    spawned.map_err(|source| Error::Io { what: "start a thread", source })?;
    Ok(Client::Async(client))
}

impl Client {
    pub(crate) fn handle(&self) -> Handle {
        match self {
            Client::Blocking(client) => Handle::Blocking(client.handle()),
            Client::Async(client) => Handle::Async(client.handle()),
        }
    }

    /// The next notice and when it came; waits for it. `None` after the last.
    pub(crate) fn recv_stamped(&mut self) -> Option<(Duration, Notice)> {
        match self {
            Client::Blocking(client) => client.recv_stamped(),
            Client::Async(client) => block_on(client.recv_stamped()),
        }
    }

    /// The next notice and when it came, if there is one already.
    pub(crate) fn try_recv_stamped(&mut self) -> Option<(Duration, Notice)> {
        match self {
            Client::Blocking(client) => client.try_recv_stamped(),
            Client::Async(client) => client.try_recv_stamped(),
        }
    }
}

impl Handle {
    /// Sends, and waits for room for as long as it takes, whatever the config says.
    pub(crate) fn send_patiently(&self, line: String) -> Result<Seq, SendError> {
        match self {
            Handle::Blocking(handle) => handle.send_timeout(line, Duration::MAX),
            Handle::Async(handle) => block_on(handle.send_when_ready(line)),
        }
    }

    /// Waits until the connection is open, at most so long.
    pub(crate) fn wait_open(&self, timeout: Duration) -> Result<(), NotOpen> {
        match self {
            Handle::Blocking(handle) => handle.wait_open(timeout),
            Handle::Async(handle) => block_on(or(handle.wait_open(), late(timeout))),
        }
    }
}

// The reactor of `smol` has a thread of its own, and so serves every runtime.
async fn late(timeout: Duration) -> Result<(), NotOpen> {
    smol::Timer::after(timeout).await;
    Err(NotOpen::Timeout)
}

impl Deref for Handle {
    type Target = Control;

    fn deref(&self) -> &Control {
        match self {
            Handle::Blocking(handle) => handle,
            Handle::Async(handle) => handle,
        }
    }
}
