//! A runtime of one's own, which counts what is asked of it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_lite::{AsyncRead, AsyncWrite};
use perennial::asynchronous::Runtime;
use perennial::smol::Smol;
use perennial::{HeartbeatStyle, Overflow, State};
use smol::net::TcpStream;

use crate::support::{Server, accept, drain, quick};
use crate::*;

/// How often each was asked.
#[derive(Default)]
struct Counts {
    opens: AtomicUsize,
    open_now: AtomicUsize,
    most_open: AtomicUsize,
    sleeps: AtomicUsize,
    reads: AtomicUsize,
    writes: AtomicUsize,
    looks: AtomicUsize,
    yields: AtomicUsize,
}

impl Counts {
    fn read(count: &AtomicUsize) -> usize {
        count.load(Ordering::SeqCst)
    }
}

#[derive(Clone, Default)]
struct Counting {
    counts: Arc<Counts>,
    /// Whether it tells what there is to read.
    tells: bool,
}

struct Counted(TcpStream, Arc<Counts>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.open_now.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Runtime for Counting {
    type Io = Counted;

    fn open(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Counted>> + Send + 'static + use<> {
        let counts = Arc::clone(&self.counts);
        async move {
            let stream = TcpStream::connect(address).await?;
            counts.opens.fetch_add(1, Ordering::SeqCst);
            let open = counts.open_now.fetch_add(1, Ordering::SeqCst) + 1;
            counts.most_open.fetch_max(open, Ordering::SeqCst);
            Ok(Counted(stream, counts))
        }
    }

    fn is_readable(&self, io: &Counted) -> Option<bool> {
        self.counts.looks.fetch_add(1, Ordering::SeqCst);
        self.tells.then(|| Smol.is_readable(&io.0)).flatten()
    }

    fn yield_now(&self, cx: &mut Context<'_>) {
        self.counts.yields.fetch_add(1, Ordering::SeqCst);
        cx.waker().wake_by_ref();
    }

    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.counts.sleeps.fetch_add(1, Ordering::SeqCst);
        async move {
            smol::Timer::at(at).await;
        }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.1.reads.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.1.writes.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.0).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

#[test]
fn what_is_queued_goes_out_in_few_writes() {
    let server = Server::start(|_, stream| drop(drain(accept(stream).get_mut())));
    let mut config = quick();
    config.outbox.overflow = Overflow::Wait;
    config.close.timeout = Duration::from_millis(50);
    let runtime = Counting::default();
    let counts = Arc::clone(&runtime.counts);
    smol::block_on(async {
        let (client, driver) = builder(&server.url(), config).connect_on(runtime).unwrap();
        let send = async {
            client.wait_open().await.unwrap();
            let before = Counts::read(&counts.writes);
            for _ in 0..10_000 {
                client.send("x".repeat(64)).await.unwrap();
            }
            client.drain(None);
            client.wait_closed().await;
            Counts::read(&counts.writes) - before
        };
        let (writes, _) = soon(futures_lite::future::zip(send, driver)).await;
        assert_eq!(client.counters().flushed, 10_000);
        assert!(writes < 700, "{writes} writes for 10,000 messages");
    });
}

#[test]
fn sending_asks_for_nothing_to_read_and_sets_no_timer() {
    let server = Server::start(|_, stream| drop(drain(accept(stream).get_mut())));
    let mut config = quick();
    config.close.timeout = Duration::from_millis(50);
    let runtime = Counting::default();
    let counts = Arc::clone(&runtime.counts);
    smol::block_on(async {
        let (client, driver) = builder(&server.url(), config).connect_on(runtime).unwrap();
        let task = smol::spawn(driver);
        soon(client.wait_open()).await.unwrap();
        client.send("one").await.unwrap();
        let flushed = |count| {
            let client = &client;
            async move {
                while client.counters().flushed < count {
                    smol::future::yield_now().await;
                }
            }
        };
        soon(flushed(1)).await;
        let before = (Counts::read(&counts.reads), Counts::read(&counts.sleeps));
        for count in 2..100 {
            client.send("more").await.unwrap();
            soon(flushed(count)).await;
        }
        let after = (Counts::read(&counts.reads), Counts::read(&counts.sleeps));
        assert!(after.0 - before.0 <= 2, "{} reads with nothing to read", after.0 - before.0);
        assert!(after.1 - before.1 <= 2, "{} timers", after.1 - before.1);
        drop(client);
        soon(task).await;
    });
}

/// How often a client reads, looks at what there is to read, and yields.
type Asked = [usize; 3];

/// What a client does after quick answers, when the next one does not come: before, and after more than
/// the time to stay awake has passed twice.
fn asks_in_vain(busy_poll: Duration, tells: bool) -> (Asked, Asked) {
    let server = Server::start(|_, stream| {
        let mut socket = accept(stream);
        while let Ok(message) = socket.read() {
            if message.is_text() && message.to_text().is_ok_and(|text| text != "hush") {
                socket.send(message).unwrap();
            }
        }
    });
    let mut config = quick();
    config.heartbeat.style = HeartbeatStyle::Off;
    let runtime = Counting { tells, ..Counting::default() };
    let counts = Arc::clone(&runtime.counts);
    let read = || [&counts.reads, &counts.looks, &counts.yields].map(Counts::read);
    let since = |before: Asked| {
        let now = read();
        [0, 1, 2].map(|which| now[which] - before[which])
    };
    smol::block_on(async {
        let builder = builder(&server.url(), config).busy_poll(busy_poll);
        let (mut client, driver) = builder.connect_on(runtime).unwrap();
        let work = async move {
            soon(client.wait_open()).await.unwrap();
            for _ in 0..20 {
                client.send("x").await.unwrap();
                text(&mut client).await;
            }
            let start = read();
            client.send("hush").await.unwrap();
            smol::Timer::after(2 * AWAKE).await;
            let (awake, over) = (since(start), read());
            smol::Timer::after(Duration::from_millis(50)).await;
            (awake, since(over))
        };
        soon(driver.join(work)).await.0
    })
}

/// Long enough for a busy machine to answer, and to look some times.
const AWAKE: Duration = Duration::from_secs(1);

#[cfg(unix)]
#[test]
fn an_answer_is_looked_for_awake_and_not_for_ever() {
    let ([reads, looks, yields], asleep) = asks_in_vain(AWAKE, true);
    assert!(looks > 5 && yields > 0, "{looks} looks, {yields} yields");
    assert!((1..=4).contains(&reads), "{reads} reads, one of which has it woken");
    assert_eq!(asleep, [0; 3], "it sleeps");
}

#[test]
fn an_answer_is_read_for_awake_and_not_for_ever() {
    let ([reads, ..], asleep) = asks_in_vain(AWAKE, false);
    assert!(reads > 5, "{reads} reads");
    assert_eq!(asleep, [0; 3], "it sleeps");
}

#[test]
fn no_answer_is_awaited_awake_where_none_is_to_be() {
    let ([reads, looks, yields], _) = asks_in_vain(Duration::ZERO, true);
    assert!(reads <= 4, "{reads} reads");
    assert_eq!((looks, yields), (0, 0));
}

#[test]
fn the_old_socket_is_gone_before_the_next_is_dialled() {
    let server = Server::start(|_, stream| drop(drain(accept(stream).get_mut())));
    let runtime = Counting::default();
    let counts = Arc::clone(&runtime.counts);
    smol::block_on(async {
        let (mut client, driver) = builder(&server.url(), quick()).connect_on(runtime).unwrap();
        let task = smol::spawn(driver);
        for _ in 0..5 {
            until(&mut client, State::Open).await;
            client.reconnect();
        }
        until(&mut client, State::Open).await;
        client.abort();
        soon(task).await;
    });
    assert_eq!(Counts::read(&counts.opens), 6);
    assert_eq!(Counts::read(&counts.most_open), 1);
    assert_eq!(Counts::read(&counts.open_now), 0);
}
