//! One accepted connection: its phase, its codec and its bounded queue of bytes.

use super::faults::Trickle;
use super::handshake::Answer;
use super::ids::Ranges;
use super::rng::Rng;
use super::stream::{Pipe, Stream};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::time::Instant;
use tungstenite::error::CapacityError;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

/// Most writes in one go, so that a trickle of single bytes leaves time for the others.
const MAX_WRITES: usize = 4_096;

/// Where a connection is in its life.
#[derive(Debug)]
pub(super) enum Phase {
    /// The handshake request is being read.
    Head(Vec<u8>),
    /// The request is there; its answer is due later. Bytes that came early are kept.
    Delayed(Answer, Vec<u8>),
    /// The WebSocket is open, or closing.
    Open(Box<WebSocket<Pipe>>),
    /// What is queued goes out, then FIN; what comes in is thrown away until the peer's FIN.
    Draining(Drain),
    /// What comes in is thrown away, and TCP is left as it is.
    Mute,
}

/// How far a draining connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drain {
    /// What is queued goes first, TLS says goodbye.
    Polite,
    /// FIN as soon as nothing waits.
    Abrupt,
    /// FIN has been sent.
    Finished,
}

/// What the codec makes of the bytes fed to it.
#[derive(Debug)]
pub(super) enum Next {
    Message(Message),
    /// No whole message yet.
    Nothing,
    /// The closing handshake is over.
    Closed,
    /// The peer broke the protocol; the close code that says how.
    Violation(u16),
}

#[derive(Debug)]
pub(super) struct Conn {
    pub(super) stream: Stream,
    pub(super) phase: Phase,
    pub(super) rng: Rng,
    /// Of the handshake's URL.
    pub(super) path: String,
    pub(super) session: String,
    /// How far the client says it got.
    pub(super) since: u64,
    /// The app has been told of the opening but not of the end.
    pub(super) live: bool,
    /// A close frame of ours is out or queued.
    pub(super) close_sent: bool,
    /// Data messages received.
    pub(super) messages: u64,
    /// Ids received, and the first of them, for cumulative acks.
    pub(super) ids: Ranges,
    pub(super) first_id: Option<u64>,
    /// Timers of faults armed under an earlier generation are void.
    pub(super) generation: u32,
    /// The peer has sent FIN.
    pub(super) eof: bool,
    /// The trickle pauses until then.
    pub(super) paused_until: Option<Instant>,
    /// Interest the poller has now; `None` after it has reported an event.
    pub(super) armed: Option<(bool, bool)>,
    out: VecDeque<u8>,
    /// How much at the front of the queue belongs to the handshake's answer.
    head: usize,
}

impl Conn {
    pub(super) fn new(stream: Stream, rng: Rng) -> Self {
        Self {
            stream,
            phase: Phase::Head(Vec::new()),
            rng,
            path: String::new(),
            session: String::new(),
            since: 0,
            live: false,
            close_sent: false,
            messages: 0,
            ids: Ranges::default(),
            first_id: None,
            generation: 0,
            eof: false,
            paused_until: None,
            armed: None,
            out: VecDeque::new(),
            head: 0,
        }
    }

    /// Makes it a WebSocket; `early` is what came after the request.
    pub(super) fn open(&mut self, early: &[u8], max_message: usize) {
        let config = WebSocketConfig::default()
            .read_buffer_size(16 * 1024)
            // Straight into the pipe, whose content this connection queues itself.
            .write_buffer_size(0)
            .max_message_size(Some(max_message))
            .max_frame_size(Some(max_message));
        let mut pipe = Pipe::default();
        pipe.feed(early);
        let socket = WebSocket::from_raw_socket(pipe, Role::Server, Some(config));
        self.phase = Phase::Open(Box::new(socket));
    }

    /// Open and not closing: messages can be sent.
    pub(super) fn can_send(&self) -> bool {
        matches!(&self.phase, Phase::Open(socket) if socket.can_write())
    }

    pub(super) fn queued(&self) -> usize {
        self.out.len()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.out.extend(bytes);
    }

    /// Queues a handshake's answer.
    pub(super) fn push_head(&mut self, bytes: &[u8]) {
        self.head = self.out.len() + bytes.len();
        self.push(bytes);
    }

    pub(super) fn forget_output(&mut self) {
        self.out.clear();
        self.head = 0;
    }

