//! Every invariant of the connection, over arbitrary configs and sequences of events.
//!
//! `PROPTEST_CASES` sets the number of cases for each property.

use perennial_core::sim::reference::agree;
use perennial_core::sim::strategies::{setup, steps};
use perennial_core::sim::{Log, Rest, Scenario, Stats, run};
use perennial_core::{Duration, HeartbeatStyle};
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
    #![proptest_config(cases(2_500))]

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
        let mut one = Scenario::with_log(setup.config(), seed, Log::digest());
        let mut two = Scenario::with_log(setup.config(), seed, Log::digest());
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
        // The digests of their actions too.
        prop_assert!(one == two);
        if let Some(three) = three {
            prop_assert!(one == three);
        }
    }

    /// Time counts from the present: what `Scenario::fingerprint` takes for granted.
    #[test]
    fn moved_in_time_all_is_the_same(
        setup in setup(),
        seed: u64,
        steps in steps(),
        by in 0..10_000_000_u64,
    ) {
        // An envelope holds the wall clock.
        let mut config = setup.config().into_builder();
        config.wall_clock_origin_ms += by;
        let later = config.build().expect("every origin is valid");
        config = setup.config().into_builder();
        config.wall_clock_origin_ms += 2 * by;
        let sooner = config.build().expect("every origin is valid");
        let mut here = Scenario::new(sooner, seed);
        let mut there = Scenario::begin_later(later, seed, Duration::from_millis(by));
        for step in &steps {
            let verdict = here.step(*step);
            prop_assert_eq!(there.step(*step).is_ok(), verdict.is_ok());
            prop_assert_eq!(here.fingerprint(), there.fingerprint());
        }
    }

    /// What the reference model predicts is what happens.
    #[test]
    fn the_reference_model_agrees(setup in setup(), seed: u64, steps in steps()) {
        agree(setup.config(), seed, &steps).map_err(TestCaseError::fail)?;
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
        let mut scenario = Scenario::new(config.clone(), seed);
        for step in &steps {
            if let Err(violation) = scenario.step(*step) {
                return Err(TestCaseError::fail(violation.to_string()));
            }
        }
        let status = scenario.driver().status();
        // A browser's transport needs a heartbeat of the dialect's, or a server that pings.
        let can = config.dialect.has_heartbeat()
            || matches!(config.heartbeat.style, HeartbeatStyle::Server | HeartbeatStyle::Off);
        match scenario.settle(browser && can) {
            Ok(Rest::Open) => prop_assert!(status.phase != "closed"),
            // That it had cause is a part of the invariant.
            Ok(Rest::Closed) => {}
            Err(violation) => return Err(TestCaseError::fail(violation.to_string())),
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
        total.add(&stats);
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
