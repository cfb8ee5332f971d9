//! Every example is run, as a process, against the practice server.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use perennial::practice::{Faults, Options, Refusal, Server, Span};

/// No wait is longer.
const LONG: Duration = Duration::from_secs(60);

/// An example that runs. It is killed when it is dropped.
struct Run {
    child: Child,
    lines: Receiver<String>,
    /// What it has printed so far.
    said: Vec<String>,
}

impl Run {
    fn start(name: &str, args: &[&str]) -> Self {
        let mut child = Command::new(program(name))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|l| sender.send(l))
        });
        Self { child, lines, said: Vec::new() }
    }

    /// Waits for a line with `part` in it.
    fn expect(&mut self, part: &str) {
        let end = Instant::now() + LONG;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no line has {part:?} in it: {:#?}", self.said);
            };
            self.said.push(line);
            if self.said.last().unwrap().contains(part) {
                return;
            }
        }
    }

    /// Waits for its end.
    fn end(mut self) -> (ExitStatus, Vec<String>) {
        let end = Instant::now() + LONG;
        // Its stdout ends with it.
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.said.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end: {:#?}", self.said),
            }
        }
        (self.child.wait().unwrap(), std::mem::take(&mut self.said))
    }

    /// Waits for its end, which must be a success.
    fn succeed(self) -> Vec<String> {
        let (status, said) = self.end();
        assert!(status.success(), "{status}: {said:#?}");
        said
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where cargo puts an example: beside the folder of the tests.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap().join("examples");
    let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "run `cargo build -p perennial-examples --examples` before");
    program
}

fn server(options: Options) -> Server {
    Server::start(options).unwrap()
}

#[test]
fn echo() {
    let server = server(Options::default());
    let said = Run::start("echo", &[&server.url()]).succeed();
    assert_eq!(said, ["one", "two", "three", "closed by the application"]);
}

#[test]
fn echo_comes_back() {
    let server = server(Options::default());
    server.refuse(Some(Refusal::status(503).times(2)));
    let said = Run::start("echo", &[&server.url()]).succeed();
    assert_eq!(said[..3], ["one", "two", "three"]);
    assert_eq!(server.stats().refused, 2);
}

