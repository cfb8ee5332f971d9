//! `wss://`: whom the command line trusts.

use std::sync::Arc;

use perennial::practice::{Options, Server};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::process::run;

/// A server with a certificate of its own, and a file with that certificate.
fn server() -> (Server, tempfile::NamedTempFile, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let options = Options { tls: Some(Arc::new(config)), record: true, ..Options::default() };
    let server = Server::start(options).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), made.cert.pem()).unwrap();
    let url = format!("wss://localhost:{}/", server.addr().port());
    (server, file, url)
}

#[test]
fn a_certificate_that_is_trusted_is_enough() {
    let (_server, file, url) = server();
    let finished = run(&["connect", &url, "--ca", file.path().to_str().unwrap()], "hello\n");
    assert_eq!(finished.status, 0, "{finished:?}");
    assert_eq!(finished.stdout, ["hello"]);
    let finished = run(&["connect", &url, "--insecure"], "hello\n");
    assert_eq!((finished.status, finished.stdout.as_slice()), (0, &["hello".to_owned()][..]));
}

#[test]
fn a_certificate_that_is_not_is_named_at_every_attempt() {
    let (server, file, url) = server();
    let (_other_server, other_file, _) = self::server();
    // Another authority, and another name.
    let by_address = url.replace("localhost", "127.0.0.1");
    for (url, ca) in [(&url, &other_file), (&by_address, &file)] {
        let ca = ca.path().to_str().unwrap();
        let arguments = ["connect", url, "--ca", ca, "--max-attempts", "3", "--base", "1ms"];
        let finished = run(&arguments, "s3cr3t\n");
        assert_eq!(finished.status, 1, "{finished:?}");
        let named = finished.stderr.lines().filter(|line| line.contains("certificate")).count();
        assert!(named >= 3, "{finished:?}");
    }
    assert!(server.received().is_empty());
}
