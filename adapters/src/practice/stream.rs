//! The bytes below a connection: a socket, plain or under TLS, and the in-memory pipe through which
//! the WebSocket codec is fed.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A non-blocking socket.
#[derive(Debug)]
pub(super) struct Stream {
    tcp: TcpStream,
    #[cfg(feature = "tls")]
    tls: Option<Box<rustls::ServerConnection>>,
}

impl Stream {
    pub(super) fn plain(tcp: TcpStream) -> io::Result<Self> {
        tcp.set_nonblocking(true)?;
        // Pieces are to go out as they are written, the one-byte ones too.
        tcp.set_nodelay(true)?;
        Ok(Self {
            tcp,
            #[cfg(feature = "tls")]
            tls: None,
        })
    }

    #[cfg(feature = "tls")]
    pub(super) fn tls(
        tcp: TcpStream,
        config: std::sync::Arc<rustls::ServerConfig>,
    ) -> io::Result<Self> {
        let mut stream = Self::plain(tcp)?;
        let mut tls = rustls::ServerConnection::new(config).map_err(io::Error::other)?;
        // Back-pressure belongs to the connection's own bounded queue.
        tls.set_buffer_limit(Some(256 * 1024));
        stream.tls = Some(Box::new(tls));
        Ok(stream)
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Whether bytes wait below the connection's own queue, so that writability matters.
    pub(super) fn wants_write(&self) -> bool {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.wants_write();
        }
        false
    }

    /// Pushes on what [`wants_write`](Self::wants_write) told of.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.tcp)?;
            }
        }
        Ok(())
    }

    /// Makes the next close send RST in place of FIN.
    pub(super) fn reset_on_close(&self) -> io::Result<()> {
        socket2::SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO))
    }

    /// Queues the `close_notify` of TLS.
    pub(super) fn goodbye(&mut self) {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
    }

    /// Sends FIN (under TLS without `close_notify`: a cut, not a goodbye).
    pub(super) fn finish(&self) -> io::Result<()> {
        self.tcp.shutdown(Shutdown::Write)
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            loop {
                match tls.reader().read(buf) {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                    done => return done,
                }
                if tls.read_tls(&mut self.tcp)? == 0 {
                    return Ok(0);
                }
                let processed = tls.process_new_packets();
                // Handshake records and alerts are due at once, also when the peer is at fault.
                while tls.wants_write() {
                    match tls.write_tls(&mut self.tcp) {
                        Ok(_) => {}
                        Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                        Err(e) => return Err(e),
                    }
                }
                processed.map_err(io::Error::other)?;
            }
        }
        self.tcp.read(buf)
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.tcp)?;
            }
            if tls.is_handshaking() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let taken = tls.writer().write(buf)?;
            while tls.wants_write() {
                match tls.write_tls(&mut self.tcp) {
                    Ok(_) => {}
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(e) => return Err(e),
                }
            }
            return Ok(taken);
        }
        self.tcp.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Stream::flush(self)
    }
}

/// What the codec takes for its socket: it reads what was fed and writes into a queue.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    input: Vec<u8>,
    taken: usize,
    pub(super) output: Vec<u8>,
}

impl Pipe {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.taken == self.input.len() {
            self.input.clear();
            self.taken = 0;
        }
        self.input.extend_from_slice(bytes);
    }
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = &self.input[self.taken..];
        if rest.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.taken += n;
        Ok(n)
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pipe_blocks_when_empty_and_keeps_order() {
        let mut pipe = Pipe::default();
        let mut buf = [0; 4];
        assert_eq!(pipe.read(&mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        pipe.feed(b"abcdef");
        assert_eq!(pipe.read(&mut buf).unwrap(), 4);
        pipe.feed(b"gh");
        assert_eq!(pipe.read(&mut buf).unwrap(), 4);
        assert_eq!(&buf, b"efgh");
        assert!(pipe.read(&mut buf).is_err());
        pipe.write_all(b"xy").unwrap();
        assert_eq!(pipe.output, b"xy");
    }
}
