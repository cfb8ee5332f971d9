//! What every driver is made of: all that moves bytes, events and actions, and nothing that waits.
//!
//! A driver brings a [`Network`] of sockets that never block, takes turns, and sleeps in its own way
//! between them.

mod ahead;
mod board;
mod busy_poll;
mod commands;
mod control;
mod core;
mod deed;
mod dial;
mod follower;
mod hooks;
mod inbox;
mod journal;
mod large;
mod layer;
mod link;
mod listeners;
mod lookup;
mod mailbox;
#[cfg_attr(not(feature = "metrics"), path = "no_meter.rs")]
mod meter;
mod network;
mod race;
mod recording;
mod route;
mod routed;
mod shared;
mod shelf;
#[cfg(any(feature = "blocking", test))]
mod signal;
mod sink;
mod slot;
mod stream;
#[cfg(feature = "proxy")]
mod tunnel;
mod turn;
mod view;
mod wire;

pub(crate) use self::core::Core;
#[cfg(feature = "async")]
pub(crate) use self::core::Ticket;
pub(crate) use board::Board;
pub use board::Stamped;
pub(crate) use busy_poll::BusyPoll;
pub(crate) use commands::Asked;
pub use commands::Standing;
pub use control::Control;
pub(crate) use dial::Dialing;
pub(crate) use hooks::{Hooks, OpenHook, QueueHook};
#[cfg(feature = "blocking")]
pub(crate) use inbox::Fetched;
#[cfg(feature = "blocking")]
pub(crate) use inbox::is_report;
pub(crate) use inbox::{Batch, Found, Inbox};
pub(crate) use journal::Journal;
pub(crate) use listeners::Listeners;
pub use listeners::{ListenerGuard, Loss, StateChange};
pub(crate) use lookup::{Hook, Preparer};
pub use mailbox::SlowConsumer;
pub(crate) use mailbox::{Capacity, Mail};
pub(crate) use meter::Meter;
pub(crate) use network::{AfterShortRead, Network, Socket};
#[cfg(all(feature = "blocking", test))]
pub(crate) use race::Race;
pub(crate) use recording::Recording;
pub(crate) use route::Routes;
pub(crate) use shared::Access;
pub(crate) use shared::Shared;
#[cfg(feature = "blocking")]
pub(crate) use sink::Sink;
pub(crate) use sink::ToInbox;
#[cfg(feature = "blocking")]
pub(crate) use turn::Written;
pub(crate) use turn::{Engine, Parts, RetryHook, Turn};
pub use view::{Snapshot, View};
