//! The realtime system: `Config::realtime()`.

use alloc::collections::BTreeSet;

use super::{a_close_is_final, fail_until_closed, live, nominal_delays, open, preset, preset_with};
use crate::testing::{Harness, ms, secs, text};
use crate::{
    BuiltIn, Capabilities, ClosedBy, Config, DialError, DialFailure, End, EndKind, Event, Jitter,
    Notice, ReadyState, Reason, Rejected, State, Warning,
};

const PING: &str = r#"{"type":"heartbeat""#;
const PONG: &str = r#"{"type":"pong"}"#;

#[test]
fn connecting_fails_when_the_attempt_fails() {
    let mut harness = preset("realtime");
    harness.fail_dial();
    let closed = harness.closed();
    assert!(matches!(closed.reason, Reason::FirstFailed(_)));
    assert_eq!(harness.dials.len(), 1);
}

#[test]
fn connecting_succeeds_when_it_is_open() {
    let harness = open("realtime");
    assert_eq!(harness.changes(), ["connecting-open"]);
    assert_eq!(harness.connection.ready_state(), ReadyState::Open);
}

#[test]
fn the_delays_are_exponential_from_1_s_and_spread() {
    let mut harness = open("realtime");
    live(&mut harness, 60, PING, PONG);
    harness.reset();
    fail_until_closed(&mut harness);
    assert_eq!(nominal_delays(&harness), [1_000, 2_000, 4_000, 8_000, 16_000]);
    for (delay, nominal) in harness.delays().into_iter().zip(nominal_delays(&harness)) {
        assert!(u128::from(delay) <= nominal, "{delay} of {nominal}");
    }
    // Who lost it at the same time does not come back at the same time.
    assert_eq!(Config::realtime().retry.jitter, Jitter::Full);
    let firsts: BTreeSet<_> = (1..=8).map(first_delay).collect();
    assert!(firsts.len() > 4, "{firsts:?}");
}

/// The delay before the first reconnect of a connection with this seed.
fn first_delay(seed: u64) -> u64 {
    let config = Config::realtime();
    let dialect = BuiltIn::new(&config.dialect);
    let mut harness = Harness::with_dialect(config, dialect, seed);
    harness.open();
    live(&mut harness, 60, PING, PONG);
    harness.reset();
    harness.delays()[0]
}

#[test]
fn the_delays_can_be_linear_as_they_were() {
    let mut harness = preset_with("realtime", |config| {
        config.retry.backoff = crate::Backoff::Linear { base: secs(1) };
        config.retry.jitter = crate::Jitter::None;
    });
    harness.open();
    live(&mut harness, 60, PING, PONG);
    harness.reset();
    fail_until_closed(&mut harness);
    assert_eq!(harness.delays(), [1_000, 2_000, 3_000, 4_000, 5_000]);
}

#[test]
fn at_most_5_attempts_follow_a_loss() {
    let mut harness = open("realtime");
    live(&mut harness, 60, PING, PONG);
    harness.reset();
    assert_eq!(fail_until_closed(&mut harness), 5);
    assert!(matches!(harness.closed().reason, Reason::MaxAttempts(_)));
    // A connection that did not last does not start the count anew.
    let mut harness = open("realtime");
    harness.advance(secs(5));
    harness.reset();
    assert_eq!(fail_until_closed(&mut harness), 5);
}

#[test]
fn the_heartbeat_every_30_s_carries_a_timestamp() {
    let origin = 1_700_000_000_000;
    let mut harness = preset_with("realtime", |config| config.wall_clock_origin_ms = origin);
    harness.open();
    live(&mut harness, 65, PING, PONG);
    // The harness starts a second after its origin.
    let beats = [
        r#"{"type":"heartbeat","timestamp":1700000031000}"#,
        r#"{"type":"heartbeat","timestamp":1700000061000}"#,
    ];
    assert_eq!(harness.take_texts(), beats);
}

