//! Nothing is delivered twice within the window.

use crate::testing::Harness;
use crate::{DialectConfig, JsonConfig, Notice};

fn duplicates(harness: &Harness) -> usize {
    harness.notices.iter().filter(|notice| matches!(notice, Notice::Duplicate { .. })).count()
}

#[test]
fn a_message_with_an_id_seen_lately_is_dropped_and_told() {
    let mut harness = Harness::open_acks(|config| config.inbox.dedupe = 2);
    for id in [1, 1, 2, 1, 3, 1] {
        harness.receive_text(&alloc::format!("{{\"id\":{id}}}"));
    }
    let messages = harness.messages();
    let ids: alloc::vec::Vec<_> = messages.iter().filter_map(|message| message.id).collect();
    assert_eq!(ids, [1, 2, 3, 1], "the window of two has forgotten 1");
    assert_eq!(duplicates(&harness), 2);
    let counters = harness.counters();
    assert_eq!((counters.received, counters.duplicates), (4, 2));
}

#[test]
fn the_window_spans_reconnects() {
    let mut harness = Harness::open_acks(|_| {});
    harness.receive_text("{\"id\":1}");
    harness.reset();
    harness.reopen();
    harness.receive_text("{\"id\":1}");
    harness.receive_text("{\"id\":2}");
    harness.done(crate::Event::Reconnect);
    harness.open();
    harness.receive_text("{\"id\":2}");
    assert_eq!((harness.messages().len(), duplicates(&harness)), (2, 2));
}

#[test]
fn messages_without_an_id_are_never_duplicates() {
    let mut harness = Harness::open_acks(|_| {});
    for _ in 0..3 {
        harness.receive_text("{\"a\":1}");
        harness.receive_text("{\"id\":\"text\"}");
        harness.receive_text("{\"id\":-1}");
    }
    assert_eq!((harness.messages().len(), duplicates(&harness)), (9, 0));
}

#[test]
fn without_a_window_nothing_is_dropped() {
    let mut harness = Harness::open_acks(|config| config.inbox.dedupe = 0);
    harness.receive_text("{\"id\":1}");
    harness.receive_text("{\"id\":1}");
    assert_eq!((harness.messages().len(), duplicates(&harness)), (2, 0));
}

#[test]
fn a_message_is_passed_on_as_it_came() {
    let mut harness = Harness::open_acks(|_| {});
    let frame = " {\"id\": 1, \"data\": [1, 2]} ";
    harness.receive_text(frame);
    let message = harness.messages().remove(0);
    assert_eq!((message.as_text(), message.id), (Some(frame), Some(1)));
    assert_eq!(message.transport, harness.transport());
}

#[test]
fn what_is_received_is_acknowledged_if_the_dialect_does_so_and_duplicates_again() {
    let mut harness = Harness::open_acks(|config| {
        config.dialect =
            DialectConfig::Json(JsonConfig { acknowledge: true, ..JsonConfig::default() });
    });
    harness.receive_text("{\"id\":5}");
    harness.receive_text("{\"id\":5}");
    harness.receive_text("{\"a\":1}");
    harness.receive_text("{\"ack\":1}");
    assert_eq!(harness.take_texts(), ["{\"ack\":5}", "{\"ack\":5}"]);
    assert_eq!(harness.messages().len(), 2);
    assert_eq!(harness.counters().accepted, 0, "an acknowledgement is no message");
    // By default it does not.
    let mut harness = Harness::open_acks(|_| {});
    harness.receive_text("{\"id\":5}");
    assert!(harness.take_texts().is_empty());
}
