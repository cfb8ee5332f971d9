//! Arbitrary calls and events against a session over its connection, under arbitrary configs.
//!
//! The simulator's scenario carries them out, and the two checkers look after each: nothing may
//! panic or go round for ever, and no promise may be broken. What is left must come to rest with a
//! peer and an application without faults.

use perennial_core::sim::{Choices, SessionScenario, SessionSetup, SessionStep};

/// See the module.
///
/// # Panics
/// If an invariant does not hold.
pub fn run(input: &[u8]) {
    let mut choices = Choices::from_bytes(input);
    let setup = SessionSetup::choose(&mut choices);
    let seed = choices.any();
    let mut scenario = SessionScenario::new(&setup, seed);
    while !choices.is_over() {
        if let Err(violation) = scenario.step(SessionStep::choose(&mut choices)) {
            panic!("{violation}");
        }
    }
    if let Err(violation) = scenario.settle() {
        panic!("{violation}");
    }
}
