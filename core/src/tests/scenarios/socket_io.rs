//! The Socket.IO client: `Config::socket_io()`.

use alloc::string::String;
use alloc::vec::Vec;

use super::{
    a_close_is_final, fail_until_closed, nominal_delays, open, preset, preset_with, written,
};
use crate::testing::{Harness, ms, secs};
use crate::{Class, EncodeError, Event, Notice, Outgoing, Reason, Rejected, State};

const HANDSHAKE: &str =
    r#"0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

/// The server agrees to the namespace, under that id.
fn admit(harness: &mut Harness, sid: &str) {
    harness.receive_text(HANDSHAKE);
    harness.receive_text(&alloc::format!(r#"40{{"sid":"{sid}"}}"#));
}

fn connected() -> Harness {
    let mut harness = open("socket-io");
    admit(&mut harness, "s");
    harness.take_frames();
    harness.take_notices();
    harness
}

fn texts(harness: &Harness) -> Vec<String> {
    let texts = harness.messages().into_iter();
    texts.filter_map(|message| message.as_text().map(String::from)).collect()
}

#[test]
fn reconnection_is_on_from_1_s_with_5_attempts() {
    let mut harness = preset("socket-io");
    assert_eq!(fail_until_closed(&mut harness), 1 + 5);
    assert_eq!(nominal_delays(&harness), [1_000, 2_000, 4_000, 5_000, 5_000]);
    for (delay, nominal) in harness.delays().into_iter().zip(nominal_delays(&harness)) {
        assert!((nominal / 2..=nominal).contains(&u128::from(delay)), "{delay} of {nominal}");
    }
    assert!(matches!(harness.closed().reason, Reason::MaxAttempts(_)));
    // A connection that was lost after a while has them all again, and no more.
    let mut harness = connected();
    harness.advance(secs(11));
    harness.reset();
    assert_eq!(fail_until_closed(&mut harness), 5);
}

#[test]
fn connect_comes_with_an_id() {
    let mut harness = open("socket-io");
    assert_eq!(harness.take_texts(), ["40"], "asked for at once");
    admit(&mut harness, "aB3");
    assert_eq!(texts(&harness), [r#"["connect",{"sid":"aB3"}]"#]);
    harness.reset();
    harness.reopen();
    assert_eq!(harness.take_texts(), ["40"], "asked for again");
    admit(&mut harness, "cD4");
    assert_eq!(texts(&harness)[1..], [r#"["connect",{"sid":"cD4"}]"#], "each time another");
}

#[test]
fn named_events_go_both_ways() {
    let mut harness = connected();
    harness.send(r#"["join","room 7"]"#);
    harness.send(r#"["chat message",{"text":"hi"}]"#);
    let sent = [r#"42["join","room 7"]"#, r#"42["chat message",{"text":"hi"}]"#];
    assert_eq!(harness.take_texts(), sent);
    harness.receive_text(r#"42["chat message",{"from":"ada","text":"hi"}]"#);
    harness.receive_text(r#"42["left"]"#);
    let got = [r#"["chat message",{"from":"ada","text":"hi"}]"#, r#"["left"]"#];
    assert_eq!(texts(&harness), got);
    let refused = harness.refused("hi");
    let message = Outgoing::new("hi");
    assert_eq!(refused, Rejected::Unencodable { message, error: EncodeError::NotAnEvent });
}

#[test]
fn a_namespace_of_its_own() {
    let mut harness = preset_with("socket-io", |config| {
        let namespace = "/chat".into();
        config.dialect = crate::DialectConfig::SocketIo(crate::SocketIoConfig {
            namespace,
            ..crate::SocketIoConfig::default()
        });
    });
    harness.open();
    harness.send(r#"["a"]"#);
    harness.receive_text(r#"40/chat,{"sid":"s"}"#);
    harness.receive_text(r#"42/chat,["b"]"#);
    assert_eq!(harness.take_texts(), ["40/chat,", r#"42/chat,["a"]"#]);
    assert_eq!(texts(&harness)[1..], [r#"["b"]"#]);
}

#[test]
fn disconnect_comes_with_a_reason() {
    let mut harness = connected();
    harness.receive_text("41");
    assert_eq!(texts(&harness), [r#"["disconnect","io server disconnect"]"#]);
    // It is for the application to come back; what it sends until then waits.
    harness.send(r#"["later"]"#);
    harness.advance(secs(20));
    assert!(harness.take_texts().is_empty());
    harness.done(Event::Reconnect);
    harness.open();
    admit(&mut harness, "t");
    assert_eq!(harness.take_texts(), ["40", r#"42["later"]"#]);
    // The end of the transport has its reason in the notice.
    harness.reset();
    let lost = harness.notices.iter().rev().find_map(|notice| match notice {
        Notice::StateChanged { to: State::Reconnecting, reason, .. } => reason.clone(),
        _ => None,
    });
    assert!(matches!(lost, Some(Reason::Ended(_))), "{lost:?}");
}

#[test]
fn a_close_by_hand_is_final() {
    a_close_is_final("socket-io");
}

#[test]
fn what_is_sent_before_the_server_agrees_waits_and_is_not_lost() {
    let mut harness = preset("socket-io");
    harness.send(r#"["a"]"#);
    harness.open();
    harness.send(r#"["b"]"#);
    harness.receive_text(HANDSHAKE);
    // It would hang up on an event that came now. Its pings are answered all the same.
    harness.receive_text("2");
    assert_eq!(harness.take_texts(), ["40", "3"]);
    harness.receive_text(r#"40{"sid":"s"}"#);
    assert_eq!(harness.take_texts(), [r#"42["a"]"#, r#"42["b"]"#]);
    assert_eq!(harness.fates(), ["1 flushed", "2 flushed"]);
    // The same after each loss.
    harness.reset();
    harness.send(r#"["c"]"#);
    harness.reopen();
    assert_eq!(harness.take_texts(), ["40"]);
    admit(&mut harness, "t");
    assert_eq!(harness.take_texts(), [r#"42["c"]"#]);
}

#[test]
fn a_server_that_does_not_agree_in_time_is_left() {
    let mut harness = open("socket-io");
    harness.send(r#"["a"]"#);
    harness.receive_text(HANDSHAKE);
    harness.advance(ms(9_999));
    assert_eq!(harness.connection.state(), State::Open);
    harness.advance(ms(1));
    assert_eq!((harness.connection.state(), &harness.aborts[..]), (State::Reconnecting, &[1][..]));
    let reasons = harness.notices.iter().filter_map(|notice| match notice {
        Notice::Retrying { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(reasons.collect::<Vec<_>>(), [Reason::DialTimeout]);
    harness.reopen();
    admit(&mut harness, "s");
    assert_eq!(harness.take_texts(), ["40", "40", r#"42["a"]"#]);
    harness.advance(secs(20));
    assert_eq!(harness.connection.state(), State::Open, "the time is not counted on");
}

#[test]
fn a_greeting_that_nobody_answers_outlives_no_close() {
    let mut harness = open("socket-io");
    harness.flushes = false;
    harness.close();
    harness.advance(secs(5));
    assert_eq!(harness.closed().by, crate::ClosedBy::Application);
    assert_eq!(harness.wait, None);
}

#[test]
fn a_refused_namespace_is_told_and_for_the_application_to_judge() {
    let mut harness = open("socket-io");
    harness.send(r#"["a"]"#);
    harness.receive_text(r#"44{"message":"who are you?"}"#);
    assert_eq!(texts(&harness), [r#"["connect_error",{"message":"who are you?"}]"#]);
    harness.advance(secs(20));
    assert_eq!(
        (harness.connection.state(), harness.take_texts()),
        (State::Open, ["40".into()].into())
    );
    harness.done(Event::Reconnect);
    harness.open();
    admit(&mut harness, "s");
    assert_eq!(harness.take_texts(), ["40", r#"42["a"]"#]);
}

#[test]
fn acknowledged_delivery_works_over_its_acknowledgements() {
    let mut harness = connected();
    harness.send_as(r#"["order",1]"#, Class::Acknowledged);
    harness.send_as(r#"["order",2]"#, Class::Acknowledged);
    let (first, second) = (r#"421["order",1]"#, r#"422["order",2]"#);
    assert_eq!(harness.take_texts(), [first, second]);
    harness.receive_text(r#"432[{"ok":true}]"#);
    assert_eq!(harness.fates(), ["2 acknowledged"]);
    harness.advance(secs(10));
    assert_eq!(harness.take_texts(), [first], "the same id and bytes");
    harness.reset();
    harness.reopen();
    assert_eq!(harness.take_texts(), ["40"]);
    admit(&mut harness, "t");
    assert_eq!(harness.take_texts(), [first], "and on the next one, once the server agrees");
    harness.receive_text("431[]");
    assert_eq!(harness.fates(), ["2 acknowledged", "1 acknowledged"]);
    harness.receive_text("43[]");
    assert_eq!(harness.counters().ignored_acks, 1);
}

#[test]
fn an_event_that_asks_for_an_acknowledgement_gets_one() {
    let mut harness = connected();
    harness.receive_text(r#"420["a"]"#);
    harness.receive_text(r#"421["b"]"#);
    assert_eq!(harness.take_texts(), ["430[]", "431[]"]);
    // A server counts anew on each connection: these are no duplicates.
    harness.reset();
    harness.reopen();
    admit(&mut harness, "t");
    harness.receive_text(r#"420["c"]"#);
    let ids: Vec<_> = harness.messages().iter().map(|message| message.id).collect();
    assert_eq!(ids, [Some(0), Some(1), None, Some(0)]);
    assert_eq!(harness.counters().duplicates, 0);
}

#[test]
fn the_server_pings_and_is_dead_after_45_s_of_silence() {
    let mut harness = connected();
    for _ in 0..4 {
        harness.advance(secs(25));
        harness.receive_text("2");
    }
    assert_eq!(written(&harness, "3"), [25_000, 50_000, 75_000, 100_000]);
    assert!(harness.messages().is_empty(), "a ping is no message");
    harness.advance(ms(44_999));
    assert_eq!(harness.dead(), None);
    harness.advance(ms(1));
    assert_eq!(harness.dead(), Some(("pong", 45_000)));
}

#[test]
fn binary_attachments_are_told_and_change_nothing_else() {
    let mut harness = connected();
    harness.receive_text(r#"451-["a",{"_placeholder":true,"num":0}]"#);
    harness.receive(crate::Frame::Binary(crate::Bytes::from_static(&[1, 2])));
    let warnings = harness.notices.iter().filter(|notice| matches!(notice, Notice::Warning(_)));
    assert_eq!(warnings.count(), 2);
    harness.receive_text(r#"42["b"]"#);
    assert_eq!(texts(&harness).last().map(String::as_str), Some(r#"["b"]"#));
    assert_eq!(harness.connection.state(), State::Open);
}
