//! The blocking client against bare `tungstenite` on a blocking socket.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use perennial::blocking::Client;
use perennial::{Config, ConfigBuilder, Notice, Overflow, Payload};
use tungstenite::{Message, Utf8Bytes, WebSocket};

use crate::Fault;
use crate::task::{Task, Work};

/// How long a step may take before something is wrong.
const LONG: Duration = Duration::from_secs(60);

/// As many of these at once as the task wants, each on a thread of its own.
pub(super) fn crowd(
    task: &Task,
    one: impl Fn() -> Result<Duration, Fault> + Sync,
) -> Result<Duration, Fault> {
    let samples = thread::scope(|scope| {
        let threads: Vec<_> = (1..task.crowd).map(|_| scope.spawn(&one)).collect();
        let mut samples = vec![one()?];
        for thread in threads {
            samples.push(thread.join().map_err(|_| "a sample panicked")??);
        }
        Ok::<_, Fault>(samples)
    });
    Ok(crate::median(samples?) / task.crowd as u32)
}

pub(crate) fn bare(task: &'static Task, url: &str) -> Result<Duration, Fault> {
    crowd(task, || bare_alone(task, url))
}

fn bare_alone(task: &'static Task, url: &str) -> Result<Duration, Fault> {
    let url = task.url(url);
    let host = url.trim_start_matches("ws://").split('/').next().unwrap_or_default();
    let stream = TcpStream::connect(host)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LONG))?;
    let (mut socket, _) = tungstenite::client(url, stream).map_err(|error| error.to_string())?;
    let payloads = task.payloads::<Utf8Bytes>();
    let _held = payloads.clone();
    let start = Instant::now();
    match task.work {
        Work::Send | Work::Step => {
            for payload in payloads {
                socket.send(Message::Text(payload))?;
            }
            text(&mut socket)?;
        }
        Work::Receive => {
            socket.send(Message::text("go"))?;
            for _ in 0..task.count {
                text(&mut socket)?;
            }
        }
        Work::Exchange | Work::Echo => {
            let mut times = Vec::with_capacity(task.count);
            for payload in payloads {
                let start = Instant::now();
                socket.send(Message::Text(payload))?;
                text(&mut socket)?;
                times.push(start.elapsed());
            }
            if task.work == Work::Echo {
                return Ok(crate::median(times));
            }
        }
    }
    Ok(start.elapsed() / task.count as u32)
}

fn text(socket: &mut WebSocket<TcpStream>) -> Result<(), Fault> {
    while !socket.read()?.is_text() {}
    Ok(())
}

/// Every default, but that a full outbox has the sender wait, and that it holds several messages: where
/// one fills it, the sender waits for each.
pub(crate) fn config(task: &Task) -> ConfigBuilder {
    let mut config = Config::builder();
    config.outbox.overflow = Overflow::Wait;
    config.outbox.max_bytes = config.outbox.max_bytes.max(4 * task.size);
    config
}

pub(crate) fn ours(task: &'static Task, url: &str) -> Result<Duration, Fault> {
    crowd(task, || ours_alone(task, url))
}

fn ours_alone(task: &'static Task, url: &str) -> Result<Duration, Fault> {
    let builder = Client::builder(task.url(url)).config(config(task).build()?);
    let mut client = builder.reports(task.work == Work::Step).connect()?;
    client.wait_open(LONG)?;
    let payloads = task.payloads::<Payload>();
    let _held = payloads.clone();
    let start = Instant::now();
    match task.work {
        Work::Send => {
            for payload in payloads {
                client.send(payload)?;
            }
            find(&mut client, |notice| matches!(notice, Notice::Message(_)))?;
        }
        Work::Step => {
            for payload in payloads {
                client.send(payload)?;
                find(&mut client, |notice| matches!(notice, Notice::Flushed { .. }))?;
            }
            find(&mut client, |notice| matches!(notice, Notice::Message(_)))?;
        }
        Work::Receive => {
            client.send("go")?;
            for _ in 0..task.count {
                find(&mut client, |notice| matches!(notice, Notice::Message(_)))?;
            }
        }
        Work::Exchange | Work::Echo => {
            let mut times = Vec::with_capacity(task.count);
            for payload in payloads {
                let start = Instant::now();
                client.send(payload)?;
                find(&mut client, |notice| matches!(notice, Notice::Message(_)))?;
                times.push(start.elapsed());
            }
            if task.work == Work::Echo {
                return Ok(crate::median(times));
            }
        }
    }
    Ok(start.elapsed() / task.count as u32)
}

fn find(client: &mut Client, wanted: impl Fn(&Notice) -> bool) -> Result<(), Fault> {
    loop {
        match client.recv_timeout(LONG)? {
            Some(notice) if wanted(&notice) => return Ok(()),
            Some(Notice::Closed(closed)) => return Err(closed.reason.to_string().into()),
            Some(_) => {}
            None => return Err("closed".into()),
        }
    }
}
