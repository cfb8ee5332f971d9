//! The server's end of one connection, byte by byte: it can do what no library would.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::LONG;

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// The server's end of a connection. Every wait is bounded by [`LONG`].
#[derive(Debug)]
pub(super) struct Peer {
    stream: Stream,
    /// What was read beyond the request.
    early: Vec<u8>,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// A frame from the client (RFC 6455 §5.2).
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) fin: bool,
    pub(super) opcode: u8,
    pub(super) payload: Vec<u8>,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = String::from_utf8_lossy(&self.payload[..self.payload.len().min(40)]);
        let len = self.payload.len();
        write!(f, "opcode {}, fin {}, {len} bytes, {shown:?}", self.opcode, self.fin)
    }
}

/// How a connection ended, as its peer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Fin,
    Reset,
}

impl Peer {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream: Stream::Plain(stream), early: Vec::new() }
    }

    /// Begins to speak TLS; the handshake happens with the first read or write.
    pub(super) fn secure(self, config: &Arc<ServerConfig>) -> Self {
        let session = ServerConnection::new(Arc::clone(config)).expect("a session");
        let stream = StreamOwned::new(session, self.into_tcp());
        Self { stream: Stream::Tls(Box::new(stream)), early: Vec::new() }
    }

    fn into_tcp(self) -> TcpStream {
        match self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.sock,
        }
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => &stream.sock,
        }
    }

    /// A second hand on the same plain connection, for another thread.
    pub(super) fn twin(&self) -> Self {
        Self::new(self.tcp().try_clone().expect("another descriptor"))
    }

    /// The request up to its empty line.
    pub(super) fn request(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.early);
        let mut piece = [0; 1024];
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                self.early = bytes.split_off(end + 4);
                return String::from_utf8(bytes).expect("a request of text");
            }
            let count = self.read(&mut piece).expect("a request");
            assert!(count > 0, "it ended within the request");
            bytes.extend_from_slice(&piece[..count]);
        }
    }

    /// Reads the request, which must be a valid one, and answers as one should (RFC 6455 §4.2.2).
    pub(super) fn upgrade(&mut self) {
        let request = self.request();
        self.raw(answer(&request, "").as_bytes());
    }

    /// Reads the request and answers with these lines, and nothing after them.
    pub(super) fn refuse(mut self, answer: &str) {
        self.request();
        self.raw(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes());
    }

    /// Writes all of it, within [`LONG`].
    pub(super) fn raw(&mut self, mut bytes: &[u8]) {
        let end = Instant::now() + LONG;
        while !bytes.is_empty() {
            assert!(Instant::now() < end, "written in time");
            let count = self.write(bytes).expect("written in time");
            bytes = &bytes[count..];
        }
        self.flush().expect("flushed in time");
    }

    pub(super) fn text(&mut self, text: &str) {
        self.raw(&frame(true, TEXT, text.as_bytes()));
    }

    pub(super) fn binary(&mut self, bytes: &[u8]) {
        self.raw(&frame(true, BINARY, bytes));
    }

    pub(super) fn close(&mut self, code: u16, reason: &str) {
        self.raw(&frame(true, CLOSE, &close_payload(code, reason)));
    }

    /// The next frame.
    pub(super) fn frame(&mut self) -> Frame {
        self.try_frame().expect("a frame")
    }

    /// The next frame, within [`LONG`].
    pub(super) fn try_frame(&mut self) -> io::Result<Frame> {
        let end = Instant::now() + LONG;
        let mut head = [0; 2];
        self.fill(&mut head, end)?;
        assert_eq!(head[0] & 0x70, 0, "no extension is in use, and yet a reserved bit is set");
        assert_ne!(head[1] & 0x80, 0, "a client must mask (RFC 6455 §5.1)");
        let len = match head[1] & 0x7f {
            126 => {
                let mut len = [0; 2];
                self.fill(&mut len, end)?;
                usize::from(u16::from_be_bytes(len))
            }
            127 => {
                let mut len = [0; 8];
                self.fill(&mut len, end)?;
                usize::try_from(u64::from_be_bytes(len)).expect("a length")
            }
            len => usize::from(len),
        };
        let mut mask = [0; 4];
        self.fill(&mut mask, end)?;
        let mut payload = vec![0; len];
        self.fill(&mut payload, end)?;
        unmask(&mut payload, mask);
        Ok(Frame { fin: head[0] & 0x80 != 0, opcode: head[0] & 0x0f, payload })
    }

    /// Reads exactly so much. A peer that sends a little at a time gets no more time for it.
    fn fill(&mut self, mut buffer: &mut [u8], end: Instant) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read(buffer)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                _ if Instant::now() >= end => return Err(ErrorKind::TimedOut.into()),
                count => buffer = &mut buffer[count..],
            }
        }
        Ok(())
    }

    /// The next message, put together from its fragments.
    pub(super) fn message(&mut self) -> Frame {
        let mut whole = self.frame();
        assert!([TEXT, BINARY].contains(&whole.opcode), "{whole:?} is no message");
        while !whole.fin {
            let next = self.frame();
            assert_eq!(next.opcode, CONTINUATION, "{next:?}");
            whole.payload.extend_from_slice(&next.payload);
            whole.fin = next.fin;
        }
        whole
    }

    /// The next message is this text.
    pub(super) fn hears(&mut self, text: &str) {
        let frame = self.message();
        assert_eq!((frame.opcode, &*frame.payload), (TEXT, text.as_bytes()), "{frame:?}");
    }

    /// The next frame is a close with this code.
    pub(super) fn hears_close(&mut self, code: u16) {
        let frame = self.frame();
        assert_eq!(frame.opcode, CLOSE, "{frame:?}");
        assert_eq!(close_code(&frame), Some(code), "{frame:?}");
    }

    /// The next frame is a close with this code; it is answered, and the connection ends, at this
    /// side first (RFC 6455 §7.1.1).
    pub(super) fn closes(mut self, code: u16) {
        self.hears_close(code);
        self.close(code, "");
        self.hang_up();
        assert_eq!(self.ends(), Ending::Fin);
    }

    /// Ends our direction: the client sees the end of the stream.
    pub(super) fn hang_up(&mut self) {
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
            // The client may have gone first.
            let _ = stream.flush();
        }
        let _ = self.tcp().shutdown(Shutdown::Write);
    }

    /// Ends the connection with a reset.
    pub(super) fn reset(self) {
        let stream = self.into_tcp();
        let socket = socket2::SockRef::from(&stream);
        socket.set_linger(Some(Duration::ZERO)).expect("a linger time");
    }

    /// Reads to the end, which the client brings about. Nothing but the end may come.
    pub(super) fn ends(&mut self) -> Ending {
        let mut rest = Vec::new();
        let ending = self.read_to_the_end(&mut rest);
        assert!(rest.is_empty(), "there was more to read: {rest:?}");
        ending
    }

    /// Reads to the end, which the client brings about, whatever comes before.
    pub(super) fn ends_somehow(&mut self) -> Ending {
        self.read_to_the_end(&mut Vec::new())
    }

    fn read_to_the_end(&mut self, rest: &mut Vec<u8>) -> Ending {
        let end = Instant::now() + LONG;
        let mut piece = [0; 16 << 10];
        loop {
            assert!(Instant::now() < end, "it does not end");
            match self.read(&mut piece) {
                Ok(0) => return Ending::Fin,
                Ok(count) => rest.extend_from_slice(&piece[..count]),
                // TLS without a close_notify.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ending::Fin,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ending::Reset,
                Err(error) => panic!("it does not end: {error}"),
            }
        }
    }

    /// Writes what there is until the client takes no more for so long. Returns how many bytes it
    /// took.
    pub(super) fn flood(&mut self, bytes: &[u8], patience: Duration) -> usize {
        self.tcp().set_write_timeout(Some(patience)).expect("a timeout");
        let mut written = 0;
        while written < bytes.len() {
            match self.write(&bytes[written..]) {
                Ok(count) => written += count,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    break;
                }
                Err(error) => panic!("it ended: {error}"),
            }
        }
        self.tcp().set_write_timeout(Some(LONG)).expect("a timeout");
        written
    }
}