    fn collect(&mut self) {
        if let Phase::Open(socket) = &mut self.phase {
            self.out.extend(&socket.get_ref().output);
            let output = &mut socket.get_mut().output;
            output.clear();
            output.shrink_to(64 * 1024);
        }
    }

    /// Queues a message; nothing happens unless [`can_send`](Self::can_send).
    pub(super) fn send(&mut self, message: Message) -> bool {
        if !self.can_send() {
            return false;
        }
        let Phase::Open(socket) = &mut self.phase else { return false };
        // The pipe takes everything, so the only errors are those `can_send` rules out.
        let sent = socket.write(message).is_ok();
        self.collect();
        sent
    }

    /// Queues a close frame; false when the connection is not open or one is out already.
    pub(super) fn close(&mut self, code: u16, reason: &str) -> bool {
        if !self.can_send() {
            return false;
        }
        let Phase::Open(socket) = &mut self.phase else { return false };
        let frame = CloseFrame { code: code.into(), reason: cut(reason, 123).into() };
        // 1005 stands for a frame without a code (RFC 6455 §7.1.5).
        let _ = socket.close((code != 1005).then_some(frame));
        self.close_sent = true;
        self.collect();
        true
    }

    /// Takes the next message out of what was fed.
    pub(super) fn next(&mut self) -> Next {
        let Phase::Open(socket) = &mut self.phase else { return Next::Nothing };
        let next = match socket.read() {
            Ok(message) => Next::Message(message),
            Err(Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => Next::Nothing,
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => Next::Closed,
            Err(Error::Capacity(CapacityError::MessageTooLong { .. })) => Next::Violation(1009),
            Err(Error::Utf8(_)) => Next::Violation(1007),
            Err(_) => Next::Violation(1002),
        };
        self.collect();
        next
    }

    /// Writes what is queued as far as the socket takes it. The number of bytes written.
    pub(super) fn flush(&mut self, trickle: Option<Trickle>, now: Instant) -> io::Result<u64> {
        let mut written = 0;
        if self.paused_until.is_some_and(|until| until > now) {
            return Ok(0);
        }
        self.paused_until = None;
        let slow = trickle.is_some();
        for _ in 0..MAX_WRITES {
            let (front, _) = self.out.as_slices();
            if front.is_empty() {
                break;
            }
            // The handshake's answer may be exempt; it is then written by itself.
            let trickle = trickle.filter(|t| t.handshake || self.head == 0);
            let piece = match trickle {
                Some(t) => t.bytes.clamp(1, front.len()),
                None if slow && self.head > 0 => self.head.min(front.len()),
                None => front.len(),
            };
            match self.stream.write(&front[..piece]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.out.drain(..n);
                    self.head = self.head.saturating_sub(n);
                    written += n as u64;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
            if let Some(pause) = trickle.map(|t| t.pause).filter(|pause| !pause.is_zero()) {
                self.paused_until = Some(now + pause);
                break;
            }
        }
        self.push_stream()?;
        if self.out.is_empty() {
            // A burst must not hold its memory for the rest of a long connection.
            self.out.shrink_to(64 * 1024);
            if matches!(self.phase, Phase::Draining(Drain::Polite)) {
                self.stream.goodbye();
                self.push_stream()?;
                self.phase = Phase::Draining(Drain::Abrupt);
            }
            if matches!(self.phase, Phase::Draining(Drain::Abrupt)) && !self.stream.wants_write() {
                self.phase = Phase::Draining(Drain::Finished);
                self.stream.finish()?;
            }
        }
        Ok(written)
    }

    fn push_stream(&mut self) -> io::Result<()> {
        match self.stream.flush() {
            Err(e) if e.kind() != ErrorKind::WouldBlock => Err(e),
            _ => Ok(()),
        }
    }

    pub(super) fn wants_write(&self) -> bool {
        (!self.out.is_empty() && self.paused_until.is_none()) || self.stream.wants_write()
    }
}

/// The longest prefix of at most `max` bytes that ends between characters.
fn cut(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_cut_between_characters() {
        assert_eq!(cut("abc", 123), "abc");
        assert_eq!(cut("aäb", 2), "a");
        assert_eq!(cut(&"ä".repeat(80), 123).len(), 122);
    }
}
