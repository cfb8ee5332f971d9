//! Where to connect: a URL, the addresses of its host, and what the request says besides.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use tungstenite::http::Uri;

/// A server. Its name is resolved once, when this is made, as that may block. A program whose
/// servers move resolves again for every dial, in another thread.
#[derive(Clone)]
pub struct Target {
    /// The URL, `ws://` only.
    pub url: Uri,
    /// What to connect to, in the order in which they are tried.
    pub addresses: Vec<SocketAddr>,
    /// Headers besides those of the handshake.
    pub headers: Vec<(String, String)>,
    /// The subprotocols to offer.
    pub subprotocols: Vec<String>,
}

impl Target {
    /// The server of `url`.
    ///
    /// # Errors
    /// It is no `ws://` URL, or its host has no address.
    pub fn resolve(url: &str) -> io::Result<Self> {
        let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
        let url: Uri = url.parse().map_err(|_| invalid("this is no URL"))?;
        if url.scheme_str() != Some("ws") {
            return Err(invalid("the URL must begin with ws:// (TLS is left out here)"));
        }
        let host = url.host().ok_or_else(|| invalid("the URL names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = (host, url.port_u16().unwrap_or(80)).to_socket_addrs()?.collect();
        Ok(Self { url, addresses, headers: Vec::new(), subprotocols: Vec::new() })
    }

    /// The bytes of a request (RFC 6455 §4.1). A program whose token expires puts a fresh one in
    /// here.
    pub(super) fn request(&self, key: &str) -> Vec<u8> {
        let (path, query) = (self.url.path(), self.url.query());
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let host = self.url.host().unwrap_or_default();
        let port = self.url.port_u16().filter(|port| *port != 80);
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let mut text = format!(
            "GET {path}{query} HTTP/1.1\r\nHost: {host}{port}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        );
        if !self.subprotocols.is_empty() {
            text += &format!("Sec-WebSocket-Protocol: {}\r\n", self.subprotocols.join(", "));
        }
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        (text + "\r\n").into_bytes()
    }
}

/// Without the query and the headers' values, which carry tokens.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}
