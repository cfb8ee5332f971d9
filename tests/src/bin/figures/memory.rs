//! Peers and applications that stop reading.

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use perennial::practice::{App, Faults, Misbehave, Options, Server};

use crate::client::Client;
use crate::{Outcome, Report};

const BAR_KIB: u64 = 64 * 1024;
const GIB: u64 = 1 << 30;

/// The most memory that was resident so far, in KiB.
fn peak(pid: u32) -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}

/// 1 GiB on stdin, and a server that stops reading for a while.
pub(crate) fn stuck_peer(report: &mut Report) -> Outcome {
    let server = Server::start(Options { app: App::Silent, ..Options::default() })?;
    server.stop_reading(true);
    let mut client = Client::start_unread(&server.url(), "--quiet --drain 60s")?;
    let pid = client.pid();
    let mut stdin = client.take_stdin()?;
    let line = format!("{}\n", "x".repeat(1023));
    let lines = GIB / line.len() as u64;
    let fed = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&fed);
    let feeder = thread::spawn(move || {
        for n in 0..lines {
            if stdin.write_all(line.as_bytes()).is_err() {
                return;
            }
            counter.store(n + 1, Ordering::Relaxed);
        }
    });
    // The handshake is not read either, until now; then the connection opens and is stuck.
    thread::sleep(Duration::from_secs(1));
    server.stop_reading(false);
    if !server.wait(Duration::from_secs(10), |stats| stats.messages > 0) {
        return Err("nothing arrived".into());
    }
    server.stop_reading(true);
    thread::sleep(Duration::from_secs(8));
    let stuck = fed.load(Ordering::Relaxed);
    let while_stuck = peak(pid)?;
    server.stop_reading(false);
    feeder.join().map_err(|_| "the feeder failed")?;
    let peak = peak(pid)?;
    let run = client.wait()?;
    let arrived = server.stats().messages;
    report.figure(
        "peak resident memory",
        &format!(
            "{peak} KiB ({while_stuck} KiB while stuck with {} MiB taken from stdin)",
            stuck / 1024
        ),
        "under 65536 KiB",
        peak < BAR_KIB,
    );
    report.figure(
        "nothing lost",
        &format!("{arrived} of {lines} messages arrived, {}", run.status),
        "all, exit status 0",
        arrived == lines && run.status.success(),
    );
    Ok(())
}

/// A peer that floods while nobody reads stdout.
pub(crate) fn flood(report: &mut Report) -> Outcome {
    for size in [64, 64 * 1024, 4 << 20] {
        let misbehave = Some(Misbehave::Flood { size });
        let faults = Faults { misbehave, ..Faults::default() };
        let server = Server::start(Options { faults, ..Options::default() })?;
        let mut client = Client::start_unread(&server.url(), "--stay --quiet --heartbeat 1s")?;
        let stdin = client.take_stdin()?;
        thread::sleep(Duration::from_secs(5));
        let peak = peak(client.pid())?;
        let alive = server.stats().live == 1 && server.stats().upgrades == 1;
        report.figure(
            &format!("peak resident memory under a flood of {size} B messages"),
            &format!("{peak} KiB, {}", if alive { "still connected" } else { "not connected" }),
            "under 65536 KiB, still connected",
            peak < BAR_KIB && alive,
        );
        drop(stdin);
    }
    Ok(())
}
