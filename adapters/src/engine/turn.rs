//! The turns that carry events in and actions out. They decide nothing.
//!
//! A turn: move bytes as far as the sockets are ready (`exchange`); tell the state machine and ask
//! what to do (`consult`); do it, and flush once (`act`). When a turn found nothing to do, the
//! driver around it sleeps until a socket is ready, a deadline comes or a handle calls.

mod dialling;
mod telling;
mod writing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use perennial_core::session::Decision;
use perennial_core::{
    Action, CloseFrame, Closed, Config, End, EndKind, Event, Instant, Notice, Overflow, Rejected,
    RetryChoice, TransportId, code,
};

#[cfg(feature = "blocking")]
pub(crate) use writing::Written;

use super::busy_poll::BusyPoll;
use super::deed::Deed;
use super::dial::{Dial, Dialing};
use super::hooks::{Ask, Hooks};
use super::journal::Journal;
use super::link::{Link, Reading};
use super::lookup::Preparer;
use super::meter::Meter;
use super::network::Network;
use super::routed::Routed;
use super::shared::{Access, Shared};
use super::sink::Sink;
use crate::builder::RetryContext;

/// How many actions are done in one turn, so that reading has its turn too.
const ACTIONS: usize = 512;

/// So many are much: more than who sends one message and awaits its answer ever has.
const MUCH: usize = 16;

/// After so many turns without a sleep the sockets are looked at, whatever was told of them. An answer
/// from within a callback takes three: to read, to write, and to find nothing more.
const AWAKE: u32 = 4;

/// Overrides the delay before an attempt.
pub(crate) type RetryHook = Box<dyn FnMut(&RetryContext) -> RetryChoice + Send>;

/// What a connection is driven with, whoever drives it.
pub(crate) struct Parts {
    pub(crate) shared: Arc<Shared>,
    pub(crate) config: Config,
    pub(crate) dialing: Dialing,
    pub(crate) preparer: Preparer,
    pub(crate) retry_hook: Option<RetryHook>,
    pub(crate) hooks: Hooks,
    pub(crate) journal: Journal,
    pub(crate) meter: Meter,
    pub(crate) busy_poll: BusyPoll,
}

/// One connection between two sleeps.
pub(crate) struct Engine<N: Network, S> {
    shared: Arc<Shared>,
    sink: S,
    config: Config,
    dialing: Dialing,
    preparer: Preparer,
    retry_hook: Option<RetryHook>,
    hooks: Hooks,
    journal: Journal,
    meter: Meter,
    busy_poll: BusyPoll,
    network: N,

    dial: Option<Dial<N>>,
    /// Where a new request goes, until views show it.
    target: Option<Arc<str>>,
    /// Whether something may have happened to the dial.
    dial_is_due: bool,
    link: Option<Link<N::Socket>>,
    /// Reading has stopped until the application has fetched enough.
    paused: bool,
    /// Whether this turn has read as far as the socket was ready.
    has_read: bool,
    /// Whether this turn has read something.
    has_heard: bool,
    /// How many turns there were since the last sleep.
    awake: u32,
    /// How many deeds the last turn has done.
    done: usize,
    /// The turn before had nothing to tell the application, so that what could wait may be done.
    is_quiet: bool,

    /// Whether the driver finds out about input without reading, while it awaits an answer awake.
    sees_input: bool,
    /// A read that can wait does so until the answer is here, or late.
    puts_off: bool,

    /// What the state machine is to be told.
    events: VecDeque<Event>,
    /// What it wants done.
    deeds: Vec<Deed>,
    notices: Vec<Notice>,
    /// How many notices the application was told before those.
    told: u64,
    /// What went to subscribers meanwhile, where views want to see it.
    routed: Vec<Routed>,
    /// What the session wants to know.
    asks: Vec<Ask>,
    /// What it is told.
    decisions: Vec<Decision>,
}

/// What a turn amounts to.
pub(crate) enum Turn {
    /// Something was done; there may be more.
    Busy,
    /// The application was told something, and there is nothing to do that could not wait until it
    /// has answered.
    Told,
    /// It is this late, and there is nothing to do before this deadline. The waker is called if
    /// that changes.
    Idle(Instant, Option<Instant>),
    /// It is over.
    Over(Closed),
}

