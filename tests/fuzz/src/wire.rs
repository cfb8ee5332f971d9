//! Arbitrary bytes as what a server says behind its handshake, to a driver on a network in memory.
//!
//! The bytes come in arbitrary pieces over one connection after another, while the program sends,
//! closes and fetches. Nothing may panic or go on for ever; the messages must be those that
//! `reference.rs` reads, what the client writes must be frames that a server takes,
//! and each violation must be answered as RFC 6455 wants it and be the end.

use arbitrary::Arbitrary;
use perennial::{Builder, ClosedBy, Config, Notice, Reason};
use perennial_core::{BuiltIn, Dialect as _, DialectConfig, JsonConfig, Meaning, Payload};

use super::memory::{Ending, Pipe, Shared, lock};
use super::peer::{Hand, request, timeless};
use super::reference::{self, Said, SaidEnd, Written};

/// More connections tell nothing new.
const MOST_LINKS: usize = 4;
/// More bytes neither.
const MOST_BYTES: usize = 256 << 10;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    settings: Settings,
    links: Vec<Link<'a>>,
}

#[derive(Arbitrary, Debug)]
struct Settings {
    max_message: Size,
    /// Of the inbox: when to stop reading.
    max_messages: u8,
    max_bytes: Size,
    dialect: Dialect,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Size {
    One,
    Control,
    MoreThanControl,
    Kilobyte,
    Most16Bit,
    Large,
    /// As much as a config allows.
    Most,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Dialect {
    Plain,
    Text,
    Json,
}

/// A connection.
#[derive(Arbitrary, Debug)]
struct Link<'a> {
    frames: Vec<Frame<'a>>,
    /// How many bytes come at a time, again and again; 0 for all that is left.
    pieces: [u8; 4],
    writes: Writes,
    /// What the program does before the piece of this number comes.
    commands: Vec<(u8, Command)>,
    /// Whether the program fetches what there is after each piece.
    fetches: bool,
    ending: Ending,
}

/// What becomes of the client's writes.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Writes {
    Free,
    /// So many bytes at a time.
    InPieces(u8),
    /// So many bytes for each piece that comes.
    Slow(u8),
    /// They fail after so many bytes.
    Break(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Command {
    Send(u8),
    SendLarge(u16),
    Fetch,
    Reconnect,
    Close,
    Drain,
    Abort,
}

/// Some bytes; mostly a frame, so that the fuzzer need not find the lengths.
#[derive(Arbitrary, Debug)]
enum Frame<'a> {
    Raw(&'a [u8]),
    Text(&'a str),
    Binary(&'a [u8]),
    Json(u8, u64),
    Fragment {
        opcode: u8,
        fin: bool,
        bytes: &'a [u8],
    },
    Ping(&'a [u8]),
    Pong(&'a [u8]),
    Close(u16, &'a str),
    CloseEmpty,
    /// Any first byte, masked or not, and a length in one of the forms.
    Odd {
        first: u8,
        masked: bool,
        form: u8,
        bytes: &'a [u8],
    },
    /// The head of a frame of which that many bytes do not come.
    Promise(u8, u64),
    /// That many times the same byte.
    Long(u8, u16, u8),
}

impl Size {
    fn bytes(self) -> usize {
        match self {
            Size::One => 1,
            Size::Control => 125,
            Size::MoreThanControl => 126,
            Size::Kilobyte => 1_000,
            Size::Most16Bit => 65_535,
            Size::Large => 1 << 20,
            Size::Most => 1 << 30,
        }
    }
}

fn head(first: u8, masked: bool, form: u8, length: u64, to: &mut Vec<u8>) {
    let bit = if masked { 0x80 } else { 0 };
    to.push(first);
    match form {
        // 125 at most is what the caller sees to.
        0 => to.push(bit | u8::try_from(length).unwrap_or(125)),
        1 => {
            to.push(bit | 126);
            to.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        }
        _ => {
            to.push(bit | 127);
            to.extend(length.to_be_bytes());
        }
    }
    if masked {
        to.extend([1, 2, 3, 4]);
    }
}

fn frame(first: u8, bytes: &[u8], to: &mut Vec<u8>) {
    let form = match bytes.len() {
        0..=125 => 0,
        126..=65_535 => 1,
        _ => 2,
    };
    head(first, false, form, bytes.len() as u64, to);
    to.extend_from_slice(bytes);
}

impl Frame<'_> {
    fn write(&self, to: &mut Vec<u8>) {
        match *self {
            Frame::Raw(bytes) => to.extend_from_slice(bytes),
            Frame::Text(text) => frame(0x81, text.as_bytes(), to),
            Frame::Binary(bytes) => frame(0x82, bytes, to),
            Frame::Json(kind, id) => {
                let text = match kind % 5 {
                    0 => format!(r#"{{"id":{id}}}"#),
                    1 => format!(r#"{{"ack":{id}}}"#),
                    2 => format!(r#"{{"ack":{id},"cumulative":true}}"#),
                    3 => String::from(r#"{"type":"ping"}"#),
                    _ => String::from("ping"),
                };
                frame(0x81, text.as_bytes(), to);
            }
            Frame::Fragment { opcode, fin, bytes } => {
                let fin = if fin { 0x80 } else { 0 };
                frame(fin + opcode % 3, bytes, to);
            }
            Frame::Ping(bytes) => frame(0x89, bytes, to),
            Frame::Pong(bytes) => frame(0x8a, bytes, to),
            Frame::Close(code, reason) => {
                frame(0x88, &[&code.to_be_bytes()[..], reason.as_bytes()].concat(), to);
            }
            Frame::CloseEmpty => frame(0x88, &[], to),
            Frame::Odd { first, masked, form, bytes } => {
                let form = if bytes.len() > 125 { 2 } else { form % 3 };
                head(first, masked, form, bytes.len() as u64, to);
                to.extend_from_slice(bytes);
            }
            Frame::Promise(first, length) => head(first, false, 2, length, to),
            Frame::Long(first, length, byte) => {
                frame(first, &vec![byte; length.into()], to);
            }
        }
    }
}

impl Settings {
    fn config(&self, links: usize) -> Config {
        // Those of the links, and some that are refused.
        let mut config = timeless(links + 2);
        config.inbox.max_message = self.max_message.bytes();
        config.inbox.max_messages = usize::from(self.max_messages).max(1);
        config.inbox.max_bytes = self.max_bytes.bytes();
        config.dialect = match self.dialect {
            Dialect::Plain => DialectConfig::Plain,
            Dialect::Text => DialectConfig::text(),
            Dialect::Json => DialectConfig::Json(JsonConfig {
                acknowledge: true,
                max_depth: 3,
                ..JsonConfig::default()
            }),
        };
        config.build().expect("it keeps the rules")
    }
}

/// What is known of the whole run.
struct Session {
    hand: Hand,
    dialect: BuiltIn,
    max_message: usize,
    /// What the program sent.
    sent: Vec<Payload>,
    /// Whether the program has asked for the end.
    leaves: bool,
}

/// See the module.
///
/// # Panics
/// If the driver does what it should not.
pub fn run(input: &[u8]) {
    let Some(input) = super::structured::<Input<'_>>(input) else { return };
    let links = &input.links[..input.links.len().min(MOST_LINKS)];
    let config = input.settings.config(links.len());
    let mut session = Session {
        dialect: BuiltIn::new(&config.dialect),
        max_message: config.inbox.max_message,
        hand: Hand::new(Builder::new("ws://127.0.0.1:9/feed").no_proxy().config(config).seed(1)),
        sent: Vec::new(),
        leaves: false,
    };
    for link in links {
        if !session.play(link) {
            break;
        }
    }
    session.hand.settle();
    session.hand.fetch();
    assert!(session.hand.closed.is_some(), "there is nothing to wait for, and it waits");
    assert_eq!(session.hand.client.closed(), session.hand.closed);
}

impl Session {
    /// Plays the server of one connection. Returns whether there may be another.
    fn play(&mut self, link: &Link<'_>) -> bool {
        let mut pipe = Pipe::default();
        if let Writes::InPieces(piece) = link.writes {
            pipe.piece = usize::from(piece).max(1);
        }
        let pipe = self.hand.network.add(pipe);
        self.hand.settle();
        if self.hand.closed.is_some() {
            return false;
        }
        assert!(self.hand.network.has_opened(&pipe), "it does not dial");
        let (accept, length) = request(&lock(&pipe).outbound).expect("the request is whole");
        {
            let mut pipe = lock(&pipe);
            pipe.outbound.drain(..length);
            match link.writes {
                Writes::Slow(room) => pipe.room = Some(room.into()),
                Writes::Break(room) => {
                    pipe.room = Some(room.into());
                    pipe.breaks = true;
                }
                Writes::Free | Writes::InPieces(_) => {}
            }
        }
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        let mut stream = answer.into_bytes();
        let behind = stream.len();
        for frame in &link.frames {
            if stream.len() < MOST_BYTES {
                frame.write(&mut stream);
            }
        }
        let (delivered, notices, was_calm) = self.feed(link, &pipe, &stream);
        assert!(lock(&pipe).dropped, "the stream has ended, and is held");
        let said = reference::read(stream.get(behind..delivered).unwrap_or(&[]), self.max_message);
        self.check_messages(&said, &notices, was_calm);
        let written = reference::written(&lock(&pipe).outbound);
        self.check_written(&said, &written, link, was_calm);
        if was_calm {
            self.check_end(&said);
        }
        true
    }

    /// Delivers `stream`. Returns how much of it, what the client was told, and whether
    /// nothing got in the server's way.
    fn feed(
        &mut self,
        link: &Link<'_>,
        pipe: &Shared,
        stream: &[u8],
    ) -> (usize, Vec<Notice>, bool) {
        let mut delivered = 0;
        let mut notices = Vec::new();
        // What is left to read behind a failed write, while nobody fetches, is given up.
        let mut was_calm = !self.leaves && !matches!(link.writes, Writes::Break(_));
        let mut sizes = link.pieces.iter().cycle();
        let mut number = 0_u8;
        while delivered < stream.len() && !lock(pipe).dropped {
            for (_, command) in link.commands.iter().filter(|(at, _)| *at == number) {
                was_calm &= self.command(*command, &mut notices);
            }
            let left = stream.len() - delivered;
            let size = match sizes.next() {
                None | Some(0) => left,
                // Few pieces of large streams.
                Some(size) => left.min(usize::from(*size).max(stream.len() / 200)),
            };
            lock(pipe).deliver(&stream[delivered..delivered + size]);
            delivered += size;
            if let Writes::Slow(room) = link.writes {
                lock(pipe).make_room(room.into());
            }
            self.hand.settle();
            if link.fetches {
                notices.extend(self.hand.fetch());
            }
            number = number.saturating_add(1);
        }
        lock(pipe).end(link.ending);
        self.hand.settle();
        notices.extend(self.hand.fetch());
        (delivered, notices, was_calm)
    }

    /// Returns whether the server may go on as if nothing were.
    fn command(&mut self, command: Command, notices: &mut Vec<Notice>) -> bool {
        let client = &self.hand.client;
        let size = match command {
            Command::Send(size) => size.into(),
            Command::SendLarge(size) => size.into(),
            Command::Fetch => {
                notices.extend(self.hand.fetch());
                return true;
            }
            Command::Reconnect => {
                client.reconnect();
                return false;
            }
            Command::Close => {
                client.close();
                self.leaves = true;
                return false;
            }
            Command::Drain => {
                client.drain(None);
                self.leaves = true;
                return false;
            }
            Command::Abort => {
                client.abort();
                self.leaves = true;
                return false;
            }
        };
        // Each differs from all others.
        let text = format!("{}{}", self.sent.len(), "x".repeat(size));
        if client.try_send(text.clone()).is_ok() {
            self.sent.push(text.into());
        }
        true
    }

    fn check_messages(&mut self, said: &Said, notices: &[Notice], was_calm: bool) {
        let dialect = &mut self.dialect;
        let expected: Vec<&Payload> = said
            .messages
            .iter()
            .filter(|payload| match dialect.decode((*payload).clone()) {
                Meaning::Message { .. }
                | Meaning::Unreadable { .. }
                | Meaning::Messages(_)
                | Meaning::Admission { .. } => true,
                Meaning::Ping | Meaning::Pong | Meaning::Ack { .. } | Meaning::BadAck => false,
            })
            .collect();
        let messages = notices.iter().filter_map(|notice| match notice {
            Notice::Message(message) => Some(&message.payload),
            _ => None,
        });
        let delivered: Vec<&Payload> = messages.collect();
        if was_calm {
            assert_eq!(delivered, expected);
        } else {
            assert!(expected.starts_with(&delivered), "{delivered:?} of {expected:?}");
        }
    }

    fn check_written(&self, said: &Said, written: &Written, link: &Link<'_>, was_calm: bool) {
        let mut pings = said.pings.iter();
        for pong in &written.pongs {
            assert!(pings.any(|ping| ping == pong), "a pong without a ping");
        }
        if matches!(self.dialect, BuiltIn::Plain(_)) {
            let mut sent = self.sent.iter();
            for message in &written.messages {
                assert!(sent.any(|sent| sent == message), "written, but not sent");
            }
        }
        let is_free = matches!(link.writes, Writes::Free | Writes::InPieces(_));
        if !was_calm || !is_free {
            return;
        }
        match &said.end {
            Some(SaidEnd::Violation(code)) => assert_eq!(written.close, Some(Some(*code))),
            Some(SaidEnd::Close(code)) => assert_eq!(written.close, Some(*code)),
            None => {
                assert_eq!(written.close, None);
                // Of several only the latest need be answered (RFC 6455 §5.5.3).
                assert_eq!(written.pongs.last(), said.pings.last());
            }
        }
    }

    /// What the end of a connection means for the next.
    fn check_end(&self, said: &Said) {
        let closed = self.hand.closed.as_ref();
        match &said.end {
            Some(SaidEnd::Violation(code)) => {
                let closed = closed.expect("a violation is the end");
                assert_eq!(closed.by, ClosedBy::Policy, "{closed:?}");
                let Reason::Violated(violation) = &closed.reason else { panic!("{closed:?}") };
                assert_eq!(violation.code, *code);
            }
            Some(SaidEnd::Close(Some(code @ (1002 | 1003 | 1007..=1010)))) => {
                let closed = closed.expect("a final close code is the end");
                // Our own answer in its place; `tungstenite` says so only in words.
                let is_violation = matches!(&closed.reason, Reason::Violated(_)) && *code == 1002;
                assert!(closed.by == ClosedBy::Server || is_violation, "{closed:?}");
                assert_eq!(closed.code, *code);
            }
            // Others may be dialled again, until there is nobody to answer.
            Some(SaidEnd::Close(_)) | None => {
                if let Some(closed) = closed {
                    assert!(matches!(closed.reason, Reason::MaxAttempts(_)), "{closed:?}");
                }
            }
        }
    }
}
