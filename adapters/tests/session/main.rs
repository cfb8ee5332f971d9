//! The bus, requests, subscriptions and hooks of an opening, over real sockets and on every driver.
//! The same in virtual time is in the core's own tests.

#![allow(missing_docs, clippy::unwrap_used, clippy::wildcard_imports)]

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code, reason = "other suites need other parts of it")]
#[path = "../presets/host.rs"]
mod host;

mod cancel;
mod cuts;
mod drivers;
mod ends;
mod hooks;
mod hostile;
mod questions;
mod slow;
mod views;

use std::time::Duration;

use perennial::core::ConfigBuilder;
use perennial::subscriptions::Subscription;
use perennial::{Builder, Notice};

pub(crate) use drivers::Driver;
pub(crate) use support::LONG;

/// How long to watch for what must not happen.
const WHILE: Duration = Duration::from_millis(150);

/// Runs every script on every driver.
macro_rules! scripts {
    ($($script:ident),+ $(,)?) => {
        mod on_a_thread {
            $(#[test] fn $script() { super::$script::<crate::drivers::OnThreads<crate::drivers::Threaded>>(); })+
        }
        mod on_a_callback {
            $(#[test] fn $script() { super::$script::<crate::drivers::OnThreads<crate::drivers::Called>>(); })+
        }
        mod on_smol {
            $(#[test] fn $script() { super::$script::<crate::drivers::Async<crate::drivers::Smol>>(); })+
        }
        mod on_async_std {
            $(#[test] fn $script() { super::$script::<crate::drivers::Async<crate::drivers::AsyncStd>>(); })+
        }
        mod on_tokio {
            $(#[test] fn $script() { super::$script::<crate::drivers::Async<crate::drivers::Tokio>>(); })+
        }
    };
}
pub(crate) use scripts;

pub(crate) fn builder(url: &str, config: ConfigBuilder) -> Builder {
    // Whatever the environment says: the servers are on this machine.
    Builder::new(url).no_proxy().config(config.build().unwrap()).seed(1)
}

/// The next message that no subscriber has taken.
pub(crate) fn text<D: Driver>(client: &mut D::Client) -> String {
    loop {
        if let Notice::Message(message) = D::recv(client).expect("before the end") {
            return message.as_text().unwrap().to_owned();
        }
    }
}

/// How it ended.
pub(crate) fn closed<D: Driver>(client: &mut D::Client) -> perennial::Closed {
    loop {
        if let Notice::Closed(closed) = D::recv(client).expect("it is told") {
            return closed;
        }
    }
}

/// The subscription of this number, which nobody confirms.
pub(crate) fn numbered(number: usize) -> Subscription {
    Subscription::new(format!("say {number}")).unsay(format!("unsay {number}"))
}
