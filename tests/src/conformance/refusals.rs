//! Dials that fail: refused by status, broken off, not HTTP, too slow, nobody there.

use std::time::{Duration, Instant};

use perennial_core::{Backoff, ClosedBy, DialError, Jitter, Reason};

use super::peer::{Ending, answer};
use super::run::Run;
use super::server::Server;
use super::{patient, quick};

/// The step at which a dial failed.
fn step(reason: &Reason) -> Option<DialError> {
    match reason {
        Reason::DialFailed(failure) => Some(failure.kind),
        _ => None,
    }
}

/// Plays the first dial's server, then one without a fault. Returns why the first dial failed.
fn mended(run: &Run<'_>, fault: impl FnOnce(&Server)) -> Reason {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    fault(&server);
    let (_, reason) = client.retries();
    let peer = server.open();
    client.opens();
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
    reason
}

/// The first dial is answered with this, whole, and then the end of the stream. Returns why it
/// failed.
fn answered(run: &Run<'_>, bytes: &[u8]) -> Reason {
    mended(run, |server| {
        let mut peer = server.accept();
        peer.request();
        peer.raw(bytes);
        peer.hang_up();
    })
}

pub(super) fn statuses_that_no_retry_can_mend(run: &Run<'_>) {
    for status in [400, 401, 403, 404, 410, 426] {
        let server = Server::start();
        let mut client = run.connect(&server, quick());
        server.accept().refuse(&format!("{status} No\r\nContent-Length: 0"));
        let closed = client.closed();
        assert_eq!(closed.by, ClosedBy::Server, "{status}");
        assert_eq!(closed.reason.status(), Some(status));
        assert_eq!((closed.code, closed.clean), (1006, false), "{status}");
        server.is_left_alone();
    }
}

pub(super) fn other_statuses_are_tried_again(run: &Run<'_>) {
    for status in [200, 204, 402, 429, 500, 502, 503] {
        let reason = answered(run, format!("HTTP/1.1 {status} No\r\n\r\n").as_bytes());
        assert_eq!((reason.status(), step(&reason)), (Some(status), Some(DialError::Status)));
    }
}

pub(super) fn redirects_are_not_followed(run: &Run<'_>) {
    let elsewhere = Server::start();
    for status in [301, 302, 307, 308] {
        let text = format!("HTTP/1.1 {status} There\r\nLocation: {}\r\n\r\n", elsewhere.url());
        let reason = answered(run, text.as_bytes());
        assert_eq!((reason.status(), step(&reason)), (Some(status), Some(DialError::Status)));
    }
    elsewhere.is_left_alone();
}

