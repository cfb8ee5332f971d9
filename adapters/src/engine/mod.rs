//! What every driver is made of: all that moves bytes, events and actions, and nothing that waits.
//!
//! A driver brings a [`Network`] of sockets that never block, takes turns, and sleeps in its own way
//! between them.

mod control;
mod dial;
mod inbox;
mod journal;
mod link;
mod lookup;
mod network;
mod race;
mod recording;
mod shared;
mod sink;
mod turn;
mod wire;

pub use control::Control;
pub(crate) use dial::Dialing;
pub(crate) use inbox::Inbox;
#[cfg(feature = "blocking")]
pub(crate) use inbox::is_report;
pub(crate) use lookup::{Hook, Preparer};
pub(crate) use network::{Network, Socket};
#[cfg(all(feature = "blocking", test))]
pub(crate) use race::Race;
pub(crate) use recording::Recording;
pub(crate) use shared::Shared;
#[cfg(feature = "async")]
pub(crate) use shared::{Access, Ticket};
#[cfg(feature = "blocking")]
pub(crate) use sink::Sink;
pub(crate) use sink::ToInbox;
pub(crate) use turn::{Engine, Parts, RetryHook, Turn};
