//! `Config::basics()`.

use std::time::Duration;

use perennial::core::DialectConfig;
use perennial::practice::Faults;
use perennial::{Backoff, Config, HeartbeatStyle, Jitter, Payload, State};
use perennial::{Notice, blocking::Client};
use tungstenite::Message;

use crate::host::{Host, Peer};
use crate::support::{closed, connect, eventually, find, text, until};
use crate::{beating, serve, soon};

#[test]
fn its_own_times() {
    let config = Config::basics();
    assert_eq!(config.heartbeat.interval, Duration::from_secs(5));
    assert_eq!(config.heartbeat.style, HeartbeatStyle::Both);
    assert_eq!(config.dialect, DialectConfig::text());
    assert_eq!(config.retry.backoff, Backoff::Constant { base: Duration::from_secs(3) });
    assert_eq!((config.retry.jitter, config.retry.max_retries), (Jitter::None, None));
}

#[test]
fn the_ready_state_goes_from_0_to_3() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), soon(Config::basics()));
    let ready = |client: &Client| client.status().ready_state as u8;
    let socket = host.socket();
    assert_eq!(ready(&client), 0);
    let peer = Peer::new(socket);
    until(&mut client, State::Open);
    assert_eq!(ready(&client), 1);
    // Between two sockets it is the first again.
    peer.resets();
    until(&mut client, State::Reconnecting);
    let socket = host.socket();
    assert_eq!(ready(&client), 0);
    let peer = Peer::new(socket);
    until(&mut client, State::Open);
    client.close();
    assert_eq!(ready(&client), 2);
    peer.hears_goodbye(1000);
    assert!(closed(&mut client).clean);
    assert_eq!(ready(&client), 3);
}

#[test]
fn the_buffered_amount_counts_what_the_network_has_not_taken() {
    let buffered = |client: &Client| client.status().buffered_amount;
    let mut host = Host::new();
    let client = connect(&host.url(), soon(Config::basics()));
    client.send("h\u{e9}llo").unwrap();
    client.send(vec![0_u8; 10]).unwrap();
    assert_eq!(buffered(&client), 6 + 10);
    let mut peer = host.peer();
    peer.hears("h\u{e9}llo");
    assert_eq!(peer.next(), Message::binary(vec![0_u8; 10]));
    eventually("it is all gone", || buffered(&client) == 0);

    // And what a peer does not read.
    let server = serve(Faults::default());
    let mut client = connect(&server.url(), soon(Config::basics()));
    until(&mut client, State::Open);
    server.stop_reading(true);
    let piece = vec![0_u8; 100_000];
    eventually("the network takes no more", || {
        client.send(piece.clone()).is_err() && buffered(&client) > 0
    });
    let handle = client.handle();
    server.stop_reading(false);
    // The echoes have to be fetched, or the server has to wait.
    find(&mut client, |_| (handle.status().buffered_amount == 0).then_some(()));
}

#[test]
fn text_and_binary_pass_both_ways() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), soon(Config::basics()));
    let mut peer = host.peer();
    client.send("text").unwrap();
    client.send(vec![0_u8, 1, 255]).unwrap();
    peer.hears("text");
    assert_eq!(peer.next(), Message::binary(vec![0_u8, 1, 255]));
    peer.says("text");
    peer.says_bytes(vec![0, 1, 255]);
    for payload in [Payload::from("text"), Payload::from(vec![0_u8, 1, 255])] {
        let received = find(&mut client, |notice| match notice {
            Notice::Message(message) => Some(message.payload.clone()),
            _ => None,
        });
        assert_eq!(received, payload);
    }
}

#[test]
fn a_text_ping_goes_out_and_its_pong_is_no_message() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), beating(Config::basics()));
    let mut peer = host.peer();
    for _ in 0..3 {
        peer.hears_protocol_ping();
        peer.hears("ping");
        peer.says("pong");
    }
    peer.says("a message");
    assert_eq!(text(&mut client), "a message");
}

#[test]
fn a_server_that_leaves_text_pings_unanswered_is_alive() {
    let mut host = Host::new();
    let client = connect(&host.url(), beating(Config::basics()));
    let mut peer = host.peer();
    // The protocol's ping is answered by the host's library, as by every other.
    for _ in 0..5 {
        peer.hears_protocol_ping();
        peer.hears("ping");
    }
    assert_eq!((client.state(), client.counters().attempts), (State::Open, 1));
}

#[test]
fn an_error_and_a_close_start_one_reconnect() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), soon(Config::basics()));
    for _ in 0..3 {
        host.peer().resets();
        host.peer().closes_and_resets(1001);
        host.peer().closes(1000);
    }
    // While dialling.
    host.socket();
    let mut peer = host.peer();
    peer.says("here");
    assert_eq!(text(&mut client), "here");
    host.is_left_alone();
    assert_eq!((client.state(), client.counters().attempts), (State::Open, 11));
}
