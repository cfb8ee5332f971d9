//! The handshake: headers, tokens, subprotocols, URLs made anew, resuming.

use perennial::practice::{Options, Server};

use crate::process::{LIMIT, Running, command};

#[test]
fn the_handshake_carries_what_was_asked_for() {
    let options = Options { subprotocols: vec!["b".to_owned()], ..Options::default() };
    let server = Server::start(options).unwrap();
    let mut command = command(&["connect", &format!("{}/feed?x=1", server.url())]);
    command.args(["--header", "X-One: 1", "--header", "X-Two: a: b", "--bearer-env", "TOKEN"]);
    command.args(["--subprotocol", "a", "--subprotocol", "b"]);
    let mut running = Running::spawn(command.env("TOKEN", "t0ken"));
    running.end_stdin();
    assert_eq!(running.finish().status, 0);
    let handshake = &server.handshakes()[0];
    assert_eq!(handshake.header("x-one"), Some("1"));
    assert_eq!(handshake.header("x-two"), Some("a: b"));
    assert_eq!(handshake.header("authorization"), Some("Bearer t0ken"));
    assert_eq!(handshake.subprotocol.as_deref(), Some("b"));
    assert_eq!((handshake.path.as_str(), handshake.query.as_str()), ("/feed", "x=1"));
}

#[test]
fn a_user_part_becomes_basic_authorization() {
    let server = Server::start(Options::default()).unwrap();
    let url = server.url().replace("//", "//Aladdin:open%20sesame@");
    let mut running = Running::start(&["connect", &url]);
    running.end_stdin();
    assert_eq!(running.finish().status, 0);
    let handshake = &server.handshakes()[0];
    assert_eq!(handshake.header("authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
}

#[cfg(unix)]
#[test]
fn the_url_command_runs_for_every_attempt() {
    let server = Server::start(Options::default()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let counter = directory.path().join("n");
    // Fails the first time, then counts.
    let script = format!(
        "echo x >> {0}; n=$(wc -l < {0}); [ $n -gt 1 ] && echo {1}/?n=$((n))",
        counter.display(),
        server.url()
    );
    let arguments = ["connect", "--url-command", &script, "--stay", "--events", "--base", "1ms"];
    let mut running = Running::start(&arguments);
    assert!(running.event("retry")["reason"].as_str().unwrap().contains("--url-command"));
    running.state("open");
    server.reset_all();
    running.state("open");
    running.signal("INT");
    let finished = running.finish();
    assert_eq!(finished.status, 0, "{finished:?}");
    let queries: Vec<String> = server.handshakes().iter().map(|h| h.query.clone()).collect();
    assert_eq!(queries, ["n=2", "n=3"]);
}

#[test]
fn resume_says_how_far_it_got() {
    let server = Server::start(Options::default()).unwrap();
    let url = format!("{}/?t=1", server.url());
    let options = ["--events", "--stay", "--resume", "since=seq", "--base", "1ms"];
    let arguments: Vec<&str> = ["connect", &url].into_iter().chain(options).collect();
    let mut running = Running::start(&arguments);
    running.state("open");
    server.reset_all();
    running.state("open");
    for value in ["{\"seq\":7}", "{\"seq\":\"a b\"}", "{\"other\":1}"] {
        server.send_all(value);
    }
    // Not awaited: the dial itself must know what came before it.
    assert!(server.wait(LIMIT, |stats| stats.sent >= 3));
    running.event("message");
    running.event("message");
    running.event("message");
    server.reset_all();
    running.state("open");
    server.close_all(1008, "");
    assert_eq!(running.finish().status, 3);
    let queries: Vec<String> = server.handshakes().iter().map(|h| h.query.clone()).collect();
    assert_eq!(queries, ["t=1", "t=1", "t=1&since=a%20b"]);
}
