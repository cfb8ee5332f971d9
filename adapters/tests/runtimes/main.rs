//! What is the async client's own, on every runtime: futures, streams, sinks, drivers. What every
//! driver must do is in the conformance suite, in `tests/`.

#![allow(clippy::unwrap_used, clippy::wildcard_imports)]

#[path = "../support/mod.rs"]
mod support;

mod busy_poll;
mod ends;
mod handles;
mod join;
mod own;
mod proxy;
mod view;

use std::future::Future;
use std::time::Duration;

use futures_lite::FutureExt as _;
use perennial::asynchronous::Client;
use perennial::core::ConfigBuilder;
use perennial::{Builder, Closed, Notice, Payload, State};

pub(crate) use support::LONG;

/// A runtime with an executor.
pub(crate) trait Executor: Copy + 'static {
    /// Runs a test to its end.
    fn run(test: impl Future<Output = ()> + Send + 'static);
    /// Connects, and has the driver run beside the test.
    fn start(builder: Builder) -> Client;
    /// Has a task run beside the test.
    fn beside(task: impl Future<Output = ()> + Send + 'static);
    /// The connection, and its driver that nobody runs.
    fn connect(builder: Builder) -> (Client, impl Future<Output = Closed> + Send + Unpin);
    /// The connection and what uses it, in one future that nobody runs.
    fn join<W: Future<Output: Send> + Send>(
        builder: Builder,
        work: impl FnOnce(Client) -> W,
    ) -> impl Future<Output = (W::Output, Closed)> + Send + Unpin;
}

#[derive(Clone, Copy)]
pub(crate) struct Smol;

impl Executor for Smol {
    fn run(test: impl Future<Output = ()> + Send + 'static) {
        smol::block_on(test);
    }

    fn start(builder: Builder) -> Client {
        perennial::smol::spawn(builder).unwrap()
    }

    fn beside(task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }

    fn connect(builder: Builder) -> (Client, impl Future<Output = Closed> + Send + Unpin) {
        builder.connect_on(perennial::smol::Smol).unwrap()
    }

    fn join<W: Future<Output: Send> + Send>(
        builder: Builder,
        work: impl FnOnce(Client) -> W,
    ) -> impl Future<Output = (W::Output, Closed)> + Send + Unpin {
        let (client, driver) = builder.connect_on(perennial::smol::Smol).unwrap();
        driver.join(work(client))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct AsyncStd;

impl Executor for AsyncStd {
    fn run(test: impl Future<Output = ()> + Send + 'static) {
        async_std::task::block_on(test);
    }

    fn start(builder: Builder) -> Client {
        perennial::async_std::spawn(builder).unwrap()
    }

    fn beside(task: impl Future<Output = ()> + Send + 'static) {
        async_std::task::spawn(task);
    }

    fn connect(builder: Builder) -> (Client, impl Future<Output = Closed> + Send + Unpin) {
        builder.connect_on(perennial::async_std::AsyncStd).unwrap()
    }

    fn join<W: Future<Output: Send> + Send>(
        builder: Builder,
        work: impl FnOnce(Client) -> W,
    ) -> impl Future<Output = (W::Output, Closed)> + Send + Unpin {
        let (client, driver) = builder.connect_on(perennial::async_std::AsyncStd).unwrap();
        driver.join(work(client))
    }
}

/// With one thread, so that nothing here may block.
#[derive(Clone, Copy)]
pub(crate) struct Tokio;

impl Executor for Tokio {
    fn run(test: impl Future<Output = ()> + Send + 'static) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    fn start(builder: Builder) -> Client {
        perennial::tokio::spawn(builder).unwrap()
    }

    fn beside(task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }

    fn connect(builder: Builder) -> (Client, impl Future<Output = Closed> + Send + Unpin) {
        builder.connect_on(perennial::tokio::Tokio).unwrap()
    }

    fn join<W: Future<Output: Send> + Send>(
        builder: Builder,
        work: impl FnOnce(Client) -> W,
    ) -> impl Future<Output = (W::Output, Closed)> + Send + Unpin {
        let (client, driver) = builder.connect_on(perennial::tokio::Tokio).unwrap();
        driver.join(work(client))
    }
}

/// With several threads.
#[derive(Clone, Copy)]
pub(crate) struct Threads;

impl Executor for Threads {
    fn run(test: impl Future<Output = ()> + Send + 'static) {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
        // The test itself is a task, so that it may be moved between threads as well.
        runtime.block_on(runtime.spawn(test)).unwrap();
    }

    fn start(builder: Builder) -> Client {
        Tokio::start(builder)
    }

    fn beside(task: impl Future<Output = ()> + Send + 'static) {
        Tokio::beside(task);
    }

    fn connect(builder: Builder) -> (Client, impl Future<Output = Closed> + Send + Unpin) {
        Tokio::connect(builder)
    }

    fn join<W: Future<Output: Send> + Send>(
        builder: Builder,
        work: impl FnOnce(Client) -> W,
    ) -> impl Future<Output = (W::Output, Closed)> + Send + Unpin {
        Tokio::join(builder, work)
    }
}

/// Runs every script on every runtime.
macro_rules! scripts {
    ($($script:ident),+ $(,)?) => {
        mod on_smol {
            $(#[test] fn $script() { <crate::Smol as crate::Executor>::run(super::$script::<crate::Smol>()); })+
        }
        mod on_async_std {
            $(#[test] fn $script() { <crate::AsyncStd as crate::Executor>::run(super::$script::<crate::AsyncStd>()); })+
        }
        mod on_tokio {
            $(#[test] fn $script() { <crate::Tokio as crate::Executor>::run(super::$script::<crate::Tokio>()); })+
        }
        mod on_threads {
            $(#[test] fn $script() { <crate::Threads as crate::Executor>::run(super::$script::<crate::Threads>()); })+
        }
    };
}
pub(crate) use scripts;

/// Bounds a wait. The timer needs none of the runtimes.
pub(crate) async fn within<T>(limit: Duration, what: impl Future<Output = T>) -> Option<T> {
    let late = async {
        smol::Timer::after(limit).await;
        None
    };
    async { Some(what.await) }.or(late).await
}

/// Waits, but not for ever.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    within(LONG, what).await.expect("in time")
}

pub(crate) fn builder(url: &str, config: ConfigBuilder) -> Builder {
    // Whatever the environment says: the servers are on this machine.
    Builder::new(url).no_proxy().config(config.build().unwrap())
}

/// The first notice that `pick` wants; others are passed over.
pub(crate) async fn find<T>(client: &mut Client, mut pick: impl FnMut(&Notice) -> Option<T>) -> T {
    soon(async {
        loop {
            let notice = client.recv().await.expect("before the end");
            if let Some(found) = pick(&notice) {
                return found;
            }
        }
    })
    .await
}

pub(crate) async fn payload(client: &mut Client) -> Payload {
    find(client, |notice| match notice {
        Notice::Message(message) => Some(message.payload.clone()),
        _ => None,
    })
    .await
}

/// The next message's text.
pub(crate) async fn text(client: &mut Client) -> String {
    payload(client).await.as_text().unwrap().to_owned()
}

/// Waits for a state.
pub(crate) async fn until(client: &mut Client, wanted: State) {
    let is_it = |notice: &Notice| match notice {
        Notice::StateChanged { to, .. } if *to == wanted => Some(()),
        _ => None,
    };
    find(client, is_it).await;
}

/// Waits for what another thread fills.
pub(crate) async fn taken<T: Send + 'static>(slot: &support::Slot<T>) -> T {
    let slot = slot.clone();
    smol::unblock(move || slot.take()).await
}

/// Waits for the end.
pub(crate) async fn closed(client: &mut Client) -> Closed {
    find(client, |notice| match notice {
        Notice::Closed(closed) => Some(closed.clone()),
        _ => None,
    })
    .await
}

/// The reason of the next failed dial, or of the end.
pub(crate) async fn failure(client: &mut Client) -> String {
    find(client, |notice| match notice {
        Notice::Retrying { reason, .. } => Some(reason.to_string()),
        Notice::Closed(closed) => Some(closed.reason.to_string()),
        _ => None,
    })
    .await
}
