//! A long outage: promises are withdrawn, and the connection tries on.

use crate::testing::{Harness, secs};
use crate::{Notice, State};

fn suspensions(harness: &Harness) -> usize {
    harness.notices.iter().filter(|notice| matches!(notice, Notice::Suspended { .. })).count()
}

#[test]
fn after_two_minutes_of_outage_it_says_so_once_and_retries_at_the_cap() {
    let mut harness = Harness::open_with(|_| {});
    harness.reset();
    while harness.elapsed() < 119_000 {
        harness.advance(secs(1));
    }
    assert!(!harness.connection.status().suspended);
    harness.advance(secs(1));
    assert!(harness.connection.status().suspended);
    assert_eq!(harness.connection.state(), State::Reconnecting);
    assert!(harness.notices.contains(&Notice::Suspended { outage: secs(120) }));
    harness.advance(secs(600));
    assert_eq!(suspensions(&harness), 1);
    assert_eq!(harness.delays().last(), Some(&30_000));
    assert!(harness.dials.len() > 10, "it tries on");
}

#[test]
fn retries_go_on_at_the_cap_even_if_the_policy_has_not_reached_it() {
    let mut harness = Harness::new(|config| {
        config.retry.backoff = crate::Backoff::Constant { base: secs(1) };
        config.retry.suspend_after = Some(secs(5));
    });
    for _ in 0..6 {
        harness.fail_dial();
        harness.await_dial();
    }
    harness.fail_dial();
    assert_eq!(harness.delays()[..5], [1_000; 5]);
    assert_eq!(harness.delays()[5..], [30_000; 2]);
}

#[test]
fn the_outbox_is_kept_by_default() {
    let mut harness = Harness::acks(|config| config.retry.suspend_after = Some(secs(5)));
    harness.send("before");
    harness.advance(secs(6));
    harness.send("during");
    assert!(harness.fates().is_empty());
    harness.open();
    assert_eq!(harness.take_texts().len(), 2);
    assert!(!harness.connection.status().suspended);
}

#[test]
fn the_outbox_is_failed_with_a_reason_if_so_configured() {
    let mut harness = Harness::acks(|config| {
        config.retry.suspend_after = Some(secs(5));
        config.retry.fail_outbox_on_suspend = true;
    });
    harness.open();
    harness.send("sent");
    harness.reset();
    harness.send("queued");
    harness.advance(secs(5));
    assert_eq!(harness.fates(), ["1 uncertain Suspended", "2 dropped Suspended"]);
    let suspended = harness.notices.iter().position(|n| matches!(n, Notice::Suspended { .. }));
    let failed = harness.notices.iter().position(|n| matches!(n, Notice::Undelivered { .. }));
    assert!(suspended < failed);
}

#[test]
fn each_outage_is_measured_by_itself() {
    let mut harness = Harness::open_with(|config| config.retry.suspend_after = Some(secs(5)));
    for _ in 0..5 {
        harness.reset();
        harness.await_dial();
        harness.advance(secs(3));
        harness.open();
        harness.hear();
        harness.advance(secs(15));
    }
    assert_eq!(suspensions(&harness), 0);
    harness.reset();
    harness.advance(secs(5));
    assert_eq!(suspensions(&harness), 1);
    harness.await_dial();
    harness.open();
    harness.advance(secs(100));
    assert_eq!((suspensions(&harness), harness.connection.status().suspended), (1, false));
}

#[test]
fn without_a_limit_nothing_is_suspended() {
    let mut harness = Harness::new(|config| config.retry.suspend_after = None);
    harness.advance(secs(u64::from(crate::testing::rounds(100_000))));
    assert_eq!(suspensions(&harness), 0);
}

#[test]
fn the_first_connect_is_suspended_as_well() {
    let mut harness = Harness::new(|_| {});
    harness.advance(secs(120));
    assert_eq!(suspensions(&harness), 1);
    assert_eq!(harness.connection.state(), State::Connecting);
}
