//! Peers that fall silent, and peers that seem to.

use std::io::Read as _;
use std::thread;
use std::time::{Duration, Instant};

use perennial_core::{ConfigBuilder, Death, DialectConfig, HeartbeatStyle, Notice};

use super::client::Client;
use super::peer::{PING, PONG, Peer, TEXT, frame};
use super::run::Run;
use super::server::Server;
use super::{LONG, quick};

/// With heartbeats at this interval and deadline.
fn beating(interval: u64, deadline: u64) -> ConfigBuilder {
    let mut config = quick();
    config.heartbeat.interval = Duration::from_millis(interval);
    config.heartbeat.deadline = Duration::from_millis(deadline);
    config
}

/// Waits until the link is found dead.
fn is_found_dead(client: &mut Client) {
    let why = client.until("a death", |notice| match notice {
        Notice::Dead { why, .. } => Some(*why),
        _ => None,
    });
    assert_eq!(why, Death::Pong);
}

/// The client comes back to a peer that answers, and closes.
fn comes_back(client: &mut Client, server: &Server) {
    let mut peer = server.open();
    client.opens();
    client.close();
    closes_amid_traffic(&mut peer);
    client.closed_as_asked();
}

/// Answers the close, whatever comes before it.
fn closes_amid_traffic(peer: &mut Peer) {
    loop {
        let frame = peer.frame();
        match frame.opcode {
            8 => break,
            PING => peer.raw(&super::peer::frame(true, PONG, &frame.payload)),
            _ => {}
        }
    }
    peer.close(1000, "");
    peer.hang_up();
    peer.ends_somehow();
}

pub(super) fn a_peer_that_answers_nothing(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, beating(50, 50));
    let mut peer = server.open();
    client.opens();
    let ping = peer.frame();
    assert_eq!((ping.opcode, ping.payload.len()), (PING, 8));
    is_found_dead(&mut client);
    // Without a goodbye.
    peer.ends();
    comes_back(&mut client, &server);
}

/// It takes everything and says nothing, while the application sends all the time. Writes that
/// succeed prove nothing, and must not put off the deadline.
pub(super) fn a_dead_peer_under_load(run: &Run<'_>) {
    let server = Server::start();
    let mut config = beating(100, 400);
    // Reports that were not fetched yet hold the sender up all the time.
    config.inbox.max_messages = 16;
    let mut client = run.connect(&server, config);
    client.sent_is_luck();
    let mut peer = server.open();
    client.opens();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut sink = [0; 64 << 10];
            while peer.read(&mut sink).is_ok_and(|count| count > 0) {}
        });
        let end = Instant::now() + LONG;
        let mut is_dead = false;
        while !is_dead {
            assert!(Instant::now() < end, "put off again and again");
            let _ = (0..64).find(|_| client.try_send("x".repeat(1000)).is_err());
            // One more that waits, where there is such a thing.
            let features = run.adapter.features();
            let waits = features.waits.then(|| client.session().send_within("y".into(), 10 * LONG));
            loop {
                if let Some(notice) = client.try_next(Duration::from_millis(1)) {
                    is_dead |= matches!(notice, Notice::Dead { .. });
                }
                if is_dead {
                    // Nothing goes out any more.
                    client.session().purge();
                }
                let Some(waits) = &waits else { break };
                assert!(Instant::now() < end, "room, by now");
                if let Ok(outcome) = waits.try_recv() {
                    client.waited(&outcome);
                    break;
                }
            }
        }
    });
    assert!(client.status().counters.flushed > 0);
    client.session().purge();
    comes_back(&mut client, &server);
}

/// It stops reading in the middle of a message.
pub(super) fn a_peer_that_freezes_while_we_send(run: &Run<'_>) {
    let server = Server::with_small_buffers();
    let mut config = beating(100, 300);
    config.outbox.max_bytes = 32 << 20;
    let mut client = run.connect(&server, config);
    let mut peer = server.open();
    client.opens();
    client.send(vec![7; 16 << 20]);
    client.send("never handed over");
    peer.read_exact(&mut [0; 14]).expect("a frame's head");
    is_found_dead(&mut client);
    let mut next = server.open();
    client.opens();
    next.hears("never handed over");
    client.close();
    closes_amid_traffic(&mut next);
    client.closed_as_asked();
    peer.ends_somehow();
}

