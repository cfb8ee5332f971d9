//! Messages in whatever frames they come, and go.

use perennial_core::Payload;

use super::client::eventually;
use super::peer::{BINARY, CONTINUATION, PING, PONG, TEXT, frame};
use super::quick;
use super::run::Run;
use super::server::Server;

/// Lengths around those at which a frame's head changes (RFC 6455 §5.2).
const LENGTHS: [usize; 8] = [0, 1, 125, 126, 127, 65_535, 65_536, 65_537];

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|place| place as u8).collect()
}

pub(super) fn every_length_both_ways(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let mut peer = server.open();
    client.opens();
    for len in LENGTHS {
        client.send(bytes(len));
        let got = peer.message();
        assert!(got.opcode == BINARY && got.payload == bytes(len), "{got:?}");
        peer.binary(&bytes(len));
        client.hears_bytes(&bytes(len));
        client.send("é".repeat(len / 2));
        peer.hears(&"é".repeat(len / 2));
        peer.text(&"é".repeat(len / 2));
        client.hears(&"é".repeat(len / 2));
    }
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

pub(super) fn fragments_with_control_frames_between_them(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let mut peer = server.open();
    client.opens();
    let text = "héllo wörld, ☃ and 🦀";
    // One byte of the text in each fragment, so that characters are cut in pieces.
    for (place, byte) in text.bytes().enumerate() {
        let opcode = if place == 0 { TEXT } else { CONTINUATION };
        peer.raw(&frame(false, opcode, &[byte]));
        peer.raw(&frame(true, PING, &[place as u8]));
        peer.raw(&frame(true, PONG, b"unasked"));
        // One answer at a time, so that none may be left out (RFC 6455 §5.5.3).
        let pong = peer.frame();
        assert_eq!((pong.opcode, &*pong.payload), (PONG, &[place as u8][..]));
    }
    peer.raw(&frame(true, CONTINUATION, b""));
    client.hears(text);
    // Empty at the beginning and in the middle.
    peer.raw(&frame(false, BINARY, b""));
    peer.raw(&frame(false, CONTINUATION, b""));
    peer.raw(&frame(false, CONTINUATION, b"ab"));
    peer.raw(&frame(true, CONTINUATION, b"c"));
    client.hears_bytes(b"abc");
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
    assert_eq!(client.pongs, 0, "none of them answers a ping");
}

pub(super) fn pings_are_answered(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let mut peer = server.open();
    client.opens();
    // Without a write of our own to go along with.
    for payload in [&b""[..], b"a", &[0xff; 125]] {
        peer.raw(&frame(true, PING, payload));
        let pong = peer.frame();
        assert!(pong.opcode == PONG && pong.payload == payload, "{pong:?}");
    }
    // Only the latest of several need be answered (RFC 6455 §5.5.3).
    let mut many = Vec::new();
    for number in 0..100 {
        many.extend(frame(true, PING, &[number]));
    }
    peer.raw(&many);
    let mut last = None;
    while last != Some(99) {
        let pong = peer.frame();
        assert_eq!((pong.opcode, pong.payload.len()), (PONG, 1));
        assert!(last < Some(pong.payload[0]), "in order");
        last = Some(pong.payload[0]);
    }
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

pub(super) fn many_frames_in_one_piece(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let mut peer = server.open();
    client.opens();
    // More than one turn's share, of frames and of bytes.
    let padding = "x".repeat(100);
    let mut many = Vec::new();
    for number in 0..5_000 {
        many.extend(frame(true, TEXT, format!("{number}{padding}").as_bytes()));
    }
    std::thread::scope(|scope| {
        scope.spawn(|| peer.raw(&many));
        for number in 0..5_000 {
            client.hears(&format!("{number}{padding}"));
        }
    });
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

pub(super) fn many_messages_at_once(run: &Run<'_>) {
    let server = Server::start();
    let mut config = quick();
    config.outbox.max_messages = 5_000;
    config.outbox.max_bytes = 8 << 20;
    let mut client = run.connect(&server, config);
    for number in 0..5_000 {
        client.send(format!("{number}"));
        // Room for the reports.
        if number % 500 == 499 && number < 1_000 {
            eventually("the dial", || client.status().counters.attempts == 1);
        }
    }
    let mut peer = server.open();
    for number in 0..5_000 {
        peer.hears(&number.to_string());
    }
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
    assert_eq!(client.status().counters.flushed, 5_000);
}

/// The largest message that is taken by default, both ways.
pub(super) fn messages_of_64_mib(run: &Run<'_>) {
    const LARGE: usize = 64 << 20;
    let server = Server::start();
    let mut config = quick();
    config.outbox.max_bytes = LARGE;
    let mut client = run.connect(&server, config);
    let mut peer = server.open();
    client.opens();
    let payload = perennial_core::Bytes::from(vec![b'x'; LARGE]);
    client.send(payload.clone());
    let got = peer.message();
    assert!(got.opcode == BINARY && got.payload == payload, "{} bytes", got.payload.len());
    peer.raw(&frame(true, TEXT, &got.payload));
    match client.message() {
        Payload::Text(text) => assert!(text.as_bytes() == &*payload, "{} bytes", text.len()),
        Payload::Binary(_) => panic!("it was a text"),
    }
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}
