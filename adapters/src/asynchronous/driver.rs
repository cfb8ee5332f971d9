//! The one async loop: turns, and a sleep when there was nothing to do.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant as StdInstant};

use perennial_core::{Closed, Instant};

use super::Runtime;
use super::dialer::Dialer;
use super::ready::Signal;
use super::watch::{Look, Watch};
use crate::engine::{Engine, Parts, ToInbox, Turn};

/// How many turns are taken before the executor's other tasks have theirs.
const TURNS: usize = 16;
/// For how long more messages may come together after two turns that had much to do.
const LINGER: Duration = Duration::from_micros(200);
/// How often in a row there may be none.
const PAUSES: u32 = 20;
/// A timer that fires so much after the deadline is not set anew: timers are no more exact.
const SLACK: Duration = Duration::from_millis(1);

/// The future that drives a connection, and ends with how that was closed.
///
/// It needs no more of its executor than to be polled when it was woken. It may be polled by any
/// thread and moved between tasks. Dropped before its end, it ends the connection at once, without
/// a close handshake.
#[must_use = "nothing happens before it is polled: spawn it, or await it"]
pub struct Driver<R: Runtime> {
    engine: Engine<Dialer<R>, ToInbox>,
    timer: Option<Timer>,
    /// Whether the timer has something to say.
    alarm: Arc<Signal>,
    alarm_waker: Waker,
    closed: Option<Closed>,
    /// How many turns in a row had much to do.
    much: u32,
    /// It gives way to those who send: two threads that hand over one message after the other under
    /// one lock take longer than one of them.
    way: Option<Way>,
    /// Whether anybody has called since the last turn.
    call: Arc<Signal>,
    call_waker: Waker,
    /// It awaits an answer awake.
    watch: Option<Watch>,
}

/// A timer that runs.
struct Timer {
    fires: StdInstant,
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What a look at the stream has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    /// Or only a read can tell.
    Something,
    /// The runtime looks when it has its turn.
    NobodyLooked,
}

/// How those who send make use of the way.
struct Way {
    until: StdInstant,
    sends: u32,
    pauses: u32,
}

// Nothing in it is pinned in place.
impl<R: Runtime> Unpin for Driver<R> {}

impl<R: Runtime> Driver<R> {
    pub(super) fn new(parts: Parts, runtime: R, sink: ToInbox) -> Self {
        let dialer = Dialer::new(runtime);
        let alarm = Signal::new(&dialer.task);
        let alarm_waker = Waker::from(Arc::clone(&alarm));
        let call = Signal::new(&dialer.task);
        let call_waker = Waker::from(Arc::clone(&call));
        Self {
            engine: Engine::new(parts, dialer, sink),
            timer: None,
            alarm,
            alarm_waker,
            closed: None,
            much: 0,
            way: None,
            call,
            call_waker,
            watch: None,
        }
    }

    /// Has the next turn look at what may be ready.
    fn look(&mut self) {
        self.engine.look_at_dial();
        if let Some(link) = self.engine.link() {
            let (readable, writable) = link.socket().readiness();
            link.fired(readable, writable);
        }
    }

    /// Whether there is nothing to do but to await an answer awake, while others have their turns.
    fn watches(&mut self) -> bool {
        let Some(looks) = self.watch.as_mut().map(Watch::begin) else { return false };
        for _ in 0..looks {
            // Others may need this core, the peer among them.
            thread::yield_now();
            let seen = self.sees_input();
            // Without a timer the alarm may be one that has been heard.
            let rings = self.timer.is_some() && self.alarm.is_up();
            let look = self.watch.as_ref().map_or(Look::Over, Watch::look);
            if seen == Seen::Something || self.call.is_up() || rings || look == Look::Over {
                self.watch = None;
                return false;
            }
            if seen == Seen::NobodyLooked || look == Look::Yield {
                break;
            }
        }
        true
    }

