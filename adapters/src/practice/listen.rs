//! The listening socket, which can be closed and opened again on the same port.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// A port that stays this server's own while nothing listens on it.
#[derive(Debug)]
pub(super) struct Listen {
    addr: SocketAddr,
    listener: Option<TcpListener>,
    /// Bound to the same port and never listening. While the listener is closed, it keeps the
    /// system from handing the port to an outgoing connection: one that dials the closed port could
    /// get it as its own and reach itself. Only Linux lets two sockets share a port in this way.
    #[cfg(target_os = "linux")]
    _reservation: Socket,
}

fn bound(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows the option would let a stranger take the port over; there it is not needed.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn address(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

fn listening(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(addr)?;
    socket.listen(1_024)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

impl Listen {
    /// Binds and listens; port 0 is replaced by a free one.
    pub(super) fn new(addr: SocketAddr) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        {
            let reservation = bound(addr)?;
            let addr = address(&reservation)?;
            let listener = Some(listening(addr)?);
            Ok(Self { addr, listener, _reservation: reservation })
        }
        #[cfg(not(target_os = "linux"))]
        {
            let listener = listening(addr)?;
            let addr = listener.local_addr()?;
            Ok(Self { addr, listener: Some(listener) })
        }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(super) fn socket(&self) -> Option<&TcpListener> {
        self.listener.as_ref()
    }

    /// Listens again; nothing happens if it does already.
    pub(super) fn open(&mut self) -> io::Result<()> {
        if self.listener.is_none() {
            self.listener = Some(listening(self.addr)?);
        }
        Ok(())
    }

    pub(super) fn close(&mut self) {
        self.listener = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn closes_and_opens_on_the_same_port() {
        let mut listen = Listen::new("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listen.addr();
        for _ in 0..3 {
            drop(TcpStream::connect(addr).unwrap());
            listen.close();
            let refused = TcpStream::connect(addr).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            listen.open().unwrap();
        }
    }

    #[test]
    fn a_port_in_use_is_an_error() {
        let listen = Listen::new("127.0.0.1:0".parse().unwrap()).unwrap();
        let taken = Listen::new(listen.addr()).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    }
}
