//! Whom the client is told to trust.

#![cfg(all(feature = "blocking", feature = "tls"))]
#![allow(clippy::unwrap_used, clippy::wildcard_imports)]

mod support;

use perennial::blocking::Client;
use perennial::{Error, State, Trust};
use support::authority::*;
use support::*;

fn client(url: &str, trust: Trust) -> Client {
    Client::builder(url).config(quick().build().unwrap()).trust(trust).connect().unwrap()
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
