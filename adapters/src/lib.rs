//! A WebSocket client that stays alive and loses nothing.
//!
//! The state machine lives in [`core`] and decides everything; what is here opens sockets, moves
//! frames and sleeps. `blocking` is the client without a runtime,
//! `asynchronous` the one for any runtime, with `smol`, `async_std` and `tokio` at hand.

#![deny(unsafe_code)]
// What all adapters share is of no use without any.
#![cfg_attr(not(any(feature = "blocking", feature = "async")), allow(dead_code))]

#[cfg(feature = "async-std")]
pub mod async_std;
#[cfg(feature = "async")]
pub mod asynchronous;
#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(any(feature = "blocking", feature = "async"))]
mod builder;
mod clock;
mod convert;
#[cfg(any(feature = "blocking", feature = "async"))]
mod engine;
mod error;
mod handshake;
mod mapping;
#[cfg(feature = "practice")]
pub mod practice;
mod request;
#[cfg(feature = "smol")]
pub mod smol;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tokio")]
pub mod tokio;

#[cfg(any(feature = "blocking", feature = "async"))]
pub use builder::{Builder, RetryContext};
#[cfg(any(feature = "blocking", feature = "async"))]
pub use engine::Control;
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
