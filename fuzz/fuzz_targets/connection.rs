//! Arbitrary events against the connection, under arbitrary configs.
//!
//! The simulator's scenario carries them out, and the invariant checker looks after each: nothing
//! may panic, and no promise may be broken. What is left must come to rest with a peer without
//! faults.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perennial_core::sim::{Choices, Scenario, Setup, Step};

fuzz_target!(|input: &[u8]| {
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
});
