//! The same over TLS, and servers that should not be trusted.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use perennial_core::{ClosedBy, ConfigBuilder, DialError, DialFailure, EndKind, Reason};
use rcgen::date_time_ymd;
use rustls::ServerConfig;

use super::authority::Authority;
use super::client::Client;
use super::peer::{BINARY, CLOSE, Peer, TEXT, answer, close_payload, frame};
use super::run::Run;
use super::server::Server;
use super::{patient, quick};

fn connect(
    run: &Run<'_>,
    server: &Server,
    host: &str,
    config: ConfigBuilder,
    trusted: &Authority,
) -> Client {
    run.needs("TLS", |features| features.tls);
    let url = format!("wss://{host}:{}/", server.address().port());
    let mut plan = run.plan(&url, config);
    plan.trust = Some(trusted.pem());
    run.connect_with(plan)
}

/// A trusted server, and a client of it.
fn trusted(run: &Run<'_>, config: ConfigBuilder) -> (Server, Arc<ServerConfig>, Client) {
    let authority = Authority::new();
    let server = Server::start();
    let client = connect(run, &server, "localhost", config, &authority);
    (server, authority.server(&["localhost"], |_| ()), client)
}

fn opened(server: &Server, config: &Arc<ServerConfig>) -> Peer {
    let mut peer = server.accept().secure(config);
    peer.upgrade();
    peer
}

pub(super) fn a_trusted_server(run: &Run<'_>) {
    let authority = Authority::new();
    let config = authority.server(&["localhost", "127.0.0.1"], |_| ());
    for host in ["localhost", "127.0.0.1"] {
        let server = Server::start();
        let mut client = connect(run, &server, host, quick(), &authority);
        let mut peer = opened(&server, &config);
        client.opens();
        let large = "x".repeat(300_000);
        for text in ["hello", &large] {
            client.send(text.to_owned());
            peer.hears(text);
            peer.text(text);
            client.hears(text);
        }
        client.close();
        peer.closes(1000);
        assert!(client.closed_as_asked().clean);
    }
}

/// What the client says of a server of `config`.
fn distrusted(run: &Run<'_>, config: &Arc<ServerConfig>, by: &Authority) -> Reason {
    let server = Server::start();
    let mut client = connect(run, &server, "localhost", patient(), by);
    let mut peer = server.accept().secure(config);
    let mut seen = Vec::new();
    // Its alert ends it.
    let _ = peer.read_to_end(&mut seen);
    assert_eq!(seen, b"", "not one byte of the application's");
    let (_, reason) = client.retries();
    let is_tls = matches!(&reason, Reason::DialFailed(DialFailure { kind: DialError::Tls, .. }));
    assert!(is_tls, "{reason:?}");
    client.close();
    client.closed_as_asked();
    reason
}

fn does_not_verify(run: &Run<'_>, config: &Arc<ServerConfig>, by: &Authority, why: &str) {
    let reason = distrusted(run, config, by);
    run.says(&reason, &format!("the certificate of localhost does not verify: {why}"));
}

pub(super) fn a_certificate_that_is_self_signed(run: &Run<'_>) {
    let (ours, theirs) = (Authority::new(), Authority::named("theirs"));
    does_not_verify(run, &theirs.itself(), &ours, "self-signed");
}

pub(super) fn a_certificate_of_an_unknown_issuer(run: &Run<'_>) {
    let (ours, theirs, namesake) = (Authority::new(), Authority::named("theirs"), Authority::new());
    for stranger in [theirs, namesake] {
        let config = stranger.server(&["localhost"], |_| ());
        does_not_verify(run, &config, &ours, "unknown issuer");
    }
}

pub(super) fn a_certificate_for_another_name(run: &Run<'_>) {
    let ours = Authority::new();
    let other = ours.server(&["example.org"], |_| ());
    does_not_verify(run, &other, &ours, "wrong host name: it is for example.org");
    // As `openssl req -x509` makes them: the second is trusted, but has no name in it.
    does_not_verify(run, &ours.server(&[], |_| ()), &ours, "no host name");
    does_not_verify(run, &ours.itself(), &ours, "no host name");
}

