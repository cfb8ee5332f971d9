//! Through cuts and outages: nothing lost, and soon back.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use perennial::practice::{App, Faults, Options, Server};

use crate::client::{Client, PATIENCE, at, percentile};
use crate::{Outcome, Report};

/// 1,000 acknowledged messages at 100/s through 50 random cuts.
pub(crate) fn measure(report: &mut Report) -> Outcome {
    let between = Duration::from_millis(100)..=Duration::from_millis(300);
    let mut kinds = true;
    let server = Server::start(Options { app: App::Silent, record: true, ..Options::default() })?;
    let mut client = Client::start(
        &server.url(),
        "--acks --base 100ms --cap 2s --stable-after 50ms --drain 20s",
    )?;
    let mut stdin = client.take_stdin()?;
    let feeder = thread::spawn(move || {
        let start = Instant::now();
        for n in 0..1_000_u32 {
            if std::io::Write::write_all(&mut stdin, format!("{n}\n").as_bytes()).is_err() {
                return;
            }
            let due = start + Duration::from_millis(10) * (n + 1);
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    });
    // Seeded steps of 100 to 300 ms, RST and FIN in turn.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..50 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let span = between.end().as_millis() as u64 - between.start().as_millis() as u64;
        thread::sleep(*between.start() + Duration::from_millis(state % (span + 1)));
        if kinds {
            server.reset_all();
        } else {
            server.fin_all();
        }
        kinds = !kinds;
    }
    feeder.join().map_err(|_| "the feeder failed")?;
    let run = client.finish()?;

    let received = server.received();
    let mut numbers: Vec<&str> = received.iter().filter_map(|m| m.text.split('"').nth(4)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    report.figure(
        "lost",
        &format!("{}", 1_000_i64 - numbers.len() as i64),
        "0",
        numbers.len() == 1_000,
    );
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    let mut disorder = 0;
    for message in &received {
        let id = message.id.unwrap_or(0);
        if last.insert(message.connection, id).is_some_and(|before| before >= id) {
            disorder += 1;
        }
    }
    report.figure("out of order within a connection", &disorder.to_string(), "0", disorder == 0);
    report.figure(
        "exit status",
        &format!("{} ({} acknowledged)", run.status, run.ledger("acknowledged").unwrap_or(0)),
        "0 (1000)",
        run.status.success() && run.ledger("acknowledged") == Some(1_000),
    );
    let mut lost_at = None;
    let mut recoveries = Vec::new();
    for state in run.all("state") {
        if state["to"] == "reconnecting" {
            lost_at = Some(at(state));
        } else if let (true, Some(lost)) = (state["to"] == "open", lost_at.take()) {
            recoveries.push(at(state) - lost);
        }
    }
    recoveries.sort_unstable();
    let p95 = percentile(&recoveries, 95);
    report.figure(
        "recovery",
        &format!(
            "median {} ms, p95 {p95} ms, worst {} ms in {} outages",
            percentile(&recoveries, 50),
            percentile(&recoveries, 100),
            recoveries.len()
        ),
        "p95 ≤ 500 ms",
        p95 <= 500 && recoveries.len() >= 40,
    );
    Ok(())
}

/// The server is down for 8 s.
pub(crate) fn outage(report: &mut Report) -> Outcome {
    let server = Server::start(Options::default())?;
    let arguments = "--stay --base 100ms --cap 2s --jitter equal";
    let mut client = Client::start(&server.url(), arguments)?;
    client.state("open")?;
    server.pause_listening();
    server.reset_all();
    client.state("reconnecting")?;
    thread::sleep(Duration::from_secs(8));
    server.resume_listening()?;
    let back = Instant::now();
    let open = client.state("open")?;
    server.set_faults(Faults::default());
    let run = client_end(client, &server)?;
    // The first dial made the connection that was lost.
    let dials: Vec<u64> = run.all("dial").skip(1).map(at).collect();
    let busiest = dials
        .iter()
        .map(|start| dials.iter().filter(|at| (*start..start + 1_000).contains(*at)).count())
        .max()
        .unwrap_or(0);
    report.figure("attempts", &dials.len().to_string(), "4 to 15", (4..=15).contains(&dials.len()));
    report.figure("attempts in one second", &busiest.to_string(), "at most 5", busiest <= 5);
    let late = open.saturating_duration_since(back);
    report.figure(
        "reconnected after",
        &format!("{} ms", late.as_millis()),
        "at most 2500 ms",
        late <= Duration::from_millis(2_500),
    );
    Ok(())
}

/// Ends a run that stays by closing for good.
fn client_end(
    client: Client,
    server: &Server,
) -> Result<crate::client::Run, Box<dyn std::error::Error>> {
    server.close_all(1008, "done");
    let deadline = Instant::now() + PATIENCE;
    let run = client.wait()?;
    if Instant::now() > deadline { Err("the run did not end".into()) } else { Ok(run) }
}
