//! An open connection on which nothing happens.

use std::error::Error;
use std::fs;
use std::thread;
use std::time::Duration;

use perennial::practice::{Options, Server};

use crate::client::Client;
use crate::{Outcome, Report};

const WATCHED: Duration = Duration::from_secs(60);

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
    thread::sleep(Duration::from_secs(1));
    let pings = server.stats().pings;
    let before = switches(client.pid())?;
    thread::sleep(WATCHED);
    let woken = switches(client.pid())? - before;
    let pings = server.stats().pings - pings;
    // The driver wakes for the ping and for its pong; the pong's event wakes the thread that
    // prints it.
    let due = 3 * pings;
    report.figure(
        "context switches in 60 s",
        &format!("{woken} for {pings} pings"),
        "at most 3 a ping: to ping, to hear the pong, to tell of it",
        woken <= due && pings >= 5,
    );
    Ok(())
}
