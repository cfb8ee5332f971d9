//! Polls a driver by hand, and reads what the client says to its server.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use perennial::asynchronous::{Client, Driver};
use perennial::{Builder, Closed, Config, ConfigBuilder, Notice};
use perennial_core::{Backoff, HeartbeatStyle, Jitter};

use super::memory::Network;

/// A driver that is polled so often without coming to rest never will.
const MOST_POLLS: usize = 20_000;
/// Timers that fire within this are waited for.
const SOON: Duration = Duration::from_millis(20);

/// A config under which nothing happens by time alone: dials follow each other at once, and no
/// deadline comes while the test runs.
pub(super) fn timeless(dials: usize) -> ConfigBuilder {
    let day = Duration::from_secs(86_400);
    let hour = Duration::from_secs(3_600);
    let mut config = Config::builder();
    config.connect.dial_timeout = hour;
    config.retry.backoff = Backoff::List { delays: vec![Duration::ZERO] };
    config.retry.jitter = Jitter::None;
    config.retry.cap = Duration::from_millis(1);
    config.retry.max_attempts = u32::try_from(dials).ok();
    config.retry.suspend_after = None;
    config.retry.stable_after = day;
    config.retry.max_retry_after = Duration::ZERO;
    config.retry.restart_delay = vec![Duration::ZERO; 2];
    config.heartbeat.style = HeartbeatStyle::Off;
    config.clock.jump = day;
    config.close.timeout = hour;
    config.close.drain = day;
    config
}

/// Whether the driver was woken.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// A driver, its client, and the network between them and the test.
pub(super) struct Hand {
    pub(super) network: Network,
    pub(super) client: Client,
    driver: Driver<Network>,
    woken: Arc<Flag>,
    waker: Waker,
    /// How the driver ended.
    pub(super) closed: Option<Closed>,
}

impl Hand {
    /// A driver that was not polled yet.
    ///
    /// # Panics
    /// If the builder says what can never work.
    pub(super) fn new(builder: Builder) -> Self {
        let network = Network::default();
        let (client, driver) = builder.connect_on(network.clone()).expect("it can be built");
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        Self { network, client, driver, woken, waker, closed: None }
    }

    /// Polls the driver for as long as it is woken.
    ///
    /// # Panics
    /// If that has no end.
    pub(super) fn settle(&mut self) {
        for _ in 0..MOST_POLLS {
            if self.closed.is_some() {
                return;
            }
            if self.woken.0.swap(false, Ordering::AcqRel) {
                let mut cx = Context::from_waker(&self.waker);
                if let Poll::Ready(closed) = Pin::new(&mut self.driver).poll(&mut cx) {
                    self.closed = Some(closed);
                }
                continue;
            }
            match self.network.timer() {
                Some(at) if at <= Instant::now() + SOON => {
                    std::thread::sleep(at.saturating_duration_since(Instant::now()));
                    self.network.fire();
                }
                _ => return,
            }
        }
        panic!("the driver does not come to rest: {:?}", self.client.status());
    }

    /// Everything that the client was told, until there is nothing more.
    pub(super) fn fetch(&mut self) -> Vec<Notice> {
        let mut notices = Vec::new();
        loop {
            let before = notices.len();
            notices.extend(std::iter::from_fn(|| self.client.try_recv()));
            self.settle();
            if notices.len() == before {
                return notices;
            }
        }
    }
}

/// The head of the request that `outbound` begins with, and how long that is; `None` if it is not
/// whole yet.
///
/// # Panics
/// If it is no request for a WebSocket (RFC 6455 §4.1).
pub(super) fn request(outbound: &[u8]) -> Option<(String, usize)> {
    let end = outbound.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(outbound[..end].to_vec()).expect("a request is ASCII");
    assert!(head.starts_with("GET /feed HTTP/1.1\r\nHost: 127.0.0.1:9\r\n"), "{head}");
    let key = header(&head, "Sec-WebSocket-Key").expect("there is a key");
    assert_eq!(key.len(), 24);
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    Some((accept, end))
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
