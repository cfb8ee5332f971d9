//! Sides that do not read, and who waits for them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use perennial_core::{Bytes, Notice, Overflow};

use super::adapter::{Refusal, Waited};
use super::client::{Client, eventually};
use super::peer::{BINARY, PING, PONG, Peer, TEXT, frame};
use super::run::Run;
use super::server::Server;
use super::{LONG, quick};

/// The size of a message here.
const PIECE: usize = 64 << 10;

/// Longer than a script waits: whoever is woken by this end was not woken by what should.
const ENDLESS: Duration = Duration::from_secs(3600);

/// A message with its number at the front.
fn piece(number: u32) -> Bytes {
    let mut bytes = vec![7; PIECE];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

fn number(payload: &[u8]) -> u32 {
    u32::from_be_bytes([payload[0], payload[1], payload[2], payload[3]])
}

/// Sends pieces from this number on, until nothing goes any more for a while. Returns the number of
/// the next. A kernel may take more later, when it has made room.
fn fill(client: &mut Client, from: u32) -> u32 {
    let mut accepted = from;
    let mut stuck = 0;
    while stuck < 20 {
        match client.try_send(piece(accepted)) {
            Ok(_) => {
                accepted += 1;
                stuck = 0;
            }
            Err(refused) => {
                assert_eq!(refused.refusal, Refusal::Full);
                assert_eq!(refused.message.payload.len(), PIECE, "it comes back");
                stuck += 1;
                // Fetched, or the reports would be in the way.
                let _ = client.try_next(Duration::from_millis(10));
            }
        }
        assert!(accepted < 4_000, "there is no end to it");
    }
    accepted
}

/// Reads pieces in order.
fn reads(peer: &mut Peer, numbers: std::ops::Range<u32>) {
    for expected in numbers {
        let got = peer.message();
        assert_eq!(
            (got.opcode, got.payload.len(), number(&got.payload)),
            (BINARY, PIECE, expected)
        );
    }
}

pub(super) fn a_peer_that_does_not_read(run: &Run<'_>) {
    let server = Server::with_small_buffers();
    let mut client = run.connect(&server, quick());
    client.sent_is_luck();
    let mut peer = server.open();
    client.opens();
    let accepted = fill(&mut client, 0);
    let status = client.status();
    assert!(status.outbox_bytes <= 1 << 20, "bounded: {status:?}");
    reads(&mut peer, 0..accepted);
    client.until("room", |notice| matches!(notice, Notice::Writable).then_some(()));
    client.send(piece(accepted));
    reads(&mut peer, accepted..accepted + 1);
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
    let counters = client.status().counters;
    assert_eq!((counters.accepted, counters.flushed), (counters.flushed, u64::from(accepted) + 1));
}

/// Fills the outbox and begins to send one more piece, which waits for its turn, or has been
/// withdrawn. Returns its number.
fn waiting(client: &mut Client, limit: Duration) -> (u32, Receiver<Waited>) {
    let mut next = 0;
    loop {
        next = fill(client, next);
        let (sender, receiver) = channel();
        let waited = client.session().send_within(piece(next).into(), limit);
        match waited.recv_timeout(limit.min(Duration::from_millis(100)) * 2) {
            Ok(Waited::Accepted(seq)) => {
                client.waited(&Waited::Accepted(seq));
                next += 1;
            }
            Ok(outcome) => {
                sender.send(outcome).expect("the other end is here");
                return (next, receiver);
            }
            Err(_) => return (next, waited),
        }
    }
}

pub(super) fn a_sender_that_waits_has_its_turn(run: &Run<'_>) {
    run.needs("waiting senders", |features| features.waits);
    let server = Server::with_small_buffers();
    let mut config = quick();
    config.outbox.overflow = Overflow::Wait;
    let mut client = run.connect(&server, config);
    client.sent_is_luck();
    let mut peer = server.open();
    client.opens();
    let (accepted, waited) = waiting(&mut client, ENDLESS);
    reads(&mut peer, 0..accepted);
    let waited = waited.recv_timeout(LONG).expect("an outcome");
    assert!(matches!(waited, Waited::Accepted(_)), "{waited:?}");
    client.waited(&waited);
    reads(&mut peer, accepted..accepted + 1);
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

/// A send that was cancelled, or timed out, was not accepted, and nothing of it goes out.
pub(super) fn a_send_that_is_withdrawn_was_not_accepted(run: &Run<'_>) {
    run.needs("waiting senders", |features| features.waits);
    let server = Server::with_small_buffers();
    let mut client = run.connect(&server, quick());
    client.sent_is_luck();
    let mut peer = server.open();
    client.opens();
    let (accepted, waited) = waiting(&mut client, Duration::from_millis(50));
    let waited = waited.recv_timeout(LONG).expect("an outcome");
    assert!(matches!(waited, Waited::Withdrawn), "{waited:?}");
    for _ in 0..10 {
        let waited = client.session().send_within("none of these".into(), Duration::ZERO);
        // It may just fit, as it is small.
        client.waited(&waited.recv_timeout(LONG).expect("an outcome"));
    }
    let small = client.status().counters.accepted - u64::from(accepted);
    reads(&mut peer, 0..accepted);
    for _ in 0..small {
        peer.hears("none of these");
    }
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

pub(super) fn a_sender_that_waits_is_released_by_the_close(run: &Run<'_>) {
    run.needs("waiting senders", |features| features.waits);
    let server = Server::with_small_buffers();
    let mut config = quick();
    config.close.timeout = Duration::from_millis(100);
    let mut client = run.connect(&server, config);
    client.sent_is_luck();
    let mut peer = server.open();
    client.opens();
    let (_, waited) = waiting(&mut client, ENDLESS);
    client.close();
    let waited = waited.recv_timeout(LONG).expect("an outcome");
    assert!(matches!(waited, Waited::Refused(Refusal::Closed)), "{waited:?}");
    client.closed_as_asked();
    peer.ends_somehow();
}

/// Without a transport the outbox fills up exactly, and a sender that waits goes first when there
/// is room.
pub(super) fn a_full_outbox_while_down(run: &Run<'_>) {
    run.needs("waiting senders", |features| features.waits);
    let server = Server::start();
    let mut config = quick();
    config.outbox.max_messages = 2;
    let mut client = run.connect(&server, config);
    client.send("first");
    client.send("second");
    for _ in 0..3 {
        let refused = client.try_send("no room").expect_err("it is full");
        assert_eq!(refused.refusal, Refusal::Full);
        let limit = Duration::from_millis(10);
        let waited = client.session().send_within("withdrawn".into(), limit);
        let waited = waited.recv_timeout(LONG).expect("an outcome");
        assert!(matches!(waited, Waited::Withdrawn), "{waited:?}");
    }
    let large = client.try_send(vec![0; 2 << 20]).expect_err("larger than the outbox");
    assert_eq!((large.refusal, large.message.payload.len()), (Refusal::TooLarge, 2 << 20));
    let waited = client.session().send_within("third".into(), ENDLESS);
    let mut peer = server.open();
    peer.hears("first");
    peer.hears("second");
    peer.hears("third");
    client.waited(&waited.recv_timeout(LONG).expect("an outcome"));
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

pub(super) fn an_application_that_does_not_fetch(run: &Run<'_>) {
    run.needs("pauses", |features| features.pauses);
    const COUNT: u32 = 600;
    let server = Server::with_small_buffers();
    let mut config = quick();
    config.inbox.max_bytes = 256 << 10;
    let mut client = run.connect(&server, config);
    let mut peer = server.open();
    client.opens();
    let mut all = Vec::new();
    for number in 0..COUNT {
        all.extend(frame(true, BINARY, &piece(number)));
    }
    let written = peer.flood(&all, Duration::from_millis(300));
    assert!(written < all.len(), "the server was held up");
    assert!(client.status().reads_paused);
    // What the application sends meanwhile goes out all the same.
    client.send("still here");
    peer.hears("still here");
    thread::scope(|scope| {
        scope.spawn(|| peer.raw(&all[written..]));
        for expected in 0..COUNT {
            assert_eq!(number(client.message().as_bytes()), expected);
        }
    });
    client.status_is("reading", |status| !status.reads_paused);
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

/// The application may close, reconnect or leave while nothing is read.
pub(super) fn commands_while_nothing_is_fetched(run: &Run<'_>) {
    run.needs("pauses", |features| features.pauses);
    let server = Server::with_small_buffers();
    let mut config = quick();
    config.inbox.max_messages = 4;
    config.close.timeout = Duration::from_millis(100);
    let mut client = run.connect(&server, config);
    let mut all = Vec::new();
    for number in 0..600 {
        all.extend(frame(true, BINARY, &piece(number)));
    }
    // What is fetched is what was read before the pause, whose length is by luck.
    let mut peer = server.open();
    let written = peer.flood(&all, Duration::from_millis(200));
    assert!(written < all.len(), "the server was held up");
    client.session().reconnect();
    peer.ends_somehow();
    let mut peer = server.open();
    client.messages_are_luck();
    client.status_is("another transport", |status| status.counters.reconnects == 1);
    client.close();
    // The reading of this one may be paused too, until what came before is fetched.
    peer.ends_somehow();
    client.closed_as_asked();
}

/// Neither side reads, and then both do: nobody waits for the other for ever.
pub(super) fn both_sides_at_once(run: &Run<'_>) {
    run.needs("pauses", |features| features.pauses);
    const COUNT: u32 = 300;
    let server = Server::with_small_buffers();
    let mut config = quick();
    config.outbox.max_bytes = 64 << 20;
    config.inbox.max_bytes = 256 << 10;
    let mut client = run.connect(&server, config);
    let mut peer = server.open();
    client.opens();
    for number in 0..COUNT {
        client.send(piece(number));
    }
    let mut all = Vec::new();
    for number in 0..COUNT {
        all.extend(frame(true, BINARY, &piece(number)));
    }
    let mut twin = peer.twin();
    thread::scope(|scope| {
        scope.spawn(|| twin.raw(&all));
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(200));
            reads(&mut peer, 0..COUNT);
        });
        thread::sleep(Duration::from_millis(300));
        for expected in 0..COUNT {
            assert_eq!(number(client.message().as_bytes()), expected);
        }
    });
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

/// Reports that nobody fetches hold up the sender, not the reading.
pub(super) fn reports_that_nobody_fetches(run: &Run<'_>) {
    run.needs("pauses", |features| features.pauses);
    let server = Server::start();
    let mut config = quick();
    config.inbox.max_messages = 8;
    let mut client = run.connect(&server, config);
    client.sent_is_luck();
    let mut peer = server.open();
    client.opens();
    let mut accepted = 0;
    eventually("a refusal", || match client.try_send("x") {
        Ok(_) => {
            accepted += 1;
            false
        }
        Err(refused) => refused.refusal == Refusal::Full,
    });
    assert!(accepted < 1024, "by the reports, not by the outbox");
    // Pings are read, and answered.
    peer.raw(&frame(true, PING, b"?"));
    let mut heard = 0;
    loop {
        let got = peer.frame();
        if got.opcode == PONG {
            break;
        }
        heard += 1;
        assert_eq!(got.opcode, TEXT);
    }
    peer.text("a message");
    client.hears("a message");
    client.close();
    while peer.frame().opcode == TEXT {
        heard += 1;
    }
    assert!(heard <= accepted);
    peer.close(1000, "");
    peer.hang_up();
    client.closed_as_asked();
}

/// Pings without end, from a peer that does not read the answers.
pub(super) fn a_flood_of_pings(run: &Run<'_>) {
    let server = Server::with_small_buffers();
    let mut config = quick();
    config.close.timeout = Duration::from_millis(100);
    let mut client = run.connect(&server, config);
    let mut peer = server.open();
    client.opens();
    let most = 256 << 20;
    let pings = frame(true, PING, &[0; 125]).repeat(4096);
    let mut written = 0;
    while written < most {
        let count = peer.flood(&pings, Duration::from_millis(300));
        written += count;
        if count < pings.len() {
            break;
        }
    }
    assert!(written < most, "held up");
    client.close();
    client.closed_as_asked();
    peer.ends_somehow();
}

/// Frames that end nothing, without end.
pub(super) fn a_flood_of_empty_fragments(run: &Run<'_>) {
    let server = Server::with_small_buffers();
    let mut client = run.connect(&server, quick());
    let mut peer = server.open();
    client.opens();
    let mut twin = peer.twin();
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        let flood = scope.spawn(|| {
            twin.raw(&frame(false, TEXT, b""));
            let empty = frame(false, 0, b"").repeat(16 << 10);
            while !enough.load(Ordering::Relaxed) {
                twin.raw(&empty);
            }
        });
        thread::sleep(Duration::from_millis(50));
        // What the application says still gets out.
        client.send("heard?");
        peer.hears("heard?");
        client.close();
        peer.hears_close(1000);
        enough.store(true, Ordering::Relaxed);
        flood.join().expect("it comes to its end");
    });
    peer.close(1000, "");
    peer.hang_up();
    assert!(client.closed_as_asked().clean);
}

/// The connection is made anew in the middle of sending: every message comes to one end, and
/// nothing arrives twice or out of order.
pub(super) fn reconnect_while_sending(run: &Run<'_>) {
    const COUNT: u32 = 200;
    let server = Server::with_small_buffers();
    let mut config = quick();
    config.outbox.max_bytes = 64 << 20;
    config.inbox.max_messages = 10_000;
    let mut client = run.connect(&server, config);
    client.sent_is_luck();
    let mut fates = BTreeMap::new();
    for number in 0..COUNT {
        fates.insert(client.send(piece(number)), number);
    }
    let mut heard = Vec::new();
    let mut peer = server.open();
    for _ in 0..COUNT / 10 {
        heard.push(number(&peer.message().payload));
    }
    client.session().reconnect();
    let mut next = server.open();
    // What the first one was still given.
    while let Ok(frame) = peer.try_frame() {
        heard.push(number(&frame.payload));
    }
    let before = heard.len();
    while heard.last() != Some(&(COUNT - 1)) {
        heard.push(number(&next.message().payload));
    }
    assert!(before < heard.len(), "some went out anew");
    assert!(heard.windows(2).all(|pair| pair[0] < pair[1]), "in order, none twice");
    client.close();
    next.closes(1000);
    client.closed_as_asked();
    // What did not arrive is known to be in doubt, or is not known to have been flushed in vain.
    let counters = client.status().counters;
    assert_eq!(counters.flushed + counters.uncertain, u64::from(COUNT));
    assert_eq!(counters.dropped, 0);
}
