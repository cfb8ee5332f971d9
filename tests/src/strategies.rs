//! Arbitrary configurations and steps: mostly what a driver would do, and some nonsense.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::scenario::{Clock, Inbound, Step, Whom};
use crate::setup::Setup;

/// Any config, made of small numbers. Shrinks towards [`Setup::default`].
pub fn setup() -> impl Strategy<Value = Setup> {
    let often_off = || prop_oneof![2 => Just(0_u8), 1 => 1..=255_u8];
    let seldom = || proptest::bool::weighted(0.1);
    let retry = (
        (seldom(), seldom(), 1..=200_u8),
        (0..4_u8, 0..=60_u8, 0..=60_u8, 0..=400_u16, 0..4_u8),
        (
            prop_oneof![2 => Just(0_u8), 1 => 1..=6_u8],
            prop_oneof![2 => Just(0_u16), 1 => 20..=2_000_u16],
        ),
        (any::<u8>(), often_off(), any::<bool>(), 0..=2_000_u16),
    );
    let heartbeat = (
        (0..4_u8, prop_oneof![1 => 1..=5_u8, 3 => 1..=200_u8], 1..=200_u8, 0..4_u8),
        (any::<bool>(), often_off(), any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>()),
    );
    let boxes = (
        (0..8_u8, any::<u8>(), 0..4_u8, 0..3_u8, often_off(), 1..=200_u8),
        (1..=100_u8, 0..4_u8, 0..5_u8, 0..6_u8, any::<bool>()),
    );
    (retry, heartbeat, boxes).prop_map(|(retry, heartbeat, boxes)| {
        let ((manual, fail_fast, dial_timeout), delays, limits, rest) = retry;
        let (backoff, base, growth, cap, jitter) = delays;
        let (max_attempts, max_outage) = limits;
        let (stable_after, suspend_after, fail_on_suspend, max_retry_after) = rest;
        let ((style, interval, deadline, misses), clock) = heartbeat;
        let (quiet_only, stale_after, jump, probe_deadline, close_timeout, drain) = clock;
        let (send, acks) = boxes;
        let (max_messages, max_bytes, overflow, class, ttl, credit) = send;
        let (ack_timeout, ack_window, dedupe, dialect, acknowledge) = acks;
        Setup {
            manual,
            fail_fast,
            dial_timeout,
            backoff,
            base,
            growth,
            cap,
            jitter,
            max_attempts,
            max_outage,
            stable_after,
            suspend_after,
            fail_on_suspend,
            max_retry_after,
            style,
            interval,
            deadline,
            misses,
            quiet_only,
            stale_after,
            jump,
            probe_deadline,
            close_timeout,
            drain,
            max_messages,
            max_bytes,
            overflow,
            class,
            ttl,
            credit,
            ack_timeout,
            ack_window,
            dedupe,
            dialect,
            acknowledge,
        }
    })
}

fn whom() -> impl Strategy<Value = Whom> {
    prop_oneof![
        20 => Just(Whom::Current),
        2 => (0..4_u8).prop_map(Whom::Past),
        1 => (0..3_u8).prop_map(Whom::Future),
    ]
}

fn clock() -> impl Strategy<Value = Clock> {
    prop_oneof![
        8 => Just(Clock::Deadline),
        4 => (0..=100_u8).prop_map(Clock::Late),
        4 => Just(Clock::Early),
        4 => any::<u8>().prop_map(Clock::By),
        1 => any::<u8>().prop_map(Clock::Back),
        1 => any::<u16>().prop_map(Clock::Jump),
    ]
}

fn inbound() -> impl Strategy<Value = Inbound> {
    prop_oneof![
        6 => option::of(0..8_u8).prop_map(Inbound::Message),
        1 => any::<u8>().prop_map(Inbound::Binary),
        1 => Just(Inbound::Ping),
        5 => prop_oneof![3 => Just(0_u8), 1 => 0..4_u8].prop_map(Inbound::Pong),
        1 => any::<u64>().prop_map(Inbound::WrongPong),
        1 => Just(Inbound::DialectPing),
        4 => Just(Inbound::DialectPong),
        6 => (0..4_u8, proptest::bool::weighted(0.2)).prop_map(|(but, all)| Inbound::Ack(but, all)),
        1 => (0..40_u64, any::<bool>()).prop_map(|(id, all)| Inbound::AnyAck(id, all)),
        1 => Just(Inbound::BadAck),
        1 => Just(Inbound::Deep),
        1 => close_code().prop_map(Inbound::Close),
    ]
}

fn close_code() -> impl Strategy<Value = Option<u16>> {
    let codes = vec![1000, 1001, 1012, 1013, 1011, 4002, 1006, 4001, 1008, 1002, 0, 65_535];
    option::weighted(0.9, proptest::sample::select(codes))
}

