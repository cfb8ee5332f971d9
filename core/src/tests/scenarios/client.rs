//! The queueing client: `Config::client()`, and the reliable one on it.

use super::{a_close_is_final, fail_until_closed, live, open, preset, preset_with, written};
use crate::testing::{Harness, ms, secs};
use crate::{
    Class, ClosedBy, Config, DialectConfig, EndKind, Event, JsonConfig, Notice, Reason, Rejected,
};

const PING: &str = r#"{"type":"ping"}"#;
const PONG: &str = r#"{"type":"pong"}"#;

#[test]
fn a_ping_goes_out_every_30_s() {
    let mut harness = open("client");
    live(&mut harness, 95, PING, PONG);
    assert_eq!(written(&harness, PING), [30_000, 60_000, 90_000]);
}

#[test]
fn five_reconnects_5_s_apart_and_then_the_end() {
    let mut harness = preset("client");
    assert_eq!(fail_until_closed(&mut harness), 1 + 5);
    assert_eq!(harness.delays(), [5_000; 5]);
    harness.advance(secs(3_600));
    assert_eq!(harness.dials.len(), 6);
    // A connection that was lost at once is no better.
    let mut harness = open("client");
    harness.reset();
    assert_eq!(fail_until_closed(&mut harness), 5);
    // One that lasted has them all again.
    let mut harness = open("client");
    live(&mut harness, 60, PING, PONG);
    harness.reset();
    assert_eq!(fail_until_closed(&mut harness), 5);
    assert_eq!(harness.delays(), [5_000; 5]);
}

#[test]
fn a_server_that_takes_pings_and_answers_none_is_alive_as_long_as_its_socket_is() {
    // The ping of RFC 6455 that goes out beside ours is answered by every server.
    let mut harness = open("client");
    harness.advance(secs(300));
    assert_eq!((written(&harness, PING).len(), harness.dead()), (10, None));
    // One that does not do even that is dead.
    harness.pongs = false;
    harness.advance(secs(50));
    assert!(harness.dead().is_some_and(|(why, _)| why == "pong"));
}

#[test]
fn that_reconnecting_failed_can_be_told_from_every_other_end() {
    let failed = |harness: &Harness| {
        let closed = harness.closed();
        closed.by == ClosedBy::Policy && matches!(closed.reason, Reason::MaxAttempts(_))
    };
    let mut harness = preset("client");
    fail_until_closed(&mut harness);
    assert!(failed(&harness));
    assert!(matches!(harness.notices.last(), Some(Notice::Closed(_))), "the last notice");
    let mut harness = preset("client");
    harness.close();
    assert!(!failed(&harness));
    let mut harness = preset("client");
    harness.refuse(401, None);
    assert!(!failed(&harness));
    let mut harness = open("client");
    harness.peer_closes(1008);
    harness.end(EndKind::Eof);
    assert!(!failed(&harness));
}

#[test]
fn what_is_sent_while_not_open_is_flushed_in_order_on_open() {
    let mut harness = preset("client");
    for text in ["a", "b", "c"] {
        harness.send(text);
    }
    assert_eq!(harness.connection.status().queued, 3);
    harness.open();
    assert_eq!(harness.take_texts(), ["a", "b", "c"]);
    harness.reset();
    for text in ["d", "e"] {
        harness.send(text);
    }
    harness.reopen();
    assert_eq!(harness.take_texts(), ["d", "e"]);
    assert_eq!(harness.connection.status().queued, 0);
}

#[test]
fn a_manual_close_stops_everything() {
    a_close_is_final("client");
    // What was queued is told, not forgotten.
    let mut harness = preset("client");
    harness.send("queued");
    harness.close();
    assert_eq!(harness.fates(), ["1 dropped Closed"]);
}

