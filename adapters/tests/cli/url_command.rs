//! What `--url-command` starts, and that nothing of it is left.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::{ADAPTERS, Finished, LIMIT, Running, run};

/// Longer than a run may take: whoever still runs holds stderr open for as long, and the run is not
/// over before that is closed.
fn slow(begun: &Path) -> String {
    format!(": > '{}'; sleep 90 & sleep 90; echo ws://127.0.0.1:9", begun.display())
}

fn wait_for(begun: &Path) {
    let start = Instant::now();
    while !begun.exists() {
        assert!(start.elapsed() < LIMIT, "the command was not run");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn nothing_is_left(finished: &Finished) {
    assert!(finished.took < LIMIT, "something outlived the run: {finished:?}");
}

#[test]
fn a_command_that_is_too_slow_is_killed_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let command = slow(&folder.path().join("begun"));
    let options = ["--dial-timeout", "50ms", "--max-attempts", "2", "--base", "1ms"];
    let finished = run(&[&["connect", "--url-command", &command], &options[..]].concat(), "");
    assert_eq!(finished.status, 1, "{finished:?}");
    nothing_is_left(&finished);
}

#[test]
fn a_command_that_runs_at_the_end_is_killed_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    for adapter in ADAPTERS {
        let begun = folder.path().join(adapter);
        let command = slow(&begun);
        let base = ["connect", "--url-command", &command, "--dial-timeout", "1m", "--stay"];
        let base = [&base[..], &["--adapter", adapter]].concat();
        let running = Running::start(&[&base[..], &["--drain", "50ms"]].concat());
        wait_for(&begun);
        running.signal("INT");
        nothing_is_left(&running.finish());

        let finished = run(&[&base[..], &["--deadline", "300ms"]].concat(), "");
        assert_eq!(finished.status, 4, "{finished:?}");
        nothing_is_left(&finished);
    }
}

#[test]
fn what_is_told_names_where_an_attempt_goes() {
    let command = "echo 'ws://u:s3cr3t@127.0.0.1:9/feed?t=s3cr3t'";
    let finished = run(&["connect", "--url-command", command, "--max-attempts", "1", "-vv"], "");
    assert_eq!(finished.status, 1, "{finished:?}");
    assert!(finished.stderr.contains("ws://127.0.0.1:9/feed"), "{finished:?}");
    for not in ["url-command.invalid", "s3cr3t"] {
        assert!(!finished.stderr.contains(not), "{finished:?}");
    }
}
