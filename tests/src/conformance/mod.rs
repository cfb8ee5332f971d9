//! One suite for every way of driving connections: the same script, with the same server, gives the
//! same notices.
//!
//! A script is a short program: it connects through the [`Adapter`] under test, plays the server
//! itself, well or badly, and says what must follow. What the connection told is its *transcript*,
//! without what may differ from run to run: times, round trips, the operating system's words. Each
//! script must pass over each adapter, and the transcripts of all adapters must be the same.
//!
//! # What is compared
//!
//! Two lanes, each in order. *Told*: states, dials, retries, what was received, warnings, deaths,
//! the end. *Sent*: what became of each message. How the two interleave depends on when a flush is
//! noticed, and is not compared. Nor are pongs and `Writable`, whose number depends on time, nor the
//! lane *sent* where a script fills a socket until it blocks: how much the kernel takes is its own
//! affair. That every accepted message comes to exactly one end is always checked.
//!
//! # A new adapter
//!
//! Implement [`Adapter`] and [`Session`] for it; neither needs the crate `perennial`, only its core.
//! Then either have one test per script, each compared with the blocking driver:
//!
//! ```ignore
//! perennial_tests::conformance_tests! {
//!     blocking: perennial_tests::conformance::drivers::Blocking,
//!     mine: my_adapter::Mine,
//! }
//! ```
//!
//! or run everything in one go: [`check`] returns a [`Report`], whose `Display` lists what failed,
//! what differs from the blocking driver, and which scripts were not run because the adapter lacks
//! a [feature](Features). The program `conformance` of this crate does the same for the drivers of
//! `perennial`:
//!
//! ```sh
//! cargo run -p perennial-tests --bin conformance -- smol
//! ```
//!
//! No wait is unbounded, and no measured time is compared exactly. All traffic is on loopback.

// Scripts are tests: what does not hold must panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

mod adapter;

pub use adapter::{Adapter, Features, Plan, Received, Refusal, Refused, Session, Waited};
