//! A thousand connections in one process: what each costs while nothing happens on it.

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use perennial::asynchronous::Client;
use perennial::practice::{Options, Server};
use perennial::{Builder, Config, HeartbeatStyle, Notice};

use crate::idle::switches;
use crate::{Outcome, Report};

const CONNECTIONS: usize = 1000;
const BAR_KIB: f64 = 24.0;
const WATCHED: Duration = Duration::from_secs(20);
/// How many switches are not worth a word: what the runtime does for itself.
const STRAY: u64 = 20;

pub(crate) fn measure(report: &mut Report) -> Outcome {
    for runtime in ["smol", "tokio"] {
        rest(report, runtime, None)?;
        rest(report, runtime, Some(Duration::from_secs(5)))?;
    }
    Ok(())
}

/// Has another process hold the connections, with a heartbeat or without, and watches it.
fn rest(report: &mut Report, runtime: &str, heartbeat: Option<Duration>) -> Outcome {
    let server = Server::start(Options::default())?;
    let every = heartbeat.map_or(0, |every| every.as_secs());
    let mut holder = Holder::start(runtime, &server.url(), every)?;
    let empty = holder.next()?;
    let resident = holder.next()?;
    let each = resident.saturating_sub(empty) as f64 / CONNECTIONS as f64;
    if heartbeat.is_none() {
        report.figure(
            &format!("resident memory of each of {CONNECTIONS} on {runtime}"),
            &format!("{each:.1} KiB"),
            &format!("{BAR_KIB} KiB"),
            each <= BAR_KIB,
        );
    }
    // The last echoes, and the first heartbeats of a busy start, settle.
    thread::sleep(Duration::from_secs(2));
    let pid = holder.child.id();
    let (pings, before) = (server.stats().pings, switches(pid)?);
    thread::sleep(WATCHED);
    let (woken, pings) = (switches(pid)? - before, server.stats().pings - pings);
    report.figure(
        &format!("context switches of {CONNECTIONS} on {runtime} in {} s", WATCHED.as_secs()),
        &format!("{woken} for {pings} pings"),
        &format!("2 a ping: to ping, and to hear the pong; and {STRAY}"),
        woken <= 2 * pings + STRAY && heartbeat.is_some() == (pings > 0),
    );
    Ok(())
}

/// A process that holds connections.
struct Holder {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Holder {
    fn start(runtime: &str, url: &str, heartbeat: u64) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([HOLD, runtime, url, &heartbeat.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        Ok(Self { child, lines: BufReader::new(stdout) })
    }

    /// The memory that it says is resident, in KiB.
    fn next(&mut self) -> Result<u64, Box<dyn Error>> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        line.trim().parse().map_err(|_| format!("the process said {line:?}").into())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The argument that makes this program the process that holds the connections.
pub(crate) const HOLD: &str = "hold-a-crowd";

/// Holds connections: `runtime url heartbeat-in-seconds`.
pub(crate) fn hold(arguments: &[String]) -> Result<(), Box<dyn Error + Send + Sync>> {
    let [runtime, url, heartbeat] = arguments else {
        return Err("want a runtime, an address and an interval".into());
    };
    let mut config = Config::builder();
    match heartbeat.parse()? {
        0 => config.heartbeat.style = HeartbeatStyle::Off,
        every => {
            config.heartbeat.interval = Duration::from_secs(every);
            config.heartbeat.deadline = Duration::from_secs(every);
        }
    }
    // All of them have proved alive before anybody counts.
    config.retry.stable_after = Duration::from_millis(500);
    let config = config.build()?;
    let url = url.clone();
    match runtime.as_str() {
        "smol" => smol::block_on(smol::spawn(crowd(move || {
            perennial::smol::spawn(Builder::new(&url).config(config.clone()))
        })))?,
        "tokio" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(crowd(move || {
                perennial::tokio::spawn(Builder::new(&url).config(config.clone()))
            }))?;
        }
        other => return Err(format!("no runtime is called {other}").into()),
    }
    Ok(())
}

/// Connects them all, has one message on each come back, and waits to be ended.
async fn crowd(
    mut connect: impl FnMut() -> Result<Client, perennial::Error>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    // What the first one needs, all of them share.
    let mut first = connect()?;
    echo(&mut first).await?;
    println!("{}", resident()?);
    let mut clients = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        clients.push(connect()?);
    }
    for client in &mut clients {
        echo(client).await?;
    }
    println!("{}", resident()?);
    // Ends with the process.
    while first.recv().await.is_some() {}
    Err("the first connection ended".into())
}

async fn echo(client: &mut Client) -> Result<(), Box<dyn Error + Send + Sync>> {
    client.send("hello").await?;
    loop {
        match client.recv().await {
            Some(Notice::Message(_)) => return Ok(()),
            Some(Notice::Closed(closed)) => return Err(closed.reason.to_string().into()),
            Some(_) => {}
            None => return Err("closed".into()),
        }
    }
}

/// How much memory of this process is resident, in KiB.
fn resident() -> Result<u64, Box<dyn Error + Send + Sync>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}
