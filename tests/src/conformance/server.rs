//! The server that a script plays: it listens, and accepts when the script says so.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use super::LONG;
use super::peer::Peer;

/// How long it is watched that nobody calls. A caller who should not is seldom later; where one is,
/// the check fails to see it, and never the other way round.
const WHILE: Duration = Duration::from_millis(30);

/// A listener on loopback.
#[derive(Debug)]
pub(super) struct Server {
    listener: TcpListener,
    /// Connections that fill the queue of those not accepted.
    fillers: Vec<Socket>,
}

impl Server {
    pub(super) fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("a port"))
    }

    /// At an address where another server was.
    pub(super) fn at(address: SocketAddr) -> Self {
        Self::on(TcpListener::bind(address).expect("the port is free again"))
    }

    fn on(listener: TcpListener) -> Self {
        listener.set_nonblocking(true).expect("a listener that does not block");
        Self { listener, fillers: Vec::new() }
    }

    /// One whose sockets hold little, in either direction.
    pub(super) fn with_small_buffers() -> Self {
        let server = Self::start();
        let socket = socket2::SockRef::from(&server.listener);
        socket.set_recv_buffer_size(16 << 10).expect("a buffer size");
        socket.set_send_buffer_size(64 << 10).expect("a buffer size");
        server
    }

    /// One whose queue is full, so that connecting to it takes for ever. `None` where the system
    /// refuses callers then.
    pub(super) fn full() -> Option<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SockAddr::from(SocketAddr::from(([127, 0, 0, 1], 0)));
        socket.bind(&any).expect("a port");
        socket.listen(0).expect("a listener");
        let mut server = Self::on(socket.into());
        let address = SockAddr::from(server.address());
        for _ in 0..8 {
            let filler = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            match filler.connect_timeout(&address, Duration::from_millis(100)) {
                Ok(()) => server.fillers.push(filler),
                Err(error) if error.kind() == ErrorKind::TimedOut => return Some(server),
                Err(_) => return None,
            }
        }
        None
    }

    /// Empties the queue, if it was filled.
    pub(super) fn relieve(&mut self) {
        for _ in 0..self.fillers.len() {
            self.accept();
        }
        self.fillers.clear();
    }

    /// An address where nobody listens.
    pub(super) fn nowhere() -> SocketAddr {
        Self::start().address()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("it is bound")
    }

    pub(super) fn url(&self) -> String {
        format!("ws://{}/", self.address())
    }

    /// The next connection.
    pub(super) fn accept(&self) -> Peer {
        self.accept_within(LONG).expect("nobody called in time")
    }

    /// The next connection, upgraded.
    pub(super) fn open(&self) -> Peer {
        let mut peer = self.accept();
        peer.upgrade();
        peer
    }

    fn accept_within(&self, limit: Duration) -> Option<Peer> {
        let end = Instant::now() + limit;
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => return Some(Peer::new(prepared(stream))),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The caller has gone again.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => panic!("cannot accept: {error}"),
            }
            if Instant::now() >= end {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Nobody calls, save one who hangs up of himself: a connection was under way.
    pub(super) fn is_left_in_the_end(&self) {
        if let Some(mut peer) = self.accept_within(WHILE) {
            peer.ends_somehow();
        }
        self.is_left_alone();
    }

    /// Nobody calls.
    pub(super) fn is_left_alone(&self) {
        assert!(self.accept_within(WHILE).is_none(), "somebody called who should not");
    }
}

fn prepared(stream: TcpStream) -> TcpStream {
    stream.set_nonblocking(false).expect("a stream that blocks");
    stream.set_nodelay(true).expect("no delay");
    stream.set_read_timeout(Some(LONG)).expect("a timeout");
    stream.set_write_timeout(Some(LONG)).expect("a timeout");
    stream
}
