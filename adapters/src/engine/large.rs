//! A large message, read straight into where it will lie.
//!
//! `tungstenite` collects a frame in pieces of its read buffer, which is [small](super::ahead), and
//! each comes from another buffer. For a message of many such pieces that is a copy, and a buffer
//! filled with zeros, too many.

use bytestring::ByteString;
use perennial_core::{Bytes, Frame};
use tungstenite::error::Error;

/// A message of at least so many bytes is large. A fuzzer gets there with fewer.
pub(super) const LARGE: usize = if cfg!(fuzzing) { 126 } else { 16 << 10 };
/// The peer's word is good for so much memory. For more, it has to send it.
const TRUSTED: usize = 16 << 20;

/// A message that arrives.
#[derive(Debug)]
pub(super) struct Large {
    is_text: bool,
    len: usize,
    /// What has arrived, and zeros behind it.
    payload: Vec<u8>,
    arrived: usize,
}

impl Large {
    pub(super) fn new(is_text: bool, len: usize) -> Self {
        Self { is_text, len, payload: Vec::with_capacity(len.min(TRUSTED)), arrived: 0 }
    }

    /// How many bytes have not arrived.
    pub(super) fn missing(&self) -> usize {
        self.len - self.arrived
    }

    /// Takes what has arrived: no more than is missing.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        if self.payload.len() == self.arrived {
            self.payload.extend_from_slice(bytes);
            self.arrived = self.payload.len();
        } else {
            self.room(bytes.len()).copy_from_slice(bytes);
            self.note(bytes.len());
        }
    }

    /// Where the next bytes belong: `count` of them, which are missing.
    pub(super) fn room(&mut self, count: usize) -> &mut [u8] {
        let end = self.arrived + count;
        if self.payload.len() < end {
            self.payload.resize(end, 0);
        }
        self.payload.get_mut(self.arrived..end).unwrap_or_default()
    }

    /// So many bytes were written where they [belong](Self::room).
    pub(super) fn note(&mut self, count: usize) {
        self.arrived += count;
    }

    /// The message, once nothing is missing.
    pub(super) fn into_frame(self) -> Result<Frame, Error> {
        let payload = Bytes::from(self.payload);
        Ok(if self.is_text {
            Frame::Text(ByteString::try_from(payload)?)
        } else {
            Frame::Binary(payload)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_in_either_way_stands_in_order_and_is_not_moved() {
        let mut large = Large::new(true, 9);
        let at = large.payload.as_ptr();
        large.extend(b"ab");
        large.room(5).get_mut(..2).expect("room").copy_from_slice(b"cd");
        large.note(2);
        assert_eq!(large.missing(), 5);
        large.extend(b"efg");
        large.extend(b"h");
        large.room(1).copy_from_slice(b"i");
        large.note(1);
        assert_eq!(large.missing(), 0);
        let Ok(Frame::Text(text)) = large.into_frame() else { panic!("not text") };
        assert_eq!((&text[..], text.as_ptr()), ("abcdefghi", at));
    }

    #[test]
    fn text_must_be_utf8() {
        for (bytes, is_text) in [("grüß".as_bytes(), true), (&[0xff][..], false)] {
            let mut large = Large::new(is_text, bytes.len());
            large.extend(bytes);
            assert_eq!(large.into_frame().expect("fine").len(), bytes.len());
        }
        let mut large = Large::new(true, 1);
        large.extend(&[0xff]);
        assert!(matches!(large.into_frame(), Err(Error::Utf8(_))));
    }
}
