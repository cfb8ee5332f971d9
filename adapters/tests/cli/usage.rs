//! What is refused before anything runs.

use crate::process::{Finished, run};

fn refused(arguments: &[&str], words: &[&str]) -> Finished {
    let finished = run(arguments, "");
    assert_eq!(finished.status, 2, "{arguments:?}: {finished:?}");
    assert!(finished.stdout.is_empty(), "{arguments:?}: {finished:?}");
    assert!(finished.stderr.starts_with("perennial: "), "{arguments:?}: {finished:?}");
    for word in words {
        assert!(finished.stderr.contains(word), "{arguments:?} says no {word}: {finished:?}");
    }
    finished
}

const URL: &str = "ws://127.0.0.1:9/";

#[test]
fn nothing_at_all_is_a_usage_error() {
    refused(&[], &["Usage:", "connect", "serve"]);
    refused(&["connect"], &["URL"]);
    refused(&["nonesuch"], &["nonesuch", "replay"]);
}

#[test]
fn options_are_named_with_their_rule() {
    refused(&["connect", URL, "--frobnicate"], &["--frobnicate"]);
    refused(&["connect", URL, "--cap", "fast"], &["--cap", "10s"]);
    refused(&["connect", URL, "--cap", "100ms", "--base", "1s"], &["--cap", "--base"]);
    refused(&["connect", URL, "--acks", "--class", "queued"], &["--acks", "--class"]);
    refused(&["connect", URL, "--record", "/no/such/t.jsonl"], &["--record", "/no/such/t.jsonl"]);
    refused(&["connect", URL, "--record"], &["--record", "needs a value"]);
    refused(&["connect", URL, "--adapter", "none"], &["--adapter", "async-std"]);
    refused(&["connect", URL, "--header", "Upgrade: x"], &["--header", "Upgrade"]);
    refused(&["connect", URL, "--header", "Sec-WebSocket-Protocol: x"], &["--subprotocol"]);
    refused(&["connect", URL, "--bearer-env", "PERENNIAL_UNSET"], &["PERENNIAL_UNSET"]);
    let twice = ["connect", URL, "--subprotocol", "a", "--subprotocol", "b", "--subprotocol", "a"];
    refused(&twice, &["--subprotocol", "each once"]);
    refused(&["connect", URL, "--url-command", "true"], &["--url-command"]);
    refused(&["serve", "--listen", "0.0.0.0:0"], &["--listen", "loopback"]);
    refused(&["serve", "--duplicate", "2"], &["--duplicate", "0 to 1"]);
}

#[test]
fn urls_are_checked() {
    for (url, remedy) in [
        ("http://h/", "use ws:// or wss://"),
        ("h", "begin with ws:// or wss://"),
        ("ws://", "write ws://HOST"),
        ("ws://:80", "write ws://HOST"),
        ("ws://h/#top", "write %23"),
        ("ws://h:99999/", "give a number from 1 to 65535"),
        ("ws://h:ws/", "give a number from 1 to 65535"),
        ("ws://[::1/", "in brackets"),
        ("ws://1.2.3.456/", "four numbers"),
        ("ws://a b/", "a space"),
        ("", "begin with ws:// or wss://"),
    ] {
        refused(&["connect", url], &["URL", remedy]);
    }
}

#[test]
fn no_secret_is_repeated() {
    let url = "ws://u:s3cr3t@127.0.0.1:9/?token=s3cr3t";
    for arguments in [
        &["connect", url, url][..],
        &[url],
        &["connect", "http://u:s3cr3t@h/?s3cr3t"],
        &["connect", "ws://u:s3cr3t@h:99999/?s3cr3t#s3cr3t"],
        &["connect", "u:s3cr3t@h"],
        &["connect", "s3cr3t:p@h"],
        &["connect", url, "--url-command", "s3cr3t"],
        &["connect", url, "--cap", "s3cr3t"],
        &["connect", url, "--header", "s3cr3t"],
        &["connect", url, "--header", "Upgrade: s3cr3t"],
        &["connect", url, "--header", "X-Token: s3cr3t\u{7f}"],
        &["connect", url, "--header", "X-Token:", "s3cr3t"],
        &["connect", url, "--bearer-env", "s3cr3t.token"],
        &["connect", url, "--subprotocol", "a s3cr3t"],
        &["connect", url, "--resume", "s3cr3t"],
        &["connect", url, "--token=s3cr3t"],
    ] {
        let finished = refused(arguments, &[]);
        assert!(!finished.stderr.contains("s3cr3t"), "{arguments:?}: {finished:?}");
    }
    let config = tempfile::NamedTempFile::new().unwrap();
    let path = config.path().to_str().unwrap();
    for text in [r#"{"connect":"URL"}"#, r#"{"URL":1}"#, r#"{"retry":{"jitter":"URL"}}"#] {
        std::fs::write(path, text.replace("URL", url)).unwrap();
        let finished = refused(&["connect", URL, "--config", path], &[path, "expected"]);
        assert!(!finished.stderr.contains("s3cr3t"), "{text}: {finished:?}");
    }
}

