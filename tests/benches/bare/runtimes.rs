//! The async client against bare `async-tungstenite`, both as one would use them on each runtime.

use std::future::Future;
use std::time::{Duration, Instant};

use async_tungstenite::WebSocketStream;
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::StreamExt as _;
use perennial::asynchronous::{Client, Runtime};
use perennial::{Builder, Notice, Outgoing, Payload};
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
    let payload = Utf8Bytes::from(task.payload());
    let start = Instant::now();
    match task.work {
        Work::Send | Work::Queue => {
            for _ in 0..task.count {
                socket.send(Message::Text(payload.clone())).await?;
            }
            text(&mut socket).await?;
        }
        Work::Receive => {
            socket.send(Message::text("go")).await?;
            for _ in 0..task.count {
                text(&mut socket).await?;
            }
        }
        Work::Echo => {
            let mut times = Vec::with_capacity(task.count);
            for _ in 0..task.count {
                let start = Instant::now();
                socket.send(Message::Text(payload.clone())).await?;
                text(&mut socket).await?;
                times.push(start.elapsed());
            }
            return Ok(crate::median(times));
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

fn builder(task: &Task, url: &str) -> Result<Builder, Fault> {
    Ok(Builder::new(&task.url(url)).config(config()?).reports(task.work == Work::Send))
}

/// The same task through a client whose driver runs beside.
async fn ours_on(task: &Task, mut client: Client) -> Result<Duration, Fault> {
    client.wait_open().await?;
    let payload = Payload::from(task.payload());
    let message = || Outgoing::new(payload.clone());
    let start = Instant::now();
    match task.work {
        Work::Queue => {
            for _ in 0..task.count {
                client.send(message()).await?;
            }
            find(&mut client, |notice| matches!(notice, Notice::Message(_))).await?;
        }
        Work::Send => {
            for _ in 0..task.count {
                client.send(message()).await?;
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
        Work::Echo => {
            let mut times = Vec::with_capacity(task.count);
            for _ in 0..task.count {
                let start = Instant::now();
                client.send(message()).await?;
                find(&mut client, |notice| matches!(notice, Notice::Message(_))).await?;
                times.push(start.elapsed());
            }
            return Ok(crate::median(times));
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

/// The client and its driver in one task.
async fn together<R: Runtime>(task: &Task, url: &str, runtime: R) -> Result<Duration, Fault> {
    let (client, driver) = builder(task, url)?.connect_on(runtime)?;
    let driven = async {
        let closed = driver.await;
        Err(closed.reason.to_string().into())
    };
    futures_lite::future::or(ours_on(task, client), driven).await
}

pub(crate) mod smol {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        ::smol::block_on(work)
    }

    pub(crate) fn bare(task: &Task, url: &str) -> Result<Duration, Fault> {
        run(async {
            let io = ::smol::net::TcpStream::connect(address(url)?).await?;
            io.set_nodelay(true)?;
            bare_on(task, url, io).await
        })
    }

    pub(crate) fn ours(task: &Task, url: &str) -> Result<Duration, Fault> {
        run(together(task, url, perennial::smol::Smol))
    }
}

pub(crate) mod async_std {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        ::async_std::task::block_on(work)
    }

    pub(crate) fn bare(task: &Task, url: &str) -> Result<Duration, Fault> {
        run(async {
            let io = ::async_std::net::TcpStream::connect(address(url)?).await?;
            io.set_nodelay(true)?;
            bare_on(task, url, io).await
        })
    }

    pub(crate) fn ours(task: &Task, url: &str) -> Result<Duration, Fault> {
        run(together(task, url, perennial::async_std::AsyncStd))
    }
}

/// With one thread.
pub(crate) mod tokio {
    use super::*;

    fn run<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let mut builder = ::tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build()?.block_on(work)
    }

    pub(super) async fn connect(url: &str) -> Result<impl AsyncRead + AsyncWrite + Unpin, Fault> {
        let io = ::tokio::net::TcpStream::connect(address(url)?).await?;
        io.set_nodelay(true)?;
        Ok(async_tungstenite::tokio::TokioAdapter::new(io))
    }

    pub(crate) fn bare(task: &Task, url: &str) -> Result<Duration, Fault> {
        run(async { bare_on(task, url, connect(url).await?).await })
    }

    pub(crate) fn ours(task: &Task, url: &str) -> Result<Duration, Fault> {
        run(async { ours_on(task, perennial::tokio::spawn(builder(task, url)?)?).await })
    }
}

/// With two threads, and everything in a task of its own.
pub(crate) mod threads {
    use super::*;

    fn run<T: Send + 'static>(
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        let mut builder = ::tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build()?;
        runtime.block_on(runtime.spawn(work))?
    }

    pub(crate) fn bare(task: &Task, url: &str) -> Result<Duration, Fault> {
        let (task, url) = (task.clone(), url.to_owned());
        run(async move { bare_on(&task, &url, super::tokio::connect(&url).await?).await })
    }

    pub(crate) fn ours(task: &Task, url: &str) -> Result<Duration, Fault> {
        let (task, url) = (task.clone(), url.to_owned());
        run(async move { ours_on(&task, perennial::tokio::spawn(builder(&task, &url)?)?).await })
    }
}
