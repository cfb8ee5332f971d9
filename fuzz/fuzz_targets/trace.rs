//! See `tests/src/fuzz/trace.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| perennial_tests::fuzz::trace::run(input));
