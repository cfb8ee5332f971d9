//! Reading: which packet a text is, and where its parts begin.

use core::fmt;

use super::value;

/// A packet of Engine.IO, or the packet of Socket.IO in it. What follows the type, the namespace
/// and the id is the body; it is the end of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// `0`: what Engine.IO has agreed on, an object.
    Handshake { body: &'a str },
    /// `1`: the transport will end.
    Close,
    /// `2`: to be answered.
    Ping,
    /// `3`.
    Pong,
    /// `5` and `6`: for other transports.
    Idle,
    /// `40`: the namespace is connected, an object that holds the id.
    Connect { body: &'a str },
    /// `41`: it no longer is.
    Disconnect,
    /// `42`: an array. With an id its receipt is to be acknowledged.
    Event { id: Option<u64>, body: &'a str },
    /// `43`, an array or nothing.
    Ack { id: u64, body: &'a str },
    /// `43` and this, which begins with no usable id.
    BadAck { rest: &'a str },
    /// `44`: the namespace is refused, with an object, a string or nothing to say why.
    ConnectError { body: &'a str },
}

/// Why a text is no packet, and where it ceases to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) flaw: Flaw,
    pub(super) at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// No type of Engine.IO.
    EngineType,
    /// No type of Socket.IO.
    SocketType,
    /// Binary data, or a packet that announces some.
    Binary,
    /// For a namespace that was not asked for.
    Namespace,
    /// An event whose id is above 2^64 - 1.
    Id,
    /// A body that its type cannot have.
    Body,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.flaw {
            Flaw::EngineType => "no packet type of Engine.IO",
            Flaw::SocketType => "no packet type of Socket.IO",
            Flaw::Binary => "binary attachments are not read",
            Flaw::Namespace => "a packet of another namespace",
            Flaw::Id => "an id above 2^64 - 1",
            Flaw::Body => "no such data in a packet of this type",
        };
        write!(f, "{what} at byte {}", self.at)
    }
}

/// Reads a text as a packet of Engine.IO 4 and Socket.IO 5.
pub(super) fn read<'a>(text: &'a str, namespace: &str) -> Result<Packet<'a>, Unread> {
    let unread = |flaw, at| Err(Unread { flaw, at });
    let mut bytes = text.bytes();
    match bytes.next() {
        Some(b'0') => {
            let body = &text[1..];
            let packet = Packet::Handshake { body };
            if value::is_object(body) { Ok(packet) } else { unread(Flaw::Body, 1) }
        }
        Some(b'1') => Ok(Packet::Close),
        Some(b'2') => Ok(Packet::Ping),
        Some(b'3') => Ok(Packet::Pong),
        Some(b'4') => match bytes.next() {
            Some(kind @ b'0'..=b'4') => message(kind, text, namespace),
            Some(b'5' | b'6') => unread(Flaw::Binary, 1),
            Some(_) | None => unread(Flaw::SocketType, 1),
        },
        Some(b'5' | b'6') => Ok(Packet::Idle),
        // Base64, which belongs to another transport.
        Some(b'b') => unread(Flaw::Binary, 0),
        Some(_) | None => unread(Flaw::EngineType, 0),
    }
}

/// Reads what follows `4` and the type: the namespace unless it is `/`, the id, the body.
fn message<'a>(kind: u8, text: &'a str, namespace: &str) -> Result<Packet<'a>, Unread> {
    const HEAD: usize = 2;
    let rest = &text[HEAD..];
    let (named, mut at) = match rest.find(',').filter(|_| rest.starts_with('/')) {
        Some(end) => (&rest[..end], HEAD + end + 1),
        None if rest.starts_with('/') => (rest, text.len()),
        None => ("/", HEAD),
    };
    if named != namespace {
        return Err(Unread { flaw: Flaw::Namespace, at: HEAD });
    }
    let id_at = at;
    // Other types carry none.
    if matches!(kind, b'2' | b'3') {
        at += text[at..].bytes().take_while(u8::is_ascii_digit).count();
    }
    let (digits, body) = (&text[id_at..at], &text[at..]);
    let id = digits.parse().ok();
    let (packet, fits) = match kind {
        b'0' => (Packet::Connect { body }, value::is_object(body)),
        b'1' => (Packet::Disconnect, body.is_empty()),
        b'2' if id.is_none() && !digits.is_empty() => {
            return Err(Unread { flaw: Flaw::Id, at: id_at });
        }
        b'2' => (Packet::Event { id, body }, value::is_event(body)),
        b'3' => match id {
            Some(id) => (Packet::Ack { id, body }, body.is_empty() || value::is_array(body)),
            None => (Packet::BadAck { rest: &text[id_at..] }, true),
        },
        _ => {
            let fits = body.is_empty() || value::is_object(body) || value::is_string(body);
            (Packet::ConnectError { body }, fits)
        }
    };
    if fits { Ok(packet) } else { Err(Unread { flaw: Flaw::Body, at }) }
}
