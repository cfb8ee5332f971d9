//! The basics: `Config::basics()`.

use alloc::vec;

use super::{dialled, live, open, preset, written};
use crate::testing::{ms, secs};
use crate::{
    DialError, DialFailure, End, EndKind, Event, Frame, Payload, ReadyState, Reason, State,
};

#[test]
fn the_ready_state_goes_from_0_to_3_as_in_a_browser() {
    let mut harness = preset("basics");
    let mut seen = vec![harness.connection.ready_state() as u8];
    harness.open();
    seen.push(harness.connection.ready_state() as u8);
    harness.close();
    seen.push(harness.connection.ready_state() as u8);
    harness.peer_closes(1000);
    harness.end(EndKind::Eof);
    seen.push(harness.connection.ready_state() as u8);
    assert_eq!(seen, [0, 1, 2, 3]);
    assert!(harness.closed().clean);
}

#[test]
fn between_two_sockets_it_is_connecting() {
    let mut harness = open("basics");
    harness.reset();
    assert_eq!(harness.connection.ready_state(), ReadyState::Connecting);
    harness.await_dial();
    assert_eq!(harness.connection.ready_state(), ReadyState::Connecting);
}

#[test]
fn the_buffered_amount_counts_bytes_that_the_network_has_not_taken() {
    let mut harness = open("basics");
    harness.flushes = false;
    assert_eq!(harness.connection.buffered_amount(), 0);
    harness.send("héllo");
    harness.send(vec![0_u8; 10]);
    assert_eq!(harness.connection.buffered_amount(), 6 + 10);
    harness.flush(1);
    assert_eq!(harness.connection.buffered_amount(), 10);
    harness.flush(2);
    assert_eq!(harness.connection.buffered_amount(), 0);
    // While down as well.
    harness.reset();
    harness.send("later");
    assert_eq!(harness.connection.buffered_amount(), 5);
}

#[test]
fn text_and_binary_pass_both_ways() {
    let mut harness = open("basics");
    let bytes = vec![0_u8, 1, 255];
    harness.send("text");
    harness.send(bytes.clone());
    let frames = [Frame::Text("text".into()), Frame::Binary(bytes.clone().into())];
    for frame in frames.clone() {
        harness.receive(frame);
    }
    assert_eq!(harness.take_frames(), frames);
    let received: vec::Vec<_> =
        harness.messages().into_iter().map(|message| message.payload).collect();
    assert_eq!(received, [Payload::from("text"), Payload::from(bytes)]);
}

#[test]
fn the_text_ping_goes_out_every_5_s() {
    let mut harness = open("basics");
    live(&mut harness, 21, "ping", "pong");
    assert_eq!(written(&harness, "ping"), [5_000, 10_000, 15_000, 20_000]);
    assert!(harness.messages().is_empty(), "a pong is no message");
}

#[test]
fn it_reconnects_3_s_after_a_close() {
    let mut harness = open("basics");
    harness.peer_closes(1000);
    harness.end(EndKind::Eof);
    harness.advance(ms(2_999));
    assert_eq!(harness.dials.len(), 1);
    harness.advance(ms(1));
    assert_eq!(dialled(&harness), [0, 3_000]);
    harness.open();
    assert_eq!(harness.connection.state(), State::Open);
}

#[test]
fn the_delay_is_3_s_however_long_the_outage() {
    let mut harness = preset("basics");
    for _ in 0..100 {
        harness.fail_dial();
        harness.await_dial();
    }
    assert_eq!(harness.delays(), [3_000; 100]);
}

#[test]
fn its_closing_can_be_told_from_a_loss() {
    let mut harness = open("basics");
    harness.close();
    harness.end(EndKind::Eof);
    assert_eq!(harness.closed().reason, Reason::Application);
    assert!(harness.delays().is_empty());
}

// --- faults left behind ------------------------------------------------------------------------

#[test]
fn fault_gone_error_and_close_start_one_reconnect() {
    let end = |kind| move |transport| Event::Ended { transport, end: End::new(kind) };
    // In either order, while open.
    for kinds in [[EndKind::Io, EndKind::Eof], [EndKind::Eof, EndKind::Io]] {
        let mut harness = open("basics");
        let transport = harness.transport();
        harness.done(end(kinds[0])(transport));
        harness.stale(end(kinds[1])(transport));
        harness.advance(secs(9));
        assert_eq!(dialled(&harness), [0, 3_000], "{kinds:?}");
    }
    // After the close frame.
    let mut harness = open("basics");
    harness.peer_closes(1001);
    harness.end(EndKind::Io);
    harness.advance(secs(9));
    assert_eq!(dialled(&harness), [0, 3_000]);
    // While dialling.
    let mut harness = preset("basics");
    harness.fail_dial();
    let transport = harness.transport();
    harness.stale(end(EndKind::Eof)(transport));
    let failure = DialFailure::new(DialError::Connect, "");
    harness.stale(Event::DialFailed { transport, failure });
    harness.advance(secs(9));
    assert_eq!(dialled(&harness), [0, 3_000]);
}

#[test]
fn fault_gone_sockets_do_not_multiply() {
    // The harness panics where two transports are live at once.
    let mut harness = open("basics");
    for round in 1..=20 {
        let transport = harness.transport();
        harness.end(EndKind::Io);
        harness.stale(Event::Ended { transport, end: End::new(EndKind::Eof) });
        harness.reopen();
        assert_eq!(harness.dials.len(), 1 + round);
    }
}
