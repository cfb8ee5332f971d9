//! The command line as a child process, with its events.

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest a single step may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What drives the connections; the command's default if nobody chose.
static ADAPTER: OnceLock<String> = OnceLock::new();

/// Chooses what drives the connections from now on.
pub(crate) fn choose_adapter(name: &str) {
    // Only the first choice counts; there is but one option to make it.
    let _ = ADAPTER.set(name.to_owned());
}

/// What drives the connections, if somebody chose.
pub(crate) fn chosen_adapter() -> Option<&'static str> {
    ADAPTER.get().map(String::as_str)
}

/// The binary beside this one.
fn binary() -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::current_exe()?.with_file_name("perennial");
    if path.exists() {
        return Ok(path);
    }
    Err(format!(
        "{} is not there: build it with `cargo build --release -p perennial --features cli`",
        path.display()
    )
    .into())
}

/// A run of `perennial connect`.
pub(crate) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    events: Option<Receiver<(Instant, Value)>>,
    stderr: Receiver<String>,
    seen: Vec<(Instant, Value)>,
}

impl Client {
    /// Starts it with `--events`, which are read as they come.
    pub(crate) fn start(url: &str, arguments: &str) -> Result<Self, Box<dyn Error>> {
        let mut client = Self::start_unread(url, &format!("--events {arguments}"))?;
        let stdout = client.child.stdout.take().ok_or("no stdout")?;
        let (sender, events) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let Ok(event) = serde_json::from_str(&line) else { continue };
                if sender.send((Instant::now(), event)).is_err() {
                    break;
                }
            }
        });
        client.events = Some(events);
        Ok(client)
    }

    /// Starts it with a stdout that nobody reads.
    pub(crate) fn start_unread(url: &str, arguments: &str) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(binary()?)
            // The servers are on this machine, whatever proxy the environment names.
            .env("no_proxy", "*")
            .arg("connect")
            .arg(url)
            .args(arguments.split_whitespace())
            .args(ADAPTER.get().map(|name| format!("--adapter={name}")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take();
        let errors = child.stderr.take().ok_or("no stderr")?;
        let (sender, stderr) = channel();
        thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, stdin, events: None, stderr, seen: Vec::new() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The writing end, to be used from elsewhere.
    pub(crate) fn take_stdin(&mut self) -> Result<ChildStdin, Box<dyn Error>> {
        self.stdin.take().ok_or_else(|| "stdin is taken".into())
    }

    /// Waits for an event that `fits`.
    pub(crate) fn event(
        &mut self,
        fits: impl Fn(&Value) -> bool,
    ) -> Result<(Instant, Value), Box<dyn Error>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (at, event) = self.next(deadline)?;
            self.seen.push((at, event.clone()));
            if fits(&event) {
                return Ok((at, event));
            }
        }
    }

    /// Waits for the state.
    pub(crate) fn state(&mut self, to: &str) -> Result<Instant, Box<dyn Error>> {
        Ok(self.event(|event| event["event"] == "state" && event["to"] == to)?.0)
    }

    fn next(&self, deadline: Instant) -> Result<(Instant, Value), Box<dyn Error>> {
        let events = self.events.as_ref().ok_or("nobody reads its events")?;
        let left = deadline.saturating_duration_since(Instant::now());
        events.recv_timeout(left).map_err(|error| match error {
            RecvTimeoutError::Timeout => "an event did not come in time".into(),
            RecvTimeoutError::Disconnected => "the command ended".into(),
        })
    }

    /// Ends stdin, and waits for the end of the run.
    pub(crate) fn finish(mut self) -> Result<Run, Box<dyn Error>> {
        self.stdin = None;
        self.wait()
    }

    /// Waits for the end of the run.
    pub(crate) fn wait(mut self) -> Result<Run, Box<dyn Error>> {
        let deadline = Instant::now() + PATIENCE;
        if self.events.is_some() {
            while let Ok(event) = self.next(deadline) {
                self.seen.push(event);
            }
        }
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > deadline => return Err("it does not end".into()),
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        let stderr = self.stderr.try_iter().collect::<Vec<_>>().join("\n");
        Ok(Run { status, events: std::mem::take(&mut self.seen), stderr })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It has ended, or it is in the way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run that has ended.
pub(crate) struct Run {
    pub(crate) status: ExitStatus,
    pub(crate) events: Vec<(Instant, Value)>,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> + 'a {
        self.events.iter().map(|(_, event)| event).filter(move |event| event["event"] == name)
    }

    pub(crate) fn ledger(&self, field: &str) -> Option<u64> {
        self.all("ledger").last().and_then(|ledger| ledger[field].as_u64())
    }
}

/// Milliseconds of an event.
pub(crate) fn at(event: &Value) -> u64 {
    event["at"].as_u64().unwrap_or(0)
}

/// The value at the `percent`-th place of a sorted list.
pub(crate) fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let last = sorted.len().saturating_sub(1);
    sorted
        .get((sorted.len() * percent).div_ceil(100).saturating_sub(1).min(last))
        .copied()
        .unwrap_or(0)
}
