//! The async client on `async-std`.
//!
//! The authors of `async-std` have deprecated it in favour of `smol`, and it is no longer developed.
//! It is supported for the programs that are built on it; a new one does better with
//! `perennial::smol`, which takes the same code.
//!
//! ```no_run
//! # async_std::task::block_on(async {
//! let mut client = perennial::async_std::spawn(perennial::Builder::new("ws://127.0.0.1:9001/"))?;
//! client.send("hello").await?;
//! while let Some(notice) = client.recv().await {
//!     println!("{notice:?}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # });
//! ```

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use ::async_std::net::TcpStream;
use ::async_std::task;

use crate::asynchronous::{Client, Driver, Runtime};
use crate::builder::Builder;
use crate::error::Error;
use crate::into_request::IntoRequest;

/// The runtime: `async-std`'s reactor, which runs wherever it is used.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

impl Runtime for AsyncStd {
    type Io = TcpStream;

    fn open(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<TcpStream>> + Send + 'static + use<> {
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        }
    }

    #[cfg(unix)]
    fn is_readable(&self, io: &TcpStream) -> Option<bool> {
        Some(crate::asynchronous::readable::is_readable(io))
    }

    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + Send + 'static + use<> {
        async move {
            task::sleep(at.saturating_duration_since(Instant::now())).await;
        }
    }
}

/// Connects with every default: a client, and the future that drives it.
///
/// # Errors
/// As for [`Builder::connect_on`].
pub fn connect(request: impl IntoRequest) -> Result<(Client, Driver<AsyncStd>), Error> {
    Builder::new(request).connect_on(AsyncStd)
}

/// Connects, and drives the connection on `async-std`'s global executor.
///
/// # Errors
/// As for [`Builder::connect_on`].
pub fn spawn(builder: Builder) -> Result<Client, Error> {
    let (client, driver) = builder.connect_on(AsyncStd)?;
    task::spawn(driver);
    Ok(client)
}
