//! The server's thread: one poller, all connections, no busy waiting.

use super::app::{Effects, Program, program};
use super::conn::{Conn, Drain, Phase};
use super::faults::{Faults, Misbehave};
use super::feed::Feed;
use super::ids::SeenIds;
use super::listen::Listen;
use super::options::Options;
use super::records::{Notes, Records, keep};
use super::rng::Rng;
use super::stream::Stream;
use super::timers::{Timer, Timers};
use polling::{Event, Events, Poller};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tungstenite::Message;

/// Key of the listener; connections count from 1.
const LISTENER: usize = 0;
/// Most reads from one connection, and accepts, before the others have their turn.
const TURN: usize = 16;
/// How long a half-open connection outlives its peer's FIN.
const REAP_AFTER: Duration = Duration::from_secs(30);
/// How much a flood keeps queued.
const FLOOD: usize = 256 * 1024;

/// An order from the owner, carried out on the server's thread.
pub(super) type Command = Box<dyn FnOnce(&mut Reactor) + Send>;

/// What the thread and the owner share.
pub(super) struct Shared {
    pub(super) poller: Poller,
    pub(super) records: Records,
    /// Orders not yet carried out; `None` once nobody will carry them out any more.
    commands: Mutex<Option<VecDeque<Command>>>,
    pub(super) stop: AtomicBool,
}

