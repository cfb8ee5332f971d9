//! The async client on `smol`.
//!
//! ```no_run
//! # smol::block_on(async {
//! let mut client = perennial::smol::spawn(perennial::Builder::new("ws://127.0.0.1:9001/"))?;
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

use ::smol::Timer;
use ::smol::net::TcpStream;

use crate::asynchronous::{Client, Driver, Runtime};
use crate::builder::Builder;
use crate::error::Error;
use crate::into_request::IntoRequest;

/// The runtime: `smol`'s reactor, which runs wherever it is used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

impl Runtime for Smol {
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
            Timer::at(at).await;
        }
    }
}

/// Connects with every default: a client, and the future that drives it.
///
/// # Errors
/// As for [`Builder::connect_on`].
pub fn connect(request: impl IntoRequest) -> Result<(Client, Driver<Smol>), Error> {
    Builder::new(request).connect_on(Smol)
}

/// Connects, and drives the connection on `smol`'s global executor.
///
/// # Errors
/// As for [`Builder::connect_on`].
pub fn spawn(builder: Builder) -> Result<Client, Error> {
    let (client, driver) = builder.connect_on(Smol)?;
    ::smol::spawn(driver).detach();
    Ok(client)
}
