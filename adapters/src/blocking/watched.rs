//! A non-blocking socket, registered with the poller for as long as it lives.

use std::io::{self, Read, Write};
use std::sync::Arc;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::engine::{AfterShortRead, Socket};

/// A socket that the poller tells of whenever it becomes ready for something.
#[derive(Debug)]
pub(super) struct Watched {
    socket: TcpStream,
    registry: Arc<Registry>,
    token: Token,
    /// Whether the last news may have been of the stream's end as well.
    may_have_ended: bool,
}

impl Watched {
    /// Has the poller tell of `socket` from now on.
    pub(super) fn new(
        registry: &Arc<Registry>,
        token: Token,
        mut socket: TcpStream,
    ) -> io::Result<Self> {
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { socket, registry: Arc::clone(registry), token, may_have_ended: true })
    }

    pub(super) fn token(&self) -> Token {
        self.token
    }

    /// Notes what the poller has told of it. Each readiness is told once only.
    pub(super) fn note(&mut self, event: &Event) {
        self.may_have_ended = event.is_read_closed() || event.is_error();
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It fails only for what is not registered, and then there is nothing to undo.
        let _ = self.registry.deregister(&mut self.socket);
    }
}

impl Socket for Watched {
    fn after_short_read(&self) -> AfterShortRead {
        // What comes next is told, except where the poller is an imitation of one. An end that was
        // told together with the last bytes is not told again.
        if cfg!(unix) && !self.may_have_ended {
            AfterShortRead::Empty
        } else {
            AfterShortRead::Unknown
        }
    }

    fn look(&mut self) {
        // Every read asks.
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.socket.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl Write for Watched {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        loop {
            match self.socket.write(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) if !buffer.is_empty() => return Err(io::ErrorKind::WriteZero.into()),
                result => return result,
            }
        }
    }

    fn write_vectored(&mut self, buffers: &[io::IoSlice<'_>]) -> io::Result<usize> {
        loop {
            match self.socket.write_vectored(buffers) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
