//! A peer that falls silent without a word.

use std::io::Write as _;
use std::thread;
use std::time::Duration;

use perennial::practice::{App, Options, Server};

use crate::client::{Client, percentile};
use crate::{Outcome, Report};

const ROUNDS: usize = 9;

pub(crate) fn idle(report: &mut Report) -> Outcome {
    measure(report, false)
}

pub(crate) fn sending(report: &mut Report) -> Outcome {
    measure(report, true)
}

/// Freezes the connection again and again, and asks how long it took to be noticed.
fn measure(report: &mut Report, busy: bool) -> Outcome {
    let server = Server::start(Options { app: App::Silent, ..Options::default() })?;
    let arguments = "--stay --heartbeat 500ms --dead-after 1s --base 50ms --cap 50ms --quiet";
    let mut client = Client::start(&server.url(), arguments)?;
    let mut stdin = client.take_stdin()?;
    client.state("open")?;
    if busy {
        thread::spawn(move || {
            let line = format!("{}\n", "x".repeat(200));
            while stdin.write_all(line.as_bytes()).is_ok() {}
        });
    }
    let mut silences = Vec::new();
    for round in 0..ROUNDS {
        // Not in step with the pings.
        thread::sleep(Duration::from_millis(600 + 137 * round as u64 % 500));
        server.freeze_live();
        let (_, dead) = client.event(|event| event["event"] == "dead")?;
        silences.push(dead["silence_ms"].as_u64().unwrap_or(u64::MAX));
        client.state("open")?;
    }
    silences.sort_unstable();
    let (median, worst) = (percentile(&silences, 50), percentile(&silences, 100));
    report.figure(
        "declared dead after the last byte",
        &format!("median {median} ms, worst {worst} ms of {ROUNDS}"),
        "median ≤ 1600 ms, worst ≤ 2100 ms",
        median <= 1_600 && worst <= 2_100,
    );
    if busy {
        let messages = server.stats().messages;
        let enough = messages > 10_000;
        report.figure("messages sent meanwhile", &messages.to_string(), "> 10000", enough);
    }
    Ok(())
}
