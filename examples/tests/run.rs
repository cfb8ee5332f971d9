//! Every example is run, as a process, against the practice server.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use perennial::practice::{App, Faults, Options, Refusal, Server, Span};

/// No wait is longer.
const LONG: Duration = Duration::from_secs(60);

/// An example that runs. It is killed when it is dropped.
struct Run {
    child: Child,
    /// While there may be something more to tell it.
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    /// What it has printed so far.
    said: Vec<String>,
}

impl Run {
    fn start(name: &str, args: &[&str]) -> Self {
        let mut run = Self::talk(name, args);
        run.stdin = None;
        run
    }

    /// Starts one that reads what it is told.
    fn talk(name: &str, args: &[&str]) -> Self {
        let mut child = Command::new(program(name))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|l| sender.send(l))
        });
        let stdin = child.stdin.take();
        Self { child, stdin, lines, said: Vec::new() }
    }

    /// Tells it a line.
    fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).unwrap();
    }

    /// Waits for a line with `part` in it.
    fn expect(&mut self, part: &str) {
        assert!(self.says(part, LONG), "no line has {part:?} in it: {:#?}", self.said);
    }

    /// Waits for lines with these parts in them, in whatever order they come.
    fn expect_all(&mut self, parts: &[&str]) {
        let from = self.said.len();
        for part in parts {
            if !self.said[from..].iter().any(|line| line.contains(part)) {
                self.expect(part);
            }
        }
    }

    /// Whether a line with `part` in it comes within a time.
    fn says(&mut self, part: &str, within: Duration) -> bool {
        let end = Instant::now() + within;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else { return false };
            self.said.push(line);
            if self.said.last().unwrap().contains(part) {
                return true;
            }
        }
    }

    /// Waits for its end.
    fn end(mut self) -> (ExitStatus, Vec<String>) {
        self.stdin = None;
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

/// Waits until the server has received so many messages with `part` in them.
fn await_received(server: &Server, part: &str, count: usize) {
    let end = Instant::now() + LONG;
    loop {
        let all = server.received();
        if all.iter().filter(|received| received.text.contains(part)).count() >= count {
            return;
        }
        let left = end.saturating_duration_since(Instant::now());
        let more = server.wait(left, |stats| stats.messages > all.len() as u64);
        assert!(more, "{count} should have {part:?} in them: {all:#?}");
    }
}

/// A close code after which nobody comes back.
const FOR_GOOD: u16 = 1008;

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
    let faults = Faults { lose_acks: 1.0, ..Faults::default() };
    let server = server(Options { faults, record: true, ..Options::default() });
    let run = Run::start("reliable", &[&server.url()]);
    // Nothing is acknowledged, until each has been said once: each is said again.
    assert!(server.wait(LONG, |stats| stats.acks_lost >= 10));
    server.set_faults(Faults::default());
    let said = run.succeed();
    for number in 1..=10 {
        let line = format!(r#"{{"order":{number}}}: delivered"#);
        assert_eq!(said.iter().filter(|said| **said == line).count(), 1, "{said:#?}");
    }
    let stats = server.stats();
    assert_eq!(stats.distinct_ids, 10);
    assert!(stats.messages >= 20, "{stats:?}");
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
fn chat() {
    let server = server(Options { app: App::Chat, record: true, ..Options::default() });
    let room = format!("{}/garden", server.url());
    let mut ann = Run::talk("chat", &[&room, "ann"]);
    await_received(&server, r#""type":"join""#, 1);
    let mut bob = Run::talk("chat", &[&room, "bob"]);
    ann.expect("* bob is here");
    ann.tell("one");
    bob.expect("ann: one");

    // Both are back in the room before the next line: they say their names by themselves.
    server.reset_all();
    await_received(&server, r#""type":"join""#, 4);
    bob.tell("two");
    ann.expect("bob: two");

    ann.succeed();
    bob.expect("* ann is gone");
    // Nobody hears it, and it is delivered all the same.
    bob.tell("three");
    bob.succeed();
    await_received(&server, "three", 1);
}

#[test]
fn chat_fails_where_a_line_is_not_delivered() {
    let server = server(Options { app: App::Chat, ..Options::default() });
    server.refuse(Some(Refusal::status(503)));
    let mut ann = Run::talk("chat", &[&server.url(), "ann"]);
    ann.tell("lost");
    assert!(server.wait(LONG, |stats| stats.refused >= 1));
    server.refuse(Some(Refusal::status(403)));
    let (status, said) = ann.end();
    assert_eq!(status.code(), Some(1), "{said:#?}");
}

fn prices() -> Server {
    let tick_every = Duration::from_millis(50);
    server(Options { app: App::Ticker, record: true, tick_every, ..Options::default() })
}

#[test]
fn ticker() {
    let server = prices();
    let mut run = Run::start("ticker", &[&server.url(), "600", "600"]);
    run.expect_all(&["ASH ", "BIRCH "]);
    // The subscriptions are said again, and the prices go on. No symbol has its turn meanwhile, so
    // nobody else can have said it.
    server.reset_all();
    run.expect("reconnecting -> open");
    run.expect_all(&["ASH ", "BIRCH "]);
    await_received(&server, r#"["BIRCH"],"type":"subscribe""#, 2);
    let said: Vec<_> = server.received().into_iter().map(|received| received.text).collect();
    let subscribe = |symbol| format!(r#"{{"symbols":["{symbol}"],"type":"subscribe"}}"#);
    assert_eq!(said, ["ASH", "BIRCH", "ASH", "BIRCH"].map(subscribe));
}

#[test]
fn ticker_takes_symbols_in_turn() {
    let server = prices();
    let mut run = Run::start("ticker", &[&server.url(), "600", "1"]);
    await_received(&server, r#"["ASH"],"type":"subscribe""#, 1);
    // One symbol less, and another more.
    await_received(&server, r#"["ASH"],"type":"unsubscribe""#, 1);
    run.expect("CEDAR ");
    server.close_all(FOR_GOOD, "");
    let said = run.succeed();
    assert!(said.last().unwrap().contains("1008"), "{said:#?}");
}

#[test]
fn ticker_tells_of_gaps() {
    let server = server(Options { app: App::Silent, ..Options::default() });
    let mut run = Run::start("ticker", &[&server.url(), "600"]);
    let end = Instant::now() + LONG;
    for ten in (0..).step_by(10) {
        // Whichever symbols are watched just now.
        for symbol in ["ASH", "BIRCH", "CEDAR", "DOGWOOD"] {
            for seq in [ten + 1, ten + 5] {
                let tick = format!(r#"{{"symbol":"{symbol}","price":1.5,"seq":{seq}}}"#);
                server.send_all(&tick);
            }
        }
        if run.says(": 3 missed", Duration::from_millis(100)) {
            return;
        }
        assert!(Instant::now() < end, "{:#?}", run.said);
    }
}

#[test]
fn game() {
    let server = server(Options { app: App::Game, record: true, ..Options::default() });
    let url = format!("{}/chess", server.url());
    let mut ann = Run::start("game", &[&url, "ann", "600"]);
    await_received(&server, "playerJoin", 1);
    let mut bob = Run::start("game", &[&url, "bob", "600"]);
    ann.expect("bob joins");
    ann.expect("the game starts: ann, bob");
    bob.expect("the game starts: ann, bob");
    ann.expect("bob moves to");
    ann.expect("bob: jump at");

    // They join again by themselves, before anything else is said.
    server.reset_all();
    ann.expect("reconnecting -> open");
    ann.expect("the game starts");
    ann.expect("bob moves to");
    server.close_all(FOR_GOOD, "");
    for said in [ann.succeed(), bob.succeed()] {
        assert!(said.iter().all(|line| !line.contains("not understood")), "{said:#?}");
        assert!(said.last().unwrap().contains("1008"), "{said:#?}");
    }
}

#[test]
fn assistant() {
    let server = server(Options {
        app: App::Ai,
        record: true,
        piece_every: Duration::from_millis(100),
        ..Options::default()
    });
    let mut run = Run::talk("assistant", &[&server.url()]);
    // An answer takes a second at least.
    run.tell("one");
    run.tell("two");
    run.expect("[interrupted]");
    await_received(&server, r#""message":"two""#, 1);
    // Its answer is cut off, and asked for again.
    server.reset_all();
    run.expect("[the connection");
    await_received(&server, r#""message":"two""#, 2);
    let said = run.succeed();
    let last = said.last().unwrap();
    assert!(last.starts_with("You said \u{201c}two\u{201d}:") && last.ends_with('.'), "{said:#?}");
}

#[test]
fn robust() {
    let server = server(Options::default());
    let mut run = Run::start("robust", &[&server.url(), "600"]);
    run.expect("message 1");
    server.refuse(Some(Refusal::status(503)));
    server.reset_all();
    run.expect("follows in");
    run.expect("not sent: the outbox is full");
    server.refuse(None);
    run.expect("message ");
    server.close_all(FOR_GOOD, "");
    run.expect(" closed for good: ");
    let said = run.succeed();
    let errors: Vec<_> = said.iter().filter(|line| line.contains(": ")).collect();
    assert!(errors.len() >= 3, "{said:#?}");
    for error in errors {
        let (time, _) = error.split_once(' ').unwrap();
        let form = time.replace(|digit: char| digit.is_ascii_digit(), "0");
        assert_eq!(form, "0000-00-00T00:00:00.000Z", "{error}");
    }
}

#[test]
fn stateful() {
    let server = server(Options::default());
    let mut run = Run::start("stateful", &[&server.url(), "600"]);
    run.expect_all(&["state: connecting -> open", "badge: online"]);
    server.refuse(Some(Refusal::status(503)));
    server.reset_all();
    run.expect_all(&["state: open -> reconnecting", "badge: offline, "]);
    server.refuse(None);
    run.expect_all(&["state: reconnecting -> open", "badge: online", "counter: "]);
    let before = server.stats().messages;
    assert!(server.wait(LONG, |stats| stats.messages >= before + 6));
    server.close_all(FOR_GOOD, "");
    let said = run.succeed();
    let history = said.iter().filter(|line| line.starts_with("history: note ")).count();
    assert_eq!(history, 5, "{said:#?}");
    assert_eq!(said.last().unwrap(), "cleared: 0 left, latest None");
}

#[test]
fn rpc() {
    let said = Run::start("rpc", &[]).succeed();
    let said: Vec<_> = said.iter().filter(|line| !line.starts_with("-- ")).collect();
    let expected = [
        "1 + 2 = 3",
        "1 + 1 = 2",
        "2 + 2 = 4",
        "3 + 3 = 6",
        "1 / 0: the server refused the request with code -32000",
        "sleep: no answer came in time",
        "requests on their way: 0",
        "flaky, Queued: the connection was lost before the request was answered",
        "flaky, Acknowledged: \"done\"",
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
fn a_bad_argument_is_named() {
    let url = "ws://127.0.0.1:9";
    for (name, args, said) in [
        ("game", &[url, "ann", "x1"][..], "x1 is no whole number of seconds"),
        ("robust", &[url, "x1"], "x1 is no whole number of seconds"),
        ("stateful", &[url, "x1"], "x1 is no whole number of seconds"),
        ("status", &[url, "x1"], "x1 is no whole number of seconds"),
        ("ticker", &[url, "x1"], "x1 is no whole number of seconds"),
        ("token", &[url, "x1"], "x1 is no number of minutes"),
        ("token", &[url, "-1"], "-1 is no number of minutes"),
        (
            "own_loop",
            &[url, "--seconds", "1", "--connections", "x1"],
            "--connections needs a whole number",
        ),
        ("own_loop", &[url, "--seconds", "1", "--connection", "9"], "--connection is no option"),
    ] {
        let output = Command::new(program(name)).args(args).stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && stderr.contains(said), "{name}: {stderr}");
    }
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
