//! The byte stream below the WebSocket, plain or over TLS, and what is counted on it.

use std::io::{self, Read, Write};

use perennial_core::End;

use super::polled::Polled;
use crate::mapping;

/// How much is read from below TLS at once: a record of the largest size.
#[cfg(feature = "tls")]
const TLS_READ: usize = 18 << 10;

/// A byte stream.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(Polled),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream>),
}

impl Stream {
    pub(super) fn polled(&mut self) -> &mut Polled {
        match self {
            Stream::Plain(polled) => polled,
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.polled(),
        }
    }

    fn is_plain(&self) -> bool {
        matches!(self, Stream::Plain(_))
    }

    /// Tells the peer that nothing more comes, where that is part of the protocol.
    pub(super) fn say_goodbye(&mut self) {
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

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(polled) => polled.read(buffer),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(polled) => polled.write(buffer),
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(polled) => polled.flush(),
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
pub(super) struct TlsStream {
    session: rustls::ClientConnection,
    socket: ReadAhead,
}

/// A socket that is read in larger pieces than the 4 KiB that `rustls` asks for.
#[cfg(feature = "tls")]
#[derive(Debug)]
struct ReadAhead {
    socket: Polled,
    buffer: Box<[u8]>,
    unread: std::ops::Range<usize>,
}

#[cfg(feature = "tls")]
impl Read for ReadAhead {
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
impl TlsStream {
    pub(super) fn new(session: rustls::ClientConnection, socket: Polled) -> Self {
        let buffer = vec![0; TLS_READ].into_boxed_slice();
        Self { session, socket: ReadAhead { socket, buffer, unread: 0..0 } }
    }

    /// Goes on with the handshake. [`io::ErrorKind::WouldBlock`] until it is finished.
    pub(super) fn handshake(&mut self) -> io::Result<()> {
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

    pub(super) fn watch_handshake(&mut self) -> io::Result<()> {
        let (readable, writable) = (self.session.wants_read(), self.session.wants_write());
        self.polled().watch(readable || !writable, writable)
    }

    pub(super) fn polled(&mut self) -> &mut Polled {
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

/// A stream as `tungstenite` sees it: what crosses is counted, reading ends for this turn when its
/// share is used up, and a failed write does not get in the way of reading.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    /// What was read too early: it is read first.
    early: Vec<u8>,
    received: u64,
    accepted: u64,
    share: usize,
    dry: bool,
    broken: Option<End>,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            early: Vec::new(),
            received: 0,
            accepted: 0,
            share: 0,
            dry: false,
            broken: None,
        }
    }

    /// Begins a turn in which at most `share` bytes are read.
    pub(super) fn begin(&mut self, share: usize) {
        self.share = share;
        self.dry = false;
    }

    /// Has these bytes read before any others.
    pub(super) fn put_back(&mut self, early: Vec<u8>) {
        self.early = early;
    }

    /// Whether this turn's share is used up, so that there may be more.
    pub(super) fn is_spent(&self) -> bool {
        self.share == 0
    }

    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// How many bytes the kernel has taken for certain, where that is known before a flush has
    /// ended: a TLS session buffers.
    pub(super) fn surely_accepted(&self) -> Option<u64> {
        self.stream.is_plain().then_some(self.accepted)
    }

    /// How writing failed, if it did. There may still be something to read: the peer may have said
    /// why it hung up.
    pub(super) fn broken(&self) -> Option<&End> {
        self.broken.as_ref()
    }

    pub(super) fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    fn note_failure(&mut self, error: io::Error) -> io::Result<()> {
        if error.kind() == io::ErrorKind::WouldBlock {
            return Err(error);
        }
        self.broken = Some(mapping::end(&error));
        Ok(())
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.share);
        if self.dry || (most == 0 && !buffer.is_empty()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if !self.early.is_empty() {
            let count = self.early.len().min(most);
            buffer[..count].copy_from_slice(&self.early[..count]);
            self.early.drain(..count);
            self.received += count as u64;
            return Ok(count);
        }
        let count = self.stream.read(&mut buffer[..most])?;
        self.received += count as u64;
        self.share -= count;
        // A short read has emptied the kernel's buffer. What comes after it wakes the poller, so
        // that there is no need to ask again.
        self.dry = count > 0 && count < most && self.stream.is_plain();
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.broken.is_some() {
            return Ok(buffer.len());
        }
        match self.stream.write(buffer) {
            Ok(count) => {
                self.accepted += count as u64;
                Ok(count)
            }
            Err(error) => self.note_failure(error).map(|()| buffer.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.broken.is_some() {
            return Ok(());
        }
        self.stream.flush().or_else(|error| self.note_failure(error))
    }
}
