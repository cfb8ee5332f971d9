//! What crosses a transport: one WebSocket message or control frame.

use core::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Deserialize, Serialize};

/// The content of an application message. Cloning it counts a reference; it copies nothing.
#[derive(Clone, Eq, Hash)]
#[allow(clippy::derived_hash_with_manual_eq, reason = "what is equal has equal content")]
pub enum Payload {
    /// UTF-8 text.
    Text(ByteString),
    /// Arbitrary bytes.
    Binary(Bytes),
}

/// Clones have the same bytes in the same place, and nobody needs to look at them.
fn are_equal(one: &[u8], other: &[u8]) -> bool {
    core::ptr::eq(one, other) || one == other
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Payload::Text(one), Payload::Text(other)) => {
                are_equal(one.as_bytes(), other.as_bytes())
            }
            (Payload::Binary(one), Payload::Binary(other)) => are_equal(one, other),
            (Payload::Text(_), Payload::Binary(_)) | (Payload::Binary(_), Payload::Text(_)) => {
                false
            }
        }
    }
}

impl Payload {
    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Payload::Text(text) => text.len(),
            Payload::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text, if it is text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Payload::Text(text) => Some(text),
            Payload::Binary(_) => None,
        }
    }

    /// The bytes, whatever it is.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Payload::Text(text) => text.as_bytes(),
            Payload::Binary(bytes) => bytes,
        }
    }

    /// The bytes as a shared buffer, whatever it is.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Payload::Text(text) => text.into_bytes(),
            Payload::Binary(bytes) => bytes,
        }
    }
}

// Payloads may carry secrets, so `Debug` shows only the kind and the length.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Payload::Text(_) => "Text",
            Payload::Binary(_) => "Binary",
        };
        write!(f, "{kind}({} bytes)", self.len())
    }
}

impl From<&'static str> for Payload {
    fn from(text: &'static str) -> Self {
        Payload::Text(ByteString::from_static(text))
    }
}

impl From<alloc::string::String> for Payload {
    fn from(text: alloc::string::String) -> Self {
        Payload::Text(text.into())
    }
}

impl From<ByteString> for Payload {
    fn from(text: ByteString) -> Self {
        Payload::Text(text)
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Payload::Binary(bytes)
    }
}

impl From<alloc::vec::Vec<u8>> for Payload {
    fn from(bytes: alloc::vec::Vec<u8>) -> Self {
        Payload::Binary(bytes.into())
    }
}

impl From<&'static [u8]> for Payload {
    fn from(bytes: &'static [u8]) -> Self {
        Payload::Binary(Bytes::from_static(bytes))
    }
}

/// One WebSocket message or control frame (RFC 6455 §5.5, §5.6).
#[derive(Clone, Eq, Hash)]
#[allow(clippy::derived_hash_with_manual_eq, reason = "what is equal has equal content")]
pub enum Frame {
    /// A text message.
    Text(ByteString),
    /// A binary message.
    Binary(Bytes),
    /// A ping, with at most 125 bytes (RFC 6455 §5.5.2).
    Ping(Bytes),
    /// A pong, with at most 125 bytes (RFC 6455 §5.5.3).
    Pong(Bytes),
    /// A close, with a code and a reason unless it was empty (RFC 6455 §5.5.1).
    Close(Option<CloseFrame>),
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Frame::Text(one), Frame::Text(other)) => are_equal(one.as_bytes(), other.as_bytes()),
            (Frame::Binary(one), Frame::Binary(other))
            | (Frame::Ping(one), Frame::Ping(other))
            | (Frame::Pong(one), Frame::Pong(other)) => are_equal(one, other),
            (Frame::Close(one), Frame::Close(other)) => one == other,
            (
                Frame::Text(_)
                | Frame::Binary(_)
                | Frame::Ping(_)
                | Frame::Pong(_)
                | Frame::Close(_),
                _,
            ) => false,
        }
    }
}

