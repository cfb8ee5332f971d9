//! `perennial-core` in a loop of one's own: any number of connections in one thread, without a
//! runtime and without the crate `perennial`. The example `own_loop` drives 1,000 with it.
//!
//! The poller is `mio`: its sockets connect without blocking, and being edge-triggered it is told of
//! a socket once and asked for changes only. `polling`, which `perennial` itself uses, would do as
//! well, but wants `unsafe` to be given a socket. The frames are `tungstenite`'s.
//!
//! One concern per file, from the outside in: [`Reactor`] sleeps, and deals out turns; `client`
//! carries events in and actions out; `dial` and `link` are a transport before and after it opens;
//! `mapping` translates. `docs/ADAPTERS.md` gives the reasons.
//!
//! Left out: TLS, and resolving names again for every dial.

mod client;
mod clock;
mod deadlines;
mod dial;
mod link;
mod mapping;
mod reactor;
mod target;
mod upgrade;
mod wire;

pub use mio::Waker;
pub use reactor::Reactor;
pub use target::Target;
