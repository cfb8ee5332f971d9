//! An open WebSocket: reads what is there, writes what it is given, reports what was flushed.

use std::collections::VecDeque;
use std::io::{self, Read};

use perennial_core::{Config, End, EndKind, Event, Frame, TransportId};
use tungstenite::error::{Error, ProtocolError};
use tungstenite::{Message, WebSocket};

use super::network::Socket;
use super::wire::Wire;
use crate::convert::{encoded_len, to_frame, to_message};
use crate::mapping::{self, Failure};

/// How many frames are read in one turn, so that writing and the timers have theirs.
const READ_FRAMES: usize = 64;
/// How many bytes are read in one turn.
const READ_BYTES: usize = 256 << 10;
/// How many bytes of pongs and acknowledgements may wait behind a peer that does not read, before
/// it is not read from either.
const ANSWERS: u64 = 1 << 20;

/// An open WebSocket.
#[derive(Debug)]
pub(crate) struct Link<S> {
    transport: TransportId,
    socket: WebSocket<Wire<S>>,
    /// The writes not yet reported: number, and where its bytes end among all those written.
    writes: VecDeque<(u64, u64)>,
    /// Where the bytes of the last write end.
    end: u64,
    /// Whether something may wait to be flushed.
    dirty: bool,
    /// Whether the kernel took less than there was.
    blocked: bool,
    /// The bytes that may wait here at once if the peer reads what it asked for.
    allowance: u64,
    largest: u64,
    /// Whether there may be something to read of which nobody will tell.
    probe: bool,
    /// The peer broke the protocol; what it says means nothing any more.
    deaf: bool,
}

/// Whether a transport goes on after it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    GoesOn,
    Ended,
}

impl<S: Socket> Link<S> {
    pub(crate) fn new(
        transport: TransportId,
        mut socket: WebSocket<Wire<S>>,
        config: &Config,
    ) -> Self {
        socket.get_mut().begin_frames(config.inbox.max_message);
        let end = socket.get_ref().accepted();
        Self {
            transport,
            socket,
            writes: VecDeque::new(),
            end,
            dirty: false,
            blocked: false,
            allowance: (config.outbox.write_credit as u64).saturating_add(ANSWERS),
            largest: 0,
            // Frames may have come right behind the handshake's answer.
            probe: true,
            deaf: false,
        }
    }

    pub(crate) fn transport(&self) -> TransportId {
        self.transport
    }

    /// How many bytes were read and written, handshake included.
    pub(crate) fn crossed(&self) -> (u64, u64) {
        let wire = self.socket.get_ref();
        (wire.received(), wire.accepted())
    }

    /// What the bytes cross.
    pub(crate) fn socket(&mut self) -> &mut S {
        self.socket.get_mut().stream().socket()
    }

    /// Takes what was told of the socket.
    pub(crate) fn fired(&mut self, readable: bool, writable: bool) {
        if readable {
            self.probe = true;
            self.socket.get_mut().told();
        }
        self.dirty |= writable && self.blocked;
    }

    /// Has the next turn look whether there is something to read.
    pub(crate) fn probe(&mut self) {
        self.probe = true;
    }

    /// As [`probe`](Self::probe), and has it ask the operating system, whatever was told.
    pub(crate) fn look(&mut self) {
        self.probe = true;
        self.socket.get_mut().told();
        self.socket().look();
    }

    /// Whether the next turn should read.
    pub(crate) fn wants_read(&self) -> bool {
        self.probe && !self.is_choked()
    }

    /// Whether that can wait until there is nothing else to do.
    pub(crate) fn reading_can_wait(&self) -> bool {
        self.socket.get_ref().owes_read()
    }

    /// Whether the next turn should flush.
    pub(crate) fn wants_flush(&self) -> bool {
        self.dirty
    }

    /// Whether the kernel has taken less than there was.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Whether the peer keeps asking for answers that it does not read.
    fn is_choked(&self) -> bool {
        let waiting = self.end.saturating_sub(self.socket.get_ref().accepted());
        self.blocked && waiting > self.allowance.saturating_add(self.largest)
    }

    /// Has the next turn flush again what the kernel did not take, in case nobody has told that
    /// it can.
    pub(crate) fn retry_flush(&mut self) {
        self.dirty |= self.blocked;
    }

    /// Reads as far as the socket is ready, up to one turn's share.
    pub(crate) fn read(&mut self, events: &mut VecDeque<Event>) -> Reading {
        let transport = self.transport;
        self.probe = false;
        self.socket.get_mut().begin(READ_BYTES);
        let before = (self.socket.get_ref().received(), events.len());
        let end = if self.deaf { self.skip() } else { self.read_frames(events) };
        let wire = self.socket.get_ref();
        if wire.is_spent() || wire.owes_read() {
            self.probe = true;
        }
        if events.len() == before.1 && wire.received() > before.0 {
            events.push_back(Event::Heard { transport });
        }
        // A reset that a write was told of is read as the end of the stream. And a link that cannot
        // be written is of use only until everything in it is read.
        let end = match (end, wire.broken()) {
            (Some(_), Some(broken)) => Some(broken.clone()),
            (end, broken) => end.or_else(|| broken.filter(|_| !self.probe).cloned()),
        };
        let Some(end) = end else { return Reading::GoesOn };
        events.push_back(Event::Ended { transport, end });
        Reading::Ended
    }

