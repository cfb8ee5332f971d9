//! `connect --record`, `replay` and `explain`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use perennial::practice::{App, Faults, Options, Server, Span};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{ADAPTERS, Finished, Running, run};

const SECRET: &str = "hunter2";

fn path(folder: &TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Records a run through resets, with a secret wherever one can be. Returns the trace.
fn record(file: &Path, adapter: &str) -> String {
    let drop_every = Some(Span::from(Duration::from_millis(150)));
    let faults = Faults { drop_every, lose_acks: 0.2, ..Faults::default() };
    let server = Server::start(Options { faults, seed: 7, ..Options::default() }).unwrap();
    let url = server.url().replace("ws://", "ws://user:hunter2@") + "?token=hunter2";
    let header = format!("X-Token: {SECRET}");
    let mut run = Running::start(&[
        "connect",
        &url,
        "--header",
        &header,
        "--adapter",
        adapter,
        "--acks",
        "--base",
        "10ms",
        "--ack-timeout",
        "100ms",
        "--heartbeat",
        "50ms",
        "--record",
        text(file),
    ]);
    for n in 0..12 {
        run.say(format!("{SECRET} {n}\n{{\"{SECRET}\":\"{SECRET}\"}}\n"));
        // So that some of them meet an outage.
        std::thread::sleep(Duration::from_millis(40));
    }
    run.end_stdin();
    let finished = run.finish();
    assert_eq!(finished.status, 0, "{adapter}: {finished:?}");
    assert!(finished.stdout.len() >= 24, "{adapter}: {finished:?}");
    std::fs::read_to_string(file).unwrap()
}

fn replay(file: &Path, more: &[&str]) -> Finished {
    run(&[&["replay", text(file)], more].concat(), "")
}

#[test]
fn a_recorded_run_is_replayed_on_every_adapter_and_says_no_secret() {
    let folder = TempDir::new().unwrap();
    for adapter in ADAPTERS {
        let file = path(&folder, adapter);
        let trace = record(&file, adapter);
        assert!(!trace.contains(SECRET), "{adapter}: {trace}");
        let lines: Vec<Value> =
            trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (header, events) = lines.split_first().unwrap();
        for field in ["version", "config", "dialect", "seed", "wall_clock_origin_ms"] {
            assert!(!header[field].is_null(), "{field}");
        }
        let actions: usize = events.iter().map(|e| e["actions"].as_array().unwrap().len()).sum();
        let closed = |event: &Value| event["actions"].to_string().contains(r#""closed":"#);
        assert!(events.iter().any(closed), "the end is in it: {trace}");

        let finished = replay(&file, &[]);
        assert_eq!(finished.status, 0, "{adapter}: {finished:?}");
        let expected = format!("identical: {} events, {actions} actions", events.len());
        assert_eq!(finished.stdout, [expected], "{adapter}");
        assert!(finished.stderr.is_empty(), "{adapter}: {finished:?}");

        let svg = path(&folder, "run.svg");
        let finished = run(&["explain", text(&file), "--svg", text(&svg)], "");
        assert_eq!(finished.status, 0, "{adapter}: {finished:?}");
        let told = finished.stdout.join("\n");
        for word in
            ["attempt 1", "open after", "reconnecting", "outage of", "pongs", "queue", "closed"]
        {
            assert!(told.contains(word), "{adapter} tells of no {word}: {told}");
        }
        let svg = std::fs::read_to_string(&svg).unwrap();
        well_formed(&svg);
        assert!(
            svg.contains(r#"class="reconnecting""#) && svg.contains(r#"class="trip""#),
            "{svg}"
        );
    }
}

#[test]
fn every_trace_can_be_drawn() {
    let folder = TempDir::new().unwrap();
    let svg = path(&folder, "run.svg");
    let traces = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/traces");
    let mut drawn = 0;
    for entry in std::fs::read_dir(traces).unwrap() {
        let trace = entry.unwrap().path();
        let finished = run(&["explain", text(&trace), "--svg", text(&svg)], "");
        assert_eq!(finished.status, 0, "{trace:?}: {finished:?}");
        let svg = std::fs::read_to_string(&svg).unwrap();
        well_formed(&svg);
        // Nothing begins outside the page, which is 1000 wide.
        let places = svg.split(" x=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        for place in places {
            let place: f64 = place.parse().unwrap();
            assert!((0.0..1000.0).contains(&place), "{trace:?}: {place}");
        }
        drawn += 1;
    }
    assert!(drawn > 10, "{drawn} traces");
}

/// As much of XML as matters here: every element that begins ends, in order, and text is escaped.
fn well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "{}", &rest[..start]);
        let end = rest.find('>').unwrap();
        let tag = &rest[start + 1..end];
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
    assert!(xml.starts_with("<svg") && xml.contains("prefers-color-scheme:dark"));
}

#[test]
fn an_edited_action_is_shown_with_both_sides() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "run");
    let trace = record(&file, "blocking");
    let edited = trace.replacen(r#""attempt":2"#, r#""attempt":7"#, 1);
    assert_ne!(edited, trace);
    let line = edited.lines().position(|line| line.contains(r#""attempt":7"#)).unwrap() + 1;
    std::fs::write(&file, &edited).unwrap();
    let finished = replay(&file, &[]);
    assert_eq!(finished.status, 1, "{finished:?}");
    let told = finished.stdout.join("\n");
    assert!(told.contains(&format!("event {} (line {line})", line - 1)), "{told}");
    let side = |name: &str| {
        finished.stdout.iter().find(|line| line.trim_start().starts_with(name)).unwrap().clone()
    };
    assert!(side("recorded").contains(r#""attempt":7"#), "{told}");
    assert!(side("replayed").contains(r#""attempt":2"#), "{told}");
    // Before it nothing is wrong.
    let until = (line - 2).to_string();
    assert_eq!(replay(&file, &["--until", &until]).status, 0);
    assert_eq!(replay(&file, &["--until", &(line - 1).to_string()]).status, 1);
}

/// A small trace from the corpus.
fn small() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/traces/freeze.jsonl");
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn files_that_are_no_traces_are_refused_with_their_line() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "file");
    let whole = small();
    let lines = whole.lines().count();
    let middle = whole.lines().nth(9).unwrap();
    let with = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from} is there to be changed");
        whole.replacen(from, to, 1).into_bytes()
    };
    let torn = &whole.as_bytes()[..whole.len() - 5];
    let nested = format!("{}{}", "[".repeat(100_000), "\n");
    let unknown = middle.replace(r#""event":"#, r#""event":{"teleport":1},"was":"#);
    for (name, bytes, line, word) in [
        ("empty", Vec::new(), 1, "no header"),
        ("not JSON", b"hello\n".to_vec(), 1, "no header"),
        ("other JSON", b"{\"a\":1}\n".to_vec(), 1, "no header"),
        ("binary", vec![0xff; 4096], 1, "no header"),
        ("deep", nested.into_bytes(), 1, "no header"),
        ("a newer version", with(r#""version":1"#, r#""version":3"#), 1, "version 3"),
        ("a bad config", with(r#""cap":"30s""#, r#""cap":"1ms""#), 1, "retry.cap"),
        ("torn", torn.to_vec(), lines, "torn"),
        ("torn header", whole.as_bytes()[..200].to_vec(), 1, "torn"),
        ("header only", whole.lines().next().unwrap().into(), 2, "torn"),
        ("a broken line", with(middle, &middle[..20]), 10, "malformed"),
        ("no UTF-8", [&with("", "")[..], b"\xff\n"].concat(), lines + 1, "malformed"),
        ("unknown event", with(middle, &unknown.replace(r#","was":"#, ",")), 10, "malformed"),
        (
            "unknown event",
            with(middle, r#"{"at":1,"event":{"teleport":{}},"actions":[]}"#),
            10,
            "teleport",
        ),
        (
            "huge filler",
            with(
                middle,
                r#"{"at":1,"event":{"send":{"payload":{"text":[["x",1152921504606846976]]}}},"actions":[]}"#,
            ),
            10,
            "1152921504606846976 bytes",
        ),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let finished = replay(&file, &[]);
        assert_eq!(finished.status, 2, "{name}: {finished:?}");
        assert!(finished.stdout.is_empty(), "{name}: {finished:?}");
        assert!(finished.stderr.starts_with("perennial: "), "{name}: {finished:?}");
        assert!(finished.stderr.contains(&format!("line {line} ")), "{name}: {finished:?}");
        assert!(finished.stderr.contains(word), "{name}: {finished:?}");
        assert_eq!(run(&["explain", text(&file)], "").status, 2, "{name}");
        assert_eq!(replay(&file, &["--step"]).status, 2, "{name}");
        assert_eq!(replay(&file, &["--diff", text(&file)]).status, 2, "{name}");
    }
    for absent in ["/no/such/trace", "/"] {
        let finished = run(&["replay", absent], "");
        assert_eq!(finished.status, 2, "{finished:?}");
        assert!(finished.stderr.contains(absent), "{finished:?}");
        assert_eq!(run(&["explain", absent], "").status, 2);
    }
}

#[test]
fn what_is_before_a_torn_line_can_be_used() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "file");
    let whole = small();
    std::fs::write(&file, &whole[..whole.len() - 5]).unwrap();
    let events = whole.lines().count() - 2;
    let finished = replay(&file, &["--until", &events.to_string()]);
    assert_eq!(finished.status, 0, "{finished:?}");
    assert!(finished.stdout[0].starts_with(&format!("identical: {events} events, ")));
    assert_eq!(replay(&file, &["--until", &(events + 1).to_string()]).status, 2);
    let explained = run(&["explain", text(&file)], "");
    assert_eq!(explained.status, 2, "{explained:?}");
    assert!(explained.stdout.join("\n").contains("outage of"), "{explained:?}");
    assert!(explained.stderr.contains("torn"), "{explained:?}");
}

#[test]
fn the_state_is_printed_where_it_stops() {
    let folder = TempDir::new().unwrap();
    let file = path(&folder, "file");
    let whole = small();
    std::fs::write(&file, &whole).unwrap();
    let opened = whole.lines().position(|line| line.contains("opened")).unwrap();
    let finished = replay(&file, &["--until", &opened.to_string()]);
    assert_eq!(finished.status, 0, "{finished:?}");
    assert!(finished.stdout.contains(&"state: open".to_owned()), "{finished:?}");
    let before = replay(&file, &["--until", &(opened - 1).to_string()]);
    assert!(before.stdout.contains(&"state: connecting".to_owned()), "{before:?}");
    let beyond = replay(&file, &["--until", "100000"]);
    assert_eq!(beyond.status, 2, "{beyond:?}");
    assert!(beyond.stderr.contains("--until"), "{beyond:?}");
    // A run that stays the same to its last event.
    let all = (whole.lines().count() - 1).to_string();
    assert!(replay(&file, &["--until", &all]).stdout.contains(&"state: closed".to_owned()));
}

#[test]
fn steps_are_led_by_lines_of_stdin() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/traces/freeze.jsonl");
    let shown = |commands: &str| {
        let finished = run(&["replay", file, "--step"], commands);
        assert_eq!(finished.status, 0, "{finished:?}");
        let number = |line: &String| line.strip_prefix("event ")?.split(' ').next()?.parse().ok();
        finished.stdout.iter().filter_map(number).collect::<Vec<u32>>()
    };
    assert_eq!(shown(""), [1]);
    assert_eq!(shown("\nn\nnext\nb\nback\n5\nb\nq\nn\n"), [1, 2, 3, 4, 3, 2, 5, 4]);
    assert_eq!(shown("b\n99999\n0\nwhat?\n40\n41\nn"), [1, 40, 41]);
    let until = run(&["replay", file, "--step", "--until", "2"], "n\nn\nn\n");
    assert!(until.stdout.iter().any(|line| line.contains("event 2 of 2")), "{until:?}");
    assert!(until.stdout.iter().any(|line| line.contains("last event")), "{until:?}");
}

#[test]
fn two_traces_are_compared() {
    let folder = TempDir::new().unwrap();
    let (one, other) = (path(&folder, "one"), path(&folder, "other"));
    let whole = small();
    std::fs::write(&one, &whole).unwrap();
    std::fs::write(&other, &whole).unwrap();
    let same = replay(&one, &["--diff", text(&other)]);
    assert_eq!(same.status, 0, "{same:?}");
    assert!(same.stdout[0].starts_with("identical: "), "{same:?}");

    let changed = whole.replacen(r#""max_attempts":null"#, r#""max_attempts":9"#, 1).replacen(
        r#"{"pong":{"rtt":""#,
        r#"{"pong":{"rtt":"1"#,
        1,
    );
    std::fs::write(&other, changed).unwrap();
    let differs = replay(&one, &["--diff", text(&other)]);
    assert_eq!(differs.status, 1, "{differs:?}");
    let told = differs.stdout.join("\n");
    for word in [
        "config.retry.max_attempts",
        text(&one),
        text(&other),
        "differs: event",
        "times and numbers",
    ] {
        assert!(told.contains(word), "{word}: {told}");
    }

    // However little two times differ, both sides look different.
    let second = whole.lines().nth(2).unwrap();
    let at = second.strip_prefix("{\"at\":").unwrap().split(',').next().unwrap();
    let later = at.parse::<u64>().unwrap() + 1;
    std::fs::write(
        &other,
        whole.replacen(&format!("{{\"at\":{at},"), &format!("{{\"at\":{later},"), 1),
    )
    .unwrap();
    let told = replay(&one, &["--diff", text(&other)]).stdout;
    assert!(told[0].contains("the time"), "{told:?}");
    let sides: Vec<_> = told.iter().filter_map(|line| line.trim().split("  ").nth(1)).collect();
    assert!(sides.len() == 2 && sides[0] != sides[1], "{told:?}");

    let mut shorter: Vec<&str> = whole.lines().collect();
    shorter.pop();
    std::fs::write(&other, shorter.join("\n") + "\n").unwrap();
    let differs = replay(&other, &["--diff", text(&one)]);
    assert_eq!(differs.status, 1, "{differs:?}");
    assert!(differs.stdout.join("\n").contains("nothing"), "{differs:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_recording_and_not_the_connection() {
    let server = Server::start(Options::default()).unwrap();
    for adapter in ADAPTERS {
        let arguments = [
            "connect",
            &server.url(),
            "--adapter",
            adapter,
            "--record",
            "/dev/full",
            "--count",
            "2",
        ];
        let finished = run(&arguments, "one\ntwo\n");
        assert_eq!(finished.status, 0, "{adapter}: {finished:?}");
        assert_eq!(finished.stdout, ["one", "two"], "{adapter}");
        assert_eq!(finished.stderr.matches("/dev/full").count(), 1, "{adapter}: {finished:?}");
        assert!(finished.stderr.contains("--record"), "{adapter}: {finished:?}");
    }
}

#[cfg(unix)]
#[test]
fn the_trace_of_a_killed_run_is_whole_up_to_the_kill() {
    let folder = TempDir::new().unwrap();
    let app = App::Echo;
    let server = Server::start(Options { app, ..Options::default() }).unwrap();
    for adapter in ADAPTERS {
        let file = path(&folder, adapter);
        let arguments = ["connect", &server.url(), "--adapter", adapter, "--record", text(&file)];
        let mut running = Running::start(&arguments);
        running.say("one\ntwo\n");
        assert_eq!(running.line(), "one");
        assert_eq!(running.line(), "two");
        // Written before the driver sleeps, which it does now.
        let written = || std::fs::read_to_string(&file).unwrap().matches("received").count() >= 2;
        for _ in 0..2_000 {
            if written() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(written(), "{adapter}");
        running.signal("KILL");
        assert_ne!(running.finish().status, 0);
        let finished = replay(&file, &[]);
        assert_eq!(finished.status, 0, "{adapter}: {finished:?}");
    }
}
