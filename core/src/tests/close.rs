//! Closing, draining and reconnecting by hand, from every phase.

use crate::testing::{Harness, ms, secs};
use crate::{
    Class, CloseFrame, ClosedBy, DropReason, EndKind, Event, Fate, Frame, Notice, ReadyState,
    Reason, Rejected, State, Violation, Warning,
};

const PHASES: [&str; 11] = [
    "idle",
    "dialing",
    "waiting",
    "open",
    "suspended",
    "lingering",
    "redialing",
    "draining",
    "draining while down",
    "closing",
    "answering",
];

/// A connection brought into that phase.
fn in_phase(phase: &str) -> Harness {
    let mut harness = Harness::acks(|config| {
        config.connect.auto = phase != "idle";
        config.retry.suspend_after = Some(secs(5));
        config.outbox.class = Class::Queued;
    });
    match phase {
        "idle" | "dialing" => return harness,
        "waiting" => {
            harness.fail_dial();
            return harness;
        }
        _ => harness.open(),
    }
    match phase {
        "open" => {}
        "suspended" => {
            harness.reset();
            harness.advance(secs(6));
            assert!(harness.connection.status().suspended);
        }
        "lingering" => harness.peer_closes(1001),
        "redialing" => {
            harness.reset();
            harness.await_dial();
        }
        "draining" => {
            harness.send_as("unacknowledged", Class::Acknowledged);
            harness.drain(None);
        }
        "draining while down" => {
            harness.reset();
            harness.send("waits");
            harness.drain(None);
        }
        "closing" => harness.close(),
        "answering" => harness.peer_closes(1008),
        other => panic!("no phase {other}"),
    }
    harness
}

#[test]
fn close_ends_within_its_timeout_from_every_phase() {
    for phase in PHASES {
        let mut harness = in_phase(phase);
        harness.done(Event::Close(CloseFrame::new(4000, "")));
        harness.advance(secs(5));
        let closed = harness.closed();
        let (by, code) = match phase {
            "closing" => (ClosedBy::Application, 1000),
            "answering" => (ClosedBy::Server, 1008),
            _ => (ClosedBy::Application, 4000),
        };
        assert_eq!((closed.by, closed.code), (by, code), "{phase}");
        assert_eq!(harness.connection.ready_state(), ReadyState::Closed);
        assert_eq!(harness.wait, None, "{phase}");
        // Nothing follows, whatever comes; the harness panics at a notice, a dial or a write.
        let transport = harness.transport();
        harness.advance(secs(1_000));
        harness.done(Event::Close(CloseFrame::new(1000, "")));
        harness.drain(None);
        harness.stale(Event::Reconnect);
        harness.stale(Event::Ended { transport, end: crate::End::new(EndKind::Eof) });
        harness.stale(Event::Received { transport, frame: Frame::Text("late".into()) });
        harness.done(Event::Purge);
        harness.done(Event::PauseReads);
        harness.done(Event::ResumeReads);
        assert!(matches!(harness.refused("late"), Rejected::Closed(_)));
        harness.closed();
    }
}

#[test]
fn drain_ends_within_its_deadline_and_the_close_timeout_from_every_phase() {
    for phase in PHASES {
        let mut harness = in_phase(phase);
        harness.drain(Some(secs(7)));
        harness.advance(secs(10 + 5));
        harness.closed();
    }
}

#[test]
fn reconnect_works_from_every_phase_but_the_end() {
    for phase in PHASES {
        let mut harness = in_phase(phase);
        let before = harness.dials.len();
        harness.done(Event::Reconnect);
        assert_eq!(harness.dials.len(), before + 1, "{phase}");
        assert_eq!(harness.dials.last().expect("dialled").attempt, 1, "the counter is reset");
        let was_open = !matches!(phase, "idle" | "dialing" | "waiting");
        let state = if was_open { State::Reconnecting } else { State::Connecting };
        assert_eq!(harness.connection.state(), state, "{phase}");
        harness.open();
        assert!(!harness.connection.status().suspended);
        if !phase.starts_with("draining") {
            harness.send("after");
            assert_eq!(harness.connection.ready_state(), ReadyState::Open, "{phase}");
        }
    }
}

