//! What a server has seen and done, readable while it runs.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most entries kept in each list of times and handshakes; the oldest go first.
const KEEP: usize = 65_536;

/// Counters since the start. They only grow, except [`live`](Self::live).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// TCP connections accepted.
    pub tcp_accepts: u64,
    /// Handshakes answered with 101.
    pub upgrades: u64,
    /// Handshakes answered with a status by order ([`Refusal`](super::Refusal)).
    pub refused: u64,
    /// Handshakes that were no good, came to nothing, or were spoilt by
    /// [`Misbehave`](super::Misbehave).
    pub failed_handshakes: u64,
    /// WebSocket connections open now; a frozen one counts until its TCP is gone.
    pub live: u64,
    /// Most connections open at once.
    pub peak_live: u64,
    /// Data messages received, text and binary.
    pub messages: u64,
    /// Text messages received that carry an id.
    pub with_id: u64,
    /// Distinct ids among them, per session (see
    /// [`Options::session_param`](super::Options::session_param)).
    pub distinct_ids: u64,
    /// Messages thrown away on arrival by [`Faults::lose_messages`](super::Faults::lose_messages).
    pub messages_lost: u64,
    /// Acks sent.
    pub acks_sent: u64,
    /// Acks withheld by [`Faults::lose_acks`](super::Faults::lose_acks).
    pub acks_lost: u64,
    /// Data messages sent, acks and duplicates not included.
    pub sent: u64,
    /// Messages sent a second time by [`Faults::duplicate`](super::Faults::duplicate).
    pub duplicates_sent: u64,
    /// Connections reset by order (RST).
    pub resets: u64,
    /// Connections ended by order without a close frame (FIN).
    pub fins: u64,
    /// Close frames sent first by the server, for whatever reason.
    pub closes: u64,
    /// Close frames that clients sent first.
    pub peer_closes: u64,
    /// Connections turned half-open.
    pub frozen: u64,
    /// Connections closed because too much was waiting to be sent (1013).
    pub overflows: u64,
    /// Connections closed because the client broke the protocol (1002, 1007, 1009).
    pub violations: u64,
    /// Ping frames received.
    pub pings: u64,
    /// Pong frames received.
    pub pongs: u64,
    /// Text pings (`ping`, `{"type":"ping"}`) answered.
    pub text_pings: u64,
    /// Bytes read from sockets, those thrown away included.
    pub bytes_in: u64,
    /// Bytes written to sockets.
    pub bytes_out: u64,
    /// Turns of the server's thread; it makes none while nothing happens.
    pub turns: u64,
}

/// A handshake request and its answer. `Debug` shows the names of the header fields and of the
/// query, not their values, because these carry tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Handshake {
    /// Number of the connection, from 1 in the order of TCP accepts.
    pub connection: u64,
    /// When the request was complete.
    pub at: Instant,
    /// Path of the URL, with its leading slash.
    pub path: String,
    /// Query of the URL without the question mark; empty when there is none.
    pub query: String,
    /// Header fields in no particular order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The status answered: 101, the refusal's, or 0 when the answer was no HTTP or none came.
    pub status: u16,
    /// The subprotocol chosen.
    pub subprotocol: Option<String>,
}

impl Handshake {
    /// First value of a header field, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// First value of a query parameter, percent-decoded.
    pub fn param(&self, name: &str) -> Option<String> {
        param(&self.query, name)
    }
}

pub(super) fn param(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Handshake")
            .field("connection", &self.connection)
            .field("at", &self.at)
            .field("path", &self.path)
            .field("has_query", &!self.query.is_empty())
            .field("headers", &headers)
            .field("status", &self.status)
            .field("subprotocol", &self.subprotocol)
            .finish()
    }
}

/// A text message received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Number of the connection it came on.
    pub connection: u64,
    /// Its text, unchanged.
    pub text: String,
    /// Its id, where it has one.
    pub id: Option<u64>,
    /// When.
    pub at: Instant,
}

/// Everything noted, as the server's thread writes it.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) stats: Stats,
    pub(super) accepted_at: VecDeque<Instant>,
    pub(super) upgraded_at: VecDeque<Instant>,
    pub(super) handshakes: VecDeque<Handshake>,
    pub(super) received: Vec<Received>,
}

pub(super) fn keep<T>(list: &mut VecDeque<T>, entry: T) {
    if list.len() == KEEP {
        list.pop_front();
    }
    list.push_back(entry);
}

/// The notes, shared between the server's thread and its owner.
#[derive(Debug, Default)]
pub(super) struct Records {
    notes: Mutex<Notes>,
    changed: Condvar,
}

impl Records {
    pub(super) fn lock(&self) -> MutexGuard<'_, Notes> {
        // A panic elsewhere leaves counters that are still true.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changed(&self) {
        self.changed.notify_all();
    }

    /// Waits until `done` holds, at most `timeout`; whether it does.
    pub(super) fn wait(&self, timeout: Duration, mut done: impl FnMut(&Notes) -> bool) -> bool {
        let (notes, _) = self
            .changed
            .wait_timeout_while(self.lock(), timeout, |notes| !done(notes))
            .unwrap_or_else(PoisonError::into_inner);
        done(&notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_values() {
        let handshake = Handshake {
            connection: 1,
            at: Instant::now(),
            path: "/room".into(),
            query: "token=s3cret&x=a%20b".into(),
            headers: vec![("authorization".into(), "Bearer s3cret".into())],
            status: 101,
            subprotocol: None,
        };
        let shown = format!("{handshake:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert_eq!(handshake.header("Authorization"), Some("Bearer s3cret"));
        assert_eq!(handshake.param("x").as_deref(), Some("a b"));
        assert_eq!(handshake.param("y"), None);
    }

    #[test]
    fn waiting_is_bounded_and_notices() {
        let records = std::sync::Arc::new(Records::default());
        assert!(!records.wait(Duration::from_millis(10), |n| n.stats.upgrades > 0));
        let other = records.clone();
        let thread = std::thread::spawn(move || {
            other.lock().stats.upgrades = 1;
            other.changed();
        });
        assert!(records.wait(Duration::from_secs(10), |n| n.stats.upgrades > 0));
        thread.join().unwrap();
    }
}