pub(super) fn a_certificate_out_of_its_time(run: &Run<'_>) {
    let ours = Authority::new();
    for (from, to, why) in [(2001, 2002, "expired"), (2901, 2902, "not valid yet")] {
        let config = ours.server(&["localhost"], |params| {
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
        });
        does_not_verify(run, &config, &ours, why);
    }
}

/// How the first dial fails, and that the next one succeeds.
fn mended(run: &Run<'_>, fault: impl FnOnce(Peer, &Arc<ServerConfig>)) -> Reason {
    let (server, config, mut client) = trusted(run, quick());
    fault(server.accept(), &config);
    let (_, reason) = client.retries();
    let peer = opened(&server, &config);
    client.opens();
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
    reason
}

fn is_of_tls(reason: &Reason) {
    let is_tls = matches!(reason, Reason::DialFailed(DialFailure { kind: DialError::Tls, .. }));
    assert!(is_tls, "{reason:?}");
}

pub(super) fn a_server_that_does_not_speak_tls(run: &Run<'_>) {
    let reason = mended(run, |mut peer, _| {
        peer.read_exact(&mut [0; 16]).expect("a hello");
        peer.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        peer.hang_up();
    });
    is_of_tls(&reason);
    run.says(&reason, "does not speak TLS");
}

/// The other way round.
pub(super) fn a_client_that_does_not_speak_tls(run: &Run<'_>) {
    let config = Authority::new().server(&["localhost"], |_| ());
    let server = Server::start();
    let mut client = run.connect(&server, patient());
    let mut peer = server.accept().secure(&config);
    // It answers with an alert, and hangs up.
    assert!(peer.read(&mut [0; 16]).is_err());
    peer.hang_up();
    let (_, reason) = client.retries();
    let handshake = DialError::Handshake;
    let is = matches!(&reason, Reason::DialFailed(failure) if failure.kind == handshake);
    assert!(is, "{reason:?}");
    client.close();
    client.closed_as_asked();
}

pub(super) fn a_handshake_that_breaks_off(run: &Run<'_>) {
    // Before a word, after half a record, and by a reset.
    let reason = mended(run, |mut peer, _| {
        peer.read_exact(&mut [0; 5]).expect("a hello");
        // All of it is read, or the end would be a reset.
        peer.tcp().set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        let _ = peer.read_to_end(&mut Vec::new());
        peer.hang_up();
    });
    is_of_tls(&reason);
    let reason = mended(run, |mut peer, _| {
        peer.raw(&[0x16, 3, 3, 0, 100, 2, 0, 0, 96]);
        peer.tcp().set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        let _ = peer.read_to_end(&mut Vec::new());
        peer.hang_up();
    });
    is_of_tls(&reason);
    let reason = mended(run, |mut peer, _| {
        peer.read_exact(&mut [0; 5]).expect("a hello");
        peer.reset();
    });
    is_of_tls(&reason);
}

pub(super) fn an_end_between_the_handshakes(run: &Run<'_>) {
    for orderly in [true, false] {
        let reason = mended(run, |peer, config| {
            let mut peer = peer.secure(config);
            peer.request();
            if orderly {
                peer.hang_up();
            } else {
                peer.tcp().shutdown(std::net::Shutdown::Write).expect("it is connected");
            }
        });
        let handshake = DialError::Handshake;
        let is = matches!(&reason, Reason::DialFailed(failure) if failure.kind == handshake);
        assert!(is, "{reason:?}");
        run.says(&reason, "before the answer was complete");
    }
}

pub(super) fn a_handshake_that_is_never_answered(run: &Run<'_>) {
    let mut config = patient();
    config.connect.dial_timeout = Duration::from_millis(100);
    let (server, _, mut client) = trusted(run, config);
    let mut peer = server.accept();
    let (_, reason) = client.retries();
    assert_eq!(reason, Reason::DialTimeout);
    peer.ends_somehow();
    client.close();
    client.closed_as_asked();
}

/// Refusals and advice are read as without TLS.
pub(super) fn a_refusal_over_tls(run: &Run<'_>) {
    let (server, config, mut client) = trusted(run, quick());
    server.accept().secure(&config).refuse("502 Bad Gateway");
    let (_, reason) = client.retries();
    assert_eq!(reason.status(), Some(502));
    server.accept().secure(&config).refuse("403 Forbidden");
    let closed = client.closed();
    assert_eq!((closed.by, closed.reason.status()), (ClosedBy::Server, Some(403)));
}

