//! A WebSocket connection that stays alive and loses nothing, as a pure state machine.
//!
//! Everyone who uses WebSockets ends up writing the same class: reconnect with backoff, heartbeat
//! with a deadline, a queue while offline, acknowledgements, de-duplication. This crate is that
//! class, without the socket: a [`Connection`] consumes [`Event`]s with timestamps and emits
//! [`Action`]s. It holds no clock, thread or randomness of its own, so the same [`Config`], seed
//! and events give the same actions, bit for bit, and everything it does can be tested in
//! microseconds. The crate `perennial` drives it over real sockets; to embed it in a loop of your
//! own, read on.
//!
//! # How it is driven
//!
//! * Give it what happened: [`Connection::handle`]`(now, event)`.
//! * Do what it says: [`Connection::poll`] until that says [`Action::Wait`].
//! * Flush once, report [`Event::Flushed`], and sleep until the `Wait`'s instant or the next thing
//!   that happens. Then start over; if nothing else did, the event is [`Event::Tick`].
//!
//! All decisions are made inside `handle`: when to dial, ping, resend, give up. A driver makes
//! none.
//!
//! # A complete driver
//!
//! Over a transport in memory, whose server is cut off every now and then. A real one differs
//! only in that its `Link` is a socket and its clock a clock.
//!
//! ```
//! use std::collections::VecDeque;
//!
//! use perennial_core::{
//!     Action, BuiltIn, Capabilities, CloseFrame, Config, Connection, DialError, DialFailure,
//!     Duration, End, EndKind, Event, Frame, Instant, Notice, Outgoing, State, TransportId,
//! };
//!
//! /// The transport: an echo server at the other end of two queues.
//! struct Link {
//!     id: TransportId,
//!     inbound: VecDeque<Frame>,
//! }
//!
//! impl Link {
//!     fn write(&mut self, frame: Frame) {
//!         match frame {
//!             Frame::Ping(payload) => self.inbound.push_back(Frame::Pong(payload)),
//!             other => self.inbound.push_back(other),
//!         }
//!     }
//! }
//!
//! let config = Config::default();
//! let dialect = BuiltIn::new(&config.dialect);
//! let mut now = Instant::ZERO;
//! let mut connection = Connection::new(config, dialect, 0x5eed, now);
//! let mut link: Option<Link> = None;
//! let mut echoes = Vec::new();
//! let mut cuts = 3;
//! let mut closed = None;
//!
//! connection.handle(now, Event::Send(Outgoing::new("hello"))).expect("there is room");
//! while closed.is_none() {
//!     // 1. Do what there is to do.
//!     let mut written = None;
//!     let mut opened = None;
//!     let until = loop {
//!         match connection.poll() {
//!             Action::Dial { transport, .. } => opened = Some(transport),
//!             Action::Write { index, frame, .. } => {
//!                 if let Some(link) = &mut link {
//!                     link.write(frame);
//!                 }
//!                 written = Some(index);
//!             }
//!             Action::Abort { .. } => link = None,
//!             Action::Notify(Notice::Message(message)) => echoes.push(message.to_string()),
//!             Action::Notify(Notice::Closed(end)) => closed = Some(end),
//!             Action::Notify(_) => {}
//!             Action::Wait { until, .. } => break until,
//!         }
//!     };
//!
//!     // 2. Tell it what happened meanwhile, or else that time has passed.
//!     let event = if let Some(transport) = opened {
//!         // Every other dial is refused.
//!         if transport.get() % 2 == 0 {
//!             let failure = DialFailure::new(DialError::Connect, "refused");
//!             Event::DialFailed { transport, failure }
//!         } else {
//!             link = Some(Link { id: transport, inbound: VecDeque::new() });
//!             Event::Opened { transport, capabilities: Capabilities::SOCKET }
//!         }
//!     } else if let (Some(through), Some(link)) = (written, &link) {
//!         Event::Flushed { transport: link.id, through }
//!     } else if let Some((transport, frame)) =
//!         link.as_mut().and_then(|link| Some((link.id, link.inbound.pop_front()?)))
//!     {
//!         if matches!(frame, Frame::Close(_)) {
//!             Event::Ended { transport, end: End::new(EndKind::Eof) }
//!         } else {
//!             Event::Received { transport, frame }
//!         }
//!     } else if connection.state() == State::Open && cuts > 0 {
//!         cuts -= 1;
//!         let transport = link.take().map(|link| link.id).expect("an open link");
//!         connection.handle(now, Event::Send(Outgoing::new("again"))).expect("there is room");
//!         Event::Ended { transport, end: End::new(EndKind::Reset) }
//!     } else if echoes.len() == 4 {
//!         Event::Close(CloseFrame::new(1000, "done"))
//!     } else {
//!         now = until.expect("something is always due while the connection is down");
//!         Event::Tick
//!     };
//!     connection.handle(now, event).expect("only a full queue or a late message is refused");
//! }
//!
//! assert_eq!(echoes, ["hello", "again", "again", "again"]);
//! assert_eq!(connection.counters().flushed, 4);
//! assert_eq!(connection.counters().reconnects, 3);
//! assert!(now < Instant::ZERO + Duration::from_secs(60), "in virtual time");
//! ```
//!
//! # What is promised for a message
//!
//! Every accepted message ends in exactly one notice; `handle` says under which [`Seq`].
//!
//! | [`Class`] | survives an outage | ends as |
//! | --- | --- | --- |
//! | [`Volatile`](Class::Volatile) | no | [`Flushed`](Notice::Flushed), or [`Undelivered`](Notice::Undelivered) |
//! | [`Queued`](Class::Queued) | until it is handed to the kernel | the same; [`Fate::Uncertain`] if it was handed over and the transport died before the flush |
//! | [`Acknowledged`](Class::Acknowledged) | until the peer acknowledges it | [`Acknowledged`](Notice::Acknowledged), or `Undelivered` at the close |
//!
//! # Where to find what
//!
//! [`Config`] holds every limit and default. [`Event`], [`Action`] and [`Notice`] are the
//! vocabulary. [`Dialect`] says what frames mean; implement it for a protocol of your own.
//! [`Status`] is a snapshot for dashboards. [`requests`] finds the answer to a request,
//! [`subscriptions`] says to the server again what it forgets, and [`bus`] says who a message is for;
//! they know no connection, and [`session`] puts them between one and its driver.
//! [`trace`] writes down what happens and replays it, bit for bit. The feature `sim` adds a simulator
//! to test your own program with: a network with weather in virtual time, and a checker that watches
//! every promise. The feature `proptest` adds strategies for it; it alone needs `std`.
//!
//! The crate is `no_std` and needs `alloc`.
#![no_std]
#![forbid(unsafe_code)]
// A test may look for one variant among all; the code may not.
#![cfg_attr(test, allow(clippy::wildcard_enum_match_arm))]

