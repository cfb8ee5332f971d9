//! First in, first out; control frames before data; what is sent again before what is new.

use crate::testing::{Harness, secs};
use crate::{Class, DialectConfig, Frame, HeartbeatStyle, JsonConfig, Outgoing};

#[test]
fn messages_of_all_classes_share_one_order() {
    let mut harness = Harness::acks(|_| {});
    harness.open();
    harness.flushes = false;
    for (id, class) in [
        ("{\"id\":1}", Class::Acknowledged),
        ("{\"id\":2}", Class::Volatile),
        ("{\"id\":3}", Class::Queued),
        ("{\"id\":4}", Class::Acknowledged),
    ] {
        harness.send(Outgoing::new(id).class(class));
    }
    assert_eq!(harness.take_texts(), ["{\"id\":1}", "{\"id\":2}", "{\"id\":3}", "{\"id\":4}"]);
}

#[test]
fn order_holds_across_credit_and_outages() {
    let mut harness = Harness::new(|config| config.outbox.write_credit = 2);
    for text in ["a", "b", "c"] {
        harness.send(text);
    }
    harness.open();
    harness.reset();
    for text in ["d", "e"] {
        harness.send(text);
    }
    harness.reopen();
    harness.send("f");
    assert_eq!(harness.take_texts(), ["a", "b", "c", "d", "e", "f"]);
}

#[test]
fn heartbeats_and_acknowledgements_overtake_data() {
    let mut harness = Harness::open_acks(|config| {
        config.outbox.write_credit = 1;
        config.heartbeat.style = HeartbeatStyle::Application;
        config.heartbeat.interval = secs(5);
        config.dialect =
            DialectConfig::Json(JsonConfig { acknowledge: true, ..JsonConfig::default() });
    });
    harness.flushes = false;
    for id in ["{\"id\":1}", "{\"id\":2}", "{\"id\":3}"] {
        harness.send(id);
    }
    harness.take_frames();
    harness.receive_text(r#"{"id":77}"#);
    harness.receive_text(r#"{"type":"ping"}"#);
    harness.advance(secs(5));
    assert_eq!(
        harness.take_texts(),
        [r#"{"ack":77}"#, r#"{"type":"pong"}"#, r#"{"type":"ping"}"#],
        "though data waits for credit"
    );
    harness.flush(99);
    assert_eq!(harness.take_texts(), ["{\"id\":2}"]);
}

#[test]
fn a_close_overtakes_data_in_the_same_turn() {
    let mut harness = Harness::open_with(|config| config.outbox.write_credit = 1);
    harness.flushes = false;
    harness.send("a");
    harness.send("b");
    harness.take_frames();
    harness.close();
    assert!(matches!(harness.take_frames()[..], [Frame::Close(_)]));
}

#[test]
fn resends_keep_their_order_and_go_before_newer_messages() {
    let mut harness = Harness::open_acks(|config| config.outbox.ack_window = 3);
    for id in ["{\"id\":1}", "{\"id\":2}", "{\"id\":3}", "{\"id\":4}"] {
        harness.send(id);
    }
    assert_eq!(harness.take_texts(), ["{\"id\":1}", "{\"id\":2}", "{\"id\":3}"]);
    harness.receive_text(r#"{"ack":2}"#);
    assert_eq!(harness.take_texts(), ["{\"id\":4}"]);
    harness.reset();
    harness.send("{\"id\":5}");
    harness.reopen();
    assert_eq!(harness.take_texts(), ["{\"id\":1}", "{\"id\":3}", "{\"id\":4}"]);
    harness.receive_text(r#"{"ack":4,"cumulative":true}"#);
    assert_eq!(harness.take_texts(), ["{\"id\":5}"]);
}

#[test]
fn a_resend_after_a_timeout_goes_before_what_has_not_been_sent() {
    let mut harness = Harness::open_acks(|config| config.outbox.ack_window = 2);
    for id in ["{\"id\":1}", "{\"id\":2}", "{\"id\":3}"] {
        harness.send(id);
    }
    harness.take_texts();
    harness.advance(secs(10));
    assert_eq!(harness.take_texts(), ["{\"id\":1}", "{\"id\":2}"]);
}

#[test]
fn what_was_received_is_told_in_its_order() {
    let mut harness = Harness::open_with(|_| {});
    for text in ["1", "2", "3"] {
        harness.receive_text(text);
    }
    let messages = harness.messages();
    let texts: alloc::vec::Vec<_> = messages.iter().filter_map(|m| m.as_text()).collect();
    assert_eq!(texts, ["1", "2", "3"]);
}
