//! How runs end: exit statuses, deadlines, signals, broken pipes.

use std::time::{Duration, Instant};

use perennial::practice::{Faults, Misbehave, Options, Refusal, Server};

use crate::process::{LIMIT, Running, run};

fn with(faults: Faults) -> Server {
    Server::start(Options { faults, ..Options::default() }).unwrap()
}

#[test]
fn a_401_is_final_at_once() {
    let server = with(Faults { refuse: Some(Refusal::status(401)), ..Faults::default() });
    let finished = run(&["connect", &server.url(), "--events"], "x\n");
    assert_eq!(finished.status, 3, "{finished:?}");
    assert!(finished.stderr.contains("401"), "{finished:?}");
    assert!(finished.took < Duration::from_secs(1) * 10, "{finished:?}");
    assert_eq!(finished.named("dial").len(), 1);
    assert_eq!(finished.named("closed")[0]["by"], "server");
    finished.ledger();
    // With nothing to send it is dialled all the same.
    let finished = run(&["connect", &server.url()], "");
    assert_eq!(finished.status, 3, "{finished:?}");
}

#[test]
fn a_503_is_retried_after_the_advice() {
    let refusal = Refusal::status(503).retry_after(Duration::from_secs(1)).times(1);
    let server = with(Faults { refuse: Some(refusal), ..Faults::default() });
    let arguments = ["connect", &server.url(), "--events", "--base", "1ms", "--cap", "10ms"];
    let finished = run(&arguments, "x\n");
    assert_eq!(finished.status, 0, "{finished:?}");
    let retry = &finished.named("retry")[0];
    assert_eq!(retry["advice"], "retry-after");
    assert!(retry["delay_ms"].as_u64().unwrap() >= 1000, "{retry}");
    assert!(retry["reason"].as_str().unwrap().contains("503"));
    assert!(finished.stderr.contains("next attempt in 1"), "{finished:?}");
    assert!(finished.stderr.contains("perennial: connected\n"), "{finished:?}");
    assert_eq!(finished.ledger()["attempts"], 2);
}

#[test]
fn final_close_codes_and_violations_are_refusals() {
    for code in [1008, 1002] {
        let server = with(Faults::default());
        let mut running = Running::start(&["connect", &server.url(), "--stay", "--events"]);
        running.state("open");
        server.close_all(code, "no");
        let finished = running.finish();
        assert_eq!(finished.status, 3, "{finished:?}");
        let said = format!("the server closed with code {code}: no: not trying again");
        assert!(finished.stderr.contains(&said), "{finished:?}");
        let closed = &finished.named("closed")[0];
        assert_eq!(
            (closed["by"].as_str(), closed["code"].as_u64()),
            (Some("server"), Some(code.into()))
        );
        finished.ledger();
    }
    // A masked frame, which a server must not send.
    let server = with(Faults::default());
    let mut running = Running::start(&["connect", &server.url(), "--stay", "--events"]);
    running.state("open");
    server.send_all_raw(&[0x81, 0x81, 1, 2, 3, 4, 5]);
    let finished = running.finish();
    assert_eq!(finished.status, 3, "{finished:?}");
    assert_eq!(finished.named("closed")[0]["code"], 1002);
    assert!(finished.stderr.contains("1002"), "{finished:?}");
    // A message past --max-message.
    for (most, sent) in [("200", 300), ("9", 10)] {
        let arguments = ["connect", &server.url(), "--events", "--max-message", most, "--stay"];
        let finished = run(&arguments, "x".repeat(sent));
        assert_eq!(finished.status, 3, "{finished:?}");
        assert_eq!(finished.named("closed")[0]["code"], 1009);
    }
}

