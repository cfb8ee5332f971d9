//! One connection of the demo: sends acknowledged messages, and takes the server's.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use perennial::blocking::{Client, Handle};
use perennial::core::{DialectConfig, HeartbeatFrames, JsonConfig};
use perennial::{
    Backoff, Class, Config, ConfigError, Counters, Error, HookError, Notice, Overflow, State,
};

/// Between two messages of a client.
const SEND_EVERY: Duration = Duration::from_millis(10);

/// A connection and its threads.
pub(super) struct Peer {
    name: &'static str,
    handle: Handle,
    seen: Arc<Mutex<Seen>>,
    sender: JoinHandle<u64>,
    receiver: JoinHandle<()>,
}

/// What the application saw.
#[derive(Debug, Default, Clone)]
pub(super) struct Seen {
    /// The server's messages by number, and how often each came.
    news: BTreeMap<u64, u64>,
    /// How long each outage lasted.
    pub(super) recoveries: Vec<Duration>,
    lost_at: Option<Duration>,
    /// Changes of state that were not shown yet.
    changes: Vec<Change>,
}

/// A change of state.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) to: State,
    pub(super) reason: Option<String>,
}

/// What a look at a connection shows.
#[derive(Debug, Clone)]
pub(super) struct Glance {
    pub(super) state: State,
    pub(super) attempt: u32,
    pub(super) rtt: Option<Duration>,
    pub(super) queue: usize,
    pub(super) acknowledged: u64,
    pub(super) received: u64,
    /// What happened since the last look; an outage may be shorter than the time between two.
    pub(super) changes: Vec<Change>,
}

/// What is left of a connection at the end.
#[derive(Debug)]
pub(super) struct End {
    pub(super) name: &'static str,
    pub(super) sent: u64,
    pub(super) counters: Counters,
    pub(super) seen: Seen,
}

impl Peer {
    /// Connects, and sends until `until`.
    pub(super) fn start(
        name: &'static str,
        url: &str,
        seed: u64,
        until: Instant,
    ) -> Result<Self, Error> {
        let url = format!("{url}/?session={name}");
        let position = Arc::new(AtomicU64::new(0));
        let since = Arc::clone(&position);
        let base = url.clone();
        let client = Client::builder(&url)
            // The server is this process's own.
            .no_proxy()
            .config(config().map_err(Error::Config)?)
            .seed(seed)
            .on_request(move |attempt| {
                // The server sends again what came after this one.
                let since = since.load(Ordering::Acquire);
                attempt.set_url(&format!("{base}&since={since}")).map_err(HookError::from)
            })
            .connect()?;
        let handle = client.handle();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let sender = {
            let handle = handle.clone();
            thread::spawn(move || send(&handle, name, until))
        };
        let receiver = {
            let seen = Arc::clone(&seen);
            thread::spawn(move || receive(client, &seen, &position))
        };
        Ok(Self { name, handle, seen, sender, receiver })
    }

    pub(super) fn glance(&self) -> Glance {
        let status = self.handle.status();
        let mut seen = lock(&self.seen);
        Glance {
            state: status.state,
            attempt: status.attempt,
            rtt: status.rtt,
            queue: status.queued + status.in_flight,
            acknowledged: status.counters.acknowledged,
            received: seen.news.len() as u64,
            changes: std::mem::take(&mut seen.changes),
        }
    }

    /// Whether everything was sent and acknowledged, and all of the server's messages are here.
    pub(super) fn is_done(&self, published: u64) -> bool {
        let status = self.handle.status();
        self.sender.is_finished()
            && status.queued + status.in_flight == 0
            && lock(&self.seen).news.len() as u64 >= published
    }

    /// Closes, and tells what was.
    pub(super) fn finish(self) -> End {
        self.handle.drain(Some(Duration::from_secs(2)));
        let sent = self.sender.join().unwrap_or_default();
        // A panic of the receiver would show as lost messages.
        let _ = self.receiver.join();
        let counters = self.handle.counters();
        let seen = lock(&self.seen).clone();
        End { name: self.name, sent, counters, seen }
    }
}

impl Seen {
    /// How many different messages of the server came.
    pub(super) fn distinct(&self) -> u64 {
        self.news.len() as u64
    }

    /// How many came again after they had been delivered.
    pub(super) fn repeated(&self) -> u64 {
        self.news.values().map(|count| count - 1).sum()
    }
}

fn config() -> Result<Config, ConfigError> {
    let mut config = Config::builder();
    config.retry.backoff =
        Backoff::Exponential { base: Duration::from_millis(100), factor_percent: 200 };
    config.retry.cap = Duration::from_secs(2);
    config.retry.stable_after = Duration::from_millis(200);
    config.connect.dial_timeout = Duration::from_secs(3);
    config.heartbeat.interval = Duration::from_millis(500);
    config.heartbeat.deadline = Duration::from_secs(1);
    config.outbox.class = Class::Acknowledged;
    config.outbox.overflow = Overflow::Wait;
    config.outbox.ack_timeout = Duration::from_millis(500);
    config.inbox.dedupe = 8192;
    config.dialect = DialectConfig::Json(JsonConfig {
        heartbeat: HeartbeatFrames::None,
        ..JsonConfig::default()
    });
    config.build()
}

/// Sends numbered messages; returns how many were accepted.
fn send(handle: &Handle, name: &str, until: Instant) -> u64 {
    let mut sent = 0;
    let mut next = Instant::now();
    while next < until {
        let text = format!(r#"{{"from":"{name}","n":{}}}"#, sent + 1);
        if handle.send(text).is_err() {
            break;
        }
        sent += 1;
        next += SEND_EVERY;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    sent
}

fn receive(mut client: Client, seen: &Mutex<Seen>, position: &AtomicU64) {
    while let Some((at, notice)) = client.recv_stamped() {
        match notice {
            Notice::Message(message) => {
                if let Some(id) = message.id {
                    *lock(seen).news.entry(id).or_default() += 1;
                    position.fetch_max(id, Ordering::AcqRel);
                }
            }
            Notice::StateChanged { to, reason, .. } => {
                let mut seen = lock(seen);
                match (to, seen.lost_at.take()) {
                    (State::Open, Some(lost_at)) => {
                        seen.recoveries.push(at.saturating_sub(lost_at));
                    }
                    (State::Reconnecting, _) => seen.lost_at = Some(at),
                    (State::Connecting | State::Open | State::Closed, _) => {}
                }
                let reason = reason.map(|reason| reason.to_string());
                seen.changes.push(Change { to, reason });
            }
            _ => {}
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
