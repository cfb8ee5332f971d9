//! Dialling again: delays, limits, advice, the counter's reset.

use alloc::vec;
use alloc::vec::Vec;

use crate::testing::{Harness, ms, secs};
use crate::{
    Accepted, Advice, Backoff, CloseRule, ClosedBy, DialError, DialFailure, Duration, EndKind,
    Event, Jitter, Notice, Reason, RetryChoice, State,
};

/// Delays in milliseconds over `count` failed dials.
fn delays(harness: &mut Harness, count: usize) -> Vec<u64> {
    for _ in 0..count {
        harness.fail_dial();
        harness.await_dial();
    }
    harness.delays()
}

#[test]
fn the_delay_follows_its_policy_up_to_the_cap() {
    let list = vec![ms(100), ms(100), secs(7)];
    for (backoff, expected) in [
        (Backoff::Constant { base: secs(3) }, [3_000, 3_000, 3_000, 3_000, 3_000]),
        (Backoff::Linear { base: secs(2) }, [2_000, 4_000, 6_000, 8_000, 10_000]),
        (
            Backoff::Exponential { base: secs(1), factor_percent: 200 },
            [1_000, 2_000, 4_000, 8_000, 10_000],
        ),
        (Backoff::List { delays: list }, [100, 100, 7_000, 7_000, 7_000]),
    ] {
        let mut harness = Harness::new(|config| {
            config.retry.backoff = backoff.clone();
            config.retry.cap = secs(10);
        });
        assert_eq!(delays(&mut harness, 5), expected, "{backoff:?}");
    }
}

#[test]
fn the_dial_follows_exactly_after_the_announced_delay() {
    let mut harness = Harness::new(|config| config.retry.jitter = Jitter::Full);
    for _ in 0..5 {
        harness.fail_dial();
        let announced = harness.delays().pop().expect("it was announced");
        let before = harness.now;
        harness.advance(ms(announced.saturating_sub(1)));
        let dials = harness.dials.len();
        harness.advance(ms(2));
        assert_eq!(harness.dials.len(), dials + 1);
        let took = harness.dials[dials].at - before;
        assert_eq!(u64::try_from(took.as_millis()).expect("short"), announced);
    }
}

#[test]
fn jitter_spreads_the_first_retry_and_those_at_the_cap() {
    for (jitter, low) in [(Jitter::Equal, 2), (Jitter::Full, 1_000), (Jitter::Decorrelated, 1_000)]
    {
        let mut first = Vec::new();
        let mut late = Vec::new();
        // Enough to come near both ends.
        for seed in 0..if cfg!(miri) { 12 } else { 64 } {
            let mut config = crate::Config::builder();
            config.retry.backoff = Backoff::Exponential { base: secs(1), factor_percent: 200 };
            config.retry.cap = secs(8);
            config.retry.jitter = jitter;
            let config = config.build().expect("valid");
            let mut harness = Harness::with_dialect(config, crate::Plain, seed);
            for _ in 0..12 {
                harness.fail_dial();
                harness.await_dial();
            }
            let delays = harness.delays();
            first.push(delays[0]);
            late.push(delays[11]);
        }
        let spread = |values: &[u64]| {
            values.iter().max().expect("some") - values.iter().min().expect("some")
        };
        let top = if jitter == Jitter::Decorrelated { 3_000 } else { 1_000 };
        let least = match jitter {
            Jitter::Equal => 1_000 / low,
            Jitter::None | Jitter::Full => 0,
            Jitter::Decorrelated => 1_000,
        };
        assert!(first.iter().all(|delay| (least..=top).contains(delay)), "{jitter:?} {first:?}");
        assert!(late.iter().all(|delay| *delay <= 8_000), "{jitter:?} {late:?}");
        assert!(spread(&first) > (top - least) / 2, "{jitter:?} {first:?}");
        // The range at the cap is at least half the cap.
        assert!(spread(&late) > 2_500, "{jitter:?} {late:?}");
    }
}

#[test]
fn a_quick_end_after_opening_does_not_reset_the_delay() {
    let mut harness = Harness::open_with(|_| {});
    for expected in [1_000, 2_000, 4_000, 8_000] {
        harness.advance(secs(9));
        harness.hear();
        harness.reset();
        assert_eq!(harness.delays().pop(), Some(expected));
        harness.reopen();
    }
}

#[test]
fn a_stable_connection_starts_the_delay_and_the_counter_anew() {
    let mut harness = Harness::new(|_| {});
    harness.fail_dial();
    harness.reopen();
    assert_eq!(harness.connection.status().attempt, 2);
    harness.hear();
    harness.advance(ms(9_999));
    assert_eq!(harness.connection.status().attempt, 2);
    harness.advance(ms(1));
    assert_eq!(harness.connection.status().attempt, 0);
    harness.reset();
    assert_eq!(harness.delays(), [1_000, 1_000]);
    harness.reopen();
    assert_eq!(harness.dials.last().expect("dialled").attempt, 1);
}

