//! The async client on `tokio`.
//!
//! ```no_run
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! let mut client = perennial::tokio::spawn(perennial::Builder::new("ws://127.0.0.1:9001/"))?;
//! client.send("hello").await?;
//! while let Some(notice) = client.recv().await {
//!     println!("{notice:?}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Context;
use std::time::Instant;

use ::tokio::net::TcpStream;
use async_tungstenite::tokio::TokioAdapter;

use crate::asynchronous::{Client, Driver, Runtime};
use crate::builder::Builder;
use crate::error::Error;
use crate::into_request::IntoRequest;

/// The runtime: the one of `tokio` in whose context the driver is polled. Its I/O and time drivers must
/// be enabled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio;

impl Runtime for Tokio {
    type Io = TokioAdapter<TcpStream>;

    const KNOWS_WHEN_EMPTY: bool = true;

    fn open(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::Io>> + Send + 'static + use<> {
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(TokioAdapter::new(stream))
        }
    }

    fn yield_now(&self, cx: &mut Context<'_>) {
        // A task that wakes itself is polled 61 times before the sockets are looked at.
        let _ = pin!(::tokio::task::yield_now()).poll(cx);
    }

    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + Send + 'static + use<> {
        async move {
            ::tokio::time::sleep_until(at.into()).await;
        }
    }
}

/// Connects with every default: a client, and the future that drives it.
///
/// # Errors
/// As for [`Builder::connect_on`].
pub fn connect(request: impl IntoRequest) -> Result<(Client, Driver<Tokio>), Error> {
    Builder::new(request).connect_on(Tokio)
}

/// Connects, and drives the connection on the `tokio` runtime in whose context this is called.
///
/// # Panics
/// Outside such a context.
///
/// # Errors
/// As for [`Builder::connect_on`].
pub fn spawn(builder: Builder) -> Result<Client, Error> {
    let (client, driver) = builder.connect_on(Tokio)?;
    ::tokio::spawn(driver);
    Ok(client)
}
