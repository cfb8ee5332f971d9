//! See `tests/fuzz/src/session.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| perennial_fuzz_targets::session::run(input));
