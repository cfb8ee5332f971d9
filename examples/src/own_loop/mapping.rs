//! What `tungstenite` and the sockets say, in the core's words.

use std::io;

use perennial_core::{
    ByteString, CloseFrame, Config, End, EndKind, Event, Frame, TransportId, Violation, code,
};
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::frame::Frame as RawFrame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::{self, WebSocketConfig};
use tungstenite::{Bytes, Message};

/// `tungstenite`'s limits for what `config` allows.
pub(super) fn limits(config: &Config) -> WebSocketConfig {
    // Every connection has it: of all that one costs, this is the most.
    const READ: usize = 4 << 10;
    // It grows only so far as it is needed.
    const WRITE: usize = 64 << 10;
    // Room for what the credit does not count: pings, pongs, acknowledgements, a close.
    const CONTROL: usize = 256 << 10;
    let most = config.outbox.write_credit.saturating_add(config.outbox.max_bytes);
    WebSocketConfig::default()
        .read_buffer_size(READ)
        .write_buffer_size(WRITE)
        .max_write_buffer_size(most.saturating_add(WRITE + CONTROL))
        .max_message_size(Some(config.inbox.max_message))
        // A control frame may hold 125 bytes, whatever a message may (RFC 6455 §5.5).
        .max_frame_size(Some(config.inbox.max_message.max(125)))
}

pub(super) fn to_message(frame: Frame) -> Message {
    let data = |bytes, kind| Message::Frame(RawFrame::message(bytes, OpCode::Data(kind), true));
    match frame {
        Frame::Text(text) => data(text.into_bytes(), Data::Text),
        Frame::Binary(bytes) => data(bytes, Data::Binary),
        Frame::Ping(bytes) => Message::Ping(bytes),
        Frame::Pong(bytes) => Message::Pong(bytes),
        Frame::Close(close) => Message::Close(close.map(|close| protocol::CloseFrame {
            code: close.code.into(),
            reason: (&*close.reason).into(),
        })),
    }
}

/// `None` for a raw frame, which reading never yields.
pub(super) fn to_frame(message: Message) -> Option<Frame> {
    Some(match message {
        // Checked by `tungstenite`, and here once more: neither type can be told to trust.
        Message::Text(text) => Frame::Text(ByteString::try_from(Bytes::from(text)).ok()?),
        Message::Binary(bytes) => Frame::Binary(bytes),
        Message::Ping(bytes) => Frame::Ping(bytes),
        Message::Pong(bytes) => Frame::Pong(bytes),
        Message::Close(close) => Frame::Close(
            close.map(|close| CloseFrame::new(u16::from(close.code), close.reason.as_str())),
        ),
        Message::Frame(_) => return None,
    })
}

/// What is wrong with the peer's close frame, if its code is one that must not be sent (RFC 6455
/// §7.4): `tungstenite` hands out the one that it answers with in its place.
pub(super) fn forbidden_close(message: &Message) -> Option<Violation> {
    let Message::Close(Some(close)) = message else { return None };
    let replaced =
        close.code == CloseCode::Protocol && close.reason.as_str() == "Protocol violation";
    let detail = "its close frame has a code that must not be sent";
    replaced.then(|| Violation { code: code::PROTOCOL_ERROR, detail: detail.into() })
}

/// What an error of an open WebSocket means.
pub(super) fn failure(transport: TransportId, error: &Error) -> Event {
    let violated = |code| {
        let violation = Violation { code, detail: error.to_string().into() };
        Event::Violated { transport, violation }
    };
    let end = match error {
        Error::Capacity(_) => return violated(code::MESSAGE_TOO_BIG),
        Error::Utf8(_) => return violated(code::INVALID_PAYLOAD),
        Error::Io(error) => end(error),
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake | ProtocolError::ReceivedAfterClosing,
        ) => End::new(EndKind::Eof),
        Error::Protocol(_) => return violated(code::PROTOCOL_ERROR),
        other => End { kind: EndKind::Io, detail: other.to_string().into() },
    };
    Event::Ended { transport, end }
}

/// What an I/O error of an open WebSocket means.
pub(super) fn end(error: &io::Error) -> End {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => End::new(EndKind::Eof),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected => End::new(EndKind::Reset),
        _ => End { kind: EndKind::Io, detail: error.to_string().into() },
    }
}
