//! Hostile input: bounded, typed, and without a panic.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use crate::testing::{Harness, ms, payload, secs, text};
use crate::{
    Action, BuiltIn, Capabilities, Class, CloseFrame, ClosedBy, Config, Connection, DialError,
    DialFailure, DialectConfig, Duration, End, EndKind, Event, Frame, HeartbeatStyle, Instant,
    Jitter, JsonConfig, Notice, Outgoing, Overflow, Reason, Rejected, RetryChoice, Seq,
    TransportId, Violation, Warning,
};

#[test]
fn a_message_larger_than_the_limit_closes_with_1009_and_is_not_delivered() {
    let mut harness = Harness::open_with(|config| config.inbox.max_message = 125);
    harness.receive(Frame::from(payload(125)));
    assert_eq!(harness.messages().len(), 1);
    harness.receive(Frame::from(payload(126)));
    assert_eq!(harness.messages().len(), 1);
    let frames = harness.take_frames();
    assert!(matches!(&frames[..], [Frame::Close(Some(close))] if close.code == 1009));
    harness.end(EndKind::Eof);
    let closed = harness.closed();
    assert_eq!((closed.by, closed.code), (ClosedBy::Policy, 1009));
    let Reason::Violated(Violation { detail, .. }) = closed.reason else { panic!("not named") };
    assert!(detail.contains("126") && detail.contains("125"), "{detail}");
}

