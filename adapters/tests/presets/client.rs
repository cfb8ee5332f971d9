//! `Config::client()`, and the robust, the reliable and the stateful one on it.

use std::time::Duration;

use perennial::core::{DialectConfig, EncodeError, HeartbeatFrames, JsonConfig};
use perennial::practice::{AckStyle, Faults, Options, Refusal as HttpRefusal, Server};
use perennial::{
    Backoff, Class, ClosedBy, Config, ConfigBuilder, HeartbeatStyle, Jitter, Notice, Refusal, State,
};
use serde_json::Value;

use crate::host::{Host, ends};
use crate::support::{closed, connect, find, until};
use crate::{
    BEAT, DELAY, assert_still, beating, builder, change, gave_up, refusing, serve, soon, wait,
};

#[test]
fn its_own_times() {
    let config = Config::client();
    assert_eq!(config.heartbeat.interval, Duration::from_secs(30));
    assert_eq!(config.heartbeat.style, HeartbeatStyle::Both);
    assert_eq!(config.retry.backoff, Backoff::Constant { base: Duration::from_secs(5) });
    assert_eq!(config.retry.jitter, Jitter::None);
    assert_eq!(config.retry.max_retries, Some(5));
    assert_eq!(config.outbox.class, Class::Queued);
    assert_eq!(config.outbox.ack_timeout, Duration::from_secs(5));
    let DialectConfig::Json(json) = &config.dialect else { panic!("{:?}", config.dialect) };
    let HeartbeatFrames::Json { ping, timestamp, .. } = &json.heartbeat else {
        panic!("{:?}", json.heartbeat)
    };
    assert_eq!((ping.as_str(), *timestamp), ("ping", false));
}

#[test]
fn a_json_ping_goes_out() {
    let mut host = Host::new();
    let _client = connect(&host.url(), beating(Config::client()));
    let mut peer = host.peer();
    for _ in 0..2 {
        peer.hears_protocol_ping();
        peer.hears(r#"{"type":"ping"}"#);
        peer.says(r#"{"type":"pong"}"#);
    }
}

#[test]
fn what_is_sent_while_not_open_is_flushed_in_order_on_open() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), soon(Config::client()));
    let texts: Vec<_> = (0..20).map(|n| format!("first {n}")).collect();
    for text in &texts {
        client.send(text.clone()).unwrap();
    }
    assert_eq!(client.status().queued, 20);
    let mut peer = host.peer();
    texts.iter().for_each(|text| peer.hears(text));
    until(&mut client, State::Open);
    peer.resets();
    until(&mut client, State::Reconnecting);
    for n in 0..20 {
        client.send(format!("second {n}")).unwrap();
    }
    let mut peer = host.peer();
    (0..20).for_each(|n| peer.hears(&format!("second {n}")));
}

#[test]
fn after_5_attempts_it_tells_that_reconnecting_failed() {
    let server = refusing();
    let mut client = connect(&server.url(), soon(Config::client()));
    let mut delays = Vec::new();
    let mut ends = Vec::new();
    for notice in client.notices() {
        match notice {
            Notice::Retrying { delay, .. } => delays.push(delay),
            Notice::Closed(closed) => ends.push(closed),
            _ => assert!(ends.is_empty(), "the end is the last thing told"),
        }
    }
    assert_eq!(delays, [DELAY; 5]);
    assert!(matches!(&ends[..], [end] if end.by == ClosedBy::Policy && gave_up(end)), "{ends:?}");
    assert_still(&server, |server| server.stats().tcp_accepts);
    assert_eq!(server.stats().refused, 1 + 5);
}

#[test]
fn closing_by_hand_stops_everything() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), beating(Config::client()));
    let peer = host.peer();
    until(&mut client, State::Open);
    peer.resets();
    until(&mut client, State::Reconnecting);
    client.send("queued").unwrap();
    // A dial is under way, and ends with it.
    let socket = host.socket();
    client.close();
    assert_eq!(closed(&mut client).by, ClosedBy::Application);
    assert_eq!(client.counters().dropped, 1);
    ends(socket);
    host.is_left_alone();
}

// ----- robust -----

#[test]
fn robust_sending_never_fails_without_a_word() {
    let mut host = Host::new();
    let mut config = soon(Config::client());
    config.outbox.max_messages = 2;
    config.outbox.max_bytes = 100;
    let mut client = connect(&host.url(), config);
    let back = |text: String| {
        let error = client.send(text.clone()).unwrap_err();
        assert_eq!(error.message, text.into());
        assert!(!error.to_string().is_empty());
        error.refusal
    };
    assert!(matches!(back("x".repeat(101)), Refusal::TooLarge { size: 101, limit: 100 }));
    client.send("a").unwrap();
    client.send("b").unwrap();
    assert_eq!(back("full".to_owned()), Refusal::Full);
    let mut peer = host.peer();
    peer.hears("a");
    peer.hears("b");
    client.close();
    peer.hears_goodbye(1000);
    closed(&mut client);
    assert_eq!(client.send("closed").unwrap_err().refusal, Refusal::Closed);
    // Nor does what cannot be written.
    let server = serve(Faults::default());
    let client = connect(&server.url(), reliable());
    let error = client.send(vec![0_u8]).unwrap_err();
    assert_eq!(error.refusal, Refusal::Unencodable(EncodeError::BinaryInText));
    assert_eq!(error.message.payload.len(), 1);
}

