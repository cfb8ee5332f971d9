//! The opening handshake (RFC 6455 §4.1), never blocking.
//!
//! `tungstenite` has one too. But that logs the request, secrets included, takes neither
//! `Connection: keep-alive, Upgrade` nor an answer in small pieces, and lets an extension that
//! nobody asked for pass.

use std::io::{self, Read as _, Write as _};
use std::time::{Duration, SystemTime};

use mio::net::TcpStream;
use perennial_core::{DialError, DialFailure};
use tungstenite::WebSocket;
use tungstenite::handshake::client::{Response, generate_key};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse as _;
use tungstenite::http::HeaderMap;
use tungstenite::protocol::{Role, WebSocketConfig};

use super::target::Target;
use super::wire::Wire;

/// The longest head of an answer, in bytes.
const LONGEST: usize = 64 << 10;
/// Beyond so many bytes only the end of a line is worth parsing everything again.
const SHORT: usize = 1 << 10;

/// A handshake in progress.
#[derive(Debug)]
pub(super) struct Upgrade {
    wire: Wire,
    /// What is left of the request.
    request: Vec<u8>,
    /// The answer so far.
    answer: Vec<u8>,
    /// What `Sec-WebSocket-Accept` must say.
    accept: String,
}

/// How far a handshake has come.
pub(super) enum Progress {
    Waits(Upgrade),
    Open(WebSocket<Wire>),
}

impl Upgrade {
    pub(super) fn new(socket: TcpStream, target: &Target) -> Self {
        let key = generate_key();
        let accept = derive_accept_key(key.as_bytes());
        Self { wire: Wire::new(socket), request: target.request(&key), answer: Vec::new(), accept }
    }

    /// Goes as far as it can without waiting.
    pub(super) fn advance(
        mut self,
        target: &Target,
        limits: WebSocketConfig,
    ) -> Result<Progress, DialFailure> {
        while !self.request.is_empty() {
            match self.wire.write(&self.request) {
                Ok(count) => drop(self.request.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Progress::Waits(self));
                }
                Err(error) => return wrong(&error.to_string()),
            }
        }
        let mut piece = [0; 4096];
        loop {
            let piece = match self.wire.read(&mut piece) {
                Ok(0) => return wrong("the connection ended before the answer was complete"),
                Ok(count) => &piece[..count],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Progress::Waits(self));
                }
                Err(error) => return wrong(&error.to_string()),
            };
            self.answer.extend_from_slice(piece);
            if self.answer.len() <= SHORT || piece.contains(&b'\n') {
                let parsed = Response::try_parse(&self.answer);
                if let Some((len, answer)) = parsed.or_else(|error| wrong(&error.to_string()))? {
                    check(&answer, &self.accept, target)?;
                    // Frames may have come right behind the answer.
                    let tail = self.answer.split_off(len);
                    let (wire, role) = (self.wire, Role::Client);
                    let socket = WebSocket::from_partially_read(wire, tail, role, Some(limits));
                    return Ok(Progress::Open(socket));
                }
            }
            if self.answer.len() > LONGEST {
                return wrong("the answer's headers are too long");
            }
        }
    }
}

fn wrong<T>(detail: &str) -> Result<T, DialFailure> {
    Err(DialFailure::new(DialError::Handshake, detail))
}

fn check(answer: &Response, accept: &str, target: &Target) -> Result<(), DialFailure> {
    let (status, headers) = (answer.status(), answer.headers());
    if status != 101 {
        // Not a word of the answer's own: what a server writes may quote our secrets.
        let detail = status.canonical_reason().unwrap_or_default();
        return Err(DialFailure {
            status: Some(status.as_u16()),
            retry_after: retry_after(headers),
            ..DialFailure::new(DialError::Status, detail)
        });
    }
    let has = |name, token: &str| values(headers, name).any(|t| t.eq_ignore_ascii_case(token));
    let mut accepts = headers.get_all("sec-websocket-accept").iter();
    let mut chosen = headers.get_all("sec-websocket-protocol").iter();
    if !has("upgrade", "websocket") || !has("connection", "upgrade") {
        return wrong("the answer does not upgrade to websocket");
    }
    if accepts.next().is_none_or(|value| value != accept) || accepts.next().is_some() {
        return wrong("the answer's Sec-WebSocket-Accept does not match the request's key");
    }
    if values(headers, "sec-websocket-extensions").next().is_some() {
        return wrong("the server uses an extension that was not asked for");
    }
    // None of those offered may be chosen, but no other.
    if chosen.next().is_some_and(|one| !target.subprotocols.iter().any(|offered| one == offered))
        || chosen.next().is_some()
    {
        return wrong("the server chose a subprotocol that was not offered");
    }
    Ok(())
}

/// The members of the comma-separated lists under `name`.
fn values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let lists = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

/// `Retry-After` as a delay from now: seconds, or a date, read against the server's own clock where
/// the answer tells it (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let value = text("retry-after")?;
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    let now = text("date").and_then(|date| httpdate::parse_http_date(date).ok());
    Some(at.duration_since(now.unwrap_or_else(SystemTime::now)).unwrap_or_default())
}
