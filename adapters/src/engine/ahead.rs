//! Reading ahead: large pieces from the kernel, small ones to `tungstenite`.
//!
//! `tungstenite` fills its whole read buffer with zeros before every read, and keeps it for as long
//! as the connection lives. So its own is small, and what is read at once lies in a buffer that the
//! connections of a thread lend one another: a connection that has nothing to read holds none.

use std::cell::Cell;
use std::io;
use std::ops::Range;

/// How much is read at once.
const SIZE: usize = 64 << 10;

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
    /// Has these bytes taken before any others.
    pub(crate) fn put_back(&mut self, mut bytes: Vec<u8>) {
        bytes.extend_from_slice(self.buffer.get(self.unread.clone()).unwrap_or_default());
        self.lend();
        self.unread = 0..bytes.len();
        self.buffer = bytes.into_boxed_slice();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.unread.is_empty()
    }

    /// Takes what fits into `target`.
    pub(crate) fn take(&mut self, target: &mut [u8]) -> usize {
        let count = self.unread.len().min(target.len());
        let end = self.unread.start + count;
        if let (Some(into), Some(from)) =
            (target.get_mut(..count), self.buffer.get(self.unread.start..end))
        {
            into.copy_from_slice(from);
        }
        self.unread.start = end;
        if self.unread.is_empty() {
            self.lend();
        }
        count
    }

    /// Fills the buffer. Returns whether it was filled to its end.
    pub(crate) fn fill(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        if self.buffer.len() != SIZE {
            // A thread that is about to end has no spare one.
            let spare = SPARE.try_with(Cell::take).ok().flatten();
            self.buffer = spare.unwrap_or_else(|| vec![0; SIZE].into_boxed_slice());
        }
        match read(&mut self.buffer) {
            Ok(count) => {
                self.unread = 0..count;
                if count == 0 {
                    self.lend();
                }
                Ok(count == SIZE)
            }
            Err(error) => {
                self.lend();
                Err(error)
            }
        }
    }

    /// Leaves the buffer to the thread's other connections.
    fn lend(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        if buffer.len() == SIZE {
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

    fn fill(ahead: &mut Ahead, bytes: &[u8]) -> io::Result<bool> {
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
        assert!(!fill(&mut ahead, b"xyz").expect("filled"));
        assert_eq!(ahead.buffer.len(), SIZE);
        assert_eq!(ahead.take(&mut [0; 8]), 3);
        assert_eq!(ahead.buffer.len(), 0);
        assert!(ahead.fill(|_| Err(io::ErrorKind::WouldBlock.into())).is_err());
        assert!(ahead.is_empty());
        assert_eq!(ahead.buffer.len(), 0);
        assert!(fill(&mut ahead, &[7; SIZE]).expect("filled"), "to its end");
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
