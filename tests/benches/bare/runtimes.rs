//! The async client against bare `async-tungstenite`, both as one would use them on each runtime.

use std::future::Future;
use std::time::{Duration, Instant};

use async_tungstenite::WebSocketStream;
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt as _, TryStreamExt as _};
use perennial::asynchronous::Client;
use perennial::{Builder, Notice, Payload};
use tungstenite::{Message, Utf8Bytes};

use crate::Fault;
use crate::blocking::config;
use crate::task::{Task, Work};

/// One task, driven by whatever polls it.
async fn bare_on<Io>(task: &Task, url: &str, io: Io) -> Result<Duration, Fault>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let connected = async_tungstenite::client_async(task.url(url), io).await;
    let (mut socket, _) = connected.map_err(|error| error.to_string())?;
    let payloads = task.payloads::<Utf8Bytes>();
    let _held = payloads.clone();
    let start = Instant::now();
    match task.work {
        Work::Send | Work::Step => {
            for payload in payloads {
                socket.send(Message::Text(payload)).await?;
            }
            text(&mut socket).await?;
        }
        Work::Receive => {
            socket.send(Message::text("go")).await?;
            for _ in 0..task.count {
                text(&mut socket).await?;
            }
        }
        Work::Exchange | Work::Echo => {
            let mut times = Vec::with_capacity(task.count);
            for payload in payloads {
                let start = Instant::now();
                socket.send(Message::Text(payload)).await?;
                text(&mut socket).await?;
                times.push(start.elapsed());
            }
            if task.work == Work::Echo {
                return Ok(crate::median(times));
            }
        }
    }
    Ok(start.elapsed() / task.count as u32)
}

async fn text<Io>(socket: &mut WebSocketStream<Io>) -> Result<(), Fault>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        if socket.next().await.ok_or("closed")??.is_text() {
            return Ok(());
        }
    }
}

/// As many of these at once as the task wants.
async fn crowd<F>(task: &Task, one: impl Fn() -> F) -> Result<Duration, Fault>
where
    F: Future<Output = Result<Duration, Fault>>,
{
    // A set of futures has its task polled once more for each that waits.
    if task.crowd == 1 {
        return one().await;
    }
    let all: FuturesUnordered<F> = (0..task.crowd).map(|_| one()).collect();
    let samples = all.try_collect().await?;
    Ok(crate::median(samples) / task.crowd as u32)
}

fn builder(task: &Task, url: &str) -> Result<Builder, Fault> {
    Ok(Builder::new(task.url(url)).config(config(task).build()?).reports(task.work == Work::Step))
}

/// The same task in the task that drives the connection.
async fn joined<R: perennial::asynchronous::Runtime + Copy>(
    task: &Task,
    url: String,
    runtime: R,
) -> Result<Duration, Fault> {
    let one = || async {
        let (client, driver) = builder(task, &url)?.connect_on(runtime)?;
        driver.join(ours_on(task, client)).await.0
    };
    crowd(task, one).await
}

/// The same task through a client whose driver runs beside.
async fn ours_on(task: &Task, mut client: Client) -> Result<Duration, Fault> {
    client.wait_open().await?;
    let payloads = task.payloads::<Payload>();
    let _held = payloads.clone();
    let start = Instant::now();
    match task.work {
        Work::Send => {
            for payload in payloads {
                client.send(payload).await?;
            }
            find(&mut client, |notice| matches!(notice, Notice::Message(_))).await?;
        }
        Work::Step => {
            for payload in payloads {
                client.send(payload).await?;
                find(&mut client, |notice| matches!(notice, Notice::Flushed { .. })).await?;
            }
            find(&mut client, |notice| matches!(notice, Notice::Message(_))).await?;
        }
        Work::Receive => {
            client.send("go").await?;
            for _ in 0..task.count {
                find(&mut client, |notice| matches!(notice, Notice::Message(_))).await?;
            }
        }
        Work::Exchange | Work::Echo => {
            let mut times = Vec::with_capacity(task.count);
            for payload in payloads {
                let start = Instant::now();
                client.send(payload).await?;
                find(&mut client, |notice| matches!(notice, Notice::Message(_))).await?;
                times.push(start.elapsed());
            }
            if task.work == Work::Echo {
                return Ok(crate::median(times));
            }
        }
    }
    Ok(start.elapsed() / task.count as u32)
}

async fn find(client: &mut Client, wanted: impl Fn(&Notice) -> bool) -> Result<(), Fault> {
    loop {
        match client.recv().await {
            Some(notice) if wanted(&notice) => return Ok(()),
            Some(Notice::Closed(closed)) => return Err(closed.reason.to_string().into()),
            Some(_) => {}
            None => return Err("closed".into()),
        }
    }
}

fn address(url: &str) -> Result<std::net::SocketAddr, Fault> {
    Ok(url.trim_start_matches("ws://").trim_end_matches('/').parse()?)
}