/// Pongs come, and nothing else: it is alive.
pub(super) fn a_peer_that_only_answers_pings(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, beating(20, 5_000));
    let mut peer = server.open();
    client.opens();
    for _ in 0..5 {
        let ping = peer.frame();
        assert_eq!(ping.opcode, PING);
        peer.raw(&frame(true, PONG, &ping.payload));
    }
    while client.pongs < 5 {
        assert!(client.try_next(LONG).is_some(), "a pong");
    }
    assert!(client.status().rtt.is_some());
    client.close();
    closes_amid_traffic(&mut peer);
    client.closed_as_asked();
}

/// The dialect's own pings, in both directions.
pub(super) fn pings_as_text(run: &Run<'_>) {
    let server = Server::start();
    let mut config = beating(20, 5_000);
    config.heartbeat.style = HeartbeatStyle::Application;
    config.dialect = DialectConfig::text();
    let mut client = run.connect(&server, config);
    let mut peer = server.open();
    client.opens();
    peer.hears("ping");
    peer.text("ping");
    loop {
        let got = peer.message();
        if got.payload == b"pong" {
            break;
        }
        assert_eq!(got.payload, b"ping");
    }
    peer.text("pong");
    peer.text("a message");
    client.hears("a message");
    client.close();
    closes_amid_traffic(&mut peer);
    client.closed_as_asked();
    assert!(client.pongs > 0);
}

/// The server is to ping, and stops.
pub(super) fn a_server_that_stops_pinging(run: &Run<'_>) {
    let server = Server::start();
    let mut config = beating(200, 200);
    config.heartbeat.style = HeartbeatStyle::Server;
    let mut client = run.connect(&server, config);
    let mut peer = server.open();
    client.opens();
    for _ in 0..3 {
        peer.raw(&frame(true, PING, b"still here"));
        assert_eq!(peer.frame().opcode, PONG);
    }
    is_found_dead(&mut client);
    comes_back(&mut client, &server);
}

/// A message that takes longer than the deadline, byte by byte, while no ping is answered.
pub(super) fn half_a_frame_proves_life(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, beating(100, 800));
    let mut peer = server.open();
    client.opens();
    let whole = frame(true, TEXT, &[b'x'; 200]);
    let begun = Instant::now();
    for byte in &whole {
        peer.raw(&[*byte]);
        thread::sleep(Duration::from_millis(6));
    }
    assert!(begun.elapsed() > Duration::from_millis(1_000), "longer than the deadline");
    client.hears(&"x".repeat(200));
    client.close();
    closes_amid_traffic(&mut peer);
    client.closed_as_asked();
}

/// No data comes, though the link is alive.
pub(super) fn a_feed_that_went_stale(run: &Run<'_>) {
    let server = Server::start();
    let mut config = quick();
    config.heartbeat.stale_after = Some(Duration::from_millis(200));
    let mut client = run.connect(&server, config);
    let mut peer = server.open();
    client.opens();
    peer.text("the last news");
    client.hears("the last news");
    let why = client.until("a death", |notice| match notice {
        Notice::Dead { why, .. } => Some(*why),
        _ => None,
    });
    assert_eq!(why, Death::Stale);
    peer.ends_somehow();
    let mut peer = server.open();
    client.opens();
    client.close();
    closes_amid_traffic(&mut peer);
    client.closed_as_asked();
}

/// The application does not fetch, so nothing is read, and so nothing is heard: that is no death.
pub(super) fn a_pause_is_not_a_death(run: &Run<'_>) {
    run.needs("pauses", |features| features.pauses);
    const COUNT: usize = 2_000;
    let server = Server::start();
    let mut config = beating(50, 500);
    config.inbox.max_messages = 10;
    let mut client = run.connect(&server, config);
    let mut peer = server.open();
    client.opens();
    let padding = "x".repeat(10_000);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..COUNT {
                let text = format!("{number}{padding}");
                peer.raw(&frame(true, TEXT, text.as_bytes()));
            }
        });
        client.status_is("a pause", |status| status.reads_paused);
        thread::sleep(Duration::from_millis(1_000));
        for number in 0..COUNT {
            client.hears(&format!("{number}{padding}"));
        }
    });
    client.close();
    closes_amid_traffic(&mut peer);
    client.closed_as_asked();
    assert_eq!(client.status().counters.attempts, 1);
}
