//! Arbitrary events against the connection, under arbitrary configs.
//!
//! The scenario interpreter of the property tests carries them out, and the invariant checker looks
//! after each: nothing may panic, and no promise may be broken.

use arbitrary::Arbitrary;
use perennial_core::Config;
use perennial_tests::scenario::run as run_steps;
use perennial_tests::setup::Setup;

pub(super) use perennial_tests::scenario::{Clock, Inbound, Step, Whom};

#[derive(Arbitrary, Debug)]
struct Input {
    setup: Setup,
    seed: u64,
    steps: Vec<Step>,
}

/// See the module.
///
/// # Panics
/// If an invariant does not hold.
pub fn run(input: &[u8]) {
    if let Some(input) = super::structured::<Input>(input) {
        drive(input.setup.config(), input.seed, &input.steps);
    }
}

/// Carries out `steps`.
///
/// # Panics
/// If an invariant does not hold.
pub(super) fn drive(config: Config, seed: u64, steps: &[Step]) {
    if let Err(violation) = run_steps(config, seed, steps) {
        panic!("{violation}");
    }
}
