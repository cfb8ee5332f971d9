//! What is accepted, what is given back, and how each message ends.

use alloc::vec::Vec;

use crate::testing::{Harness, ms, payload, secs};
use crate::{
    Class, DialectConfig, Duration, EncodeError, Event, JsonConfig, Notice, Outgoing, Overflow,
    Payload, Rejected, Seq,
};

fn writables(harness: &Harness) -> usize {
    harness.notices.iter().filter(|notice| **notice == Notice::Writable).count()
}

/// What a rejection must leave as it was.
fn unchanged(harness: &mut Harness, message: Outgoing) -> Rejected {
    let before = harness.connection.status();
    let rejected = harness.refused(message.clone());
    let mut after = harness.connection.status();
    assert_eq!(after.counters.rejected, before.counters.rejected + 1);
    after.counters.rejected = before.counters.rejected;
    assert_eq!(after, before);
    assert_eq!(rejected.clone().into_message(), Some(message));
    rejected
}

#[test]
fn what_is_offered_while_down_comes_back_where_it_is_refused() {
    let mut harness = Harness::new(|config| {
        config.outbox.while_down = crate::WhileDown::Refuse;
        config.outbox.max_messages = 1;
    });
    // While dialling, and while the next dial is waited for; whatever the class.
    for phase in ["dialing", "waiting"] {
        assert_eq!(harness.phase(), phase);
        for class in [Class::Volatile, Class::Queued] {
            let message = Outgoing::new("early").class(class);
            assert_eq!(harness.refused(message.clone()), Rejected::NotOpen(message));
        }
        if phase == "dialing" {
            harness.fail_dial();
        }
    }
    harness.await_dial();
    assert_eq!(harness.counters().rejected, 4);
    harness.open();
    harness.flushes = false;
    harness.send_as("now", Class::Queued);
    harness.reset();
    assert!(matches!(harness.refused("late"), Rejected::NotOpen(_)));
    harness.close();
    assert!(matches!(harness.refused("too late"), Rejected::Closed(_)));
}

#[test]
fn a_full_outbox_gives_the_message_back_by_messages_and_by_bytes() {
    for overflow in [Overflow::Reject, Overflow::Wait] {
        let mut harness = Harness::new(|config| {
            config.outbox.max_messages = 3;
            config.outbox.max_bytes = 10;
            config.outbox.overflow = overflow;
        });
        harness.send(payload(4));
        harness.send(payload(4));
        let rejected = unchanged(&mut harness, Outgoing::new(payload(3)));
        assert!(matches!(rejected, Rejected::QueueFull(_)), "bytes: {rejected:?}");
        harness.send(payload(0));
        let rejected = unchanged(&mut harness, Outgoing::new(payload(0)));
        assert!(matches!(rejected, Rejected::QueueFull(_)), "messages: {rejected:?}");
    }
}

#[test]
fn a_message_larger_than_the_whole_outbox_is_too_large_under_every_policy() {
    for overflow in [Overflow::Reject, Overflow::Wait, Overflow::DropOldest, Overflow::DropNewest] {
        let mut harness = Harness::new(|config| {
            config.outbox.max_bytes = 10;
            config.outbox.overflow = overflow;
        });
        harness.send(payload(10));
        let rejected = unchanged(&mut harness, Outgoing::new(payload(11)));
        assert!(matches!(rejected, Rejected::TooLarge { size: 11, limit: 10, .. }));
        let volatile = Outgoing::new(payload(11)).class(Class::Volatile);
        assert!(matches!(unchanged(&mut harness, volatile), Rejected::TooLarge { .. }));
    }
    // The envelope counts.
    let mut harness = Harness::acks(|config| config.outbox.max_bytes = 30);
    assert!(matches!(
        unchanged(&mut harness, Outgoing::new("0123456789")),
        Rejected::TooLarge { size: 45, limit: 30, .. }
    ));
}

#[test]
fn drop_oldest_makes_room_among_what_was_not_handed_over() {
    let mut harness = Harness::open_with(|config| {
        config.outbox.max_messages = 4;
        config.outbox.max_bytes = 40;
        config.outbox.write_credit = 10;
        config.outbox.overflow = Overflow::DropOldest;
    });
    harness.flushes = false;
    for _ in 0..4 {
        harness.send(payload(10));
    }
    assert_eq!(harness.writes.len(), 1);
    harness.send(payload(1));
    assert_eq!(harness.fates(), ["2 dropped Oldest"]);
    harness.send(payload(19));
    assert_eq!(harness.fates()[1..], ["3 dropped Oldest"]);
    assert_eq!(harness.connection.status().outbox_bytes, 40);
    // Nothing that may be dropped helps: the newest goes, and the others stay.
    harness.send(payload(31));
    assert_eq!(harness.fates()[2..], ["7 dropped Newest"]);
    harness.send(payload(30));
    assert_eq!(harness.fates()[3..], ["4 dropped Oldest", "5 dropped Oldest", "6 dropped Oldest"]);
}

