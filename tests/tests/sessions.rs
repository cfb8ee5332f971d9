//! Every invariant of the session, and of the connection under it, over arbitrary configs and
//! sequences of calls and events.
//!
//! `PROPTEST_CASES` sets the number of cases for each property.

use perennial_core::sim::strategies::{session_setup, session_steps};
use perennial_core::sim::{Rest, SessionScenario, SessionStats, run_session};
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

    /// Invariants 42 to 51, and those of the connection: the checkers look after every step.
    #[test]
    fn nothing_breaks_an_invariant(
        setup in session_setup(),
        seed: u64,
        steps in session_steps(),
    ) {
        if let Err(violation) = run_session(&setup, seed, &steps) {
            return Err(TestCaseError::fail(violation.to_string()));
        }
    }

    /// Invariants 31 and 32, for a session.
    #[test]
    fn the_same_calls_lead_to_the_same_outputs(
        setup in session_setup(),
        seed: u64,
        steps in session_steps(),
        cut: prop::sample::Index,
    ) {
        let mut one = SessionScenario::new(&setup, seed);
        let mut two = SessionScenario::new(&setup, seed);
        one.keep();
        two.keep();
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
        prop_assert!(one.log() == two.log());
        if let Some(three) = three {
            prop_assert!(one.log() == three.log());
        }
    }

    /// Invariant 52: whatever happened, a peer and an application without faults make it good.
    #[test]
    fn without_faults_it_comes_to_rest(
        setup in session_setup(),
        seed: u64,
        steps in session_steps(),
    ) {
        let mut scenario = SessionScenario::new(&setup, seed);
        for step in &steps {
            if let Err(violation) = scenario.step(*step) {
                return Err(TestCaseError::fail(violation.to_string()));
            }
        }
        let closed = scenario.driver().status().phase == "closed";
        match scenario.settle() {
            Ok(rest) => prop_assert!(!closed || rest == Rest::Closed),
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
    let mut total = SessionStats::default();
    for seed in 0..200 {
        let setup = session_setup().new_tree(&mut runner).expect("it generates").current();
        let steps = session_steps().new_tree(&mut runner).expect("it generates").current();
        let stats = run_session(&setup, seed, &steps).unwrap_or_else(|found| panic!("{found}"));
        total.add(&stats);
    }
    let all = [
        total.answered,
        total.refused,
        total.timed_out,
        total.cancelled,
        total.lost,
        total.undelivered,
        total.closed,
        total.confirmed,
        total.unconfirmed,
        total.unsaid,
        total.delivered,
        total.logins,
        total.shown,
        total.queues,
    ];
    assert!(all.iter().all(|count| *count >= 5), "{total:?}");
}
