//! Runs the binary. Every wait is bounded; a run that hangs is killed and fails its test.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything here takes, on any machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Every adapter's name.
pub(crate) const ADAPTERS: [&str; 4] = ["blocking", "smol", "async-std", "tokio"];

/// The binary with these arguments, and without a proxy in its environment. With `PERENNIAL_TEST_ADAPTER` set, every test runs on that
/// adapter.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perennial"));
    command.args(arguments);
    for name in ["ws", "wss", "http", "https", "all", "no"] {
        let name = format!("{name}_proxy");
        command.env_remove(name.to_uppercase()).env_remove(name);
    }
    let chooses = arguments.contains(&"--adapter") || arguments.first() != Some(&"connect");
    if let (Ok(adapter), false) = (std::env::var("PERENNIAL_TEST_ADAPTER"), chooses) {
        command.args(["--adapter", &adapter]);
    }
    command
}

/// A run in progress.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    seen: Vec<String>,
    stderr: Option<JoinHandle<String>>,
    started: Instant,
}

/// A run that ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::spawn(&mut command(arguments))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self::spawn_to(command, Stdio::piped())
    }

    /// With another stdout; then no line of it is seen.
    pub(crate) fn spawn_to(command: &mut Command, stdout: impl Into<Stdio>) -> Self {
        let started = Instant::now();
        let mut child =
            command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).split(b'\n') {
                    let Ok(line) = line else { return };
                    if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                        return;
                    }
                }
            });
        }
        let mut pipe = child.stderr.take().unwrap();
        let stderr = Some(std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = pipe.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        }));
        let stdin = child.stdin.take();
        Self { child, stdin, lines, seen: Vec::new(), stderr, started }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes to stdin. A run that ended is no reason to fail here.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(bytes.as_ref()).and_then(|()| stdin.flush());
        }
    }

    /// Writes to stdin on a thread, for more than a pipe holds, then ends it.
    pub(crate) fn say_all(&mut self, bytes: Vec<u8>) {
        let mut stdin = self.stdin.take().unwrap();
        std::thread::spawn(move || {
            let _ = stdin.write_all(&bytes);
        });
    }

    pub(crate) fn end_stdin(&mut self) {
        self.stdin = None;
    }

    /// The next line of stdout.
    pub(crate) fn line(&mut self) -> String {
        match self.lines.recv_timeout(LIMIT) {
            Ok(line) => {
                self.seen.push(line.clone());
                line
            }
            Err(why) => self.fail(&format!("no further line ({why})")),
        }
    }

    /// The next event of that name; those before it are kept.
    pub(crate) fn event(&mut self, name: &str) -> Value {
        loop {
            let event: Value = serde_json::from_str(&self.line()).unwrap();
            if event["event"] == name {
                return event;
            }
        }
    }

    /// Until the next state change to that state.
    pub(crate) fn state(&mut self, to: &str) -> Value {
        loop {
            let event = self.event("state");
            if event["to"] == to {
                return event;
            }
        }
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end.
    pub(crate) fn finish(mut self) -> Finished {
        loop {
            match self.lines.recv_timeout(LIMIT.saturating_sub(self.started.elapsed())) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.fail("it does not end"),
            }
        }
        while self.started.elapsed() < LIMIT {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Finished {
                    status: status.code().unwrap_or(-1),
                    stdout: std::mem::take(&mut self.seen),
                    stderr: self.stderr.take().unwrap().join().unwrap(),
                    took: self.started.elapsed(),
                };
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.fail("stdout ended, the process does not")
    }

    fn fail(&mut self, why: &str) -> ! {
        let _ = self.child.kill();
        let stderr = self.stderr.take().map(|reader| reader.join().unwrap());
        panic!("{why}; stdout: {:?}; stderr: {stderr:?}", self.seen)
    }
}

// A test that fails leaves no process behind.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs to the end with that stdin.
pub(crate) fn run(arguments: &[&str], stdin: impl Into<Vec<u8>>) -> Finished {
    let mut running = Running::start(arguments);
    running.say_all(stdin.into());
    running.finish()
}

impl Finished {
    pub(crate) fn events(&self) -> Vec<Value> {
        self.stdout.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn named(&self, name: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event"] == name).collect()
    }

    /// The ledger, which must be the last line, and must agree with itself and the other events.
    pub(crate) fn ledger(&self) -> Value {
        let events = self.events();
        let ledger = events.last().unwrap().clone();
        assert_eq!(ledger["event"], "ledger", "{self:?}");
        let n = |name: &str| ledger[name].as_u64().unwrap();
        let ends = ["flushed", "acknowledged", "uncertain", "expired", "dropped"];
        assert_eq!(n("accepted"), ends.iter().map(|name| n(name)).sum::<u64>(), "{ledger}");
        for name in ends.into_iter().chain(["rejected"]) {
            assert_eq!(n(name), self.named(name).len() as u64, "{name}: {ledger}");
        }
        assert_eq!(n("received"), self.named("message").len() as u64, "{ledger}");
        assert_eq!(n("duplicates"), self.named("duplicate").len() as u64, "{ledger}");
        assert_eq!(n("attempts"), self.named("dial").len() as u64, "{ledger}");
        // Every accepted message ends exactly once.
        let mut seqs: Vec<u64> = events
            .iter()
            .filter(|event| ends.iter().any(|name| event["event"] == **name))
            .map(|event| event["seq"].as_u64().unwrap())
            .collect();
        seqs.sort_unstable();
        assert_eq!(seqs, (1..=n("accepted")).collect::<Vec<_>>());
        let times: Vec<u64> = events.iter().map(|event| event["at"].as_u64().unwrap()).collect();
        assert!(times.is_sorted(), "{times:?}");
        ledger
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |event: &Value| event["text"].as_str().unwrap().to_owned();
        self.named("message").iter().map(text).collect()
    }
}
