//! A non-blocking socket, registered with the poller for as long as it lives.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use polling::{Event, PollMode, Poller};

use crate::engine::Socket;

/// A socket and what the poller watches it for.
#[derive(Debug)]
pub(super) struct Polled {
    socket: TcpStream,
    poller: Arc<Poller>,
    key: usize,
    mode: PollMode,
    registered: bool,
    /// What the poller watches for; `None` where it must be told anew.
    armed: Option<(bool, bool)>,
}

impl Polled {
    /// Takes a socket that is non-blocking already. Nothing is watched for yet.
    pub(super) fn new(poller: &Arc<Poller>, key: usize, socket: TcpStream) -> Self {
        // Level-triggered interest stays in force: nothing to tell the kernel after each event.
        let mode = if poller.supports_level() { PollMode::Level } else { PollMode::Oneshot };
        let poller = Arc::clone(poller);
        Self { socket, poller, key, mode, registered: false, armed: None }
    }

    pub(super) fn key(&self) -> usize {
        self.key
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    fn forget(&mut self) {
        if std::mem::take(&mut self.registered) {
            // It fails only for what is not registered, and then there is nothing to delete.
            let _ = self.poller.delete(&self.socket);
        }
    }
}

impl Socket for Polled {
    // The poller is level-triggered, or armed anew before every sleep.
    const TELLS_AFTER_SHORT_READ: bool = true;

    /// Notes that an event was delivered: without level-triggering, interest is spent by it.
    fn fired(&mut self) {
        if self.mode == PollMode::Oneshot {
            self.armed = None;
        }
    }

    fn look(&mut self) {
        // Every read asks.
    }

    /// Watches for these, and tells the kernel only if that is news.
    #[allow(unsafe_code)]
    fn watch(&mut self, readable: bool, writable: bool) -> io::Result<()> {
        if self.armed == Some((readable, writable)) {
            return Ok(());
        }
        if !readable && !writable {
            // Interest in nothing is not enough: epoll reports a hang-up all the same, for ever.
            self.forget();
            self.armed = Some((false, false));
            return Ok(());
        }
        let event = Event::new(self.key, readable, writable);
        if self.registered {
            self.poller.modify_with_mode(&self.socket, event, self.mode)?;
        } else {
            // SAFETY: the socket must be deleted from the poller before it is closed. `self` owns
            // it, never gives it away, and `drop` deletes it before the fields are dropped.
            unsafe { self.poller.add_with_mode(&self.socket, event, self.mode)? };
            self.registered = true;
        }
        self.armed = Some((readable, writable));
        Ok(())
    }
}

impl Drop for Polled {
    fn drop(&mut self) {
        self.forget();
    }
}

impl Read for Polled {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match (&self.socket).read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl Write for Polled {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        loop {
            match (&self.socket).write(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) if !buffer.is_empty() => return Err(io::ErrorKind::WriteZero.into()),
                result => return result,
            }
        }
    }

    fn write_vectored(&mut self, buffers: &[io::IoSlice<'_>]) -> io::Result<usize> {
        loop {
            match (&self.socket).write_vectored(buffers) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
