//! Shared helpers of the test suites.

pub mod scenario;
pub mod server;
pub mod setup;
#[cfg(feature = "proptest")]
pub mod strategies;