#[test]
fn open_without_proof_of_life_is_not_stable() {
    // The peer accepts and never says a word.
    let mut harness = Harness::new(|_| {});
    harness.pongs = false;
    for expected in [1_000, 2_000, 4_000] {
        harness.open();
        while harness.connection.state() == State::Open {
            harness.advance(secs(1));
        }
        assert_eq!(harness.delays().pop(), Some(expected));
        harness.await_dial();
    }
}

#[test]
fn the_first_sound_after_stable_after_makes_it_stable() {
    let mut harness = Harness::new(|_| {});
    harness.pongs = false;
    harness.fail_dial();
    harness.reopen();
    harness.advance(secs(15));
    assert_eq!(harness.connection.status().attempt, 2, "nothing was heard");
    harness.hear();
    assert_eq!(harness.connection.status().attempt, 0);
}

#[test]
fn a_server_that_is_to_ping_must_be_heard_before_it_counts_as_stable() {
    let mut harness = Harness::new(|config| config.heartbeat.style = crate::HeartbeatStyle::Server);
    for expected in [1_000, 2_000, 4_000] {
        harness.open();
        harness.advance(secs(40));
        assert_eq!(harness.delays().pop(), Some(expected));
        harness.await_dial();
    }
    harness.open();
    harness.advance(secs(15));
    harness.hear();
    harness.reset();
    assert_eq!(harness.delays().pop(), Some(1_000));
}

#[test]
fn max_attempts_counts_dials_the_first_included() {
    let mut harness = Harness::new(|config| config.retry.max_attempts = Some(3));
    for _ in 0..2 {
        harness.fail_dial();
        harness.await_dial();
    }
    assert!(!harness.is_closed());
    harness.fail_dial();
    let closed = harness.closed();
    assert_eq!((closed.by, closed.code, closed.clean), (ClosedBy::Policy, 1006, false));
    assert!(
        matches!(closed.reason, Reason::MaxAttempts(last) if matches!(*last, Reason::DialFailed(_)))
    );
    assert_eq!(harness.dials.len(), 3);
    assert_eq!(harness.wait, None);
}

#[test]
fn max_attempts_is_counted_anew_after_a_stable_connection() {
    let mut harness = Harness::open_with(|config| config.retry.max_attempts = Some(2));
    for _ in 0..5 {
        harness.advance(secs(30));
        harness.reset();
        harness.reopen();
    }
    harness.reset();
    harness.reopen();
    harness.reset();
    assert!(harness.is_closed(), "two dials without a stable connection");
}

#[test]
fn max_outage_ends_the_outage_wherever_it_stands() {
    // While a dial hangs.
    let mut harness = Harness::open_with(|config| config.retry.max_outage = Some(secs(5)));
    harness.advance(secs(60));
    harness.reset();
    harness.advance(ms(4_999));
    assert_eq!(harness.phase(), "dialing");
    harness.advance(ms(1));
    assert_eq!(harness.closed().reason, Reason::MaxOutage);
    assert_eq!(harness.aborts, [2]);
    // While waiting.
    let mut harness = Harness::new(|config| {
        config.retry.max_outage = Some(secs(5));
        config.retry.backoff = Backoff::Constant { base: secs(20) };
    });
    harness.fail_dial();
    harness.advance(secs(5));
    assert_eq!(harness.closed().reason, Reason::MaxOutage);
    assert_eq!(harness.elapsed(), 5_000);
}

#[test]
fn max_outage_is_measured_from_each_loss() {
    let mut harness = Harness::open_with(|config| config.retry.max_outage = Some(secs(5)));
    for _ in 0..10 {
        harness.advance(secs(60));
        harness.reset();
        harness.advance(secs(3));
        harness.open();
    }
    assert!(!harness.is_closed());
}

#[test]
fn a_dial_ends_within_its_timeout() {
    let mut harness = Harness::new(|config| config.connect.dial_timeout = secs(2));
    harness.advance(ms(1_999));
    assert_eq!(harness.phase(), "dialing");
    harness.advance(ms(1));
    assert_eq!(harness.aborts, [1]);
    assert_eq!(harness.delays(), [1_000]);
    assert_eq!(harness.phase(), "waiting");
}

#[test]
fn the_first_connect_is_retried_by_default_and_stays_connecting() {
    let mut harness = Harness::new(|_| {});
    delays(&mut harness, 4);
    assert_eq!(harness.connection.state(), State::Connecting);
    assert!(harness.changes().is_empty());
    harness.open();
    harness.reset();
    assert_eq!(harness.changes(), ["connecting-open", "open-reconnecting"]);
}

