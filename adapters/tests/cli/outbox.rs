//! What becomes of messages that cannot be sent at once.

use perennial::practice::{Options, Server};

use crate::process::{Finished, Running, run};

/// A server that refuses connections, as the operating system does.
fn down() -> Server {
    let server = Server::start(Options::default()).unwrap();
    server.pause_listening();
    server
}

fn lines(count: usize) -> String {
    (0..count).map(|n| format!("{n}\n")).collect()
}

fn told(options: &[&str], count: usize) -> Finished {
    let server = down();
    let url = server.url();
    let finished = run(&[&["connect", &url, "--events"], options].concat(), lines(count));
    assert_eq!(finished.status, 1, "{finished:?}");
    finished
}

#[test]
fn volatile_messages_are_dropped_while_down() {
    let finished = told(&["--class", "volatile", "--drain", "50ms"], 3);
    let ledger = finished.ledger();
    assert_eq!((ledger["accepted"].as_u64(), ledger["dropped"].as_u64()), (Some(3), Some(3)));
    assert_eq!(ledger["rejected"], 0);
    assert!(finished.stderr.contains("3 of 3"), "{}", finished.stderr);
}

#[test]
fn old_messages_expire() {
    let finished = told(&["--ttl", "20ms", "--drain", "500ms"], 3);
    assert_eq!(finished.ledger()["expired"], 3);
    assert!(finished.stderr.contains("3 expired"), "{}", finished.stderr);
}

#[test]
fn a_full_queue_drops_and_rejects_nothing_if_asked_to() {
    for (overflow, reason) in [("drop-oldest", "oldest"), ("drop-newest", "full")] {
        // More than is held of what is not printed yet.
        let options = ["--overflow", overflow, "--queue", "8", "--drain", "50ms"];
        let finished = told(&options, 5000);
        let ledger = finished.ledger();
        assert_eq!(ledger["accepted"], 5000, "{ledger}");
        assert_eq!(
            (ledger["dropped"].as_u64(), ledger["rejected"].as_u64()),
            (Some(5000), Some(0))
        );
        let first = &finished.named("dropped")[0];
        assert!(first["reason"].as_str().unwrap().contains(reason), "{first}");
        assert_eq!(first["seq"], if overflow == "drop-oldest" { 1 } else { 9 });
    }
}

#[test]
fn stdin_waits_while_the_queue_is_full() {
    let server = down();
    let url = server.url();
    let options = ["--queue", "8", "--base", "1ms", "--cap", "20ms"];
    let arguments = [&["connect", &url, "--events"], &options[..]].concat();
    let mut running = Running::start(&arguments);
    running.say_all(lines(3000).into_bytes());
    // It tries again and again, and takes no more than it may.
    for _ in 0..3 {
        running.event("retry");
    }
    server.resume_listening().unwrap();
    let finished = running.finish();
    assert_eq!(finished.status, 0, "{}", finished.stderr);
    assert_eq!(finished.ledger()["flushed"], 3000);
    let texts = finished.texts();
    assert!(texts.iter().enumerate().all(|(n, text)| *text == n.to_string()), "out of order");
}

#[test]
fn people_are_told_of_the_rejected_lines_that_the_ledger_counts() {
    let server = down();
    let url = server.url();
    // The end comes while a line waits for room.
    for _ in 0..5 {
        let options = ["--queue", "1", "--base", "1ms", "--deadline", "60ms"];
        let arguments = [&["connect", &url, "--events"], &options[..]].concat();
        let finished = run(&arguments, lines(50));
        assert_eq!(finished.status, 4, "{finished:?}");
        let told = finished.stderr.matches("a line was rejected").count() as u64;
        assert_eq!(finished.ledger()["rejected"], told, "{finished:?}");
    }
}

#[test]
fn queued_messages_outlive_an_outage() {
    let server = Server::start(Options::default()).unwrap();
    let url = server.url();
    let mut running = Running::start(&["connect", &url, "--events", "--base", "1ms"]);
    running.state("open");
    server.pause_listening();
    server.reset_all();
    running.state("reconnecting");
    running.say("kept\n");
    running.end_stdin();
    running.event("retry");
    server.resume_listening().unwrap();
    let finished = running.finish();
    assert_eq!(finished.status, 0, "{finished:?}");
    assert_eq!(finished.texts(), ["kept"]);
    assert_eq!(finished.ledger()["reconnects"], 1);
}