/// Steps that a driver, a peer and an application might take.
fn plausible() -> impl Strategy<Value = Step> {
    let lacks = prop_oneof![6 => Just(0_u8), 1 => Just(5_u8), 1 => 0..8_u8];
    prop_oneof![
        30 => clock().prop_map(Step::Tick),
        3 => clock().prop_map(Step::Pass),
        24 => (Just(Whom::Current), lacks).prop_map(|(whom, lacks)| Step::Opened(whom, lacks)),
        4 => (Just(Whom::Current), 0..8_u8, any::<u16>())
            .prop_map(|(whom, kind, asked)| Step::DialFailed(whom, kind, asked)),
        24 => inbound().prop_map(|inbound| Step::Receive(Whom::Current, inbound)),
        3 => Just(Step::Heard(Whom::Current)),
        16 => prop_oneof![3 => Just(0_u8), 1 => 0..3_u8]
            .prop_map(|but| Step::Flushed(Whom::Current, but)),
        3 => (0..40_u16).prop_map(|bytes| Step::Buffered(Whom::Current, bytes)),
        3 => Just(Step::Ended(Whom::Current)),
        30 => (0..60_u8, 0..4_u8, option::weighted(0.2, any::<u8>()))
            .prop_map(|(size, class, ttl)| Step::Send(size, class, ttl)),
        4 => any::<u8>().prop_map(Step::SendOdd),
        3 => (0..4_u8).prop_map(Step::Cancel),
        2 => Just(Step::Reconnect),
        2 => (Just(0_u8), option::of(any::<u8>()))
            .prop_map(|(off, delay)| Step::Retry(off, delay.map(Some))),
        2 => Just(Step::Pause),
        3 => Just(Step::Resume),
    ]
}

/// Steps that should never be taken, and those after which little follows.
fn nonsense() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (whom(), 0..8_u8).prop_map(|(whom, lacks)| Step::Opened(whom, lacks)),
        3 => (whom(), any::<u8>(), any::<u16>())
            .prop_map(|(whom, kind, asked)| Step::DialFailed(whom, kind, asked)),
        6 => (whom(), inbound()).prop_map(|(whom, inbound)| Step::Receive(whom, inbound)),
        2 => whom().prop_map(Step::Heard),
        2 => (whom(), any::<u8>()).prop_map(|(whom, but)| Step::Flushed(whom, but)),
        2 => (whom(), any::<u8>()).prop_map(|(whom, by)| Step::FlushedBeyond(whom, by)),
        2 => (whom(), any::<u16>()).prop_map(|(whom, bytes)| Step::Buffered(whom, bytes)),
        1 => (whom(), any::<u16>()).prop_map(|(whom, code)| Step::Violated(whom, code)),
        2 => whom().prop_map(Step::Ended),
        2 => (any::<u8>(), any::<u8>(), option::of(any::<u8>()))
            .prop_map(|(size, class, ttl)| Step::Send(size, class, ttl)),
        2 => any::<bool>().prop_map(Step::Lazy),
        2 => any::<u8>().prop_map(Step::Poll),
        1 => any::<u8>().prop_map(Step::Cancel),
        1 => Just(Step::Purge),
        1 => prop_oneof![Just(1000_u16), any::<u16>()].prop_map(Step::Close),
        1 => option::of(any::<u8>()).prop_map(Step::Drain),
        1 => Just(Step::Reconnect),
        1 => (0..3_u8, option::of(option::of(any::<u8>())))
            .prop_map(|(off, choice)| Step::Retry(off, choice)),
        1 => Just(Step::Resume),
    ]
}

/// What often follows each other: an open transport, an answered ping, a delivered message.
fn exchange() -> impl Strategy<Value = Vec<Step>> {
    const WE: Whom = Whom::Current;
    let deadline = Step::Tick(Clock::Deadline);
    let receive = |inbound| Step::Receive(WE, inbound);
    prop_oneof![
        3 => Just(vec![deadline, Step::Opened(WE, 0)]),
        2 => Just(vec![deadline, receive(Inbound::Pong(0)), receive(Inbound::DialectPong)]),
        1 => (1..=80_u8).prop_map(move |late| {
            vec![Step::Tick(Clock::Late(late)), receive(Inbound::Pong(0)), Step::Heard(WE)]
        }),
        3 => (0..40_u8, 0..4_u8).prop_map(move |(size, class)| {
            vec![Step::Send(size, class, None), Step::Flushed(WE, 0), receive(Inbound::Ack(0, false))]
        }),
        1 => (1..20_u8).prop_map(move |pings| {
            let mut steps = vec![Step::Tick(Clock::Jump(1))];
            steps.resize(usize::from(pings), deadline);
            steps.push(receive(Inbound::Pong(pings - 1)));
            steps
        }),
        // The application talks without a pause, and nobody answers.
        1 => (4..40_usize).prop_map(|often| {
            let early = Step::Tick(Clock::Early);
            [Step::Send(0, 1, None), Step::Flushed(WE, 0), early].repeat(often)
        }),
        1 => (1..12_usize).prop_map(move |often| {
            [deadline, Step::DialFailed(WE, 0, 0)].repeat(often)
        }),
        1 => (0..4_u8).prop_map(move |id| {
            vec![receive(Inbound::Message(Some(id))), receive(Inbound::Message(Some(id)))]
        }),
    ]
}

/// One step.
pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![25 => plausible(), 1 => nonsense()]
}

/// A hundred steps and more. Shrinks to as few as show the same.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let some = prop_oneof![2 => step().prop_map(|step| vec![step]), 1 => exchange()];
    prop_oneof![
        6 => vec(some, 1..200).prop_map(|some| some.concat()),
        1 => vec(nonsense(), 1..150),
    ]
}
