//! Many clients that are cut off at once.

use std::thread;
use std::time::{Duration, Instant};

use perennial::practice::{Options, Server};

use crate::client::{Client, PATIENCE};
use crate::{Outcome, Report};

const CLIENTS: usize = 20;

pub(crate) fn measure(report: &mut Report) -> Outcome {
    let server = Server::start(Options::default())?;
    let arguments = "--stay --quiet --base 3s --cap 3s --jitter full";
    let clients = (0..CLIENTS)
        .map(|_| Client::start(&server.url(), arguments))
        .collect::<Result<Vec<_>, _>>()?;
    if !server.wait(PATIENCE, |stats| stats.live == CLIENTS as u64) {
        return Err("not all clients connected".into());
    }
    thread::sleep(Duration::from_millis(200));
    let cut = Instant::now();
    server.reset_all();
    if !server.wait(PATIENCE, |stats| stats.upgrades == 2 * CLIENTS as u64) {
        return Err("not all clients came back".into());
    }
    let mut back: Vec<u64> = server
        .accepted_at()
        .iter()
        .filter(|at| **at > cut)
        .map(|at| at.duration_since(cut).as_millis() as u64)
        .collect();
    back.sort_unstable();
    let most = back
        .iter()
        .map(|start| back.iter().filter(|at| (*start..start + 100).contains(*at)).count())
        .max()
        .unwrap_or(CLIENTS);
    report.figure(
        "second attempts in the fullest 100 ms",
        &format!(
            "{most} of {CLIENTS}, spread over {} to {} ms",
            back.first().unwrap_or(&0),
            back.last().unwrap_or(&0)
        ),
        "at most 30%",
        most * 100 <= CLIENTS * 30,
    );
    drop(clients);
    Ok(())
}
