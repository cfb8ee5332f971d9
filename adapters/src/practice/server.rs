//! The handle of a running server.

use super::faults::{Faults, Refusal};
use super::listen::Listen;
use super::options::Options;
use super::reactor::{Reactor, Shared};
use super::records::{Handshake, Received, Stats};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tungstenite::{Bytes, Message};

/// A running practice server. Dropping it closes every socket and ends its thread.
///
/// Every order has been carried out when the call returns: a reset has been sent, a message has been
/// written as far as the socket takes it.
pub struct Server {
    addr: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Server {
    /// Binds and starts.
    ///
    /// # Errors
    /// What the system says against the address (in use, not allowed, not there), or against a
    /// further thread or poller.
    pub fn start(options: Options) -> io::Result<Self> {
        let listen = Listen::new(options.listen)?;
        let addr = listen.addr();
        #[cfg(feature = "tls")]
        let scheme = if options.tls.is_some() { "wss" } else { "ws" };
        #[cfg(not(feature = "tls"))]
        let scheme = "ws";
        let shared = Arc::new(Shared::new()?);
        let reactor = Reactor::new(shared.clone(), options, listen)?;
        let thread = std::thread::Builder::new()
            .name("practice-server".to_owned())
            .spawn(move || reactor.run())?;
        Ok(Self { addr, scheme, shared, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `ws://HOST:PORT` (`wss://` with TLS), without a trailing slash.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.addr)
    }

    // ----- what happened -----

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.shared.records.lock().stats.clone()
    }

    /// When each TCP connection was accepted, in order; the last 65 536.
    pub fn accepted_at(&self) -> Vec<Instant> {
        self.shared.records.lock().accepted_at.iter().copied().collect()
    }

    /// When each WebSocket was opened, in order; the last 65 536.
    pub fn upgraded_at(&self) -> Vec<Instant> {
        self.shared.records.lock().upgraded_at.iter().copied().collect()
    }

    /// The handshake requests and their answers, in order; the last 65 536.
    pub fn handshakes(&self) -> Vec<Handshake> {
        self.shared.records.lock().handshakes.iter().cloned().collect()
    }

    /// Every text message received, in order; empty unless [`Options::record`] is set. Text pings
    /// that the server answers itself are not among them.
    pub fn received(&self) -> Vec<Received> {
        self.shared.records.lock().received.clone()
    }

    /// Waits until the counters satisfy `done`, at most `timeout`. Whether they do.
    pub fn wait(&self, timeout: Duration, mut done: impl FnMut(&Stats) -> bool) -> bool {
        self.shared.records.wait(timeout, |notes| done(&notes.stats))
    }

    // ----- orders -----

    /// Runs an order on the server's thread and waits for it; `None` if the thread is gone.
    fn order<R: Send + 'static>(
        &self,
        order: impl FnOnce(&mut Reactor) -> R + Send + 'static,
    ) -> Option<R> {
        let (answer, answered) = mpsc::sync_channel(1);
        let command = Box::new(move |reactor: &mut Reactor| {
            let result = order(reactor);
            reactor.settle();
            // The owner waits; it cannot have gone.
            let _ = answer.send(result);
        });
        if !self.shared.order(command) {
            return None;
        }
        answered.recv().ok()
    }

    fn each(&self, order: impl Fn(&mut Reactor, u64) + Send + 'static) {
        self.order(move |reactor| {
            for number in reactor.numbers() {
                order(reactor, number);
            }
        });
    }

    /// Resets (RST) every connection, those in their handshake included.
    pub fn reset_all(&self) {
        self.each(Reactor::reset);
    }

    /// Ends every connection with FIN, without a close frame; what was still to be sent is lost.
    pub fn fin_all(&self) {
        self.each(Reactor::finish);
    }

    /// Sends a close frame on every open connection. Code 1005 sends one without a code; no code is
    /// refused, forbidden ones included.
    pub fn close_all(&self, code: u16, reason: &str) {
        let reason = reason.to_owned();
        self.each(move |reactor, number| {
            reactor.close(number, code, &reason);
        });
    }

