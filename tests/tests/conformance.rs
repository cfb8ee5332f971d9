//! The conformance suite over all drivers of `perennial`.

use perennial_tests::conformance::drivers::{ASYNC_STD, Blocking, SMOL, TOKIO, TOKIO_THREADS};

perennial_tests::conformance_tests! {
    blocking: Blocking,
    smol: SMOL,
    async_std: ASYNC_STD,
    tokio: TOKIO,
    tokio_threads: TOKIO_THREADS,
}
