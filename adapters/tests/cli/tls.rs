//! `wss://`: whom the command line trusts.

use std::sync::Arc;

use perennial::practice::{Options, Server};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::process::run;

/// A server with a certificate of its own, and a file with that certificate.
fn server() -> (Server, tempfile::NamedTempFile, String) {
    server_with(CertificateParams::new(vec!["localhost".to_owned()]).unwrap())
}

fn server_with(params: CertificateParams) -> (Server, tempfile::NamedTempFile, String) {
    let key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&key).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let options = Options { tls: Some(Arc::new(config)), record: true, ..Options::default() };
    let server = Server::start(options).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), cert.pem()).unwrap();
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

/// As `openssl req -x509` makes them.
#[test]
fn a_trusted_certificate_may_be_an_authority_too() {
    let params = || {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let (server, file, url) = server_with(params());
    let ca = file.path().to_str().unwrap();
    let finished = run(&["connect", &url, "--ca", ca], "hello\n");
    assert_eq!(finished.status, 0, "{finished:?}");
    assert_eq!(finished.stdout, ["hello"]);

    // Its name and its dates still count, and so does which one it is.
    let by_address = url.replace("localhost", "127.0.0.1");
    let (_other_server, other_file, _) = server_with(params());
    let mut old = params();
    old.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let (old_server, old_file, old_url) = server_with(old);
    for (url, ca) in [(&by_address, &file), (&url, &other_file), (&old_url, &old_file)] {
        let ca = ca.path().to_str().unwrap();
        let arguments = ["connect", url, "--ca", ca, "--max-attempts", "2", "--base", "1ms"];
        let finished = run(&arguments, "s3cr3t\n");
        assert_eq!(finished.status, 1, "{finished:?}");
        assert!(finished.stderr.contains("certificate"), "{finished:?}");
    }
    assert_eq!(server.received().len(), 1);
    assert!(old_server.received().is_empty());
}

#[test]
fn a_certificate_that_is_not_is_named_at_every_attempt() {
    let (server, file, url) = server();
    let (_other_server, other_file, _) = self::server();
    // Another authority, and another name.
    let by_address = url.replace("localhost", "127.0.0.1");
    let other_ca = other_file.path().to_str().unwrap();
    for (url, ca) in [(&url, &other_file), (&by_address, &file)] {
        let ca = ca.path().to_str().unwrap();
        let arguments = ["connect", url, "--ca", ca, "--max-attempts", "3", "--base", "1ms"];
        let finished = run(&arguments, "s3cr3t\n");
        assert_eq!(finished.status, 1, "{finished:?}");
        let named = finished.stderr.lines().filter(|line| line.contains("certificate")).count();
        assert!(named >= 3, "{finished:?}");
        let said = ": give --ca FILE with its certificate or its authority's";
        assert_eq!(finished.stderr.contains(said), ca == other_ca, "{finished:?}");
    }
    assert!(server.received().is_empty());
}
