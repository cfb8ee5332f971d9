//! The queue is looked at, and put in another order.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::testing::{Harness, secs};
use crate::{Accepted, Class, Event, Overflow, Payload, Seq};

impl Harness {
    fn order(&self) -> Vec<u64> {
        self.connection.queued().map(|queued| queued.seq.get()).collect()
    }

    fn reorder(&mut self, names: &[u64]) {
        self.done(Event::Reorder(names.iter().map(|seq| Seq(*seq)).collect()));
    }
}

#[test]
fn what_is_queued_can_be_seen_and_put_in_order() {
    let mut harness = Harness::new(|config| {
        config.dialect = crate::DialectConfig::Json(crate::JsonConfig::default());
    });
    let texts: Vec<String> = (1..=5).map(|id| alloc::format!("{{\"id\":{id}}}")).collect();
    for text in &texts {
        harness.send(Payload::from(text.clone()));
    }
    harness.done(Event::Cancel(Seq(3)));
    let queued: Vec<_> = harness.connection.queued().collect();
    assert_eq!(queued.len(), 4);
    assert_eq!((queued[1].seq, queued[1].id, queued[1].class), (Seq(2), Some(2), Class::Queued));
    assert_eq!(queued[1].payload, &Payload::from(texts[1].clone()));
    // Unknown, ended and repeated names change nothing.
    harness.reorder(&[5, 99, 3, 2, 5]);
    assert_eq!(harness.order(), [5, 2, 1, 4]);
    harness.send("6");
    assert_eq!(harness.order(), [5, 2, 1, 4, 6]);
    harness.done(Event::Cancel(Seq(1)));
    harness.reorder(&[]);
    assert_eq!(harness.order(), [5, 2, 4, 6]);
    harness.open();
    assert_eq!(harness.fates().len(), 2 + 4);
    assert_eq!(harness.fates()[2..], ["5 flushed", "2 flushed", "4 flushed", "6 flushed"]);
    assert!(harness.order().is_empty());
    harness.reorder(&[1, 2]);
    assert_eq!(harness.send("7"), Seq(7));
    assert_eq!(harness.fates()[6..], ["7 flushed"]);
}

#[test]
fn what_was_handed_over_keeps_its_place() {
    let mut harness = Harness::open_acks(|config| config.outbox.ack_window = 2);
    for text in [r#"{"id":1}"#, r#"{"id":2}"#, r#"{"id":3}"#, r#"{"id":4}"#] {
        harness.send(text);
    }
    harness.reorder(&[4, 2, 1]);
    assert_eq!(harness.order(), [4, 3]);
    harness.take_texts();
    harness.reset();
    harness.reorder(&[4, 3]);
    harness.reopen();
    assert_eq!(harness.take_texts(), [r#"{"id":1}"#, r#"{"id":2}"#]);
    harness.receive_text(r#"{"ack":2}"#);
    assert_eq!(harness.take_texts(), [r#"{"id":4}"#]);
    // To a cumulative acknowledgement what overtook others stands for those that were sent.
    harness.receive_text(r#"{"ack":4,"cumulative":true}"#);
    assert_eq!(harness.fates(), ["2 acknowledged", "1 acknowledged", "4 acknowledged"]);
    assert_eq!(harness.take_texts(), [r#"{"id":3}"#]);
    harness.receive_text(r#"{"ack":3}"#);
    assert_eq!(harness.fates().last().map(String::as_str), Some("3 acknowledged"));
    assert_eq!(harness.connection.status().queued, 0);
}

#[test]
fn the_oldest_make_room_whatever_their_place() {
    let mut harness = Harness::new(|config| {
        config.outbox.max_messages = 4;
        config.outbox.overflow = Overflow::DropOldest;
    });
    for text in ["1", "2", "3", "4"] {
        harness.send(text);
    }
    harness.reorder(&[1, 4, 2]);
    harness.send("5");
    assert_eq!(harness.fates(), ["1 dropped Oldest"]);
    assert_eq!(harness.order(), [4, 2, 3, 5]);
    harness.send("6");
    assert_eq!(harness.order(), [4, 3, 5, 6]);
}

#[test]
fn nothing_is_to_be_put_in_order_at_the_end() {
    let mut harness = Harness::open_with(|config| config.opening.hold = true);
    harness.send("1");
    harness.close();
    harness.advance(secs(5));
    harness.closed();
    assert_eq!(harness.handle(Event::Reorder(vec![Seq(1)])), Ok(Accepted::Done));
    assert!(harness.order().is_empty());
}
