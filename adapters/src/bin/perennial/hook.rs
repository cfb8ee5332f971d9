//! The request of each attempt: `--url-command` and `--resume`.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use perennial::{Attempt, HookError};
use perennial_core::Duration;

use crate::group::Group;
use crate::parse::ResumeArg;
use crate::position::{Position, with_param};

/// How long a dial waits for what was received before it to be printed.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a command is asked whether it has ended.
const ASK_EVERY: Duration = Duration::from_millis(5);
/// The longest output of a command that can be a URL.
const MOST_OUTPUT: u64 = 64 << 10;

/// What changes from attempt to attempt.
#[derive(Debug)]
pub(crate) struct Hook {
    pub(crate) url_command: Option<String>,
    pub(crate) resume: Option<(ResumeArg, Arc<Position>)>,
    /// How long the command may take: a little less than a dial, so that it is the command that is said
    /// to be late.
    pub(crate) timeout: Duration,
    pub(crate) quiet: bool,
}

impl Hook {
    /// Whether there is anything to do.
    pub(crate) fn is_needed(&self) -> bool {
        self.url_command.is_some() || self.resume.is_some()
    }

    /// Builds one attempt's request.
    pub(crate) fn build(&self, attempt: &mut Attempt<'_>) -> Result<(), HookError> {
        if let Some(command) = &self.url_command {
            let url = run(command, self.timeout, self.quiet)
                .map_err(|why| HookError::Retry(format!("--url-command {why}")))?;
            attempt
                .set_url(&url)
                .map_err(|error| HookError::Retry(format!("--url-command printed: {error}")))?;
        }
        if let Some((resume, position)) = &self.resume
            && let Some(value) = position.before(attempt.transport, PATIENCE)
        {
            let url = with_param(attempt.url().as_str(), &resume.param, &value);
            attempt.set_url(&url)?;
        }
        Ok(())
    }
}

/// Runs a shell command and returns what it prints. The error says what happened, and never what was
/// printed.
fn run(command: &str, timeout: Duration, quiet: bool) -> Result<String, String> {
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let deadline = Instant::now() + timeout;
    let mut command_line = Command::new(shell);
    command_line
        .args([flag, command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(if quiet { Stdio::null() } else { Stdio::inherit() });
    let mut group =
        Group::start(&mut command_line).map_err(|error| format!("cannot be run: {error}"))?;
    let (sender, printed) = mpsc::channel();
    if let Some(stdout) = group.stdout.take() {
        // A thread, because what the command started may hold its stdout longer than it lives.
        std::thread::spawn(move || {
            let mut text = String::new();
            let read = stdout.take(MOST_OUTPUT).read_to_string(&mut text);
            let _ = sender.send(read.map(|_| text));
        });
    }
    let left = || deadline.saturating_duration_since(Instant::now());
    let late = || Err(format!("took longer than {timeout:?} (what it started included)"));
    let Ok(read) = printed.recv_timeout(left()) else { return late() };
    let status = loop {
        match group.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if !left().is_zero() => std::thread::sleep(ASK_EVERY.min(left())),
            Ok(None) => return late(),
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
    };
    if !status.success() {
        return Err(format!("failed ({status})"));
    }
    match read {
        Ok(text) if text.trim().is_empty() => Err("printed nothing".to_owned()),
        Ok(text) => Ok(text.trim().to_owned()),
        Err(_) => Err("printed something that is not UTF-8".to_owned()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn ran(command: &str) -> Result<String, String> {
        run(command, Duration::from_secs(60), true)
    }

    #[test]
    fn a_command_prints_the_url() {
        assert_eq!(ran("echo ' ws://h/?t=1 '").as_deref(), Ok("ws://h/?t=1"));
        // Our stdin is not the command's.
        assert_eq!(ran("cat; echo ws://h/").as_deref(), Ok("ws://h/"));
    }

    #[test]
    fn a_command_can_fail() {
        assert!(
            ran("echo s3cr3t; exit 3").is_err_and(|why| why.contains('3') && !why.contains("s3"))
        );
        assert!(ran("true").is_err_and(|why| why.contains("nothing")));
        assert!(ran("printf '\\377'").is_err_and(|why| why.contains("UTF-8")));
        let started = Instant::now();
        let slow = run("exec sleep 600", Duration::from_millis(50), true);
        assert!(slow.is_err_and(|why| why.contains("longer")));
        // What it leaves behind holds its output.
        let left = run("sleep 600 & echo ws://h/", Duration::from_millis(50), true);
        assert!(left.is_err_and(|why| why.contains("longer")));
        assert!(started.elapsed() < Duration::from_secs(60));
    }
}
