//! How many retries there are: dials that follow upon a failure.

use crate::testing::{Harness, secs};
use crate::{Event, Reason};

#[test]
fn max_retries_counts_what_follows_upon_a_failure() {
    // After the first dial, after a loss, and after one of a connection that lasted: the same.
    let mut first = Harness::new(|config| config.retry.max_retries = Some(2));
    let mut lost = Harness::open_with(|config| config.retry.max_retries = Some(2));
    let mut lasted = Harness::open_with(|config| config.retry.max_retries = Some(2));
    first.fail_dial();
    lost.reset();
    lasted.advance(secs(30));
    lasted.reset();
    for mut harness in [first, lost, lasted] {
        for _ in 0..2 {
            harness.await_dial();
            harness.fail_dial();
        }
        assert!(matches!(harness.closed().reason, Reason::MaxAttempts(_)));
        assert_eq!((harness.dials.len(), harness.wait), (3, None));
    }
}

#[test]
fn without_retries_the_first_failure_is_the_end() {
    let mut harness = Harness::new(|config| config.retry.max_retries = Some(0));
    harness.fail_dial();
    assert!(matches!(harness.closed().reason, Reason::MaxAttempts(_)));
    let mut harness = Harness::open_with(|config| config.retry.max_retries = Some(0));
    harness.reset();
    assert!(matches!(harness.closed().reason, Reason::MaxAttempts(_)));
}

#[test]
fn retries_are_counted_anew_after_a_reconnect_by_hand() {
    let mut harness = Harness::new(|config| config.retry.max_retries = Some(2));
    harness.fail_dial();
    harness.await_dial();
    harness.done(Event::Reconnect);
    for _ in 0..2 {
        harness.fail_dial();
        harness.await_dial();
    }
    assert!(!harness.is_closed());
    harness.fail_dial();
    assert!(harness.is_closed());
}
