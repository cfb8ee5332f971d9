//! The configs that are searched, and what can happen in each state.

use perennial_core::sim::{Clock, Inbound, Setup, Step, Whom};

const WE: Whom = Whom::Current;
const PAST: Whom = Whom::Past(0);

/// What can happen. A step that means nothing in a state leads back to it.
pub(crate) const MOVES: [Step; 41] = [
    // Time, with a tick or with whatever comes next.
    Step::Tick(Clock::Deadline),
    Step::Tick(Clock::JustBefore),
    Step::Tick(Clock::Jump(1)),
    Step::Pass(Clock::Deadline),
    Step::Pass(Clock::Late(3)),
    // The dial.
    Step::Opened(WE, 0),
    Step::DialFailed(WE, 0, 0),
    Step::DialFailed(WE, 5, 8),
    Step::DialFailed(WE, 8, 0),
    // The peer.
    Step::Receive(WE, Inbound::Message(Some(1))),
    Step::Receive(WE, Inbound::Pong(0)),
    Step::Receive(WE, Inbound::WrongPong(1)),
    Step::Receive(WE, Inbound::DialectPong),
    Step::Receive(WE, Inbound::Ack(0, false)),
    Step::Receive(WE, Inbound::Ack(1, true)),
    Step::Receive(WE, Inbound::Close(Some(1001))),
    Step::Receive(WE, Inbound::Close(Some(1012))),
    Step::Receive(WE, Inbound::Close(Some(1008))),
    Step::Flushed(WE, 0),
    Step::Flushed(WE, 1),
    Step::Violated(WE, 1002),
    Step::Ended(WE),
    // A transport that has passed.
    Step::Opened(PAST, 0),
    Step::Receive(PAST, Inbound::Message(None)),
    Step::Ended(PAST),
    // The application and the driver. These messages are text without a timestamp, so that they
    // are the same whenever they are sent.
    Step::SendOdd(6),
    Step::SendOdd(1 | 8),
    Step::Send(0, 2, Some(3)),
    Step::SendAhead(0, 1, None),
    Step::Cancel(0),
    Step::Reorder(0, 1),
    Step::Release(WE),
    Step::Refuse(WE, true),
    Step::Refuse(WE, false),
    Step::Purge,
    Step::Close(1000),
    Step::Drain(None),
    Step::Reconnect,
    Step::Retry(0, Some(Some(1))),
    Step::Pause,
    Step::Resume,
];

/// Small configs that differ in what matters. No jitter, so that no draw decides anything.
pub(crate) fn setups() -> Vec<(&'static str, Setup)> {
    let plain = Setup {
        dial_timeout: 4,
        backoff: 2,
        base: 2,
        growth: 33,
        cap: 6,
        stable_after: 5,
        suspend_after: 9,
        max_retry_after: 20,
        interval: 6,
        deadline: 3,
        misses: 1,
        jump: 20,
        probe_deadline: 2,
        close_timeout: 3,
        drain: 5,
        max_messages: 1,
        max_bytes: 50,
        credit: 20,
        ack_timeout: 4,
        dialect: 1,
        ..Setup::default()
    };
    let acks = Setup {
        dialect: 2,
        overflow: 2,
        class: 2,
        style: 1,
        misses: 0,
        dedupe: 2,
        acknowledge: true,
        fail_on_suspend: true,
        ttl: 12,
        ..plain.clone()
    };
    let limits = Setup {
        fail_fast: true,
        max_attempts: 2,
        max_outage: 11,
        quiet_only: true,
        stale_after: 7,
        overflow: 3,
        stable_after: 0,
        drain: 0,
        dialect: 0,
        ..plain.clone()
    };
    let server = Setup {
        style: 2,
        manual: true,
        dialect: 5,
        backoff: 3,
        max_retries: 1,
        refuse: true,
        ..plain.clone()
    };
    let held =
        Setup { hold: true, opening: 7, max_messages: 2, credit: 3, style: 4, ..plain.clone() };
    vec![("plain", plain), ("acks", acks), ("limits", limits), ("server", server), ("held", held)]
}
