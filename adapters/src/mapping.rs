//! What `tungstenite` reports, as the core's events.

use std::io;

use perennial_core::{Config, DialError, DialFailure, End, EndKind, Violation, code};
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, WebSocketConfig};

/// `tungstenite` fills its whole read buffer with zeros before every read, so that a large one is
/// slow. More is read at once, below it.
const READ_BUFFER: usize = 4 << 10;
/// How many bytes of frames are collected before they are written without being flushed.
const WRITE_BUFFER: usize = 64 << 10;
/// Room for what is not counted against the write credit: pings, pongs, acknowledgements, a close.
const CONTROL: usize = 256 << 10;

/// `tungstenite`'s limits for what `config` allows.
pub(crate) fn web_socket_config(config: &Config) -> WebSocketConfig {
    let most = config.outbox.write_credit.saturating_add(config.outbox.max_bytes);
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        // It hears of what the kernel has taken when that is half of what it has.
        .max_write_buffer_size(most.saturating_add(WRITE_BUFFER + CONTROL).saturating_mul(2))
        .max_message_size(Some(config.inbox.max_message))
        // A control frame may hold 125 bytes (RFC 6455 §5.5), whatever a message may.
        .max_frame_size(Some(config.inbox.max_message.max(125)))
}

/// Why a transport can be read no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The peer broke the protocol; a close frame can still be written.
    Violated(Violation),
    /// The transport has ended.
    Ended(End),
}

/// What an error of an open WebSocket means.
pub(crate) fn failure(error: Error) -> Failure {
    let violated = |code, error: &Error| {
        Failure::Violated(Violation { code, detail: error.to_string().into() })
    };
    match &error {
        Error::Capacity(_) => violated(code::MESSAGE_TOO_BIG, &error),
        Error::Utf8(_) => violated(code::INVALID_PAYLOAD, &error),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | Error::ConnectionClosed
        | Error::AlreadyClosed => Failure::Ended(End::new(EndKind::Eof)),
        // Nothing that follows a close frame means anything (RFC 6455 §1.4).
        Error::Protocol(ProtocolError::ReceivedAfterClosing) => Failure::Ended(End {
            kind: EndKind::Eof,
            detail: "data followed the close frame".into(),
        }),
        Error::Protocol(_) => violated(code::PROTOCOL_ERROR, &error),
        Error::Io(io) => Failure::Ended(end(io)),
        Error::Tls(_)
        | Error::WriteBufferFull(_)
        | Error::AttackAttempt
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => {
            Failure::Ended(End { kind: EndKind::Io, detail: error.to_string().into() })
        }
    }
}

/// What is wrong with the peer's close frame, if its code is one that must not be sent (RFC 6455
/// §7.4).
///
/// `tungstenite` hands out, in place of such a frame, the one that it answers with. A peer whose
/// very words these are breaks off for good just the same.
pub(crate) fn forbidden_close(close: &CloseFrame) -> Option<Violation> {
    let replaced =
        close.code == CloseCode::Protocol && close.reason.as_str() == "Protocol violation";
    replaced.then(|| Violation {
        code: code::PROTOCOL_ERROR,
        detail: "its close frame has a code that must not be sent".into(),
    })
}

/// What an I/O error of an open transport means.
pub(crate) fn end(error: &io::Error) -> End {
    let kind = match error.kind() {
        // TLS cut off without a close_notify: whoever cut it, it is the end of the stream.
        io::ErrorKind::UnexpectedEof => return End::new(EndKind::Eof),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected => return End::new(EndKind::Reset),
        _ => EndKind::Io,
    };
    End { kind, detail: error.to_string().into() }
}

/// What an error of the opening handshake means. An answer with another status than 101 is no
/// error here; it is checked later.
pub(crate) fn handshake_failure(error: &Error) -> DialFailure {
    let detail = match error {
        Error::Io(io) if io.kind() == io::ErrorKind::ConnectionReset => {
            "the connection was reset before the answer was complete".to_owned()
        }
        Error::Io(io) if io.kind() == io::ErrorKind::UnexpectedEof => CUT_OFF.to_owned(),
        Error::Protocol(ProtocolError::HandshakeIncomplete) => CUT_OFF.to_owned(),
        Error::Protocol(ProtocolError::HttparseError(_) | ProtocolError::WrongHttpVersion) => {
            "the answer is not HTTP/1.1".to_owned()
        }
        Error::AttackAttempt | Error::Capacity(_) => "the answer's headers are too long".to_owned(),
        other => other.to_string(),
    };
    DialFailure::new(DialError::Handshake, detail)
}

const CUT_OFF: &str = "the connection ended before the answer was complete";

#[cfg(test)]
mod tests {
    use super::*;
    use tungstenite::error::CapacityError;

    fn code_of(error: Error) -> Option<u16> {
        match failure(error) {
            Failure::Violated(violation) => Some(violation.code),
            Failure::Ended(_) => None,
        }
    }

    fn kind_of(error: Error) -> Option<EndKind> {
        match failure(error) {
            Failure::Violated(_) => None,
            Failure::Ended(end) => Some(end.kind),
        }
    }

    #[test]
    fn violations_have_the_code_that_tells_the_peer() {
        let long = CapacityError::MessageTooLong { size: 2, max_size: 1 };
        assert_eq!(code_of(long.into()), Some(1009));
        assert_eq!(code_of(Error::Utf8(String::new())), Some(1007));
        assert_eq!(code_of(ProtocolError::NonZeroReservedBits.into()), Some(1002));
        assert_eq!(code_of(ProtocolError::InvalidCloseSequence.into()), Some(1002));
    }

    #[test]
    fn ends_are_told_apart() {
        let io = |kind| Error::Io(io::Error::from(kind));
        let reset = ProtocolError::ResetWithoutClosingHandshake;
        assert_eq!(kind_of(reset.into()), Some(EndKind::Eof));
        assert_eq!(kind_of(Error::ConnectionClosed), Some(EndKind::Eof));
        assert_eq!(kind_of(Error::AlreadyClosed), Some(EndKind::Eof));
        assert_eq!(kind_of(ProtocolError::ReceivedAfterClosing.into()), Some(EndKind::Eof));
        assert_eq!(kind_of(io(io::ErrorKind::UnexpectedEof)), Some(EndKind::Eof));
        assert_eq!(kind_of(io(io::ErrorKind::ConnectionReset)), Some(EndKind::Reset));
        assert_eq!(kind_of(io(io::ErrorKind::BrokenPipe)), Some(EndKind::Reset));
        assert_eq!(kind_of(io(io::ErrorKind::TimedOut)), Some(EndKind::Io));
    }

    #[test]
    fn limits_follow_the_config() {
        let mut builder = Config::builder();
        builder.inbox.max_message = 9;
        builder.outbox.max_bytes = 1 << 40;
        let limits = web_socket_config(&builder.build().expect("a config"));
        assert_eq!(limits.max_frame_size, Some(125));
        assert_eq!(limits.max_message_size, Some(9));
        assert!(limits.max_write_buffer_size > 1 << 40);
    }
}
