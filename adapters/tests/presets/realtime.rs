//! `Config::realtime()`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use perennial::blocking::Client;
use perennial::core::{ConfigBuilder, DialectConfig, HeartbeatFrames};
use perennial::practice::Faults;
use perennial::{
    Backoff, Class, ClosedBy, Config, DialError, Error, HeartbeatStyle, HookError, Notice, Reason,
    Refusal, State, Warning, WhileDown,
};

use crate::host::{Host, Peer};
use crate::support::{closed, eventually, find, until};
use crate::{WHILE, assert_still, beating, builder, gave_up, refusing, serve, soon, wait};

/// Connects, which waits for the host's answer.
fn opened(host: &mut Host, config: ConfigBuilder) -> (Client, Peer) {
    let builder = builder(&host.url(), config);
    let connecting = thread::spawn(move || builder.connect());
    let peer = host.peer();
    (connecting.join().unwrap().unwrap(), peer)
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// The reason for which connecting failed.
fn failed(connected: Result<Client, Error>) -> Reason {
    match connected {
        Err(Error::Closed(closed)) => match closed.reason {
            Reason::FirstFailed(first) => *first,
            other => other,
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn its_own_times() {
    let config = Config::realtime();
    assert!(config.connect.fail_fast && config.connect.auto);
    let base = Duration::from_secs(1);
    assert_eq!(config.retry.backoff, Backoff::Exponential { base, factor_percent: 200 });
    assert_eq!(config.retry.max_retries, Some(5));
    assert_eq!(config.heartbeat.interval, Duration::from_secs(30));
    assert_eq!(config.heartbeat.style, HeartbeatStyle::Both);
    assert_eq!(config.outbox.class, Class::Volatile);
    assert_eq!(config.outbox.while_down, WhileDown::Refuse);
    let DialectConfig::Json(json) = &config.dialect else { panic!("{:?}", config.dialect) };
    let HeartbeatFrames::Json { ping, timestamp, .. } = &json.heartbeat else {
        panic!("{:?}", json.heartbeat)
    };
    assert_eq!((ping.as_str(), *timestamp), ("heartbeat", true));
}

#[test]
fn connecting_waits_until_it_is_open() {
    let mut host = Host::new();
    let builder = builder(&host.url(), soon(Config::realtime()));
    let connecting = thread::spawn(move || builder.connect());
    let socket = host.socket();
    thread::sleep(WHILE);
    assert!(!connecting.is_finished(), "nobody has answered yet");
    let _peer = Peer::new(socket);
    let client = connecting.join().unwrap().unwrap();
    assert_eq!(client.state(), State::Open);
}

#[test]
fn connecting_fails_when_the_attempt_fails() {
    // The server refuses.
    let server = refusing();
    let reason = failed(builder(&server.url(), soon(Config::realtime())).connect());
    assert!(matches!(&reason, Reason::DialFailed(failure) if failure.kind == DialError::Status));
    assert_eq!(reason.status(), Some(503));
    assert_still(&server, |server| server.stats().tcp_accepts);
    assert_eq!(server.stats().refused, 1, "there is no second attempt");
    // Nobody is there.
    server.pause_listening();
    let reason = failed(builder(&server.url(), soon(Config::realtime())).connect());
    assert!(matches!(&reason, Reason::DialFailed(failure) if failure.kind == DialError::Connect));
    assert!(reason.to_string().contains(&server.addr().to_string()), "{reason}");
}

/// What is sent comes back at once, whatever the application wants to be told of it.
fn comes_back(client: &Client, text: &'static str) {
    let error = client.send(text).unwrap_err();
    assert_eq!((error.refusal, error.message), (Refusal::NotOpen, text.into()));
}

#[test]
fn sending_while_down_is_an_error_and_the_message_comes_back() {
    let mut host = Host::new();
    let (mut client, peer) = opened(&mut host, soon(Config::realtime()));
    until(&mut client, State::Open);
    peer.resets();
    until(&mut client, State::Reconnecting);
    comes_back(&client, "lost");
    // A dial is under way.
    let socket = host.socket();
    comes_back(&client, "lost too");
    let mut peer = Peer::new(socket);
    until(&mut client, State::Open);
    client.send("now").unwrap();
    peer.hears("now");
    client.close();
    let error = client.send("late").unwrap_err();
    assert_eq!((error.refusal, error.message), (Refusal::Closed, "late".into()));
    peer.hears_goodbye(1000);
    assert_eq!(closed(&mut client).by, ClosedBy::Application);
}

#[test]
fn the_token_is_fetched_anew_at_each_connect() {
    let server = serve(Faults::default());
    let fetched = Arc::new(AtomicUsize::new(0));
    let (base, count) = (server.url(), Arc::clone(&fetched));
    let mut client = builder(&server.url(), soon(Config::realtime()))
        .on_request(move |attempt| {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            Ok(attempt.set_url(&format!("{base}/?token=t{number}"))?)
        })
        .connect()
        .unwrap();
    until(&mut client, State::Open);
    for _ in 0..2 {
        server.reset_all();
        until(&mut client, State::Open);
    }
    let tokens: Vec<_> = server.handshakes().iter().map(|h| h.param("token").unwrap()).collect();
    assert_eq!(tokens, ["t1", "t2", "t3"]);
    assert_eq!(fetched.load(Ordering::SeqCst), 3);
}

#[test]
fn without_a_token_nothing_is_connected() {
    let server = serve(Faults::default());
    for (error, kind) in [
        (HookError::Stop("no token: log in first".to_owned()), DialError::RequestRefused),
        (HookError::Retry("no token: log in first".to_owned()), DialError::Request),
    ] {
        let builder = builder(&server.url(), soon(Config::realtime()));
        let connected = builder.on_request(move |_| Err(error.clone())).connect();
        // A refusal for good is no failure of the first attempt alone.
        let Err(Error::Closed(closed)) = &connected else { panic!("{connected:?}") };
        assert!(closed.reason.to_string().contains("no token: log in first"), "{}", closed.reason);
        let reason = failed(connected);
        assert!(matches!(&reason, Reason::DialFailed(failure) if failure.kind == kind), "{reason}");
    }
    assert_still(&server, |server| server.stats().tcp_accepts);
    assert_eq!(server.stats().tcp_accepts, 0, "not even a socket");
}

#[test]
fn a_token_that_is_gone_ends_the_reconnecting() {
    let server = serve(Faults::default());
    let mut has_one = true;
    let builder = builder(&server.url(), soon(Config::realtime())).on_request(move |_| {
        if std::mem::take(&mut has_one) { Ok(()) } else { Err(HookError::Stop("no token".into())) }
    });
    let mut client = builder.connect().unwrap();
    server.reset_all();
    let end = closed(&mut client);
    assert!(end.reason.to_string().contains("no token"), "{}", end.reason);
    assert_still(&server, |server| server.stats().tcp_accepts);
    assert_eq!(server.stats().tcp_accepts, 1);
}

#[test]
fn the_heartbeat_carries_a_timestamp() {
    let mut host = Host::new();
    let (_client, mut peer) = opened(&mut host, beating(Config::realtime()));
    let mut last = unix_ms() - 60_000;
    for _ in 0..3 {
        peer.hears_protocol_ping();
        let text = peer.text();
        let beat: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&beat["type"], beat.as_object().unwrap().len()), (&"heartbeat".into(), 2));
        let stamp = beat["timestamp"].as_u64().unwrap();
        // The time of day, in milliseconds, as it goes on.
        assert!(last < stamp && stamp < unix_ms() + 60_000, "{last} {text}");
        last = stamp;
        peer.says(r#"{"type":"pong"}"#);
    }
}

#[test]
fn text_that_is_not_json_is_passed_raw_with_a_warning() {
    let mut host = Host::new();
    let (mut client, mut peer) = opened(&mut host, soon(Config::realtime()));
    peer.says("[1]");
    peer.says("no JSON");
    let mut told = Vec::new();
    while told.last().is_none_or(|last| last != "no JSON") {
        told.push(find(&mut client, |notice| match notice {
            Notice::Message(message) => Some(message.to_string()),
            Notice::Warning(warning @ Warning::Unreadable { .. }) => Some(warning.to_string()),
            _ => None,
        }));
    }
    let warning = "a message could not be read, and was passed on as it came: the text is not JSON";
    assert_eq!(told, ["[1]", warning, "no JSON"]);
}

#[test]
fn at_most_5_attempts_follow_a_loss() {
    let server = serve(Faults::default());
    let mut config = beating(Config::realtime());
    config.retry.backoff =
        Backoff::Exponential { base: Duration::from_millis(5), factor_percent: 200 };
    let mut client = builder(&server.url(), config).connect().unwrap();
    // The echo of a heartbeat is proof enough that the connection lasts.
    eventually("it has lasted", || client.status().attempt == 0);
    server.refuse(Some(perennial::practice::Refusal::status(503)));
    server.reset_all();
    let end = closed(&mut client);
    assert!(gave_up(&end), "{}", end.reason);
    assert_still(&server, |server| server.stats().tcp_accepts);
    assert_eq!(server.stats().refused, 5);
}

#[test]
fn disconnecting_by_hand_does_not_reconnect() {
    let mut host = Host::new();
    let (mut client, peer) = opened(&mut host, soon(Config::realtime()));
    client.close();
    assert_eq!(client.status().ready_state, perennial::ReadyState::Closing);
    peer.hears_goodbye(1000);
    assert_eq!(closed(&mut client).by, ClosedBy::Application);
    host.is_left_alone();
}

#[test]
fn nothing_of_an_old_socket_arrives() {
    let mut host = Host::new();
    let (mut client, mut old) = opened(&mut host, soon(Config::realtime()));
    until(&mut client, State::Open);
    for _ in 0..500 {
        old.says("old");
    }
    client.reconnect();
    let mut new = host.peer_after(&mut old);
    until(&mut client, State::Reconnecting);
    drop(old);
    new.says("new");
    // What had arrived before stands in the order of arrival, before the new one is open.
    until(&mut client, State::Open);
    let first = find(&mut client, |notice| match notice {
        Notice::Message(message) => Some(message.to_string()),
        _ => None,
    });
    assert_eq!(first, "new");
    host.is_left_alone();
    assert_eq!((client.state(), client.counters().reconnects), (State::Open, 1));
}

#[test]
fn several_components_share_one_connection() {
    let server = serve(Faults::default());
    let mut client = builder(&server.url(), soon(Config::realtime())).connect().unwrap();
    let components: Vec<_> = (0..4)
        .map(|_| {
            let handle = client.handle();
            thread::spawn(move || {
                assert_eq!(handle.state(), State::Open);
                handle.send("shared").unwrap();
                handle
            })
        })
        .collect();
    let handles: Vec<_> = components.into_iter().map(|thread| thread.join().unwrap()).collect();
    wait(&server, "all of them", |stats| stats.messages == 4);
    assert_eq!((server.stats().tcp_accepts, server.stats().peak_live), (1, 1));
    // One of them disconnects; all see it.
    handles[0].close();
    closed(&mut client);
    assert!(handles.iter().all(|handle| handle.state() == State::Closed));
}
