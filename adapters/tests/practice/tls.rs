use crate::support::*;
use perennial::practice::{Faults, Options, Server};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::sync::Arc;
use tungstenite::{Error, Message, WebSocket};

type Tls = StreamOwned<ClientConnection, TcpStream>;

fn tls_server(faults: Faults) -> (Server, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let options = Options { tls: Some(Arc::new(config)), faults, ..Options::default() };
    (start(options), Arc::new(client))
}

fn secure(server: &Server, config: &Arc<ClientConfig>, name: &'static str) -> Tls {
    let name = ServerName::try_from(name).unwrap();
    StreamOwned::new(ClientConnection::new(config.clone(), name).unwrap(), tcp(server))
}

fn connect_tls(server: &Server, config: &Arc<ClientConfig>) -> WebSocket<Tls> {
    let stream = secure(server, config, "localhost");
    tungstenite::client("wss://localhost/", stream).unwrap().0
}

#[test]
fn messages_large_and_small_pass_through_tls() {
    let (server, config) = tls_server(Faults::default());
    assert!(server.url().starts_with("wss://127.0.0.1:"));
    let mut client = connect_tls(&server, &config);
    for size in [0, 1, 1_000, 3_000_000] {
        client.send(Message::text("z".repeat(size))).unwrap();
        assert_eq!(client.read().unwrap().len(), size);
    }
    client.close(None).unwrap();
    assert!(matches!(client.read(), Ok(Message::Close(_))));
    assert!(matches!(client.read(), Err(Error::ConnectionClosed)));
    // The end is announced: TLS sees `close_notify`, not a cut.
    assert_eq!(client.get_mut().read(&mut [0; 16]).unwrap(), 0);
    assert!(server.wait(SOON, |s| s.live == 0));
}

#[test]
fn cuts_are_cuts_under_tls() {
    let (server, config) = tls_server(Faults::default());
    let mut client = connect_tls(&server, &config);
    server.fin_all();
    let Err(Error::Io(e)) = client.read() else { panic!("no cut") };
    assert_eq!(e.kind(), ErrorKind::UnexpectedEof);
    let mut client = connect_tls(&server, &config);
    server.reset_all();
    let Err(Error::Io(e)) = client.read() else { panic!("no reset") };
    assert_eq!(e.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_client_that_does_not_trust_the_certificate_sends_no_request() {
    let (server, config) = tls_server(Faults::default());
    let stream = secure(&server, &config, "example.org");
    assert!(tungstenite::client("wss://example.org/", stream).is_err());
    assert!(server.wait(SOON, |s| s.tcp_accepts == 1));
    assert!(server.handshakes().is_empty());
    // Nor is a client without TLS served.
    assert!(try_connect(&server, "/").is_err());
    connect_tls(&server, &config);
}
