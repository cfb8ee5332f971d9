//! Every invariant of the connection, over arbitrary configs and sequences of events.
//!
//! `PROPTEST_CASES` sets the number of cases for each property.

use perennial_core::{Capabilities, Duration, HeartbeatStyle};
use perennial_tests::scenario::{Stats, World, run};
use perennial_tests::server::{Rest, come_to_rest};
use perennial_tests::strategies::{setup, steps};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRng, TestRunner};

fn cases(default: u32) -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    Config {
        cases: cases.unwrap_or(default),
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// Invariants 1 to 30, and 33 to 35: the checker looks after every step.
    #[test]
    fn nothing_breaks_an_invariant(setup in setup(), seed: u64, steps in steps()) {
        if let Err(violation) = run(setup.config(), seed, &steps) {
            return Err(TestCaseError::fail(violation.to_string()));
        }
    }

    /// Invariants 31 and 32.
    #[test]
    fn the_same_events_lead_to_the_same_actions(
        setup in setup(),
        seed: u64,
        steps in steps(),
        cut: prop::sample::Index,
    ) {
        let mut one = World::new(setup.config(), seed);
        let mut two = World::new(setup.config(), seed);
        let cut = cut.index(steps.len());
        let mut three = None;
        for (at, step) in steps.iter().enumerate() {
            if at == cut {
                three = Some(one.clone());
            }
            let verdict = one.step(*step);
            prop_assert_eq!(two.step(*step), verdict.clone());
            if let Some(three) = &mut three {
                prop_assert_eq!(three.step(*step), verdict);
            }
        }
        prop_assert_eq!(&one.log, &two.log);
        prop_assert!(one == two);
        if let Some(three) = three {
            prop_assert!(one == three);
        }
    }

    /// Invariant 37: whatever happened, a peer without faults makes it good.
    #[test]
    fn without_faults_it_comes_to_rest(
        setup in setup(),
        seed: u64,
        steps in steps(),
        browser in prop::bool::weighted(0.3),
    ) {
        let config = setup.config();
        let mut world = World::new(config.clone(), seed);
        for step in &steps {
            if let Err(violation) = world.step(*step) {
                return Err(TestCaseError::fail(violation.to_string()));
            }
        }
        let status = world.connection.connection().status();
        let leaving = matches!(status.phase, "closing" | "closed")
            || status.ready_state == perennial_core::ReadyState::Closing;
        let can_ping = config.dialect.has_heartbeat()
            || matches!(config.heartbeat.style, HeartbeatStyle::Server | HeartbeatStyle::Off);
        let capabilities =
            if browser && can_ping { Capabilities::BROWSER } else { Capabilities::SOCKET };
        // The dial at hand, one wait, and the wait for every message's acknowledgement.
        let wait = config.retry.cap
            + config.retry.max_retry_after
            + config.connect.dial_timeout
            + config.close.timeout
            + config.outbox.ack_timeout * 20
            + Duration::from_secs(1);
        let until = world.latest.max(world.now) + wait;
        let rest = come_to_rest(&mut world, capabilities, until);
        let rest = rest.map_err(|violation| TestCaseError::fail(violation.to_string()))?;
        // What the faults have spoilt may cost the transport at hand, and with it the last attempt.
        let last = config.retry.max_attempts.is_some_and(|most| status.attempt >= most);
        let limited = config.retry.max_outage.is_some() || last;
        match rest {
            Rest::Open => prop_assert!(status.phase != "closed"),
            Rest::Closed => prop_assert!(leaving || limited, "closed from {:?}", status),
            Rest::Stuck => prop_assert!(
                false,
                "stuck at {} in {:?}", world.now, world.connection.connection().status()
            ),
        }
    }
}

/// The properties above say little if the scenarios reach little.
#[test]
fn the_scenarios_reach_everything() {
    let config = Config { failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let mut total = Stats::default();
    for seed in 0..200 {
        let setup = setup().new_tree(&mut runner).expect("it generates").current();
        let steps = steps().new_tree(&mut runner).expect("it generates").current();
        let stats = run(setup.config(), seed, &steps).unwrap_or_else(|found| panic!("{found}"));
        total.events += stats.events;
        total.dials += stats.dials;
        total.opened += stats.opened;
        total.writes += stats.writes;
        total.dead += stats.dead;
        total.jumps += stats.jumps;
        total.undelivered += stats.undelivered;
        total.acknowledged += stats.acknowledged;
        total.messages += stats.messages;
        total.duplicates += stats.duplicates;
        total.rejected += stats.rejected;
        total.suspended += stats.suspended;
        total.pongs += stats.pongs;
        total.closed += stats.closed;
    }
    let rare = [
        total.dead,
        total.jumps,
        total.acknowledged,
        total.duplicates,
        total.suspended,
        total.pongs,
        total.closed,
    ];
    assert!(rare.iter().all(|count| *count >= 20), "{total:?}");
    let common = [
        total.dials,
        total.opened,
        total.writes,
        total.undelivered,
        total.messages,
        total.rejected,
    ];
    assert!(common.iter().all(|count| *count >= 200), "{total:?}");
    assert!(total.closed < 150, "most end too early: {total:?}");
}
