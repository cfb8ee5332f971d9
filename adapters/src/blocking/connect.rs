//! TCP connects that never block, watched by the poller.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use polling::Poller;
use socket2::{Domain, Protocol, Socket, Type};

use super::polled::Polled;
use crate::engine::{Network, Socket as _};

/// Sockets that a poller watches.
#[derive(Debug)]
pub(super) struct Sockets {
    poller: Arc<Poller>,
    /// The last key given to a socket. Keys are never used twice, so that an event of a socket that
    /// is gone means nothing.
    last_key: usize,
}

impl Sockets {
    pub(super) fn new(poller: &Arc<Poller>) -> Self {
        Self { poller: Arc::clone(poller), last_key: 0 }
    }
}

/// A connect in progress.
#[derive(Debug)]
pub(super) struct Connecting(Option<Polled>);

impl Network for Sockets {
    type Socket = Polled;
    type Attempt = Connecting;

    fn connect(&mut self, address: SocketAddr) -> io::Result<Connecting> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // Frames are collected before they are written; there is nothing left for Nagle to collect.
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if is_in_progress(&error) => {}
            Err(error) => return Err(error),
        }
        self.last_key += 1;
        let mut polled = Polled::new(&self.poller, self.last_key, TcpStream::from(socket));
        polled.watch(false, true)?;
        Ok(Connecting(Some(polled)))
    }

    fn advance(&mut self, attempt: &mut Connecting) -> Option<io::Result<Polled>> {
        let polled = attempt.0.as_mut()?;
        polled.fired();
        match connected(polled.socket()) {
            Ok(true) => attempt.0.take().map(Ok),
            Ok(false) => polled.watch(false, true).err().map(Err),
            Err(error) => Some(Err(error)),
        }
    }
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
    use crate::engine::Race;
    use perennial_core::{DialError, DialFailure};
    use polling::Events;
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    fn run(addresses: Vec<SocketAddr>) -> Result<SocketAddr, DialFailure> {
        let poller = Arc::new(Poller::new().expect("a poller"));
        let mut sockets = Sockets::new(&poller);
        let mut race = Race::<Sockets>::new(addresses);
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(outcome) = race.advance(&mut sockets) {
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
