//! Events of transports that have passed change nothing but a counter.

use crate::testing::Harness;
use crate::{
    Accepted, Capabilities, CloseFrame, Connection, Counters, DialError, DialFailure, End, EndKind,
    Event, Frame, Status, TransportId, Violation,
};

fn every_event(transport: TransportId) -> [Event; 9] {
    let end = End::new(EndKind::Reset);
    let violation = Violation { code: 1002, detail: "".into() };
    let failure = DialFailure::new(DialError::Status, "");
    [
        Event::Opened { transport, capabilities: Capabilities::SOCKET },
        Event::DialFailed { transport, failure: DialFailure { status: Some(401), ..failure } },
        Event::Received { transport, frame: Frame::Text("x".into()) },
        Event::Received { transport, frame: Frame::Close(Some(CloseFrame::new(1008, ""))) },
        Event::Heard { transport },
        Event::Flushed { transport, through: u64::MAX },
        Event::Buffered { transport, bytes: 0 },
        Event::Violated { transport, violation },
        Event::Ended { transport, end },
    ]
}

/// The status without the counter that may change.
fn without_stale<D: crate::Dialect>(connection: &Connection<D>) -> Status {
    let mut status = connection.status();
    status.counters = Counters { stale_events: 0, ..status.counters };
    status
}

#[test]
fn an_event_of_a_dead_transport_changes_only_a_counter() {
    // The live one waits, dials, is open, closes, has closed.
    for stage in 0..5 {
        let mut harness = Harness::open_acks(|_| {});
        harness.flushes = false;
        harness.send("1");
        harness.reset();
        let dead = harness.transport();
        if stage > 0 {
            harness.await_dial();
        }
        if stage > 1 {
            harness.open();
        }
        match stage {
            3 => harness.close(),
            4 => {
                harness.close();
                harness.end(EndKind::Eof);
            }
            _ => {}
        }
        for id in [dead, TransportId(0), TransportId(99), TransportId(u64::MAX)] {
            for event in every_event(id) {
                let before = without_stale(&harness.connection);
                let counted = harness.counters().stale_events;
                let (notices, writes) = (harness.notices.len(), harness.writes.len());
                let wait = harness.wait;
                assert_eq!(harness.handle(event.clone()), Ok(Accepted::Stale), "{stage} {event:?}");
                assert_eq!(without_stale(&harness.connection), before, "{stage} {event:?}");
                assert_eq!(harness.counters().stale_events, counted + 1);
                assert_eq!((harness.notices.len(), harness.writes.len()), (notices, writes));
                assert_eq!(harness.wait, wait);
            }
        }
    }
}

#[test]
fn a_late_opening_is_answered_with_abort() {
    let mut harness = Harness::new(|_| {});
    let first = harness.transport();
    harness.done(Event::Reconnect);
    harness.aborts.clear();
    let opened = |transport| Event::Opened { transport, capabilities: Capabilities::SOCKET };
    harness.stale(opened(first));
    assert_eq!(harness.aborts, [1]);
    harness.open();
    harness.stale(opened(first));
    assert_eq!(harness.aborts, [1, 1]);
    harness.close();
    harness.end(EndKind::Eof);
    harness.stale(opened(first));
    assert_eq!(harness.aborts, [1, 1, 1], "after the end too");
}

#[test]
fn a_second_opening_of_the_live_transport_does_not_end_it() {
    let mut harness = Harness::open_with(|_| {});
    let transport = harness.transport();
    harness.stale(Event::Opened { transport, capabilities: Capabilities::BROWSER });
    assert!(harness.aborts.is_empty());
    harness.send("still there");
    assert_eq!(harness.fates(), ["1 flushed"]);
}

#[test]
fn the_id_dies_when_the_core_decides_that_the_transport_is_dead() {
    let mut harness = Harness::open_with(|_| {});
    harness.pongs = false;
    while harness.dead().is_none() {
        harness.advance(crate::testing::secs(1));
    }
    let transport = harness.transport();
    harness.stale(Event::Received { transport, frame: Frame::Text("too late".into()) });
    harness.stale(Event::Ended { transport, end: End::new(EndKind::Reset) });
    assert!(harness.messages().is_empty());
    assert_eq!(harness.delays().len(), 1);
}

#[test]
fn a_failed_dial_of_an_open_transport_is_stale() {
    let mut harness = Harness::open_with(|_| {});
    let failure = DialFailure::new(DialError::Connect, "");
    let transport = harness.transport();
    harness.stale(Event::DialFailed { transport, failure });
    assert_eq!(harness.phase(), "open");
}
