//! Worlds that follow from a seed, and numbers for what their connections did.
//!
//! The numbers are the same on every platform; `run` compares those of this one, built with and
//! without optimisation, with those of WebAssembly. The tests and `simulate` use the same worlds.

pub mod seeds;

use perennial_core::sim::{Log, LogDigest};

/// A number over every action of every client in the world of that seed: `steps` in bad weather,
/// and then until all are at rest.
#[must_use]
pub fn digest(seed: u64, steps: u64) -> u64 {
    let mut world = seeds::world(seed, &Log::digest());
    let result = world.run(steps).and_then(|()| world.settle());
    let mut digest = LogDigest::default();
    digest.bytes(format!("{result:?}").as_bytes());
    for client in 0..world.clients() {
        if let Log::Digest(log) = world.driver(client).log() {
            digest.bytes(&log.get().to_le_bytes());
        }
    }
    digest.get()
}

/// [`digest`], for JavaScript.
// SAFETY: no other function of that name is linked; it takes and returns numbers alone.
#[unsafe(no_mangle)]
pub extern "C" fn perennial_digest(seed: u64, steps: u64) -> u64 {
    digest(seed, steps)
}
