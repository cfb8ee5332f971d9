//! Arbitrary events against the connection, under arbitrary configs.
//!
//! The simulator's scenario carries them out, and the invariant checker looks after each: nothing
//! may panic, and no promise may be broken. What is left must come to rest with a peer without
//! faults.

use perennial_core::Config;
use perennial_core::sim::{Choices, Scenario, Setup, run as run_steps};

pub(super) use perennial_core::sim::{Clock, Inbound, Step, Whom};

/// See the module.
///
/// # Panics
/// If an invariant does not hold.
pub fn run(input: &[u8]) {
    let mut choices = Choices::from_bytes(input);
    let config = Setup::choose(&mut choices).config();
    let seed = choices.any();
    let mut scenario = Scenario::new(config, seed);
    while !choices.is_over() {
        if let Err(violation) = scenario.step(Step::choose(&mut choices)) {
            panic!("{violation}");
        }
    }
    if let Err(violation) = scenario.settle(false) {
        panic!("{violation}");
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
