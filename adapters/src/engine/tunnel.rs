//! The way through a proxy: what is said to it before the target can be spoken to.
//!
//! Not a byte more is read than belongs to the proxy's answer: what comes behind is the target's.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use perennial_core::{DialError, DialFailure};
use tokio_socks::Error as SocksError;
use tokio_socks::TargetAddr;
use tokio_socks::io::AsyncSocket;
use tokio_socks::tcp::Socks5Stream;
use tungstenite::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::network::Socket;
use crate::handshake::retry_after;
use crate::proxy::{Credentials, Kind, Proxy};

/// The longest head of an HTTP answer, in bytes: it is read byte by byte.
const LONGEST: usize = 16 << 10;
/// How many headers such an answer may have.
const MOST_HEADERS: usize = 100;
/// Up to here every byte is looked at when it comes, so that what is no HTTP is found out without
/// waiting for the end of a line.
const EAGER: usize = 16;

/// Where a proxy is to lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A name that the proxy resolves, and a port.
    Name(String, u16),
    /// An address.
    Address(SocketAddr),
}

/// A way through a proxy.
#[derive(Clone, Debug)]
pub(crate) struct Tunnel {
    pub(crate) proxy: Proxy,
    pub(crate) to: Destination,
}

/// A tunnel in the making. Dropping it ends it.
pub(crate) struct Digging<S>(Pin<Box<dyn Future<Output = Result<S, DialFailure>> + Send>>);

impl Tunnel {
    /// Begins on a socket that is connected to the proxy.
    pub(crate) fn dig<S: Socket + Send + 'static>(self, socket: S) -> Digging<S> {
        let socket = Patient { socket, unflushed: false };
        Digging(Box::pin(async move {
            match self.proxy.kind() {
                Kind::Http => self.connect(socket).await,
                Kind::Socks5 | Kind::Socks5h => self.socks(socket).await,
            }
        }))
    }

    /// Has a failure on the way to the proxy say so.
    pub(crate) fn names(&self, mut failure: DialFailure) -> DialFailure {
        failure.detail = format!("the proxy {}: {}", self.proxy.name(), failure.detail).into();
        failure
    }

    async fn socks<S: Socket + Send>(&self, socket: Patient<S>) -> Result<S, DialFailure> {
        let target = match &self.to {
            Destination::Name(name, port) => TargetAddr::Domain(name.into(), *port),
            Destination::Address(address) => TargetAddr::Ip(*address),
        };
        let dug = match self.proxy.credentials() {
            None => Socks5Stream::connect_with_socket(socket, target).await,
            Some(Credentials { user, password }) => {
                Socks5Stream::connect_with_password_and_socket(socket, target, user, password).await
            }
        };
        dug.map(|stream| stream.into_inner().socket).map_err(|error| self.socks_failure(&error))
    }

    fn socks_failure(&self, error: &SocksError) -> DialFailure {
        let why = match error {
            SocksError::NoAcceptableAuthMethods
            | SocksError::AuthorizationRequired
            | SocksError::PasswordAuthFailure(_) => return self.wants_credentials(None),
            SocksError::Io(error) => return self.io_failure(error),
            SocksError::GeneralSocksServerFailure => "failed, it does not say why",
            SocksError::ConnectionNotAllowedByRuleset => "does not allow it",
            SocksError::NetworkUnreachable => "cannot reach the target's network",
            SocksError::HostUnreachable => "cannot reach the target",
            SocksError::ConnectionRefused => "was refused by the target",
            SocksError::TtlExpired => "did not reach the target in time",
            SocksError::CommandNotSupported => "does not support to connect",
            SocksError::AddressTypeNotSupported => "does not support such an address",
            _ => "does not answer as SOCKS5 wants it",
        };
        self.failure(why)
    }

    async fn connect<S: Socket + Send>(&self, mut socket: Patient<S>) -> Result<S, DialFailure> {
        let failed = |error: io::Error| self.io_failure(&error);
        socket.write_all(self.connect_request().as_bytes()).await.map_err(failed)?;
        let mut head = Vec::with_capacity(256);
        for _ in 0..LONGEST {
            let byte = socket.read_byte().await.map_err(failed)?;
            head.push(byte);
            if byte != b'\n' && head.len() > EAGER {
                continue;
            }
            let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
            let mut answer = httparse::Response::new(&mut headers);
            match answer.parse(&head) {
                Err(_) => return Err(self.failure("does not answer in HTTP/1")),
                Ok(httparse::Status::Partial) => {}
                Ok(httparse::Status::Complete(_)) => match answer.code.unwrap_or_default() {
                    // Whatever the headers say, no body follows (RFC 9110 §9.3.6).
                    200..=299 => return Ok(socket.socket),
                    // The final answer is still to come (RFC 9110 §15.2).
                    100 | 102..=199 => head.clear(),
                    status => return Err(self.refusal(status, answer.headers)),
                },
            }
        }
        Err(self.failure("answers with too long a head"))
    }

    fn connect_request(&self) -> String {
        let authority = match &self.to {
            Destination::Name(name, port) => format!("{name}:{port}"),
            Destination::Address(address) => address.to_string(),
        };
        let authorization = self.proxy.basic().map_or_else(String::new, |basic| {
            // Nobody but the proxy gets to see it.
            format!("Proxy-Authorization: {basic}\r\n")
        });
        format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{authorization}\r\n")
    }

    fn refusal(&self, status: u16, headers: &[httparse::Header<'_>]) -> DialFailure {
        // Instead of 407 some say 401 to credentials that are wrong, as if they were the target's.
        if matches!(status, 401 | 407) {
            return self.wants_credentials(Some(status));
        }
        let code = StatusCode::from_u16(status).ok();
        let phrase = code.and_then(|code| code.canonical_reason()).unwrap_or("refused");
        let mut failure = self.failure(&format!("answers: {phrase}"));
        failure.status = Some(status);
        failure.retry_after = retry_after(&map(headers), SystemTime::now());
        failure
    }

    fn wants_credentials(&self, status: Option<u16>) -> DialFailure {
        let name = self.proxy.name();
        let detail = match self.proxy.credentials() {
            Some(_) => format!("{name} does not accept the user and the password in its URL"),
            None => format!("{name}: put a user and a password into its URL"),
        };
        DialFailure { status, ..DialFailure::new(DialError::ProxyAuth, detail) }
    }

    fn io_failure(&self, error: &io::Error) -> DialFailure {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.failure("hung up before its answer was complete"),
            io::ErrorKind::ConnectionReset => self.failure("reset the connection"),
            _ => self.failure(&format!("is lost: {error}")),
        }
    }

    fn failure(&self, why: &str) -> DialFailure {
        DialFailure::new(DialError::Proxy, format!("{} {why}", self.proxy.name()))
    }
}

