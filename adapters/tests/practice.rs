//! Drives the practice server with a bare client through each of its faults.

#![allow(clippy::unwrap_used)]

#[path = "practice/apps.rs"]
mod apps;
#[path = "practice/delivery.rs"]
mod delivery;
#[path = "practice/handshakes.rs"]
mod handshakes;
#[path = "practice/links.rs"]
mod links;
#[path = "practice/orders.rs"]
mod orders;
#[path = "practice/support.rs"]
mod support;
#[cfg(feature = "tls")]
#[path = "practice/tls.rs"]
mod tls;