/// An open connection that ends: with and without TLS's own goodbye.
pub(super) fn an_end_without_a_close(run: &Run<'_>) {
    for orderly in [true, false] {
        let (server, config, mut client) = trusted(run, quick());
        let mut peer = opened(&server, &config);
        client.opens();
        peer.text("before the end");
        client.hears("before the end");
        if orderly {
            peer.hang_up();
        } else {
            peer.tcp().shutdown(std::net::Shutdown::Write).expect("it is connected");
        }
        let (_, reason) = client.retries();
        let is = matches!(&reason, Reason::Ended(end) if end.kind == EndKind::Eof);
        assert!(is, "{reason:?}");
        let peer = opened(&server, &config);
        client.opens();
        client.close();
        peer.closes(1000);
        client.closed_as_asked();
    }
}

pub(super) fn a_close_code_over_tls(run: &Run<'_>) {
    let (server, config, mut client) = trusted(run, quick());
    let mut peer = opened(&server, &config);
    client.opens();
    let mut last = frame(true, TEXT, b"the last words");
    last.extend(frame(true, CLOSE, &close_payload(1008, "no")));
    peer.raw(&last);
    peer.hears_close(1008);
    peer.hang_up();
    peer.ends_somehow();
    client.hears("the last words");
    let closed = client.closed();
    assert_eq!((closed.by, closed.code, closed.clean), (ClosedBy::Server, 1008, true));
}

/// Bytes that are no TLS, in the middle of a session.
pub(super) fn garbage_in_a_session(run: &Run<'_>) {
    let (server, config, mut client) = trusted(run, quick());
    let mut peer = opened(&server, &config);
    client.opens();
    peer.text("in order");
    client.hears("in order");
    let mut tcp = peer.tcp().try_clone().expect("another descriptor");
    tcp.write_all(&[0x17, 3, 3, 0, 32]).expect("it is connected");
    tcp.write_all(&[0; 32]).expect("it is connected");
    let (_, reason) = client.retries();
    assert!(matches!(&reason, Reason::Ended(_)), "{reason:?}");
    let peer = opened(&server, &config);
    client.opens();
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

/// Everything glued together in one record, and then one record for each byte.
pub(super) fn records_of_every_size(run: &Run<'_>) {
    let (server, config, mut client) = trusted(run, quick());
    let mut peer = server.accept().secure(&config);
    let request = peer.request();
    let mut glued = answer(&request, "").into_bytes();
    for number in 0..50_u8 {
        glued.extend(frame(true, BINARY, &[number]));
    }
    peer.raw(&glued);
    for number in 0..50_u8 {
        client.hears_bytes(&[number]);
    }
    for byte in frame(true, TEXT, b"one byte at a time") {
        peer.raw(&[byte]);
        thread::sleep(Duration::from_micros(200));
    }
    client.hears("one byte at a time");
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

/// Both directions at full length, with a peer that is slow to read.
pub(super) fn back_pressure_over_tls(run: &Run<'_>) {
    const LARGE: usize = 8 << 20;
    let mut config = quick();
    config.outbox.max_bytes = 2 * LARGE;
    let (server, tls, mut client) = trusted(run, config);
    let mut peer = opened(&server, &tls);
    client.opens();
    let large = perennial_core::Bytes::from(vec![b'x'; LARGE]);
    client.send(large.clone());
    for number in 0..64_u8 {
        client.send(vec![number; 64 << 10]);
    }
    // Nothing is read for a while.
    client.status_is("a write", |status| status.in_flight > 0);
    thread::sleep(Duration::from_millis(100));
    let got = peer.message();
    assert!(got.payload == large, "{got:?}");
    for number in 0..64_u8 {
        let got = peer.message();
        assert!(got.payload == [number; 64 << 10], "{got:?}");
    }
    peer.binary(&got.payload);
    client.hears_bytes(&large);
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
    assert_eq!(client.status().counters.flushed, 65);
}
