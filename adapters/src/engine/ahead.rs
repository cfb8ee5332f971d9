//! Reading ahead: large pieces from the kernel, small ones to `tungstenite`.
//!
//! `tungstenite` fills its whole read buffer with zeros before every read, and keeps it for as long
//! as the connection lives. So its own is small, and what is read at once lies in a buffer that the
//! connections of a thread lend one another: a connection that has nothing to read holds none.

use std::cell::Cell;
use std::io;
use std::ops::Range;

thread_local! {
    /// The buffer that nobody on this thread needs just now.
    static SPARE: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// What was read and not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// Empty, or with something unread in it.
    buffer: Box<[u8]>,
    unread: Range<usize>,
}

impl Ahead {
    /// How much is read at once.
    pub(crate) const SIZE: usize = 64 << 10;

    /// Has these bytes taken before any others.
    pub(crate) fn put_back(&mut self, mut bytes: Vec<u8>) {
        bytes.extend_from_slice(self.unread());
        self.lend();
        self.unread = 0..bytes.len();
        self.buffer = bytes.into_boxed_slice();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.unread.is_empty()
    }

    /// What was not taken yet.
    pub(crate) fn unread(&self) -> &[u8] {
        self.buffer.get(self.unread.clone()).unwrap_or_default()
    }

    /// Takes what fits into `target`.
    pub(crate) fn take(&mut self, target: &mut [u8]) -> usize {
        let most = target.len();
        self.give(most, |bytes| {
            if let Some(into) = target.get_mut(..bytes.len()) {
                into.copy_from_slice(bytes);
            }
        })
    }

    /// Gives at most `most` bytes away. Returns how many.
    pub(crate) fn give(&mut self, most: usize, to: impl FnOnce(&[u8])) -> usize {
        let bytes = self.unread();
        let bytes = bytes.get(..most).unwrap_or(bytes);
        to(bytes);
        let count = bytes.len();
        self.unread.start += count;
        if self.unread.is_empty() {
            self.lend();
        }
        count
    }

    /// Fills the buffer. Returns how much was read.
    pub(crate) fn fill(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.buffer.len() != Self::SIZE {
            // A thread that is about to end has no spare one.
            let spare = SPARE.try_with(Cell::take).ok().flatten();
            self.buffer = spare.unwrap_or_else(|| vec![0; Self::SIZE].into_boxed_slice());
        }
        let read = read(&mut self.buffer);
        self.unread = 0..*read.as_ref().unwrap_or(&0);
        if self.unread.is_empty() {
            self.lend();
        }
        read
    }

    /// Leaves the buffer to the thread's other connections.
    fn lend(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        if buffer.len() == Self::SIZE {
            let _ = SPARE.try_with(|spare| spare.set(Some(buffer)));
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.lend();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(ahead: &mut Ahead, bytes: &[u8]) -> io::Result<usize> {
        ahead.fill(|buffer| {
            buffer[..bytes.len()].copy_from_slice(bytes);
            Ok(bytes.len())
        })
    }

    #[test]
    fn what_was_put_back_comes_first() {
        let mut ahead = Ahead::default();
        fill(&mut ahead, b"ab:c").expect("filled");
        let mut target = [0; 3];
        assert_eq!(ahead.take(&mut target), 3);
        ahead.put_back(b"ab".to_vec());
        let mut target = [0; 2];
        assert_eq!(ahead.take(&mut target), 2);
        assert_eq!(&target, b"ab");
        assert!(!ahead.is_empty());
        assert_eq!(ahead.take(&mut target), 1);
        assert_eq!(target[0], b'c');
        assert!(ahead.is_empty());
    }

    #[test]
    fn a_buffer_is_held_only_while_there_is_something_in_it() {
        let mut ahead = Ahead::default();
        assert_eq!(fill(&mut ahead, b"xyz").expect("filled"), 3);
        assert_eq!(ahead.buffer.len(), Ahead::SIZE);
        assert_eq!(ahead.take(&mut [0; 8]), 3);
        assert_eq!(ahead.buffer.len(), 0);
        assert!(ahead.fill(|_| Err(io::ErrorKind::WouldBlock.into())).is_err());
        assert!(ahead.is_empty());
        assert_eq!(ahead.buffer.len(), 0);
        assert_eq!(fill(&mut ahead, b"").expect("the end"), 0);
        assert_eq!(ahead.buffer.len(), 0);
    }

    #[test]
    fn two_that_read_at_once_have_a_buffer_each() {
        let (mut one, mut other) = (Ahead::default(), Ahead::default());
        fill(&mut one, b"one").expect("filled");
        fill(&mut other, b"other").expect("filled");
        let mut target = [0; 8];
        assert_eq!(one.take(&mut target), 3);
        assert_eq!(&target[..3], b"one");
        assert_eq!(other.take(&mut target), 5);
        assert_eq!(&target[..5], b"other");
    }
}
