//! Happy eyeballs: several addresses of one host raced, the first to connect wins (RFC 8305).

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use perennial_core::{DialError, DialFailure};

use super::journal;
use super::network::Network;

/// How long one address has before the next is tried beside it (RFC 8305 §8).
const HEAD_START: Duration = Duration::from_millis(250);
/// How many failures are told to people.
const MOST_TOLD: usize = 4;

/// Connects in progress.
pub(crate) struct Race<N: Network> {
    waiting: VecDeque<SocketAddr>,
    running: Vec<(SocketAddr, N::Attempt)>,
    next_start: Option<Instant>,
    failures: Vec<String>,
}

impl<N: Network> Race<N> {
    pub(crate) fn new(addresses: Vec<SocketAddr>) -> Self {
        Self {
            waiting: addresses.into(),
            running: Vec::new(),
            next_start: None,
            failures: Vec::new(),
        }
    }

    /// When the next address is to be tried, whatever becomes of the others.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.next_start.filter(|_| !self.waiting.is_empty())
    }

    /// Looks at the connects in progress and starts those that are due.
    pub(crate) fn advance(&mut self, network: &mut N) -> Option<Result<N::Socket, DialFailure>> {
        for (address, attempt) in std::mem::take(&mut self.running) {
            if let Some(socket) = self.look(network, address, attempt) {
                return Some(Ok(socket));
            }
        }
        let now = Instant::now();
        while self.running.is_empty() || self.next_start.is_none_or(|start| start <= now) {
            let Some(address) = self.waiting.pop_front() else { break };
            self.next_start = now.checked_add(HEAD_START);
            match network.connect(address) {
                // Nothing would be told of it before it was looked at once.
                Ok(attempt) => {
                    if let Some(socket) = self.look(network, address, attempt) {
                        return Some(Ok(socket));
                    }
                }
                Err(error) => self.note(address, &error),
            }
        }
        self.running.is_empty().then(|| {
            Err(DialFailure::new(DialError::Connect, std::mem::take(&mut self.failures).join("; ")))
        })
    }

    /// Looks at a connect, which stays in the race if it goes on.
    fn look(
        &mut self,
        network: &mut N,
        address: SocketAddr,
        mut attempt: N::Attempt,
    ) -> Option<N::Socket> {
        match network.advance(&mut attempt) {
            None => self.running.push((address, attempt)),
            Some(Ok(socket)) => {
                journal::connected(address);
                return Some(socket);
            }
            Some(Err(error)) => self.note(address, &error),
        }
        None
    }

    fn note(&mut self, address: SocketAddr, error: &io::Error) {
        journal::not_connected(address, error);
        if self.failures.len() < MOST_TOLD {
            self.failures.push(format!("{address}: {error}"));
        }
        // The next one need not wait any longer.
        self.next_start = None;
    }
}