#[test]
fn robust_every_error_is_told_with_its_reason_and_its_time() {
    let refuse = Some(HttpRefusal::status(500).times(1));
    let server = serve(Faults { refuse, ..Faults::default() });
    let mut client = connect(&server.url(), soon(Config::client()));
    let mut told = |part: &str| loop {
        let (at, notice) =
            client.recv_stamped_timeout(crate::support::LONG).unwrap().expect("before the end");
        if let Notice::Retrying { reason, .. } = notice {
            assert!(reason.to_string().contains(part), "{reason}");
            return at;
        }
    };
    let first = told("500");
    wait(&server, "it is open", |stats| stats.live == 1);
    server.reset_all();
    let second = told("reset");
    wait(&server, "it is open", |stats| stats.upgrades == 2);
    server.close_all(1011, "out of order");
    let third = told("1011: out of order");
    assert!(first < second && second < third);
}

// ----- reliable -----

/// The client with an envelope and acknowledgements, which it awaits for a shorter time.
fn reliable() -> ConfigBuilder {
    let mut config = soon(Config::client());
    config.dialect = DialectConfig::Json(JsonConfig::default());
    config.outbox.class = Class::Acknowledged;
    config.outbox.ack_timeout = BEAT;
    config
}

/// A server that loses all its acks.
fn forgetful() -> Server {
    let faults = Faults { lose_acks: 1.0, ..Faults::default() };
    let app = perennial::practice::App::Silent;
    let acks = AckStyle::Typed;
    Server::start(Options { faults, acks, app, record: true, ..Options::default() }).unwrap()
}

fn texts(server: &Server) -> Vec<String> {
    server.received().into_iter().map(|received| received.text).collect()
}

#[test]
fn reliable_a_message_is_resent_as_it_was_until_its_ack_comes() {
    let server = forgetful();
    let mut client = builder(&server.url(), reliable()).reports(true).connect().unwrap();
    let sent = client.send(r#"{"text":"hi"}"#).unwrap();
    wait(&server, "it comes again and again", |stats| stats.messages >= 3);
    // On another connection too.
    server.reset_all();
    wait(&server, "it comes back", |stats| stats.upgrades == 2);
    let before = server.stats().messages;
    wait(&server, "it comes there as well", |stats| stats.messages >= before + 2);
    assert_eq!(client.status().in_flight, 1);
    server.set_faults(Faults::default());
    let acknowledged = find(&mut client, |notice| match notice {
        Notice::Acknowledged { seq, id } => Some((*seq, *id)),
        _ => None,
    });
    assert_eq!(acknowledged, (sent, Some(1)));
    // What was on its way has arrived when the next one has.
    client.send("end").unwrap();
    wait(&server, "another", |stats| stats.distinct_ids == 2);
    assert_still(&server, |server| server.stats().messages);
    let status = client.status();
    assert_eq!((status.in_flight, status.queued, status.counters.acknowledged), (0, 0, 2));

    let texts = texts(&server);
    let (end, same) = texts.split_last().unwrap();
    assert!(same.iter().all(|text| *text == same[0]), "{same:?}");
    let envelope: Value = serde_json::from_str(&same[0]).unwrap();
    assert_eq!(envelope["id"], 1);
    assert_eq!(envelope["data"]["text"], "hi");
    assert!(envelope["timestamp"].as_u64().unwrap() > 1_600_000_000_000);
    assert_eq!(envelope.as_object().unwrap().len(), 3);
    let envelope: Value = serde_json::from_str(end).unwrap();
    assert_eq!((&envelope["id"], &envelope["data"]), (&2.into(), &"end".into()));
}

#[test]
fn reliable_the_receiver_can_tell_what_it_has_already() {
    let faults = Faults { lose_acks: 0.5, lose_messages: 0.2, ..Faults::default() };
    let options = Options { faults, acks: AckStyle::Typed, seed: 7, ..Options::default() };
    let server = Server::start(options).unwrap();
    let client = connect(&server.url(), reliable());
    for n in 0..50 {
        client.send(n.to_string()).unwrap();
    }
    client.drain(Some(crate::support::LONG));
    let handle = client.handle();
    assert_eq!(client.join().by, ClosedBy::Application);
    let (counters, stats) = (handle.counters(), server.stats());
    assert_eq!((counters.acknowledged, counters.uncertain), (50, 0));
    assert_eq!(stats.distinct_ids, 50);
    assert!(stats.acks_lost > 0 && stats.messages > 50, "{stats:?}");
}

// ----- stateful -----

#[test]
fn stateful_each_change_is_told_with_the_old_and_the_new_state() {
    let server = serve(Faults::default());
    let mut client = connect(&server.url(), soon(Config::client()));
    let mut changes = vec![change(&mut client)];
    for _ in 0..2 {
        server.reset_all();
        changes.push(change(&mut client));
        changes.push(change(&mut client));
    }
    client.close();
    changes.push(change(&mut client));
    use State::{Closed, Connecting, Open, Reconnecting};
    let (lost, back) = ((Open, Reconnecting), (Reconnecting, Open));
    assert_eq!(changes, [(Connecting, Open), lost, back, lost, back, (Open, Closed)]);
}
