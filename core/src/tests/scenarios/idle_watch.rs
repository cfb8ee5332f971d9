//! The idle watch: `Config::idle_watch()`.

use super::{a_close_is_final, dialled, live, open, preset, written};
use crate::testing::{ms, secs};
use crate::{EndKind, Event, State};

#[test]
fn the_ping_goes_out_after_10_s_of_quiet() {
    let mut harness = open("idle-watch");
    harness.advance(ms(9_999));
    assert!(harness.writes.is_empty());
    harness.advance(ms(1));
    assert_eq!(written(&harness, "ping"), [10_000]);
}

#[test]
fn any_pong_restarts_the_cycle() {
    let mut harness = open("idle-watch");
    harness.advance(secs(10));
    harness.advance(secs(7));
    harness.receive_text("pong");
    harness.advance(secs(10));
    assert_eq!(written(&harness, "ping"), [10_000, 27_000]);
    // One that nobody asked for, too.
    harness.receive_text("pong");
    harness.advance(secs(3));
    harness.receive_text("pong");
    harness.advance(secs(10));
    assert_eq!(written(&harness, "ping"), [10_000, 27_000, 40_000]);
    assert_eq!(harness.dead(), None);
    assert!(harness.messages().is_empty(), "a pong is no message");
}

#[test]
fn no_pong_for_10_s_more_closes_the_socket() {
    let mut harness = open("idle-watch");
    harness.advance(ms(19_999));
    assert_eq!((harness.dead(), harness.connection.state()), (None, State::Open));
    harness.advance(ms(1));
    assert_eq!(harness.dead(), Some(("pong", 20_000)));
    assert_eq!(harness.aborts, [1]);
}

#[test]
fn reconnect_is_single_flight_after_4_s() {
    let mut harness = open("idle-watch");
    harness.end(EndKind::Reset);
    let transport = harness.transport();
    for _ in 0..3 {
        harness.stale(Event::Ended { transport, end: crate::End::new(EndKind::Reset) });
    }
    harness.advance(ms(3_999));
    assert_eq!(harness.dials.len(), 1);
    harness.advance(secs(2));
    assert_eq!(dialled(&harness), [0, 4_000]);
    assert_eq!(harness.delays(), [4_000]);
}

#[test]
fn reconnect_waits_4_s_each_time_and_does_not_give_up() {
    let mut harness = preset("idle-watch");
    for _ in 0..50 {
        harness.fail_dial();
        harness.await_dial();
    }
    assert_eq!(harness.delays(), [4_000; 50]);
}

#[test]
fn each_connect_is_a_dial_of_its_own_so_that_its_url_can_be_built_anew() {
    let mut harness = preset("idle-watch");
    for _ in 0..3 {
        harness.fail_dial();
        harness.await_dial();
    }
    let transports: alloc::vec::Vec<_> = harness.dials.iter().map(|dial| dial.transport).collect();
    assert_eq!(transports, [1, 2, 3, 4]);
}

#[test]
fn leaving_closes() {
    a_close_is_final("idle-watch");
}

// --- faults left behind ------------------------------------------------------------------------

#[test]
fn fault_gone_any_traffic_counts_as_life() {
    // A server that talks is not even asked.
    let mut harness = open("idle-watch");
    for _ in 0..20 {
        harness.advance(secs(9));
        harness.receive_text("news");
    }
    assert!(harness.writes.is_empty());
    // One that answers with something else lives.
    harness.advance(secs(10));
    assert_eq!(written(&harness, "ping").len(), 1);
    harness.advance(secs(9));
    harness.receive_text("news");
    harness.advance(secs(9));
    assert_eq!(harness.dead(), None);
    // So does one whose message is still on its way.
    harness.advance(secs(1));
    harness.advance(secs(9));
    harness.hear();
    harness.advance(secs(9));
    assert_eq!((harness.dead(), harness.connection.state()), (None, State::Open));
}

#[test]
fn fault_gone_the_first_ping_goes_out_once() {
    let mut harness = open("idle-watch");
    live(&mut harness, 35, "ping", "pong");
    assert_eq!(written(&harness, "ping"), [10_000, 20_000, 30_000]);
    // Nor after a reconnect, when the old transport's time would have come.
    harness.reset();
    harness.reopen();
    harness.advance(secs(12));
    assert_eq!(written(&harness, "ping")[3..], [49_000]);
}