pub(super) fn retry_after_is_waited_for(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    server.accept().refuse("503 Service Unavailable\r\nRetry-After: 1");
    let refused = Instant::now();
    let (delay, reason) = client.retries();
    assert_eq!((delay, reason.status()), (Duration::from_secs(1), Some(503)));
    let peer = server.open();
    // The client had the answer a little earlier than it was seen to be gone.
    assert!(refused.elapsed() >= Duration::from_millis(900), "{:?}", refused.elapsed());
    client.opens();
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

pub(super) fn retry_after_has_its_limit_and_its_statuses(run: &Run<'_>) {
    for (status, wanted) in [(429, 7), (503, 7), (500, 1)] {
        let server = Server::start();
        let mut config = patient();
        config.retry.backoff = Backoff::Constant { base: Duration::from_secs(1) };
        config.retry.max_retry_after = Duration::from_secs(7);
        let mut client = run.connect(&server, config);
        server.accept().refuse(&format!("{status} Later\r\nRetry-After: 3600"));
        let (delay, _) = client.retries();
        assert_eq!(delay, Duration::from_secs(wanted), "{status}");
        client.close();
        client.closed_as_asked();
    }
}

pub(super) fn delays_follow_the_seed(run: &Run<'_>) {
    let server = Server::start();
    let mut config = quick();
    let base = Duration::from_millis(4);
    config.retry.backoff = Backoff::Exponential { base, factor_percent: 200 };
    config.retry.jitter = Jitter::Full;
    config.retry.max_attempts = Some(6);
    let mut client = run.connect(&server, config);
    // The delays are in the transcript.
    for _ in 0..6 {
        server.accept().refuse("502 Bad Gateway\r\nRetry-After: 100");
    }
    let closed = client.closed();
    assert_eq!(closed.by, ClosedBy::Policy);
    assert!(matches!(closed.reason, Reason::MaxAttempts(_)), "{closed:?}");
    server.is_left_alone();
}

pub(super) fn an_outage_has_its_limit(run: &Run<'_>) {
    let server = Server::start();
    let mut config = patient();
    config.retry.max_outage = Some(Duration::from_millis(50));
    let mut client = run.connect(&server, config);
    // It never answers, so that the limit is reached in the same place however busy the machine is.
    let _silent = server.accept();
    let closed = client.closed();
    assert_eq!((closed.by, closed.reason), (ClosedBy::Policy, Reason::MaxOutage));
}

pub(super) fn a_wrong_accept_key(run: &Run<'_>) {
    let reason = mended(run, |server| {
        let mut peer = server.accept();
        let other = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
        peer.request();
        peer.raw(answer(other, "").as_bytes());
        // Nothing of the kind may be sent to such a server, not even a close frame.
        assert_eq!(peer.ends(), Ending::Fin);
    });
    assert_eq!(step(&reason), Some(DialError::Handshake));
}

pub(super) fn an_answer_without_what_it_must_have(run: &Run<'_>) {
    for missing in ["Upgrade", "Connection", "Sec-WebSocket-Accept"] {
        let reason = mended(run, |server| {
            let mut peer = server.accept();
            let whole = answer(&peer.request(), "");
            let lines = whole.split_inclusive("\r\n");
            let rest: String = lines.filter(|line| !line.starts_with(missing)).collect();
            peer.raw(rest.as_bytes());
            assert_eq!(peer.ends(), Ending::Fin);
        });
        assert_eq!(step(&reason), Some(DialError::Handshake), "{missing}");
    }
}

/// What is agreed on must have been offered (RFC 6455 §4.1).
pub(super) fn what_was_not_asked_for(run: &Run<'_>) {
    let cases = [
        ("Sec-WebSocket-Extensions: permessage-deflate\r\n", "extension"),
        ("Sec-WebSocket-Protocol: other\r\n", "subprotocol"),
    ];
    for (line, word) in cases {
        let reason = mended(run, |server| {
            let mut peer = server.accept();
            let whole = answer(&peer.request(), line);
            peer.raw(whole.as_bytes());
            assert_eq!(peer.ends(), Ending::Fin);
        });
        assert_eq!(step(&reason), Some(DialError::Handshake), "{line}");
        run.says(&reason, word);
    }
}

pub(super) fn what_is_not_http(run: &Run<'_>) {
    for text in [
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        "\x15\x03\x03\x00\x02\x02\x46\r\n\r\n",
        "HTTP/0.9 ?\r\n\r\n",
    ] {
        let reason = answered(run, text.as_bytes());
        assert_eq!(step(&reason), Some(DialError::Handshake), "{text}");
        run.says(&reason, "not HTTP");
    }
}

pub(super) fn an_answer_that_never_ends(run: &Run<'_>) {
    let reason = mended(run, |server| {
        let mut peer = server.accept();
        peer.request();
        peer.raw(b"HTTP/1.1 101 Switching Protocols\r\n");
        let line = format!("X-Padding: {}\r\n", "x".repeat(1000));
        // More than anybody needs; it is hung up on meanwhile.
        let _ = peer.flood(line.repeat(2000).as_bytes(), Duration::from_secs(5));
    });
    assert_eq!(step(&reason), Some(DialError::Handshake));
}

pub(super) fn an_answer_that_breaks_off(run: &Run<'_>) {
    for part in ["", "HTTP/1.1 101 Switching Protocols\r\nUpgr"] {
        let reason = answered(run, part.as_bytes());
        assert_eq!(step(&reason), Some(DialError::Handshake), "{part}");
        run.says(&reason, "before the answer was complete");
    }
    let reason = mended(run, |server| {
        let mut peer = server.accept();
        peer.request();
        peer.raw(b"HTTP/1.1 101 Switching");
        peer.reset();
    });
    assert_eq!(step(&reason), Some(DialError::Handshake));
    run.says(&reason, "reset");
}

pub(super) fn an_answer_that_never_comes(run: &Run<'_>) {
    let server = Server::start();
    let mut config = quick();
    config.connect.dial_timeout = Duration::from_millis(100);
    config.retry.max_attempts = Some(1);
    let mut client = run.connect(&server, config);
    let mut peer = server.accept();
    peer.request();
    let closed = client.closed();
    let Reason::MaxAttempts(last) = closed.reason else { panic!("{closed:?}") };
    assert_eq!(*last, Reason::DialTimeout);
    assert_eq!(peer.ends(), Ending::Fin);
}

/// Without an end at all, at first: then the dial is over, and what comes late is of no use.
pub(super) fn an_answer_that_comes_too_late(run: &Run<'_>) {
    let server = Server::start();
    let mut config = quick();
    config.connect.dial_timeout = Duration::from_millis(500);
    let mut client = run.connect(&server, config);
    let mut late = server.accept();
    let request = late.request();
    late.raw(b"HTTP/1.1 101 Swi");
    let (_, reason) = client.retries();
    assert_eq!(reason, Reason::DialTimeout);
    let peer = server.open();
    // The first connection may be gone already.
    let _ = std::io::Write::write_all(&mut late, &answer(&request, "").as_bytes()[16..]);
    client.opens();
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
    let status = client.status();
    assert_eq!(status.counters.attempts, 2);
}

pub(super) fn nobody_listens(run: &Run<'_>) {
    let address = Server::nowhere();
    let mut client = run.connect_with(run.plan(&format!("ws://{address}/"), patient()));
    client.send("queued meanwhile");
    let (_, reason) = client.retries();
    assert_eq!(step(&reason), Some(DialError::Connect));
    run.says(&reason, &address.to_string());
    let server = Server::at(address);
    client.session().reconnect();
    let mut peer = server.open();
    peer.hears("queued meanwhile");
    client.opens();
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

pub(super) fn connecting_takes_for_ever(run: &Run<'_>) {
    let Some(server) = Server::full() else { run.cannot("a full queue refuses callers here") };
    let mut config = patient();
    config.connect.dial_timeout = Duration::from_millis(100);
    let mut client = run.connect(&server, config);
    let (_, reason) = client.retries();
    assert_eq!(reason, Reason::DialTimeout);
    client.close();
    client.closed_as_asked();
}