impl Frame {
    /// The payload's length in bytes; a frame's header is not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Frame::Text(text) => text.len(),
            Frame::Binary(bytes) | Frame::Ping(bytes) | Frame::Pong(bytes) => bytes.len(),
            Frame::Close(Some(close)) => 2 + close.reason.len(),
            Frame::Close(None) => 0,
        }
    }

    /// Whether the payload is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is the data frame of this payload.
    #[cfg(feature = "sim")]
    pub(crate) fn carries(&self, payload: &Payload) -> bool {
        match (self, payload) {
            (Frame::Text(one), Payload::Text(other)) => are_equal(one.as_bytes(), other.as_bytes()),
            (Frame::Binary(one), Payload::Binary(other)) => are_equal(one, other),
            (
                Frame::Text(_)
                | Frame::Binary(_)
                | Frame::Ping(_)
                | Frame::Pong(_)
                | Frame::Close(_),
                _,
            ) => false,
        }
    }
}

impl From<Payload> for Frame {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Text(text) => Frame::Text(text),
            Payload::Binary(bytes) => Frame::Binary(bytes),
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Frame::Text(_) => "Text",
            Frame::Binary(_) => "Binary",
            Frame::Ping(_) => "Ping",
            Frame::Pong(_) => "Pong",
            Frame::Close(Some(close)) => return write!(f, "Close({})", close.code),
            Frame::Close(None) => return f.write_str("Close"),
        };
        write!(f, "{kind}({} bytes)", self.len())
    }
}

/// A close code and reason (RFC 6455 §7.1.5, §7.1.6).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CloseFrame {
    /// The status code (RFC 6455 §7.4).
    pub code: u16,
    /// The reason: at most 123 bytes of UTF-8.
    #[serde(with = "text")]
    pub reason: ByteString,
}

/// `ByteString` as a string; its own serde feature would pull in `std`.
mod text {
    use alloc::string::String;

    use bytestring::ByteString;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &ByteString, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ByteString, D::Error> {
        String::deserialize(from).map(ByteString::from)
    }
}

impl CloseFrame {
    /// The longest reason that fits into a close frame, in bytes (RFC 6455 §5.5).
    pub const MAX_REASON: usize = 123;

    /// A close frame. A reason longer than [`CloseFrame::MAX_REASON`] is cut at a character's end.
    #[must_use]
    pub fn new(code: u16, reason: &str) -> Self {
        let mut end = reason.len().min(Self::MAX_REASON);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        Self { code, reason: reason[..end].into() }
    }
}

/// Close codes by name (RFC 6455 §7.4.1 and the IANA registry of WebSocket close codes).
pub mod code {
    /// Normal closure.
    pub const NORMAL: u16 = 1000;
    /// The endpoint goes away.
    pub const GOING_AWAY: u16 = 1001;
    /// Protocol error.
    pub const PROTOCOL_ERROR: u16 = 1002;
    /// A kind of data that the endpoint does not take.
    pub const UNSUPPORTED: u16 = 1003;
    /// The close frame carried no code; never sent.
    pub const NO_STATUS: u16 = 1005;
    /// The connection ended without a close frame; never sent.
    pub const ABNORMAL: u16 = 1006;
    /// Data that does not fit its type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: u16 = 1007;
    /// A policy was violated.
    pub const POLICY_VIOLATION: u16 = 1008;
    /// A message was too big.
    pub const MESSAGE_TOO_BIG: u16 = 1009;
    /// The server did not negotiate an extension that the client needs.
    pub const MANDATORY_EXTENSION: u16 = 1010;
    /// The server met an unexpected condition.
    pub const INTERNAL_ERROR: u16 = 1011;
    /// The service restarts.
    pub const SERVICE_RESTART: u16 = 1012;
    /// The service is overloaded: try again later.
    pub const TRY_AGAIN_LATER: u16 = 1013;

