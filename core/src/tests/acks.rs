//! Delivery that the peer acknowledges.

use alloc::vec::Vec;

use crate::testing::{Harness, ms, secs};
use crate::{Class, DialectConfig, JsonConfig, Notice, Outgoing, Timer, Warning};

fn ignored(harness: &Harness) -> Vec<Option<u64>> {
    let ignored = harness.notices.iter().filter_map(|notice| match notice {
        Notice::Warning(Warning::IgnoredAck { id }) => Some(*id),
        _ => None,
    });
    ignored.collect()
}

/// An open connection that has sent `count` messages with the ids from 1.
fn sent(count: usize) -> Harness {
    let mut harness = Harness::open_acks(|_| {});
    for _ in 0..count {
        harness.send("x");
    }
    assert_eq!(harness.take_texts().len(), count);
    harness
}

#[test]
fn an_acknowledged_message_is_neither_flushed_nor_counted_so() {
    let mut harness = sent(1);
    assert!(harness.fates().is_empty());
    harness.receive_text(r#"{"ack":1}"#);
    assert_eq!(harness.fates(), ["1 acknowledged"]);
    let counters = harness.counters();
    assert_eq!((counters.acknowledged, counters.flushed, counters.received), (1, 0, 0));
    assert!(harness.messages().is_empty());
}

#[test]
fn both_forms_of_an_acknowledgement_are_understood() {
    for ack in [
        r#"{"ack":1}"#,
        r#"{"type":"ack","id":1}"#,
        r#"{"ack":1,"cumulative":true}"#,
        r#"{"type":"ack","id":1,"cumulative":true}"#,
    ] {
        let mut harness = sent(2);
        harness.receive_text(ack);
        assert_eq!(harness.fates(), ["1 acknowledged"], "{ack}");
    }
}

#[test]
fn nobody_wakes_up_for_what_needs_no_acknowledgement() {
    let mut harness = Harness::open_acks(|_| {});
    harness.flushes = false;
    harness.send_as("flushed", Class::Queued);
    harness.send_as("not flushed", Class::Queued);
    harness.flush(1);
    assert_eq!(harness.connection.status().in_flight, 1);
    assert!(!harness.connection.timers.is_armed(Timer::Ack));
}

#[test]
fn nobody_wakes_up_for_what_is_acknowledged() {
    let mut harness = Harness::open_acks(|_| {});
    harness.flushes = false;
    harness.send("x");
    harness.send_as("not flushed", Class::Queued);
    harness.flush(1);
    assert!(harness.connection.timers.is_armed(Timer::Ack));
    harness.receive_text(r#"{"ack":1}"#);
    assert_eq!(harness.connection.status().in_flight, 1);
    assert!(!harness.connection.timers.is_armed(Timer::Ack));
}

#[test]
fn an_acknowledgement_may_come_before_the_flush_is_reported() {
    let mut harness = Harness::open_acks(|_| {});
    harness.flushes = false;
    harness.send("x");
    harness.receive_text(r#"{"ack":1}"#);
    harness.flush(1);
    assert_eq!(harness.fates(), ["1 acknowledged"]);
    harness.advance(secs(15));
    assert_eq!(harness.take_texts().len(), 1, "it is not sent again");
}

#[test]
fn a_single_acknowledgement_covers_one_and_a_cumulative_all_up_to_it() {
    let mut harness = sent(5);
    harness.receive_text(r#"{"ack":4}"#);
    assert_eq!(harness.fates(), ["4 acknowledged"]);
    harness.receive_text(r#"{"ack":3,"cumulative":true}"#);
    assert_eq!(harness.fates()[1..], ["1 acknowledged", "2 acknowledged", "3 acknowledged"]);
    assert_eq!(harness.connection.status().in_flight, 1);
    // `cumulative` counts only if it is true.
    harness.receive_text(r#"{"ack":5,"cumulative":false}"#);
    assert_eq!(harness.fates()[4..], ["5 acknowledged"]);
}

#[test]
fn acknowledgements_that_mean_nothing_are_ignored_and_counted() {
    for (ack, id) in [
        (r#"{"ack":4}"#, Some(4)),
        (r#"{"ack":4,"cumulative":true}"#, Some(4)),
        (r#"{"ack":18446744073709551615,"cumulative":true}"#, Some(u64::MAX)),
        (r#"{"ack":18446744073709551616,"cumulative":true}"#, None),
        (r#"{"ack":-1}"#, None),
        (r#"{"ack":1.5}"#, None),
        (r#"{"ack":1e2}"#, None),
        (r#"{"ack":0}"#, Some(0)),
    ] {
        let mut harness = sent(3);
        harness.receive_text(ack);
        assert!(harness.fates().is_empty(), "{ack}");
        assert_eq!(ignored(&harness), [id], "{ack}");
        assert_eq!(harness.counters().ignored_acks, 1);
        assert!(harness.messages().is_empty(), "{ack} was delivered");
    }
}

#[test]
fn an_acknowledgement_before_anything_was_sent_is_ignored() {
    let mut harness = Harness::open_acks(|_| {});
    harness.receive_text(r#"{"ack":1}"#);
    assert_eq!(ignored(&harness), [Some(1)]);
    // Accepted, but not yet sent: it cannot be acknowledged either.
    let mut harness = Harness::open_acks(|config| config.outbox.ack_window = 1);
    harness.send("x");
    harness.send("x");
    harness.receive_text(r#"{"ack":2,"cumulative":true}"#);
    assert_eq!((ignored(&harness), harness.fates().len()), (alloc::vec![Some(2)], 0));
}

#[test]
fn an_acknowledgement_that_comes_twice_settles_once() {
    let mut harness = sent(2);
    for _ in 0..3 {
        harness.receive_text(r#"{"ack":1}"#);
    }
    assert_eq!(harness.fates(), ["1 acknowledged"]);
    assert_eq!(harness.counters().ignored_acks, 2);
    // A repeated cumulative one is how such servers work.
    harness.receive_text(r#"{"ack":1,"cumulative":true}"#);
    assert_eq!(harness.counters().ignored_acks, 2);
}

#[test]
fn a_lost_acknowledgement_makes_the_same_bytes_go_out_again_after_the_timeout() {
    let mut harness = Harness::open_acks(|config| config.outbox.ack_timeout = secs(3));
    harness.send("x");
    let first = harness.take_texts();
    harness.advance(ms(2_999));
    assert!(harness.take_texts().is_empty());
    harness.advance(ms(1));
    assert_eq!(harness.take_texts(), first, "the same id, the same bytes, its timestamp too");
    harness.advance(secs(3));
    assert_eq!(harness.take_texts(), first);
    assert_eq!(harness.counters().resent, 2);
    assert_eq!(harness.connection.state(), crate::State::Open);
    harness.receive_text(r#"{"ack":1}"#);
    harness.advance(secs(15));
    assert!(harness.take_texts().is_empty());
    assert_eq!(harness.fates(), ["1 acknowledged"]);
}

#[test]
fn each_message_has_its_own_timeout_from_its_own_flush() {
    let mut harness = Harness::open_acks(|config| config.outbox.ack_timeout = secs(4));
    harness.send("{\"id\":1}");
    harness.advance(secs(1));
    harness.send("{\"id\":2}");
    harness.flushes = false;
    harness.advance(secs(1));
    harness.send("{\"id\":3}");
    harness.take_texts();
    harness.advance(secs(2));
    assert_eq!(harness.take_texts(), ["{\"id\":1}"]);
    harness.advance(secs(1));
    assert_eq!(harness.take_texts(), ["{\"id\":2}"]);
    harness.advance(secs(10));
    assert!(harness.take_texts().is_empty(), "what is not flushed is not sent again");
    harness.flush(99);
    harness.advance(secs(4));
    assert_eq!(harness.take_texts(), ["{\"id\":1}", "{\"id\":2}", "{\"id\":3}"]);
}

#[test]
fn an_early_acknowledgement_does_not_hasten_or_delay_the_others() {
    let mut harness = Harness::open_acks(|config| config.outbox.ack_timeout = secs(4));
    harness.send("{\"id\":1}");
    harness.advance(secs(2));
    harness.send("{\"id\":2}");
    harness.take_texts();
    harness.receive_text(r#"{"ack":1}"#);
    harness.advance(ms(3_999));
    assert!(harness.take_texts().is_empty());
    harness.advance(ms(1));
    assert_eq!(harness.take_texts(), ["{\"id\":2}"]);
}

#[test]
fn unacknowledged_messages_are_resent_on_the_next_transport_in_order_with_the_same_bytes() {
    let mut harness = sent(0);
    for _ in 0..4 {
        harness.send("x");
        harness.advance(ms(10));
    }
    let first = harness.take_texts();
    harness.receive_text(r#"{"ack":2}"#);
    harness.reset();
    harness.send("newer");
    harness.reopen();
    let again = harness.take_texts();
    assert_eq!(again[..3], [first[0].clone(), first[2].clone(), first[3].clone()]);
    assert_eq!(again.len(), 4);
    harness.receive_text(r#"{"ack":5,"cumulative":true}"#);
    assert_eq!(harness.counters().acknowledged, 5);
    assert_eq!(harness.counters().resent, 3);
}

#[test]
fn an_acknowledgement_on_a_later_transport_settles_what_the_earlier_one_sent() {
    let mut harness = Harness::open_acks(|config| config.outbox.ack_window = 1);
    harness.send("{\"id\":1}");
    harness.reset();
    harness.take_texts();
    harness.reopen();
    // It waits in the transport again, or will; the server remembers it from before.
    harness.receive_text(r#"{"ack":1}"#);
    assert_eq!(harness.fates(), ["1 acknowledged"]);
    let mut harness = Harness::open_acks(|config| config.outbox.write_credit = 1);
    harness.flushes = false;
    harness.send("{\"id\":1}");
    harness.flush(1);
    harness.send("{\"id\":2}");
    harness.reset();
    harness.take_texts();
    harness.reopen();
    harness.receive_text(r#"{"ack":2,"cumulative":true}"#);
    assert_eq!(harness.fates(), ["1 acknowledged", "2 acknowledged"]);
    harness.flush(1);
    assert_eq!(harness.take_texts(), ["{\"id\":1}"], "the second is not sent again");
}

#[test]
fn acknowledged_messages_survive_any_number_of_outages() {
    let mut harness = sent(1);
    for _ in 0..20 {
        harness.reset();
        harness.reopen();
    }
    assert!(harness.fates().is_empty());
    harness.receive_text(r#"{"ack":1}"#);
    assert_eq!(harness.fates(), ["1 acknowledged"]);
}

#[test]
fn the_window_bounds_what_awaits_acknowledgement() {
    let mut harness = Harness::open_acks(|config| config.outbox.ack_window = 2);
    for _ in 0..5 {
        harness.send("x");
    }
    assert_eq!(harness.take_texts().len(), 2);
    assert_eq!(harness.connection.status().in_flight, 2);
    harness.receive_text(r#"{"ack":1}"#);
    assert_eq!(harness.take_texts().len(), 1);
    harness.receive_text(r#"{"ack":3,"cumulative":true}"#);
    assert_eq!(harness.take_texts().len(), 2);
    // After an outage the window holds for resends too.
    harness.reset();
    harness.reopen();
    assert_eq!(harness.take_texts().len(), 2);
}

#[test]
fn messages_of_other_classes_need_no_acknowledgement_and_take_no_window() {
    let mut harness = Harness::open_acks(|config| config.outbox.ack_window = 1);
    harness.send("x");
    harness.send(Outgoing::new("y").class(Class::Queued));
    harness.send(Outgoing::new("z").class(Class::Volatile));
    assert_eq!(harness.fates(), ["2 flushed", "3 flushed"]);
    harness.receive_text(r#"{"ack":2}"#);
    assert_eq!(harness.fates().len(), 2, "flushed stays flushed");
}

#[test]
fn an_id_used_twice_is_acknowledged_oldest_first() {
    let mut harness = Harness::open_acks(|_| {});
    harness.send("{\"id\":5,\"n\":1}");
    harness.send("{\"id\":5,\"n\":2}");
    harness.receive_text(r#"{"ack":5}"#);
    assert_eq!(harness.fates(), ["1 acknowledged"]);
    harness.receive_text(r#"{"ack":5}"#);
    assert_eq!(harness.fates(), ["1 acknowledged", "2 acknowledged"]);
}

#[test]
fn ids_go_on_after_the_largest_the_application_used() {
    let mut harness = Harness::open_acks(|_| {});
    harness.send("{\"id\":41}");
    harness.send("{\"id\":7}");
    harness.send("x");
    assert!(harness.take_texts()[2].starts_with(r#"{"id":42,"#));
}

#[test]
fn the_timer_rests_when_nothing_awaits_an_acknowledgement() {
    let mut harness = sent(1);
    assert_eq!(harness.wait.expect("armed").1, Timer::Stable);
    harness.receive_text(r#"{"ack":1}"#);
    assert!(harness.wait.expect("armed").1 != Timer::Ack);
    harness.advance(secs(10));
    assert!(harness.wait.expect("armed").1 == Timer::Ping);
}

#[test]
fn an_acknowledgement_in_the_turn_of_its_timer_saves_the_resend() {
    let mut harness = Harness::open_acks(|config| config.outbox.ack_timeout = secs(3));
    harness.send("x");
    harness.take_texts();
    harness.oversleep(secs(4));
    harness.receive_text(r#"{"ack":1}"#);
    assert!(harness.take_texts().is_empty());
}

#[test]
fn another_id_field_is_acknowledged_by_its_values() {
    let mut harness = Harness::open_acks(|config| {
        config.dialect =
            DialectConfig::Json(JsonConfig { id_field: "seq".into(), ..JsonConfig::default() });
    });
    harness.send(r#"{"seq":9,"id":1}"#);
    harness.receive_text(r#"{"ack":1}"#);
    assert!(harness.fates().is_empty());
    harness.receive_text(r#"{"type":"ack","seq":9}"#);
    assert_eq!(harness.fates(), ["1 acknowledged"]);
}

#[test]
fn the_timer_rests_when_the_last_message_expires() {
    let mut harness = Harness::open_acks(|config| {
        config.outbox.ttl = Some(secs(1));
        config.outbox.ack_timeout = secs(3);
    });
    harness.send("x");
    harness.advance(secs(1));
    assert_eq!(harness.fates(), ["1 uncertain Expired"]);
    assert_eq!(harness.wait.expect("armed").1, Timer::Stable);
}
