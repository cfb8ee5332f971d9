//! An open connection on which nothing happens.

use std::error::Error;
use std::fs;
use std::thread;
use std::time::Duration;

use perennial::practice::{Options, Server};

use crate::client::{Client, chosen_adapter};
use crate::{Outcome, Report};

const WATCHED: Duration = Duration::from_secs(60);
const QUIET: Duration = Duration::from_secs(20);
/// After so long a new connection has been found to be stable.
const SETTLED: Duration = Duration::from_secs(12);

/// How often the threads of a process were switched to since they began.
pub(crate) fn switches(pid: u32) -> Result<u64, Box<dyn Error>> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(task?.path().join("status"))?;
        for line in status.lines().filter(|line| line.starts_with("voluntary_ctxt_switches")) {
            sum += line.split_whitespace().nth(1).ok_or("no number")?.parse::<u64>()?;
        }
    }
    Ok(sum)
}

pub(crate) fn measure(report: &mut Report) -> Outcome {
    let server = Server::start(Options::default())?;
    let mut client = Client::start(&server.url(), "--stay --heartbeat 10s --dead-after 10s")?;
    client.state("open")?;
    thread::sleep(SETTLED);
    let pings = server.stats().pings;
    let before = switches(client.pid())?;
    thread::sleep(WATCHED);
    let woken = switches(client.pid())? - before;
    let pings = server.stats().pings - pings;
    // The driver wakes for the ping and for its pong; the pong's event wakes the thread that
    // prints it. The runtimes add theirs: smol and async-std have a thread that waits for the timer
    // and for the socket and then wakes the driver's, tokio looks at its timers once for every
    // level of their wheel.
    let (each, of_what) = if chosen_adapter().is_none_or(|name| name == "blocking") {
        (3, "to ping, to hear the pong, to tell of it")
    } else {
        (6, "to ping, to hear the pong, to tell of it; and the runtime's own")
    };
    report.figure(
        &format!("context switches in {} s", WATCHED.as_secs()),
        &format!("{woken} for {pings} pings"),
        &format!("at most {each} a ping: {of_what}"),
        woken <= each * pings && pings >= 5,
    );
    let mut client = Client::start(&server.url(), "--stay --heartbeat off")?;
    client.state("open")?;
    thread::sleep(SETTLED);
    let before = switches(client.pid())?;
    thread::sleep(QUIET);
    let woken = switches(client.pid())? - before;
    report.figure(
        &format!("context switches in {} s without a heartbeat", QUIET.as_secs()),
        &woken.to_string(),
        "none",
        woken == 0,
    );
    Ok(())
}
