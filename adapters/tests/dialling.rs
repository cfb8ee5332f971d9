//! Hooks, and what connecting says at once.

#![cfg(feature = "blocking")]
#![allow(clippy::unwrap_used, clippy::wildcard_imports)]

mod support;

use std::io::Write;
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use perennial::blocking::{Client, RetryContext};
use perennial::{
    ClosedBy, Config, HookError, NotOpen, Outgoing, Reason, Refusal, RetryChoice, State,
};
use support::*;

#[test]
fn waiting_for_open_ends_with_a_refusal() {
    let server = Server::start(|_, mut stream| {
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let client = connect(&server.url(), quick());
    let error = client.wait_open(LONG).unwrap_err();
    assert!(
        matches!(&error, NotOpen::Closed(closed) if closed.reason.status() == Some(401)),
        "{error}"
    );
}

#[test]
fn hooks_see_and_change_every_attempt() {
    let (sender, receiver) = mpsc::channel();
    let server = Server::start(move |number, mut stream| {
        let request = read_request(&mut stream);
        sender.send(request.clone()).unwrap();
        if number == 1 {
            stream.write_all(answer(&request, "").as_bytes()).unwrap();
            drain(&mut stream);
        }
    });
    let url = server.url();
    let mut tokens = ["first", "second"].into_iter();
    let mut config = quick();
    config.retry.backoff = perennial::Backoff::Constant { base: Duration::from_secs(30) };
    let mut client = Client::builder("ws://127.0.0.1:9/")
        .config(config.build().unwrap())
        .header("X-Always", "yes")
        .on_request(move |attempt| {
            attempt.set_url(&format!("{url}feed?attempt={}", attempt.number))?;
            attempt.bearer(tokens.next().ok_or(HookError::Stop("no token".into()))?)?;
            Ok(())
        })
        .on_retry(|context: &RetryContext| {
            assert_eq!(context.delay, Duration::from_secs(30));
            RetryChoice::After(Duration::from_millis(1))
        })
        .connect()
        .unwrap();
    until(&mut client, State::Open);
    for (number, token) in [(1, "first"), (2, "second")] {
        let request = receiver.recv_timeout(LONG).unwrap();
        assert!(request.starts_with(&format!("GET /feed?attempt={number} ")), "{request}");
        assert!(request.contains(&format!("Authorization: Bearer {token}\r\n")), "{request}");
        assert!(request.contains("X-Always: yes\r\n"), "{request}");
    }
}

#[test]
fn nothing_is_dialled_with_an_empty_token() {
    let server = Server::echo();
    for token in ["", "  "] {
        let error = Client::builder(server.url()).bearer(token).connect().unwrap_err();
        assert!(matches!(error, perennial::Error::Header { .. }), "{error}");
    }
    let mut tokens = ["", "token"].into_iter();
    let mut client = Client::builder(server.url())
        .config(quick().build().unwrap())
        .on_request(move |attempt| Ok(attempt.bearer(tokens.next().unwrap_or_default())?))
        .connect()
        .unwrap();
    let failure = failure(&mut client);
    assert!(failure.contains("token is empty"), "{failure}");
    until(&mut client, State::Open);
    assert_eq!(server.accepted(), 1);
}

#[test]
fn a_whole_request_is_the_model_of_every_attempt() {
    let (sender, receiver) = mpsc::channel();
    let server = Server::start(move |number, mut stream| {
        let request = read_request(&mut stream);
        sender.send(request.clone()).unwrap();
        if number == 1 {
            let more = "Sec-WebSocket-Protocol: b\r\n";
            stream.write_all(answer(&request, more).as_bytes()).unwrap();
            drain(&mut stream);
        }
    });
    let request = perennial::http::Request::get(format!("{}feed", server.url()))
        .header("Host", "virtual.example")
        .header("Cookie", "a=1")
        .header("Cookie", "b=2")
        .header("Sec-WebSocket-Protocol", "a, b")
        .header("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
        .body(())
        .unwrap();
    let builder = Client::builder(request).config(quick().build().unwrap());
    let mut client = builder.connect().unwrap();
    until(&mut client, State::Open);
    let mut keys = Vec::new();
    for _ in 0..2 {
        let request = receiver.recv_timeout(LONG).unwrap();
        assert!(request.starts_with("GET /feed HTTP/1.1\r\n"), "{request}");
        for line in ["host: virtual.example", "cookie: a=1", "cookie: b=2"] {
            assert!(request.contains(&format!("\r\n{line}\r\n")), "{line} in {request}");
        }
        assert!(request.contains("Sec-WebSocket-Protocol: a, b\r\n"), "{request}");
        let key = request.lines().find(|line| line.starts_with("Sec-WebSocket-Key: ")).unwrap();
        keys.push(key.to_owned());
    }
    assert!(keys[0] != keys[1] && !keys.concat().contains("AAAAAA"), "{keys:?}");
}

#[test]
fn a_hook_may_give_up() {
    let mut client = Client::builder("ws://127.0.0.1:9/")
        .on_request(|_| Err(HookError::Stop("no token".into())))
        .connect()
        .unwrap();
    let closed = closed(&mut client);
    assert!(closed.reason.to_string().contains("no token"), "{}", closed.reason);
}

#[test]
fn a_hook_that_hangs_holds_up_nothing_else() {
    let (release, held) = mpsc::channel::<()>();
    let mut config = quick();
    config.connect.dial_timeout = Duration::from_millis(50);
    let mut client = Client::builder("ws://127.0.0.1:9/")
        .config(config.build().unwrap())
        .on_request(move |_| {
            let _ = held.recv();
            Ok(())
        })
        .connect()
        .unwrap();
    assert!(failure(&mut client).contains("timed out"));
    assert!(failure(&mut client).contains("still runs for an earlier attempt"));
    client.close();
    assert_eq!(closed(&mut client).by, ClosedBy::Application);
    drop(release);
}

#[test]
fn fail_fast_says_why() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    drop(listener);
    let mut config = quick();
    config.connect.fail_fast = true;
    let config = config.build().unwrap();
    let error = Client::builder(&url).config(config.clone()).connect().unwrap_err();
    assert!(
        matches!(&error, perennial::Error::Closed(closed)
        if matches!(closed.reason, Reason::FirstFailed(_))),
        "{error}"
    );
    let server = Server::echo();
    let mut client = Client::builder(server.url()).config(config).connect().unwrap();
    assert_eq!(client.state(), State::Open);
    client.send("x").unwrap();
    assert_eq!(text(&mut client), "x");
}

#[test]
fn what_can_never_work_is_an_error_at_once() {
    let bad = |builder: perennial::blocking::Builder| builder.connect().unwrap_err().to_string();
    assert!(bad(Client::builder("http://example.org/")).contains("use ws://"));
    let header = bad(Client::builder("ws://h/").header("Upgrade", "hidden"));
    assert!(header.contains("Upgrade") && !header.contains("hidden"), "{header}");
    let post = perennial::http::Request::post("ws://h/").body(()).unwrap();
    assert!(bad(Client::builder(post)).contains("GET"));
    assert!(bad(perennial::Builder::from_request("hidden hidden")).contains("request"));
    let too_much = Outgoing::new("x".repeat(2 << 20));
    let client = connect("ws://127.0.0.1:9/", Config::builder());
    let error = client.send(too_much).unwrap_err();
    assert!(matches!(error.refusal, Refusal::TooLarge { .. }), "{error}");
    assert_eq!(error.message.payload.len(), 2 << 20, "it comes back");
}
