//! The opening: what is held back, what goes ahead, and how it ends.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::testing::{Harness, ms, payload, secs};
use crate::{
    Capabilities, Class, CloseFrame, ClosedBy, ConfigBuilder, Event, Frame, HeartbeatStyle, Notice,
    Outgoing, Overflow, ReadyState, Reason, Rejected, Seq, State, Timer,
};

fn held_with(change: impl FnOnce(&mut ConfigBuilder)) -> Harness {
    Harness::open_with(|config| {
        config.opening.hold = true;
        change(config);
    })
}

fn held() -> Harness {
    held_with(|_| {})
}

impl Harness {
    #[track_caller]
    fn release(&mut self) {
        self.done(Event::Release { transport: self.transport() });
    }

    fn refusal(&self, retry: bool) -> Event {
        Event::Refuse { transport: self.transport(), retry, detail: "login refused".into() }
    }

    #[track_caller]
    fn ahead(&mut self, text: &'static str) -> Seq {
        self.send(Outgoing::new(text).ahead())
    }

    fn last_error(&self) -> String {
        self.connection.status().last_error.expect("known")
    }
}

#[test]
fn what_is_queued_waits_for_the_release() {
    let mut harness = Harness::new(|config| config.opening.hold = true);
    harness.send("queued before");
    harness.open();
    harness.send("queued");
    harness.send_as("volatile", Class::Volatile);
    let status = harness.connection.status();
    assert_eq!((status.state, status.ready_state), (State::Open, ReadyState::Open));
    assert_eq!((status.phase, status.held, status.queued), ("opening", true, 3));
    assert!(harness.take_texts().is_empty());
    harness.advance(secs(5));
    harness.release();
    assert_eq!(harness.take_texts(), ["queued before", "queued", "volatile"]);
    let status = harness.connection.status();
    assert_eq!((status.phase, status.held), ("open", false));
    // It was not bounded any more.
    harness.advance(secs(60));
    assert_eq!(harness.connection.state(), State::Open);
    assert_eq!(harness.counters().attempts, 1);
}

#[test]
fn without_it_nothing_is_held() {
    let mut harness = Harness::open_with(|_| {});
    assert!(!harness.connection.status().held);
    harness.send("flows");
    assert_eq!(harness.take_texts(), ["flows"]);
    harness.stale(Event::Release { transport: harness.transport() });
    harness.advance(secs(60));
    assert_eq!(harness.counters().attempts, 1);
}

