//! Shared helpers of the test suites.

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod scenario;
pub mod server;
pub mod setup;
pub mod step;
#[cfg(feature = "proptest")]
pub mod strategies;
