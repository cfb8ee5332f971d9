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
//! The [state listeners](blocking::Builder::on_state) are called with the old state and the new one,
//! once for every change and in order; [`Control::on_state`] adds one later, until its guard is
//! dropped. The [loss listeners](blocking::Builder::on_loss) hear why an open connection was lost, how
//! long it was open and what waits for the next. Like the retry hook they run where the connection is
//! driven, and must not block; a hook that panics ends the connection.
//!
//! # Logging in, and looking at the queue
//!
//! After every open the [open hook](blocking::Builder::on_open) comes first: it sends a login and may
//! await the answer, while everything else waits. The [queue hook](blocking::Builder::on_queue) comes
//! last: it sees what piled up, takes messages back or sends some of them first.
//!
//! ```no_run
//! use perennial::blocking::Client;
//! use perennial::{HookError, Reply};
//!
//! let client = Client::builder("wss://example.com/feed")
//!     .on_open(|opening| {
//!         opening.send(r#"{"type":"login","user":"ann"}"#)?;
//!         opening.expect(|message| match message.as_text() {
//!             Some(r#"{"type":"welcome"}"#) => Ok(Reply::Done),
//!             Some(r#"{"type":"denied"}"#) => Err(HookError::Stop("the login was denied".into())),
//!             _ => Ok(Reply::Other),
//!         });
//!         Ok(())
//!     })
//!     .on_queue(|queue| {
//!         let stale: Vec<_> = queue
//!             .messages()
//!             .iter()
//!             .filter(|message| message.payload.len() > 1_000)
//!             .map(|message| message.seq)
//!             .collect();
//!         stale.into_iter().for_each(|message| queue.drop(message));
//!     })
//!     .connect()?;
//! # Ok::<(), perennial::Error>(())
//! ```
//!
//! # Topics
//!
//! [`topic`](blocking::Handle::topic) gives a subscriber of its own the messages of one topic, or of
//! all that match a pattern, read into a type; [`listen`](blocking::Handle::listen) gives them as they
//! are. They are sorted while they are received, and no longer go to the client. What a subscriber does
//! not fetch is held within its limits; beyond those, [`SlowConsumer`] chooses. [`bus`] says where a
//! message's topic is.
//!
//! ```no_run
//! use perennial::blocking::Client;
//! use perennial::bus::{Routing, RoutingConfig};
//! use perennial::{Listen, SlowConsumer};
//!
//! // Messages look like `{"type":"price.btc","data":65123}`.
//! let routing = RoutingConfig { payload: Some("data".into()), ..RoutingConfig::default() };
//! let client =
//!     Client::builder("wss://example.com/feed").routing(Routing::fields(routing)?).connect()?;
//! let wanted = Listen::to("price.*").messages(1_000).slow(SlowConsumer::DropOldest);
//! for price in client.topic::<u64>(wanted)? {
//!     match price {
//!         Ok(price) => println!("{price}"),
//!         Err(error) => eprintln!("{error}"),
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Subscriptions
//!
//! What [`Control::subscribe`] is given is said to the server now, and again after every open, before
//! anything that is queued, until the [`Standing`] is dropped, which says so to the server as well.
//!
//! ```no_run
//! use perennial::subscriptions::{Confirm, Matcher, News, Subscription};
//! use perennial::Duration;
//!
//! let client = perennial::blocking::connect("wss://example.com/feed")?;
//! let standing = client.subscribe(
//!     Subscription::new(r#"{"type":"subscribe","symbol":"btc"}"#)
//!         .unsay(r#"{"type":"unsubscribe","symbol":"btc"}"#)
//!         .confirm(Confirm::when(Matcher::new("type", "subscribed").and("symbol", "btc"))),
//! )?;
//! match client.wait_standing(&standing, Duration::from_secs(10))? {
//!     News::Confirmed { .. } => println!("it stands"),
//!     other => eprintln!("{other:?}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Requests
//!
//! [`request`](blocking::Handle::request) asks the server something and gives a
//! [`Pending`](blocking::Pending), which ends in exactly one way: with the answer, or with a
//! [`RequestFailed`] that says what became of it. JSON-RPC 2.0 is the default;
//! [`requests::Correlation`] names other forms. A request of class acknowledged survives an outage.
//!
//! ```no_run
//! use perennial::requests::Request;
//! use perennial::{Class, RequestFailed};
//!
//! let client = perennial::blocking::connect("wss://example.com/rpc")?;
//! let sum = Request::call("add", Some("[1,2]".into())).class(Class::Acknowledged);
//! match client.request(sum)?.wait() {
//!     Ok(answer) => println!("{}", answer.parse::<i64>()?),
//!     Err(RequestFailed::Refused(refusal)) => eprintln!("{refusal}"),
//!     Err(other) => eprintln!("{other}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # One connection, seen from everywhere
//!
//! [`Control::view`] gives each part of a program that shows the connection a [`View`] of its own: the
//! state, where the latest attempt leads, the outage and the wait, the round trip, what is queued, the
//! last error, the latest message, and with [`Builder::history`](blocking::Builder::history) those
//! before it. It takes nothing from the client. `wait_changed` blocks until something has changed,
//! `changed` awaits it; who is slow to look sees the latest, not each.
//!
//! ```no_run
//! use perennial::blocking::Client;
//! use perennial::Duration;
//!
//! let client = Client::builder("wss://example.com/feed")
//!     .history(100)
//!     .on_state(|change| println!("{} -> {}", change.old, change.new))
//!     .on_loss(|loss| println!("lost after {:?}: {}", loss.open_for, loss.reason))
//!     .connect()?;
//! let mut view = client.view();
//! std::thread::spawn(move || {
//!     while let Ok(Some(now)) = view.wait_changed(Duration::MAX) {
//!         println!("{}, {} received, {} queued", now.state, now.received, now.queued);
//!     }
//! });
//! # Ok::<(), perennial::Error>(())
//! ```
//!
//! # Topics, subscriptions, requests
//!
//! [`topic`](blocking::Handle::topic) and [`listen`](blocking::Handle::listen) give a part of a
//! program the messages that it wants, sorted while they are received and, with `topic`, read into a
//! type; every other message is the client's, as ever. Where a message's topic is,
//! [`Builder::routing`](blocking::Builder::routing) says: in the JSON field `type`, unless told
//! otherwise.
//!
//! What a server forgets with a connection is said again on each new one, before anything that is
//! queued: first what the [open hook](blocking::Builder::on_open) says, such as a login, which may wait
//! for the server's answer; then each [subscription](Control::subscribe) that was not dropped. The
//! [queue hook](blocking::Builder::on_queue) looks at what waits before that flows.
//!
//! A [request](blocking::Handle::request) finds its answer by its id, as JSON-RPC 2.0 or a
//! [`Builder::correlation`](blocking::Builder::correlation) of one's own has it, and ends in time: with
//! the answer, or with the reason why there is none.
//!
//! ```no_run
//! use perennial::blocking::Client;
//! use perennial::requests::Request;
//! use perennial::subscriptions::Subscription;
//!
//! #[derive(serde::Deserialize)]
//! struct Tick {
//!     price: f64,
//! }
//!
//! let client = Client::builder("wss://example.com/feed")
//!     .on_open(|opening| opening.send(r#"{"type":"login","user":"ann"}"#))
//!     // Nobody fetches here what is no tick, and it would fill the inbox until reading stops.
//!     .discard_unrouted()
//!     .connect()?;
//! let ticks = client.topic::<Tick>("tick")?;
//! let standing = client.subscribe(
//!     Subscription::new(r#"{"type":"subscribe","symbols":["ASH"]}"#)
//!         .unsay(r#"{"type":"unsubscribe","symbols":["ASH"]}"#),
//! )?;
//! let answer = client.request(Request::call("symbols", None))?.wait()?;
//! println!("there are {}", answer.result());
//! for tick in ticks {
//!     println!("{}", tick?.price);
//! }
//! drop(standing); // Unsubscribes.
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A request of the ecosystem's
//!
//! Wherever a URL is taken, an [`http::Request`], or anything else that is an [`IntoRequest`], is
//! taken too: its headers and subprotocols go out with every attempt.
//!
//! ```no_run
//! let request = perennial::http::Request::get("wss://example.com/feed")
//!     .header("Cookie", "session=1")
//!     .body(())?;
//! let client = perennial::blocking::connect(request)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How a connection is made
//!
//! * The name is resolved anew for every attempt, in a thread, and its addresses are raced, families
//!   by turns: each has 250 ms before the next is tried beside it (RFC 8305). The journal tells which
//!   one won.
//! * `TCP_NODELAY` is on, on every driver: frames are collected before they are written, and nothing
//!   is left for Nagle's algorithm to collect.
//! * With the feature `proxy` the way leads through the proxy that `Builder::proxy` names, or the
//!   environment: HTTP CONNECT or SOCKS5. The race is for the proxy's addresses then. TLS runs inside
//!   the tunnel. `Builder::no_proxy` says which variables are read, and turns that off.
//! * The config's `connect.dial_timeout` covers all of it, request hook, name, connection, proxy, TLS
//!   and WebSocket handshake alike.
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
//!   [`View`]: what several parts of a program show.
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
//! | `proxy` | HTTP CONNECT and SOCKS5 proxies, as `Builder::proxy` or the environment says | yes |
//! | `practice` | `practice`, the practice server and its faults | |
//! | `cli` | the command `perennial`; includes all of the above | |
//! | `metrics` | [metrics](#metrics) through the facade of the crate `metrics` | |
//!
//! Features only add: none changes what another one does.
//!
//! # The journal
//!
//! What happens to a connection is told through [`tracing`](https://docs.rs/tracing), under the target
//! `perennial`; no secret and no payload among it. Where nobody wants it, nothing is formatted and
//! nothing is allocated.
//!
//! | span | level | fields | lasts |
//! | --- | --- | --- | --- |
//! | `connection` | info | `to`: the URL without user part and query, unless there is a request hook; `name`: [`Builder::name`](blocking::Builder::name) | as long as the driver |
//! | `attempt`, in `connection` | info | `transport`, `attempt`; `to`: the same, as the request hook made it | from the dial until it has failed, or the connection it made is lost |
//! | `prepare`, in `attempt` | debug | | while the request hook runs and the name is resolved, on a thread of its own |
//!
//! | event | level | fields | in |
//! | --- | --- | --- | --- |
//! | `dial` | debug | `transport`, `attempt` | `attempt` |
//! | `resolved` | debug | `addresses`, which are the proxy's where there is one; `proxy` | `attempt` |
//! | `connected`, `not connected` | debug | `address`, `error` | `attempt` |
//! | `tunnelled`: the proxy leads to the target | debug | | `attempt` |
//! | `secured`: TLS is established | debug | | `attempt` |
//! | `open` | info | `transport` | `attempt` |
//! | `dead`: the peer has fallen silent | warn | `silence`, `why` | `attempt` |
//! | `lost` | warn | `reason` | `attempt` |
//! | `retry`: the dial failed, or the connection was lost, and there will be another | info | `attempt`: the next one; `delay`, `reason` | `attempt` |
//! | `suspended`: the outage has lasted for long | warn | `outage` | `attempt`, or `connection` between two |
//! | `warning` | warn | `warning` | the same |
//! | `closed` | info | `by`, `code`, `reason` | the same |

