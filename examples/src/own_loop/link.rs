//! An open WebSocket on an edge-triggered socket.

use std::io::{self, Read as _};

use perennial_core::{End, EndKind, Event, Frame, TransportId};
use tungstenite::error::{Error, ProtocolError};
use tungstenite::{Message, WebSocket};

use super::mapping;
use super::wire::Wire;

/// How many bytes are read in one turn, so that the other connections have theirs.
const SHARE: usize = 256 << 10;
/// How many bytes of pings are answered while the peer reads nothing.
const ANSWERS: usize = 64 << 10;

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
    /// The bytes of the pings that came meanwhile, whose answers pile up.
    asked: usize,
    /// The peer broke the protocol; what it says means nothing any more.
    deaf: bool,
}

impl Link {
    pub(super) fn new(transport: TransportId, socket: WebSocket<Wire>) -> Self {
        let told = socket.get_ref().received;
        let (written, flushed, held) = (None, None, None);
        // Frames may have come right behind the handshake's answer: nobody will tell.
        let readable = true;
        let (dirty, blocked, asked, deaf) = (false, false, 0, false);
        Self {
            transport,
            socket,
            written,
            flushed,
            held,
            told,
            readable,
            dirty,
            blocked,
            asked,
            deaf,
        }
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

    /// Begins a turn.
    pub(super) fn begin(&mut self) {
        self.socket.get_mut().share = SHARE;
    }

    /// Whether the peer keeps asking for answers that it does not read: it is not read either.
    fn is_choked(&self) -> bool {
        self.blocked && self.asked > ANSWERS
    }

    /// Whether [`Link::next`] may have something to say, or there is something to flush.
    pub(super) fn is_due(&self, paused: bool) -> bool {
        let to_read = self.held.is_some() || (self.readable && !self.is_choked());
        let broken = self.socket.get_ref().broken.is_some();
        self.flushed.is_some() || self.dirty || broken || (to_read && !paused)
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
        while self.readable && !self.is_choked() {
            let result = if self.deaf { self.skip() } else { self.socket.read() };
            match result {
                Ok(message) => {
                    self.told = self.socket.get_ref().received;
                    // `tungstenite` answers these two by itself, when it is flushed.
                    self.dirty |= matches!(message, Message::Ping(_) | Message::Close(_));
                    if let Message::Ping(payload) = &message {
                        // With the head and the mask of its answer (RFC 6455 §5.2).
                        self.asked += payload.len() + 6;
                    }
                    if let Some(violation) = mapping::forbidden_close(&message) {
                        self.held = mapping::to_frame(message);
                        return Some(Event::Violated { transport, violation });
                    }
                    if let Some(frame) = mapping::to_frame(message) {
                        return Some(Event::Received { transport, frame });
                    }
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = self.socket.get_ref().share == 0;
                    break;
                }
                Err(error) => {
                    self.deaf = true;
                    let event = mapping::failure(transport, &error);
                    return Some(match (&event, self.socket.get_ref().broken.clone()) {
                        // A reset that a write was told of is read as the end of the stream.
                        (Event::Ended { .. }, Some(end)) => Event::Ended { transport, end },
                        _ => event,
                    });
                }
            }
        }
        let wire = self.socket.get_ref();
        if let Some(end) = wire.broken.clone()
            && !self.readable
        {
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
            self.asked = 0;
            self.flushed = self.written.take().or(self.flushed);
        }
    }
}
