//! A WebSocket client that stays alive and loses nothing.
//!
//! ```no_run
//! let mut client = perennial::blocking::connect("wss://example.com/feed")?;
//! client.send("hello")?;
//! client.messages().for_each(|message| println!("{message}"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `connect` returns at once; a server that cannot be reached yet is no error. From then on one
//! thread dials, and dials again after every loss; it pings, finds a dead link, queues what is sent
//! meanwhile, and closes when it is told to. `messages` ends when the connection is closed for
//! good: by this side, or by a refusal that no retry can mend.
//!
//! # What is promised for a message
//!
//! [`send`](blocking::Handle::send) returns a [`Seq`], the message's name, or gives the message
//! back; where the outbox is full, [`Overflow`] chooses. What was accepted comes to exactly one
//! end, which depends on its [`Class`]:
//!
//! | class | survives an outage | ends as |
//! | --- | --- | --- |
//! | [`Volatile`](Class::Volatile) | no | [`Flushed`](Notice::Flushed), or [`Undelivered`](Notice::Undelivered) with its [`Fate`] |
//! | [`Queued`](Class::Queued), the default | until the kernel has it | the same |
//! | [`Acknowledged`](Class::Acknowledged) | until the server acknowledges it; it is sent again with the same id and bytes | [`Acknowledged`](Notice::Acknowledged), or `Undelivered` |
//!
//! The class is that of the config, or the message's own. Only a dialect with acknowledgements has
//! the third one:
//!
//! ```no_run
//! use perennial::blocking::Client;
//! use perennial::core::{DialectConfig, JsonConfig};
//! use perennial::{Class, Config, Duration, Notice, Outgoing};
//!
//! let mut config = Config::builder();
//! config.dialect = DialectConfig::Json(JsonConfig::default());
//! config.outbox.class = Class::Acknowledged;
//! let config = config.build()?;
//! let mut client =
//!     Client::builder("wss://example.com/orders").config(config).reports(true).connect()?;
//!
//! client.send(r#"{"order":1}"#)?;
//! client.send(Outgoing::new("the price now").class(Class::Volatile).ttl(Duration::from_secs(1)))?;
//! client.drain(None);
//! for notice in client.notices() {
//!     match notice {
//!         Notice::Acknowledged { seq, .. } => println!("{seq} is there"),
//!         Notice::Undelivered { seq, fate, .. } => println!("{seq}: {}", fate.reason()),
//!         _ => {}
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Hooks
//!
//! The [request hook](blocking::Builder::on_request) builds each attempt's URL, headers and token;
//! it may block. The [retry hook](blocking::Builder::on_retry) sees each failure and keeps the
//! delay, chooses another, or gives up.
//!
//! ```no_run
//! use perennial::blocking::Client;
//! use perennial::{Duration, RetryChoice};
//! # fn fresh_token() -> Result<String, perennial::HookError> { Ok(String::new()) }
//!
//! let client = Client::builder("wss://example.com/feed")
//!     .on_request(|attempt| Ok(attempt.bearer(&fresh_token()?)?))
//!     .on_retry(|retry| {
//!         let patient = retry.outage < Duration::from_secs(600);
//!         if patient { RetryChoice::Keep } else { RetryChoice::Stop }
//!     })
//!     .connect()?;
//! # Ok::<(), perennial::Error>(())
//! ```
//!
//! # Without blocking
//!
//! The same client on `smol`, `async-std`, `tokio` or a runtime of your own, with the feature of that
//! name. A connection is then two things: the client, and a future that drives it, which your
//! executor must poll. `spawn` does both:
//!
#![cfg_attr(feature = "tokio", doc = "```no_run")]
#![cfg_attr(not(feature = "tokio"), doc = "```text")]
//! # async fn listen() -> Result<(), Box<dyn std::error::Error>> {
//! let builder = perennial::Builder::new("wss://example.com/feed");
//! let mut client = perennial::tokio::spawn(builder)?;
//! client.send("hello").await?;
//! while let Some(notice) = client.recv().await {
//!     println!("{notice:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Where to go next
//!
//! * [`blocking`]: the client. [`Builder`](blocking::Builder) is what can be said before,
//!   [`Client`](blocking::Client) receives, [`Handle`](blocking::Handle) sends and commands from
//!   any thread; [`Builder::run`](blocking::Builder::run) needs no thread of its own.
//! * `asynchronous`: the client for any runtime; `smol`, `async_std` and `tokio` bring theirs.
//! * [`Config`]: every limit, default and preset; checked when it is built, and the same in JSON.
//! * [`Notice`]: what a program is told besides messages. [`Status`]: a snapshot for dashboards.
//! * [`Error`], [`SendError`], [`NotOpen`]: what can go wrong. [`Closed`]: how it ended.
//! * [`core`]: the state machine that decides everything, for a loop or a protocol of one's own.
//!   What is here opens sockets, moves frames and sleeps.
//! * `practice`, with the feature of that name: a server that misbehaves on demand, for tests.
//!
//! # Traces
//!
//! [`Builder::record`](blocking::Builder::record) writes down what happens to a connection and what
//! it does, without what is said. [`core::trace`] replays it, step by step and bit for bit; so do the
//! commands `perennial replay` and `perennial explain`.
//!
//! # Features
//!
//! | feature | what it adds | default |
//! | --- | --- | --- |
//! | `blocking` | [`blocking`], the client that needs no runtime: one thread per connection | yes |
//! | `smol` | `smol`, the async client on that runtime | |
//! | `tokio` | `tokio`, the same on that one | |
//! | `async-std` | `async_std`, the same on that one, which its authors have deprecated in favour of `smol` | |
//! | `async` | `asynchronous`, the async client for a runtime of your own; included in the three above | |
//! | `tls` | `wss://` through rustls, and `Trust` to say whom to trust | yes |
//! | `practice` | `practice`, the practice server and its faults | |
//! | `cli` | the command `perennial`; includes all of the above | |
//!
//! Connections, attempts and outages are told through [`tracing`](https://docs.rs/tracing), under
//! the target `perennial`; no secret and no payload among it.

#![deny(unsafe_code)]
// What all adapters share is of no use without any.
#![cfg_attr(not(any(feature = "blocking", feature = "async")), allow(dead_code))]

mod answer;
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
#[cfg(any(feature = "blocking", feature = "async"))]
mod record;
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
#[cfg(any(feature = "blocking", feature = "async"))]
pub use record::{Record, RecordError};
pub use request::{Attempt, HookError, Request};
#[cfg(feature = "tls")]
pub use tls::Trust;
