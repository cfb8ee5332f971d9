//! What crosses the byte stream, as `tungstenite` sees it.

use std::io::{self, Read, Write};

use perennial_core::{End, Frame};
use tungstenite::error::{Error, ProtocolError};

use super::ahead::Ahead;
use super::follower::{Follower, Next};
use super::large::Large;
use super::network::{AfterShortRead, Socket};
use super::stream::Stream;
use crate::mapping;

/// A stream as `tungstenite` sees it: what crosses is counted, reading ends for this turn when its
/// share is used up, and a failed write does not get in the way of reading. Large messages do not
/// come that way: see [`read_large`](Wire::read_large).
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: Stream<S>,
    /// What was read and `tungstenite` has not taken yet.
    ahead: Ahead,
    received: u64,
    accepted: u64,
    share: usize,
    /// What the last read left in the kernel.
    left: AfterShortRead,
    /// Whether frames are read: a read may be put off, to which the handshake would not come back, and
    /// a write that was taken in part is followed by the next one at once.
    has_frames: bool,
    /// Where the frames begin, as long as that is known.
    follower: Option<Follower>,
    /// The message that is being read past `tungstenite`.
    large: Option<Large>,
    /// How much the kernel has taken of what `tungstenite` will write again.
    taken: usize,
    /// The kernel would take no more just now.
    is_stuck: bool,
    broken: Option<End>,
}

impl<S: Socket> Wire<S> {
    pub(crate) fn new(stream: Stream<S>) -> Self {
        Self {
            stream,
            ahead: Ahead::default(),
            received: 0,
            accepted: 0,
            share: 0,
            left: AfterShortRead::Unknown,
            has_frames: false,
            follower: None,
            large: None,
            taken: 0,
            is_stuck: false,
            broken: None,
        }
    }

    /// Begins a turn in which at most `share` bytes are read.
    pub(crate) fn begin(&mut self, share: usize) {
        self.share = share;
        // Of what lies here already nobody has told that the kernel has more.
        if self.ahead.is_empty() {
            self.left = AfterShortRead::Unknown;
        }
    }

    /// There may be more in the kernel than what a short read left there.
    pub(crate) fn told(&mut self) {
        self.left = AfterShortRead::Unknown;
    }

    /// Whether there is one more read to do, which can wait: see [`AfterShortRead::LikelyEmpty`].
    pub(crate) fn owes_read(&self) -> bool {
        self.left == AfterShortRead::LikelyEmpty && self.ahead.is_empty()
    }

    /// What comes from now on are frames, of messages of at most so many bytes. Somebody asks for what
    /// is [owed](Self::owes_read), and for [large messages](Self::read_large).
    pub(crate) fn begin_frames(&mut self, most: usize) {
        self.has_frames = true;
        self.follower = Some(Follower::new(most));
    }

    /// What comes from now on means nothing.
    pub(crate) fn end_frames(&mut self) {
        self.follower = None;
        self.large = None;
    }

