//! Strategies for `proptest` (feature `proptest`): configs, scripts of events, weather.
//!
//! What is drawn is mostly what a driver would do, with some nonsense. All of it shrinks well,
//! because everything names things relatively and small numbers are the simple ones: a failing
//! case loses the steps and the faults that it does not need, the rest move to the beginning and
//! become the plainest of their kind, and the config loses what does not matter. With a reference
//! model that forgets to send again what is not acknowledged, 150 steps come down to these:
//!
//! ```text
//! setup = Setup { dialect: 2, max_bytes: 26, ack_timeout: 9, interval: 6, deadline: 7, .. }
//! steps = [Send(0, 3, None), Opened(Current, 0), Send(0, 0, None), Flushed(Current, 0),
//!          Receive(Current, Ack(0, false)), Tick(Deadline), Tick(Deadline)]
//! ```
//!
//! ```
//! use perennial_core::sim::{run, strategies};
//! use proptest::prelude::*;
//!
//! proptest!(|(setup in strategies::setup(), seed: u64, steps in strategies::steps())| {
//!     // Every invariant is checked after every step.
//!     run(setup.config(), seed, &steps)?;
//! });
//! ```

use alloc::vec;
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use super::choices::Choices;
pub use super::script::{Script, ScriptTree, script};
use super::session::{SessionSetup, SessionStep};
use super::setup::Setup;
use super::step::{CLOSE_CODES, Clock, Inbound, Step, Whom};
use super::weather::{Fault, Weather, Weights};
use crate::time::Duration;

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
            prop_oneof![19 => Just(0_u8), 1 => 1..=6_u8],
        ),
        (any::<u8>(), often_off(), any::<bool>(), 0..=2_000_u16),
    );
    let heartbeat = (
        (0..5_u8, prop_oneof![1 => 1..=5_u8, 3 => 1..=200_u8], 1..=200_u8, 0..4_u8),
        (any::<bool>(), often_off(), any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>()),
        (proptest::bool::weighted(0.25), 1..=200_u8),
    );
    let boxes = (
        (0..8_u8, any::<u8>(), 0..4_u8, 0..3_u8, often_off(), 1..=200_u8),
        (1..=100_u8, 0..4_u8, 0..5_u8, 0..6_u8, any::<bool>(), seldom()),
    );
    (retry, heartbeat, boxes).prop_map(|(retry, heartbeat, boxes)| {
        let ((manual, fail_fast, dial_timeout), delays, limits, rest) = retry;
        let (backoff, base, growth, cap, jitter) = delays;
        let (max_attempts, max_outage, max_retries) = limits;
        let (stable_after, suspend_after, fail_on_suspend, max_retry_after) = rest;
        let ((style, interval, deadline, misses), clock, (hold, opening)) = heartbeat;
        let (quiet_only, stale_after, jump, probe_deadline, close_timeout, drain) = clock;
        let (send, acks) = boxes;
        let (max_messages, max_bytes, overflow, class, ttl, credit) = send;
        let (ack_timeout, ack_window, dedupe, dialect, acknowledge, refuse) = acks;
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
            max_retries,
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
            hold,
            opening,
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
            refuse,
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
        1 => Just(Clock::JustBefore),
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
    option::weighted(0.9, proptest::sample::select(&CLOSE_CODES[..]))
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
        6 => (0..60_u8, 0..4_u8, option::weighted(0.2, any::<u8>()))
            .prop_map(|(size, class, ttl)| Step::SendAhead(size, class, ttl)),
        8 => Just(Step::Release(Whom::Current)),
        1 => proptest::bool::weighted(0.9)
            .prop_map(|retry| Step::Refuse(Whom::Current, retry)),
        2 => (0..4_u8, 0..4_u8).prop_map(|(first, second)| Step::Reorder(first, second)),
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
        1 => (any::<u8>(), any::<u8>(), option::of(any::<u8>()))
            .prop_map(|(size, class, ttl)| Step::SendAhead(size, class, ttl)),
        1 => whom().prop_map(Step::Release),
        1 => (whom(), any::<bool>()).prop_map(|(whom, retry)| Step::Refuse(whom, retry)),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(first, second)| Step::Reorder(first, second)),
    ]
}

