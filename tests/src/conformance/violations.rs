//! What breaks the protocol: it is answered with its code, and ends the connection for good.

use std::time::Duration;

use perennial_core::{ClosedBy, Reason};

use super::peer::{BINARY, CLOSE, CONTINUATION, Ending, PING, TEXT, close_payload, frame};
use super::quick;
use super::run::Run;
use super::server::Server;

/// The largest message taken here.
const MOST: usize = 1000;

/// The server sends this, and is told with `code` what it is.
fn broken_by(run: &Run<'_>, bytes: &[u8], code: u16) {
    let server = Server::start();
    let mut config = quick();
    config.inbox.max_message = MOST;
    let mut client = run.connect(&server, config);
    let mut peer = server.open();
    client.opens();
    peer.text("in order");
    client.hears("in order");
    peer.raw(bytes);
    // What follows means nothing any more. It must be read all the same: a socket that is closed
    // with something unread in it resets the connection, and that may overtake the close frame.
    peer.raw(&vec![0xff; 100_000]);
    peer.hears_close(code);
    peer.close(code, "");
    peer.hang_up();
    assert_eq!(peer.ends(), Ending::Fin);
    let closed = client.closed();
    assert_eq!((closed.by, closed.code), (ClosedBy::Policy, code), "{bytes:?}");
    let Reason::Violated(violation) = &closed.reason else { panic!("{closed:?}") };
    assert_eq!(violation.code, code);
    server.is_left_alone();
}

pub(super) fn text_that_is_not_utf8(run: &Run<'_>) {
    for bad in [&[0xff, 0xff][..], &[0xc0, 0x80], &[0xed, 0xa0, 0x80], &[b'a', 0xe2, 0x82]] {
        broken_by(run, &frame(true, TEXT, bad), 1007);
    }
    let mut split = frame(false, TEXT, "é".as_bytes().split_at(1).0);
    split.extend(frame(true, CONTINUATION, b"x"));
    broken_by(run, &split, 1007);
}

pub(super) fn masked_frames(run: &Run<'_>) {
    broken_by(run, &[0x81, 0x82, 1, 2, 3, 4, 0x60, 0x60], 1002);
    broken_by(run, &[0x89, 0x80, 1, 2, 3, 4], 1002);
}

pub(super) fn reserved_bits(run: &Run<'_>) {
    for bit in [0x40, 0x20, 0x10] {
        broken_by(run, &[0x81 | bit, 1, b'x'], 1002);
    }
    broken_by(run, &[0xc9, 0], 1002);
}

pub(super) fn reserved_opcodes(run: &Run<'_>) {
    for opcode in [3, 7, 0xb, 0xf] {
        broken_by(run, &frame(true, opcode, b""), 1002);
    }
}

pub(super) fn frames_that_are_too_large(run: &Run<'_>) {
    // By one byte, all of it there.
    broken_by(run, &frame(true, BINARY, &[7; MOST + 1]), 1009);
    // By their heads alone.
    broken_by(run, &[0x82, 126, 0x10, 0x00], 1009);
    broken_by(run, &[0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0], 1009);
    broken_by(run, &[0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 1009);
}

pub(super) fn messages_that_are_too_large(run: &Run<'_>) {
    let mut bytes = frame(false, TEXT, &[b'x'; MOST]);
    bytes.extend(frame(true, CONTINUATION, b"x"));
    broken_by(run, &bytes, 1009);
}

/// One of exactly the limit is taken.
pub(super) fn messages_of_the_largest_size(run: &Run<'_>) {
    let server = Server::start();
    let mut config = quick();
    config.inbox.max_message = MOST;
    let mut client = run.connect(&server, config);
    let mut peer = server.open();
    let most = "x".repeat(MOST);
    peer.text(&most);
    peer.raw(&frame(false, TEXT, &most.as_bytes()[..MOST / 2]));
    peer.raw(&frame(true, CONTINUATION, &most.as_bytes()[MOST / 2..]));
    client.hears(&most);
    client.hears(&most);
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

pub(super) fn control_frames_that_are_none(run: &Run<'_>) {
    // Too long (RFC 6455 §5.5).
    broken_by(run, &frame(true, PING, &[0; 126]), 1002);
    // In fragments.
    broken_by(run, &frame(false, PING, b""), 1002);
    broken_by(run, &frame(false, CLOSE, b""), 1002);
}

pub(super) fn close_frames_that_are_none(run: &Run<'_>) {
    // Half a code.
    broken_by(run, &[0x88, 1, 3], 1002);
    for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535] {
        broken_by(run, &frame(true, CLOSE, &close_payload(code, "")), 1002);
    }
    // A reason that is not UTF-8.
    broken_by(run, &[0x88, 4, 0x03, 0xe8, 0xff, 0xff], 1007);
}

pub(super) fn fragments_out_of_order(run: &Run<'_>) {
    broken_by(run, &frame(true, CONTINUATION, b"of what?"), 1002);
    let mut bytes = frame(false, TEXT, b"begun");
    bytes.extend(frame(true, TEXT, b"and not ended"));
    broken_by(run, &bytes, 1002);
}

/// A peer that does not answer the close that it is sent.
pub(super) fn a_violation_without_an_end(run: &Run<'_>) {
    let server = Server::start();
    let mut config = quick();
    config.close.timeout = Duration::from_millis(100);
    let mut client = run.connect(&server, config);
    let mut peer = server.open();
    client.opens();
    peer.raw(&[0xc1, 0]);
    peer.hears_close(1002);
    let closed = client.closed();
    assert_eq!((closed.by, closed.code, closed.clean), (ClosedBy::Policy, 1002, false));
    peer.ends_somehow();
    server.is_left_alone();
}
