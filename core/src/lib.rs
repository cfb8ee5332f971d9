//! A WebSocket connection that stays alive and loses nothing, as a pure state machine.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod action;
mod backoff;
mod closing;
mod config;
mod connection;
mod dedupe;
mod dialect;
mod error;
mod event;
mod frame;
mod heartbeat;
mod lifecycle;
mod liveness;
mod notice;
mod outbox;
mod output;
mod phase;
mod retry;
mod rng;
mod status;
mod time;
mod timers;
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
    Advice, Capability, Closed, ClosedBy, Death, Doubt, DropReason, Fate, Message, Notice,
    ReadyState, Reason, State, Warning,
};
pub use status::{Counters, Status};
pub use time::{Duration, Instant};
pub use timers::Timer;
