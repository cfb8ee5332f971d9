//! A WebSocket client that stays alive and loses nothing.
//!
//! The state machine lives in [`core`] and decides everything; what is here opens sockets, moves
//! frames and sleeps. [`blocking`] is the client without a runtime.

#![deny(unsafe_code)]
// What all adapters share is of no use without any.
#![cfg_attr(not(feature = "blocking"), allow(dead_code))]

#[cfg(feature = "blocking")]
pub mod blocking;
mod clock;
mod convert;
mod error;
mod handshake;
mod mapping;
#[cfg(feature = "practice")]
pub mod practice;
mod request;
#[cfg(feature = "tls")]
mod tls;

pub use error::{Error, NotOpen, Refusal, SendError, Timeout};
pub use perennial_core as core;
pub use perennial_core::{
    Advice, Backoff, ByteString, Bytes, Class, CloseFrame, CloseRule, Closed, ClosedBy, Config,
    ConfigBuilder, ConfigError, Counters, Death, DialError, DialFailure, Duration, Fate,
    HeartbeatStyle, Jitter, Message, Notice, Outgoing, Overflow, Payload, ReadyState, Reason,
    Rejected, RetryChoice, Seq, State, Status, TransportId, Warning,
};
pub use request::{Attempt, HookError, Request};
#[cfg(feature = "tls")]
pub use tls::Trust;
