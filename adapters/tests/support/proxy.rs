//! Proxies for the tests: each speaks CONNECT or SOCKS5, and writes down what it was asked for.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::{Server, read_request};

/// A proxy.
pub struct ProxyServer {
    server: Server,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What a proxy does with a connection after it has understood what is asked for.
type Script = dyn Fn(usize, &mut TcpStream) -> Option<SocketAddr> + Send + Sync;

impl ProxyServer {
    /// Leads to `target`, whatever target it is asked for.
    pub fn http(target: SocketAddr) -> Self {
        Self::http_with(move |_, stream| {
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            Some(target)
        })
    }

    /// Answers a CONNECT with these bytes, and leads nowhere.
    pub fn http_answer(bytes: &'static [u8]) -> Self {
        Self::http_with(move |_, stream| {
            stream.write_all(bytes).unwrap();
            None
        })
    }

    /// Does with a CONNECT what `script` says.
    pub fn http_with(
        script: impl Fn(usize, &mut TcpStream) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        Self::start(|stream| Some(read_request(stream)), Box::new(script))
    }

    /// Speaks SOCKS5 and leads to `target`; wants these credentials, if any.
    pub fn socks(target: SocketAddr, credentials: Option<(&'static str, &'static str)>) -> Self {
        let reply = [5, 0, 0, 1, 127, 0, 0, 1, 0, 9];
        Self::socks_with(credentials, move |_, stream| {
            stream.write_all(&reply).unwrap();
            Some(target)
        })
    }

    /// Does with a request of SOCKS5 what `script` says.
    pub fn socks_with(
        credentials: Option<(&'static str, &'static str)>,
        script: impl Fn(usize, &mut TcpStream) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |stream| socks_request(stream, credentials), Box::new(script))
    }

    fn start(
        read: impl Fn(&mut TcpStream) -> Option<String> + Send + Sync + 'static,
        script: Box<Script>,
    ) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let server = Server::start(move |number, mut stream| {
            stream.set_nodelay(true).unwrap();
            let Some(request) = read(&mut stream) else { return };
            log.lock().unwrap().push(request);
            match script(number, &mut stream) {
                Some(target) => lead(stream, target),
                None => drop(super::drain(&mut stream)),
            }
        });
        Self { server, asked }
    }

    /// Its URL: `http://127.0.0.1:…` with `http`, or with `http://user:password@` before it.
    pub fn url(&self, begin: &str) -> String {
        let separator = if begin.contains("://") { "" } else { "://" };
        format!("{begin}{separator}{}", self.address())
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// What it was asked for: a CONNECT's head, or a SOCKS request in words.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Writes byte by byte.
pub fn dribble(stream: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes {
        stream.write_all(&[*byte]).unwrap();
        // Long enough that most bytes are read alone; nothing depends on it.
        thread::sleep(Duration::from_millis(1));
    }
}

/// Passes bytes on, both ways, until one side ends.
fn lead(client: TcpStream, target: SocketAddr) {
    let target = TcpStream::connect(target).unwrap();
    let (client_too, target_too) = (client.try_clone().unwrap(), target.try_clone().unwrap());
    thread::spawn(move || pass(client_too, target_too));
    pass(target, client);
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// Reads a request of SOCKS5 (RFC 1928, RFC 1929), as `user:password name target.test:80`.
fn socks_request(
    stream: &mut TcpStream,
    credentials: Option<(&'static str, &'static str)>,
) -> Option<String> {
    let [version, count] = take(stream)?;
    assert_eq!(version, 5);
    let mut methods = vec![0; count.into()];
    stream.read_exact(&mut methods).ok()?;
    let method = if credentials.is_some() { 2 } else { 0 };
    if !methods.contains(&method) {
        stream.write_all(&[5, 0xff]).unwrap();
        return None;
    }
    stream.write_all(&[5, method]).unwrap();
    let mut said = String::new();
    if let Some((user, password)) = credentials {
        let [version] = take(stream)?;
        assert_eq!(version, 1);
        said = format!("{}:{} ", text(stream)?, text(stream)?);
        let fits = said == format!("{user}:{password} ");
        stream.write_all(&[1, u8::from(!fits)]).unwrap();
        if !fits {
            return None;
        }
    }
    let [5, 1, 0, kind] = take(stream)? else { panic!("no CONNECT") };
    let host = match kind {
        1 => format!("address {}", std::net::Ipv4Addr::from(take::<4>(stream)?)),
        3 => format!("name {}", text(stream)?),
        4 => format!("address {}", Ipv6Addr::from(take::<16>(stream)?)),
        other => panic!("address type {other}"),
    };
    Some(format!("{said}{host} {}", u16::from_be_bytes(take(stream)?)))
}

fn take<const N: usize>(stream: &mut TcpStream) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn text(stream: &mut TcpStream) -> Option<String> {
    let [len] = take(stream)?;
    let mut bytes = vec![0; len.into()];
    stream.read_exact(&mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}
