//! The blocking client over TLS, and against servers that should not be trusted.

#![cfg(all(feature = "blocking", feature = "tls"))]
#![allow(clippy::unwrap_used, clippy::wildcard_imports)]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use perennial::blocking::Client;
use perennial::{ClosedBy, Error, State, Trust};
use rcgen::date_time_ymd;
use rustls::ServerConfig;
use support::authority::*;
use support::*;

fn client(url: &str, trust: Trust) -> Client {
    Client::builder(url).config(quick().build().unwrap()).trust(trust).connect().unwrap()
}

#[test]
fn speaks_over_tls_with_a_trusted_server() {
    let authority = Authority::new();
    let config = authority.server(&["localhost", "127.0.0.1"], |_| ());
    let server = Server::start(move |_, stream| echo(accept(secure(&config, stream))));
    for host in ["localhost", "127.0.0.1"] {
        let mut client = client(&wss(server.address, host), authority.trust());
        let large = "x".repeat(300_000);
        client.send("hello").unwrap();
        client.send(large.clone()).unwrap();
        assert_eq!(text(&mut client), "hello", "{host}");
        assert!(text(&mut client) == large, "{host}");
        client.close();
        let closed = closed(&mut client);
        assert_eq!((closed.by, closed.clean), (ClosedBy::Application, true));
    }
}

#[test]
fn trusts_a_ca_file() {
    let authority = Authority::new();
    let path = std::env::temp_dir().join(format!("perennial-ca-{}.pem", std::process::id()));
    std::fs::write(&path, authority.pem()).unwrap();
    let config = authority.server(&["localhost"], |_| ());
    let server = Server::start(move |_, stream| echo(accept(secure(&config, stream))));
    let mut client = client(&wss(server.address, "localhost"), Trust::CaFile(path.clone()));
    until(&mut client, State::Open);
    std::fs::remove_file(path).unwrap();
}

/// What the client says of a server of `config`, and how many bytes of the application's the
/// server saw.
fn distrust(config: Arc<ServerConfig>, trust: Trust) -> (String, Vec<u8>) {
    let seen = Slot::empty();
    let slot = seen.clone();
    let server = Server::start(move |_, stream| {
        let mut stream = secure(&config, stream);
        slot.put(drain(&mut stream));
    });
    let mut client = client(&wss(server.address, "localhost"), trust);
    let failure = failure(&mut client);
    assert!(client.state() == State::Connecting, "it is tried again");
    (failure, seen.take())
}

#[test]
fn a_certificate_that_does_not_verify_is_named() {
    let ours = Authority::new();
    let theirs = Authority::named("theirs");
    let namesake = Authority::new();
    let cases = [
        ("unknown issuer", theirs.server(&["localhost"], |_| ())),
        ("unknown issuer", namesake.server(&["localhost"], |_| ())),
        ("wrong host name: it is for example.org", ours.server(&["example.org"], |_| ())),
        ("no host name", ours.server(&[], |_| ())),
        // As `openssl req -x509` makes them; the first is trusted, but has no name in it.
        ("no host name", ours.itself()),
        ("self-signed", theirs.itself()),
        (
            "expired",
            ours.server(&["localhost"], |params| {
                params.not_before = date_time_ymd(2001, 1, 1);
                params.not_after = date_time_ymd(2002, 1, 1);
            }),
        ),
        (
            "not valid yet",
            ours.server(&["localhost"], |params| {
                params.not_before = date_time_ymd(2901, 1, 1);
                params.not_after = date_time_ymd(2902, 1, 1);
            }),
        ),
    ];
    for (expected, config) in cases {
        let (failure, seen) = distrust(config, ours.trust());
        let said = format!("the certificate of localhost does not verify: {expected}");
        assert!(failure.contains(&said), "{expected}: {failure}");
        assert_eq!(seen, b"", "{expected}: not one byte of the application's");
    }
}

#[test]
fn insecure_takes_anybody() {
    let theirs = Authority::new();
    let config = theirs.server(&["example.org"], |_| ());
    let server = Server::start(move |_, stream| echo(accept(secure(&config, stream))));
    let mut client = client(&wss(server.address, "localhost"), Trust::Insecure);
    client.send("hello").unwrap();
    assert_eq!(text(&mut client), "hello");
}

#[test]
fn plain_to_a_tls_port_and_tls_to_a_plain_port() {
    let authority = Authority::new();
    let config = authority.server(&["localhost"], |_| ());
    let server = Server::start(move |_, stream| {
        let _ = secure(&config, stream).read(&mut [0; 16]);
    });
    let mut plain = client(&server.url(), Trust::System);
    let said = failure(&mut plain);
    assert!(said.contains("not HTTP") || said.contains("before the answer"), "{said}");

    let server = Server::start(|_, mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let mut secure = client(&wss(server.address, "localhost"), authority.trust());
    let said = failure(&mut secure);
    assert!(said.contains("does not speak TLS"), "{said}");
}

#[test]
fn a_tls_handshake_that_is_never_answered_times_out() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = quick();
    config.connect.dial_timeout = Duration::from_millis(100);
    let mut client = Client::builder(wss(listener.local_addr().unwrap(), "127.0.0.1"))
        .config(config.build().unwrap())
        .trust(authority.trust())
        .connect()
        .unwrap();
    assert!(failure(&mut client).contains("timed out"));
}

#[test]
fn being_cut_off_is_the_end_of_the_stream() {
    let authority = Authority::new();
    let config = authority.server(&["localhost"], |_| ());
    let server = Server::start(move |number, stream| {
        let mut socket = accept(secure(&config, stream));
        if number == 0 {
            socket.read().unwrap();
            // No close frame, no close_notify.
            socket.get_ref().sock.shutdown(std::net::Shutdown::Both).unwrap();
        } else {
            echo(socket);
        }
    });
    let mut client = client(&wss(server.address, "localhost"), authority.trust());
    client.send("go").unwrap();
    let said = failure(&mut client);
    assert!(said.contains("the peer ended the connection"), "{said}");
    until(&mut client, State::Open);
}

#[test]
fn back_pressure_holds_over_tls() {
    let authority = Authority::new();
    let config = authority.server(&["localhost"], |_| ());
    let server = Server::start(move |_, stream| {
        let mut socket = accept(secure(&config, stream));
        thread::sleep(Duration::from_millis(300));
        let mut count = 0;
        while let Ok(message) = socket.read() {
            count += usize::from(message.is_binary());
            if message.is_text() {
                socket.send(count.to_string().into()).unwrap();
            }
        }
    });
    let mut config = quick();
    config.outbox.overflow = perennial::Overflow::Wait;
    let mut client = Client::builder(wss(server.address, "localhost"))
        .config(config.build().unwrap())
        .trust(authority.trust())
        .connect()
        .unwrap();
    for _ in 0..256 {
        client.send(vec![7; 64 << 10]).unwrap();
    }
    client.send("count").unwrap();
    assert_eq!(text(&mut client), "256");
}

#[test]
fn what_cannot_be_trusted_is_said_at_once() {
    let error = Client::builder("wss://localhost/")
        .trust(Trust::CaFile("/nonexistent/ca.pem".into()))
        .connect()
        .unwrap_err();
    assert!(matches!(error, Error::CaFile { .. }), "{error}");
    let error = Client::builder("ws://localhost/")
        .trust(Trust::CaPem(b"x".to_vec()))
        .connect()
        .unwrap_err();
    assert!(matches!(error, Error::Trust { .. }), "{error}");
}
