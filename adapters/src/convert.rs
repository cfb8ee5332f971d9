//! Frames of the core and messages of `tungstenite`, one into the other, without copying.

use bytestring::ByteString;
use perennial_core::{Bytes, CloseFrame, Frame};
use tungstenite::protocol::frame::Utf8Bytes;
use tungstenite::{Message, protocol};

/// The message that `frame` is.
#[must_use]
#[allow(unsafe_code)]
pub(crate) fn to_message(frame: Frame) -> Message {
    match frame {
        Frame::Text(text) => {
            // SAFETY: a `ByteString` holds valid UTF-8; that is its invariant.
            let text = unsafe { Utf8Bytes::from_bytes_unchecked(text.into_bytes()) };
            Message::Text(text)
        }
        Frame::Binary(bytes) => Message::Binary(bytes),
        Frame::Ping(bytes) => Message::Ping(bytes),
        Frame::Pong(bytes) => Message::Pong(bytes),
        Frame::Close(close) => Message::Close(close.map(|close| protocol::CloseFrame {
            code: close.code.into(),
            reason: Utf8Bytes::from(&close.reason[..]),
        })),
    }
}

/// The frame that `message` is. `None` for a raw frame, which reading never yields.
#[must_use]
#[allow(unsafe_code)]
pub(crate) fn to_frame(message: Message) -> Option<Frame> {
    Some(match message {
        Message::Text(text) => {
            // SAFETY: a `Utf8Bytes` holds valid UTF-8; that is its invariant.
            let text = unsafe { ByteString::from_bytes_unchecked(Bytes::from(text)) };
            Frame::Text(text)
        }
        Message::Binary(bytes) => Frame::Binary(bytes),
        Message::Ping(bytes) => Frame::Ping(bytes),
        Message::Pong(bytes) => Frame::Pong(bytes),
        Message::Close(close) => Frame::Close(
            close.map(|close| CloseFrame::new(u16::from(close.code), close.reason.as_str())),
        ),
        Message::Frame(_) => return None,
    })
}

/// The bytes that a client's frame takes on the wire: header, mask and payload (RFC 6455 §5.2).
#[must_use]
pub(crate) const fn encoded_len(payload: usize) -> u64 {
    let header = match payload {
        0..=125 => 6,
        126..=65_535 => 8,
        _ => 14,
    };
    header + payload as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(frame: Frame) {
        assert_eq!(to_frame(to_message(frame.clone())), Some(frame));
    }

    #[test]
    fn every_frame_survives_the_round_trip() {
        there_and_back(Frame::Text("grüß Gott".into()));
        there_and_back(Frame::Binary(Bytes::from_static(&[0, 255, 7])));
        there_and_back(Frame::Ping(Bytes::from_static(b"1")));
        there_and_back(Frame::Pong(Bytes::new()));
        there_and_back(Frame::Close(None));
        for code in [1000, 1001, 1005, 1012, 1014, 2999, 3000, 4999, 5000] {
            there_and_back(Frame::Close(Some(CloseFrame::new(code, "why"))));
        }
    }

    #[test]
    fn text_and_data_are_shared_not_copied() {
        let text = ByteString::from(String::from("a longer text, on the heap"));
        let at = text.as_ptr();
        let Message::Text(message) = to_message(Frame::Text(text)) else { panic!("not text") };
        assert_eq!(message.as_str().as_ptr(), at);
        let Some(Frame::Text(back)) = to_frame(Message::Text(message)) else { panic!("not text") };
        assert_eq!(back.as_ptr(), at);
    }

    #[test]
    fn encoded_lengths_are_those_of_tungstenite() {
        for len in [0, 1, 125, 126, 65_535, 65_536, 100_000] {
            let mut socket = tungstenite::WebSocket::from_raw_socket(
                std::io::Cursor::new(Vec::new()),
                protocol::Role::Client,
                None,
            );
            socket.send(Message::Binary(vec![0; len].into())).expect("a vector takes everything");
            assert_eq!(socket.get_ref().get_ref().len() as u64, encoded_len(len), "{len}");
        }
    }
}