#[test]
fn reconnect_drops_a_hung_transport_and_resends_what_was_unacknowledged() {
    let mut harness = Harness::open_acks(|_| {});
    harness.flushes = false;
    harness.send("1");
    harness.done(Event::Reconnect);
    assert_eq!(harness.aborts, [1]);
    assert_eq!(harness.changes(), ["connecting-open", "open-reconnecting"]);
    harness.take_frames();
    harness.open();
    assert_eq!(harness.take_texts().len(), 1);
}

#[test]
fn the_first_delay_after_a_manual_reconnect_is_the_base() {
    let mut harness = Harness::new(|_| {});
    for _ in 0..4 {
        harness.fail_dial();
        harness.await_dial();
    }
    harness.done(Event::Reconnect);
    harness.fail_dial();
    assert_eq!(harness.delays(), [1_000, 2_000, 4_000, 8_000, 1_000]);
}

#[test]
fn a_connection_without_auto_waits_to_be_told() {
    let mut harness = Harness::new(|config| config.connect.auto = false);
    assert_eq!((harness.phase(), harness.wait), ("idle", None));
    harness.send("early");
    harness.advance(secs(1_000));
    assert!(harness.dials.is_empty());
    harness.done(Event::Reconnect);
    harness.open();
    assert_eq!(harness.fates(), ["1 flushed"]);
}

#[test]
fn the_close_handshake_is_clean_if_the_peer_answers() {
    let mut harness = Harness::open_with(|_| {});
    harness.close();
    assert_eq!(harness.connection.ready_state(), ReadyState::Closing);
    assert_eq!(harness.connection.state(), State::Open);
    assert_eq!(harness.take_frames(), [Frame::Close(Some(CloseFrame::new(1000, "bye")))]);
    harness.peer_closes(1000);
    assert!(!harness.is_closed(), "the peer ends the transport (RFC 6455 §7.1.1)");
    harness.end(EndKind::Eof);
    let closed = harness.closed();
    assert_eq!((closed.by, closed.clean), (ClosedBy::Application, true));
    assert!(harness.aborts.is_empty());
    assert_eq!(harness.changes(), ["connecting-open", "open-closed"]);
}

#[test]
fn a_peer_that_does_not_answer_the_close_is_left_after_the_timeout() {
    let mut harness = Harness::open_with(|config| config.close.timeout = secs(2));
    harness.close();
    harness.advance(ms(1_999));
    assert!(!harness.is_closed());
    harness.advance(ms(1));
    let closed = harness.closed();
    assert_eq!((closed.by, closed.clean), (ClosedBy::Application, false));
    assert_eq!(harness.aborts, [1]);
}

#[test]
fn a_close_is_not_delayed_by_data_and_nothing_follows_it() {
    let mut harness = Harness::open_with(|config| config.outbox.write_credit = 1);
    harness.flushes = false;
    harness.send("written");
    harness.send("waits");
    harness.close();
    assert_eq!(harness.fates(), ["2 dropped Closed"]);
    assert!(matches!(harness.refused("late"), Rejected::Closed(_)));
    harness.receive(Frame::Ping(crate::Bytes::new()));
    harness.flush(9);
    assert_eq!(harness.fates(), ["2 dropped Closed", "1 flushed"]);
    let frames = harness.take_frames();
    assert!(matches!(&frames[..], [Frame::Text(_), Frame::Close(_)]), "{frames:?}");
}

