//! A server that is a buffer in memory: it answers the handshake, says what it is told to, and drops
//! what it hears. So nothing is measured that an operating system does.

use std::future::{Future, pending, ready};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use futures_io::{AsyncRead, AsyncWrite};
use perennial::asynchronous::Runtime;
use tungstenite::handshake::derive_accept_key;

/// One connection's server. A clone is the same one.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Buffers>>);

#[derive(Default)]
struct Buffers {
    /// What the server has said, and how much of it was read.
    said: Vec<u8>,
    read: usize,
    /// The client's request, until it was answered.
    request: Vec<u8>,
    is_open: bool,
    /// Who waits for something to read.
    reader: Option<Waker>,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Buffers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A server for a client that needs no handshake.
    pub(crate) fn open() -> Self {
        let memory = Self::default();
        memory.lock().is_open = true;
        memory
    }

    /// Has the server say this.
    pub(crate) fn say(&self, bytes: &[u8]) {
        let mut buffers = self.lock();
        if buffers.read == buffers.said.len() {
            buffers.said.clear();
            buffers.read = 0;
        }
        buffers.said.extend_from_slice(bytes);
        let reader = buffers.reader.take();
        drop(buffers);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Buffers {
    fn answer(&mut self) -> Option<Vec<u8>> {
        let request = str::from_utf8(&self.request).ok()?;
        let head = request.strip_suffix("\r\n\r\n")?;
        let key = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
        })?;
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        Some(answer.into_bytes())
    }
}

impl Read for Memory {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let mut buffers = self.lock();
        let read = (&buffers.said[buffers.read..]).read(to)?;
        buffers.read += read;
        if read == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(read) }
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut buffers = self.lock();
        if !buffers.is_open {
            buffers.request.extend_from_slice(bytes);
            if let Some(answer) = buffers.answer() {
                buffers.is_open = true;
                drop(buffers);
                self.say(&answer);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.read(to) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.lock().reader = Some(cx.waker().clone());
                Poll::Pending
            }
            read => Poll::Ready(read),
        }
    }
}

impl AsyncWrite for Memory {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Whoever asks is connected at once. A sample is over long before anything is due.
impl Runtime for Memory {
    type Io = Memory;

    const KNOWS_WHEN_EMPTY: bool = true;

    fn open(
        &self,
        _: SocketAddr,
    ) -> impl Future<Output = io::Result<Memory>> + Send + 'static + use<> {
        ready(Ok(self.clone()))
    }

    fn sleep_until(&self, _: Instant) -> impl Future<Output = ()> + Send + 'static + use<> {
        pending()
    }
}