/// What there is for others than the application in what the application is told.
#[derive(Default)]
struct News {
    closed: Option<Closed>,
    /// Something that a handle may wait for.
    somebody_waits: bool,
    /// Something that views show, besides messages.
    shows: bool,
}

/// What the state machine has to say.
enum Advice {
    /// There is something to do, at this time.
    Act(Instant),
    /// There is nothing to do from this time until that, save to tell the application.
    Sleep(Instant, Option<Instant>),
}

impl<N: Network, S: Sink> Engine<N, S> {
    pub(crate) fn new(parts: Parts, network: N, sink: S) -> Self {
        Self {
            shared: parts.shared,
            sink,
            config: parts.config,
            dialing: parts.dialing,
            preparer: parts.preparer,
            retry_hook: parts.retry_hook,
            hooks: parts.hooks,
            journal: parts.journal,
            meter: parts.meter,
            busy_poll: parts.busy_poll,
            network,
            dial: None,
            target: None,
            dial_is_due: false,
            link: None,
            paused: false,
            has_read: false,
            has_heard: false,
            awake: 0,
            done: 0,
            is_quiet: false,
            sees_input: false,
            puts_off: false,
            events: VecDeque::new(),
            deeds: Vec::new(),
            notices: Vec::new(),
            told: 0,
            routed: Vec::new(),
            asks: Vec::new(),
            decisions: Vec::new(),
        }
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The span of this connection's journal.
    pub(crate) fn span(&self) -> tracing::Span {
        self.journal.connection().clone()
    }

    #[cfg(feature = "async")]
    pub(crate) fn network(&self) -> &N {
        &self.network
    }

    /// The open transport, and what it was opened with.
    #[cfg(feature = "async")]
    pub(crate) fn link_and_network(&mut self) -> Option<(&mut Link<N::Socket>, &N)> {
        self.link.as_mut().map(|link| (link, &self.network))
    }

    pub(crate) fn link(&mut self) -> Option<&mut Link<N::Socket>> {
        self.link.as_mut()
    }

    /// When the dial must be looked at even if nothing happens on its sockets.
    pub(crate) fn dial_deadline(&self) -> Option<std::time::Instant> {
        self.dial.as_ref().and_then(Dial::deadline)
    }

    /// Has the next turn look at the dial.
    pub(crate) fn look_at_dial(&mut self) {
        self.dial_is_due = true;
    }

    /// Takes a turn. `waker` is called when there is something to do after a turn that found
    /// nothing.
    pub(crate) fn turn(&mut self, waker: &Waker) -> Turn {
        self.done = 0;
        self.exchange();
        match self.consult(waker) {
            Advice::Act(now) => {
                self.awake = self.awake.saturating_add(1);
                let news = self.heed();
                self.act();
                if self.done > 0 && self.link.is_some() {
                    self.busy_poll.asked(now);
                    self.puts_off = self.may_put_off(now);
                }
                let told = !self.is_quiet;
                match self.tell_application(now, news) {
                    Some(closed) => Turn::Over(self.shared.finish(&closed)),
                    None if told && self.only_reading_waits() => Turn::Told,
                    None => Turn::Busy,
                }
            }
            Advice::Sleep(now, until) => {
                self.awake = 0;
                let news = self.heed();
                match self.tell_application(now, news) {
                    Some(closed) => Turn::Over(self.shared.finish(&closed)),
                    None if self.events.is_empty() && self.decisions.is_empty() => {
                        Turn::Idle(now, until)
                    }
                    None => Turn::Busy,
                }
            }
        }
    }

    /// Whether the last turn had so much to do that more should come together before the next one:
    /// unless messages would be dropped meanwhile.
    pub(crate) fn did_much(&self) -> bool {
        self.done >= MUCH
            && matches!(self.config.outbox.overflow, Overflow::Reject | Overflow::Wait)
    }

    /// For how long to stay awake for an answer after a turn that found nothing to do at `now`, if it
    /// is likely to come so soon.
    pub(crate) fn busy_poll(&self, now: Instant) -> Option<Duration> {
        // Where it cannot be read, or what was asked has not gone out, there is no answer to come.
        self.link.as_ref().filter(|link| !self.paused && !link.is_blocked())?;
        self.busy_poll.left(now)
    }

    /// Whether the driver finds out about input without reading, as long as
    /// [`busy_poll`](Self::busy_poll) has it stay awake: a read before that, to have it woken, is in
    /// vain.
    #[cfg(feature = "async")]
    pub(crate) fn set_sees_input(&mut self, sees_input: bool) {
        self.sees_input = sees_input;
    }

    /// Whether a read that can wait does. Not where there is so much else to do that the driver does
    /// not get to look.
    fn may_put_off(&self, now: Instant) -> bool {
        self.sees_input && self.awake < AWAKE && self.busy_poll(now).is_some()
    }

    /// Whether the last turn has left something to read.
    pub(crate) fn reads_on(&self) -> bool {
        !self.paused && self.link.as_ref().is_some_and(Link::wants_read)
    }

    /// As [`Shared::sends`].
    #[cfg(feature = "async")]
    pub(crate) fn sends(&self) -> u32 {
        self.shared.sends()
    }

    /// Moves bytes as far as the sockets are ready.
    fn exchange(&mut self) {
        (self.has_read, self.has_heard) = (false, false);
        if std::mem::take(&mut self.dial_is_due) {
            self.advance_dial();
        }
        let Some(link) = &mut self.link else { return };
        if self.awake >= AWAKE {
            // Nobody has told of the socket for a while.
            link.retry_flush();
            link.probe();
        }
        if link.wants_flush() {
            self.events.extend(link.flush());
        }
        if self.paused {
            // What is left to read would wait for the application; a new transport should not.
            if let Some(end) = link.broken().cloned() {
                self.events.push_back(Event::Ended { transport: link.transport(), end });
                self.forget_link();
            }
        } else if link.wants_read() && (self.is_quiet && !self.puts_off || !link.reading_can_wait())
        {
            self.has_read = true;
            let before = link.crossed().0;
            let reading = link.read(&mut self.events);
            self.has_heard = link.crossed().0 != before;
            if reading == Reading::Ended {
                link.say_goodbye();
                self.forget_link();
            }
        }
    }

    /// Whether all there is to do, as far as is known, is a read that can wait.
    fn only_reading_waits(&self) -> bool {
        self.events.is_empty() && self.link.as_ref().is_some_and(Link::reading_can_wait)
    }

    /// Drops the link, after the meter was told how much has crossed it.
    fn forget_link(&mut self) {
        self.meter_link();
        self.meter.end_transport();
        self.link = None;
    }

    fn meter_link(&mut self) {
        if let Some(link) = &self.link {
            let (received, sent) = link.crossed();
            self.meter.cross(received, sent);
        }
    }

    /// Tells the state machine what has happened, and takes what is to be done. Everything that
    /// could call the driver is looked at under the same lock as it falls asleep under: see
    /// [`Core`](super::shared::Core).
    fn consult(&mut self, waker: &Waker) -> Advice {
        let shared = Arc::clone(&self.shared);
        let mut core = shared.lock();
        // Looked at under the lock, or a handle that came first would have come from the future.
        let now = shared.clock().now();
        if self.has_heard {
            self.busy_poll.heard(now);
        }
        core.wake_up();
        // Before anything is delivered: what is new here came when there were these views already.
        core.layer.keep_routed(shared.board.keeps_messages());
        if std::mem::take(&mut core.abort) {
            self.abort(&mut core, now);
        }
        if std::mem::take(&mut core.reconnect) {
            self.events.push_back(Event::Reconnect);
        }
        for (transport, preparation) in std::mem::take(&mut core.prepared) {
            self.go_on(transport, preparation);
        }
        // Both must have room; whoever makes it says so.
        if std::mem::take(&mut core.resume)
            && !core.layer.is_congested()
            && !shared.inbox.is_filled()
            && std::mem::take(&mut self.paused)
        {
            self.events.push_back(Event::ResumeReads);
            if let Some(link) = &mut self.link {
                link.probe();
            }
        }
        self.tell_all(&mut core, now);
        for decision in self.decisions.drain(..) {
            core.decide(now, decision);
        }
        let until = loop {
            if self.deeds.len() + self.notices.len() >= ACTIONS {
                break Some(now);
            }
            match core.next() {
                Action::Wait { until: Some(until), .. } if until <= now => {
                    // An answer that lies in the kernel unread must not be missed.
                    if let Some(link) = &mut self.link
                        && !(self.paused || self.has_read)
                    {
                        link.look();
                        if link.wants_read() {
                            break Some(until);
                        }
                    }
                    self.tell(&mut core, now, Event::Tick);
                }
                Action::Wait { until, .. } => break until,
                action => self.take(action),
            }
        };
        core.relieve();
        core.layer.take_asks(&mut self.asks);
        core.layer.take_routed(self.told + self.notices.len() as u64, &mut self.routed);
        if core.layer.is_congested() && !self.paused {
            self.paused = true;
            self.events.push_back(Event::PauseReads);
        }
        self.meter.count(core.connection.counters());
        self.is_quiet = self.notices.is_empty();
        self.puts_off = self.may_put_off(now);
        let reads_on = self.reads_on() && !(self.puts_off && self.only_reading_waits());
        let flushes_on = self.link.as_ref().is_some_and(Link::wants_flush);
        let late = until.is_some_and(|until| until <= now);
        let may_command = S::COMMANDS && !self.notices.is_empty();
        if late
            || may_command
            || !self.deeds.is_empty()
            || !self.events.is_empty()
            || !self.asks.is_empty()
            || reads_on
            || flushes_on
            || self.dial_is_due
        {
            return Advice::Act(now);
        }
        core.fall_asleep(until, waker);
        Advice::Sleep(now, until)
    }

    /// Takes what is to be done, and what the application is to be told after that.
    #[inline]
    fn take(&mut self, action: Action) {
        match Deed::of(action) {
            Ok(deed) => self.deeds.push(deed),
            Err(Some(notice)) => self.notices.push(notice),
            Err(None) => {}
        }
    }

    fn tell_all(&mut self, core: &mut Access<'_>, now: Instant) {
        while let Some(event) = self.events.pop_front() {
            self.tell(core, now, event);
        }
    }

    fn tell(&mut self, core: &mut Access<'_>, now: Instant, mut event: Event) {
        while let Err(Rejected::Busy(refused)) = core.handle(now, event) {
            // Not all that is taken there comes out here: the session keeps what is its own.
            let before = core.connection.undrained();
            loop {
                let action = core.next();
                if matches!(action, Action::Wait { .. }) {
                    break;
                }
                self.take(action);
            }
            let progress = core.connection.undrained() < before;
            debug_assert!(progress, "busy with nothing");
            if !progress {
                return;
            }
            event = refused;
        }
    }

    fn drop_transport(&mut self, transport: TransportId) {
        self.dial.take_if(|dial| dial.transport() == transport);
        if let Some(link) = self.link_of(transport) {
            // The last words, such as a close frame, as far as the kernel takes them at once.
            if link.wants_flush() {
                let _ = link.flush();
            }
            link.say_goodbye();
            self.forget_link();
        }
    }

    /// Drops everything and has the state machine close.
    fn abort(&mut self, core: &mut Access<'_>, now: Instant) {
        self.dial = None;
        let transport = self.link.as_ref().map(Link::transport);
        self.forget_link();
        self.tell(core, now, Event::Close(CloseFrame::new(code::NORMAL, "")));
        if let Some(transport) = transport {
            let end = End { kind: EndKind::Io, detail: "aborted by the application".into() };
            self.tell(core, now, Event::Ended { transport, end });
        }
    }
}

/// Releases whoever waits for a driver that does not get to its end.
impl<N: Network, S> Drop for Engine<N, S> {
    fn drop(&mut self) {
        // Without effect after an end that was reached.
        self.shared.finish_early("the driver stopped before the end");
    }
}
