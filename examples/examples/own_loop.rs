//! A thousand connections in one thread, on `perennial-core`, `mio` and `tungstenite` alone.
//!
//! Every connection sends numbered messages, which the server acknowledges and returns; nothing is
//! lost however often the server is killed and started again meanwhile:
//!
//! ```sh
//! perennial serve    # in another terminal
//! cargo run --release -p perennial-examples --example own_loop -- ws://127.0.0.1:9001
//! ```
//!
//! `--connections N` (1000), `--every MS` between two messages of a connection (1000), `--messages N`
//! of each connection and `--seconds N` in all (no limit; else until Ctrl-C).
//!
//! The loop is in `examples/src/own_loop/`; here is a program that uses it.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use perennial_core::{
    Class, CloseFrame, Config, ConfigBuilder, DialectConfig, Duration, Event, Instant, JsonConfig,
    Notice, Outgoing, Reason, State,
};
use perennial_examples::own_loop::{Reactor, Target};

struct Options {
    url: String,
    connections: u32,
    every: Duration,
    messages: u64,
    seconds: Option<u64>,
}

impl Options {
    fn read() -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            url: "ws://127.0.0.1:9001".to_owned(),
            connections: 1000,
            every: Duration::from_secs(1),
            messages: u64::MAX,
            seconds: None,
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut number = || {
                let number = args.next().and_then(|text| text.parse::<u64>().ok());
                number.ok_or_else(|| format!("{arg} needs a whole number"))
            };
            match arg.as_str() {
                "--connections" => options.connections = number()?.clamp(1, u32::MAX.into()) as u32,
                "--every" => options.every = Duration::from_millis(number()?),
                "--messages" => options.messages = number()?,
                "--seconds" => options.seconds = Some(number()?),
                other if other.starts_with('-') => {
                    let known = "--connections, --every, --messages and --seconds";
                    return Err(format!("{other} is no option: there are {known}").into());
                }
                _ => options.url = arg,
            }
        }
        Ok(options)
    }
}

/// What happened to all connections together.
#[derive(Default)]
struct Tally {
    open: usize,
    sent: u64,
    acknowledged: u64,
    received: u64,
    lost: u64,
    reconnects: u64,
    /// When the first of those that are down now was lost.
    down_since: Option<Instant>,
    closed: usize,
    connections: usize,
}