impl Shared {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            poller: Poller::new()?,
            records: Records::default(),
            commands: Mutex::new(Some(VecDeque::new())),
            stop: AtomicBool::new(false),
        })
    }

    /// Hands an order to the server's thread; false when that is gone.
    pub(super) fn order(&self, command: Command) -> bool {
        match &mut *self.commands.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(commands) => commands.push_back(command),
            None => return false,
        }
        self.poller.notify().is_ok()
    }

    fn commands(&self) -> VecDeque<Command> {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

/// Ends the taking of orders when the thread ends, by a panic too: dropping them tells whoever waits
/// for one that it will not be carried out.
struct Orders(Arc<Shared>);

impl Drop for Orders {
    fn drop(&mut self) {
        let commands = self.0.commands.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(commands);
        self.0.records.changed();
    }
}

/// The state of a running server.
pub(super) struct Reactor {
    pub(super) shared: Arc<Shared>,
    pub(super) options: Options,
    pub(super) faults: Faults,
    pub(super) faults_since: Instant,
    /// Handshakes refused since then.
    pub(super) refusals: u32,
    pub(super) listen: Listen,
    pub(super) conns: BTreeMap<u64, Conn>,
    pub(super) timers: Timers,
    pub(super) app: Box<dyn Program>,
    pub(super) seen: SeenIds,
    pub(super) feed: Feed,
    pub(super) frozen: bool,
    pub(super) reading_stopped: bool,
    /// Connections whose queue or interest may have changed.
    pub(super) touched: BTreeSet<u64>,
    last_number: u64,
    scratch: Vec<u8>,
}

impl Reactor {
    pub(super) fn new(shared: Arc<Shared>, options: Options, listen: Listen) -> io::Result<Self> {
        let mut reactor = Self {
            shared,
            faults: options.faults.clone(),
            faults_since: Instant::now(),
            refusals: 0,
            listen,
            conns: BTreeMap::new(),
            timers: Timers::new(),
            app: program(&options),
            seen: SeenIds::default(),
            feed: Feed::default(),
            frozen: false,
            reading_stopped: false,
            touched: BTreeSet::new(),
            last_number: 0,
            scratch: vec![0; 64 * 1024],
            options,
        };
        reactor.watch_listener()?;
        Ok(reactor)
    }

    /// Runs until told to stop; then every socket is closed.
    pub(super) fn run(mut self) {
        let shared = self.shared.clone();
        let _orders = Orders(shared.clone());
        let mut events = Events::new();
        while !shared.stop.load(Ordering::Acquire) {
            events.clear();
            match shared.poller.wait(&mut events, self.timers.wait()) {
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
            self.note(|n| n.stats.turns += 1);
            for event in events.iter() {
                if event.key == LISTENER {
                    self.accept();
                } else {
                    self.event(event);
                }
            }
            for command in shared.commands() {
                command(&mut self);
            }
            let now = Instant::now();
            while let Some((number, timer)) = self.timers.take(now) {
                self.timer(number, timer);
            }
            self.settle();
            shared.records.changed();
        }
        self.unwatch_listener();
        for number in self.numbers() {
            self.remove(number);
        }
    }

    pub(super) fn note(&self, write: impl FnOnce(&mut Notes)) {
        write(&mut self.shared.records.lock());
    }

    pub(super) fn numbers(&self) -> Vec<u64> {
        self.conns.keys().copied().collect()
    }

    // ----- the listener -----

    /// Listens again after [`unwatch_listener`](Self::unwatch_listener), or for the first time.
    #[allow(unsafe_code)]
    pub(super) fn watch_listener(&mut self) -> io::Result<()> {
        self.listen.open()?;
        let Some(listener) = self.listen.socket() else { return Ok(()) };
        // SAFETY: the listener is closed in `unwatch_listener` alone, which takes it out of the
        // poller first; or by a panic of the one thread that waits on the poller.
        unsafe { self.shared.poller.add(listener, Event::readable(LISTENER)) }
    }

    pub(super) fn unwatch_listener(&mut self) {
        if let Some(listener) = self.listen.socket() {
            let _ = self.shared.poller.delete(listener);
        }
        self.listen.close();
    }

    fn accept(&mut self) {
        for _ in 0..TURN {
            let Some(listener) = self.listen.socket() else { return };
            match listener.accept() {
                Ok((tcp, _)) => {
                    let now = Instant::now();
                    self.note(|n| {
                        n.stats.tcp_accepts += 1;
                        keep(&mut n.accepted_at, now);
                    });
                    // A connection that is gone already is no news.
                    let _ = self.admit(tcp);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e)
                    if matches!(
                        e.kind(),
                        ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                    ) => {}
                Err(_) => {
                    // Out of descriptors, most likely: asking again at once would spin.
                    self.timers.set(Duration::from_millis(50), 0, Timer::Listen);
                    return;
                }
            }
        }
        self.rearm_listener();
    }

    fn rearm_listener(&self) {
        if let Some(listener) = self.listen.socket() {
            let _ = self.shared.poller.modify(listener, Event::readable(LISTENER));
        }
    }

    fn stream(&self, tcp: TcpStream) -> io::Result<Stream> {
        #[cfg(feature = "tls")]
        if let Some(config) = &self.options.tls {
            return Stream::tls(tcp, config.clone());
        }
        Stream::plain(tcp)
    }

    #[allow(unsafe_code)]
    fn admit(&mut self, tcp: TcpStream) -> io::Result<()> {
        self.last_number += 1;
        let number = self.last_number;
        let stream = self.stream(tcp)?;
        if self.faults.misbehave == Some(Misbehave::ResetOnAccept) {
            self.note(|n| n.stats.resets += 1);
            return stream.reset_on_close();
        }
        let Ok(key) = usize::try_from(number) else { return Ok(()) };
        let mut conn = Conn::new(stream, Rng::stream(self.options.seed, number));
        // SAFETY: the socket is closed in `remove` alone, which takes it out of the poller first; or
        // by a panic of the one thread that waits on the poller.
        unsafe { self.shared.poller.add(conn.stream.tcp(), Event::readable(key)) }?;
        conn.armed = Some((true, false));
        if self.frozen {
            conn.phase = Phase::Mute;
        } else {
            self.timers.set(self.options.patience, number, Timer::Patience);
        }
        self.conns.insert(number, conn);
        self.touched.insert(number);
        Ok(())
    }

    // ----- events -----

    fn event(&mut self, event: Event) {
        let number = event.key as u64;
        let reading_stopped = self.reading_stopped;
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.armed = None;
        let broken = event.is_interrupt() || event.is_err() == Some(true);
        if conn.eof || reading_stopped {
            // Nobody will read the error off this socket, and it would be reported for ever.
            if broken {
                return self.remove(number);
            }
        } else if event.readable {
            self.readable(number);
        }
        self.touched.insert(number);
    }

    fn readable(&mut self, number: u64) {
        let mut scratch = std::mem::take(&mut self.scratch);
        for _ in 0..TURN {
            let Some(conn) = self.conns.get_mut(&number).filter(|c| !c.eof) else { break };
            match conn.stream.read(&mut scratch) {
                Ok(0) => {
                    self.end_of_input(number);
                    break;
                }
                Ok(n) => {
                    self.note(|notes| notes.stats.bytes_in += n as u64);
                    self.input(number, &scratch[..n]);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.remove(number);
                    break;
                }
            }
        }
        self.scratch = scratch;
    }

    fn end_of_input(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.eof = true;
        match conn.phase {
            // A half-open peer would not answer the FIN either.
            Phase::Mute => self.timers.set(REAP_AFTER, number, Timer::Reap),
            // With its answer still queued, the connection ends when that is out.
            Phase::Draining(Drain::Polite | Drain::Abrupt) => {}
            _ => self.remove(number),
        }
    }

    fn input(&mut self, number: u64, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        match &mut conn.phase {
            Phase::Head(read) => {
                read.extend_from_slice(bytes);
                self.head(number);
            }
            Phase::Delayed(_, early) => {
                let room = super::handshake::MAX_HEAD.saturating_sub(early.len());
                early.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Phase::Open(socket) => {
                socket.get_mut().feed(bytes);
                self.pump(number);
            }
            Phase::Draining(_) | Phase::Mute => {}
        }
    }

    fn timer(&mut self, number: u64, timer: Timer) {
        match timer {
            Timer::Listen => return self.rearm_listener(),
            Timer::App(call) => {
                let mut effects = Effects::default();
                self.app.wake(call, &mut effects);
                return self.apply(effects);
            }
            _ => {}
        }
        self.touched.insert(number);
        let never_closes = self.never_closes();
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let (open, current) = (conn.can_send(), conn.generation);
        match timer {
            Timer::Answer => self.answer(number),
            Timer::Ping if open => {
                conn.send(Message::Ping(tungstenite::Bytes::new()));
                self.arm_ping(number);
            }
            Timer::Patience => match conn.phase {
                Phase::Head(_) => {
                    self.note(|n| n.stats.failed_handshakes += 1);
                    self.remove(number);
                }
                Phase::Open(_) if conn.close_sent && !never_closes => self.remove(number),
                Phase::Draining(_) => self.remove(number),
                _ => {}
            },
            Timer::Reap => self.remove(number),
            Timer::Reset(generation) if generation == current => self.reset(number),
            Timer::Finish(generation) if generation == current => self.finish(number),
            Timer::Freeze(generation) if generation == current => self.freeze(number),
            // The trickle's pause is looked at when the connection settles.
            _ => {}
        }
    }

    // ----- after every turn -----

    /// Writes what can be written and tells the poller what is of interest now.
    pub(super) fn settle(&mut self) {
        let now = Instant::now();
        for number in std::mem::take(&mut self.touched) {
            self.refill(number);
            let trickle = self.faults.trickle;
            let Some(conn) = self.conns.get_mut(&number) else { continue };
            match conn.flush(trickle, now) {
                Ok(0) => {}
                Ok(n) => self.shared.records.lock().stats.bytes_out += n,
                Err(_) => {
                    self.remove(number);
                    continue;
                }
            }
            if let Some(until) = conn.paused_until {
                let pause = until.saturating_duration_since(Instant::now());
                self.timers.set(pause, number, Timer::Trickle);
            }
            if conn.eof && matches!(conn.phase, Phase::Draining(Drain::Finished)) {
                self.remove(number);
                continue;
            }
            self.watch(number);
        }
    }

    fn refill(&mut self, number: u64) {
        let Some(Misbehave::Flood { size }) = self.faults.misbehave else { return };
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let payload = tungstenite::Bytes::from(vec![0x55; size]);
        let mut sent = 0;
        while conn.queued() < FLOOD && conn.send(Message::Binary(payload.clone())) {
            sent += 1;
        }
        self.note(|n| n.stats.sent += sent);
    }

    fn watch(&mut self, number: u64) {
        let flooding = matches!(self.faults.misbehave, Some(Misbehave::Flood { .. }));
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let read = !conn.eof && !self.reading_stopped;
        let write = conn.wants_write() || (flooding && conn.can_send());
        if conn.armed == Some((read, write)) {
            return;
        }
        let Ok(key) = usize::try_from(number) else { return };
        let interest = Event::new(key, read, write);
        match self.shared.poller.modify(conn.stream.tcp(), interest) {
            Ok(()) => conn.armed = Some((read, write)),
            Err(_) => self.remove(number),
        }
    }
}