    fn read_frames(&mut self, events: &mut VecDeque<Event>) -> Option<End> {
        let transport = self.transport;
        for _ in 0..READ_FRAMES {
            let message = match self.socket.read() {
                Ok(message) => message,
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    match self.socket.get_mut().read_large() {
                        Ok(Some(frame)) => {
                            events.push_back(Event::Received { transport, frame });
                            continue;
                        }
                        Ok(None) => return None,
                        Err(error) => return self.fail(error, events),
                    }
                }
                Err(error) => return self.fail(error, events),
            };
            self.note_answer(&message);
            let closing = message.is_close();
            if let Message::Close(Some(close)) = &message
                && let Some(violation) = mapping::forbidden_close(close)
            {
                events.push_back(Event::Violated { transport, violation });
            }
            if let Some(frame) = to_frame(message) {
                events.push_back(Event::Received { transport, frame });
            }
            if closing {
                // The answer goes out before the end of the stream is looked at.
                break;
            }
        }
        self.probe = true;
        None
    }

    /// What it means that reading has failed.
    fn fail(&mut self, error: Error, events: &mut VecDeque<Event>) -> Option<End> {
        match mapping::failure(error) {
            Failure::Ended(end) => Some(end),
            Failure::Violated(violation) => {
                events.push_back(Event::Violated { transport: self.transport, violation });
                self.socket.get_mut().end_frames();
                self.deaf = true;
                self.probe = true;
                None
            }
        }
    }

    /// `tungstenite` answers pings and closes by itself. The answer goes out before the next frame,
    /// and its bytes count.
    fn note_answer(&mut self, message: &Message) {
        let answer = match message {
            Message::Ping(bytes) => bytes.len(),
            Message::Close(Some(close)) => 2 + close.reason.len(),
            Message::Close(None) => 0,
            Message::Text(_) | Message::Binary(_) | Message::Pong(_) | Message::Frame(_) => return,
        };
        self.end += encoded_len(answer);
        self.dirty = true;
    }

    /// Reads and forgets. Closing a socket with unread data in it resets the connection, and the
    /// reset may overtake our close frame.
    fn skip(&mut self) -> Option<End> {
        let mut scratch = [0; 4096];
        loop {
            match self.socket.get_mut().read(&mut scratch) {
                Ok(0) => return Some(End::new(EndKind::Eof)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) => return Some(mapping::end(&error)),
            }
        }
    }

    /// Takes a frame to write. It goes out with the next flush at the latest.
    pub(crate) fn write(&mut self, index: u64, frame: Frame) {
        let len = encoded_len(frame.len());
        match self.socket.write(to_message(frame)) {
            // What blocks is kept, and goes on with the next flush.
            Ok(()) => self.count(len),
            Err(Error::Io(_)) => {
                self.blocked = true;
                self.count(len);
            }
            // The answer to the peer's close frame, which `tungstenite` has written already.
            Err(Error::Protocol(ProtocolError::SendAfterClosing)) => {}
            // Nothing was written, and nothing ever will be: reading finds out why.
            Err(_) => {
                self.probe = true;
                return;
            }
        }
        self.writes.push_back((index, self.end));
        self.dirty = true;
    }

    fn count(&mut self, len: u64) {
        self.end += len;
        self.largest = self.largest.max(len);
    }

    /// Gives the kernel everything it takes. Reports the writes that are through.
    pub(crate) fn flush(&mut self) -> Option<Event> {
        self.dirty = false;
        let flushed = self.socket.flush();
        if self.socket.get_ref().broken().is_some() {
            self.blocked = false;
            self.probe = true;
            return None;
        }
        let through = match flushed {
            Ok(()) => {
                self.blocked = false;
                self.end = self.socket.get_ref().accepted();
                self.writes.drain(..).next_back().map(|(index, _)| index)
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.blocked = true;
                let surely = self.socket.get_ref().surely_accepted().unwrap_or(0);
                let count = self.writes.partition_point(|(_, end)| *end <= surely);
                self.writes.drain(..count).next_back().map(|(index, _)| index)
            }
            Err(_) => {
                self.probe = true;
                None
            }
        };
        through.map(|through| Event::Flushed { transport: self.transport, through })
    }

    /// How writing failed, if it did.
    pub(crate) fn broken(&self) -> Option<&End> {
        self.socket.get_ref().broken()
    }

    /// Ends the stream in an orderly way, where the protocol below has one.
    pub(crate) fn say_goodbye(&mut self) {
        if self.broken().is_some() {
            return;
        }
        self.socket.get_mut().stream().say_goodbye();
    }
}
