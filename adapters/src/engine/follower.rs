//! Where the frames begin in what is read, so that a large one is known before it is here.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::large::{LARGE, Large};

/// The longest header of a frame: 2 bytes, 8 of length, 4 of mask (RFC 6455 §5.2).
const HEADER: usize = 14;

/// Follows the frames that `tungstenite` is handed. What is wrong with them is left for that to find:
/// a frame that it would not take is never a large one.
#[derive(Debug)]
pub(super) struct Follower {
    /// The most that a message may hold.
    most: usize,
    /// What was handed over of a header that was not here whole.
    begun: Vec<u8>,
    /// How much of the frame's payload is to come.
    payload: u64,
    /// A message in several frames is not at its end.
    is_fragmented: bool,
    /// The peer has said its last word, or nonsense.
    is_over: bool,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// So many bytes for `tungstenite`.
    Pass(usize),
    /// A large message, after a header of so many bytes.
    Large { header: usize, large: Large },
}

impl Follower {
    pub(super) fn new(most: usize) -> Self {
        Self { most, begun: Vec::new(), payload: 0, is_fragmented: false, is_over: false }
    }

    /// What comes next in `unread`, of which at most `most` bytes are handed over now.
    pub(super) fn next(&mut self, unread: &[u8], most: usize) -> Next {
        let end = most.min(unread.len());
        let mut at = 0;
        while at < end && !self.is_over {
            if self.payload > 0 {
                let count = self.payload.min((end - at) as u64);
                self.payload -= count;
                // No more than the length of a slice.
                at += count as usize;
                continue;
            }
            let rest = unread.get(at..).unwrap_or_default();
            if self.begun.is_empty()
                && at + 2 <= end
                && let [first, payload @ 0..=125, ..] = *rest
            {
                // What most frames are, and never large: neither mask nor length after two bytes.
                self.enter(OpCode::from(first & 0x0f), first & 0x80 != 0, payload.into());
                at += 2;
                continue;
            }
            if self.begun.is_empty()
                && let Some((header, payload, count)) = self.parse(rest)
            {
                if let Some((is_text, len)) = self.as_large(&header, payload) {
                    return if at == 0 {
                        Next::Large { header: count, large: Large::new(is_text, len) }
                    } else {
                        Next::Pass(at)
                    };
                }
                if at + count <= end {
                    self.enter(header.opcode, header.is_final, payload);
                    at += count;
                    continue;
                }
            }
            self.begun.extend(rest.first());
            at += 1;
            let begun = std::mem::take(&mut self.begun);
            match self.parse(&begun) {
                Some((header, payload, _)) => self.enter(header.opcode, header.is_final, payload),
                None => self.begun = begun,
            }
        }
        Next::Pass(end)
    }

    /// The header that `bytes` begin with, if it is here whole, how long its payload is, and the
    /// header itself.
    fn parse(&mut self, bytes: &[u8]) -> Option<(FrameHeader, u64, usize)> {
        let mut cursor = Cursor::new(bytes.get(..HEADER).unwrap_or(bytes));
        match FrameHeader::parse(&mut cursor) {
            Ok(header) => header.map(|(header, payload)| {
                // Longer than it need be, if the length takes more bytes than it needs.
                (header, payload, cursor.position() as usize)
            }),
            Err(_) => {
                self.is_over = true;
                None
            }
        }
    }

    /// Whether the message that the frame is is text, and its length, if it is a large one.
    fn as_large(&self, header: &FrameHeader, payload: u64) -> Option<(bool, usize)> {
        let len = usize::try_from(payload).ok().filter(|len| (LARGE..=self.most).contains(len))?;
        let is_text = match header.opcode {
            OpCode::Data(Data::Text) => true,
            OpCode::Data(Data::Binary) => false,
            OpCode::Data(_) | OpCode::Control(_) => return None,
        };
        let is_plain = !(header.rsv1 || header.rsv2 || header.rsv3) && header.mask.is_none();
        let is_whole = header.is_final && !self.is_fragmented;
        (is_plain && is_whole).then_some((is_text, len))
    }