#[test]
fn json_that_nests_too_deeply_is_passed_on_unread_with_a_warning() {
    let mut harness = Harness::open_acks(|config| {
        config.dialect = DialectConfig::Json(JsonConfig { max_depth: 3, ..JsonConfig::default() });
    });
    harness.receive_text(r#"{"id":1,"a":[[[]]]}"#);
    let message = harness.messages().remove(0);
    assert_eq!(message.id, None);
    let warned = harness.notices.iter().find_map(|notice| match notice {
        Notice::Warning(Warning::Unreadable { detail }) => Some(detail.clone()),
        _ => None,
    });
    let detail = warned.expect("a warning");
    assert!(detail.contains("max_depth") && !detail.contains("[["), "{detail}");
}

#[test]
fn undrained_actions_are_bounded_and_the_refused_event_comes_back() {
    let mut harness = Harness::open_with(|_| {});
    let event = Event::Received { transport: harness.transport(), frame: text("flood") };
    let mut refused = None;
    for _ in 0..10_000 {
        if let Err(rejected) = harness.connection.handle(harness.now, event.clone()) {
            refused = Some(rejected);
            break;
        }
    }
    assert_eq!(refused, Some(Rejected::Busy(event.clone())));
    assert!((256..=256 + 16).contains(&harness.connection.undrained()));
    let before = harness.connection.clone();
    assert!(harness.connection.handle(harness.now + secs(100), Event::Tick).is_err());
    assert_eq!(harness.connection, before, "nothing has changed");
    while !matches!(harness.connection.poll(), Action::Wait { .. }) {}
    assert_eq!(harness.connection.undrained(), 0);
    assert!(harness.connection.handle(harness.now, event).is_ok());
}

#[test]
fn a_flood_of_pings_and_ids_is_answered_within_bounds() {
    let mut harness = Harness::new(|config| {
        config.dialect =
            DialectConfig::Json(JsonConfig { acknowledge: true, ..JsonConfig::default() });
        config.inbox.dedupe = 8;
    });
    harness.capabilities = Capabilities { answers_pings: false, ..Capabilities::SOCKET };
    harness.flushes = false;
    harness.open();
    for id in 0..crate::testing::rounds(5_000) {
        harness.receive_text(&alloc::format!("{{\"id\":{id}}}"));
        harness.receive_text(r#"{"type":"ping"}"#);
        harness.receive(Frame::Ping(crate::Bytes::new()));
    }
    assert!(
        harness.writes.len() <= 64,
        "{} frames to a peer that reads none",
        harness.writes.len()
    );
    harness.close();
    assert!(harness.writes.len() <= 65);
    harness.flush(u64::MAX);
    harness.advance(secs(5));
    harness.closed();
}

#[test]
fn a_flood_of_acknowledgements_changes_only_counters() {
    let mut harness = Harness::open_acks(|_| {});
    harness.send("x");
    let count = u64::from(crate::testing::rounds(1_000));
    for id in 2..2 + count {
        harness.receive_text(&alloc::format!("{{\"ack\":{id},\"cumulative\":true}}"));
    }
    assert_eq!(harness.counters().ignored_acks, count);
    assert!(harness.fates().is_empty());
}

#[test]
fn secrets_do_not_show() {
    let mut harness = Harness::open_with(|_| {});
    harness.flushes = false;
    harness.send("hunter2");
    harness.receive_text("hunter2");
    harness.reset();
    for shown in [
        alloc::format!("{:?}", harness.connection),
        alloc::format!("{:?}", harness.notices),
        alloc::format!("{:?}", harness.writes),
        alloc::format!("{:?}", Event::Send(Outgoing::new("hunter2"))),
        serde_json::to_string(&harness.connection.status()).expect("serialisable"),
    ] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let refused = Rejected::QueueFull(Outgoing::new("hunter2"));
    assert!(!refused.to_string().contains("hunter2"));
    assert!(!alloc::format!("{refused:?}").contains("hunter2"));
}

/// What a driver, an application and a peer may do, with ids and times as they like.
fn event() -> impl Strategy<Value = Event> {
    let transport = || (0_u64..6).prop_map(TransportId);
    let class = prop_oneof![
        Just(None),
        Just(Some(Class::Volatile)),
        Just(Some(Class::Queued)),
        Just(Some(Class::Acknowledged)),
    ];
    let frames = prop_oneof![
        Just(text("hello")),
        Just(text("{\"id\":1}")),
        Just(text("{\"type\":\"ping\"}")),
        Just(text("{\"type\":\"pong\"}")),
        (0_u64..9).prop_map(|id| text(&alloc::format!("{{\"ack\":{id}}}"))),
        (0_u64..9).prop_map(|id| text(&alloc::format!("{{\"ack\":{id},\"cumulative\":true}}"))),
        Just(Frame::from(payload(200))),
        Just(Frame::Ping(crate::Bytes::new())),
        Just(Frame::Pong(crate::Bytes::from_static(b"12345678"))),
        Just(Frame::Close(None)),
        (990_u16..1_020).prop_map(|code| Frame::Close(Some(CloseFrame::new(code, "")))),
    ];
    let choices = prop_oneof![
        Just(RetryChoice::Keep),
        Just(RetryChoice::Stop),
        any::<u64>().prop_map(|nanos| RetryChoice::After(Duration::from_nanos(nanos))),
    ];
    let close =
        || prop_oneof![Just(1000), 990_u16..1_020].prop_map(|code| CloseFrame::new(code, ""));
    let failure = (any::<bool>(), 400_u16..504, proptest::option::of(any::<u64>())).prop_map(
        |(status, code, after)| DialFailure {
            status: status.then_some(code),
            retry_after: after.map(Duration::from_nanos),
            ..DialFailure::new(if status { DialError::Status } else { DialError::Tls }, "")
        },
    );
    prop_oneof![
        4 => Just(Event::Tick),
        6 => (class, 0_usize..60, proptest::option::of(0_u64..5_000), any::<u8>()).prop_map(
            |(class, size, ttl, lane)| {
                let text: alloc::string::String = core::iter::repeat_n('x', size).collect();
                let ttl = ttl.map(Duration::from_millis);
                Event::Send(Outgoing { payload: text.into(), class, ttl, ahead: lane < 64 })
            },
        ),
        2 => transport().prop_map(|transport| Event::Release { transport }),
        1 => (transport(), any::<bool>()).prop_map(|(transport, retry)| Event::Refuse {
            transport,
            retry,
            detail: "no".into(),
        }),
        1 => proptest::collection::vec((0_u64..20).prop_map(Seq), 0..4).prop_map(Event::Reorder),
        1 => (0_u64..20).prop_map(|seq| Event::Cancel(Seq(seq))),
        1 => Just(Event::Purge),
        1 => Just(Event::Reconnect),
        1 => Just(Event::PauseReads),
        1 => Just(Event::ResumeReads),
        1 => (0_u32..6, choices).prop_map(|(attempt, choice)| Event::Retry { attempt, choice }),
        6 => (transport(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
            |(transport, a, b, c)| Event::Opened {
                transport,
                capabilities: Capabilities {
                    protocol_ping: a, answers_pings: b, flush_reports: c,
                },
            }
        ),
        2 => (transport(), failure)
            .prop_map(|(transport, failure)| Event::DialFailed { transport, failure }),
        8 => (transport(), frames)
            .prop_map(|(transport, frame)| Event::Received { transport, frame }),
        1 => transport().prop_map(|transport| Event::Heard { transport }),
        6 => (transport(), prop_oneof![0_u64..9, any::<u64>()])
            .prop_map(|(transport, through)| Event::Flushed { transport, through }),
        2 => (transport(), prop_oneof![0_u64..99, any::<u64>()])
            .prop_map(|(transport, bytes)| Event::Buffered { transport, bytes }),
        1 => transport().prop_map(|transport| Event::Violated {
            transport, violation: Violation { code: 1002, detail: "".into() },
        }),
        2 => transport()
            .prop_map(|transport| Event::Ended { transport, end: End::new(EndKind::Reset) }),
        // Rare, or nothing else would be seen.
    ]
    .prop_flat_map(move |event| {
        prop_oneof![40 => Just(event), 1 => close().prop_map(Event::Close), 1 => close()
            .prop_map(|close| Event::Drain { timeout: None, close })]
    })
}

fn any_config() -> impl Strategy<Value = Config> {
    let overflow = prop_oneof![
        Just(Overflow::Reject),
        Just(Overflow::Wait),
        Just(Overflow::DropOldest),
        Just(Overflow::DropNewest)
    ];
    let style = prop_oneof![
        Just(HeartbeatStyle::Protocol),
        Just(HeartbeatStyle::Application),
        Just(HeartbeatStyle::Server),
        Just(HeartbeatStyle::Off)
    ];
    let jitter = prop_oneof![
        Just(Jitter::None),
        Just(Jitter::Equal),
        Just(Jitter::Full),
        Just(Jitter::Decorrelated)
    ];
    (overflow, style, jitter, any::<[bool; 5]>(), 1_usize..9, 1_usize..300).prop_map(
        |(overflow, style, jitter, [a, b, c, d, hold], messages, bytes)| {
            let mut config = Config::builder();
            config.outbox.overflow = overflow;
            config.outbox.max_messages = messages;
            config.outbox.max_bytes = bytes;
            config.outbox.write_credit = bytes / 2 + 1;
            config.outbox.ack_window = messages / 2 + 1;
            config.heartbeat.style = style;
            config.heartbeat.stale_after = a.then_some(secs(15));
            config.heartbeat.quiet_only = b;
            config.retry.jitter = jitter;
            config.opening.hold = hold;
            config.retry.max_attempts = c.then_some(4);
            config.retry.max_outage = d.then_some(secs(300));
            config.retry.fail_outbox_on_suspend = b;
            config.inbox.max_message = 150;
            config.inbox.dedupe = 4;
            config.dialect =
                DialectConfig::Json(JsonConfig { acknowledge: d, ..JsonConfig::default() });
            config.build().expect("valid")
        },
    )
}

/// The event with its transport counted back from the last one dialled: a driver cannot name one
/// that it was never told of.
fn aimed(mut event: Event, last: TransportId) -> Event {
    match &mut event {
        Event::Opened { transport, .. }
        | Event::DialFailed { transport, .. }
        | Event::Received { transport, .. }
        | Event::Heard { transport }
        | Event::Flushed { transport, .. }
        | Event::Buffered { transport, .. }
        | Event::Violated { transport, .. }
        | Event::Release { transport }
        | Event::Refuse { transport, .. }
        | Event::Ended { transport, .. } => {
            *transport = TransportId(last.get().saturating_sub(transport.get() / 4));
        }
        Event::Tick
        | Event::Send(_)
        | Event::Cancel(_)
        | Event::Purge
        | Event::Reorder(_)
        | Event::Close(_)
        | Event::Drain { .. }
        | Event::Reconnect
        | Event::Retry { .. }
        | Event::PauseReads
        | Event::ResumeReads => {}
    }
    event
}

/// What an accepted event and its actions look like, for comparison.
fn drain(connection: &mut Connection<BuiltIn>) -> Vec<Action> {
    let mut actions = Vec::new();
    loop {
        let action = connection.poll();
        let last = matches!(action, Action::Wait { .. });
        actions.push(action);
        if last {
            return actions;
        }
    }
}

proptest! {
    #![proptest_config(crate::testing::cases())]

    /// The harness checks after each event: one live transport, ids that increase, no write to a
    /// dead or unopened one, nothing after the closed notice, the books, both limits.
    #[test]
    fn no_sequence_of_events_breaks_a_rule_or_panics(
        config in any_config(),
        events in prop::collection::vec((event(), 0_u64..4_000), 0..crate::testing::steps(120)),
    ) {
        let dialect = BuiltIn::new(&config.dialect);
        let mut harness = Harness::with_dialect(config, dialect, 7);
        harness.flushes = false;
        for (event, later) in events {
            if later % 5 == 0 {
                harness.advance(ms(later));
            } else if later % 7 == 0 {
                harness.oversleep(ms(later * 10));
            } else if later % 97 == 0 {
                harness.now = Instant::from_millis(later);
            }
            let event = aimed(event, harness.transport());
            let status = harness.connection.status();
            if let Err(rejected) = harness.handle(event.clone())
                && let Event::Send(message) = event
            {
                prop_assert_eq!(rejected.into_message(), Some(message));
            }
            let after = harness.connection.status();
            prop_assert!(after.transport >= status.transport || after.transport.is_none());
        }
        // And it can always be closed.
        let now = harness.now.max(Instant::from_millis(u64::MAX / 2_000_000));
        harness.now = now;
        harness.done(Event::Close(CloseFrame::new(1000, "")));
        harness.advance(secs(5));
        prop_assert!(harness.is_closed());
        let closed = |notice: &&Notice| matches!(notice, Notice::Closed(_));
        prop_assert_eq!(harness.notices.iter().filter(closed).count(), 1);
    }

    #[test]
    fn the_same_events_give_the_same_actions_and_a_clone_goes_the_same_way(
        config in any_config(),
        seed: u64,
        events in prop::collection::vec((event(), 0_u64..40_000), 0..crate::testing::steps(60)),
        split in 0..crate::testing::steps(60),
    ) {
        let dialect = BuiltIn::new(&config.dialect);
        let mut now = Instant::from_millis(5);
        let mut one = Connection::new(config.clone(), dialect.clone(), seed, now);
        let mut two = Connection::new(config, dialect, seed, now);
        for (index, (event, later)) in events.into_iter().enumerate() {
            if index == split {
                two = one.clone();
            }
            now = now + ms(later);
            prop_assert_eq!(one.handle(now, event.clone()), two.handle(now, event));
            prop_assert_eq!(drain(&mut one), drain(&mut two));
            prop_assert_eq!(&one, &two);
        }
    }
}
