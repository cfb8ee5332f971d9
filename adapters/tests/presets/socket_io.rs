//! `Config::socket_io()`, against a server that speaks Engine.IO 4 and Socket.IO 5 frame by frame.

use std::time::Duration;

use perennial::blocking::Client;
use perennial::core::{DialectConfig, EncodeError, SocketIoConfig};
use perennial::{
    Backoff, Class, ClosedBy, Config, ConfigBuilder, Death, HeartbeatStyle, Jitter, Notice,
    Outgoing, Refusal, State,
};

use crate::host::{Host, Peer};
use crate::support::{closed, connect, find, text};
use crate::{BEAT, DELAY, WHILE, assert_still, beating, builder, gave_up, refusing, soon};

/// What Engine.IO says first.
const HANDSHAKE: &str =
    r#"0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

const QUERY: &str = "socket.io/?EIO=4&transport=websocket";

fn start(host: &Host, config: ConfigBuilder) -> Client {
    connect(&(host.url() + QUERY), config)
}

/// The next client, which has asked for the namespace, and waits for the answer.
fn asking(host: &mut Host) -> Peer {
    let (mut peer, asked) = Peer::asked(host.socket());
    assert_eq!(asked, format!("/{QUERY}"));
    peer.says(HANDSHAKE);
    peer.hears("40");
    peer
}

