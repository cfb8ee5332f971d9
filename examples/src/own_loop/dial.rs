//! A dial: connect and upgrade, never blocking.

use std::io;
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use perennial_core::{DialError, DialFailure, TransportId};
use tungstenite::WebSocket;
use tungstenite::protocol::WebSocketConfig;

use super::target::Target;
use super::upgrade::{Progress, Upgrade};
use super::wire::Wire;

/// A dial in progress. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Dial {
    pub(super) transport: TransportId,
    /// How many addresses were tried.
    tried: usize,
    /// How the last one failed.
    failure: String,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The next address is to be tried.
    Next,
    Connecting(TcpStream),
    Upgrading(Upgrade),
}

impl Dial {
    pub(super) fn new(transport: TransportId) -> Self {
        let failure = "the host has no address".to_owned();
        Self { transport, tried: 0, failure, stage: Stage::Next }
    }

    /// Goes as far as it can without waiting. `None` while there is something to wait for.
    pub(super) fn advance(
        &mut self,
        target: &Target,
        limits: WebSocketConfig,
        registry: &Registry,
        token: Token,
    ) -> Option<Result<WebSocket<Wire>, DialFailure>> {
        loop {
            self.stage = match std::mem::replace(&mut self.stage, Stage::Next) {
                Stage::Next => {
                    let Some(address) = target.addresses.get(self.tried) else {
                        let detail = std::mem::take(&mut self.failure);
                        return Some(Err(DialFailure::new(DialError::Connect, detail)));
                    };
                    self.tried += 1;
                    match connect(*address, registry, token) {
                        Ok(socket) => Stage::Connecting(socket),
                        Err(error) => self.note(&error),
                    }
                }
                Stage::Connecting(socket) => match is_connected(&socket) {
                    Ok(true) => Stage::Upgrading(Upgrade::new(socket, target)),
                    Ok(false) => {
                        self.stage = Stage::Connecting(socket);
                        return None;
                    }
                    Err(error) => self.note(&error),
                },
                Stage::Upgrading(upgrade) => match upgrade.advance(target, limits) {
                    Ok(Progress::Open(socket)) => return Some(Ok(socket)),
                    Ok(Progress::Waits(upgrade)) => {
                        self.stage = Stage::Upgrading(upgrade);
                        return None;
                    }
                    Err(failure) => return Some(Err(failure)),
                },
            }
        }
    }

    fn note(&mut self, error: &io::Error) -> Stage {
        self.failure = error.to_string();
        Stage::Next
    }
}

/// Begins to connect. The socket stays registered for both directions as long as it lives.
fn connect(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(address)?;
    registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(socket)
}

/// Whether a connect has succeeded; `false` while it is in progress.
fn is_connected(socket: &TcpStream) -> io::Result<bool> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        // Frames are collected before they are written; there is nothing left for Nagle to collect.
        Ok(_) => socket.set_nodelay(true).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}
