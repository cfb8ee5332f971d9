//! Shared helpers of the test suites.

pub mod conformance;

/// Keeps what the guide shows true: it is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/TESTING.md")]
mod guide {}

/// Keeps the README's programs true as well.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

/// Keeps the page for those who come from a client of their own true as well.
#[cfg(doctest)]
#[doc = include_str!("../../docs/MIGRATION.md")]
mod migration {}