    /// Makes every connection half-open, and every new one from its accept: it stays up, what comes
    /// in is read and thrown away, nothing is ever answered. Turning it off lets new connections
    /// work again; those that were frozen stay so, because what was thrown away cannot be answered.
    pub fn freeze(&self, on: bool) {
        self.order(move |reactor| {
            reactor.frozen = on;
            if on {
                for number in reactor.numbers() {
                    reactor.freeze(number);
                }
            }
        });
    }

    /// Makes the present connections half-open; new ones work.
    pub fn freeze_live(&self) {
        self.each(Reactor::freeze);
    }

    /// Stops reading from all sockets, so that clients find their send buffers full; turning it off
    /// goes on where it stopped. Connections are still accepted, their handshakes are not read.
    pub fn stop_reading(&self, on: bool) {
        self.order(move |reactor| {
            reactor.reading_stopped = on;
            reactor.touched.extend(reactor.numbers());
        });
    }

    /// Refuses handshakes from now on, or not any more. The other faults stay as they are.
    pub fn refuse(&self, refusal: Option<Refusal>) {
        self.order(move |reactor| {
            reactor.faults.refuse = refusal;
            reactor.faults_since = Instant::now();
            reactor.refusals = 0;
        });
    }

    /// Replaces all faults. The times that count from a connection's opening count from now for the
    /// live ones, as do [`Refusal::lasting`] and [`Refusal::times`].
    pub fn set_faults(&self, faults: Faults) {
        self.order(move |reactor| {
            reactor.faults = faults;
            reactor.faults_since = Instant::now();
            reactor.refusals = 0;
            for number in reactor.numbers() {
                reactor.arm_faults(number);
                reactor.touched.insert(number);
            }
        });
    }

    /// The faults in force.
    pub fn faults(&self) -> Faults {
        self.order(|reactor| reactor.faults.clone()).unwrap_or_default()
    }

    /// Closes the listener, so that connecting is refused by the system; live connections stay.
    pub fn pause_listening(&self) {
        self.order(Reactor::unwatch_listener);
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    /// What the system says against it; on Linux the port is kept meanwhile, elsewhere another
    /// program may have taken it.
    pub fn resume_listening(&self) -> io::Result<()> {
        let listening = |reactor: &mut Reactor| {
            if reactor.listen.socket().is_some() { Ok(()) } else { reactor.watch_listener() }
        };
        self.order(listening).unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))
    }

    /// Sends a text message on every open connection.
    pub fn send_all(&self, text: &str) {
        let message = Message::text(text);
        self.each(move |reactor, number| reactor.send(number, message.clone()));
    }

    /// Sends a binary message on every open connection.
    pub fn send_all_binary(&self, data: impl Into<Bytes>) {
        let message = Message::Binary(data.into());
        self.each(move |reactor, number| reactor.send(number, message.clone()));
    }

    /// Sends these bytes as they are on every open connection.
    pub fn send_all_raw(&self, bytes: &[u8]) {
        let bytes = bytes.to_vec();
        self.each(move |reactor, number| {
            if let Some(conn) = reactor.conns.get_mut(&number).filter(|conn| conn.can_send()) {
                conn.push(&bytes);
                reactor.touched.insert(number);
            }
        });
    }

    /// Numbers a message, keeps it, and sends `{"data":…,"id":n}` on every open connection: `data`
    /// is what the argument is as JSON, or a string of it. A client that connects later gets what
    /// came after the number in its [`Options::resume_param`], without one everything; the last
    /// 100 000 are kept. The number, from 1; 0 if the server is gone.
    pub fn publish(&self, data: &str) -> u64 {
        let data = data.to_owned();
        self.order(move |reactor| {
            let (id, text) = reactor.feed.publish(&data, &reactor.options.id_field);
            for number in reactor.numbers() {
                reactor.send(number, Message::text(text.as_str()));
            }
            id
        })
        .unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        let _ = self.shared.poller.notify();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
