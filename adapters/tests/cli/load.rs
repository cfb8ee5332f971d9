//! Many messages, bad days and slow readers.

use std::collections::BTreeSet;
use std::time::Duration;

use perennial::practice::{Faults, Options, Server};

use crate::process::{Running, run};

#[test]
fn nothing_is_lost_in_a_storm_of_resets() {
    let faults = Faults {
        drop_every: Some((Duration::from_millis(20)..=Duration::from_millis(120)).into()),
        lose_acks: 0.1,
        duplicate: 0.1,
        ..Faults::default()
    };
    let options = Options { faults, seed: 7, dedupe: true, ..Options::default() };
    let server = Server::start(options).unwrap();
    let url = server.url();
    let lines: String = (1..=3000).map(|n| format!("{{\"id\":{n},\"x\":\"{n}\"}}\n")).collect();
    let options = ["--acks", "--ack-timeout", "100ms", "--base", "1ms", "--cap", "20ms"];
    let arguments: Vec<&str> =
        ["connect", &url, "--events", "--drain", "50s"].into_iter().chain(options).collect();
    let finished = run(&arguments, lines);
    assert_eq!(finished.status, 0, "{}", finished.stderr);
    let ledger = finished.ledger();
    assert_eq!(ledger["acknowledged"], 3000);
    assert_eq!(server.stats().distinct_ids, 3000);
    assert!(ledger["reconnects"].as_u64().unwrap() > 0, "{ledger}");
    // Nothing is delivered twice.
    let texts = finished.texts();
    assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), texts.len());
}

#[test]
fn a_pipe_much_longer_than_the_queue_passes() {
    let server = Server::start(Options::default()).unwrap();
    let lines: Vec<String> = (0..20_000).map(|n| format!("line {n}")).collect();
    let finished = run(&["connect", &server.url(), "--queue", "16"], lines.join("\n"));
    assert_eq!(finished.status, 0, "{}", finished.stderr);
    assert!(finished.stdout == lines, "{} lines came back", finished.stdout.len());
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_does_not_read_holds_the_server_back() {
    let server = Server::start(Options::default()).unwrap();
    let mut running = hold_stdout(&["connect", &server.url(), "--stay", "--max-message", "1MiB"]);
    assert!(server.wait(crate::process::LIMIT, |stats| stats.upgrades == 1));
    let text = "x".repeat(512 << 10);
    for _ in 0..96 {
        server.send_all(&text);
    }
    // 48 MiB wait; what this side and the kernel hold of them is bounded, and grows no more.
    let mut before = server.stats().bytes_out;
    loop {
        std::thread::sleep(Duration::from_millis(300));
        let now = server.stats().bytes_out;
        if now == before && now > 0 {
            break;
        }
        before = now;
    }
    assert!(before < 40 << 20, "{before} bytes were taken");
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    let resident: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap()
        .parse()
        .unwrap();
    assert!(resident < 64 << 10, "{resident} KiB are resident");
    running.kill().unwrap();
    running.wait().unwrap();
}

/// A run whose stdout nobody reads.
#[cfg(target_os = "linux")]
fn hold_stdout(arguments: &[&str]) -> std::process::Child {
    use std::process::Stdio;
    crate::process::command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn the_deadline_holds_with_a_blocked_stdout() {
    let server = Server::start(Options::default()).unwrap();
    let mut child = hold_stdout(&["connect", &server.url(), "--stay", "--deadline", "1s"]);
    assert!(server.wait(crate::process::LIMIT, |stats| stats.upgrades == 1));
    server.send_all(&"x".repeat(1 << 20));
    let started = std::time::Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > crate::process::LIMIT {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(status.code(), Some(4));
}

#[test]
fn a_half_open_link_is_found_and_replaced() {
    let server = Server::start(Options::default()).unwrap();
    let url = server.url();
    let options = ["--heartbeat", "50ms", "--dead-after", "100ms", "--base", "1ms"];
    let arguments: Vec<&str> =
        ["connect", &url, "--events", "--stay"].into_iter().chain(options).collect();
    let mut running = Running::start(&arguments);
    let pong = running.event("pong");
    assert!(pong["rtt_ms"].as_f64().unwrap() > 0.0, "{pong}");
    server.freeze_live();
    let dead = running.event("dead");
    assert_eq!(dead["why"], "pong");
    assert!(dead["silence_ms"].as_u64().unwrap() >= 100, "{dead}");
    running.state("open");
    running.say("again\n");
    assert_eq!(running.event("message")["text"], "again");
    running.end_stdin();
    server.close_all(1008, "");
    let ledger = running.finish().ledger();
    assert_eq!(ledger["reconnects"], 1);
    assert!(ledger["outage_ms"].is_u64() && ledger["rtt_ms"].is_number(), "{ledger}");
}

#[test]
fn a_flood_of_acks_that_nobody_awaits_does_not_fill_the_log() {
    let server = Server::start(Options::default()).unwrap();
    let running = Running::start(&["connect", &server.url(), "--acks", "--stay", "--count", "1"]);
    assert!(server.wait(crate::process::LIMIT, |stats| stats.upgrades == 1));
    for id in 0..500 {
        server.send_all(&format!("{{\"ack\":{id}}}"));
    }
    server.send_all("the last");
    let finished = running.finish();
    assert_eq!(finished.status, 0, "{}", finished.stderr);
    assert_eq!(finished.stdout, ["the last"]);
    let lines = finished.stderr.lines().filter(|line| line.contains("was ignored")).count();
    assert_eq!(lines, 10, "{}", finished.stderr);
    assert!(finished.stderr.contains("500 acks or messages were not"), "{}", finished.stderr);
}
