//! `Config::scripts()`.

use std::thread;
use std::time::Duration;

use perennial::practice::{Faults, Refusal as HttpRefusal};
use perennial::{Backoff, ClosedBy, Config, HeartbeatStyle, Jitter, Overflow, Refusal, State};
use tungstenite::Message;

use crate::host::Host;
use crate::support::{closed, connect, text, until};
use crate::{WHILE, beating, serve, soon};

#[test]
fn its_own_times() {
    let config = Config::scripts();
    assert_eq!(config.outbox.overflow, Overflow::Wait);
    let base = Duration::from_millis(500);
    assert_eq!(config.retry.backoff, Backoff::Exponential { base, factor_percent: 200 });
    assert_eq!((config.retry.jitter, config.retry.max_attempts), (Jitter::Full, None));
    assert_eq!(config.heartbeat.style, HeartbeatStyle::Protocol);
    assert_eq!(config.heartbeat.interval, Duration::from_secs(20));
    // All else is as without a preset.
    let mut other = Config::builder();
    other.outbox.overflow = Overflow::Wait;
    assert_eq!(config, other.build().unwrap());
}

#[test]
fn protocol_pings_go_out() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), beating(Config::scripts()));
    let mut peer = host.peer();
    for _ in 0..3 {
        // The answer goes out by itself.
        assert!(matches!(peer.next(), Message::Ping(_)));
    }
    peer.says("a message");
    assert_eq!(text(&mut client), "a message");
    assert!(client.status().rtt.is_some());
}

#[test]
fn whoever_sends_too_much_waits() {
    let mut host = Host::new();
    let mut config = soon(Config::scripts());
    config.outbox.max_messages = 4;
    let client = connect(&host.url(), config);
    for n in 0..4 {
        client.send(n.to_string()).unwrap();
    }
    let error = client.send_timeout("too much", Duration::from_millis(20)).unwrap_err();
    assert_eq!((error.refusal, error.message), (Refusal::Timeout, "too much".into()));
    let handle = client.handle();
    let patient = thread::spawn(move || {
        for n in 4..100 {
            handle.send(n.to_string()).unwrap();
        }
    });
    thread::sleep(WHILE);
    assert!(!patient.is_finished());
    assert_eq!(client.status().queued, 4);
    let mut peer = host.peer();
    (0..100).for_each(|n| peer.hears(&n.to_string()));
    patient.join().unwrap();
}

#[test]
fn a_drain_sends_everything_and_closes() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), soon(Config::scripts()));
    for n in 0..100 {
        client.send(n.to_string()).unwrap();
    }
    client.drain(None);
    let mut peer = host.peer();
    (0..100).for_each(|n| peer.hears(&n.to_string()));
    peer.hears_goodbye(1000);
    let closed = closed(&mut client);
    assert_eq!((closed.by, closed.clean), (ClosedBy::Application, true));
    assert_eq!(client.counters().flushed, 100);
    host.is_left_alone();
}

#[test]
fn it_does_not_give_up() {
    let refuse = Some(HttpRefusal::status(503).times(12));
    let server = serve(Faults { refuse, ..Faults::default() });
    let mut config = soon(Config::scripts());
    config.retry.backoff =
        Backoff::Exponential { base: Duration::from_millis(1), factor_percent: 200 };
    config.retry.cap = Duration::from_millis(20);
    let mut client = connect(&server.url(), config);
    until(&mut client, State::Open);
    assert_eq!(server.stats().refused, 12);
}
