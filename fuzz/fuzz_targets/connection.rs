//! See `tests/src/fuzz/connection.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| perennial_tests::fuzz::connection::run(input));
