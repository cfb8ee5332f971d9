//! The blocking client: one thread per connection, no runtime.
//!
//! ```no_run
//! let mut client = perennial::blocking::connect("ws://127.0.0.1:9001/")?;
//! client.send("hello")?;
//! for message in client.messages() {
//!     println!("{:?}", message.payload);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Whoever drives waits in the operating system's poller and nowhere else: an idle connection wakes
//! up at the state machine's deadlines only. That is a thread of the connection's own, or, while
//! messages come quickly, the caller that waits for them.

mod callback;
mod client;
mod connect;
mod driver;
mod handle;
mod pace;
mod seat;
mod session;
mod start;
mod watched;

pub use client::Client;
pub use handle::Handle;
pub use session::{Listener, Pending, Topic};

#[doc(inline)]
pub use crate::builder::{Builder, RetryContext};
use crate::error::Error;
use crate::into_request::IntoRequest;

/// Connects with every default.
///
/// # Errors
/// [`Error`] for what can never work. That the server cannot be reached is not an error: it is
/// tried again.
pub fn connect(request: impl IntoRequest) -> Result<Client, Error> {
    Client::builder(request).connect()
}
