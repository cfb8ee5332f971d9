//! At most so many bytes unflushed per transport.

use crate::testing::{Harness, payload, secs};
use crate::{Capabilities, Event};

fn credit(bytes: usize) -> Harness {
    let mut harness = Harness::new(|config| config.outbox.write_credit = bytes);
    harness.flushes = false;
    harness.open();
    harness
}

#[test]
fn no_more_than_the_credit_is_written_without_a_flush() {
    let mut harness = credit(10);
    for _ in 0..5 {
        harness.send(payload(4));
    }
    assert_eq!(harness.writes.len(), 2);
    harness.flush(1);
    assert_eq!(harness.writes.len(), 3, "the flushed four bytes are free again");
    harness.flush(3);
    assert_eq!(harness.writes.len(), 5);
    harness.flush(5);
    assert_eq!(harness.fates().len(), 5);
}

#[test]
fn one_message_larger_than_the_credit_passes_alone() {
    let mut harness = credit(10);
    harness.send(payload(100));
    harness.send(payload(1));
    assert_eq!(harness.writes.len(), 1);
    harness.flush(1);
    assert_eq!(harness.writes.len(), 2);
    harness.send(payload(100));
    assert_eq!(harness.writes.len(), 2, "not beside another");
}

#[test]
fn a_message_that_finds_no_credit_is_not_overtaken_by_a_smaller_one() {
    let mut harness = credit(10);
    harness.send(payload(5));
    harness.send(payload(6));
    harness.send(payload(1));
    assert_eq!(harness.writes.len(), 1);
}

#[test]
fn credit_starts_anew_with_each_transport() {
    let mut harness = credit(10);
    harness.send(payload(10));
    harness.send(payload(10));
    harness.reset();
    harness.reopen();
    assert_eq!(harness.writes.len(), 2);
    assert_eq!(harness.fates(), ["1 uncertain Lost"]);
}

#[test]
fn a_message_is_flushed_when_its_own_write_is_and_not_before() {
    let mut harness = credit(100);
    for _ in 0..3 {
        harness.send("x");
    }
    harness.flush(0);
    assert!(harness.fates().is_empty());
    harness.flush(2);
    assert_eq!(harness.fates(), ["1 flushed", "2 flushed"]);
    harness.flush(2);
    harness.flush(1);
    assert_eq!(harness.fates().len(), 2, "a repeated report counts nothing twice");
    harness.flush(u64::MAX);
    assert_eq!(harness.fates().len(), 3);
}

#[test]
fn a_transport_without_flush_reports_is_read_by_its_buffered_amount() {
    let mut harness = Harness::new(|config| {
        config.outbox.write_credit = 10;
        config.heartbeat.style = crate::HeartbeatStyle::Off;
    });
    harness.capabilities = Capabilities::BROWSER;
    harness.flushes = false;
    harness.open();
    for _ in 0..4 {
        harness.send(payload(5));
    }
    assert_eq!(harness.writes.len(), 2);
    let transport = harness.transport();
    harness.done(Event::Buffered { transport, bytes: 10 });
    assert!(harness.fates().is_empty());
    harness.done(Event::Buffered { transport, bytes: 4 });
    assert_eq!((harness.fates().len(), harness.writes.len()), (1, 3));
    harness.done(Event::Buffered { transport, bytes: 0 });
    assert_eq!((harness.fates().len(), harness.writes.len()), (3, 4));
    // More than was ever written is nonsense, and does no harm.
    harness.done(Event::Buffered { transport, bytes: u64::MAX });
    assert_eq!(harness.fates().len(), 3);
}

#[test]
fn a_transport_that_never_flushes_is_found_dead_all_the_same() {
    let mut harness = credit(10);
    harness.pongs = false;
    for _ in 0..5 {
        harness.send(payload(10));
    }
    harness.advance(secs(40));
    assert!(harness.dead().is_some());
    harness.flushes = true;
    harness.reopen();
    assert_eq!(harness.counters().flushed, 4);
}
