//! A network in memory: byte streams whose other end is a script, and no sleep that ends by itself.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use futures_io::{AsyncRead, AsyncWrite};
use perennial::asynchronous::Runtime;

/// How the peer ends a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, arbitrary::Arbitrary)]
pub(super) enum Ending {
    /// In an orderly way.
    Eof,
    /// With a reset.
    Reset,
}

/// A byte stream, as its two ends share it.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    /// What the client has not read.
    pub(super) inbound: VecDeque<u8>,
    /// What comes after that.
    pub(super) ending: Option<Ending>,
    /// What the client has written.
    pub(super) outbound: Vec<u8>,
    /// How many bytes the client may write; no limit if there is none.
    pub(super) room: Option<usize>,
    /// The most that one write takes; 0 for all.
    pub(super) piece: usize,
    /// Whether writing fails when there is no room, instead of waiting.
    pub(super) breaks: bool,
    /// Whether the client has let it go.
    pub(super) dropped: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// A pipe, to be looked at from either end.
pub(super) type Shared = Arc<Mutex<Pipe>>;

/// What is in a lock, whoever panicked with it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pipe {
    /// Hands bytes to the client.
    pub(super) fn deliver(&mut self, bytes: &[u8]) {
        self.inbound.extend(bytes);
        self.wake_reader();
    }

    /// Ends the stream behind what was delivered.
    pub(super) fn end(&mut self, ending: Ending) {
        self.ending = Some(ending);
        self.wake_reader();
    }

    /// Lets the client write so much more.
    pub(super) fn make_room(&mut self, bytes: usize) {
        if let Some(room) = &mut self.room {
            *room = room.saturating_add(bytes);
        }
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }

    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }
}

/// The client's end.
#[derive(Debug)]
pub(super) struct End(Shared);

impl Drop for End {
    fn drop(&mut self) {
        lock(&self.0).dropped = true;
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = lock(&self.0);
        if pipe.inbound.is_empty() {
            return match pipe.ending {
                Some(Ending::Eof) => Poll::Ready(Ok(0)),
                Some(Ending::Reset) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                None => {
                    pipe.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        }
        Poll::Ready(pipe.inbound.read(buffer))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = lock(&self.0);
        let piece = if pipe.piece == 0 { usize::MAX } else { pipe.piece };
        let count = buffer.len().min(piece).min(pipe.room.unwrap_or(usize::MAX));
        if count == 0 && !buffer.is_empty() {
            if pipe.breaks {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        pipe.outbound.extend_from_slice(&buffer[..count]);
        if let Some(room) = &mut pipe.room {
            *room -= count;
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Debug, Default)]
struct State {
    /// What the next dials get; then they are refused.
    pipes: VecDeque<Shared>,
    /// What the last dial got.
    current: Option<Shared>,
    /// When the driver's timer fires, and who is to be told.
    timer: Option<(Instant, Waker)>,
}

/// The runtime that a driver is given.
#[derive(Clone, Debug, Default)]
pub(super) struct Network(Arc<Mutex<State>>);

impl Network {
    /// Has the next dial that finds no other get this pipe.
    pub(super) fn add(&self, pipe: Pipe) -> Shared {
        let pipe = Arc::new(Mutex::new(pipe));
        lock(&self.0).pipes.push_back(Arc::clone(&pipe));
        pipe
    }

    /// Whether the last dial got this pipe.
    pub(super) fn has_opened(&self, pipe: &Shared) -> bool {
        lock(&self.0).current.as_ref().is_some_and(|current| Arc::ptr_eq(current, pipe))
    }

    /// When the driver's timer fires.
    pub(super) fn timer(&self) -> Option<Instant> {
        lock(&self.0).timer.as_ref().map(|(at, _)| *at)
    }

    /// Lets the driver's timer fire.
    pub(super) fn fire(&self) {
        let timer = lock(&self.0).timer.take();
        if let Some((_, waker)) = timer {
            waker.wake();
        }
    }
}

impl Runtime for Network {
    type Io = End;

    fn open(
        &self,
        _: SocketAddr,
    ) -> impl Future<Output = io::Result<End>> + Send + 'static + use<> {
        let mut state = lock(&self.0);
        let pipe = state.pipes.pop_front();
        state.current = pipe.clone();
        async { pipe.map(End).ok_or_else(|| io::ErrorKind::ConnectionRefused.into()) }
    }

    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + Send + 'static + use<> {
        let state = Arc::clone(&self.0);
        poll_fn(move |cx| {
            if at <= Instant::now() {
                return Poll::Ready(());
            }
            lock(&state).timer = Some((at, cx.waker().clone()));
            Poll::Pending
        })
    }
}
