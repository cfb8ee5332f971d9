//! Happy eyeballs: several addresses of one host raced, the first to connect wins (RFC 8305).

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use perennial_core::{DialError, DialFailure};
use polling::Poller;
use socket2::{Domain, Protocol, Socket, Type};

use super::polled::Polled;

/// How long one address has before the next is tried beside it (RFC 8305 §8).
const HEAD_START: Duration = Duration::from_millis(250);
/// How many failures are told to people.
const MOST_TOLD: usize = 4;

/// TCP connects in progress.
#[derive(Debug)]
pub(super) struct Race {
    waiting: VecDeque<SocketAddr>,
    running: Vec<(SocketAddr, Polled)>,
    next_start: Option<Instant>,
    failures: Vec<String>,
}

impl Race {
    pub(super) fn new(addresses: Vec<SocketAddr>) -> Self {
        Self {
            waiting: addresses.into(),
            running: Vec::new(),
            next_start: None,
            failures: Vec::new(),
        }
    }

    /// When the next address is to be tried, whatever becomes of the others.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next_start.filter(|_| !self.waiting.is_empty())
    }

    /// Looks at the connects in progress and starts those that are due. `mint` gives keys for the
    /// poller.
    pub(super) fn advance(
        &mut self,
        poller: &Arc<Poller>,
        mint: &mut dyn FnMut() -> usize,
    ) -> Option<Result<Polled, DialFailure>> {
        for (address, mut polled) in std::mem::take(&mut self.running) {
            polled.fired();
            match connected(polled.socket()) {
                Ok(true) => return Some(Ok(polled)),
                Ok(false) => match polled.watch(false, true) {
                    Ok(()) => self.running.push((address, polled)),
                    Err(error) => self.note(address, &error),
                },
                Err(error) => {
                    self.note(address, &error);
                    // The next one need not wait any longer.
                    self.next_start = None;
                }
            }
        }
        let now = Instant::now();
        while self.running.is_empty() || self.next_start.is_none_or(|start| start <= now) {
            let Some(address) = self.waiting.pop_front() else { break };
            self.next_start = now.checked_add(HEAD_START);
            match start(address, poller, mint()) {
                Ok(polled) => self.running.push((address, polled)),
                Err(error) => {
                    self.note(address, &error);
                    self.next_start = None;
                }
            }
        }
        self.running.is_empty().then(|| {
            Err(DialFailure::new(DialError::Connect, std::mem::take(&mut self.failures).join("; ")))
        })
    }

    fn note(&mut self, address: SocketAddr, error: &io::Error) {
        if self.failures.len() < MOST_TOLD {
            self.failures.push(format!("{address}: {error}"));
        }
    }
}

fn start(address: SocketAddr, poller: &Arc<Poller>, key: usize) -> io::Result<Polled> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Frames are collected before they are written; there is nothing left for Nagle to collect.
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if is_in_progress(&error) => {}
        Err(error) => return Err(error),
    }
    let mut polled = Polled::new(poller, key, TcpStream::from(socket));
    polled.watch(false, true)?;
    Ok(polled)
}

fn is_in_progress(error: &io::Error) -> bool {
    // Windows says that it would block, the others that it is in progress.
    error.kind() == io::ErrorKind::WouldBlock || {
        #[cfg(unix)]
        let in_progress =
            error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error());
        #[cfg(not(unix))]
        let in_progress = false;
        in_progress
    }
}

/// Whether a connect has succeeded; `false` while it is in progress.
fn connected(socket: &TcpStream) -> io::Result<bool> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polling::Events;
    use std::net::TcpListener;

    fn run(addresses: Vec<SocketAddr>) -> Result<SocketAddr, DialFailure> {
        let poller = Arc::new(Poller::new().expect("a poller"));
        let mut race = Race::new(addresses);
        let mut key = 0;
        let mut mint = || {
            key += 1;
            key
        };
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(outcome) = race.advance(&poller, &mut mint) {
                return outcome.map(|polled| polled.socket().peer_addr().expect("connected"));
            }
            assert!(Instant::now() < end, "the race ends");
            let until = race.deadline().unwrap_or(end).min(end);
            let mut events = Events::new();
            poller.wait_deadline(&mut events, until).expect("a wait");
        }
    }

    /// An address on which nobody listens.
    fn closed() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        listener.local_addr().expect("an address")
    }

    #[test]
    fn the_address_that_answers_wins() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let open = listener.local_addr().expect("an address");
        assert_eq!(run(vec![open]), Ok(open));
        assert_eq!(run(vec![closed(), closed(), open]), Ok(open));
    }

    #[test]
    fn a_silent_address_does_not_hold_up_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let open = listener.local_addr().expect("an address");
        let silent = full_listener();
        assert_eq!(run(vec![silent.1, open]), Ok(open));
    }

    /// A listener whose queue is full, so that further connects get no answer on Linux.
    fn full_listener() -> (Vec<TcpStream>, SocketAddr, Socket) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        socket.bind(&any.into()).expect("bound");
        socket.listen(0).expect("listening");
        let address = socket.local_addr().ok().and_then(|a| a.as_socket()).expect("an address");
        let mut fillers = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            fillers.push(stream);
            assert!(fillers.len() < 100, "the queue fills up");
        }
        (fillers, address, socket)
    }

    #[test]
    fn every_failure_is_told() {
        let (one, other) = (closed(), closed());
        let failure = run(vec![one, other]).expect_err("nobody listens");
        assert_eq!(failure.kind, DialError::Connect);
        assert!(failure.detail.contains(&one.to_string()), "{failure}");
        assert!(failure.detail.contains(&other.to_string()), "{failure}");
    }
}
