//! TCP connects that never block, watched by the poller.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpStream;
use mio::{Registry, Token};

use super::watched::Watched;
use crate::engine::Network;

/// Sockets that a poller watches.
#[derive(Debug)]
pub(super) struct Sockets {
    registry: Arc<Registry>,
    /// The last token given to a socket. Tokens are never used twice, so that an event of a socket
    /// that is gone means nothing.
    last_token: usize,
}

impl Sockets {
    /// Sockets with tokens greater than `reserved`.
    pub(super) fn new(registry: Registry, reserved: Token) -> Self {
        Self { registry: Arc::new(registry), last_token: reserved.0 }
    }
}

/// A connect in progress.
#[derive(Debug)]
pub(super) struct Connecting(Option<Watched>);

impl Network for Sockets {
    type Socket = Watched;
    type Attempt = Connecting;

    fn connect(&mut self, address: SocketAddr) -> io::Result<Connecting> {
        let socket = TcpStream::connect(address)?;
        self.last_token += 1;
        let watched = Watched::new(&self.registry, Token(self.last_token), socket)?;
        Ok(Connecting(Some(watched)))
    }

    fn advance(&mut self, attempt: &mut Connecting) -> Option<io::Result<Watched>> {
        let socket = attempt.0.as_ref()?.socket();
        match connected(socket) {
            // Frames are collected before they are written; there is nothing left for Nagle to
            // collect. Not every system takes this before the socket is connected.
            Ok(true) => match socket.set_nodelay(true) {
                Ok(()) => attempt.0.take().map(Ok),
                Err(error) => Some(Err(error)),
            },
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
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
    use mio::{Events, Poll};
    use perennial_core::{DialError, DialFailure};
    use socket2::{Domain, Socket, Type};
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    fn run(addresses: Vec<SocketAddr>) -> Result<SocketAddr, DialFailure> {
        let mut poll = Poll::new().expect("a poller");
        let registry = poll.registry().try_clone().expect("a registry");
        let mut sockets = Sockets::new(registry, Token(0));
        let mut race = Race::<Sockets>::new(addresses);
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(outcome) = race.advance(&mut sockets) {
                return outcome.map(|watched| watched.socket().peer_addr().expect("connected"));
            }
            assert!(Instant::now() < end, "the race ends");
            let until = race.deadline().unwrap_or(end).min(end);
            let left = until.saturating_duration_since(Instant::now());
            poll.poll(&mut Events::with_capacity(8), Some(left)).expect("a wait");
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
