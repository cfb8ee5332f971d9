//! Handshakes that succeed, in whatever pieces they come.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use perennial_core::{ClosedBy, Outgoing};

use super::peer::{CLOSE, PING, PONG, TEXT, answer, close_payload, frame, header};
use super::quick;
use super::run::Run;
use super::server::Server;

pub(super) fn a_connection_opens_and_closes(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let mut peer = server.open();
    client.opens();
    for word in ["one", "two", "three"] {
        client.send(word);
    }
    client.send(vec![0_u8, 255]);
    for word in ["one", "two", "three"] {
        peer.hears(word);
        peer.text(word);
    }
    assert_eq!(peer.message().payload, [0, 255]);
    peer.binary(&[0, 255]);
    for word in ["one", "two", "three"] {
        client.hears(word);
    }
    client.hears_bytes(&[0, 255]);
    client.session().close(4321, "so long").expect("a valid code");
    peer.closes(4321);
    let closed = client.closed_as_asked();
    assert_eq!((closed.code, closed.clean), (4321, true));
    let refused = client.try_send("late").expect_err("it is closed");
    assert_eq!(refused.refusal, super::Refusal::Closed);
    assert_eq!(refused.message, Outgoing::new("late"));
    let counters = client.status().counters;
    assert_eq!((counters.accepted, counters.flushed, counters.received), (4, 4, 4));
    server.is_left_alone();
}

pub(super) fn the_request_says_what_it_should(run: &Run<'_>) {
    let server = Server::start();
    let mut plan = run.plan(&format!("{}feed?since=7", server.url()), quick());
    plan.headers = vec![("X-One".into(), "1".into()), ("Authorization".into(), "Bearer t".into())];
    plan.subprotocols = vec!["v2".into(), "v1".into()];
    let mut client = run.connect_with(plan);
    let mut keys = BTreeSet::new();
    for _ in 0..2 {
        let mut peer = server.accept();
        let request = peer.request();
        assert!(request.starts_with("GET /feed?since=7 HTTP/1.1\r\n"), "{request}");
        assert_eq!(header(&request, "Host"), Some(&*server.address().to_string()));
        assert_eq!(header(&request, "X-One"), Some("1"));
        assert_eq!(header(&request, "Authorization"), Some("Bearer t"));
        let offered = header(&request, "Sec-WebSocket-Protocol").expect("an offer");
        assert_eq!(offered.split(',').map(str::trim).collect::<Vec<_>>(), ["v2", "v1"]);
        // Each dial has a key of its own (RFC 6455 §4.1).
        assert!(keys.insert(header(&request, "Sec-WebSocket-Key").expect("a key").to_owned()));
        peer.raw(answer(&request, "Sec-WebSocket-Protocol: v1\r\n").as_bytes());
        client.opens();
        peer.hang_up();
    }
    let peer = server.open();
    client.opens();
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

pub(super) fn the_answer_may_be_written_oddly(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let mut peer = server.accept();
    let plain = answer(&peer.request(), "X-Padding: \t \r\nX-Empty:\r\n");
    let odd = plain
        .replace("Upgrade: websocket", "uPGRADE:   WebSocket  ")
        .replace("Connection: Upgrade", "connection:keep-alive, upgrade")
        .replace("Switching Protocols", "");
    peer.raw(odd.as_bytes());
    client.opens();
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

pub(super) fn one_byte_at_a_time(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let mut peer = server.accept();
    let request = peer.request();
    let mut bytes = answer(&request, "X-Padding: more than a few bytes\r\n").into_bytes();
    bytes.extend(frame(true, TEXT, b"first"));
    bytes.extend(frame(false, TEXT, b"sec"));
    bytes.extend(frame(true, PING, b"!"));
    bytes.extend(frame(true, 0, b"ond"));
    bytes.extend(frame(true, TEXT, &[b'x'; 130]));
    for byte in bytes {
        peer.raw(&[byte]);
        // Long enough that most bytes are read alone; nothing depends on it.
        thread::sleep(Duration::from_micros(200));
    }
    client.hears("first");
    client.hears("second");
    client.hears(&"x".repeat(130));
    let pong = peer.frame();
    assert_eq!((pong.opcode, &*pong.payload), (PONG, &b"!"[..]));
    for byte in frame(true, CLOSE, &close_payload(1008, "no")) {
        peer.raw(&[byte]);
    }
    peer.hears_close(1008);
    peer.hang_up();
    let closed = client.closed();
    assert_eq!((closed.by, closed.code, closed.clean), (ClosedBy::Server, 1008, true));
    assert_eq!(client.status().counters.attempts, 1, "at the first attempt");
}

pub(super) fn frames_glued_to_the_answer(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let mut peer = server.accept();
    let mut glued = answer(&peer.request(), "").into_bytes();
    for number in 0..100_u8 {
        glued.extend(frame(true, 2, &[number]));
    }
    // And the first half of another frame.
    let last = frame(true, TEXT, "the last".as_bytes());
    glued.extend_from_slice(&last[..4]);
    peer.raw(&glued);
    for number in 0..100_u8 {
        client.hears_bytes(&[number]);
    }
    peer.raw(&last[4..]);
    client.hears("the last");
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

/// More than one read takes.
pub(super) fn a_large_message_glued_to_the_answer(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let mut peer = server.accept();
    let large: Vec<u8> = (0..300_000_u32).map(|number| number as u8).collect();
    let mut glued = answer(&peer.request(), "").into_bytes();
    glued.extend(frame(true, 2, &large));
    glued.extend(frame(true, TEXT, b"and this"));
    peer.raw(&glued);
    client.hears_bytes(&large);
    client.hears("and this");
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

pub(super) fn a_close_glued_to_the_answer(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let mut peer = server.accept();
    let mut glued = answer(&peer.request(), "").into_bytes();
    glued.extend(frame(true, TEXT, b"nobody home"));
    glued.extend(frame(true, CLOSE, &close_payload(1001, "")));
    peer.raw(&glued);
    // And the end of the stream.
    peer.hang_up();
    client.opens();
    client.hears("nobody home");
    let (_, reason) = client.retries();
    assert_eq!(reason.code(), 1001);
    peer.hears_close(1001);
    let peer = server.open();
    client.opens();
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

/// Slow, and yet in time.
pub(super) fn a_slow_handshake(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let mut peer = server.accept();
    let whole = answer(&peer.request(), "");
    for piece in whole.as_bytes().chunks(40) {
        thread::sleep(Duration::from_millis(20));
        peer.raw(piece);
    }
    client.opens();
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
    assert_eq!(client.status().counters.attempts, 1);
}
