//! The byte stream below the WebSocket, plain or over TLS, and what is counted on it.

use std::io::{self, Read, Write};

use perennial_core::End;

use super::ahead::Ahead;
use super::network::{AfterShortRead, Socket};
use crate::mapping;

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
    fn after_short_read(&self) -> AfterShortRead {
        match self {
            Stream::Plain(socket) => socket.after_short_read(),
            #[cfg(feature = "tls")]
            Stream::Tls(_) => AfterShortRead::Unknown,
        }
    }

    fn is_plain(&self) -> bool {
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

/// A stream as `tungstenite` sees it: what crosses is counted, reading ends for this turn when its
/// share is used up, and a failed write does not get in the way of reading.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: Stream<S>,
    /// What was read and `tungstenite` has not taken yet.
    ahead: Ahead,
    received: u64,
    accepted: u64,
    share: usize,
    /// What the last read left in the kernel.
    left: AfterShortRead,
    /// Whether a read may be put off; the handshake does not come back to it.
    may_owe: bool,
    broken: Option<End>,
}

impl<S: Socket> Wire<S> {
    pub(crate) fn new(stream: Stream<S>) -> Self {
        Self {
            stream,
            ahead: Ahead::default(),
            received: 0,
            accepted: 0,
            share: 0,
            left: AfterShortRead::Unknown,
            may_owe: false,
            broken: None,
        }
    }

    /// Begins a turn in which at most `share` bytes are read.
    pub(crate) fn begin(&mut self, share: usize) {
        self.share = share;
        // Of what lies here already nobody has told that the kernel has more.
        if self.ahead.is_empty() {
            self.left = AfterShortRead::Unknown;
        }
    }

    /// There may be more in the kernel than what a short read left there.
    pub(crate) fn told(&mut self) {
        self.left = AfterShortRead::Unknown;
    }

    /// Whether there is one more read to do, which can wait: see [`AfterShortRead::LikelyEmpty`].
    pub(crate) fn owes_read(&self) -> bool {
        self.left == AfterShortRead::LikelyEmpty && self.ahead.is_empty()
    }

    /// From now on somebody asks for what is [owed](Self::owes_read).
    pub(crate) fn may_owe(&mut self) {
        self.may_owe = true;
    }

    /// Has these bytes read before any others.
    pub(crate) fn put_back(&mut self, early: Vec<u8>) {
        self.ahead.put_back(early);
    }

    /// Whether this turn's share is used up, so that there may be more.
    pub(crate) fn is_spent(&self) -> bool {
        self.share == 0
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// How many bytes the kernel has taken for certain, where that is known before a flush has
    /// ended: a TLS session buffers.
    pub(crate) fn surely_accepted(&self) -> Option<u64> {
        self.stream.is_plain().then_some(self.accepted)
    }

    /// How writing failed, if it did. There may still be something to read: the peer may have said
    /// why it hung up.
    pub(crate) fn broken(&self) -> Option<&End> {
        self.broken.as_ref()
    }

    pub(crate) fn stream(&mut self) -> &mut Stream<S> {
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

impl<S: Socket> Read for Wire<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.share);
        if most == 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.ahead.is_empty() {
            if self.left != AfterShortRead::Unknown {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let stream = &mut self.stream;
            let is_full = self.ahead.fill(|buffer| stream.read(buffer))?;
            // A short read has emptied the kernel's buffer. Where what comes after it is told,
            // there is no need to ask again.
            if !is_full && !self.ahead.is_empty() {
                self.left = match self.stream.after_short_read() {
                    AfterShortRead::LikelyEmpty if !self.may_owe => AfterShortRead::Unknown,
                    left => left,
                };
            }
        }
        let count = self.ahead.take(&mut buffer[..most]);
        self.received += count as u64;
        self.share -= count;
        Ok(count)
    }
}

impl<S: Socket> Write for Wire<S> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket that has these pieces to read, and what is known after each.
    struct Pieces(Vec<&'static [u8]>, AfterShortRead);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = self.0.pop() else { return Err(io::ErrorKind::WouldBlock.into()) };
            buffer[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    impl Write for Pieces {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            Ok(buffer.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Socket for Pieces {
        fn after_short_read(&self) -> AfterShortRead {
            self.1
        }

        fn look(&mut self) {}
    }

    #[test]
    fn the_kernel_is_asked_again_when_it_has_told_of_more() {
        let mut wire =
            Wire::new(Stream::Plain(Pieces(vec![b"ef", b"cd", b"ab"], AfterShortRead::Empty)));
        let mut byte = [0];
        wire.begin(1);
        assert_eq!(wire.read(&mut byte).expect("a"), 1);
        assert!(wire.is_spent());
        // Told while the rest of the first piece lies here unread: it will not be told again.
        wire.told();
        wire.begin(usize::MAX);
        assert_eq!(wire.read(&mut byte).expect("b"), 1);
        assert_eq!(wire.read(&mut byte).expect("c"), 1);
        assert_eq!(&byte, b"c");
        assert_eq!(wire.read(&mut byte).expect("d"), 1);
        let dry = wire.read(&mut byte).expect_err("nobody has told of the third piece");
        assert_eq!(dry.kind(), io::ErrorKind::WouldBlock);
        assert!(!wire.owes_read(), "it will be told");
        wire.begin(usize::MAX);
        assert_eq!(wire.read(&mut byte).expect("e"), 1);
    }

    #[test]
    fn a_read_that_hardly_finds_anything_is_owed_and_not_done_at_once() {
        let mut wire =
            Wire::new(Stream::Plain(Pieces(vec![b"b", b"a"], AfterShortRead::LikelyEmpty)));
        let mut byte = [0];
        wire.begin(usize::MAX);
        assert_eq!(wire.read(&mut byte).expect("a"), 1);
        assert!(!wire.owes_read());
        assert_eq!(wire.read(&mut byte).expect("nobody would come back to it"), 1);
        wire.stream().socket().0 = vec![b"d", b"c"];
        wire.may_owe();
        assert_eq!(wire.read(&mut byte).expect("c"), 1);
        assert!(wire.owes_read());
        wire.read(&mut byte).expect_err("it can wait");
        wire.begin(usize::MAX);
        assert_eq!(wire.read(&mut byte).expect("d"), 1);
        assert_eq!(&byte, b"d");
    }
}
