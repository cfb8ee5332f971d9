//! A server that the test plays itself, socket by socket: nothing happens at it by itself, so a dial
//! is under way for as long as the test wishes.

use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Message, WebSocket};

use crate::WHILE;
use crate::support::{LONG, accept, reset};

/// Where sockets arrive.
pub(crate) struct Host {
    listener: TcpListener,
}

/// The server's end of an open WebSocket. Dropping it ends it, without a close frame.
pub(crate) struct Peer {
    socket: WebSocket<TcpStream>,
}

/// Reads a socket to its end, which the client brings about.
pub(crate) fn ends(mut stream: TcpStream) {
    let mut rest = Vec::new();
    if let Err(error) = stream.read_to_end(&mut rest) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    }
}

impl Host {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.listener.local_addr().unwrap())
    }

    /// The next socket, which asks for a WebSocket and has no answer yet.
    pub(crate) fn socket(&mut self) -> TcpStream {
        let end = Instant::now() + LONG;
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).unwrap();
                    stream.set_read_timeout(Some(LONG)).unwrap();
                    stream.set_write_timeout(Some(LONG)).unwrap();
                    return stream;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
            assert!(Instant::now() < end, "nobody connects");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// The next socket, as an open WebSocket.
    pub(crate) fn peer(&mut self) -> Peer {
        Peer::new(self.socket())
    }

    /// The next one, when `old` has ended: there are never two.
    pub(crate) fn peer_after(&mut self, old: &mut Peer) -> Peer {
        let stream = self.socket();
        assert!(old.has_ended(), "two sockets at once");
        Peer::new(stream)
    }

    /// Nobody connects for a while.
    pub(crate) fn is_left_alone(&self) {
        let end = Instant::now() + WHILE;
        while Instant::now() < end {
            assert!(self.listener.accept().is_err(), "one more socket");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Peer {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { socket: accept(stream) }
    }

    /// The same, and the path and query that were asked for.
    pub(crate) fn asked(stream: TcpStream) -> (Self, String) {
        let mut asked = String::new();
        #[allow(clippy::result_large_err, reason = "the signature is the library's")]
        let note = |request: &Request, response: Response| -> Result<_, ErrorResponse> {
            asked = request.uri().to_string();
            Ok(response)
        };
        let socket = tungstenite::accept_hdr(stream, note).unwrap();
        (Self { socket }, asked)
    }

    /// The next message or control frame.
    pub(crate) fn next(&mut self) -> Message {
        self.socket.read().expect("something in time")
    }

    /// The next one is a ping of the protocol's.
    pub(crate) fn hears_protocol_ping(&mut self) {
        let next = self.next();
        assert!(matches!(next, Message::Ping(_)), "{next:?}");
    }

    /// The next one is this text.
    pub(crate) fn hears(&mut self, text: &str) {
        assert_eq!(self.next(), Message::text(text));
    }

    /// The next one is some text.
    pub(crate) fn text(&mut self) -> String {
        match self.next() {
            Message::Text(text) => text.as_str().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    /// The next one is a close frame with this code. It is answered, and the socket ends.
    pub(crate) fn hears_goodbye(mut self, code: u16) {
        match self.next() {
            Message::Close(Some(close)) => assert_eq!(u16::from(close.code), code),
            other => panic!("{other:?}"),
        }
        match self.socket.read() {
            Err(Error::ConnectionClosed) => {}
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn says(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
    }

    /// Says all of it in one go.
    pub(crate) fn says_at_once(&mut self, texts: &[String]) {
        for text in texts {
            self.socket.write(Message::text(text.as_str())).unwrap();
        }
        self.socket.flush().unwrap();
    }

    pub(crate) fn says_bytes(&mut self, bytes: Vec<u8>) {
        self.socket.send(Message::binary(bytes)).unwrap();
    }

    /// Reads, and answers pings, until the client ends it.
    pub(crate) fn stays(mut self) {
        while self.socket.read().is_ok() {}
    }

    /// Whether nothing comes for so long.
    pub(crate) fn is_quiet_for(&mut self, time: Duration) -> bool {
        self.socket.get_ref().set_read_timeout(Some(time)).unwrap();
        let read = self.socket.read();
        self.socket.get_ref().set_read_timeout(Some(LONG)).unwrap();
        matches!(read, Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Whether nothing comes any more but the end, with a close frame or without.
    pub(crate) fn hears_the_end(mut self) -> bool {
        let ends = matches!(self.socket.read(), Ok(Message::Close(_)) | Err(_));
        // A close frame is answered.
        while self.socket.read().is_ok() {}
        ends
    }

    /// Closes as one should, and waits for the answer.
    pub(crate) fn closes(mut self, code: u16) {
        self.send_close(code);
        while self.socket.read().is_ok() {}
    }

    /// Sends a close frame and breaks off: a browser would tell of a close and of an error.
    pub(crate) fn closes_and_resets(mut self, code: u16) {
        self.send_close(code);
        self.resets();
    }

    fn send_close(&mut self, code: u16) {
        let close = CloseFrame { code: code.into(), reason: "".into() };
        self.socket.close(Some(close)).unwrap();
    }

    /// Breaks off.
    pub(crate) fn resets(self) {
        reset(self.socket.get_ref());
    }

    /// Whether the client has ended it already.
    fn has_ended(&mut self) -> bool {
        let stream = self.socket.get_mut();
        stream.set_nonblocking(true).unwrap();
        let mut rest = [0; 4096];
        loop {
            match stream.read(&mut rest) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::ConnectionReset,
            }
        }
    }
}
