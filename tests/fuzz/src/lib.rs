//! What the fuzz targets do with an input.
//!
//! `fuzz/` hands them whatever the fuzzer thinks of; the test `inputs` hands them, on every run, the
//! inputs that earlier fuzzing found worth keeping.

use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};

// The command line's own code, which is no library's.
#[path = "../../../adapters/src/bin/perennial/errors.rs"]
#[allow(dead_code)]
mod errors;
#[path = "../../../adapters/src/bin/perennial/effective/file.rs"]
#[allow(dead_code)]
mod file;

pub mod config;
pub mod connection;
pub mod frame_handler;
mod frames;
mod grammar;
pub mod handshake;
mod memory;
mod peer;
mod protocols;
mod reference;
pub mod session;
pub mod trace;
pub mod wire;

/// A target: panics where something is wrong.
pub type Target = fn(&[u8]);

/// The targets by name, as in `fuzz/fuzz_targets` and `fuzz/corpus`.
pub const TARGETS: [(&str, Target); 7] = [
    ("config", config::run),
    ("connection", connection::run),
    ("frame_handler", frame_handler::run),
    ("handshake", handshake::run),
    ("session", session::run),
    ("trace", trace::run),
    ("wire", wire::run),
];

/// What the bytes stand for, if they do. With `PERENNIAL_SHOW_INPUT` set it is shown: of an input
/// that was found that is what one wants to see.
#[allow(clippy::print_stderr)]
fn structured<'a, T: Arbitrary<'a> + std::fmt::Debug>(bytes: &'a [u8]) -> Option<T> {
    static SHOW: LazyLock<bool> =
        LazyLock::new(|| std::env::var_os("PERENNIAL_SHOW_INPUT").is_some());
    let input = T::arbitrary_take_rest(Unstructured::new(bytes)).ok()?;
    if *SHOW {
        eprintln!("{input:#?}");
    }
    Some(input)
}
