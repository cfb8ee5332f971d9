//! Does the invariant checker find anything? Here the core is built with deliberate faults, each of
//! which it has to find.
//!
//! ```sh
//! RUSTFLAGS='--cfg perennial_planted' cargo test --release -p perennial-core \
//!     --features proptest --test planted --target-dir target/planted
//! ```
//!
//! `PLANTED_CASES` sets how many cases each fault may take, and how many must find nothing where
//! there is none. `PLANTED=Name` plants that one alone.
#![cfg(all(perennial_planted, feature = "proptest"))]
// The table is what it is for.
#![allow(clippy::print_stdout)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use perennial_core::planted::Fault;
use perennial_core::sim::strategies::{session_setup, session_steps, setup, steps};
use perennial_core::sim::{Scenario, SessionScenario, Violation};
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// One case, with a fault or without one.
type Run = fn(u64, Option<Fault>) -> Result<(), Violation>;

/// What faults are planted in: how it is run, and which there are.
const KINDS: [(Run, &[Fault]); 2] = [(run, Fault::CONNECTION), (run_session, Fault::SESSION)];

/// Which case it is, its number says alone.
fn generate<T>(case: u64, of: impl Strategy<Value = T>) -> T {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&case.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    of.new_tree(&mut runner).expect("it generates").current()
}

fn run_session(case: u64, fault: Option<Fault>) -> Result<(), Violation> {
    let (setup, steps) = generate(case, (session_setup(), session_steps()));
    let mut scenario = SessionScenario::new(&setup, case);
    if let Some(fault) = fault {
        scenario.plant(fault);
    }
    steps.into_iter().try_for_each(|step| scenario.step(step))
}

fn run(case: u64, fault: Option<Fault>) -> Result<(), Violation> {
    let (setup, steps) = generate(case, (setup(), steps()));
    let mut scenario = Scenario::new(setup.config(), case);
    if let Some(fault) = fault {
        scenario.plant(fault);
    }
    steps.into_iter().try_for_each(|step| scenario.step(step))
}

/// The first case that finds the fault, and what it says.
fn find(run: Run, fault: Fault, cases: u64) -> Option<(u64, String)> {
    (0..cases).find_map(|case| {
        let found = catch_unwind(AssertUnwindSafe(|| run(case, Some(fault))));
        match found {
            Ok(Ok(())) => None,
            Ok(Err(violation)) => Some((case, violation.to_string())),
            Err(_) => Some((case, "invariant 35 (no panic)".to_string())),
        }
    })
}

fn cases() -> u64 {
    let cases = std::env::var("PLANTED_CASES").ok();
    cases.map_or(10_000, |cases| cases.parse().expect("PLANTED_CASES is a number"))
}

#[test]
fn every_planted_fault_is_found() {
    let only = std::env::var("PLANTED").ok();
    let wanted = |fault: &&Fault| only.as_ref().is_none_or(|only| *only == format!("{fault:?}"));
    let mut missed = Vec::new();
    println!("\nplanted: {:20} {:>6}  found by", "fault", "case");
    let all = KINDS.iter().flat_map(|(run, faults)| faults.iter().map(|fault| (*run, fault)));
    for (run, fault) in all.filter(|(_, fault)| wanted(fault)) {
        let name = format!("{fault:?}");
        match find(run, *fault, cases()) {
            Some((case, found)) => {
                // What was seen is of interest where one is looked at alone.
                let by = found.split_once(": ").map_or(found.as_str(), |(by, _)| by);
                println!(
                    "planted: {name:20} {case:>6}  {}",
                    if only.is_some() { &found } else { by }
                );
            }
            None => {
                println!("planted: {name:20}      -  nothing");
                missed.push(name);
            }
        }
    }
    assert!(missed.is_empty(), "not found within {} cases: {missed:?}", cases());
}

#[test]
fn without_a_fault_nothing_is_found() {
    for (run, _) in KINDS {
        for case in 0..cases() {
            if let Err(violation) = run(case, None) {
                panic!("case {case}: {violation}");
            }
        }
    }
    println!("\nplanted: {:20} {:>6}  nothing", "none", cases());
}
