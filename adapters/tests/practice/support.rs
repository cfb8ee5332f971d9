//! The bare client.

use perennial::practice::{Faults, Options, Server};
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tungstenite::error::ProtocolError;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket};

/// How long anything that must happen may take.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// How long to watch for what must not happen.
pub(crate) const WHILE: Duration = Duration::from_millis(150);

pub(crate) type Client = WebSocket<TcpStream>;

pub(crate) fn server(faults: Faults) -> Server {
    start(Options { faults, ..Options::default() })
}

pub(crate) fn start(options: Options) -> Server {
    Server::start(options).unwrap()
}

pub(crate) fn tcp(server: &Server) -> TcpStream {
    let tcp = TcpStream::connect(server.addr()).unwrap();
    tcp.set_read_timeout(Some(SOON)).unwrap();
    tcp.set_write_timeout(Some(SOON)).unwrap();
    tcp
}

/// The whole error of a failed handshake, or the client.
pub(crate) fn try_connect(server: &Server, path: &str) -> Result<Client, Error> {
    let tcp = TcpStream::connect(server.addr())?;
    tcp.set_read_timeout(Some(SOON))?;
    tcp.set_write_timeout(Some(SOON))?;
    let url = format!("ws://{}{path}", server.addr());
    let config = WebSocketConfig::default().accept_unmasked_frames(false);
    tungstenite::client::client_with_config(url, tcp, Some(config))
        .map(|(client, _)| client)
        .map_err(|e| match e {
            tungstenite::HandshakeError::Failure(e) => e,
            tungstenite::HandshakeError::Interrupted(_) => ErrorKind::TimedOut.into_error(),
        })
}

trait IntoError {
    fn into_error(self) -> Error;
}

impl IntoError for ErrorKind {
    fn into_error(self) -> Error {
        Error::Io(self.into())
    }
}

pub(crate) fn connect(server: &Server) -> Client {
    connect_to(server, "/")
}

pub(crate) fn connect_to(server: &Server, path: &str) -> Client {
    try_connect(server, path).unwrap()
}

pub(crate) fn say(client: &mut Client, text: &str) {
    client.send(Message::text(text)).unwrap();
}

/// The next text message.
pub(crate) fn hear(client: &mut Client) -> String {
    loop {
        match client.read().unwrap() {
            Message::Text(text) => return text.as_str().to_owned(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn hear_json(client: &mut Client) -> Value {
    let text = hear(client);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// How a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Reset,
    Fin,
    Close(u16, String),
}

/// Reads until the connection ends; what came before is thrown away.
pub(crate) fn end(client: &mut Client) -> End {
    let deadline = Instant::now() + SOON;
    loop {
        assert!(Instant::now() < deadline, "the connection does not end");
        match client.read() {
            Ok(Message::Close(frame)) => {
                let frame = frame.map(|f| (u16::from(f.code), f.reason.as_str().to_owned()));
                let (code, reason) = frame.unwrap_or((1005, String::new()));
                return End::Close(code, reason);
            }
            Ok(_) => {}
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => return End::Fin,
            Err(Error::Io(e)) if e.kind() == ErrorKind::ConnectionReset => return End::Reset,
            Err(e) => panic!("{e}"),
        }
    }
}

/// Nothing comes, and the connection does not end either.
pub(crate) fn assert_silent(client: &mut Client) {
    client.get_ref().set_read_timeout(Some(WHILE)).unwrap();
    match client.read() {
        Err(Error::Io(e)) if is_timeout(e.kind()) => {}
        other => panic!("{other:?}"),
    }
    client.get_ref().set_read_timeout(Some(SOON)).unwrap();
}

pub(crate) fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

pub(crate) const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Sends the request and reads the head of the answer byte by byte, so that nothing after it is
/// lost.
pub(crate) fn raw_open(server: &Server) -> TcpStream {
    let mut tcp = tcp(server);
    tcp.write_all(REQUEST.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tcp.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    tcp
}