//! # Metrics
//!
//! With the feature `metrics`, each connection tells the facade of the crate
//! [`metrics`](https://docs.rs/metrics), for whichever recorder is installed when the connection is
//! built. Nothing is told message by message, but once a turn of the driver what has come up meanwhile.
//! A connection with a [name](blocking::Builder::name) has it in the label `connection`; those without
//! are counted together. No URL, host or close reason is among the labels.
//!
//! | metric | kind | what it is |
//! | --- | --- | --- |
//! | `perennial_messages_accepted_total` | counter | messages accepted for sending |
//! | `perennial_messages_flushed_total` | counter | those of class volatile or queued that the kernel took |
//! | `perennial_messages_acknowledged_total` | counter | those that the peer acknowledged |
//! | `perennial_messages_undelivered_total` | counter | those that ended otherwise; `reason`: `uncertain`, `expired`, `dropped`, `cancelled` |
//! | `perennial_messages_rejected_total` | counter | messages refused, and so never accepted |
//! | `perennial_messages_resent_total` | counter | writes of a message beyond its first |
//! | `perennial_messages_received_total` | counter | messages received, without duplicates |
//! | `perennial_messages_duplicate_total` | counter | messages received again, and dropped |
//! | `perennial_sent_bytes_total` | counter | bytes written, handshakes and frames, before TLS |
//! | `perennial_received_bytes_total` | counter | bytes read, handshakes and frames, after TLS |
//! | `perennial_attempts_total` | counter | dials |
//! | `perennial_attempts_failed_total` | counter | dials that failed; `reason`: `request`, `resolve`, `connect`, `proxy`, `proxy_auth`, `tls`, `handshake`, `status`, `timeout` |
//! | `perennial_connections_lost_total` | counter | open connections lost; `reason`: `closed` by the peer, `ended`, `dead`, `application` for a reconnect by hand, `other` |
//! | `perennial_reconnects_total` | counter | times that a connection was open again |
//! | `perennial_connections_open` | gauge | connections that are open |
//! | `perennial_outbox_messages` | gauge | messages accepted that have not ended |
//! | `perennial_outage_seconds` | histogram | from losing a connection to having it again |
//! | `perennial_rtt_seconds` | histogram | from a ping to its pong |

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
#[cfg(test)]
mod counting;
#[cfg(any(feature = "blocking", feature = "async"))]
mod engine;
mod error;
mod handshake;
mod into_request;
#[cfg(any(feature = "blocking", feature = "async"))]
mod listen;
mod mapping;
#[cfg(any(feature = "blocking", feature = "async"))]
mod opening;
#[cfg(feature = "practice")]
pub mod practice;
#[cfg(feature = "proxy")]
mod proxy;
#[cfg(any(feature = "blocking", feature = "async"))]
mod record;
#[cfg(all(test, any(feature = "blocking", feature = "async")))]
mod remains;
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
pub use engine::{Control, ListenerGuard, Loss, Snapshot, Stamped, Standing, StateChange, View};
pub use error::{
    Error, Lagged, NotOpen, Refusal, RequestError, RequestFailed, SendError, SubscribeError,
    Timeout,
};
pub use into_request::IntoRequest;
#[cfg(any(feature = "blocking", feature = "async"))]
pub use listen::{Listen, SlowConsumer, TopicError};
#[cfg(any(feature = "blocking", feature = "async"))]
pub use opening::{Opening, Queue, Reply, Waiting};
pub use perennial_core as core;
pub use perennial_core::{
    Advice, Backoff, ByteString, Bytes, Class, CloseFrame, CloseRule, Closed, ClosedBy, Config,
    ConfigBuilder, ConfigError, Counters, Death, DialError, DialFailure, Duration, Fate,
    HeartbeatStyle, Jitter, Message, Notice, Outgoing, Overflow, Payload, ReadyState, Reason,
    Rejected, RetryChoice, Seq, State, Status, TransportId, Warning, WhileDown,
};
pub use perennial_core::{bus, requests, session, subscriptions};
#[cfg(any(feature = "blocking", feature = "async"))]
pub use record::{Record, RecordError};
pub use request::{Attempt, HookError, Request};
#[cfg(feature = "tls")]
pub use tls::Trust;
/// The crate whose types a request is made of, in the version that is understood here.
pub use tungstenite::http;
