//! What a transport can do: adapted to where that is safe, refused by name where it is not.

use crate::testing::{Harness, secs};
use crate::{
    Capabilities, Capability, ClosedBy, ConfigBuilder, DialectConfig, Event, HeartbeatStyle,
    JsonConfig, Notice, Reason, State,
};

fn browser(change: impl FnOnce(&mut ConfigBuilder)) -> Harness {
    let mut harness = Harness::new(change);
    harness.capabilities = Capabilities::BROWSER;
    harness
}

#[test]
fn without_protocol_pings_the_dialects_own_are_used() {
    for dialect in [DialectConfig::text(), DialectConfig::Json(JsonConfig::default())] {
        let mut harness = browser(|config| {
            config.dialect = dialect;
            config.heartbeat.interval = secs(5);
            config.heartbeat.deadline = secs(5);
        });
        harness.open();
        harness.advance(secs(5));
        assert!(harness.pings().is_empty());
        assert_eq!(harness.take_texts().len(), 1);
        harness.advance(secs(5));
        assert_eq!(harness.dead(), Some(("pong", 10_000)));
    }
}

#[test]
fn without_any_pings_the_missing_capability_is_named_and_nothing_is_retried() {
    let mut harness = browser(|_| {});
    harness.send("x");
    harness.done(Event::Opened {
        transport: harness.transport(),
        capabilities: Capabilities::BROWSER,
    });
    let closed = harness.closed();
    assert_eq!(closed.by, ClosedBy::Policy);
    assert_eq!(closed.reason, Reason::Incapable(Capability::ProtocolPing));
    assert_eq!(harness.aborts, [1]);
    assert!(harness.writes.is_empty());
    assert_eq!(harness.changes(), ["connecting-closed"]);
    assert_eq!(harness.fates(), ["1 dropped Closed"]);
    assert!(alloc::format!("{}", closed.reason).contains("protocol pings"));
}

#[test]
fn styles_that_need_no_pings_need_no_capability() {
    for style in [HeartbeatStyle::Off, HeartbeatStyle::Server] {
        let mut harness = browser(|config| config.heartbeat.style = style);
        harness.open();
        harness.send("x");
        assert_eq!(harness.connection.state(), State::Open);
        assert_eq!(harness.fates(), ["1 flushed"]);
    }
}

#[test]
fn acknowledgements_work_without_flush_reports() {
    let mut harness = Harness::acks(|config| config.retry.stable_after = secs(3_600));
    harness.capabilities = Capabilities::BROWSER;
    harness.flushes = false;
    harness.open();
    harness.send("x");
    let transport = harness.transport();
    harness.done(Event::Buffered { transport, bytes: 0 });
    assert_eq!(harness.connection.buffered_amount(), 0);
    harness.advance(secs(10));
    assert_eq!(harness.take_texts().len(), 2, "it was sent again after the timeout");
    harness.receive_text(r#"{"ack":1}"#);
    assert_eq!(harness.fates(), ["1 acknowledged"]);
}

#[test]
fn the_application_style_is_the_same_on_every_transport() {
    for capabilities in [Capabilities::SOCKET, Capabilities::BROWSER] {
        let mut harness = Harness::new(|config| {
            config.heartbeat.style = HeartbeatStyle::Application;
            config.dialect = DialectConfig::text();
        });
        harness.capabilities = capabilities;
        harness.open();
        harness.advance(secs(20));
        let texts = harness.take_texts();
        assert!(texts.iter().all(|text| text == "ping") && !texts.is_empty(), "{texts:?}");
        assert!(harness.notices.iter().all(|notice| !matches!(notice, Notice::Dead { .. })));
    }
}

#[test]
fn each_transport_is_taken_for_what_it_is() {
    let mut harness = Harness::open_with(|config| config.dialect = DialectConfig::text());
    harness.advance(secs(15));
    assert!(!harness.pings().is_empty());
    harness.reset();
    harness.capabilities = Capabilities::BROWSER;
    harness.reopen();
    harness.take_frames();
    harness.advance(secs(15));
    assert!(harness.pings().is_empty());
    assert_eq!(harness.take_texts(), ["ping"]);
}