/// The next client, whose namespace is connected under this id.
fn admitted(host: &mut Host, client: &mut Client, sid: &str) -> Peer {
    let mut peer = asking(host);
    peer.says(&format!(r#"40{{"sid":"{sid}"}}"#));
    assert_eq!(text(client), format!(r#"["connect",{{"sid":"{sid}"}}]"#));
    peer
}

/// Waits until the connection is lost, and says why.
fn lost(client: &mut Client) -> String {
    find(client, |notice| match notice {
        Notice::StateChanged { to: State::Reconnecting, reason: Some(reason), .. } => {
            Some(reason.to_string())
        }
        _ => None,
    })
}

#[test]
fn its_own_times() {
    let config = Config::socket_io();
    let base = Duration::from_secs(1);
    assert_eq!(config.retry.backoff, Backoff::Exponential { base, factor_percent: 200 });
    assert_eq!(config.retry.cap, Duration::from_secs(5));
    assert_eq!(config.retry.jitter, Jitter::Equal);
    assert_eq!(config.retry.max_retries, Some(5));
    assert_eq!(config.heartbeat.style, HeartbeatStyle::Server);
    assert_eq!(config.heartbeat.interval, Duration::from_secs(25));
    assert_eq!(config.heartbeat.deadline, Duration::from_secs(20));
    assert_eq!(config.dialect, DialectConfig::SocketIo(SocketIoConfig::default()));
}

#[test]
fn it_connects_with_an_id_and_what_was_sent_before_goes_out_then() {
    let mut host = Host::new();
    let mut client = start(&host, soon(Config::socket_io()));
    client.send(r#"["join","room 7"]"#).unwrap();
    let mut peer = asking(&mut host);
    // The server would hang up on an event that came before it has agreed.
    client.send(r#"["say","hello"]"#).unwrap();
    assert!(peer.is_quiet_for(WHILE));
    peer.says(r#"40{"sid":"aB3"}"#);
    assert_eq!(text(&mut client), r#"["connect",{"sid":"aB3"}]"#);
    peer.hears(r#"42["join","room 7"]"#);
    peer.hears(r#"42["say","hello"]"#);
}

#[test]
fn named_events_go_both_ways() {
    let mut host = Host::new();
    let mut client = start(&host, soon(Config::socket_io()));
    let mut peer = admitted(&mut host, &mut client, "a");
    for n in 0..3 {
        client.send(format!(r#"["move",{{"x":{n}}}]"#)).unwrap();
        peer.hears(&format!(r#"42["move",{{"x":{n}}}]"#));
        peer.says(&format!(r#"42["moved","ada",{n}]"#));
        assert_eq!(text(&mut client), format!(r#"["moved","ada",{n}]"#));
    }
    let error = client.send("no event").unwrap_err();
    assert_eq!(error.refusal, Refusal::Unencodable(EncodeError::NotAnEvent));
}

#[test]
fn events_are_acknowledged_both_ways() {
    let mut host = Host::new();
    let url = host.url() + QUERY;
    let reporting = builder(&url, soon(Config::socket_io())).reports(true);
    let mut client = reporting.connect().unwrap();
    let mut peer = admitted(&mut host, &mut client, "a");
    peer.says(r#"427["question"]"#);
    assert_eq!(text(&mut client), r#"["question"]"#);
    peer.hears("437[]");
    let keep = Outgoing::new(r#"["keep",1]"#).class(Class::Acknowledged);
    let sent = client.send(keep).unwrap();
    peer.hears(r#"421["keep",1]"#);
    peer.says(r#"431["kept"]"#);
    let acknowledged = find(&mut client, |notice| match notice {
        Notice::Acknowledged { seq, .. } => Some(*seq),
        _ => None,
    });
    assert_eq!(acknowledged, sent);
}

#[test]
fn the_servers_pings_are_answered_and_are_no_messages() {
    let mut host = Host::new();
    let mut client = start(&host, soon(Config::socket_io()));
    let mut peer = asking(&mut host);
    // Before the namespace is connected as well.
    peer.says("2");
    peer.hears("3");
    peer.says(r#"40{"sid":"a"}"#);
    assert_eq!(text(&mut client), r#"["connect",{"sid":"a"}]"#);
    for n in 0..3 {
        peer.says("2");
        peer.hears("3");
        peer.says(&format!(r#"42["tick",{n}]"#));
        assert_eq!(text(&mut client), format!(r#"["tick",{n}]"#));
    }
}

#[test]
fn a_server_that_pings_no_more_is_left() {
    let mut host = Host::new();
    let mut config = beating(Config::socket_io());
    config.heartbeat.deadline = BEAT;
    let mut client = start(&host, config);
    let (mut silent, _) = Peer::asked(host.socket());
    let why = find(&mut client, |notice| match notice {
        Notice::Dead { why, .. } => Some(*why),
        _ => None,
    });
    assert_eq!(why, Death::Pong);
    host.peer_after(&mut silent).hears("40");
}

#[test]
fn the_servers_disconnect_is_told_and_to_come_back_is_the_programs_decision() {
    let mut host = Host::new();
    let mut client = start(&host, soon(Config::socket_io()));
    let mut peer = admitted(&mut host, &mut client, "a");
    peer.says("41");
    assert_eq!(text(&mut client), r#"["disconnect","io server disconnect"]"#);
    client.send(r#"["later"]"#).unwrap();
    assert!(peer.is_quiet_for(WHILE), "what is sent waits");
    host.is_left_alone();
    assert_eq!(client.status().queued, 1);
    client.reconnect();
    let mut peer = admitted(&mut host, &mut client, "b");
    peer.hears(r#"42["later"]"#);
}

#[test]
fn a_server_that_disconnects_and_hangs_up_is_told_with_both_reasons_and_dialled_again() {
    let mut host = Host::new();
    let mut client = start(&host, soon(Config::socket_io()));
    let mut peer = admitted(&mut host, &mut client, "a");
    peer.says("41");
    peer.says("1");
    peer.closes(1000);
    assert_eq!(text(&mut client), r#"["disconnect","io server disconnect"]"#);
    assert_eq!(text(&mut client), r#"["disconnect","transport close"]"#);
    assert!(lost(&mut client).contains("1000"));
    admitted(&mut host, &mut client, "b");
}

#[test]
fn a_broken_socket_is_told_with_its_reason_and_the_namespace_is_connected_anew() {
    let mut host = Host::new();
    let mut client = start(&host, soon(Config::socket_io()));
    for sid in ["a", "b", "c"] {
        admitted(&mut host, &mut client, sid).resets();
        let reason = lost(&mut client);
        assert!(reason.contains("reset"), "{reason}");
    }
    client.send(r#"["sent","while down"]"#).unwrap();
    client.send(r#"["and","in order"]"#).unwrap();
    let mut peer = admitted(&mut host, &mut client, "d");
    peer.hears(r#"42["sent","while down"]"#);
    peer.hears(r#"42["and","in order"]"#);
    let status = client.status();
    assert_eq!((status.state, status.counters.reconnects), (State::Open, 3));
}

#[test]
fn a_namespace_that_is_refused_says_why_and_messages_wait() {
    let mut host = Host::new();
    let mut config = soon(Config::socket_io());
    config.dialect = DialectConfig::SocketIo(SocketIoConfig {
        namespace: "/chat".to_owned(),
        ..SocketIoConfig::default()
    });
    let mut client = start(&host, config);
    client.send(r#"["a"]"#).unwrap();
    let mut peer = host.peer();
    peer.says(HANDSHAKE);
    peer.hears("40/chat,");
    peer.says(r#"44/chat,{"message":"who are you?"}"#);
    assert_eq!(text(&mut client), r#"["connect_error",{"message":"who are you?"}]"#);
    assert!(peer.is_quiet_for(WHILE));
    client.reconnect();
    let mut peer = host.peer();
    peer.says(HANDSHAKE);
    peer.hears("40/chat,");
    peer.says(r#"40/chat,{"sid":"s"}"#);
    peer.hears(r#"42/chat,["a"]"#);
}

#[test]
fn closing_by_hand_is_final_and_ends_the_transport_alone() {
    let mut host = Host::new();
    let mut client = start(&host, soon(Config::socket_io()));
    let peer = admitted(&mut host, &mut client, "a");
    client.close();
    // No packet before it says that the namespace is left.
    peer.hears_goodbye(1000);
    let end = closed(&mut client);
    assert_eq!((end.by, end.code, end.clean), (ClosedBy::Application, 1000, true));
    host.is_left_alone();
}

#[test]
fn no_more_than_5_reconnects() {
    let server = refusing();
    let mut config = soon(Config::socket_io());
    config.retry.cap = DELAY;
    let mut client = connect(&format!("{}/{QUERY}", server.url()), config);
    let end = closed(&mut client);
    assert_eq!((end.by, end.reason.status()), (ClosedBy::Policy, Some(503)));
    assert!(gave_up(&end), "{}", end.reason);
    assert_still(&server, |server| server.stats().tcp_accepts);
    assert_eq!(server.stats().refused, 1 + 5);
}
