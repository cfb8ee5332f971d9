//! The command line as a black box: the built binary against practice servers on loopback.

#![allow(missing_docs, clippy::unwrap_used)]

mod adapters;
mod connect;
mod defaults;
mod exit;
mod load;
mod outbox;
mod process;
mod proxy;
mod request;
mod serve;
#[cfg(unix)]
mod stuck;
mod tls;
mod trace;
#[cfg(unix)]
mod url_command;
mod usage;
