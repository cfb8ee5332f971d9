//! One connection: the state machine, and what it dials and writes to.

use mio::{Registry, Token};
use perennial_core::{
    Accepted, Action, BuiltIn, Capabilities, Config, Connection, Event, Frame, Instant, Notice,
    Rejected,
};
use tungstenite::protocol::WebSocketConfig;

use super::dial::Dial;
use super::link::Link;
use super::mapping;
use super::target::Target;

/// How many actions are done in one turn, so that the other connections have theirs.
const ACTIONS: usize = 256;
/// How many events a socket may bring in one turn.
const EVENTS: usize = 64;

/// What comes after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another turn, when the others have had theirs.
    Again,
    /// Sleep until something happens, or until this instant.
    Sleep(Option<Instant>),
}

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) core: Connection<BuiltIn>,
    /// Whether it waits for a turn.
    pub(super) queued: bool,
    target: Target,
    limits: WebSocketConfig,
    dial: Option<Dial>,
    /// Whether something may have happened to the dial.
    dial_fired: bool,
    /// What is dialled and what is open never live at once.
    link: Option<Link>,
    /// What the link cannot say itself any more.
    ended: Option<Event>,
    paused: bool,
}

impl Client {
    pub(super) fn new(target: Target, config: Config, seed: u64, now: Instant) -> Self {
        let dialect = BuiltIn::new(&config.dialect);
        let limits = mapping::limits(&config);
        Self {
            core: Connection::new(config, dialect, seed, now),
            queued: false,
            target,
            limits,
            dial: None,
            dial_fired: false,
            link: None,
            ended: None,
            paused: false,
        }
    }

    /// Takes what the poller told. It may be of a socket that is gone; looking in vain does no harm.
    pub(super) fn fired(&mut self, readable: bool, writable: bool) {
        self.dial_fired = true;
        if let Some(link) = &mut self.link {
            link.fired(readable, writable);
        }
    }

    /// Takes an event of the application's.
    pub(super) fn command(
        &mut self,
        now: Instant,
        event: Event,
        notices: &mut impl FnMut(Notice),
    ) -> Result<Accepted, Rejected> {
        match event {
            Event::PauseReads => self.paused = true,
            Event::ResumeReads => self.paused = false,
            _ => {}
        }
        match self.core.handle(now, event) {
            Err(Rejected::Busy(event)) => {
                let mut all = usize::MAX;
                self.drain(&mut all, notices);
                self.core.handle(now, event)
            }
            result => result,
        }
    }

    /// Takes a turn: does what there is to do, tells the core what happened, does what that led to,
    /// and flushes once.
    pub(super) fn turn(
        &mut self,
        now: Instant,
        registry: &Registry,
        token: Token,
        notices: &mut impl FnMut(Notice),
    ) -> Next {
        let is_due = |next| matches!(next, Next::Sleep(Some(until)) if until <= now);
        let mut budget = ACTIONS;
        let mut next = self.drain(&mut budget, notices);
        if let Some(link) = &mut self.link {
            link.begin();
            if is_due(next) {
                // What the deadline waits for may lie in the kernel unread.
                link.look();
            }
        }
        for _ in 0..EVENTS {
            // Nothing new before everything old is done: so the core is never too busy to listen.
            let Next::Sleep(_) = next else { break };
            let Some(event) = self.next_event(registry, token) else {
                if !is_due(next) {
                    break;
                }
                next = self.tell(now, Event::Tick, &mut budget, notices);
                continue;
            };
            let closing = matches!(&event, Event::Received { frame: Frame::Close(_), .. });
            next = self.tell(now, event, &mut budget, notices);
            if closing {
                // What was written is flushed before the end of the stream is looked at.
                break;
            }
        }
        if let Some(link) = &mut self.link {
            link.flush();
        }
        let link_is_due = self.link.as_ref().is_some_and(|link| link.is_due(self.paused));
        let dial_is_due = self.dial.is_some() && self.dial_fired;
        if link_is_due || dial_is_due || self.ended.is_some() || is_due(next) {
            return Next::Again;
        }
        next
    }

    /// What happened to the dial or the link; `None` when nothing did.
    fn next_event(&mut self, registry: &Registry, token: Token) -> Option<Event> {
        if let Some(ended) = self.ended.take() {
            return Some(ended);
        }
        if let Some(dial) = &mut self.dial
            && std::mem::take(&mut self.dial_fired)
        {
            let outcome = dial.advance(&self.target, self.limits, registry, token)?;
            let transport = dial.transport;
            self.dial = None;
            return Some(match outcome {
                Ok(socket) => {
                    self.link = Some(Link::new(transport, socket));
                    Event::Opened { transport, capabilities: Capabilities::SOCKET }
                }
                Err(failure) => Event::DialFailed { transport, failure },
            });
        }
        let event = self.link.as_mut()?.next(self.paused)?;
        if matches!(event, Event::Ended { .. }) {
            self.link = None;
        }
        Some(event)
    }

    fn tell(
        &mut self,
        now: Instant,
        event: Event,
        budget: &mut usize,
        notices: &mut impl FnMut(Notice),
    ) -> Next {
        // Of a driver's events only `Busy` is ever refused, and everything was drained before.
        let told = self.core.handle(now, event);
        debug_assert!(told.is_ok(), "{told:?}");
        self.drain(budget, notices)
    }

    /// Does what there is to do, and says until when there is nothing more.
    fn drain(&mut self, budget: &mut usize, notices: &mut impl FnMut(Notice)) -> Next {
        while *budget > 0 {
            *budget -= 1;
            match self.core.poll() {
                Action::Wait { until, .. } => return Next::Sleep(until),
                Action::Notify(notice) => notices(notice),
                Action::Dial { transport, .. } => {
                    self.dial = Some(Dial::new(transport));
                    self.dial_fired = true;
                }
                Action::Write { transport, index, frame } => {
                    let link = self.link.as_mut().filter(|link| link.transport == transport);
                    if let Some(end) = link.and_then(|link| link.write(index, frame)) {
                        self.link = None;
                        self.ended = Some(Event::Ended { transport, end });
                    }
                }
                Action::Abort { transport } => {
                    self.dial.take_if(|dial| dial.transport == transport);
                    if let Some(mut link) = self.link.take_if(|link| link.transport == transport) {
                        // The last words, such as a close frame, as far as the kernel takes them.
                        link.flush();
                    }
                }
            }
        }
        Next::Again
    }
}
