//! The connection manager: `Config::manager()`.

use alloc::vec;

use super::{
    a_close_is_final, dialled, fail_until_closed, live, open, preset, preset_with, written,
};
use crate::testing::{Harness, ms, secs};
use crate::{
    ClosedBy, Config, EndKind, Event, Frame, HeartbeatStyle, Payload, Reason, Rejected, State,
};

const PING: &str = r#"{"type":"ping"}"#;
const PONG: &str = r#"{"type":"pong"}"#;

#[test]
fn it_connects_by_itself_unless_told_otherwise() {
    assert_eq!(dialled(&preset("manager")), [0]);
    let mut harness = preset_with("manager", |config| config.connect.auto = false);
    harness.advance(secs(60));
    assert!(harness.dials.is_empty());
    harness.done(Event::Reconnect);
    harness.open();
}

#[test]
fn open_starts_the_heartbeat_and_is_told() {
    let mut harness = open("manager");
    assert_eq!(harness.changes(), ["connecting-open"]);
    harness.advance(secs(30) - ms(1));
    assert!(harness.take_texts().is_empty());
    harness.advance(ms(1));
    assert_eq!(harness.take_texts(), [PING]);
}

#[test]
fn open_resets_the_counter_once_the_link_has_proved_alive() {
    let mut harness = preset("manager");
    for _ in 0..3 {
        harness.fail_dial();
        harness.await_dial();
    }
    harness.open();
    assert_eq!(harness.connection.status().attempt, 4);
    live(&mut harness, 31, PING, PONG);
    assert_eq!(harness.connection.status().attempt, 0);
    harness.reset();
    harness.await_dial();
    assert_eq!(harness.dials.last().expect("dialled").attempt, 1);
}

#[test]
fn a_ping_goes_out_every_30_s_exactly() {
    // Whether the server says something of its own or not.
    for talk in [false, true] {
        let mut harness = open("manager");
        for _ in 0..10 {
            live(&mut harness, 10, PING, PONG);
            if talk {
                harness.receive_text("news");
                harness.send("more news");
            }
        }
        assert_eq!(written(&harness, PING), [30_000, 60_000, 90_000], "{talk}");
        assert_eq!(harness.dead(), None);
    }
}

#[test]
fn a_reconnect_starts_the_heartbeat_anew() {
    let mut harness = open("manager");
    harness.advance(secs(20));
    harness.reset();
    harness.reopen();
    harness.advance(secs(30));
    assert_eq!(written(&harness, PING), [53_000]);
}

#[test]
fn the_heartbeat_can_be_switched_off() {
    let mut harness = preset_with("manager", |config| config.heartbeat.style = HeartbeatStyle::Off);
    harness.open();
    harness.advance(secs(3_600));
    assert!(harness.writes.is_empty());
    assert_eq!(harness.connection.state(), State::Open);
}

#[test]
fn a_pong_is_consumed_and_never_reaches_the_application() {
    let mut harness = open("manager");
    harness.advance(secs(30));
    for pong in [PONG, r#"{ "type" : "pong", "at": 7 }"#] {
        harness.receive_text(pong);
    }
    assert!(harness.messages().is_empty());
    assert_eq!(harness.counters().received, 0);
    // What only looks like one is a message.
    for other in [r#"{"data":{"type":"pong"}}"#, r#"["pong"]"#, "pong"] {
        harness.receive_text(other);
    }
    assert_eq!(harness.messages().len(), 3);
}