#[test]
fn acknowledgements_during_the_close_handshake_still_count() {
    let mut harness = Harness::open_acks(|_| {});
    harness.send("1");
    harness.send("2");
    harness.close();
    harness.receive_text(r#"{"ack":1}"#);
    harness.advance(secs(5));
    assert_eq!(harness.fates(), ["1 acknowledged", "2 uncertain Closed"]);
    harness.closed();
}

#[test]
fn messages_received_during_the_close_handshake_are_delivered() {
    let mut harness = Harness::open_with(|_| {});
    harness.close();
    harness.receive_text("last words");
    assert_eq!(harness.messages().len(), 1);
}

#[test]
fn a_close_code_that_may_not_be_sent_is_refused_and_nothing_happens() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
        let mut harness = Harness::open_with(|_| {});
        let before = harness.connection.clone();
        let close = CloseFrame::new(code, "");
        let refused = Err(Rejected::InvalidClose(close.clone()));
        assert_eq!(harness.handle(Event::Close(close.clone())), refused);
        assert_eq!(harness.handle(Event::Drain { timeout: None, close }), refused);
        assert_eq!(harness.connection, before);
    }
}

#[test]
fn the_goodbye_of_the_peer_is_answered_and_its_transport_lingers_until_the_next_dial() {
    let mut harness = Harness::open_with(|config| config.close.timeout = secs(60));
    harness.peer_closes(1001);
    assert_eq!(harness.take_frames(), [Frame::Close(Some(CloseFrame::new(1001, "")))]);
    assert_eq!(harness.phase(), "waiting");
    assert!(harness.aborts.is_empty());
    harness.advance(secs(1));
    assert_eq!(harness.aborts, [1]);
    assert_eq!(harness.dials.len(), 2);
    // It ends by itself.
    let mut harness = Harness::open_with(|_| {});
    harness.peer_closes(1001);
    harness.end(EndKind::Eof);
    harness.advance(secs(1));
    assert!(harness.aborts.is_empty());
    // It does not end at all.
    let mut harness = Harness::open_with(|config| {
        config.close.timeout = ms(300);
    });
    harness.peer_closes(1001);
    harness.advance(ms(300));
    assert_eq!((harness.aborts.len(), harness.phase()), (1, "waiting"));
    harness.advance(secs(1));
    assert_eq!(harness.dials.len(), 2);
}

#[test]
fn what_lingers_is_heard_no_more() {
    let mut harness = Harness::open_with(|_| {});
    harness.peer_closes(1001);
    let transport = harness.transport();
    harness.stale(Event::Received { transport, frame: Frame::Text("late".into()) });
    harness.stale(Event::Heard { transport });
    let violation = Violation { code: 1002, detail: "".into() };
    harness.stale(Event::Violated { transport, violation });
    assert!(harness.messages().is_empty());
}

#[test]
fn a_reserved_code_of_the_peer_is_not_echoed() {
    for code in [1005, 1006, 1015] {
        let mut harness = Harness::open_with(|_| {});
        harness.peer_closes(code);
        assert_eq!(harness.take_frames(), [Frame::Close(None)], "{code}");
    }
}

