//! A practice server with faults on demand: an in-process WebSocket server for loopback that can
//! be told to misbehave, before it starts and while it runs.
//!
//! One thread serves all connections through one poller. What goes wrong is in [`Faults`], what the
//! server is in [`Options`], what it saw in [`Stats`], [`Handshake`] and [`Received`].
//!
//! ```
//! use perennial::practice::{App, Options, Refusal, Server};
//! use std::time::Duration;
//!
//! let server = Server::start(Options { app: App::Chat, seed: 7, ..Options::default() })?;
//! println!("listening on {}", server.url());
//! server.refuse(Some(Refusal::status(503).retry_after(Duration::from_secs(2)).times(3)));
//! server.reset_all();
//! assert_eq!(server.stats().live, 0);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Messages with an id
//!
//! A text message that is a JSON object with a non-negative integer in `id` is acknowledged with
//! `{"ack":n}` before the app's own answer. A message sent again is acknowledged again, and is
//! handed to the app again unless [`Options::dedupe`] is set; what the apps make of it is said
//! below. Ids are counted per session, which is
//! the value of the query parameter `session`; clients without it share one, so a test that counts
//! distinct ids either has one client per server or gives each its session.
//!
//! # Apps
//!
//! [`App::Echo`] returns every message. In the others a message may be wrapped as
//! `{"id":n,"data":{…}}`, the text `ping` is answered with `pong` and `{"type":"ping"}` with
//! `{"type":"pong"}`, and what makes no sense is answered with `{"type":"error","message":…}`.
//!
//! * [`App::Chat`]: the URL path names the room (default `lobby`). A connection is known by the `user`
//!   of its first `{"type":"chat","user":…,"text":…}` or of a `{"type":"join","user":…}`; the join and,
//!   at the end, `{"type":"leave","user":…}` go to everybody in the room. Until then it is a
//!   `guest-N`, whose coming and going the others hear. So do chat messages, the
//!   sender included, with a sender's id replaced by the room's own; one sent again on the same
//!   connection keeps it.
//! * [`App::Ticker`]: `{"type":"subscribe"|"unsubscribe","symbols":[…]}`, then
//!   `{"type":"tick","symbol":…,"price":…,"seq":…}`. `seq` belongs to the symbol, so a gap after a
//!   reconnect can be seen; time stands still while nobody subscribes.
//! * [`App::Ai`]: `{"type":"prompt","message":…,"stream":true}` is answered with
//!   `{"type":"stream","event_id":…,"content":…}` pieces and `{"type":"complete","event_id":…}`; without
//!   `stream`, with one `complete` that carries the `content`. A new prompt or
//!   `{"type":"interrupt"}` ends a stream with `{"type":"end","event_id":…}`; one sent again on the
//!   same connection, with the same id, does not.
//! * [`App::Game`]: the URL path names the game. `playerJoin` is passed to the others; with two players
//!   `{"type":"gameStart","players":[…]}` goes to all; `playerMove` and `playerAction` are passed to
//!   the others with `player` filled in, once however often they are sent on the same connection with
//!   the same id; `{"type":"playerLeave","player":…}` ends it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod app;
mod conn;
mod ends;
mod faults;
mod feed;
mod handshake;
mod ids;
mod listen;
mod options;
mod reactor;
mod records;
mod rng;
mod server;
mod session;
mod stream;
mod timers;

pub use faults::{CloseAfter, Faults, Misbehave, Refusal, Span, Trickle};
pub use options::{AckStyle, App, Options};
pub use records::{Handshake, Received, Stats};
pub use server::Server;