#[test]
fn drop_newest_accepts_and_drops() {
    let mut harness = Harness::new(|config| {
        config.outbox.max_messages = 2;
        config.outbox.overflow = Overflow::DropNewest;
    });
    for _ in 0..4 {
        harness.send("x");
    }
    assert_eq!(harness.fates(), ["3 dropped Newest", "4 dropped Newest"]);
    harness.open();
    assert_eq!(harness.fates()[2..], ["1 flushed", "2 flushed"]);
}

#[test]
fn what_is_dropped_comes_back_to_the_application() {
    let mut harness = Harness::new(|config| {
        config.outbox.max_messages = 1;
        config.outbox.overflow = Overflow::DropOldest;
    });
    harness.send("first");
    harness.send("second");
    let Some(Notice::Undelivered { payload, .. }) = harness.notices.last() else { panic!("none") };
    assert_eq!(*payload, Payload::from("first"));
}

#[test]
fn a_refused_sender_is_told_once_there_is_room_again() {
    let mut harness = Harness::open_with(|config| {
        config.outbox.max_messages = 8;
        config.outbox.write_credit = 1;
    });
    harness.flushes = false;
    for _ in 0..8 {
        harness.send("x");
    }
    harness.refused("y");
    harness.refused("y");
    harness.flush(1);
    assert_eq!(writables(&harness), 0, "a waiting sender is not woken for every message");
    harness.flush(2);
    assert_eq!(writables(&harness), 1);
    harness.flush(3);
    assert_eq!(writables(&harness), 1, "told once");
    harness.send("y");
}

#[test]
fn there_is_room_again_when_a_quarter_is_free() {
    for most in 1..=12_usize {
        let mut harness = Harness::open_with(|config| config.outbox.max_messages = most);
        harness.flushes = false;
        for _ in 0..most {
            harness.send("x");
        }
        harness.refused("y");
        let wanted = (1..).find(|ended| (most - ended) * 4 <= most * 3).expect("at the latest all");
        for index in 1..=wanted {
            assert_eq!(writables(&harness), 0, "{index} of {most}");
            harness.flush(index as u64);
        }
        assert_eq!(writables(&harness), 1, "{wanted} of {most}");
    }
}

#[test]
fn a_large_message_is_not_told_of_room_that_does_not_hold_it() {
    let mut harness = Harness::open_with(|config| {
        config.outbox.max_bytes = 100;
        config.outbox.overflow = Overflow::Wait;
    });
    harness.flushes = false;
    harness.send(payload(10));
    harness.refused(payload(95));
    assert_eq!(writables(&harness), 0, "the sender would be refused again and again");
    harness.flush(1);
    assert_eq!(writables(&harness), 1);
    harness.send(payload(95));
}

#[test]
fn whoever_is_told_of_room_finds_it() {
    for size in [1, 20, 26, 60, 100] {
        let mut harness = Harness::open_with(|config| {
            config.outbox.max_bytes = 100;
            config.outbox.write_credit = 1;
        });
        harness.flushes = false;
        for _ in 0..10 {
            harness.send(payload(10));
        }
        harness.refused(payload(size));
        for written in 1..=10 {
            harness.flush(written);
            if writables(&harness) > 0 {
                harness.send(payload(size));
                break;
            }
        }
        assert_eq!(writables(&harness), 1, "{size}");
    }
}

#[test]
fn volatile_is_for_this_transport_or_never() {
    let mut harness = Harness::new(|config| config.outbox.write_credit = 1);
    harness.send_as("too early", Class::Volatile);
    assert_eq!(harness.fates(), ["1 dropped NotOpen"]);
    harness.open();
    harness.flushes = false;
    harness.send_as("written", Class::Volatile);
    harness.send_as("waits", Class::Volatile);
    harness.reset();
    assert_eq!(harness.fates()[1..], ["2 uncertain Lost", "3 dropped Lost"]);
    harness.send_as("down", Class::Volatile);
    harness.take_frames();
    harness.reopen();
    assert!(harness.take_frames().is_empty(), "never on a later transport");
    assert_eq!(harness.fates()[3..], ["4 dropped NotOpen"]);
}