#[test]
fn giving_up_says_how_much_is_unsent() {
    let server = with(Faults::default());
    server.pause_listening();
    let url = server.url();
    let options = ["--max-attempts", "3", "--base", "200ms", "--jitter", "none"];
    let finished = run(&[&["connect", &url, "--events"], &options[..]].concat(), "a\nb\n");
    assert_eq!(finished.status, 1, "{finished:?}");
    assert!(finished.stderr.contains("2 of 2") && finished.stderr.contains("gave up"));
    let ledger = finished.ledger();
    assert_eq!((ledger["attempts"].as_u64(), ledger["dropped"].as_u64()), (Some(3), Some(2)));
    assert_eq!(finished.named("closed")[0]["by"], "policy");
    let retries: Vec<_> = finished.named("retry").iter().map(|r| r["attempt"].clone()).collect();
    assert_eq!(retries, [2, 3]);

    let finished = run(&["connect", &server.url(), "--events", "--fail-fast"], "a\n");
    assert_eq!(finished.status, 1, "{finished:?}");
    assert_eq!(finished.ledger()["attempts"], 1);

    let arguments = ["connect", &server.url(), "--max-outage", "50ms", "--base", "1ms"];
    let finished = run(&arguments, "");
    assert_eq!(finished.status, 1);
    let said = "the outage lasted too long; the last failure: the connection failed";
    assert!(finished.stderr.contains(said), "{finished:?}");
    // Never open, nothing to send: that is no success either.
    let finished = run(&["connect", &server.url(), "--drain", "50ms"], "");
    assert_eq!(finished.status, 1, "{finished:?}");
    assert!(finished.stderr.contains("never open"), "{finished:?}");
}

#[test]
fn what_breaks_the_handshake_is_retried() {
    for misbehave in [
        Misbehave::BadAccept,
        Misbehave::UnaskedExtension,
        Misbehave::HalfHandshake,
        Misbehave::ResetOnAccept,
        Misbehave::Garbage(b"SSH-2.0-x\r\n".to_vec()),
    ] {
        let server = with(Faults { misbehave: Some(misbehave.clone()), ..Faults::default() });
        let arguments =
            ["connect", &server.url(), "--events", "--max-attempts", "2", "--base", "1ms"];
        let finished = run(&arguments, "");
        assert_eq!(finished.status, 1, "{misbehave:?}: {finished:?}");
        assert_eq!(finished.ledger()["attempts"], 2, "{misbehave:?}");
    }
}

#[test]
fn the_deadline_ends_everything() {
    let server = with(Faults::default());
    let arguments = ["connect", &server.url(), "--events", "--stay", "--deadline", "300ms"];
    let finished = run(&arguments, "a\n");
    assert_eq!(finished.status, 4, "{finished:?}");
    assert!(finished.stderr.contains("--deadline"), "{finished:?}");
    assert_eq!(finished.ledger()["flushed"], 1);
    // In the middle of a dial, with fail-fast and without.
    let server = with(Faults { misbehave: Some(Misbehave::NeverAnswer), ..Faults::default() });
    for more in [&[][..], &["--fail-fast"]] {
        let url = server.url();
        let arguments = [&["connect", &url, "--events", "--deadline", "100ms"], more].concat();
        let finished = run(&arguments, "a\n");
        assert_eq!(finished.status, 4, "{finished:?}");
        assert_eq!(finished.ledger()["dropped"], 1);
    }
}

#[cfg(unix)]
#[test]
fn a_signal_drains_and_closes() {
    for signal in ["INT", "TERM"] {
        let server = with(Faults::default());
        let mut running = Running::start(&["connect", &server.url(), "--events"]);
        running.say("a\n");
        running.event("message");
        running.signal(signal);
        let finished = running.finish();
        assert_eq!(finished.status, 0, "{finished:?}");
        assert_eq!(finished.named("closed")[0]["code"], 1000);
        assert_eq!(finished.ledger()["flushed"], 1);
    }
}

#[cfg(unix)]
#[test]
fn a_second_signal_stops_at_once() {
    let server = with(Faults::default());
    let mut running =
        Running::start(&["connect", &server.url(), "--events", "--acks", "--drain", "1h"]);
    running.state("open");
    server.freeze_live();
    let handshake = server.stats().bytes_in;
    running.say("a\n");
    // Handed over, never acknowledged: the drain waits.
    assert!(server.wait(LIMIT, |stats| stats.bytes_in > handshake));
    running.signal("INT");
    std::thread::sleep(Duration::from_millis(100));
    running.signal("INT");
    let finished = running.finish();
    assert_eq!(finished.status, 1, "{finished:?}");
    assert_eq!(finished.ledger()["accepted"], 1);
}

