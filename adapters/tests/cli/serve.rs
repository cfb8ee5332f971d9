//! `perennial serve`, with `perennial connect` against it.

use crate::process::{Running, run};

/// Starts it on a free port; the URL comes from its first line.
fn serve(options: &[&str]) -> (Running, String) {
    let arguments = [&["serve", "--listen", "127.0.0.1:0"], options].concat();
    let mut running = Running::start(&arguments);
    let line = running.line();
    let url = line.strip_prefix("listening on ").unwrap().to_owned();
    assert!(url.starts_with("ws://127.0.0.1:"), "{url}");
    (running, url)
}

#[test]
fn it_echoes() {
    let (_serving, url) = serve(&[]);
    let finished = run(&["connect", &url, "--acks", "--events"], "{\"id\":1}\n");
    assert_eq!(finished.status, 0, "{finished:?}");
    assert_eq!(finished.ledger()["acknowledged"], 1);
    assert_eq!(finished.texts(), ["{\"id\":1}"]);
}

#[test]
fn its_faults_are_the_options() {
    let (_serving, url) = serve(&["--refuse", "403"]);
    assert_eq!(run(&["connect", &url], "").status, 3);

    let (_serving, url) = serve(&["--refuse", "503", "--retry-after", "1s", "--for", "500ms"]);
    let finished = run(&["connect", &url, "--events", "--base", "1ms"], "x\n");
    assert_eq!(finished.status, 0, "{finished:?}");
    assert_eq!(finished.named("retry")[0]["advice"], "retry-after");

    let (_serving, url) = serve(&["--close-code", "1008", "--after-messages", "2"]);
    let mut running = Running::start(&["connect", &url, "--stay"]);
    running.say("a\nb\n");
    assert_eq!(running.finish().status, 3);

    let (_serving, url) = serve(&["--drop-every", "50ms", "--seed", "3"]);
    let mut running = Running::start(&["connect", &url, "--stay", "--events", "--base", "1ms"]);
    running.state("reconnecting");
    running.state("open");

    let (_serving, url) = serve(&["--duplicate", "1"]);
    let finished = run(&["connect", &url], "a\n");
    assert_eq!(finished.stdout, ["a", "a"]);

    let (_serving, url) = serve(&["--lose-acks", "1"]);
    let finished = run(&["connect", &url, "--acks", "--drain", "100ms", "--events"], "a\n");
    assert_eq!(finished.status, 1, "{finished:?}");
    assert_eq!(finished.ledger()["uncertain"], 1);

    let (_serving, url) = serve(&["--slow-handshake", "10s"]);
    let arguments = ["connect", &url, "--dial-timeout", "50ms", "--max-attempts", "1"];
    assert_eq!(run(&arguments, "").status, 1);
}

#[test]
fn its_apps_are_there() {
    let (_serving, url) = serve(&["--app", "ticker"]);
    let mut running = Running::start(&["connect", &url, "--count", "2"]);
    running.say("{\"type\":\"subscribe\",\"symbols\":[\"A\"]}\n");
    let finished = running.finish();
    assert!(finished.stdout.iter().all(|line| line.contains("\"tick\"")), "{finished:?}");
    for app in ["chat", "ai", "game"] {
        serve(&["--app", app]);
    }
}

#[cfg(unix)]
#[test]
fn it_ends_with_a_signal() {
    for signal in ["INT", "TERM"] {
        let (serving, _) = serve(&[]);
        serving.signal(signal);
        assert_eq!(serving.finish().status, 0);
    }
}
