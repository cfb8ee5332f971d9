//! An async byte stream as a socket that never blocks.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use atomic_waker::AtomicWaker;
use futures_io::{AsyncRead, AsyncWrite};

use crate::engine::{AfterShortRead, Socket};

/// An async byte stream. It is asked again only after it has said that it is ready: whoever wakes
/// the driver for another reason costs no system call.
#[derive(Debug)]
pub(super) struct Ready<Io> {
    io: Io,
    reading: Side,
    writing: Side,
    knows_when_empty: bool,
}

/// Whether one direction may be ready.
#[derive(Debug)]
struct Side {
    signal: Arc<Signal>,
    waker: Waker,
    /// It did not have to wait when it was asked last.
    goes_on: bool,
}

/// Notes that something is ready, and wakes the driver's task.
#[derive(Debug)]
pub(super) struct Signal {
    ready: AtomicBool,
    task: Arc<AtomicWaker>,
}

impl Signal {
    pub(super) fn new(task: &Arc<AtomicWaker>) -> Arc<Self> {
        Arc::new(Self { ready: AtomicBool::new(true), task: Arc::clone(task) })
    }

    /// Notes that something may be ready.
    pub(super) fn raise(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// Whether something may be ready.
    pub(super) fn is_up(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// The same. It is forgotten.
    pub(super) fn take(&self) -> bool {
        self.ready.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.raise();
        self.task.wake();
    }
}

impl Side {
    fn new(task: &Arc<AtomicWaker>) -> Self {
        let signal = Signal::new(task);
        Self { waker: Waker::from(Arc::clone(&signal)), signal, goes_on: false }
    }

    /// Does something that may have to wait.
    fn ask<T>(
        &mut self,
        act: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        // Before it is asked: what becomes ready meanwhile must not be forgotten.
        if !(self.signal.take() | std::mem::take(&mut self.goes_on)) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match act(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(result) => {
                self.goes_on = true;
                result
            }
            // It may be ready again by now, or have asked to be left alone for this turn: then the
            // task was woken, and the next turn is soon.
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<Io> Ready<Io> {
    /// Takes a stream whose readiness `task` is to be woken for; `knows_when_empty` as in
    /// [`Runtime`](super::Runtime).
    pub(super) fn new(io: Io, task: &Arc<AtomicWaker>, knows_when_empty: bool) -> Self {
        Self { io, reading: Side::new(task), writing: Side::new(task), knows_when_empty }
    }

    /// The stream itself.
    pub(super) fn io(&self) -> &Io {
        &self.io
    }

    /// Whether it has said, since it was last asked, that it may be read from, and written to.
    pub(super) fn readiness(&self) -> (bool, bool) {
        (self.reading.signal.is_up(), self.writing.signal.is_up())
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Socket for Ready<Io> {
    fn after_short_read(&self) -> AfterShortRead {
        // A waker is called once only, and left with the stream by a read that has to wait.
        if self.knows_when_empty { AfterShortRead::Unknown } else { AfterShortRead::LikelyEmpty }
    }

    fn look(&mut self) {
        self.reading.signal.raise();
    }
}

impl<Io: AsyncRead + Unpin> Read for Ready<Io> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let io = &mut self.io;
        self.reading.ask(|cx| Pin::new(&mut *io).poll_read(cx, buffer))
    }
}

impl<Io: AsyncWrite + Unpin> Write for Ready<Io> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let io = &mut self.io;
        match self.writing.ask(|cx| Pin::new(&mut *io).poll_write(cx, buffer)) {
            Ok(0) if !buffer.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            result => result,
        }
    }

    fn write_vectored(&mut self, buffers: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let io = &mut self.io;
        self.writing.ask(|cx| Pin::new(&mut *io).poll_write_vectored(cx, buffers))
    }

    fn flush(&mut self) -> io::Result<()> {
        let io = &mut self.io;
        self.writing.ask(|cx| Pin::new(&mut *io).poll_flush(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers each read with the next of these: `None` has it wait.
    struct Scripted {
        reads: Vec<Option<&'static [u8]>>,
        asked: usize,
        waker: Option<Waker>,
    }

    impl AsyncRead for Scripted {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            self.asked += 1;
            match self.reads.pop() {
                Some(Some(bytes)) => {
                    buffer[..bytes.len()].copy_from_slice(bytes);
                    Poll::Ready(Ok(bytes.len()))
                }
                _ => {
                    self.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        }
    }

    #[test]
    fn it_is_asked_again_only_when_it_was_woken() {
        let task = Arc::new(AtomicWaker::new());
        let io = Scripted { reads: vec![Some(b"b"), None, Some(b"a")], asked: 0, waker: None };
        let mut ready = Ready::new(io, &task, false);
        let mut buffer = [0; 8];
        assert_eq!(ready.read(&mut buffer).expect("ready"), 1);
        for _ in 0..3 {
            let kind = ready.read(&mut buffer).expect_err("it waits").kind();
            assert_eq!(kind, io::ErrorKind::WouldBlock);
        }
        assert_eq!(ready.io.asked, 2, "one read that waits leaves its waker");
        ready.io.waker.take().expect("left").wake();
        assert_eq!(ready.read(&mut buffer).expect("ready"), 1);
        assert_eq!(buffer[0], b'b');
    }

    #[test]
    fn a_wake_up_while_it_is_asked_is_not_forgotten() {
        let task = Arc::new(AtomicWaker::new());
        let mut side = Side::new(&task);
        let first: io::Result<()> = side.ask(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        assert_eq!(first.expect_err("it waits").kind(), io::ErrorKind::WouldBlock);
        assert!(side.ask(|_| Poll::Ready(Ok(()))).is_ok(), "asked again");
    }
}
