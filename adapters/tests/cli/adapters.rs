//! The same runs on every adapter.

use perennial::practice::{Options, Server};
use serde_json::Value;

use crate::process::{ADAPTERS, Finished, run};

/// What a run told, without what differs from run to run: times, and which server it was.
fn told(finished: &Finished) -> Vec<Value> {
    let keep = ["event", "to", "from", "reason", "text", "by", "code", "clean", "attempt"];
    finished
        .stdout
        .iter()
        .map(|line| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            event.as_object_mut().unwrap().retain(|name, _| keep.contains(&name.as_str()));
            event
        })
        // When a round trip was measured, and when a write got through, is up to the machine.
        .filter(|event| event["event"] != "rtt" && event["event"] != "flushed")
        .collect()
}

#[test]
fn a_run_tells_the_same_on_every_adapter() {
    let server = Server::start(Options::default()).unwrap();
    let [blocking, others @ ..] = ADAPTERS.map(|adapter| {
        let arguments =
            ["connect", &server.url(), "--adapter", adapter, "--events", "--count", "2"];
        let finished = run(&arguments, "one\ntwo\n");
        assert_eq!(finished.status, 0, "{adapter}: {finished:?}");
        assert_eq!(finished.texts(), ["one", "two"], "{adapter}");
        told(&finished)
    });
    for (other, adapter) in others.iter().zip(&ADAPTERS[1..]) {
        assert_eq!(other, &blocking, "{adapter}");
    }
}

#[test]
fn every_exit_status_is_the_same_on_every_adapter() {
    let place = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("ws://{}/", place.local_addr().unwrap());
    drop(place);
    let server = Server::start(Options::default()).unwrap();
    for adapter in ADAPTERS {
        let status = |more: &[&str], input: &str| {
            let arguments = [&["connect", "--adapter", adapter], more].concat();
            run(&arguments, input).status
        };
        assert_eq!(status(&[&server.url(), "--acks"], "{}\n"), 0, "{adapter}");
        assert_eq!(
            status(&[&nobody, "--max-attempts", "2", "--base", "1ms"], "x\n"),
            1,
            "{adapter}"
        );
        assert_eq!(status(&["http://h/"], ""), 2, "{adapter}");
        assert_eq!(status(&[&server.url(), "--stay", "--deadline", "200ms"], ""), 4, "{adapter}");
        // A connection that never opens is waited for as long as a drain may take.
        assert_eq!(status(&[&nobody, "--drain", "100ms", "--base", "10s"], "x\n"), 1, "{adapter}");
    }
}

#[test]
fn a_small_queue_holds_up_stdin_on_every_adapter() {
    let server = Server::start(Options { record: true, ..Options::default() }).unwrap();
    let lines: String = (0..5_000).map(|number| format!("{number}\n")).collect();
    for adapter in ADAPTERS {
        let before = server.received().len();
        for overflow in ["wait", "reject"] {
            let arguments = [
                "connect",
                &server.url(),
                "--adapter",
                adapter,
                "--queue",
                "8",
                "--overflow",
                overflow,
            ];
            let finished = run(&arguments, lines.as_str());
            assert!(finished.status <= 1, "{adapter}: {finished:?}");
            if overflow == "wait" {
                assert_eq!(finished.status, 0, "{adapter}: {finished:?}");
                assert_eq!(server.received().len() - before, 5_000, "{adapter}");
            }
        }
    }
}