#[test]
fn fail_fast_gives_up_after_the_first_dial_but_not_later() {
    let mut harness = Harness::new(|config| config.connect.fail_fast = true);
    harness.fail_dial();
    assert!(matches!(harness.closed().reason, Reason::FirstFailed(_)));
    let mut harness = Harness::new(|config| config.connect.fail_fast = true);
    harness.advance(secs(10));
    assert!(matches!(harness.closed().reason, Reason::FirstFailed(_)), "a timeout fails too");
    let mut harness = Harness::open_with(|config| config.connect.fail_fast = true);
    harness.reset();
    harness.await_dial();
    assert_eq!(delays(&mut harness, 2), [1_000, 2_000, 4_000]);
}

#[test]
fn fatal_statuses_end_it_at_the_first_and_at_a_later_dial() {
    for status in [400, 401, 403, 404, 410, 426] {
        let mut harness = Harness::new(|_| {});
        harness.refuse(status, Some(secs(1)));
        let closed = harness.closed();
        assert_eq!((closed.by, closed.reason.status()), (ClosedBy::Server, Some(status)));
        let mut harness = Harness::open_with(|_| {});
        harness.reset();
        harness.await_dial();
        harness.refuse(status, None);
        assert_eq!(harness.closed().reason.status(), Some(status));
        assert_eq!(
            harness.changes(),
            ["connecting-open", "open-reconnecting", "reconnecting-closed"]
        );
    }
    for status in [301, 408, 429, 500, 502, 503, 504] {
        let mut harness = Harness::new(|_| {});
        harness.refuse(status, None);
        assert!(!harness.is_closed(), "{status}");
    }
}

#[test]
fn failures_on_the_way_are_retried_and_a_refused_request_is_final() {
    for kind in [
        DialError::Request,
        DialError::Resolve,
        DialError::Connect,
        DialError::Tls,
        DialError::Handshake,
        DialError::Proxy,
    ] {
        let mut harness = Harness::new(|_| {});
        harness.fail_with(DialFailure::new(kind, ""));
        assert_eq!(harness.delays(), [1_000], "{kind:?}");
    }
    let mut harness = Harness::new(|_| {});
    harness.fail_with(DialFailure::new(DialError::RequestRefused, ""));
    assert_eq!(harness.closed().by, ClosedBy::Policy);
    let mut harness = Harness::new(|_| {});
    harness.fail_with(DialFailure::new(DialError::ProxyAuth, ""));
    assert_eq!(harness.closed().by, ClosedBy::Server);
    // A driver that says `Ended` of a dial means the same.
    let mut harness = Harness::new(|_| {});
    harness.end(EndKind::Eof);
    assert_eq!(harness.delays(), [1_000]);
}

#[test]
fn retry_after_raises_the_delay_even_beyond_the_cap_and_up_to_five_minutes() {
    for (status, asked, low, high) in [
        (503, secs(7), 7_000, 8_750),
        (429, secs(60), 60_000, 75_000),
        (503, secs(3_600), 240_000, 300_000),
        (503, Duration::MAX, 240_000, 300_000),
        // Shorter than the policy's delay: not raised.
        (503, ms(100), 1_000, 1_000),
        // These promise no meaning of Retry-After.
        (500, secs(60), 1_000, 1_000),
    ] {
        let mut harness = Harness::new(|_| {});
        harness.refuse(status, Some(asked));
        let delay = harness.delays()[0];
        assert!((low..=high).contains(&delay), "{status} {asked:?}: {delay}");
        let Some(Notice::Retrying { advice, .. }) = harness.notices.last() else { panic!("none") };
        assert_eq!(*advice, (delay > 1_000).then_some(Advice::RetryAfter), "{status} {asked:?}");
        let before = harness.dials.len();
        // The announcement is in whole milliseconds here.
        harness.advance(ms(delay - 1));
        assert_eq!(harness.dials.len(), before);
        harness.advance(ms(2));
        assert_eq!(harness.dials.len(), before + 1);
    }
}

#[test]
fn restart_codes_raise_the_delay_within_the_cap() {
    for code in [1012, 1013] {
        let mut harness = Harness::open_with(|_| {});
        harness.peer_closes(code);
        let delay = harness.delays()[0];
        assert!((5_000..=30_000).contains(&delay), "{code}: {delay}");
        assert!(matches!(
            harness.notices.last(),
            Some(Notice::Retrying { advice: Some(Advice::CloseCode), .. })
        ));
        let mut harness = Harness::open_with(|config| config.retry.cap = secs(2));
        harness.peer_closes(code);
        let delay = harness.delays()[0];
        assert!((1_000..=2_000).contains(&delay), "{code}: {delay}");
    }
}