#[test]
fn drain_sends_what_is_queued_awaits_its_acknowledgements_and_then_closes() {
    let mut harness = Harness::acks(|_| {});
    harness.send("1");
    harness.send("2");
    harness.drain(None);
    assert_eq!(harness.connection.ready_state(), ReadyState::Closing);
    assert!(matches!(harness.refused("3"), Rejected::Closed(_)));
    harness.open();
    assert_eq!(harness.take_texts().len(), 2);
    harness.receive_text(r#"{"ack":1}"#);
    assert_eq!(harness.phase(), "open");
    harness.receive_text(r#"{"ack":2}"#);
    assert_eq!(harness.phase(), "closing");
    assert!(matches!(harness.take_frames()[..], [Frame::Close(_)]));
    harness.peer_closes(1000);
    harness.end(EndKind::Eof);
    assert!(harness.closed().clean);
    assert_eq!(harness.fates(), ["1 acknowledged", "2 acknowledged"]);
}

#[test]
fn a_drain_of_nothing_closes_at_once() {
    let mut harness = Harness::open_with(|_| {});
    harness.drain(None);
    assert_eq!(harness.phase(), "closing");
    let mut harness = Harness::new(|_| {});
    harness.drain(None);
    assert_eq!(harness.closed().by, ClosedBy::Application);
}

#[test]
fn a_drain_survives_an_outage_and_closes_at_its_deadline() {
    let mut harness = Harness::open_acks(|_| {});
    harness.send("1");
    harness.drain(Some(secs(8)));
    harness.reset();
    harness.reopen();
    assert_eq!(harness.take_texts().len(), 2, "it was sent again");
    harness.advance(secs(7));
    assert_eq!(harness.phase(), "closing");
    harness.advance(secs(5));
    assert_eq!(harness.fates(), ["1 uncertain Closed"]);
    assert_eq!(harness.closed().by, ClosedBy::Application);
}

#[test]
fn a_drain_whose_last_message_is_lost_ends_as_asked_and_dials_no_more() {
    let mut harness = Harness::open_with(|_| {});
    harness.flushes = false;
    harness.send("1");
    harness.drain(None);
    harness.reset();
    assert_eq!(harness.closed().by, ClosedBy::Application);
    assert_eq!(harness.fates(), ["1 uncertain Lost"]);
    assert_eq!((harness.dials.len(), harness.delays().len()), (1, 0), "no retry is announced");
}

#[test]
fn a_drain_ends_when_its_last_message_is_taken_back_or_expires() {
    let mut harness = Harness::new(|_| {});
    let seq = harness.send("1");
    harness.drain(None);
    harness.done(Event::Cancel(seq));
    harness.closed();
    let mut harness = Harness::new(|config| config.outbox.ttl = Some(secs(1)));
    harness.send("1");
    harness.drain(None);
    harness.advance(secs(1));
    assert_eq!(harness.elapsed(), 1_000);
    harness.closed();
}

#[test]
fn a_second_drain_changes_nothing_and_a_close_cuts_it_short() {
    let mut harness = Harness::open_acks(|_| {});
    harness.send("1");
    harness.drain(Some(secs(3)));
    harness.drain(Some(secs(100)));
    harness.advance(secs(3));
    assert_eq!(harness.phase(), "closing");
    let mut harness = Harness::open_acks(|_| {});
    harness.send("1");
    harness.drain(Some(secs(100)));
    harness.close();
    assert_eq!(harness.phase(), "closing");
}

#[test]
fn a_violation_of_the_peer_closes_for_good_with_its_code() {
    for code in [1002, 1003, 1007, 1009] {
        let mut harness = Harness::open_with(|_| {});
        harness.violate(code);
        let frames = harness.take_frames();
        assert!(matches!(&frames[..], [Frame::Close(Some(close))] if close.code == code));
        harness.end(EndKind::Eof);
        let closed = harness.closed();
        assert_eq!((closed.by, closed.code), (ClosedBy::Policy, code));
        assert!(matches!(closed.reason, Reason::Violated(_)));
    }
}

#[test]
fn a_violation_during_the_close_handshake_changes_nothing() {
    let mut harness = Harness::open_with(|_| {});
    harness.close();
    harness.violate(1002);
    harness.end(EndKind::Eof);
    assert_eq!(harness.closed().by, ClosedBy::Application);
}

#[test]
fn the_closed_notice_is_the_last_and_every_message_has_ended_before() {
    let mut harness = Harness::open_acks(|config| config.outbox.ack_window = 1);
    for _ in 0..5 {
        harness.send("x");
    }
    harness.reset();
    harness.close();
    let notices = harness.take_notices();
    assert!(matches!(notices.last(), Some(Notice::Closed(_))));
    let undelivered = notices.iter().filter_map(|notice| match notice {
        Notice::Undelivered { fate, .. } => Some(*fate),
        _ => None,
    });
    let fates: alloc::vec::Vec<Fate> = undelivered.collect();
    assert_eq!(fates[1..], [Fate::Dropped(DropReason::Closed); 4]);
    assert!(matches!(fates[0], Fate::Uncertain(_)));
    assert_eq!(harness.connection.status().queued + harness.connection.status().in_flight, 0);
    assert!(!notices.contains(&Notice::Warning(Warning::IgnoredAck { id: None })));
}
