//! `Config::idle_watch()`.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use perennial::core::DialectConfig;
use perennial::practice::Faults;
use perennial::{Backoff, Config, Death, HeartbeatStyle, Jitter, Notice, State};

use crate::host::Host;
use crate::support::{connect, find, text, until};
use crate::{BEAT, beating, builder, serve, soon, wait};

#[test]
fn its_own_times() {
    let config = Config::idle_watch();
    assert_eq!(config.heartbeat.interval, Duration::from_secs(10));
    assert_eq!(config.heartbeat.deadline, Duration::from_secs(10));
    assert_eq!((config.heartbeat.misses, config.heartbeat.quiet_only), (0, true));
    assert_eq!(config.heartbeat.style, HeartbeatStyle::Application);
    assert_eq!(config.dialect, DialectConfig::text());
    assert_eq!(config.retry.backoff, Backoff::Constant { base: Duration::from_secs(4) });
    assert_eq!((config.retry.jitter, config.retry.max_attempts), (Jitter::None, None));
}

#[test]
fn a_text_ping_goes_out_after_quiet_and_a_pong_restarts_the_cycle() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), beating(Config::idle_watch()));
    let mut peer = host.peer();
    peer.hears("ping");
    for _ in 0..3 {
        let quiet = Instant::now();
        peer.says("pong");
        // The next one, and no earlier than after the quiet that follows the answer.
        peer.hears("ping");
        assert!(quiet.elapsed() >= BEAT / 2, "{:?}", quiet.elapsed());
    }
    peer.says("pong");
    peer.says("a message");
    assert_eq!(text(&mut client), "a message", "a pong is none");
}

#[test]
fn a_missing_pong_closes_and_a_reconnect_follows() {
    let mut host = Host::new();
    let mut config = beating(Config::idle_watch());
    config.heartbeat.deadline = BEAT;
    let mut client = connect(&host.url(), config);
    let mut silent = host.peer();
    silent.hears("ping");
    let why = find(&mut client, |notice| match notice {
        Notice::Dead { why, .. } => Some(*why),
        _ => None,
    });
    assert_eq!(why, Death::Pong);
    host.peer_after(&mut silent);
}

#[test]
fn anything_counts_as_life() {
    let mut host = Host::new();
    let mut config = beating(Config::idle_watch());
    // As far apart as to be told from each other on a busy machine.
    let deadline = Duration::from_millis(1_500);
    config.heartbeat.deadline = deadline;
    let mut client = connect(&host.url(), config);
    let mut peer = host.peer();
    let opened = Instant::now();
    let mut said = 0;
    // Never a pong, for longer than one may be missing.
    while opened.elapsed() < deadline + 4 * BEAT {
        peer.hears("ping");
        peer.says("news");
        assert_eq!(text(&mut client), "news");
        said += 1;
    }
    let status = client.status();
    assert_eq!((status.state, status.counters.reconnects), (State::Open, 0));
    assert_eq!(status.counters.received, said);
    host.is_left_alone();
}

#[test]
fn a_reconnect_is_a_single_flight() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), soon(Config::idle_watch()));
    for _ in 0..3 {
        host.peer().closes_and_resets(1001);
    }
    let mut peer = host.peer();
    peer.says("here");
    assert_eq!(text(&mut client), "here");
    host.is_left_alone();
}

#[test]
fn the_url_is_built_anew_at_each_connect() {
    let server = serve(Faults::default());
    let who = Arc::new(Mutex::new(("acme", "ann")));
    let (base, now) = (server.url(), Arc::clone(&who));
    let mut client = builder(&server.url(), soon(Config::idle_watch()))
        .on_request(move |attempt| {
            let (tenant, user) = *now.lock().unwrap();
            Ok(attempt.set_url(&format!("{base}/watch?tenant={tenant}&user={user}"))?)
        })
        .connect()
        .unwrap();
    until(&mut client, State::Open);
    for (n, next) in [("acme", "bob"), ("umbrella", "bob")].into_iter().enumerate() {
        *who.lock().unwrap() = next;
        server.reset_all();
        until(&mut client, State::Open);
        wait(&server, "it comes back", |stats| stats.upgrades == n as u64 + 2);
    }
    let asked: Vec<_> = server
        .handshakes()
        .iter()
        .map(|h| (h.path.clone(), h.param("tenant").unwrap(), h.param("user").unwrap()))
        .collect();
    let watch = |tenant: &str, user: &str| ("/watch".to_owned(), tenant.into(), user.into());
    assert_eq!(asked, [watch("acme", "ann"), watch("acme", "bob"), watch("umbrella", "bob")]);
}

#[test]
fn leaving_closes() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), soon(Config::idle_watch()));
    let peer = host.peer();
    until(&mut client, State::Open);
    drop(client);
    peer.hears_goodbye(1000);
    host.is_left_alone();
}
