//! What each preset promises, over real sockets. The same in virtual time, to the millisecond, is in
//! the core's own tests; here is shown that the promise survives the network.
//!
//! Each file first asserts the preset's own times. The tests then shorten those times and nothing
//! else, as nobody wants to wait for them.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod applications;
mod basics;
mod client;
mod event_source;
#[allow(dead_code, reason = "other suites need other parts of it")]
mod host;
mod idle_watch;
mod manager;
mod realtime;
mod scripts;
mod socket_io;

use std::time::Duration;

use perennial::core::ConfigBuilder;
use perennial::practice::{Faults, Options, Refusal, Server};
use perennial::{Backoff, Builder, Closed, Config, Notice, Reason, State};
use support::{LONG, find};

/// The delay before a reconnect, in place of seconds.
const DELAY: Duration = Duration::from_millis(50);
/// The time between two heartbeats, in place of seconds.
const BEAT: Duration = Duration::from_millis(60);
/// How long to watch for what must not happen.
const WHILE: Duration = Duration::from_millis(250);

/// The preset with a short delay: its backoff, from another base.
fn soon(preset: Config) -> ConfigBuilder {
    let mut builder = preset.into_builder();
    match &mut builder.retry.backoff {
        Backoff::Constant { base } | Backoff::Linear { base } => *base = DELAY,
        Backoff::Exponential { base, .. } => *base = DELAY,
        Backoff::List { .. } => panic!("no preset has a list"),
    }
    builder
}

/// The preset with a short delay and a short time between heartbeats. How long an answer may take is
/// as it was, as long as the test does not say otherwise.
fn beating(preset: Config) -> ConfigBuilder {
    let mut builder = soon(preset);
    builder.heartbeat.interval = BEAT;
    builder.retry.stable_after = BEAT;
    builder
}

/// A connection to be, whatever proxy the environment names.
fn builder(url: &str, config: ConfigBuilder) -> Builder {
    let builder = Builder::new(url).config(config.build().unwrap());
    #[cfg(feature = "proxy")]
    let builder = builder.no_proxy();
    builder
}

/// A practice server that keeps what it receives.
fn serve(faults: Faults) -> Server {
    Server::start(Options { faults, record: true, ..Options::default() }).unwrap()
}

/// A server that is there, and lets nobody in.
fn refusing() -> Server {
    serve(Faults { refuse: Some(Refusal::status(503)), ..Faults::default() })
}

/// Whether it ended because no attempts were left, and says what the last one ran into.
fn gave_up(closed: &Closed) -> bool {
    let told = closed.reason.to_string();
    matches!(&closed.reason, Reason::MaxAttempts(last) if told.ends_with(&last.to_string()))
}

/// Waits for the next change of state.
fn change(client: &mut perennial::blocking::Client) -> (State, State) {
    find(client, |notice| match notice {
        Notice::StateChanged { from, to, .. } => Some((*from, *to)),
        _ => None,
    })
}

/// Nothing the server counts changes for a while.
fn assert_still(server: &Server, count: impl Fn(&Server) -> u64) {
    let before = count(server);
    std::thread::sleep(WHILE);
    assert_eq!(count(server), before);
}

/// Waits until the server has counted something.
fn wait(server: &Server, what: &str, done: impl FnMut(&perennial::practice::Stats) -> bool) {
    assert!(server.wait(LONG, done), "{what}: {:?}", server.stats());
}