#[test]
fn inbound_text_is_passed_raw_and_with_a_warning_where_it_is_not_json() {
    let mut harness = open("realtime");
    let warnings = |harness: &Harness| {
        let is_one =
            |notice: &&Notice| matches!(notice, Notice::Warning(Warning::Unreadable { .. }));
        harness.notices.iter().filter(is_one).count()
    };
    for (text, is_json) in [
        (r#"{"event_id":"7","piece":"He"}"#, true),
        ("[1, 2]", true),
        ("7", true),
        ("no JSON", false),
        ("{", false),
        (r#"{"event_id":"7"} {"#, false),
        ("", false),
    ] {
        let before = warnings(&harness);
        harness.receive_text(text);
        assert_eq!(harness.messages().last().and_then(|message| message.as_text()), Some(text));
        assert_eq!(warnings(&harness) - before, usize::from(!is_json), "{text}");
    }
}

/// What is offered while down comes back at once, and is not sent later.
fn comes_back_as_not_open(harness: &mut Harness) {
    let Rejected::NotOpen(message) = harness.refused("lost") else { panic!("another reason") };
    assert_eq!(message, "lost".into());
    assert_eq!(harness.connection.status().queued, 0);
}

#[test]
fn send_while_down_is_an_error_and_not_silence() {
    let mut harness = preset("realtime");
    comes_back_as_not_open(&mut harness);
    harness.open();
    harness.reset();
    comes_back_as_not_open(&mut harness);
    harness.await_dial();
    comes_back_as_not_open(&mut harness);
    harness.open();
    assert!(harness.take_texts().is_empty(), "it is not sent behind one's back");
    harness.send("now");
    assert_eq!(harness.take_texts(), ["now"]);
    harness.close();
    assert!(matches!(harness.refused("late"), Rejected::Closed(_)));
}

#[test]
fn is_connected_follows_the_connection() {
    let mut harness = preset("realtime");
    let connected = |harness: &Harness| harness.connection.ready_state() == ReadyState::Open;
    assert!(!connected(&harness));
    harness.open();
    assert!(connected(&harness));
    harness.reset();
    assert!(!connected(&harness));
    harness.reopen();
    assert!(connected(&harness));
    harness.close();
    // The handshake of the close is under way: the state is the same still, but nothing can be sent.
    assert_eq!(harness.connection.state(), State::Open);
    assert!(!connected(&harness));
    assert!(matches!(harness.refused("late"), Rejected::Closed(_)));
    harness.end(EndKind::Eof);
    assert!(!connected(&harness));
}

#[test]
fn without_a_token_there_is_no_connection() {
    // So says the driver whose request hook has none: at the first connect, and at a reconnect.
    for (kind, reconnect) in [
        (DialError::Request, false),
        (DialError::RequestRefused, false),
        (DialError::Request, true),
        (DialError::RequestRefused, true),
    ] {
        let mut harness = preset("realtime");
        if reconnect {
            harness.open();
            harness.reset();
            harness.await_dial();
        }
        harness.fail_with(DialFailure::new(kind, "no token"));
        if kind == DialError::Request && reconnect {
            // It may have one the next time.
            harness.reopen();
            continue;
        }
        assert_eq!(harness.closed().by, ClosedBy::Policy);
        harness.advance(secs(3_600));
        assert_eq!(harness.dials.len(), 1 + usize::from(reconnect), "{kind:?}");
    }
}

// --- faults left behind ------------------------------------------------------------------------

#[test]
fn fault_gone_a_manual_disconnect_never_reconnects() {
    a_close_is_final("realtime");
}

#[test]
fn fault_gone_an_event_of_an_old_socket_changes_nothing() {
    let mut harness = open("realtime");
    let old = harness.transport();
    harness.reset();
    harness.reopen();
    let before = harness.connection.status();
    let (notices, writes) = (harness.notices.len(), harness.writes.len());
    let events = [
        Event::Opened { transport: old, capabilities: Capabilities::SOCKET },
        Event::Received { transport: old, frame: text("late") },
        Event::Received { transport: old, frame: crate::Frame::Close(None) },
        Event::Ended { transport: old, end: End::new(EndKind::Eof) },
    ];
    let count = events.len();
    for event in events {
        harness.stale(event);
    }
    let mut after = harness.connection.status();
    assert_eq!(after.counters.stale_events, u64::try_from(count).expect("few"));
    after.counters.stale_events = before.counters.stale_events;
    assert_eq!(after, before);
    assert_eq!((harness.notices.len(), harness.writes.len()), (notices, writes));
    harness.advance(ms(1));
    assert_eq!(harness.dials.len(), 2);
}