#[test]
fn application_messages_pass_unchanged_both_ways() {
    let mut harness = open("client");
    let texts = [
        r#"{"type":"message","user":"ada","text":"hello"}"#,
        r#"{"type":"subscribe","symbols":["A","B"]}"#,
        r#"{"type":"playerMove","x":1.5,"y":2,"timestamp":1700000000000}"#,
        r#"{"type":"playerJoin","id":"p1"}"#,
        r#"{"type":"stream","content":"He"}"#,
        r#"{"type":"complete"}"#,
    ];
    for text in texts {
        harness.send(text);
        harness.receive_text(text);
        assert_eq!(harness.messages().last().and_then(|message| message.as_text()), Some(text));
    }
    assert_eq!(harness.take_texts(), texts);
}

// --- robust --------------------------------------------------------------------------------------

#[test]
fn robust_send_gives_the_message_back_instead_of_throwing() {
    let mut harness = preset("client");
    for _ in 0..Config::client().outbox.max_messages {
        harness.send("x");
    }
    assert_eq!(harness.refused("full").into_message(), Some("full".into()));
    harness.close();
    let refused = harness.refused("closed");
    assert!(matches!(refused, Rejected::Closed(_)));
    assert_eq!(refused.into_message(), Some("closed".into()));
}

#[test]
fn robust_every_error_is_told_with_its_reason() {
    let mut harness = preset("client");
    harness.fail_dial();
    harness.reopen();
    harness.reset();
    let reasons = harness.notices.iter().filter_map(|notice| match notice {
        Notice::Retrying { reason, .. } => Some(alloc::format!("{reason}")),
        _ => None,
    });
    let reasons: alloc::vec::Vec<_> = reasons.collect();
    assert_eq!(reasons.len(), 2);
    assert!(reasons[0].contains("refused") && reasons[1].contains("reset"), "{reasons:?}");
}

// --- reliable ------------------------------------------------------------------------------------

/// The client with an envelope and acknowledgements.
fn reliable() -> Harness {
    let mut harness = preset_with("client", |config| {
        config.dialect = DialectConfig::Json(JsonConfig::default());
        config.outbox.class = Class::Acknowledged;
    });
    harness.open();
    harness
}

#[test]
fn reliable_a_message_goes_out_with_id_data_and_timestamp() {
    let mut harness = reliable();
    harness.send(r#"{"text":"hi"}"#);
    harness.send("hi");
    let expected = [
        r#"{"id":1,"data":{"text":"hi"},"timestamp":1000}"#,
        r#"{"id":2,"data":"hi","timestamp":1000}"#,
    ];
    assert_eq!(harness.take_texts(), expected);
}

#[test]
fn reliable_without_an_ack_it_is_resent_after_5_s_and_an_ack_removes_it() {
    let mut harness = reliable();
    harness.send("hi");
    let first = harness.take_texts();
    harness.advance(ms(4_999));
    assert!(harness.take_texts().is_empty());
    harness.advance(ms(1));
    assert_eq!(harness.take_texts(), first);
    assert_eq!(harness.connection.status().in_flight, 1);
    harness.receive_text(r#"{"type":"ack","id":1}"#);
    let status = harness.connection.status();
    assert_eq!((status.in_flight, status.queued, status.outbox_bytes), (0, 0, 0));
    harness.advance(secs(20));
    assert!(harness.take_texts().is_empty());
    assert_eq!(harness.fates(), ["1 acknowledged"]);
}

#[test]
fn fault_gone_reliable_a_resend_keeps_its_id() {
    let mut harness = reliable();
    harness.send("one");
    harness.send("two");
    let first = harness.take_texts();
    harness.advance(secs(5));
    assert_eq!(harness.take_texts(), first, "the same ids and bytes, within a connection");
    harness.reset();
    harness.reopen();
    assert_eq!(harness.take_texts(), first, "and on the next one");
}

// --- stateful ------------------------------------------------------------------------------------

#[test]
fn stateful_every_change_is_told_with_the_old_and_the_new_state() {
    let mut harness = preset("client");
    harness.fail_dial();
    harness.reopen();
    harness.reset();
    harness.await_dial();
    harness.fail_dial();
    harness.reopen();
    harness.done(Event::Reconnect);
    fail_until_closed(&mut harness);
    let expected = [
        "connecting-open",
        "open-reconnecting",
        "reconnecting-open",
        "open-reconnecting",
        "reconnecting-closed",
    ];
    assert_eq!(harness.changes(), expected);
}