#[test]
fn files_are_named() {
    let config = tempfile::NamedTempFile::new().unwrap();
    let path = config.path().to_str().unwrap();
    for (text, word) in [
        ("{\"retry\":{\"cap\":\"soon\"}}", "retry.cap"),
        ("{\"retry\":{\"cap\":\"1ms\"}}", "retry.cap"),
        ("{\"heartbeat\":{\"beat\":1}}", "heartbeat"),
        ("{", "EOF"),
    ] {
        std::fs::write(path, text).unwrap();
        refused(&["connect", URL, "--config", path], &[path, word]);
    }
    refused(&["connect", URL, "--config", "/no/such.json"], &["/no/such.json"]);
    // Whatever the URL's scheme.
    for url in [URL, "wss://127.0.0.1:9/"] {
        refused(&["connect", url, "--ca", "/no/such.pem"], &["--ca", "/no/such.pem"]);
        refused(&["connect", url, "--ca", path], &["--ca", path]);
    }
}

#[test]
fn a_usage_error_leaves_the_trace_that_is_there() {
    let trace = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(trace.path(), "kept").unwrap();
    let path = trace.path().to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("new.jsonl");
    for arguments in [
        &["http://bad"][..],
        &[URL, "--ca", "/no/such.pem"],
        &[URL, "--subprotocol", "a", "--subprotocol", "a"],
        &[URL, "--bearer-env", "PERENNIAL_UNSET"],
        &[URL, "--config", "/no/such.json"],
        &[URL, "--cap", "0s"],
        &[],
    ] {
        for record in [path, new.to_str().unwrap()] {
            refused(&[&["connect"], arguments, &["--record", record]].concat(), &[]);
            assert_eq!(std::fs::read_to_string(path).unwrap(), "kept", "{arguments:?}");
            assert!(!new.exists(), "{arguments:?}");
        }
    }
}

#[test]
fn help_version_and_completions_go_to_stdout() {
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["help", "connect"],
        &["connect", "--help"],
        &["serve", "--help"],
        &["replay", "--help"],
        &["explain", "--help"],
        &["completions", "--help"],
        &["completions", "bash"],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["completions", "powershell"],
    ] {
        let finished = run(arguments, "");
        assert_eq!(finished.status, 0, "{arguments:?}: {finished:?}");
        assert!(finished.stderr.is_empty(), "{finished:?}");
        assert!(!finished.stdout.is_empty(), "{arguments:?}");
        if arguments.contains(&"--help") {
            let text = finished.stdout.join("\n");
            assert!(text.contains("Examples:"), "{arguments:?}");
        }
    }
}

#[test]
fn the_config_is_printed_and_read_again() {
    let options = ["--acks", "--backoff", "list:1s,2s", "--heartbeat-style", "literal:a,b"];
    let all: Vec<&str> = ["connect", "--print-config"].into_iter().chain(options).collect();
    let printed = run(&all, "");
    assert_eq!(printed.status, 0, "{printed:?}");
    let text = printed.stdout.join("\n");
    let config: perennial_core::Config = serde_json::from_str(&text).unwrap();
    assert_eq!(config.inbox.dedupe, 4096);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &text).unwrap();
    let path = file.path().to_str().unwrap();
    let again = run(&["connect", URL, "--config", path, "--print-config"], "");
    assert_eq!(again.stdout, printed.stdout);
}

#[cfg(target_os = "linux")]
#[test]
fn a_stdout_that_takes_nothing_is_no_success() {
    use crate::process::{Running, command};
    let trace = tempfile::NamedTempFile::new().unwrap();
    let path = trace.path().to_str().unwrap();
    let recorded = run(&["connect", URL, "--max-attempts", "1", "--record", path], "");
    assert_eq!(recorded.status, 1, "{recorded:?}");
    for arguments in [
        &["--version"][..],
        &["--help"],
        &["help", "connect"],
        &["completions", "bash"],
        &["connect", "--print-config"],
        &["explain", path],
        &["replay", path],
        &["replay", path, "--until", "1"],
        &["replay", path, "--step"],
        &["replay", path, "--diff", path],
        &["serve", "--listen", "127.0.0.1:0"],
        &["demo"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut running = Running::spawn_to(&mut command(arguments), full);
        running.end_stdin();
        let finished = running.finish();
        assert_eq!(finished.status, 1, "{arguments:?}: {finished:?}");
        let said = "perennial: stdout cannot be written";
        assert!(finished.stderr.starts_with(said), "{arguments:?}: {finished:?}");
    }
}