impl Destination {
    /// The target, by its name: an address stays one.
    pub(crate) fn named(host: &url::Host<&str>, port: u16) -> Self {
        match host {
            url::Host::Domain(name) => Self::Name((*name).to_owned(), port),
            url::Host::Ipv4(ip) => Self::Address((IpAddr::V4(*ip), port).into()),
            url::Host::Ipv6(ip) => Self::Address((IpAddr::V6(*ip), port).into()),
        }
    }
}

impl<S> Digging<S> {
    /// Goes as far as it can without waiting.
    pub(crate) fn advance(&mut self) -> Option<Result<S, DialFailure>> {
        // The socket itself tells the driver when there is more to do.
        let mut context = Context::from_waker(Waker::noop());
        match self.0.as_mut().poll(&mut context) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }
}

fn map(headers: &[httparse::Header<'_>]) -> HeaderMap {
    let header = |header: &httparse::Header<'_>| {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(header.value).ok()?))
    };
    headers.iter().filter_map(header).collect()
}

/// A socket that is asked again when it is ready.
struct Patient<S> {
    socket: S,
    /// Whether something that was written may be held back.
    unflushed: bool,
}

impl<S: Socket + Send> Patient<S> {
    async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = poll_fn(|cx| Pin::new(&mut *self).poll_write(cx, bytes)).await?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    async fn read_byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        match poll_fn(|cx| Pin::new(&mut *self).poll_read(cx, &mut byte)).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(byte[0]),
        }
    }
}

impl<S: Socket> Patient<S> {
    fn flush(&mut self) -> io::Result<()> {
        match self.socket.flush() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.unflushed = true,
            outcome => {
                self.unflushed = false;
                outcome?;
            }
        }
        Ok(())
    }
}

/// Whether it has to wait: the driver looks again when the socket is ready.
fn patiently(outcome: io::Result<usize>) -> Poll<io::Result<usize>> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        outcome => Poll::Ready(outcome),
    }
}

impl<S> Unpin for Patient<S> {}

impl<S: Socket> AsyncSocket for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.unflushed {
            self.flush()?;
        }
        patiently(self.socket.read(buffer))
    }

    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = self.socket.write(bytes);
        if outcome.is_ok() {
            self.flush()?;
        }
        patiently(outcome)
    }
}
