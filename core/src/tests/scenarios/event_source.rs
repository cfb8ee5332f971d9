//! The event source: `Config::event_source()`.

use alloc::string::String;
use alloc::vec::Vec;

use super::{a_close_is_final, dialled, open, preset, preset_with};
use crate::testing::{Harness, ms, secs};
use crate::{
    DialectConfig, EncodeError, EventStreamConfig, HeartbeatStyle, Outgoing, Rejected, State,
};

fn texts(harness: &Harness) -> Vec<String> {
    let texts = harness.messages().into_iter();
    texts.filter_map(|message| message.as_text().map(String::from)).collect()
}

#[test]
fn it_reconnects_by_itself_after_3_s_and_does_not_give_up() {
    let mut harness = preset("event-source");
    for _ in 0..200 {
        harness.fail_dial();
        harness.await_dial();
    }
    assert_eq!(harness.delays(), [3_000; 200]);
    let mut harness = open("event-source");
    harness.reset();
    harness.reopen();
    harness.peer_closes(1000);
    harness.end(crate::EndKind::Eof);
    harness.await_dial();
    assert_eq!(dialled(&harness), [0, 3_000, 6_000]);
}

#[test]
fn data_lines_are_the_message() {
    let mut harness = open("event-source");
    harness.receive_text("data: {\"price\":1}\n\n");
    harness.receive_text("event: news\nid: 7\ndata: first\ndata: second\n\n");
    harness.receive_text("data: a\n\ndata: b\n\n");
    assert_eq!(texts(&harness), ["{\"price\":1}", "first\nsecond", "a", "b"]);
    assert_eq!(harness.counters().received, 4);
}

#[test]
fn names_and_ids_are_there_for_whoever_wants_them() {
    let mut harness = preset_with("event-source", |config| {
        config.dialect = DialectConfig::EventStream(EventStreamConfig { fields: true });
    });
    harness.open();
    harness.receive_text("event: news\nid: 7\ndata: a \"b\"\n\n");
    assert_eq!(texts(&harness), [r#"{"event":"news","data":"a \"b\"","id":"7"}"#]);
}

#[test]
fn it_is_one_direction() {
    let mut harness = open("event-source");
    let message = Outgoing::new("hello");
    let refused = Rejected::Unencodable { message: message.clone(), error: EncodeError::OneWay };
    assert_eq!(harness.refused(message), refused);
    harness.receive_text("data: a\n\n");
    harness.advance(secs(86_400));
    assert!(harness.writes.is_empty(), "nor does anything else go out");
    assert_eq!(harness.connection.state(), State::Open);
}

#[test]
fn comments_are_no_messages() {
    let mut harness = open("event-source");
    for frame in [":\n\n", ": keep-alive\n\n", "\n", "retry: 10\n\n", "id: 5\n\n"] {
        harness.receive_text(frame);
    }
    assert!(harness.messages().is_empty() && harness.counters().received == 0);
}

#[test]
fn comments_prove_life_where_it_is_asked_for_and_are_no_data() {
    let mut harness = preset_with("event-source", |config| {
        config.heartbeat.style = HeartbeatStyle::Server;
        config.heartbeat.interval = secs(15);
        config.heartbeat.deadline = secs(5);
    });
    harness.open();
    for _ in 0..10 {
        harness.advance(secs(15));
        harness.receive_text(":\n\n");
    }
    harness.advance(ms(19_999));
    assert_eq!(harness.dead(), None);
    harness.advance(ms(1));
    assert_eq!(harness.dead(), Some(("pong", 20_000)));

    let mut harness = preset_with("event-source", |config| {
        config.heartbeat.stale_after = Some(secs(60));
    });
    harness.open();
    harness.receive_text("data: a\n\n");
    harness.advance(secs(30));
    harness.receive_text(":\n\n");
    harness.advance(secs(30));
    assert_eq!(harness.dead(), Some(("stale", 60_000)));
}

#[test]
fn each_connect_is_a_dial_of_its_own_so_that_it_can_ask_where_to_resume() {
    let mut harness = open("event-source");
    harness.receive_text("id: 7\ndata: a\n\n");
    harness.reset();
    harness.await_dial();
    let transports: Vec<_> = harness.dials.iter().map(|dial| dial.transport).collect();
    assert_eq!(transports, [1, 2]);
}

#[test]
fn a_close_by_hand_is_final() {
    a_close_is_final("event-source");
}

#[test]
fn a_frame_of_ever_so_many_events_is_one_message_and_not_a_flood() {
    let mut harness = open("event-source");
    let many = if cfg!(miri) { 1_000 } else { 100_000 };
    harness.receive_text(&"data: a\n\n".repeat(many));
    assert_eq!(harness.messages().len(), 1);
    harness.receive_text(&"data: a\n\n".repeat(256));
    assert_eq!(harness.messages().len(), 257);
}