    /// Goes on behind a header.
    fn enter(&mut self, opcode: OpCode, is_final: bool, payload: u64) {
        self.payload = payload;
        match opcode {
            OpCode::Data(Data::Reserved(_))
            | OpCode::Control(Control::Reserved(_) | Control::Close) => {
                self.is_over = true;
            }
            OpCode::Data(_) => self.is_fragmented = !is_final,
            OpCode::Control(Control::Ping | Control::Pong) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 1 << 20;

    /// A frame's header, and how long it says that the payload is.
    fn header(first: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload {
            0..=125 => bytes.push(payload as u8),
            126..=65_535 => {
                bytes.push(126);
                bytes.extend((payload as u16).to_be_bytes());
            }
            _ => {
                bytes.push(127);
                bytes.extend((payload as u64).to_be_bytes());
            }
        }
        bytes
    }

    fn frame(first: u8, payload: usize) -> Vec<u8> {
        let mut bytes = header(first, payload);
        bytes.resize(bytes.len() + payload, 0);
        bytes
    }

    /// How many bytes are handed over, in pieces of at most `most`, before a large message comes, and
    /// how long that one is.
    fn before_large(bytes: &[u8], most: usize) -> (usize, Option<usize>) {
        let (mut follower, mut at) = (Follower::new(MOST), 0);
        while at < bytes.len() {
            match follower.next(&bytes[at..], most) {
                Next::Pass(count) => at += count,
                Next::Large { header, large } => {
                    assert_eq!(header, self::header(0x81, large.missing()).len());
                    return (at, Some(large.missing()));
                }
            }
        }
        (at, None)
    }

    #[test]
    fn a_large_message_is_found_behind_any_others() {
        let others = [
            frame(0x81, 0),
            frame(0x82, 125),
            frame(0x89, 7),
            frame(0x81, 126),
            frame(0x01, 9),
            frame(0x8a, 0),
            frame(0x00, 70_000),
            frame(0x80, 3),
            frame(0x82, LARGE - 1),
        ]
        .concat();
        for first in [0x81, 0x82] {
            for payload in [LARGE, 65_535, 65_536, MOST] {
                let bytes = [others.clone(), frame(first, payload)].concat();
                for most in [14, 100, 4096, usize::MAX] {
                    assert_eq!(before_large(&bytes, most), (others.len(), Some(payload)), "{most}");
                }
            }
        }
    }

    #[test]
    fn where_a_header_is_torn_the_next_one_is_found_all_the_same() {
        // Whoever takes a byte at a time never sees a header whole.
        let bytes = [frame(0x81, 70_000), frame(0x82, 130)].concat();
        let mut follower = Follower::new(MOST);
        for byte in &bytes {
            assert!(matches!(follower.next(&[*byte], 1), Next::Pass(1)));
        }
        assert!(matches!(follower.next(&frame(0x82, LARGE), 1), Next::Large { .. }));
    }

    #[test]
    fn a_length_may_take_more_bytes_than_it_needs() {
        let long = |payload: usize| {
            let mut bytes = vec![0x82, 127];
            bytes.extend((payload as u64).to_be_bytes());
            bytes
        };
        let medium = vec![0x82, 126, 0, 5];
        // What looks like the header of a large message is none.
        let decoy = header(0x82, 70_000);
        let small = [long(decoy.len()), decoy, medium, vec![0; 5]].concat();
        let bytes = [small.clone(), long(20_000), vec![0; 20_000]].concat();
        for most in [1, 3, 14, 4096] {
            let (mut follower, mut at) = (Follower::new(MOST), 0);
            let (header, large) = loop {
                // All that is read is here, or as much as is handed over: then a header is torn.
                match follower.next(&bytes[at..], most) {
                    Next::Pass(count) => at += count,
                    Next::Large { header, large } => break (header, large),
                }
            };
            assert_eq!((at, header, large.missing()), (small.len(), 10, 20_000), "{most}");
            let mut torn = Follower::new(MOST);
            for byte in &bytes {
                assert!(matches!(torn.next(&[*byte], most), Next::Pass(1)));
            }
            assert!(matches!(torn.next(&frame(0x82, LARGE), most), Next::Large { .. }));
        }
    }

    #[test]
    fn what_tungstenite_would_not_take_is_left_to_it() {
        let large = frame(0x81, LARGE);
        let masked = { [vec![0x81, 0xfe], vec![0x40, 0, 1, 2, 3, 4], vec![0; LARGE]].concat() };
        for bytes in [
            // In between fragments, and the fragments themselves.
            [frame(0x01, 3), large.clone()].concat(),
            frame(0x01, LARGE),
            frame(0x80, LARGE),
            // Control frames, reserved bits and opcodes.
            frame(0x89, LARGE),
            frame(0xc1, LARGE),
            frame(0x83, LARGE),
            masked,
            // Longer than a message may be.
            frame(0x82, MOST + 1),
            // After the end.
            [frame(0x88, 0), large.clone()].concat(),
            // Too short to be worth it.
            frame(0x81, LARGE - 1),
        ] {
            assert_eq!(before_large(&bytes, 4096), (bytes.len(), None), "{:x?}", &bytes[..4]);
        }
    }

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn a_length_beyond_all_bounds_takes_no_memory() {
        let bytes = [&[0x82, 127, 0x7f][..], &[0xff; 7]].concat();
        let mut follower = Follower::new(usize::MAX);
        let Next::Large { header: 10, large } = follower.next(&bytes, 4096) else {
            panic!("it is allowed")
        };
        assert_eq!(large.missing() as u64, u64::MAX >> 1);
    }
}
