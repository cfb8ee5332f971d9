//! The pipe: lines, messages, events, and the end of stdin.

use perennial::practice::{App, Options, Server};

use crate::process::{Running, command, run};

fn echo() -> Server {
    Server::start(Options::default()).unwrap()
}

#[test]
fn lines_come_back() {
    let server = echo();
    let finished = run(&["connect", &server.url()], "a\n\n  b \r\nlast");
    assert_eq!(finished.status, 0, "{finished:?}");
    assert_eq!(finished.stdout, ["a", "", "  b ", "last"]);
    assert_eq!(finished.stderr, "");
}

#[test]
fn events_tell_all() {
    let server = echo();
    let finished = run(&["connect", &server.url(), "--events"], "{\"x\":1}\nb\n");
    assert_eq!(finished.status, 0, "{finished:?}");
    assert_eq!(finished.texts(), ["{\"x\":1}", "b"]);
    let ledger = finished.ledger();
    assert_eq!((ledger["flushed"].as_u64(), ledger["attempts"].as_u64()), (Some(2), Some(1)));
    let states: Vec<String> = finished
        .named("state")
        .iter()
        .map(|state| state["to"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(states, ["open", "closed"]);
    let closed = &finished.named("closed")[0];
    assert_eq!((closed["by"].as_str(), closed["code"].as_u64()), (Some("application"), Some(1000)));
    assert!(closed["reason"].is_string());
}

#[test]
fn acks_keep_ids_and_give_others() {
    let server = Server::start(Options { record: true, ..Options::default() }).unwrap();
    let lines = "{\"id\":10,\"x\":1}\nplain\n{\"y\":2}\n";
    let finished = run(&["connect", &server.url(), "--acks", "--events"], lines);
    assert_eq!(finished.status, 0, "{finished:?}");
    let ledger = finished.ledger();
    assert_eq!(ledger["acknowledged"], 3);
    assert_eq!(ledger["flushed"], 0);
    let sent: Vec<String> = server.received().iter().map(|message| message.text.clone()).collect();
    assert_eq!(sent[0], "{\"id\":10,\"x\":1}");
    let second: serde_json::Value = serde_json::from_str(&sent[1]).unwrap();
    assert_eq!(second["data"], "plain");
    assert!(second["id"].is_u64() && second["timestamp"].as_u64().unwrap() > 1_600_000_000_000);
    let third: serde_json::Value = serde_json::from_str(&sent[2]).unwrap();
    assert_eq!(third["data"]["y"], 2);
    // The echo's text is the frame's, and it has an id.
    assert_eq!(finished.texts(), sent);
    assert_eq!(finished.named("message")[0]["id"], 10);
    assert_eq!(finished.named("acknowledged")[0]["id"], 10);
}

#[test]
fn duplicates_are_dropped() {
    let server = echo();
    let url = server.url();
    let mut running = Running::start(&["connect", &url, "--dedupe", "8", "--events", "--stay"]);
    running.state("open");
    for text in ["{\"id\":1}", "{\"id\":2}", "{\"id\":1}"] {
        server.send_all(text);
    }
    assert_eq!(running.event("duplicate")["id"], 1);
    server.send_all("end");
    assert_eq!(running.event("message")["text"], "end");
    #[cfg(unix)]
    running.signal("TERM");
    #[cfg(not(unix))]
    server.close_all(1008, "");
    let finished = running.finish();
    assert_eq!(finished.texts(), ["{\"id\":1}", "{\"id\":2}", "end"]);
    assert_eq!(finished.ledger()["duplicates"], 1);
}

#[test]
fn binary_messages_are_bytes_or_base64() {
    for (events, expected) in [(false, "\u{fffd}x"), (true, "base64\":\"/3g=\"")] {
        let server = echo();
        let url = server.url();
        let mut arguments = vec!["connect", &url, "--stay", "--count", "1"];
        if events {
            arguments.push("--events");
        }
        let running = Running::start(&arguments);
        assert!(server.wait(crate::process::LIMIT, |stats| stats.upgrades == 1));
        server.send_all_binary(vec![0xff, b'x']);
        let finished = running.finish();
        assert_eq!(finished.status, 0, "{finished:?}");
        assert!(finished.stdout.iter().any(|line| line.contains(expected)), "{finished:?}");
    }
}

#[test]
fn what_cannot_be_a_message_is_rejected() {
    let server = echo();
    let url = server.url();
    let mut input = b"ok\n\xff\xfe\n".to_vec();
    input.extend(vec![b'x'; 2 << 20]);
    input.extend(b"\nlast\n");
    for overflow in ["wait", "reject"] {
        let arguments = ["connect", &url, "--events", "--overflow", overflow];
        let finished = run(&arguments, input.clone());
        assert_eq!(finished.status, 0, "{finished:?}");
        assert_eq!(finished.texts(), ["ok", "last"]);
        let rejected = finished.named("rejected");
        assert_eq!(rejected.len(), 2);
        assert!(rejected.iter().all(|event| event.get("seq").is_none()));
        assert!(rejected[0]["reason"].as_str().unwrap().contains("UTF-8"));
        let reason = rejected[1]["reason"].as_str().unwrap();
        assert!(reason.contains("too large") && reason.contains("2097152"), "{reason}");
        finished.ledger();
        assert!(finished.stderr.contains("too large"), "{finished:?}");
    }
    let finished = run(&["connect", &url], &b"\xff\n"[..]);
    assert!(finished.stderr.contains("1 line was rejected"), "{finished:?}");
    // A larger queue takes it.
    let finished = run(&["connect", &url, "--queue-bytes", "4MiB"], input);
    assert_eq!(finished.status, 0, "{:?}", finished.stderr);
    assert_eq!(finished.stdout[1].len(), 2 << 20);
}

#[test]
fn a_full_queue_rejects_if_asked_to() {
    let server = echo();
    // Nobody answers, so nothing leaves the queue.
    server.pause_listening();
    let lines: String = (0..10).map(|n| format!("{{\"id\":{n}}}\n")).collect();
    let url = server.url();
    let options = ["--events", "--overflow", "reject", "--queue", "4", "--drain", "100ms"];
    let arguments: Vec<&str> =
        ["connect", &url, "--dedupe", "9"].into_iter().chain(options).collect();
    let finished = run(&arguments, lines);
    assert_eq!(finished.status, 1, "{finished:?}");
    let ledger = finished.ledger();
    assert_eq!((ledger["dropped"].as_u64(), ledger["rejected"].as_u64()), (Some(4), Some(6)));
    assert_eq!(finished.named("rejected")[0]["id"], 4);
}

#[test]
fn count_ends_the_run() {
    let server = Server::start(Options { app: App::Ticker, ..Options::default() }).unwrap();
    let url = server.url();
    let mut running = Running::start(&["connect", &url, "--count", "3"]);
    running.say("{\"type\":\"subscribe\",\"symbols\":[\"A\"]}\n");
    let finished = running.finish();
    assert_eq!(finished.status, 0, "{finished:?}");
    assert_eq!(finished.stdout.len(), 3);
}

#[test]
fn stay_outlives_stdin() {
    let server = echo();
    let mut running = Running::start(&["connect", &server.url(), "--stay"]);
    running.say("one\n");
    running.end_stdin();
    assert_eq!(running.line(), "one");
    server.send_all("two");
    assert_eq!(running.line(), "two");
    server.close_all(1008, "enough");
    assert_eq!(running.finish().status, 3);
}

#[test]
fn quiet_is_quiet_and_verbose_is_not() {
    let server = echo();
    server.pause_listening();
    let url = server.url();
    let base = ["connect", &url, "--max-attempts", "2", "--base", "1ms"];
    let with = |flag: &'static str| run(&[&base[..], &[flag]].concat(), "");
    assert_eq!(with("--quiet").stderr, "");
    assert!(with("--fail-fast").stderr.contains("perennial: "));
    let usual = run(&base, "");
    assert!(usual.stderr.contains("next attempt in"), "{usual:?}");
    let [once, twice] = ["-v", "-vv"].map(|flag| with(flag).stderr);
    assert!(once.contains("INFO") && !once.contains("DEBUG"), "{once}");
    assert!(twice.contains("INFO") && twice.contains("DEBUG"), "{twice}");
}

#[test]
fn secrets_stay_out_of_everything() {
    let server = echo();
    let (_, address) =
        server.url().split_once("//").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let url = format!("ws://user:s3cr3t@{address}/?token=s3cr3t");
    server.pause_listening();
    let mut command = command(&["connect", &url, "--events", "-vv", "--max-attempts", "2"]);
    command.args(["--base", "1ms", "--bearer-env", "TOKEN", "--header", "X-Key: s3cr3t"]);
    let mut running = Running::spawn(command.env("TOKEN", "s3cr3t"));
    running.end_stdin();
    let finished = running.finish();
    assert_eq!(finished.status, 1, "{finished:?}");
    assert!(!format!("{finished:?}").contains("s3cr3t"), "{finished:?}");
}
