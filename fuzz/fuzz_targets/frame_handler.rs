//! See `tests/fuzz/src/frame_handler.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| perennial_fuzz_targets::frame_handler::run(input));