    /// Goes on with the large message that comes next, if one does. `None` as long as it is not here
    /// whole.
    pub(crate) fn read_large(&mut self) -> Result<Option<Frame>, Error> {
        let Some(mut large) = self.large.take() else { return Ok(None) };
        match self.fill(&mut large) {
            Ok(()) => large.into_frame().map(Some),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.large = Some(large);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn fill(&mut self, large: &mut Large) -> Result<(), Error> {
        while large.missing() > 0 {
            let most = self.share.min(large.missing());
            if most == 0 {
                return Err(io::Error::from(io::ErrorKind::WouldBlock).into());
            }
            let count = if self.ahead.is_empty() {
                let room = large.room(most);
                match self.ask(|stream, _| stream.read(room), most)? {
                    0 => return Err(ProtocolError::ResetWithoutClosingHandshake.into()),
                    count => {
                        large.note(count);
                        count
                    }
                }
            } else {
                self.ahead.give(most, |bytes| large.extend(bytes))
            };
            self.received += count as u64;
            self.share -= count;
        }
        Ok(())
    }

    /// Reads from the stream, unless it is known to be in vain.
    fn ask(
        &mut self,
        read: impl FnOnce(&mut Stream<S>, &mut Ahead) -> io::Result<usize>,
        most: usize,
    ) -> io::Result<usize> {
        if self.left != AfterShortRead::Unknown {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = read(&mut self.stream, &mut self.ahead)?;
        // A short read has emptied the kernel's buffer. Where what comes after it is told, there is no
        // need to ask again.
        if 0 < count && count < most {
            self.left = match self.stream.after_short_read() {
                AfterShortRead::LikelyEmpty if !self.has_frames => AfterShortRead::Unknown,
                left => left,
            };
        }
        Ok(count)
    }

    /// Has these bytes read before any others.
    pub(crate) fn put_back(&mut self, early: Vec<u8>) {
        self.ahead.put_back(early);
    }

    /// Whether this turn's share is used up, so that there may be more.
    pub(crate) fn is_spent(&self) -> bool {
        self.share == 0
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// How many bytes the kernel has taken for certain, where that is known before a flush has
    /// ended: a TLS session buffers.
    pub(crate) fn surely_accepted(&self) -> Option<u64> {
        self.stream.is_plain().then_some(self.accepted)
    }

    /// How writing failed, if it did. There may still be something to read: the peer may have said
    /// why it hung up.
    pub(crate) fn broken(&self) -> Option<&End> {
        self.broken.as_ref()
    }

    pub(crate) fn stream(&mut self) -> &mut Stream<S> {
        &mut self.stream
    }

    fn note_failure(&mut self, error: io::Error) -> io::Result<()> {
        if error.kind() == io::ErrorKind::WouldBlock {
            return Err(error);
        }
        self.broken = Some(mapping::end(&error));
        Ok(())
    }
}

impl<S: Socket> Read for Wire<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut most = buffer.len().min(self.share);
        if most == 0 && !buffer.is_empty() || self.large.is_some() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.ahead.is_empty() {
            self.ask(|stream, ahead| ahead.fill(|buffer| stream.read(buffer)), Ahead::SIZE)?;
        }
        if let Some(follower) = &mut self.follower {
            match follower.next(self.ahead.unread(), most) {
                Next::Pass(count) => most = count,
                Next::Large { header, large } => {
                    self.ahead.give(header, |_| ());
                    self.received += header as u64;
                    self.share = self.share.saturating_sub(header);
                    self.large = Some(large);
                    return Err(io::ErrorKind::WouldBlock.into());
                }
            }
        }
        let count = self.ahead.take(&mut buffer[..most]);
        self.received += count as u64;
        self.share -= count;
        Ok(count)
    }
}

impl<S: Socket> Write for Wire<S> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.broken.is_some() {
            return Ok(buffer.len());
        }
        // Nobody has told that the kernel would take more, and `tungstenite` asks at once.
        if std::mem::take(&mut self.is_stuck) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        while self.taken < buffer.len() {
            match self.stream.write(&buffer[self.taken..]) {
                Ok(0) => break,
                Ok(count) => {
                    self.accepted += count as u64;
                    self.taken += count;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // It moves what is left to the front of its buffer, so it hears only of much.
                    let is_much = self.taken > 0 && self.taken >= buffer.len() - self.taken;
                    if !is_much {
                        return Err(error);
                    }
                    self.is_stuck = self.has_frames;
                    break;
                }
                Err(error) => {
                    self.note_failure(error)?;
                    return Ok(buffer.len());
                }
            }
        }
        Ok(std::mem::take(&mut self.taken))
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.broken.is_some() {
            return Ok(());
        }
        self.stream.flush().or_else(|error| self.note_failure(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket that has these pieces to read, and what is known after each.
    struct Pieces(Vec<&'static [u8]>, AfterShortRead);

    /// A socket that has these bytes to read, and takes so many with each write: `None` has it wait.
    #[derive(Default)]
    struct Slow {
        unread: Vec<u8>,
        most: usize,
        takes: Vec<Option<usize>>,
        taken: Vec<u8>,
        asked: usize,
    }

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(self.most).min(self.unread.len());
            if count == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            buffer[..count].copy_from_slice(&self.unread[..count]);
            self.unread.drain(..count);
            Ok(count)
        }
    }

    impl Write for Slow {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            self.asked += 1;
            let Some(Some(most)) = self.takes.pop() else {
                return Err(io::ErrorKind::WouldBlock.into());
            };
            let count = most.min(buffer.len());
            self.taken.extend(&buffer[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Socket for std::io::Cursor<Vec<u8>> {
        fn after_short_read(&self) -> AfterShortRead {
            AfterShortRead::Unknown
        }

        fn look(&mut self) {}
    }

    impl Socket for Slow {
        fn after_short_read(&self) -> AfterShortRead {
            AfterShortRead::Unknown
        }

        fn look(&mut self) {}
    }

    fn slow(unread: Vec<u8>, most: usize) -> Wire<Slow> {
        let mut wire = Wire::new(Stream::Plain(Slow { unread, most, ..Slow::default() }));
        wire.begin_frames(1 << 20);
        wire
    }

    /// A binary message of so many bytes, which count up. Its length may take more bytes than it needs.
    fn message(len: u16, takes_more: bool) -> Vec<u8> {
        let mut bytes = vec![0x82];
        if takes_more {
            bytes.push(127);
            bytes.extend(u64::from(len).to_be_bytes());
        } else {
            bytes.push(126);
            bytes.extend(len.to_be_bytes());
        }
        bytes.extend((0..len).map(|at| at as u8));
        bytes
    }

    #[test]
    fn a_large_message_comes_in_its_place_however_it_arrives() {
        for takes_more in [false, true] {
            let [small, large] = [200, 50_000].map(|len| message(len, takes_more));
            let bytes = [&small[..], &large, &small].concat();
            for most in [1, 3, 1_000, usize::MAX] {
                for share in [7, 4_096, usize::MAX] {
                    let mut wire = slow(bytes.clone(), most);
                    let (mut seen, mut is_large, mut turns) = (Vec::new(), false, 0);
                    while seen.len() < bytes.len() {
                        turns += 1;
                        assert!(turns < 100_000, "no end: {most} {share}");
                        wire.begin(share);
                        let mut buffer = [0; 4_096];
                        while let Ok(count) = wire.read(&mut buffer) {
                            seen.extend(&buffer[..count]);
                        }
                        if let Some(frame) = wire.read_large().expect("fine") {
                            let Frame::Binary(payload) = frame else { panic!("it is no text") };
                            seen.extend(&large[..large.len() - 50_000]);
                            seen.extend(payload);
                            is_large = true;
                        }
                    }
                    assert!(seen == bytes, "{takes_more} {most} {share}");
                    assert_eq!(wire.received(), bytes.len() as u64);
                    // Of a torn header the first bytes are handed over before it is known.
                    assert!(is_large || most < 10, "{takes_more} {most} {share}");
                }
            }
        }
    }

    #[test]
    fn the_end_of_the_stream_within_a_large_message_is_an_error() {
        let bytes = message(50_000, false);
        let mut wire = Wire::new(Stream::Plain(std::io::Cursor::new(bytes[..40_000].to_vec())));
        wire.begin_frames(1 << 20);
        wire.begin(usize::MAX);
        wire.read(&mut [0; 4_096]).expect_err("it is read past");
        assert!(matches!(wire.read_large(), Err(Error::Protocol(_))));
    }

    #[test]
    fn what_the_kernel_has_taken_is_not_written_again() {
        let mut wire = slow(Vec::new(), 0);
        let bytes: Vec<u8> = (0..100).collect();
        let mut takes =
            [Some(10), Some(20), None, Some(20), None, Some(60), Some(usize::MAX)].to_vec();
        takes.reverse();
        wire.stream().socket().takes = takes;
        let blocked = wire.write(&bytes).expect_err("little was taken");
        assert_eq!((blocked.kind(), wire.accepted()), (io::ErrorKind::WouldBlock, 30));
        // It hears of what was taken when that is half of it, and then is not asked in vain.
        assert_eq!(wire.write(&bytes).expect("half"), 50);
        let asked = wire.stream().socket().asked;
        wire.write(&bytes[50..]).expect_err("nobody has told of room");
        assert_eq!(wire.stream().socket().asked, asked);
        let more: Vec<u8> = (50..120).collect();
        assert_eq!(wire.write(&more).expect("all"), 70);
        assert_eq!(wire.stream().socket().taken, (0..120).collect::<Vec<u8>>());
    }

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = self.0.pop() else { return Err(io::ErrorKind::WouldBlock.into()) };
            buffer[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    impl Write for Pieces {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            Ok(buffer.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Socket for Pieces {
        fn after_short_read(&self) -> AfterShortRead {
            self.1
        }

        fn look(&mut self) {}
    }

    #[test]
    fn the_kernel_is_asked_again_when_it_has_told_of_more() {
        let mut wire =
            Wire::new(Stream::Plain(Pieces(vec![b"ef", b"cd", b"ab"], AfterShortRead::Empty)));
        let mut byte = [0];
        wire.begin(1);
        assert_eq!(wire.read(&mut byte).expect("a"), 1);
        assert!(wire.is_spent());
        // Told while the rest of the first piece lies here unread: it will not be told again.
        wire.told();
        wire.begin(usize::MAX);
        assert_eq!(wire.read(&mut byte).expect("b"), 1);
        assert_eq!(wire.read(&mut byte).expect("c"), 1);
        assert_eq!(&byte, b"c");
        assert_eq!(wire.read(&mut byte).expect("d"), 1);
        let dry = wire.read(&mut byte).expect_err("nobody has told of the third piece");
        assert_eq!(dry.kind(), io::ErrorKind::WouldBlock);
        assert!(!wire.owes_read(), "it will be told");
        wire.begin(usize::MAX);
        assert_eq!(wire.read(&mut byte).expect("e"), 1);
    }

    #[test]
    fn a_read_that_hardly_finds_anything_is_owed_and_not_done_at_once() {
        let mut wire =
            Wire::new(Stream::Plain(Pieces(vec![b"b", b"a"], AfterShortRead::LikelyEmpty)));
        let mut byte = [0];
        wire.begin(usize::MAX);
        assert_eq!(wire.read(&mut byte).expect("a"), 1);
        assert!(!wire.owes_read());
        assert_eq!(wire.read(&mut byte).expect("nobody would come back to it"), 1);
        wire.stream().socket().0 = vec![b"d", b"c"];
        wire.begin_frames(usize::MAX);
        assert_eq!(wire.read(&mut byte).expect("c"), 1);
        assert!(wire.owes_read());
        wire.read(&mut byte).expect_err("it can wait");
        wire.begin(usize::MAX);
        assert_eq!(wire.read(&mut byte).expect("d"), 1);
        assert_eq!(&byte, b"d");
    }
}
