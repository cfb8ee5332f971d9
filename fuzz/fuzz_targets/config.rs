//! See `tests/src/fuzz/config.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| perennial_tests::fuzz::config::run(input));
