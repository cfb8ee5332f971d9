//! A server for the tests: a listener, and a thread with a script per connection.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

#[cfg(feature = "tls")]
pub mod authority;
#[cfg(feature = "proxy")]
pub mod proxy;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use perennial::blocking::Client;
use perennial::core::ConfigBuilder;
use perennial::{Backoff, Closed, Config, Jitter, Message, Notice, Snapshot, State, View};
use tungstenite::WebSocket;

/// No wait of a test is longer.
pub const LONG: Duration = Duration::from_secs(20);

/// Runs `script` for every connection, with its number from 0.
pub struct Server {
    pub address: SocketAddr,
    pub accepted: Arc<AtomicUsize>,
}

impl Server {
    pub fn start(script: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    pub fn on(
        listener: TcpListener,
        script: impl Fn(usize, TcpStream) + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let script = Arc::new(script);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let number = count.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&script);
                thread::spawn(move || script(number, stream));
            }
        });
        Self { address, accepted }
    }

    /// A server that returns every message.
    pub fn echo() -> Self {
        Self::start(|_, stream| echo(accept(stream)))
    }

    pub fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// A server that hangs up on its first client after the first message, and returns every message to
/// the others.
pub fn two_lives() -> Server {
    Server::start(|number, stream| {
        let mut socket = accept(stream);
        if number == 0 {
            let _ = socket.read();
        } else {
            echo(socket);
        }
    })
}

/// The server's side of the handshake.
pub fn accept<S: Read + Write>(stream: S) -> WebSocket<S> {
    match tungstenite::accept(stream) {
        Ok(socket) => socket,
        Err(_) => panic!("no handshake"),
    }
}

/// Returns every message until the end.
pub fn echo<S: Read + Write>(mut socket: WebSocket<S>) {
    while let Ok(message) = socket.read() {
        if message.is_text() || message.is_binary() {
            socket.send(message).unwrap();
        }
    }
}

/// Reads until the end, and returns everything.
pub fn drain(stream: &mut impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    all
}

/// Reads a request up to its empty line.
pub fn read_request(stream: &mut impl Read) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        request.push(byte[0]);
    }
    String::from_utf8(request).unwrap()
}

/// The answer to `request`, with more lines in it.
pub fn answer(request: &str, more: &str) -> String {
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
}

/// A config that comes back quickly.
pub fn quick() -> ConfigBuilder {
    let mut builder = Config::builder();
    builder.retry.backoff = Backoff::Constant { base: Duration::from_millis(10) };
    builder.retry.jitter = Jitter::None;
    builder
}

/// A client with `config`.
pub fn connect(url: &str, config: ConfigBuilder) -> Client {
    let builder = Client::builder(url).config(config.build().unwrap());
    // Whatever the environment says: the servers are on this machine.
    #[cfg(feature = "proxy")]
    let builder = builder.no_proxy();
    builder.connect().unwrap()
}

/// The first notice that `pick` wants; others are passed over.
pub fn find<T>(client: &mut Client, mut pick: impl FnMut(&Notice) -> Option<T>) -> T {
    let end = Instant::now() + LONG;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let notice = client.recv_timeout(left).expect("in time").expect("before the end");
        if let Some(found) = pick(&notice) {
            return found;
        }
    }
}

/// The next message's text.
pub fn text(client: &mut Client) -> String {
    find(client, |notice| match notice {
        Notice::Message(Message { payload, .. }) => Some(payload.as_text().unwrap().to_owned()),
        _ => None,
    })
}

/// Waits for a state.
pub fn until(client: &mut Client, wanted: State) {
    find(client, |notice| match notice {
        Notice::StateChanged { to, .. } if *to == wanted => Some(()),
        _ => None,
    });
}

/// Waits for the end.
pub fn closed(client: &mut Client) -> Closed {
    find(client, |notice| match notice {
        Notice::Closed(closed) => Some(closed.clone()),
        _ => None,
    })
}

/// Waits until a view shows something.
pub fn seen(view: &mut View, mut is_it: impl FnMut(&Snapshot) -> bool) -> Snapshot {
    let end = Instant::now() + LONG;
    let mut snapshot = view.snapshot();
    while !is_it(&snapshot) {
        let left = end.saturating_duration_since(Instant::now());
        snapshot = view.wait_changed(left).expect("in time").expect("before the end");
    }
    snapshot
}

/// The reason of the next failed dial.
pub fn failure(client: &mut Client) -> String {
    find(client, |notice| match notice {
        Notice::Retrying { reason, .. } => Some(reason.to_string()),
        Notice::Closed(closed) => Some(closed.reason.to_string()),
        _ => None,
    })
}

/// A slot that another thread fills.
pub struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Slot<T> {
    pub fn empty() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    pub fn put(&self, value: T) {
        *self.0.lock().unwrap() = Some(value);
    }

    /// Waits until it is filled.
    pub fn take(&self) -> T {
        let end = Instant::now() + LONG;
        loop {
            if let Some(value) = self.0.lock().unwrap().take() {
                return value;
            }
            assert!(Instant::now() < end, "filled in time");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Closes with a reset rather than in an orderly way.
pub fn reset(stream: &TcpStream) {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Waits until `condition` holds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}
