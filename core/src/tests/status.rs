//! What a dashboard would show.

use crate::testing::{Harness, ms, secs};
use crate::{Class, Notice, ReadyState, State, Timer};

#[test]
fn the_status_follows_the_life_of_a_connection() {
    let mut harness = Harness::new(|_| {});
    let status = harness.connection.status();
    assert_eq!((status.state, status.ready_state), (State::Connecting, ReadyState::Connecting));
    assert_eq!((status.phase, status.attempt), ("dialing", 1));
    assert_eq!(status.transport, Some(harness.transport()));
    assert_eq!(status.deadline.map(|deadline| deadline.1), Some(Timer::Dial));
    assert_eq!((status.outage_since, status.last_heard), (None, None));

    harness.open();
    let status = harness.connection.status();
    assert_eq!((status.state, status.ready_state), (State::Open, ReadyState::Open));
    assert_eq!(status.last_heard, Some(harness.now));

    harness.advance(secs(20));
    let status = harness.connection.status();
    assert_eq!(status.rtt, Some(ms(0)));
    assert_eq!(status.attempt, 0);

    harness.reset();
    let lost = harness.now;
    let status = harness.connection.status();
    assert_eq!((status.state, status.ready_state), (State::Reconnecting, ReadyState::Connecting));
    assert_eq!(status.outage_since, Some(lost));
    assert_eq!(status.retry_at, Some(lost + secs(1)));
    assert_eq!(status.transport, None);
    assert!(status.last_error.expect("known").contains("reset"));

    harness.reopen();
    let status = harness.connection.status();
    assert_eq!((status.outage_since, status.retry_at), (None, None));
    assert_eq!(status.counters.reconnects, 1);
    assert_eq!(status.counters.outage_ns, 1_000_000_000);
    assert_eq!(status.counters.attempts, 2);

    harness.close();
    assert_eq!(harness.connection.status().ready_state, ReadyState::Closing);
    harness.advance(secs(5));
    let status = harness.connection.status();
    assert_eq!((status.state, status.ready_state), (State::Closed, ReadyState::Closed));
    assert_eq!((status.deadline, status.transport, status.rtt.is_some()), (None, None, false));
}

#[test]
fn a_change_of_state_names_the_transport_it_is_about() {
    let transports = |harness: &Harness| -> alloc::vec::Vec<_> {
        let changes = harness.notices.iter().filter_map(|notice| match notice {
            Notice::StateChanged { to, transport, .. } => {
                Some((*to, transport.map(crate::TransportId::get)))
            }
            _ => None,
        });
        changes.collect()
    };
    let mut harness = Harness::open_with(|_| {});
    harness.reset();
    harness.reopen();
    harness.close();
    harness.advance(secs(5));
    let (open, reconnecting) = (State::Open, State::Reconnecting);
    let expected =
        [(open, Some(1)), (reconnecting, Some(1)), (open, Some(2)), (State::Closed, Some(2))];
    assert_eq!(transports(&harness), expected);
    let mut harness = Harness::new(|config| config.connect.auto = false);
    harness.close();
    assert_eq!(transports(&harness), [(State::Closed, None)]);
}

#[test]
fn an_outage_cut_short_by_the_end_is_counted() {
    let mut harness = Harness::open_with(|_| {});
    harness.reset();
    harness.advance(secs(1));
    harness.advance(secs(2));
    harness.close();
    assert_eq!(harness.counters().outage_ns, 3_000_000_000);
    assert_eq!(harness.counters().reconnects, 0);
    // The first connect is no outage.
    let mut harness = Harness::new(|_| {});
    harness.advance(secs(3));
    harness.close();
    assert_eq!(harness.counters().outage_ns, 0);
}

#[test]
fn an_end_that_was_asked_for_is_no_error() {
    let mut harness = Harness::open_with(|_| {});
    harness.reset();
    harness.close();
    assert_eq!(harness.connection.status().last_error, None);
    let mut harness = Harness::new(|_| {});
    harness.refuse(401, None);
    assert!(harness.connection.status().last_error.expect("known").contains("401"));
}

#[test]
fn the_outbox_is_shown_by_its_parts() {
    let mut harness = Harness::open_acks(|config| config.outbox.ack_window = 1);
    harness.send_as("{\"id\":1}", Class::Acknowledged);
    harness.send_as("{\"id\":2}", Class::Acknowledged);
    let status = harness.connection.status();
    assert_eq!((status.queued, status.in_flight), (1, 1));
    assert_eq!((status.outbox_bytes, status.buffered_amount), (16, 8));
    harness.reset();
    let status = harness.connection.status();
    assert_eq!((status.queued, status.in_flight), (2, 0));
}

#[test]
fn the_ready_state_counts_as_a_browsers() {
    assert_eq!(
        [ReadyState::Connecting, ReadyState::Open, ReadyState::Closing, ReadyState::Closed]
            .map(|state| state as u8),
        [0, 1, 2, 3]
    );
}
