//! The socket as `tungstenite` sees it.

use std::io::{self, Read, Write};

use mio::net::TcpStream;
use perennial_core::End;

use super::mapping;

/// Counts what is read, and keeps a failure to write to itself: the peer may have said why it hung
/// up, and that can still be read.
#[derive(Debug)]
pub(super) struct Wire {
    socket: TcpStream,
    /// Bytes read so far.
    pub(super) received: u64,
    /// Bytes that may still be read in this turn. A peer that never pauses, in fragments that never
    /// end, would otherwise keep `tungstenite` reading for ever.
    pub(super) share: usize,
    /// How writing failed, if it did.
    pub(super) broken: Option<End>,
}

impl Wire {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self { socket, received: 0, share: usize::MAX, broken: None }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.share);
        if most == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = uninterrupted(|| self.socket.read(&mut buffer[..most]))?;
        self.received += count as u64;
        self.share -= count;
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.broken.is_some() {
            return Ok(buffer.len());
        }
        match uninterrupted(|| self.socket.write(buffer)) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                self.broken = Some(mapping::end(&error));
                Ok(buffer.len())
            }
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn uninterrupted(mut act: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match act() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