#[test]
fn close_codes_are_final_or_retried_as_the_table_says() {
    for code in [1002, 1003, 1007, 1008, 1009, 1010] {
        let mut harness = Harness::open_with(|_| {});
        harness.peer_closes(code);
        assert_eq!(harness.phase(), "closing", "{code}");
        harness.end(EndKind::Eof);
        let closed = harness.closed();
        assert_eq!((closed.by, closed.code, closed.clean), (ClosedBy::Server, code, true));
        assert_eq!(harness.dials.len(), 1);
    }
    for code in [1000, 1001, 1011, 1012, 1013, 1014, 3000, 4000, 4999] {
        let mut harness = Harness::open_with(|_| {});
        harness.peer_closes(code);
        assert_eq!(harness.phase(), "waiting", "{code}");
    }
    let mut harness = Harness::open_with(|config| {
        config.retry.close_codes.insert(4001, CloseRule::Final);
        config.retry.close_codes.insert(1008, CloseRule::Retry);
    });
    harness.peer_closes(1008);
    harness.reopen();
    harness.peer_closes(4001);
    harness.end(EndKind::Eof);
    assert_eq!(harness.closed().code, 4001);
}

#[test]
fn a_goodbye_without_a_code_and_every_kind_of_end_are_retried() {
    for kind in [EndKind::Eof, EndKind::Reset, EndKind::Io] {
        let mut harness = Harness::open_with(|_| {});
        harness.end(kind);
        assert_eq!(harness.delays(), [1_000]);
    }
    let mut harness = Harness::open_with(|_| {});
    harness.receive(crate::Frame::Close(None));
    assert_eq!(harness.delays(), [1_000]);
    assert_eq!(harness.take_frames().pop(), Some(crate::Frame::Close(None)));
}

#[test]
fn the_hook_sees_the_attempt_the_outage_and_the_reason() {
    let mut harness = Harness::open_with(|_| {});
    harness.reset();
    harness.advance(secs(1));
    harness.advance(secs(3));
    harness.fail_dial();
    let Some(Notice::Retrying { attempt, delay, nominal, outage, reason, .. }) =
        harness.notices.last()
    else {
        panic!("no notice")
    };
    assert_eq!((*attempt, *delay, *nominal, *outage), (3, secs(2), secs(2), secs(4)));
    assert!(matches!(reason, Reason::DialFailed(_)));
}

#[test]
fn the_hook_may_keep_override_or_stop() {
    let mut harness = Harness::open_with(|_| {});
    harness.reset();
    harness.choose(2, RetryChoice::Keep);
    assert_eq!(harness.connection.status().retry_at, Some(harness.now + secs(1)));
    harness.choose(2, RetryChoice::After(secs(90)));
    harness.advance(ms(89_999));
    assert_eq!(harness.dials.len(), 1);
    harness.advance(ms(1));
    assert_eq!(harness.dials.len(), 2);
    harness.fail_dial();
    harness.choose(3, RetryChoice::After(Duration::ZERO));
    assert_eq!(harness.dials.len(), 3, "at once");
    harness.fail_dial();
    harness.choose(4, RetryChoice::Stop);
    let closed = harness.closed();
    assert_eq!(closed.by, ClosedBy::Policy);
    assert!(matches!(closed.reason, Reason::Stopped(_)));
}

#[test]
fn a_choice_about_another_attempt_changes_nothing() {
    let mut harness = Harness::open_with(|_| {});
    harness.stale(Event::Retry { attempt: 2, choice: RetryChoice::Stop });
    harness.reset();
    harness.stale(Event::Retry { attempt: 1, choice: RetryChoice::Stop });
    harness.stale(Event::Retry { attempt: 3, choice: RetryChoice::After(Duration::ZERO) });
    harness.advance(secs(1));
    harness.stale(Event::Retry { attempt: 2, choice: RetryChoice::Stop });
    assert_eq!(harness.phase(), "dialing");
}

#[test]
fn the_hooks_choice_is_in_time_even_if_the_delay_has_just_passed() {
    let mut harness = Harness::open_with(|_| {});
    harness.reset();
    harness.oversleep(secs(2));
    harness.choose(2, RetryChoice::After(secs(10)));
    assert_eq!(harness.dials.len(), 1);
    harness.advance(secs(10));
    assert_eq!(harness.dials.len(), 2);
}

#[test]
fn at_most_one_reconnect_is_pending() {
    let mut harness = Harness::open_with(|_| {});
    harness.peer_closes(1001);
    // It lingers, then ends; and the end is reported twice.
    harness.end(EndKind::Eof);
    assert_eq!(
        harness.handle(Event::Ended {
            transport: harness.transport(),
            end: crate::End::new(EndKind::Reset)
        }),
        Ok(Accepted::Stale)
    );
    assert_eq!(harness.delays().len(), 1);
    harness.advance(secs(9));
    assert_eq!(harness.dials.len(), 2);
}
