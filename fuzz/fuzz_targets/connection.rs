//! Arbitrary events against the connection, under arbitrary configs.
//!
//! The scenario interpreter of the property tests carries them out, and the invariant checker looks
//! after each: nothing may panic, and no promise may be broken.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use perennial_tests::scenario::{Step, run};
use perennial_tests::setup::Setup;

#[derive(Arbitrary, Debug)]
struct Input {
    setup: Setup,
    seed: u64,
    steps: Vec<Step>,
}

fuzz_target!(|input: Input| {
    if let Err(violation) = run(input.setup.config(), input.seed, &input.steps) {
        panic!("{violation}");
    }
});