/// What often follows each other: an open transport, an answered ping, a delivered message.
fn exchange() -> impl Strategy<Value = Vec<Step>> {
    const WE: Whom = Whom::Current;
    let deadline = Step::Tick(Clock::Deadline);
    let receive = |inbound| Step::Receive(WE, inbound);
    prop_oneof![
        3 => Just(vec![deadline, Step::Opened(WE, 0)]),
        2 => Just(vec![deadline, Step::Opened(WE, 0), Step::SendAhead(0, 0, None), Step::Release(WE)]),
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

/// A script of at least a hundred steps. Shrinks to as few as show the same.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let some = prop_oneof![2 => step().prop_map(|step| vec![step]), 1 => exchange()];
    prop_oneof![
        6 => script(some, 100..200).prop_map(|some| some.concat()),
        1 => script(nonsense(), 100..150),
    ]
}

/// Any session over any connection, made of small numbers. Shrinks towards the first of everything.
pub fn session_setup() -> impl Strategy<Value = SessionSetup> {
    let session = proptest::array::uniform::<_, { SessionSetup::BYTES }>(any::<u8>());
    (session, setup()).prop_map(|(bytes, connection)| {
        let session = SessionSetup::choose(&mut Choices::from_bytes(&bytes));
        SessionSetup { connection, ..session }
    })
}

/// A script of at least a hundred steps of a session. Shrinks to as few as show the same, and those to
/// the plainest of their kind.
pub fn session_steps() -> impl Strategy<Value = Vec<SessionStep>> {
    let of = |bytes: [u8; 10]| SessionStep::choose(&mut Choices::from_bytes(&bytes));
    script(proptest::array::uniform10(any::<u8>()).prop_map(of), 100..200)
}

fn ms(millis: core::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    millis.prop_map(Duration::from_millis)
}

/// Any weather, in the milliseconds of a [`setup`]. Shrinks towards [`Weather::CALM`], and loses
/// the kinds of faults that do not matter.
pub fn weather() -> impl Strategy<Value = Weather> {
    let slow = (ms(0..8), ms(0..12), ms(0..12), ms(0..10), ms(0..6), ms(0..1_000));
    let odd =
        (0..600_u16, 0..100_u16, prop_oneof![3 => Just(0_u16), 1 => Just(1_000)], 0..1_000_u16);
    let every = option::weighted(0.9, ms(5..400));
    (slow, odd, every, weights()).prop_map(|(slow, odd, every, faults)| {
        let (latency, jitter, handshake, flush, late, lasts) = slow;
        let (partial, pieces, browser, stale) = odd;
        Weather {
            latency,
            jitter,
            handshake,
            flush,
            partial,
            pieces,
            late,
            browser,
            stale,
            every,
            lasts,
            faults,
        }
    })
}

fn weights() -> impl Strategy<Value = Weights> {
    proptest::array::uniform13(prop_oneof![1 => Just(0_u16), 3 => Just(1), 1 => Just(4)]).prop_map(
        |weights| {
            let [fin, reset, silence, stall, refuse_dial, refuse_handshake, rest @ ..] = weights;
            let [slow_handshake, close, clock_jump, clock_back, rest @ ..] = rest;
            let [late_tick, stop_reading, stale] = rest;
            Weights {
                fin,
                reset,
                silence,
                stall,
                refuse_dial,
                refuse_handshake,
                slow_handshake,
                close,
                clock_jump,
                clock_back,
                late_tick,
                stop_reading,
                stale,
            }
        },
    )
}

/// A fault. Shrinks towards a plain [`Fault::Fin`].
pub fn fault() -> impl Strategy<Value = Fault> {
    let lasts = || ms(0..1_000);
    let status = proptest::sample::select(&[503_u16, 429, 500, 502][..]);
    let direction = prop_oneof![Just((true, true)), Just((true, false)), Just((false, true))];
    let silent = prop_oneof![2 => lasts(), 1 => Just(Duration::MAX)];
    prop_oneof![
        Just(Fault::Fin),
        Just(Fault::Reset),
        Just(Fault::RefuseDial),
        Just(Fault::NoHandshake),
        proptest::sample::select(&[1001_u16, 1000, 1011, 1012, 1013, 4000][..])
            .prop_map(Fault::Close),
        (direction, silent).prop_map(|((inbound, outbound), lasts)| {
            Fault::Silence { inbound, outbound, lasts }
        }),
        lasts().prop_map(Fault::Stall),
        (status, option::of(lasts()))
            .prop_map(|(status, retry_after)| Fault::RefuseHandshake { status, retry_after }),
        lasts().prop_map(Fault::SlowHandshake),
        lasts().prop_map(Fault::LateTick),
        lasts().prop_map(Fault::StopReading),
        lasts().prop_map(Fault::ClockJump),
        lasts().prop_map(Fault::ClockBack),
        any::<u8>().prop_map(Fault::Stale),
    ]
}

/// Up to a dozen faults, each after so long from the beginning: what [`World::fault_in`] takes.
/// Shrinks towards few and early ones.
///
/// [`World::fault_in`]: super::World::fault_in
pub fn forecast() -> impl Strategy<Value = Vec<(Duration, Fault)>> {
    vec((ms(0..3_000), fault()), 0..12)
}
