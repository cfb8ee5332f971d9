//! The conformance suite over all drivers of `perennial`.

use perennial_tests::conformance::Features;
use perennial_tests::conformance::drivers::{
    self, ASYNC_STD, Blocking, Joined, SMOL, TOKIO, TOKIO_THREADS,
};

perennial_tests::conformance_tests! {
    blocking: Blocking,
    smol: SMOL,
    async_std: ASYNC_STD,
    tokio: TOKIO,
    tokio_threads: TOKIO_THREADS,
    joined: Joined,
}

/// So that no script is left out over any of them.
#[test]
fn every_driver_can_do_everything() {
    let adapters = drivers::all();
    assert_eq!(adapters.len(), 6);
    for adapter in adapters {
        let everything = Features { tls: true, waits: true, pauses: true, words: true };
        assert_eq!(adapter.features(), everything, "{}", adapter.name());
        assert!(adapter.process().is_some(), "{}", adapter.name());
    }
}
