//! Shared helpers of the test suites.

pub mod conformance;

/// Keeps what the guide shows true: it is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/TESTING.md")]
mod guide {}
