//! See `tests/src/fuzz/frame_handler.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| perennial_tests::fuzz::frame_handler::run(input));
