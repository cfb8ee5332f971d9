//! Servers that refuse, or never get to it.

use std::time::{Duration, Instant};

use perennial::practice::{Faults, Misbehave, Options, Refusal, Server};

use crate::client::{Client, at};
use crate::{Outcome, Report};

fn faulty(faults: Faults) -> std::io::Result<Server> {
    Server::start(Options { faults, ..Options::default() })
}

/// 503 with `Retry-After: 2`.
pub(crate) fn retry_after(report: &mut Report) -> Outcome {
    let refusal = Refusal::status(503).retry_after(Duration::from_secs(2)).times(3);
    let server = faulty(Faults { refuse: Some(refusal), ..Faults::default() })?;
    let client = Client::start(&server.url(), "")?;
    let mut client = client;
    client.state("open")?;
    let run = client.finish()?;
    let dials: Vec<u64> = run.all("dial").map(at).collect();
    let waits: Vec<u64> = dials.windows(2).map(|pair| pair[1] - pair[0]).collect();
    report.figure(
        "next attempts after 503 with Retry-After: 2",
        &format!("after {waits:?} ms"),
        "between 2000 and 4000 ms",
        waits.len() == 3 && waits.iter().all(|wait| (2_000..=4_000).contains(wait)),
    );
    Ok(())
}

/// 401: final.
pub(crate) fn refused(report: &mut Report) -> Outcome {
    let refuse = Some(Refusal::status(401));
    let server = faulty(Faults { refuse, ..Faults::default() })?;
    let start = Instant::now();
    let run = Client::start(&server.url(), "")?.wait()?;
    let took = start.elapsed();
    let attempts = server.stats().refused;
    report.figure(
        "401",
        &format!(
            "{attempts} attempt, {}, after {} ms, stderr: {}",
            run.status,
            took.as_millis(),
            run.stderr
        ),
        "1 attempt, exit status 3 within 1 s, the status on stderr",
        attempts == 1
            && run.status.code() == Some(3)
            && took < Duration::from_secs(1)
            && run.stderr.contains("401"),
    );
    Ok(())
}

/// A handshake that is never answered, and a close that never ends.
pub(crate) fn handshake(report: &mut Report) -> Outcome {
    let mute = Some(Misbehave::NeverAnswer);
    let server = faulty(Faults { misbehave: mute, ..Faults::default() })?;
    let arguments = "--dial-timeout 500ms --max-attempts 1";
    let run = Client::start(&server.url(), arguments)?.wait()?;
    let dialled = run.all("dial").map(at).next().unwrap_or(0);
    let given_up = run.all("closed").map(at).next().unwrap_or(u64::MAX);
    let took = given_up.saturating_sub(dialled);
    report.figure(
        "a handshake without an answer is given up",
        &format!("after {took} ms, {}", run.status),
        "at the dial timeout of 500 ms (+100), exit status 1",
        // The time begins when the client is made, at 0; its thread may tell of the dial a little later.
        given_up >= 500 && took <= 600 && run.status.code() == Some(1),
    );

    for (name, misbehave) in [
        ("a close that is answered, without the end of TCP", Misbehave::CloseWithoutFin),
        ("a close that is not answered", Misbehave::IgnoreClose),
    ] {
        let server = faulty(Faults { misbehave: Some(misbehave), ..Faults::default() })?;
        let mut client = Client::start(&server.url(), "--close-timeout 500ms")?;
        client.state("open")?;
        let start = Instant::now();
        let run = client.finish()?;
        let took = start.elapsed().as_millis();
        report.figure(
            name,
            &format!("ends after {took} ms, {}", run.status),
            "within the close timeout of 500 ms (+150), exit status 0",
            took <= 650 && run.status.success(),
        );
    }
    Ok(())
}