#[test]
fn what_is_resent_waits_too() {
    let mut harness = Harness::open_acks(|config| config.opening.hold = true);
    harness.release();
    harness.send(r#"{"id":1}"#);
    harness.send(r#"{"id":2}"#);
    assert_eq!(harness.take_texts().len(), 2);
    harness.reset();
    harness.reopen();
    harness.send(r#"{"id":3}"#);
    assert!(harness.take_texts().is_empty());
    harness.ahead(r#"{"id":9}"#);
    assert_eq!(harness.take_texts(), [r#"{"id":9}"#]);
    harness.release();
    assert_eq!(harness.take_texts(), [r#"{"id":1}"#, r#"{"id":2}"#, r#"{"id":3}"#]);
}

#[test]
fn ahead_goes_before_data_and_after_control_in_its_own_order() {
    let mut harness = held_with(|config| config.outbox.write_credit = 1);
    harness.flushes = false;
    harness.send("a");
    harness.ahead("login");
    harness.ahead("join");
    assert_eq!(harness.take_texts(), ["login"], "within the credit");
    harness.flush(1);
    assert_eq!(harness.take_texts(), ["join"]);
    harness.flush(2);
    assert!(harness.take_texts().is_empty());
    harness.release();
    harness.send("b");
    harness.ahead("late");
    assert_eq!(harness.take_texts(), ["a"]);
    harness.flush(3);
    assert_eq!(harness.take_texts(), ["late"], "after the release as well");
    harness.flush(4);
    assert_eq!(harness.take_texts(), ["b"]);
    harness.flush(5);
    let fates = ["2 flushed", "3 flushed", "1 flushed", "5 flushed", "4 flushed"];
    assert_eq!(harness.fates(), fates);
}

#[test]
fn control_frames_flow_while_held_and_go_first() {
    let mut harness = held_with(|config| {
        config.opening.timeout = secs(100);
        config.outbox.write_credit = 1;
    });
    harness.capabilities = Capabilities { answers_pings: false, ..Capabilities::SOCKET };
    harness.reset();
    harness.reopen();
    harness.flushes = false;
    harness.ahead("login");
    harness.ahead("join");
    harness.receive(Frame::Ping(crate::Bytes::new()));
    harness.flush(2);
    let is_text = |frame: &Frame| matches!(frame, Frame::Text(_));
    let kinds: Vec<bool> = harness.take_frames().iter().map(is_text).collect();
    assert_eq!(kinds, [true, false, true]);
    harness.flushes = true;
    harness.flush(3);
    harness.advance(secs(20));
    assert!(!harness.pings().is_empty(), "heartbeats go on");
    assert_eq!(harness.phase(), "opening");
}

#[test]
fn acknowledgements_are_written_while_held() {
    let mut harness = Harness::open_acks(|config| {
        config.opening.hold = true;
        config.dialect = crate::DialectConfig::Json(crate::JsonConfig {
            acknowledge: true,
            ..crate::JsonConfig::default()
        });
    });
    harness.receive_text(r#"{"id":5}"#);
    assert_eq!(harness.take_texts(), [r#"{"ack":5}"#]);
}

#[test]
fn what_goes_ahead_ends_with_its_transport() {
    let mut harness = held_with(|config| config.outbox.write_credit = 1);
    harness.flushes = false;
    harness.send(Outgoing::new("login").class(Class::Acknowledged).ahead());
    harness.ahead("join");
    harness.send("queued");
    harness.reset();
    assert_eq!(harness.fates(), ["1 uncertain Lost", "2 dropped Lost"]);
    harness.flushes = true;
    harness.take_texts();
    harness.reopen();
    harness.release();
    assert_eq!(harness.take_texts(), ["queued"]);
}

#[test]
fn what_goes_ahead_needs_an_open_transport() {
    let mut harness = Harness::new(|config| config.opening.hold = true);
    let message = || Outgoing::new("login").class(Class::Queued).ttl(secs(1)).ahead();
    assert_eq!(harness.refused(message()), Rejected::NotOpen(message()));
    assert_eq!(harness.counters().rejected, 1);
    harness.open();
    harness.reset();
    assert_eq!(harness.refused(message()), Rejected::NotOpen(message()));
    assert_eq!(harness.refused(message()).into_message(), Some(message()));
    harness.reopen();
    harness.send(message());
    harness.close();
    assert_eq!(harness.refused(message()), Rejected::Closed(message()));
    harness.advance(secs(5));
    assert_eq!(harness.refused(message()), Rejected::Closed(message()));
    let mut idle = Harness::new(|config| config.connect.auto = false);
    assert_eq!(idle.refused(message()), Rejected::NotOpen(message()));
}

#[test]
fn a_full_queue_does_not_keep_the_opening_from_being_said() {
    for overflow in [Overflow::Reject, Overflow::DropOldest, Overflow::DropNewest] {
        let mut harness = held_with(|config| {
            config.outbox.max_messages = 2;
            config.outbox.max_bytes = 10;
            config.outbox.overflow = overflow;
        });
        harness.send("12345");
        harness.send("12345");
        harness.ahead("1234567890");
        assert_eq!(harness.take_texts(), ["1234567890"]);
        assert_eq!(harness.fates(), ["3 flushed"], "and nothing made room for it");
        let large = Outgoing::new("12345678901").ahead();
        let limits = Rejected::TooLarge { message: large.clone(), size: 11, limit: 10 };
        assert_eq!(harness.refused(large), limits);
    }
    // And the other way round.
    let mut harness = held_with(|config| config.outbox.max_messages = 1);
    harness.flushes = false;
    harness.ahead("a");
    harness.ahead("b");
    harness.send("1");
    assert!(matches!(harness.refused("2"), Rejected::QueueFull(_)));
}

#[test]
fn sixty_four_may_wait_and_sixty_four_be_with_the_transport() {
    let mut harness = held();
    harness.flushes = false;
    for left in (0..64).rev() {
        assert_eq!(harness.connection.ahead_room(), 64);
        harness.ahead("");
        assert_eq!(harness.take_texts().len(), 1, "{left}");
    }
    for left in (0..64).rev() {
        harness.ahead("");
        assert_eq!(harness.connection.ahead_room(), left);
        assert!(harness.take_texts().is_empty());
    }
    let message = Outgoing::new("").ahead();
    let refused = harness.refused(message.clone());
    assert_eq!(refused, Rejected::QueueFull(message.clone()));
    assert!(refused.to_string().contains("64"), "{refused}");
    assert_eq!(harness.counters().rejected, 1);
    // Room is made by what is handed over, and nobody is told of it.
    harness.flush(3);
    assert_eq!(harness.connection.ahead_room(), 3);
    assert!(!harness.notices.contains(&Notice::Writable));
    let status = harness.connection.status();
    assert_eq!((status.queued, status.in_flight), (61, 64));
    harness.reset();
    assert_eq!(harness.connection.ahead_room(), 64);
    let counters = harness.counters();
    assert_eq!((counters.uncertain, counters.dropped, counters.flushed), (64, 61, 3));
}

#[test]
fn what_goes_ahead_is_counted_where_bytes_are() {
    let mut harness = held();
    harness.flushes = false;
    harness.send(payload(3));
    harness.send(Outgoing::new(payload(5)).ahead());
    let status = harness.connection.status();
    assert_eq!((status.queued, status.in_flight), (1, 1));
    assert_eq!((status.outbox_bytes, status.buffered_amount), (8, 8));
    assert_eq!(harness.connection.buffered_amount(), 8);
    harness.flush(1);
    assert_eq!(harness.connection.buffered_amount(), 3);
}

#[test]
fn a_message_ahead_can_expire_and_be_taken_back() {
    let mut harness = held_with(|config| {
        config.outbox.write_credit = 1;
        config.outbox.ttl = Some(secs(3));
    });
    harness.flushes = false;
    harness.ahead("with the transport");
    harness.send(Outgoing::new("short").ttl(secs(1)).ahead());
    let back = harness.ahead("back");
    harness.ahead("default");
    harness.done(Event::Cancel(back));
    assert_eq!(harness.handle(Event::Cancel(Seq(1))), Err(Rejected::NotQueued(Seq(1))));
    assert_eq!(harness.handle(Event::Cancel(back)), Err(Rejected::NotQueued(back)));
    harness.advance(secs(1));
    assert_eq!(harness.fates(), ["3 cancelled", "2 expired"]);
    harness.advance(secs(2));
    assert_eq!(harness.fates()[2..], ["4 expired"]);
    harness.flush(1);
    assert_eq!(harness.fates()[3..], ["1 flushed"]);
}

#[test]
fn a_purge_is_of_the_queue_and_leaves_what_goes_ahead() {
    let mut harness = held_with(|config| config.outbox.write_credit = 1);
    harness.flushes = false;
    for text in ["with the transport", "waits"] {
        harness.ahead(text);
    }
    harness.send("queued");
    harness.done(Event::Purge);
    assert_eq!(harness.fates(), ["3 cancelled"]);
    harness.flush(1);
    assert_eq!(harness.take_texts(), ["with the transport", "waits"]);
}

#[test]
fn a_refusal_dials_again_and_counts_as_an_attempt() {
    let mut harness = held_with(|config| config.retry.stable_after = secs(1));
    harness.send("queued");
    for round in 1..=4_u64 {
        harness.advance(secs(5));
        harness.done(harness.refusal(true));
        assert_eq!(harness.aborts.last(), Some(&round));
        assert!(harness.last_error().contains("login refused"));
        harness.reopen();
    }
    // Though it was open and alive for longer than `stable_after`, each time.
    assert_eq!(harness.delays(), [1_000, 2_000, 4_000, 8_000]);
    let attempts: Vec<u32> = harness.dials.iter().map(|dial| dial.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4, 5]);
    assert!(!harness.writes.iter().any(|write| matches!(write.frame, Frame::Close(_))));
    harness.release();
    harness.advance(secs(30));
    assert_eq!(harness.connection.status().attempt, 0, "stable at last");
    assert_eq!(harness.counters().flushed, 1);
}

#[test]
fn refusals_end_when_no_attempts_are_left() {
    let mut harness = held_with(|config| config.retry.max_attempts = Some(2));
    harness.done(harness.refusal(true));
    harness.reopen();
    harness.done(harness.refusal(true));
    let closed = harness.closed();
    assert_eq!((closed.by, closed.code), (ClosedBy::Policy, 1006));
    let Reason::MaxAttempts(last) = closed.reason else { panic!("{:?}", closed.reason) };
    assert_eq!(*last, Reason::Refused { retry: true, detail: "login refused".into() });
}

#[test]
fn a_final_refusal_closes_politely() {
    let mut harness = held();
    harness.send("queued");
    harness.done(harness.refusal(false));
    assert_eq!(harness.phase(), "closing");
    assert!(!harness.connection.status().held);
    assert_eq!(harness.take_frames(), [Frame::Close(Some(CloseFrame::new(1000, "")))]);
    assert_eq!(harness.fates(), ["1 dropped Closed"]);
    harness.peer_closes(1000);
    harness.end(crate::EndKind::Eof);
    let closed = harness.closed();
    assert_eq!((closed.by, closed.code, closed.clean), (ClosedBy::Policy, 1000, true));
    let reason = Reason::Refused { retry: false, detail: "login refused".into() };
    assert_eq!(closed.reason, reason);
    assert_eq!(reason.code(), 1000);
    assert!(harness.last_error().contains("login refused"));

    // And in time, if nobody answers.
    let mut harness = held();
    harness.done(harness.refusal(false));
    harness.advance(secs(5));
    assert!(!harness.closed().clean);
    assert_eq!(harness.dials.len(), 1);
}

#[test]
fn an_opening_is_bounded_whatever_else_happens() {
    let mut harness = held_with(|config| config.opening.timeout = secs(3));
    let opened = harness.now;
    harness.done(Event::PauseReads);
    assert_eq!(harness.wait, Some((opened + secs(3), Timer::Opening)));
    harness.advance(ms(2_999));
    harness.ahead("still talking");
    harness.hear();
    assert_eq!(harness.phase(), "opening");
    harness.advance(ms(1));
    assert_eq!((harness.phase(), harness.aborts.len()), ("waiting", 1));
    assert_eq!(harness.last_error(), "the opening took too long");
    assert_eq!(harness.delays(), [1_000]);
    // Each transport anew, and the delays grow.
    harness.reopen();
    harness.advance(secs(3));
    assert_eq!(harness.delays(), [1_000, 2_000]);
    assert_eq!(Reason::OpeningTimeout.code(), 1006);
}

#[test]
fn a_release_that_comes_too_late_is_stale() {
    let mut harness = held_with(|config| config.opening.timeout = secs(3));
    let first = harness.transport();
    harness.oversleep(secs(3));
    harness.stale(Event::Release { transport: first });
    assert_eq!(harness.phase(), "waiting");
    harness.stale(Event::Refuse { transport: first, retry: false, detail: "".into() });
    harness.reopen();
    harness.stale(Event::Release { transport: first });
    assert_eq!(harness.phase(), "opening");
    harness.release();
    harness.stale(Event::Release { transport: harness.transport() });
    assert_eq!(harness.counters().stale_events, 4);
}

#[test]
fn an_open_transport_is_refused_whether_it_is_held_or_not() {
    let mut harness = held_with(|config| config.retry.stable_after = secs(10));
    for _ in 0..2 {
        harness.release();
        harness.advance(secs(5));
        harness.done(harness.refusal(true));
        harness.stale(harness.refusal(true));
        assert_eq!(harness.phase(), "waiting");
        harness.reopen();
    }
    // It was not stable yet.
    assert_eq!(harness.delays(), [1_000, 2_000]);
    harness.release();
    harness.done(harness.refusal(false));
    harness.stale(harness.refusal(true));
    harness.end(crate::EndKind::Eof);
    assert_eq!((harness.closed().by, harness.closed().code), (ClosedBy::Policy, 1000));
}

#[test]
fn a_dial_is_not_held() {
    let mut harness = Harness::new(|config| config.opening.hold = true);
    harness.stale(Event::Release { transport: harness.transport() });
    harness.stale(harness.refusal(false));
    harness.open();
    assert_eq!(harness.phase(), "opening", "nor released beforehand");
}

#[test]
fn a_held_transport_is_not_stable_before_its_release() {
    for style in [HeartbeatStyle::Protocol, HeartbeatStyle::Server, HeartbeatStyle::Off] {
        let mut harness = held_with(|config| {
            config.heartbeat.style = style;
            config.opening.timeout = secs(100);
        });
        harness.hear();
        harness.advance(secs(15));
        harness.hear();
        assert_eq!(harness.connection.status().attempt, 1, "{style:?}");
        harness.release();
        harness.advance(ms(9_999));
        assert_eq!(harness.connection.status().attempt, 1, "{style:?}");
        harness.advance(ms(1));
        assert_eq!(harness.connection.status().attempt, 0, "{style:?}");
    }
}

#[test]
fn a_drain_waits_for_the_opening_and_takes_what_that_needs() {
    let mut harness = held();
    harness.send("queued");
    harness.drain(None);
    assert_eq!(harness.connection.ready_state(), ReadyState::Closing);
    assert!(matches!(harness.refused("more"), Rejected::Closed(_)));
    harness.ahead("login");
    assert_eq!(harness.take_texts(), ["login"]);
    harness.advance(secs(1));
    assert_eq!(harness.phase(), "opening");
    harness.release();
    assert_eq!(harness.take_frames().len(), 2, "the message and the close");
    assert_eq!(harness.phase(), "closing");

    // After the release it takes no more.
    let mut harness = held();
    harness.flushes = false;
    harness.send("queued");
    harness.release();
    harness.drain(None);
    assert!(matches!(harness.refused(Outgoing::new("more").ahead()), Rejected::Closed(_)));

    // Its own deadline holds.
    let mut harness = held();
    harness.send("queued");
    harness.drain(Some(secs(2)));
    harness.advance(secs(2));
    assert_eq!((harness.phase(), harness.fates()), ("closing", vec!["1 dropped Closed".into()]));

    // And it waits for what goes ahead.
    let mut harness = held();
    harness.flushes = false;
    harness.ahead("login");
    harness.drain(None);
    assert_eq!(harness.phase(), "opening");
    harness.flush(1);
    assert_eq!(harness.phase(), "closing");
}

#[test]
fn an_opening_ends_with_whatever_ends_its_transport() {
    let endings: [fn(&mut Harness); 6] = [
        |harness| harness.reset(),
        |harness| harness.peer_closes(1001),
        |harness| harness.close(),
        |harness| harness.violate(1002),
        |harness| harness.done(Event::Reconnect),
        |harness| harness.peer_closes(1008),
    ];
    for end in endings {
        let mut harness = held();
        harness.flushes = false;
        harness.send("queued");
        harness.ahead("login");
        end(&mut harness);
        assert!(!harness.connection.status().held);
        assert!(harness.wait.is_none_or(|(_, why)| why != Timer::Opening));
        harness.take_texts();
        harness.advance(secs(5));
        assert!(harness.take_texts().is_empty());
        assert!(!harness.fates().contains(&"1 flushed".into()));
    }
}

#[test]
fn silence_is_noticed_while_held() {
    let mut harness = held_with(|config| config.opening.timeout = secs(100));
    harness.pongs = false;
    harness.advance(secs(40));
    assert_eq!(harness.dead().map(|dead| dead.0), Some("pong"));
}