impl Read for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.early.is_empty() {
            let count = self.early.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.early[..count]);
            self.early.drain(..count);
            return Ok(count);
        }
        match &mut self.stream {
            Stream::Plain(stream) => stream.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Peer {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write(buffer),
            Stream::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

/// Eight bytes at a time, as there may be many.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let twice = u64::from_ne_bytes([mask, mask].concat().try_into().expect("eight bytes"));
    let mut eights = payload.chunks_exact_mut(8);
    for eight in &mut eights {
        let masked = u64::from_ne_bytes((&*eight).try_into().expect("eight bytes"));
        eight.copy_from_slice(&(masked ^ twice).to_ne_bytes());
    }
    for (byte, mask) in eights.into_remainder().iter_mut().zip([mask, mask].concat()) {
        *byte ^= mask;
    }
}

/// A header's value.
pub(super) fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().find_map(|line| {
        let (this, value) = line.split_once(':')?;
        this.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The answer to a request, with more lines in it, each with its line end. The request must be one
/// for a WebSocket (RFC 6455 §4.1).
pub(super) fn answer(request: &str, more: &str) -> String {
    let is = |name: &str, wanted: &str| {
        let value = header(request, name).unwrap_or_else(|| panic!("no {name} in {request}"));
        let found = value.split(',').any(|part| part.trim().eq_ignore_ascii_case(wanted));
        assert!(found, "{name} in {request}");
    };
    assert!(request.starts_with("GET /") && request.contains(" HTTP/1.1\r\n"), "{request}");
    is("Upgrade", "websocket");
    is("Connection", "Upgrade");
    is("Sec-WebSocket-Version", "13");
    assert!(header(request, "Host").is_some(), "{request}");
    let key = header(request, "Sec-WebSocket-Key").expect("a key");
    assert_eq!(key.len(), 24, "16 bytes in Base64: {key}");
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
}

/// A frame as a server sends it: not masked.
pub(super) fn frame(fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![u8::from(fin) << 7 | opcode];
    match u16::try_from(payload.len()) {
        Ok(len) if len < 126 => bytes.push(len as u8),
        Ok(len) => {
            bytes.push(126);
            bytes.extend_from_slice(&len.to_be_bytes());
        }
        Err(_) => {
            bytes.push(127);
            bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// The payload of a close frame.
pub(super) fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    payload
}

/// The code in a close frame, if there is one.
pub(super) fn close_code(frame: &Frame) -> Option<u16> {
    let code = frame.payload.get(..2)?;
    Some(u16::from_be_bytes([code[0], code[1]]))
}