#[test]
fn a_closed_stdout_ends_the_run() {
    use std::process::Stdio;
    let server = with(Faults::default());
    for events in [false, true] {
        let url = server.url();
        let mut command = crate::process::command(&["connect", &url, "--stay"]);
        if events {
            command.arg("--events");
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        use std::io::Write as _;
        child.stdin.as_mut().unwrap().write_all(b"a\nb\n").unwrap();
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > LIMIT {
                child.kill().unwrap();
                panic!("it does not end");
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        use std::io::Read as _;
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(status.code(), Some(0), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[cfg(unix)]
#[test]
fn a_stdin_that_cannot_be_read_is_no_success() {
    let server = with(Faults::default());
    let mut command = crate::process::command(&["connect", &server.url(), "--deadline", "20s"]);
    // A directory can be opened, and not be read.
    command.stdin(std::fs::File::open(std::env::temp_dir()).unwrap());
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("stdin cannot be read"), "{stderr}");
}

#[test]
fn an_end_in_an_outage_says_that_it_waits_and_what_would_have_helped() {
    let server = with(Faults::default());
    for by_signal in [false, cfg!(unix)] {
        let url = server.url();
        // As after a restart, the next attempt comes later than draining may take.
        let options = ["--base", "60s", "--cap", "1m", "--jitter", "none", "--drain", "300ms"];
        let arguments = [&["connect", &url, "--events", "--acks"], &options[..]].concat();
        let mut running = Running::start(&arguments);
        running.state("open");
        server.freeze_live();
        let handshake = server.stats().bytes_in;
        running.say("a\n");
        assert!(server.wait(LIMIT, |stats| stats.bytes_in > handshake));
        server.reset_all();
        running.event("retry");
        #[cfg(unix)]
        if by_signal {
            running.signal("INT");
        }
        if !by_signal {
            running.end_stdin();
        }
        let finished = running.finish();
        assert_eq!(finished.status, 1, "{finished:?}");
        for said in [
            "waiting for the connection to send 1 message, as long as --drain allows (300ms)",
            "--drain passed before the connection was open again: raise --drain",
        ] {
            assert_eq!(finished.stderr.matches(said).count(), 1, "{finished:?}");
        }
    }
}

#[test]
fn an_outage_while_draining_says_that_it_waits() {
    let server = with(Faults::default());
    let url = server.url();
    let options = ["--acks", "--base", "60s", "--cap", "1m", "--jitter", "none", "--drain", "2s"];
    let mut running = Running::start(&[&["connect", &url, "--events"], &options[..]].concat());
    running.state("open");
    server.freeze_live();
    let handshake = server.stats().bytes_in;
    running.say("a\n");
    running.end_stdin();
    // Handed over, never acknowledged: the drain waits.
    assert!(server.wait(LIMIT, |stats| stats.bytes_in > handshake));
    std::thread::sleep(Duration::from_millis(100));
    server.reset_all();
    let finished = running.finish();
    assert_eq!(finished.status, 1, "{finished:?}");
    // On a machine that stood still for long, draining was over before.
    let waits = finished.stderr.contains("waiting for the connection to send 1");
    assert!(waits || finished.named("retry").is_empty(), "{finished:?}");
    assert!(finished.stderr.contains("raise --drain"), "{finished:?}");
}

#[test]
fn drain_bounds_the_end() {
    let server = with(Faults::default());
    let mut running =
        Running::start(&["connect", &server.url(), "--events", "--acks", "--drain", "100ms"]);
    running.state("open");
    server.freeze_live();
    running.say("a\n");
    running.end_stdin();
    // The frozen server does not answer the close either.
    let finished = running.finish();
    assert_eq!(finished.status, 1, "{finished:?}");
    assert_eq!(finished.ledger()["uncertain"], 1);
    assert!(finished.stderr.contains("1 uncertain"), "{finished:?}");
    assert!(finished.stderr.contains("raise --drain"), "{finished:?}");
}