#[test]
fn inbound_text_is_passed_on_as_it_is_json_or_not() {
    let mut harness = open("manager");
    let texts = [r#"{"type":"chat", "text":"hi"}"#, "hello", r#"{"type":"#, "", "[1,2", "null"];
    for text in texts {
        harness.receive_text(text);
    }
    harness.receive(Frame::Binary(vec![0, 255].into()));
    let received = harness.messages();
    assert_eq!(received.len(), texts.len() + 1);
    for (message, text) in received.iter().zip(texts) {
        assert_eq!(message.as_text(), Some(text));
    }
    assert_eq!(received[texts.len()].payload, Payload::from(vec![0, 255]));
    assert_eq!(harness.connection.state(), State::Open);
}

#[test]
fn strings_are_sent_unchanged() {
    let mut harness = open("manager");
    let texts = ["hello", r#"{"type":"chat"}"#, r#"{"id":7}"#, "7", ""];
    for text in texts {
        harness.send(text);
    }
    assert_eq!(harness.take_texts(), texts);
}

#[test]
fn a_peer_that_breaks_the_protocol_is_pinged_no_more_and_left_for_good() {
    let mut harness = open("manager");
    harness.violate(1002);
    harness.advance(secs(3_600));
    assert!(written(&harness, PING).is_empty());
    assert_eq!((harness.dials.len(), harness.delays().len()), (1, 0));
    let closed = harness.closed();
    assert_eq!((closed.by, closed.code), (ClosedBy::Policy, 1002));
}

#[test]
fn a_close_reconnects_once_after_3_s() {
    for error_first in [false, true] {
        let mut harness = open("manager");
        harness.advance(secs(10));
        if error_first {
            harness.end(EndKind::Io);
        } else {
            harness.peer_closes(1001);
            harness.end(EndKind::Eof);
        }
        // However often the same end is told.
        let transport = harness.transport();
        harness.stale(Event::Ended { transport, end: crate::End::new(EndKind::Eof) });
        assert_eq!(harness.delays(), [3_000]);
        harness.advance(ms(2_999));
        assert_eq!(harness.dials.len(), 1);
        harness.advance(secs(5));
        assert_eq!(dialled(&harness), [0, 13_000], "{error_first}");
    }
}

#[test]
fn the_delay_is_3_s_every_time() {
    let mut harness = preset("manager");
    fail_until_closed(&mut harness);
    assert_eq!(harness.delays(), [3_000; 10]);
    // And where every dial hangs until its time is up.
    let mut harness = preset("manager");
    harness.advance(secs(3_600));
    assert_eq!(harness.delays(), [3_000; 10]);
}

#[test]
fn two_reconnects_are_never_pending() {
    let mut harness = open("manager");
    harness.reset();
    // By hand, while one is pending already. The harness panics at a second live transport.
    harness.done(Event::Reconnect);
    harness.open();
    harness.advance(secs(20));
    assert_eq!(dialled(&harness), [0, 0]);
}

#[test]
fn a_manual_close_never_reconnects() {
    a_close_is_final("manager");
}

#[test]
fn a_manual_reconnect_resets_the_counter_and_connects_at_once() {
    let mut harness = preset("manager");
    for _ in 0..9 {
        harness.fail_dial();
        harness.await_dial();
    }
    harness.fail_dial();
    let before = harness.now;
    harness.done(Event::Reconnect);
    let dial = *harness.dials.last().expect("dialled");
    assert_eq!((dial.at, dial.attempt), (before, 1));
    assert_eq!(fail_until_closed(&mut harness), 11, "all of them are there again");
}

#[test]
fn giving_up_is_as_final_as_a_close_to_a_reconnect_by_hand() {
    for by_hand in [false, true] {
        let mut harness = preset("manager");
        if by_hand {
            harness.close();
        } else {
            fail_until_closed(&mut harness);
        }
        let dials = harness.dials.len();
        harness.stale(Event::Reconnect);
        harness.advance(secs(3_600));
        assert_eq!((harness.connection.state(), harness.dials.len()), (State::Closed, dials));
        assert_eq!(harness.wait, None, "no timer is left");
        // The one closed notice says so too, and there is no second one.
        let by = if by_hand { ClosedBy::Application } else { ClosedBy::Policy };
        assert_eq!(harness.closed().by, by);
    }
}

#[test]
fn without_a_maximum_a_reconnect_by_hand_is_always_possible() {
    let mut harness = preset_with("manager", |config| config.retry.max_retries = None);
    for _ in 0..100 {
        harness.fail_dial();
        harness.await_dial();
    }
    harness.fail_dial();
    let before = harness.now;
    harness.done(Event::Reconnect);
    assert_eq!(harness.dials.last().map(|dial| (dial.at, dial.attempt)), Some((before, 1)));
    harness.open();
}

#[test]
fn the_status_says_connected_closed_by_hand_and_how_many_reconnects() {
    let mut harness = open("manager");
    assert_eq!(harness.connection.status().state, State::Open);
    harness.reset();
    harness.await_dial();
    let status = harness.connection.status();
    assert_eq!((status.state, status.attempt), (State::Reconnecting, 2));
    harness.open();
    assert_eq!(harness.connection.status().counters.reconnects, 1);
    harness.close();
    harness.end(EndKind::Eof);
    assert_eq!(harness.connection.status().state, State::Closed);
    assert_eq!(harness.closed().by, ClosedBy::Application);
}

#[test]
fn the_status_says_what_a_store_keeps_of_connection_loading_and_error() {
    let mut harness = preset("manager");
    let status = harness.connection.status();
    assert_eq!(
        (status.state, status.phase, status.last_error),
        (State::Connecting, "dialing", None)
    );
    harness.fail_dial();
    let status = harness.connection.status();
    assert_eq!(status.phase, "waiting");
    assert!(status.last_error.is_some_and(|error| error.contains("refused")));
}

#[test]
fn state_listeners_are_told_every_change() {
    let mut harness = open("manager");
    harness.reset();
    harness.reopen();
    harness.close();
    harness.end(EndKind::Eof);
    let changes = ["connecting-open", "open-reconnecting", "reconnecting-open", "open-closed"];
    assert_eq!(harness.changes(), changes);
}

#[test]
fn repeated_messages_are_dropped_where_asked_for() {
    let mut harness = preset_with("manager", |config| config.inbox.dedupe = 100);
    harness.open();
    for text in [r#"{"id":1}"#, r#"{"id":2}"#, r#"{"id":1}"#] {
        harness.receive_text(text);
    }
    assert_eq!((harness.messages().len(), harness.counters().duplicates), (2, 1));
}

// --- faults left behind ------------------------------------------------------------------------

fn gave_up(harness: &Harness) {
    let closed = harness.closed();
    assert_eq!(closed.by, ClosedBy::Policy);
    assert!(matches!(closed.reason, Reason::MaxAttempts(_)));
    assert_eq!(harness.wait, None, "no timer is left");
}

#[test]
fn fault_gone_the_maximum_of_10_reconnects_is_enforced() {
    let mut harness = preset("manager");
    assert_eq!(fail_until_closed(&mut harness), 1 + 10);
    gave_up(&harness);
}

#[test]
fn fault_gone_the_maximum_is_enforced_on_a_server_that_opens_and_hangs_up() {
    let mut harness = preset("manager");
    for _ in 0..11 {
        harness.reopen();
        harness.receive_text("welcome");
        harness.advance(secs(5));
        harness.peer_closes(1001);
    }
    gave_up(&harness);
    assert_eq!(harness.dials.len(), 1 + 10);
}

#[test]
fn the_maximum_is_counted_anew_after_a_connection_that_lasted() {
    let mut harness = open("manager");
    live(&mut harness, 60, PING, PONG);
    harness.reset();
    assert_eq!(fail_until_closed(&mut harness), 10);
    gave_up(&harness);
}

#[test]
fn fault_gone_a_missing_pong_kills_the_link() {
    let mut harness = open("manager");
    live(&mut harness, 35, PING, PONG);
    harness.advance(secs(25 + 20) - ms(1));
    assert_eq!((written(&harness, PING).len(), harness.dead()), (2, None));
    harness.advance(ms(1));
    assert!(harness.dead().is_some_and(|(why, _)| why == "pong"));
    assert_eq!(harness.aborts, [1], "it is closed actively");
    harness.advance(secs(3));
    assert_eq!(harness.dials.len(), 2, "and made anew");
}

#[test]
fn fault_gone_what_is_sent_while_down_is_queued_and_flushed_in_order() {
    let mut harness = preset("manager");
    harness.send("a");
    harness.send("b");
    harness.open();
    harness.reset();
    harness.send("c");
    harness.await_dial();
    harness.fail_dial();
    harness.send("d");
    harness.reopen();
    harness.send("e");
    assert_eq!(harness.take_texts(), ["a", "b", "c", "d", "e"]);
    assert_eq!(harness.counters().flushed, 5);
}

#[test]
fn the_queue_is_bounded_and_gives_back_what_it_cannot_hold() {
    let mut harness = preset("manager");
    let limit = Config::manager().outbox.max_messages;
    for _ in 0..limit {
        harness.send("x");
    }
    assert!(matches!(harness.refused("one more"), Rejected::QueueFull(_)));
    assert_eq!(harness.connection.status().queued, limit);
}