#[test]
fn a_volatile_message_offered_while_not_open_is_dropped_even_if_the_outbox_is_full() {
    let mut harness = Harness::new(|config| config.outbox.max_messages = 1);
    harness.send("x");
    harness.send_as("y", Class::Volatile);
    assert_eq!(harness.fates(), ["2 dropped NotOpen"]);
}

#[test]
fn queued_survives_outages_until_it_is_handed_over() {
    let mut harness = Harness::new(|config| config.outbox.write_credit = 1);
    harness.flushes = false;
    for text in ["a", "b", "c"] {
        harness.send(text);
    }
    harness.fail_dial();
    harness.reopen();
    assert_eq!(harness.take_texts(), ["a"]);
    harness.reset();
    assert_eq!(harness.fates(), ["1 uncertain Lost"], "never sent twice, never called sent");
    harness.reopen();
    harness.flush(1);
    harness.flush(2);
    assert_eq!(harness.take_texts(), ["b", "c"]);
    assert_eq!(harness.fates()[1..], ["2 flushed", "3 flushed"]);
}

#[test]
fn a_lifetime_passes_while_waiting_and_not_once_written() {
    let mut harness = Harness::open_with(|config| {
        config.outbox.ttl = Some(secs(5));
        config.outbox.write_credit = 1;
        config.heartbeat.style = crate::HeartbeatStyle::Off;
    });
    harness.flushes = false;
    harness.send("written");
    harness.send(Outgoing::new("longer").ttl(secs(9)));
    harness.send(Outgoing::new("shorter").ttl(secs(2)));
    harness.send("default");
    harness.advance(ms(1_999));
    assert!(harness.fates().is_empty());
    harness.advance(ms(1));
    assert_eq!(harness.fates(), ["3 expired"]);
    harness.advance(secs(3));
    assert_eq!(harness.fates()[1..], ["4 expired"]);
    harness.advance(secs(5));
    assert_eq!(harness.fates()[2..], ["2 expired"]);
    harness.flush(1);
    assert_eq!(harness.fates()[3..], ["1 flushed"]);
    assert_eq!(harness.counters().expired, 3);
}

#[test]
fn an_acknowledged_message_whose_lifetime_passes_after_it_was_sent_is_uncertain() {
    let mut harness = Harness::open_acks(|config| config.outbox.ttl = Some(secs(5)));
    harness.send("1");
    harness.advance(secs(5));
    assert_eq!(harness.fates(), ["1 uncertain Expired"]);
    // Sent once, and waiting to be sent again.
    let mut harness = Harness::open_acks(|config| config.outbox.ttl = Some(secs(5)));
    harness.send("1");
    harness.reset();
    harness.advance(secs(5));
    assert_eq!(harness.fates(), ["1 uncertain Expired"]);
    harness.open();
    assert_eq!(harness.take_texts().len(), 1);
}

#[test]
fn a_lifetime_without_end_or_without_length_is_one() {
    let mut harness = Harness::new(|_| {});
    harness.send(Outgoing::new("for ever").ttl(Duration::MAX));
    harness.send(Outgoing::new("now or never").ttl(Duration::ZERO));
    harness.tick();
    assert_eq!(harness.fates(), ["2 expired"]);
    harness.advance(secs(3_600));
    assert_eq!(harness.connection.status().queued, 1);
}

#[test]
fn what_was_not_handed_over_can_be_cancelled() {
    let mut harness = Harness::new(|_| {});
    let first = harness.send("1");
    let second = harness.send("2");
    harness.done(Event::Cancel(first));
    assert_eq!(harness.handle(Event::Cancel(first)), Err(Rejected::NotQueued(first)));
    assert_eq!(harness.handle(Event::Cancel(Seq(99))), Err(Rejected::NotQueued(Seq(99))));
    harness.open();
    assert_eq!(harness.take_texts(), ["2"]);
    assert_eq!(harness.handle(Event::Cancel(second)), Err(Rejected::NotQueued(second)));
    assert_eq!(harness.fates(), ["1 cancelled", "2 flushed"]);
    // Nor can one that waits to be sent again.
    let mut harness = Harness::open_acks(|_| {});
    let seq = harness.send("1");
    harness.reset();
    assert_eq!(harness.handle(Event::Cancel(seq)), Err(Rejected::NotQueued(seq)));
}

