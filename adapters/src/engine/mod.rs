//! What every driver is made of: all that moves bytes, events and actions, and nothing that waits.
//!
//! A driver brings a [`Network`] of sockets that never block, takes turns, and sleeps in its own way
//! between them.

mod ahead;
mod control;
mod deed;
mod dial;
mod inbox;
mod journal;
mod link;
mod lookup;
#[cfg_attr(not(feature = "metrics"), path = "no_meter.rs")]
mod meter;
mod network;
mod race;
mod recording;
mod route;
mod shared;
mod sink;
#[cfg(feature = "proxy")]
mod tunnel;
mod turn;
mod wire;

pub use control::Control;
pub(crate) use dial::Dialing;
#[cfg(feature = "blocking")]
pub(crate) use inbox::Fetched;
#[cfg(feature = "blocking")]
pub(crate) use inbox::is_report;
pub(crate) use inbox::{Batch, Found, Inbox};
pub(crate) use journal::Journal;
pub(crate) use lookup::{Hook, Preparer};
pub(crate) use meter::Meter;
pub(crate) use network::{AfterShortRead, Network, Socket};
#[cfg(all(feature = "blocking", test))]
pub(crate) use race::Race;
pub(crate) use recording::Recording;
pub(crate) use route::Routes;
pub(crate) use shared::Access;
pub(crate) use shared::Shared;
#[cfg(feature = "async")]
pub(crate) use shared::Ticket;
#[cfg(feature = "blocking")]
pub(crate) use sink::Sink;
pub(crate) use sink::ToInbox;
pub(crate) use turn::{Engine, Parts, RetryHook, Turn};