#[test]
fn reliable() {
    let faults = Faults { lose_acks: 0.5, ..Faults::default() };
    let server = server(Options { faults, seed: 3, record: true, ..Options::default() });
    let said = Run::start("reliable", &[&server.url()]).succeed();
    for number in 1..=10 {
        let line = format!(r#"{{"order":{number}}}: delivered"#);
        assert_eq!(said.iter().filter(|said| **said == line).count(), 1, "{said:#?}");
    }
    let stats = server.stats();
    assert_eq!(stats.distinct_ids, 10);
    assert!(stats.acks_lost > 0, "nothing was lost, so nothing was shown");
    assert!(said.last().unwrap().starts_with("10 of 10 delivered"), "{said:#?}");
    // What is sent again is the same, byte for byte.
    let texts: HashSet<_> = server.received().into_iter().map(|received| received.text).collect();
    assert_eq!(texts.len(), 10);
}

#[test]
fn reliable_says_what_failed() {
    let server = server(Options::default());
    server.refuse(Some(Refusal::status(403)));
    let (status, said) = Run::start("reliable", &[&server.url()]).end();
    assert_eq!(status.code(), Some(1), "{said:#?}");
    // Those that were accepted before the server refused, and those that were not.
    let failed =
        |line: &&String| ["Dropped(Closed)", "not accepted"].iter().any(|end| line.contains(end));
    assert_eq!(said.iter().filter(failed).count(), 10, "{said:#?}");
}

#[test]
fn token() {
    let server = server(Options::default());
    let url = server.url();
    // A command that every machine with a toolchain has; what it prints is a token.
    let mut run = Run::start("token", &[&url, "5", env!("CARGO"), "--version"]);
    run.expect("hello");
    server.reset_all();
    run.expect("fetching a token");
    run.expect("hello");
    let handshakes = server.handshakes();
    assert!(handshakes.len() >= 2);
    for handshake in &handshakes {
        let sent = handshake.header("authorization").unwrap_or_default();
        assert!(sent.starts_with("Bearer cargo "), "{sent}");
    }
}

#[test]
fn token_gives_up() {
    let server = server(Options::default());
    server.refuse(Some(Refusal::status(503)));
    let said = Run::start("token", &[&server.url(), "0", env!("CARGO"), "--version"]).succeed();
    assert!(said.last().unwrap().starts_with("stopped by the retry hook"), "{said:#?}");
    assert_eq!(server.stats().refused, 1);

    let said = Run::start("token", &[&server.url(), "5", "no-such-command"]).succeed();
    assert!(said.last().unwrap().contains("no-such-command cannot be run"), "{said:#?}");
    assert_eq!(server.stats().refused, 1, "there was nothing to ask it");
}

#[test]
fn status() {
    let server = server(Options::default());
    server.set_faults(Faults {
        drop_every: Some(Span::from(Duration::from_millis(500))),
        ..Faults::default()
    });
    let said = Run::start("status", &[&server.url(), "3"]).succeed().join("\n");
    for part in ["open | attempt", "reconnects 1", "the connection was reset", "by the application"]
    {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn threads() {
    let server = server(Options { record: true, ..Options::default() });
    let said = Run::start("threads", &[&server.url()]).succeed();
    assert_eq!(said, ["sent 1000, received 1000"]);
    for name in ["ash", "birch", "cedar", "dogwood"] {
        let expected: Vec<_> = (1..=250).map(|number| format!("{name} {number}")).collect();
        let received = server.received().into_iter().map(|received| received.text);
        let got: Vec<_> = received.filter(|text| text.starts_with(name)).collect();
        assert_eq!(got, expected);
    }
}

#[test]
fn own_thread() {
    let server = server(Options::default());
    let said = Run::start("own_thread", &[&server.url()]).succeed();
    let expected = [
        "connecting -> open",
        "question 1",
        "question 2",
        "question 3",
        "closed by the application, code 1000",
    ];
    assert_eq!(said, expected);
}

#[test]
fn custom_dialect() {
    let said = Run::start("custom_dialect", &[]).succeed();
    let written: Vec<_> = said.iter().filter(|line| line.contains("Text(8 bytes)")).collect();
    assert_eq!(written.len(), 2, "lost once, sent again: {said:#?}");
    assert!(said.iter().any(|line| line.starts_with("acknowledged after")), "{said:#?}");
}

#[test]
fn own_loop() {
    let second = Span::from(Duration::from_secs(1));
    let faults = Faults { drop_every: Some(second), ..Faults::default() };
    let server = server(Options { faults, ..Options::default() });
    let args = [&server.url(), "--connections", "250", "--messages", "30", "--every", "100"];
    let said = Run::start("own_loop", &args).succeed();
    assert_eq!(said.last().unwrap(), "sent 7500, acknowledged 7500, lost 0");
    let stats = server.stats();
    assert!(stats.resets >= 250, "not everybody was cut off: {stats:?}");
    // Every message of every connection has arrived: each counts from 1 in a session of its own.
    assert_eq!((stats.distinct_ids, stats.violations), (7500, 0));
}

#[cfg(unix)]
#[test]
fn own_loop_survives_its_server() {
    let mut options = Options::default();
    let first = server(options.clone());
    let url = first.url();
    options.listen = first.addr();
    let mut run = Run::start("own_loop", &[&url, "--connections", "250", "--every", "200"]);
    run.expect("open 250");
    drop(first);
    run.expect("open 0");
    let _second = server(options);
    run.expect("all are open again");
    // Ctrl-C.
    let pid = run.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let said = run.succeed();
    assert!(said.last().unwrap().ends_with("lost 0"), "{said:#?}");
}
