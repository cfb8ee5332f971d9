//! The byte stream below the WebSocket, plain or over TLS.

use std::io::{self, Read, Write};

use super::network::{AfterShortRead, Socket};

/// How much is read from below TLS at once: a record of the largest size.
#[cfg(feature = "tls")]
const TLS_READ: usize = 18 << 10;

/// A byte stream.
#[derive(Debug)]
pub(crate) enum Stream<S> {
    Plain(S),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<S>>),
}

impl<S: Socket> Stream<S> {
    pub(crate) fn socket(&mut self) -> &mut S {
        match self {
            Stream::Plain(socket) => socket,
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.socket(),
        }
    }

    /// A TLS session reads more than it gives, and knows itself when the socket is empty.
    pub(super) fn after_short_read(&self) -> AfterShortRead {
        match self {
            Stream::Plain(socket) => socket.after_short_read(),
            #[cfg(feature = "tls")]
            Stream::Tls(_) => AfterShortRead::Unknown,
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Stream::Plain(_))
    }

    /// Tells the peer that nothing more comes, where that is part of the protocol.
    pub(crate) fn say_goodbye(&mut self) {
        match self {
            Stream::Plain(_) => {}
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => {
                tls.session.send_close_notify();
                // Nobody waits for it: what the kernel does not take at once is lost.
                let _ = tls.write_out();
            }
        }
    }
}

impl<S: Socket> Read for Stream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.read(buffer),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.read(buffer),
        }
    }
}

impl<S: Socket> Write for Stream<S> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.write(buffer),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.flush(),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.write_out(),
        }
    }
}

/// TLS over a non-blocking socket.
///
/// `rustls::StreamOwned` would do, but that it swallows the socket's errors when it writes.
#[cfg(feature = "tls")]
#[derive(Debug)]
pub(crate) struct TlsStream<S> {
    session: rustls::ClientConnection,
    socket: ReadAhead<S>,
}

/// A socket that is read in larger pieces than the 4 KiB that `rustls` asks for.
#[cfg(feature = "tls")]
#[derive(Debug)]
struct ReadAhead<S> {
    socket: S,
    buffer: Box<[u8]>,
    unread: std::ops::Range<usize>,
}

#[cfg(feature = "tls")]
impl<S: Read> Read for ReadAhead<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.unread.is_empty() {
            self.unread = 0..self.socket.read(&mut self.buffer)?;
        }
        let count = self.unread.len().min(buffer.len());
        let end = self.unread.start + count;
        buffer[..count].copy_from_slice(&self.buffer[self.unread.start..end]);
        self.unread.start = end;
        Ok(count)
    }
}

#[cfg(feature = "tls")]
impl<S: Socket> TlsStream<S> {
    pub(crate) fn new(session: rustls::ClientConnection, socket: S) -> Self {
        let buffer = vec![0; TLS_READ].into_boxed_slice();
        Self { session, socket: ReadAhead { socket, buffer, unread: 0..0 } }
    }

    /// Goes on with the handshake. [`io::ErrorKind::WouldBlock`] until it is finished.
    pub(crate) fn handshake(&mut self) -> io::Result<()> {
        loop {
            self.write_out()?;
            if !self.session.is_handshaking() {
                return Ok(());
            }
            self.read_in()?;
            if self.session.is_handshaking() && !self.session.wants_read() {
                self.write_out()?;
            }
        }
    }

    pub(crate) fn socket(&mut self) -> &mut S {
        &mut self.socket.socket
    }

    /// Takes bytes from the socket. At their end the session knows whether it was an orderly one.
    fn read_in(&mut self) -> io::Result<()> {
        let count = self.session.read_tls(&mut self.socket)?;
        if let Err(error) = self.session.process_new_packets() {
            // The alert that tells the peer why; it matters to nobody else whether it gets out.
            let _ = self.write_out();
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        if count == 0 && self.session.is_handshaking() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn write_out(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            if self.session.write_tls(&mut self.socket.socket)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.read_in()?,
                result => return result,
            }
        }
    }

    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        loop {
            match self.session.writer().write(buffer)? {
                // The session holds as much as it will: some must go out first.
                0 if !buffer.is_empty() => self.write_out()?,
                count => return Ok(count),
            }
        }
    }
}