    /// Whether an application may send `code` in a close frame: 1000-1003, 1007-1014 and 3000-4999
    /// (RFC 6455 §7.4).
    #[must_use]
    pub const fn may_be_sent(code: u16) -> bool {
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    #[test]
    fn what_is_equal_is_so_wherever_it_lies() {
        let texts = [Payload::from("ab"), Payload::from(String::from("ab"))];
        let bytes = [Payload::from(&b"ab"[..]), Payload::from(b"ab".to_vec())];
        assert_eq!(texts[0], texts[1]);
        assert_eq!(bytes[0], bytes[1]);
        assert_eq!(texts[0], texts[0].clone());
        assert_ne!(texts[0], bytes[0]);
        assert_ne!(bytes[0], Payload::from(&b"ac"[..]));
        let whole = Bytes::from_static(b"abab");
        assert_ne!(Payload::from(whole.slice(..2)), Payload::from(whole.slice(..3)));
        assert_eq!(Payload::from(whole.slice(..2)), Payload::from(whole.slice(2..)));
        let close = |reason| Some(CloseFrame::new(1000, reason));
        let frames = [
            Frame::from(texts[0].clone()),
            Frame::from(bytes[0].clone()),
            Frame::Ping(whole.clone()),
            Frame::Pong(whole),
            Frame::Close(close("a")),
            Frame::Close(close("b")),
            Frame::Close(None),
        ];
        #[cfg(feature = "sim")]
        for payload in texts.iter().chain(&bytes) {
            for frame in &frames {
                assert_eq!(frame.carries(payload), *frame == Frame::from(payload.clone()));
            }
        }
        for (at, one) in frames.iter().enumerate() {
            for (place, other) in frames.iter().enumerate() {
                assert_eq!(*one == *other, at == place, "{one:?} {other:?}");
            }
        }
        assert_ne!(Frame::Ping(Bytes::from_static(b"a")), Frame::Ping(Bytes::from_static(b"b")));
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(format!("{:?}", Payload::from("secret")), "Text(6 bytes)");
        assert_eq!(format!("{:?}", Frame::Ping(Bytes::from_static(b"x"))), "Ping(1 bytes)");
        assert_eq!(
            format!("{:?}", Frame::Close(Some(CloseFrame::new(1000, "bye")))),
            "Close(1000)"
        );
    }

    #[test]
    fn a_payload_is_what_it_was_made_of() {
        for (payload, text) in [
            (Payload::from("é"), Some("é")),
            (Payload::from(""), Some("")),
            (Payload::from(&[7_u8, 8][..]), None),
            (Payload::from(&[][..]), None),
        ] {
            let size = payload.as_bytes().len();
            assert_eq!((payload.len(), payload.is_empty()), (size, size == 0), "{payload:?}");
            assert_eq!(payload.as_text(), text, "{payload:?}");
            let frame = Frame::from(payload.clone());
            assert_eq!((frame.len(), frame.is_empty()), (size, size == 0), "{frame:?}");
            assert_eq!(payload.clone().into_bytes(), payload.as_bytes());
        }
        for (frame, size) in [
            (Frame::Ping(Bytes::from_static(b"abc")), 3),
            (Frame::Pong(Bytes::new()), 0),
            (Frame::Close(Some(CloseFrame::new(1000, "bye"))), 5),
            (Frame::Close(None), 0),
        ] {
            assert_eq!((frame.len(), frame.is_empty()), (size, size == 0), "{frame:?}");
        }
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let close = CloseFrame::new(1000, &"é".repeat(100));
        assert_eq!(close.reason.len(), 122);
        let close = CloseFrame::new(1000, &String::from("x").repeat(124));
        assert_eq!(close.reason.len(), 123);
    }

    #[test]
    fn reserved_codes_may_not_be_sent() {
        for reserved in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
            assert!(!code::may_be_sent(reserved), "{reserved}");
        }
        for usable in [1000, 1001, 1011, 3000, 4999] {
            assert!(code::may_be_sent(usable), "{usable}");
        }
    }
}
