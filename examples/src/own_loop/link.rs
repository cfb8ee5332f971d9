//! An open WebSocket on an edge-triggered socket.

use std::io::{self, Read as _};

use perennial_core::{End, EndKind, Event, Frame, TransportId};
use tungstenite::error::{Error, ProtocolError};
use tungstenite::{Message, WebSocket};

use super::mapping;
use super::wire::Wire;

/// An open WebSocket.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) transport: TransportId,
    socket: WebSocket<Wire>,
    /// The last write that was taken and not flushed.
    written: Option<u64>,
    /// The last write that was flushed and not reported.
    flushed: Option<u64>,
    /// A frame that was read and comes next.
    held: Option<Frame>,
    /// How many of the bytes received the core was told of.
    told: u64,
    /// There may be something to read. Readiness is told once, so that it holds until the socket
    /// says that it would block.
    readable: bool,
    /// There is something to flush, as far as is known.
    dirty: bool,
    /// The kernel took less than there was.
    blocked: bool,
    /// The peer broke the protocol; what it says means nothing any more.
    deaf: bool,
}

impl Link {
    pub(super) fn new(transport: TransportId, socket: WebSocket<Wire>) -> Self {
        let told = socket.get_ref().received;
        let (written, flushed, held) = (None, None, None);
        // Frames may have come right behind the handshake's answer: nobody will tell.
        let readable = true;
        let (dirty, blocked, deaf) = (false, false, false);
        Self { transport, socket, written, flushed, held, told, readable, dirty, blocked, deaf }
    }

    /// Takes what the poller told of the socket.
    pub(super) fn fired(&mut self, readable: bool, writable: bool) {
        self.readable |= readable;
        self.dirty |= writable && self.blocked;
    }

    /// Has the next turn ask the kernel, whatever was told.
    pub(super) fn look(&mut self) {
        self.readable = true;
    }

    /// Whether [`Link::next`] may have something to say, or there is something to flush.
    pub(super) fn is_due(&self, paused: bool) -> bool {
        self.flushed.is_some() || self.dirty || ((self.readable || self.held.is_some()) && !paused)
    }

    /// The next thing that the core must be told; `None` when there is nothing for now.
    pub(super) fn next(&mut self, paused: bool) -> Option<Event> {
        let transport = self.transport;
        if let Some(through) = self.flushed.take() {
            return Some(Event::Flushed { transport, through });
        }
        if paused {
            // What is left to read waits for the application; a new transport should not.
            let end = self.socket.get_ref().broken.clone()?;
            return Some(Event::Ended { transport, end });
        }
        if let Some(frame) = self.held.take() {
            return Some(Event::Received { transport, frame });
        }
        while self.readable {
            let result = if self.deaf { self.skip() } else { self.socket.read() };
            match result {
                Ok(message) => {
                    self.told = self.socket.get_ref().received;
                    // `tungstenite` answers these two by itself, when it is flushed.
                    self.dirty |= matches!(message, Message::Ping(_) | Message::Close(_));
                    if let Some(violation) = mapping::forbidden_close(&message) {
                        self.held = mapping::to_frame(message);
                        return Some(Event::Violated { transport, violation });
                    }
                    if let Some(frame) = mapping::to_frame(message) {
                        return Some(Event::Received { transport, frame });
                    }
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = false;
                }
                Err(error) => {
                    self.deaf = true;
                    return Some(mapping::failure(transport, &error));
                }
            }
        }
        let wire = self.socket.get_ref();
        if let Some(end) = wire.broken.clone() {
            return Some(Event::Ended { transport, end });
        }
        let heard = wire.received > std::mem::replace(&mut self.told, wire.received);
        heard.then_some(Event::Heard { transport })
    }

    /// Reads and forgets. Closing a socket with unread data in it resets the connection, and the
    /// reset may overtake our close frame.
    fn skip(&mut self) -> Result<Message, Error> {
        let mut scratch = [0; 4096];
        while self.socket.get_mut().read(&mut scratch)? > 0 {}
        Err(Error::ConnectionClosed)
    }

    /// Takes a frame to write; it goes out with the next flush at the latest. Returns why it never
    /// will.
    pub(super) fn write(&mut self, index: u64, frame: Frame) -> Option<End> {
        match self.socket.write(mapping::to_message(frame)) {
            // What the kernel did not take is kept.
            Ok(()) | Err(Error::Io(_)) => {}
            // The answer to the peer's close frame, which `tungstenite` has written already.
            Err(Error::Protocol(ProtocolError::SendAfterClosing)) => {}
            // The peer keeps asking for answers that it does not read.
            Err(error) => return Some(End { kind: EndKind::Io, detail: error.to_string().into() }),
        }
        self.written = Some(index);
        self.dirty = true;
        None
    }

    /// Gives the kernel everything it takes.
    pub(super) fn flush(&mut self) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        self.blocked = match self.socket.flush() {
            Err(Error::Io(error)) => error.kind() == io::ErrorKind::WouldBlock,
            Ok(()) | Err(_) => false,
        };
        if self.socket.get_ref().broken.is_some() {
            // Nothing was flushed. What can still be read says more than the failure.
            self.readable = true;
        } else if !self.blocked {
            self.flushed = self.written.take().or(self.flushed);
        }
    }
}
