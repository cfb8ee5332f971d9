//! `Config::event_source()`.

use std::time::Duration;

use perennial::core::DialectConfig;
use perennial::{Backoff, Config, HeartbeatStyle, Refusal, State};

use crate::host::{Host, Peer};
use crate::soon;
use crate::support::{connect, text, until};

#[test]
fn its_own_times() {
    let config = Config::event_source();
    assert_eq!(config.retry.backoff, Backoff::Constant { base: Duration::from_secs(3) });
    assert_eq!(config.heartbeat.style, HeartbeatStyle::Off);
    assert!(matches!(config.dialect, DialectConfig::EventStream(_)));
}

#[test]
fn data_lines_are_messages_and_a_loss_is_followed_by_a_reconnect() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), soon(Config::event_source()));
    let mut peer = host.peer();
    peer.says(": a comment\n\n");
    peer.says("data: one\ndata: two\n\ndata: three\n\n");
    assert_eq!(text(&mut client), "one\ntwo");
    assert_eq!(text(&mut client), "three");
    let error = client.send("up").unwrap_err();
    assert!(matches!(error.refusal, Refusal::Unencodable(_)), "it is one direction: {error}");
    peer.resets();
    until(&mut client, State::Reconnecting);
    let mut peer: Peer = host.peer();
    peer.says("data: again\n\n");
    assert_eq!(text(&mut client), "again");
    client.close();
    peer.hears_goodbye(1000);
}