extern crate alloc;
#[cfg(test)]
extern crate std;

/// Whether a fault was planted, or what to do if it was. Here, none ever was: see `planted.rs`.
#[cfg(not(perennial_planted))]
macro_rules! planted {
    ($output:expr, $fault:ident) => {
        false
    };
    ($output:expr, $fault:ident => $do:expr) => {};
}
#[cfg(perennial_planted)]
#[macro_use]
pub mod planted;

mod action;
mod backoff;
pub mod bus;
mod closing;
mod config;
mod connection;
mod dedupe;
mod dialect;
mod error;
mod event;
mod frame;
mod heartbeat;
mod json;
mod lifecycle;
mod liveness;
mod notice;
mod opening;
mod outbox;
mod output;
mod phase;
mod reason;
#[cfg(test)]
mod regressions;
pub mod requests;
mod retry;
mod rng;
pub mod session;
#[cfg(feature = "sim")]
pub mod sim;
mod status;
pub mod subscriptions;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod time;
mod timers;
pub mod trace;
mod traffic;
mod transport;

pub use action::Action;
pub use bytes::Bytes;
pub use bytestring::ByteString;
pub use config::*;
pub use connection::Connection;
pub use dialect::*;
pub use error::{Accepted, EncodeError, Rejected};
pub use event::{
    Capabilities, DialError, DialFailure, End, EndKind, Event, Outgoing, RetryChoice, Seq,
    TransportId, Violation,
};
pub use frame::{CloseFrame, Frame, Payload, code};
pub use notice::{
    Advice, Death, Doubt, DropReason, Fate, Message, Notice, ReadyState, State, Warning,
};
pub use outbox::Queued;
pub use reason::{Capability, Closed, ClosedBy, Reason};
pub use status::{Counters, Status};
pub use time::{Duration, Instant};
pub use timers::Timer;
