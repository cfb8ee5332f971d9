//! Shared helpers of the test suites.

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "arbitrary")]
#[path = "../../adapters/src/bin/perennial/errors.rs"]
#[allow(dead_code, missing_docs, unreachable_pub)]
mod errors;
#[cfg(feature = "arbitrary")]
pub mod fuzz;
pub mod scenario;
pub mod server;
pub mod setup;
pub mod step;
#[cfg(feature = "proptest")]
pub mod strategies;