/// Runs on `smol`, in a task of its own.
pub(crate) mod smol {
    use super::*;

    fn run(
        work: impl Future<Output = Result<Duration, Fault>> + Send + 'static,
    ) -> Result<Duration, Fault> {
        ::smol::block_on(::smol::spawn(work))
    }

    pub(crate) fn bare(task: &'static Task, url: &str) -> Result<Duration, Fault> {
        let url = url.to_owned();
        run(async move {
            let one = || async {
                let io = ::smol::net::TcpStream::connect(address(&url)?).await?;
                io.set_nodelay(true)?;
                bare_on(task, &url, io).await
            };
            crowd(task, one).await
        })
    }

    pub(crate) fn ours(task: &'static Task, url: &str) -> Result<Duration, Fault> {
        let url = url.to_owned();
        run(async move {
            let one =
                || async { ours_on(task, perennial::smol::spawn(builder(task, &url)?)?).await };
            crowd(task, one).await
        })
    }

    pub(crate) fn joined(task: &'static Task, url: &str) -> Result<Duration, Fault> {
        run(super::joined(task, url.to_owned(), perennial::smol::Smol))
    }
}

/// Runs on `async-std`, in a task of its own.
pub(crate) mod async_std {
    use super::*;

    fn run(
        work: impl Future<Output = Result<Duration, Fault>> + Send + 'static,
    ) -> Result<Duration, Fault> {
        ::async_std::task::block_on(::async_std::task::spawn(work))
    }

    pub(crate) fn bare(task: &'static Task, url: &str) -> Result<Duration, Fault> {
        let url = url.to_owned();
        run(async move {
            let one = || async {
                let io = ::async_std::net::TcpStream::connect(address(&url)?).await?;
                io.set_nodelay(true)?;
                bare_on(task, &url, io).await
            };
            crowd(task, one).await
        })
    }

    pub(crate) fn ours(task: &'static Task, url: &str) -> Result<Duration, Fault> {
        let url = url.to_owned();
        run(async move {
            let one = || async {
                ours_on(task, perennial::async_std::spawn(builder(task, &url)?)?).await
            };
            crowd(task, one).await
        })
    }

    pub(crate) fn joined(task: &'static Task, url: &str) -> Result<Duration, Fault> {
        run(super::joined(task, url.to_owned(), perennial::async_std::AsyncStd))
    }
}

/// Runs on `tokio` with one thread, in a task of its own.
pub(crate) mod tokio {
    use super::*;

    fn run(
        work: impl Future<Output = Result<Duration, Fault>> + Send + 'static,
    ) -> Result<Duration, Fault> {
        on(&::tokio::runtime::Builder::new_current_thread().enable_all().build()?, work)
    }

    pub(super) fn on(
        runtime: &::tokio::runtime::Runtime,
        work: impl Future<Output = Result<Duration, Fault>> + Send + 'static,
    ) -> Result<Duration, Fault> {
        runtime.block_on(runtime.spawn(work))?
    }

    pub(super) async fn connect_bare(task: &Task, url: &str) -> Result<Duration, Fault> {
        let one = || async {
            let io = ::tokio::net::TcpStream::connect(address(url)?).await?;
            io.set_nodelay(true)?;
            bare_on(task, url, async_tungstenite::tokio::TokioAdapter::new(io)).await
        };
        crowd(task, one).await
    }

    pub(super) async fn connect_ours(task: &Task, url: String) -> Result<Duration, Fault> {
        let one = || async { ours_on(task, perennial::tokio::spawn(builder(task, &url)?)?).await };
        crowd(task, one).await
    }

    pub(crate) fn bare(task: &'static Task, url: &str) -> Result<Duration, Fault> {
        let url = url.to_owned();
        run(async move { connect_bare(task, &url).await })
    }

    pub(crate) fn ours(task: &'static Task, url: &str) -> Result<Duration, Fault> {
        run(connect_ours(task, url.to_owned()))
    }

    pub(crate) fn joined(task: &'static Task, url: &str) -> Result<Duration, Fault> {
        run(super::joined(task, url.to_owned(), perennial::tokio::Tokio))
    }
}

/// Runs on `tokio` with two threads.
pub(crate) mod threads {
    use super::tokio::{connect_bare, connect_ours, on};
    use super::*;

    fn run(
        work: impl Future<Output = Result<Duration, Fault>> + Send + 'static,
    ) -> Result<Duration, Fault> {
        let mut builder = ::tokio::runtime::Builder::new_multi_thread();
        on(&builder.worker_threads(2).enable_all().build()?, work)
    }

    pub(crate) fn bare(task: &'static Task, url: &str) -> Result<Duration, Fault> {
        let url = url.to_owned();
        run(async move { connect_bare(task, &url).await })
    }

    pub(crate) fn ours(task: &'static Task, url: &str) -> Result<Duration, Fault> {
        run(connect_ours(task, url.to_owned()))
    }
}