    /// Whether there is something to read.
    fn sees_input(&mut self) -> Seen {
        let Some((link, network)) = self.engine.link_and_network() else { return Seen::Something };
        if link.socket().readiness().0 {
            return Seen::Something;
        }
        let seen = network.runtime.is_readable(link.socket().io());
        // Where nobody else looks, reading does.
        if seen.unwrap_or(!R::KNOWS_WHEN_EMPTY) {
            link.look();
        }
        self.engine.set_sees_input(seen.is_some());
        match seen {
            Some(false) => Seen::Nothing,
            None if R::KNOWS_WHEN_EMPTY => Seen::NobodyLooked,
            Some(true) | None => Seen::Something,
        }
    }

    /// Whether it is in vain to poll it again before others have had their turns.
    pub(super) fn leaves_turns(&self) -> bool {
        self.watch.is_some()
    }

    /// Lets those who send go on.
    fn give_way(&mut self) {
        let until = StdInstant::now().checked_add(LINGER);
        self.way = until.map(|until| Way { until, sends: self.engine.sends(), pauses: 0 });
    }

    /// Whether somebody goes on.
    fn gives_way(&mut self) -> bool {
        let Some(way) = &mut self.way else { return false };
        let sends = self.engine.sends();
        way.pauses = if sends == way.sends { way.pauses + 1 } else { 0 };
        way.sends = sends;
        if way.pauses == PAUSES || StdInstant::now() >= way.until {
            self.way = None;
        }
        self.way.is_some()
    }

    /// Sleeps until a deadline of the state machine, or of the dial. `now` is how late it is.
    fn sleep(&mut self, now: Instant, until: Option<Instant>) -> Poll<()> {
        let dial_deadline = self.engine.dial_deadline();
        if until.is_none() && dial_deadline.is_none() {
            self.timer = None;
            return Poll::Pending;
        }
        let present = StdInstant::now();
        let until = until.and_then(|until| present.checked_add(until.since(now)));
        let Some(at) = until.into_iter().chain(dial_deadline).min() else {
            self.timer = None;
            return Poll::Pending;
        };
        if at <= present {
            return Poll::Ready(());
        }
        loop {
            // One that fires too early is left alone: deadlines move on with every message, and a
            // timer set anew each time would cost more than one wake-up that finds nothing to do.
            let timer = match &mut self.timer {
                Some(timer) if timer.fires <= at + SLACK => timer,
                other => {
                    self.alarm.raise();
                    let future = Box::pin(self.engine.network().runtime.sleep_until(at));
                    other.insert(Timer { fires: at, future })
                }
            };
            if !self.alarm.take() {
                return Poll::Pending;
            }
            match timer.future.as_mut().poll(&mut Context::from_waker(&self.alarm_waker)) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => self.timer = None,
            }
            if at <= StdInstant::now() {
                return Poll::Ready(());
            }
        }
    }
}

impl<R: Runtime> Future for Driver<R> {
    type Output = Closed;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Closed> {
        let this = self.get_mut();
        if let Some(closed) = &this.closed {
            return Poll::Ready(closed.clone());
        }
        if this.gives_way() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if this.watches() {
            this.engine.network().runtime.yield_now(cx);
            return Poll::Pending;
        }
        let span = this.engine.span();
        let _entered = span.enter();
        // Before anything is looked at, or what becomes ready meanwhile would wake nobody.
        this.engine.network().task.register(cx.waker());
        this.look();
        for _ in 0..TURNS {
            this.call.take();
            match this.engine.turn(&this.call_waker) {
                Turn::Busy => {
                    this.much = if this.engine.did_much() { this.much + 1 } else { 0 };
                    if this.much >= 2 {
                        this.much = 1;
                        this.give_way();
                        break;
                    }
                }
                // The application's task was woken, and is before this one.
                Turn::Told => break,
                Turn::Idle(now, until) => {
                    this.much = 0;
                    match this.sleep(now, until) {
                        Poll::Pending => {
                            let awake = this.engine.busy_poll(now);
                            this.watch = awake.and_then(Watch::new);
                            if this.watch.is_none() {
                                return Poll::Pending;
                            }
                            break;
                        }
                        Poll::Ready(()) => this.look(),
                    }
                }
                Turn::Over(closed) => {
                    this.closed = Some(closed.clone());
                    this.timer = None;
                    return Poll::Ready(closed);
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<R: Runtime> fmt::Debug for Driver<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("closed", &self.closed).finish_non_exhaustive()
    }
}