fn config() -> ConfigBuilder {
    let mut config = Config::builder();
    config.heartbeat.interval = Duration::from_secs(10);
    config.heartbeat.deadline = Duration::from_secs(10);
    // The longest wait before a dial: so soon after the server they all are back, evenly spread.
    config.retry.cap = Duration::from_secs(5);
    // Nothing is lost only if the server says what it has.
    config.dialect = DialectConfig::Json(JsonConfig { acks: true, ..JsonConfig::default() });
    config.outbox.class = Class::Acknowledged;
    config.outbox.max_messages = 64;
    config
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::read()?;
    raise_file_limit(u64::from(options.connections) + 64);
    let before = resident_kib();

    let mut reactor = Reactor::new()?;
    let interrupted = Arc::new(AtomicBool::new(false));
    let (flag, waker) = (Arc::clone(&interrupted), reactor.waker());
    ctrlc::set_handler(move || {
        flag.store(true, Ordering::Relaxed);
        let _ = waker.wake();
    })?;

    let server = Target::resolve(&options.url)?;
    let mut keys = Vec::new();
    for number in 0..options.connections {
        // The practice server counts ids by session.
        let mut target = server.clone();
        target.url = format!("{}?session={number}", target.url).parse()?;
        keys.push(reactor.connect(target, config(), getrandom::u64()?)?);
    }

    let second = Duration::from_secs(1);
    let start = reactor.now();
    let end = options.seconds.map(|seconds| start + Duration::from_secs(seconds));
    // The connections send one after the other, evenly spread.
    let step = options.every / options.connections;
    let total = options.messages.saturating_mul(u64::from(options.connections));
    let (mut offered, mut next_send, mut next_report) = (0, start, start + second);
    let mut tally = Tally { connections: keys.len(), ..Tally::default() };
    let mut closing = false;
    while tally.closed < keys.len() {
        let now = reactor.now();
        while !closing && offered < total && next_send <= now {
            let key = keys[usize::try_from(offered % keys.len() as u64)?];
            // One whose outbox is full, in a long outage, is left out this time.
            if reactor.handle(key, Event::Send(Outgoing::new("hello"))).is_ok() {
                tally.sent += 1;
            }
            offered += 1;
            next_send = next_send + step;
        }
        let is_through = offered == total && tally.acknowledged + tally.lost == tally.sent;
        let is_over = is_through || end.is_some_and(|end| end <= now);
        if !closing && (is_over || interrupted.load(Ordering::Relaxed)) {
            closing = true;
            for key in &keys {
                // First what is queued and unacknowledged, for as long as `close.drain`.
                let close = CloseFrame::new(1000, "");
                reactor.handle(*key, Event::Drain { timeout: None, close })?;
            }
        }
        if next_report <= now {
            println!("{}", tally.line(now - start, before));
            next_report = now + second;
        }
        let mut until = next_report;
        if !closing {
            until = until.min(end.unwrap_or(until));
            until = if offered < total { until.min(next_send) } else { until };
        }
        reactor.turn(Some(until))?;
        while let Some((_, notice)) = reactor.next_notice() {
            tally.count(&notice, reactor.now());
        }
    }
    println!("{}", tally.line(reactor.now() - start, before));
    println!("sent {}, acknowledged {}, lost {}", tally.sent, tally.acknowledged, tally.lost);
    Ok(if tally.lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Tally {
    fn count(&mut self, notice: &Notice, now: Instant) {
        match notice {
            Notice::StateChanged { to: State::Open, from, .. } => {
                self.open += 1;
                self.reconnects += u64::from(*from == State::Reconnecting);
                if self.open == self.connections
                    && let Some(since) = self.down_since.take()
                {
                    let after = now - since;
                    println!("all are open again, {after:.1?} after the first was lost");
                }
            }
            Notice::StateChanged { from: State::Open, to, .. } => {
                self.open -= 1;
                if *to == State::Reconnecting {
                    self.down_since.get_or_insert(now);
                }
            }
            Notice::Message(_) => self.received += 1,
            Notice::Acknowledged { .. } => self.acknowledged += 1,
            Notice::Undelivered { .. } => self.lost += 1,
            Notice::Closed(closed) => {
                self.closed += 1;
                if closed.reason != Reason::Application {
                    println!("closed: {}", closed.reason);
                }
            }
            _ => {}
        }
    }

    fn line(&self, elapsed: Duration, before: Option<u64>) -> String {
        let Self { open, sent, acknowledged, received, lost, reconnects, .. } = self;
        let seconds = elapsed.as_secs();
        let mut line = format!(
            "{seconds:>3} s: open {open}, sent {sent}, acknowledged {acknowledged}, \
             received {received}, lost {lost}, reconnects {reconnects}"
        );
        if let (Some(before), Some(now)) = (before, resident_kib()) {
            let each = now.saturating_sub(before) / self.connections as u64;
            line += &format!(", memory {} MiB, {each} KiB for each", now / 1024);
        }
        line
    }
}

/// The memory that this process has, in KiB, where the operating system tells it in a file.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().split(' ').next()?.parse().ok()
}

/// Every connection is an open file, and the usual limit is 1024.
#[cfg(unix)]
fn raise_file_limit(files: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= files) {
        return;
    }
    let raised = Rlimit { current: Some(files), maximum: limit.maximum };
    if setrlimit(Resource::Nofile, raised).is_err() {
        println!("not so many files may be open: try `ulimit -n {files}`");
    }
}

#[cfg(not(unix))]
fn raise_file_limit(_: u64) {}
