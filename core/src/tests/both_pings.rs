//! Pings of both kinds, of which only the protocol's must be answered.

use crate::testing::{Harness, secs, text};
use crate::{Capabilities, DialectConfig, Event, HeartbeatStyle, Notice};

/// How many round trips were measured.
fn rtts(harness: &Harness) -> usize {
    harness.notices.iter().filter(|notice| matches!(notice, Notice::Pong { .. })).count()
}

/// Every 10 s a ping of each kind, then 4 s for an answer. Never stable, so that no further one asks for
/// that.
fn beating_both_ways(config: &mut crate::ConfigBuilder) {
    config.heartbeat.interval = secs(10);
    config.heartbeat.deadline = secs(4);
    config.retry.stable_after = secs(86_400);
    config.heartbeat.style = HeartbeatStyle::Both;
    config.dialect = DialectConfig::text();
}

#[test]
fn beside_a_protocol_ping_goes_one_of_the_dialect_that_need_not_be_answered() {
    let mut harness = Harness::open_with(beating_both_ways);
    harness.advance(secs(45));
    assert_eq!(harness.pings(), [10_000, 20_000, 30_000, 40_000]);
    assert_eq!(harness.take_texts(), ["ping"; 4]);
    assert_eq!((harness.dead(), rtts(&harness)), (None, 4));
}

#[test]
fn where_only_the_ping_of_the_dialect_is_answered_the_link_is_alive() {
    let mut harness = Harness::open_with(beating_both_ways);
    harness.pongs = false;
    for _ in 0..4 {
        harness.advance(secs(10));
        harness.receive_text("pong");
    }
    assert_eq!((harness.dead(), harness.messages().len()), (None, 0));
    assert_eq!(rtts(&harness), 0, "the round trip is that of the protocol ping");
    harness.advance(secs(14));
    assert_eq!(harness.dead(), Some(("pong", 14_000)));
}

#[test]
fn a_transport_without_protocol_pings_is_asked_by_the_dialect_alone() {
    let config = Harness::new(beating_both_ways).connection.config().clone();
    let mut harness =
        Harness::with_dialect(config.clone(), crate::BuiltIn::new(&config.dialect), 1);
    let transport = harness.transport();
    harness.done(Event::Opened { transport, capabilities: Capabilities::BROWSER });
    harness.advance(secs(10));
    assert_eq!(harness.take_frames(), [text("ping")]);
    harness.advance(secs(4));
    assert_eq!(harness.dead(), Some(("pong", 14_000)));
}