#[test]
fn purge_takes_back_all_that_was_not_handed_over() {
    let mut harness = Harness::open_acks(|config| config.outbox.ack_window = 1);
    for _ in 0..3 {
        harness.send("x");
    }
    harness.done(Event::Purge);
    assert_eq!(harness.fates(), ["2 cancelled", "3 cancelled"]);
    harness.receive_text(r#"{"ack":1}"#);
    assert_eq!(harness.fates()[2..], ["1 acknowledged"]);
    harness.done(Event::Purge);
}

#[test]
fn room_made_by_cancelling_is_told() {
    let mut harness = Harness::new(|config| config.outbox.max_messages = 1);
    let seq = harness.send("x");
    harness.refused("y");
    harness.done(Event::Cancel(seq));
    assert_eq!(writables(&harness), 1);
}

#[test]
fn the_buffered_amount_is_what_was_not_given_to_the_network() {
    let mut harness = Harness::open_with(|config| config.outbox.write_credit = 8);
    harness.flushes = false;
    harness.send(payload(5));
    harness.send(payload(7));
    assert_eq!(harness.connection.buffered_amount(), 12);
    harness.flush(1);
    assert_eq!(harness.connection.buffered_amount(), 7);
    harness.flush(2);
    assert_eq!(harness.connection.buffered_amount(), 0);
    // What only awaits its acknowledgement was given to it.
    let mut harness = Harness::open_acks(|_| {});
    harness.flushes = false;
    harness.send("1");
    let size = harness.connection.buffered_amount();
    assert!(size > 0);
    harness.flush(1);
    assert_eq!(harness.connection.buffered_amount(), 0);
    assert_eq!(harness.connection.status().outbox_bytes, size);
}

#[test]
fn what_the_dialect_cannot_write_comes_back() {
    let mut harness = Harness::open_with(|_| {});
    let acknowledged = Outgoing::new("x").class(Class::Acknowledged);
    let rejected = unchanged(&mut harness, acknowledged);
    assert!(matches!(rejected, Rejected::Unencodable { error: EncodeError::NoAcks, .. }));
    let mut harness = Harness::open_acks(|_| {});
    let rejected = unchanged(&mut harness, Outgoing::new(payload(1)));
    assert!(matches!(rejected, Rejected::Unencodable { error: EncodeError::BinaryInText, .. }));
    let largest = Payload::from(r#"{"id":18446744073709551615}"#);
    harness.send(largest);
    let rejected = unchanged(&mut harness, Outgoing::new("x"));
    assert!(matches!(rejected, Rejected::Unencodable { error: EncodeError::IdsExhausted, .. }));
}

#[test]
fn text_and_binary_cross_a_plain_transport_as_they_are() {
    let mut harness = Harness::open_with(|_| {});
    harness.send("text");
    harness.send(payload(2));
    harness.send("");
    let frames = harness.take_frames();
    let expected = [Payload::from("text"), payload(2), Payload::from("")];
    assert_eq!(frames, expected.map(crate::Frame::from));
    for frame in frames {
        harness.receive(frame);
    }
    let received: Vec<Payload> = harness.messages().into_iter().map(|m| m.payload).collect();
    assert_eq!(received, [Payload::from("text"), payload(2), Payload::from("")]);
    assert!(harness.messages().iter().all(|message| message.id.is_none()));
}

#[test]
fn json_with_an_id_goes_out_as_it_is_and_the_rest_in_an_envelope() {
    let mut harness = Harness::open_with(|config| {
        config.dialect = DialectConfig::Json(JsonConfig::default());
        config.wall_clock_origin_ms = 1_700_000_000_000;
    });
    for message in [r#"{"id":7,"a":1}"#, r#"{"a":1}"#, "hello", "[1]"] {
        harness.send(message);
    }
    assert_eq!(
        harness.take_texts(),
        [
            r#"{"id":7,"a":1}"#,
            r#"{"id":8,"data":{"a":1},"timestamp":1700000001000}"#,
            r#"{"id":9,"data":"hello","timestamp":1700000001000}"#,
            r#"{"id":10,"data":[1],"timestamp":1700000001000}"#,
        ]
    );
    assert!(matches!(
        harness.notices.iter().rev().find(|notice| matches!(notice, Notice::Flushed { .. })),
        Some(Notice::Flushed { id: Some(10), .. })
    ));
}
