//! The wrapper: every event and action passes through the model.

use alloc::format;

use super::delays::Delays;
use super::glance::{Glance, Stage};
use super::inbox::Inbox;
use super::ledger::Ledger;
use super::liveness::Liveness;
use super::offer::Offer;
use super::opening::Opening;
use super::seen::Seen;
use super::spare::Spare;
use super::story::Story;
use super::wire::Wire;
use super::{Moment, Verdict, Violation, demand, violation};
use crate::action::Action;
use crate::config::Config;
use crate::connection::Connection;
use crate::dialect::{Dialect, Meaning};
use crate::error::{Accepted, Rejected};
use crate::event::{Event, Outgoing};
use crate::frame::{Frame, Payload};
use crate::notice::{Notice, State};
use crate::time::Instant;

/// The most actions that may wait besides those for the messages in the outbox. One frame may hold
/// as many messages as [`Meaning::Messages`] says.
const UNDRAINED: usize = BUSY + 32 + 256;

/// Past so many control frames that were not flushed, further ones may wait unseen.
const CONTROLS: usize = 64;

/// From so many on events are refused.
pub(super) const BUSY: usize = 256;

/// A [`Connection`] whose every step is checked against a model of what it promises.
///
/// The first violation is kept, and nothing is checked after it. Every event costs a multiple of
/// what it costs without the checker, so this is for tests.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked<D> {
    pub(super) inner: Connection<D>,
    /// Reads and writes as the connection's own does.
    pub(super) dialect: D,
    /// The connection's own, to be lent while the model changes; always there otherwise.
    pub(super) config: Option<Config>,
    pub(super) now: Instant,
    pub(super) glance: Glance,
    pub(super) seen: Seen,
    /// What the message at hand is written as, unless it queues and there is no place for it.
    pub(super) offer: Option<Offer>,
    pub(super) drained: bool,
    pub(super) wire: Wire,
    pub(super) story: Story,
    pub(super) opening: Opening,
    pub(super) delays: Delays,
    pub(super) ledger: Ledger,
    pub(super) inbox: Inbox,
    pub(super) liveness: Liveness,
    pub(super) violation: Option<Violation>,
    pub(super) spare: Spare<D>,
}

impl<D: Dialect + Clone + PartialEq> Checked<D> {
    /// Makes a connection as [`Connection::new`] does, and the model of it.
    #[must_use]
    pub fn new(config: Config, dialect: D, seed: u64, now: Instant) -> Self {
        let auto = config.connect.auto;
        let inner = Connection::new(config, dialect.clone(), seed, now);
        let mut checked = Self {
            dialect,
            config: Some(inner.config().clone()),
            now,
            glance: Glance::of(&inner),
            offer: None,
            seen: Seen::new(),
            drained: false,
            wire: Wire::new(),
            story: Story::new(),
            opening: Opening::new(),
            delays: Delays::new(now, auto),
            ledger: Ledger::new(),
            inbox: Inbox::new(),
            liveness: Liveness::new(),
            violation: None,
            spare: Spare::new(),
            inner,
        };
        let glance = checked.glance;
        let verdict = checked.lend(|checked, config| {
            let moment = Moment {
                now,
                config,
                event: &Event::Tick,
                transport: None,
                result: &Ok(Accepted::Done),
                before: &glance,
                due: &glance,
                after: &glance,
            };
            checked.follow(&moment, None)
        });
        checked.note(verdict);
        checked
    }

    /// As [`Connection::handle`].
    ///
    /// # Errors
    /// Those of [`Connection::handle`]. A violation is no error here: see [`check`](Self::check).
    pub fn handle(&mut self, now: Instant, event: Event) -> Result<Accepted, Rejected> {
        if self.violation.is_some() {
            return self.inner.handle(now, event);
        }
        self.offer = None;
        if let Event::Send(message) = &event
            && (message.ahead || self.ledger.has_place(&self.inner.config().outbox))
        {
            self.offer = Some(self.offer_of(now.max(self.now), message));
        }
        let taken = self.must_be_taken(now, &event);
        let mut shadow = (!taken).then(|| self.spare.copy(&self.inner));
        let result = self.inner.handle(now, event.clone());
        let after = Glance::of(&self.inner);
        let before = core::mem::replace(&mut self.glance, after);
        let verdict = self.lend(|checked, config| {
            checked.judge(now, config, &event, &result, shadow.as_deref_mut(), [&before, &after])
        });
        self.note(verdict);
        if let Some(shadow) = shadow {
            self.spare.keep(shadow);
        }
        result
    }

    /// As [`Connection::poll`].
    #[inline]
    pub fn poll(&mut self) -> Action {
        let action = self.inner.poll();
        if self.violation.is_none() {
            let verdict = self.polled(&action);
            self.note(verdict);
        }
        action
    }

    /// Whether every invariant held so far.
    ///
    /// # Errors
    /// The first violation.
    pub fn check(&self) -> Result<(), Violation> {
        self.violation.clone().map_or(Ok(()), Err)
    }

    /// Whether one did not.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.violation.is_some()
    }

    /// Panics unless every invariant held so far.
    ///
    /// # Panics
    /// With the first violation.
    #[track_caller]
    pub fn assert(&self) {
        if let Some(violation) = &self.violation {
            panic!("{violation}");
        }
    }

    /// Plants a fault in the connection.
    #[cfg(perennial_planted)]
    pub fn plant(&mut self, fault: crate::planted::Fault) {
        self.inner.plant(fault);
    }

    /// The connection itself.
    #[must_use]
    pub fn connection(&self) -> &Connection<D> {
        &self.inner
    }

    #[inline]
    fn note(&mut self, verdict: Verdict) {
        if let Err(broken) = verdict {
            self.violation.get_or_insert(*broken);
        }
    }

    /// Lends the config: to count another reference to it at every event would cost more than most
    /// of what is checked.
    fn lend<T>(&mut self, judge: impl FnOnce(&mut Self, &Config) -> T) -> T {
        let config = self.config.take().unwrap_or_else(|| self.inner.config().clone());
        let answer = judge(self, &config);
        self.config = Some(config);
        answer
    }

    fn judge(
        &mut self,
        time: Instant,
        config: &Config,
        event: &Event,
        result: &Result<Accepted, Rejected>,
        shadow: Option<&mut Connection<D>>,
        [before, after]: [&Glance; 2],
    ) -> Verdict {
        let backwards = time < self.now;
        let now = self.now.max(time);
        let ticked_glance;
        let mut due = if matches!(event, Event::Tick) { after } else { before };
        let mut ticked = None;
        if let Some(shadow) = shadow {
            if let Err(Rejected::Busy(back)) = result {
                demand!(30, back == event, "{event:?} came back as {back:?}");
                demand!(30, *shadow == self.inner, "{event:?} was refused, and changed something");
                let waiting = self.seen.len();
                demand!(30, waiting >= BUSY, "busy with {waiting} undrained actions");
                return Ok(());
            }
            let early = before.deadline.is_none_or(|(deadline, _)| now < deadline);
            if early && !backwards {
                // An early tick is nothing but the time: 17 is checked of each that comes.
                shadow.now = now;
                let is_tick = matches!(event, Event::Tick);
                let equal = !is_tick || *shadow == self.inner;
                demand!(17, equal, "an early tick at {now} changed {before:?}");
                due = before;
            } else {
                let tick = shadow.handle(time, Event::Tick);
                demand!(30, tick.is_ok(), "a tick was refused: {tick:?}");
                ticked_glance = Glance::of(shadow);
                due = &ticked_glance;
            }
            ticked = Some(shadow);
        } else {
            Self::was_taken(event, result)?;
        }
        self.now = now;
        demand!(14, self.inner.now == now, "{event:?} at {now} left the time {}", self.inner.now);
        let transport = event_transport(event);
        let moment = Moment { now, config, event, transport, result, before, due, after };
        if let Some(ticked) = ticked {
            self.compare(&moment, ticked)?;
        }
        let heard = matches!(event, Event::Received { .. } | Event::Heard { .. })
            && transport.is_some_and(|id| self.wire.hears(id));
        // Pings that waited for the control frames' credit may come together.
        self.liveness.begin(self.drained && self.wire.controls() < CONTROLS);
        self.drained = false;
        let meaning = self.meaning(&moment);
        self.liveness.event(&moment, heard, meaning.as_ref());
        if let Some(meaning) = meaning {
            self.ledger.heard(now, &meaning);
            self.wire.heard(&meaning);
            self.inbox.event(&moment, meaning);
        }
        if let Event::Send(message) = event {
            let mut offer = self.offer.take();
            // What was refused for want of any place need not be known.
            if offer.is_none() && !matches!(result, Err(Rejected::QueueFull(_))) {
                offer = Some(self.offer_of(now, message));
            }
            self.ledger.offered(&moment, message, offer)?;
            // Of room for what goes ahead nobody is told.
            if matches!(result, Err(Rejected::QueueFull(_))) && !message.ahead {
                self.story.refused();
            }
        }
        self.ledger.reordered(&moment);
        self.delays.event(&moment);
        self.follow(&moment, Some(event))
    }

    /// What a message would be written as.
    fn offer_of(&mut self, now: Instant, message: &Outgoing) -> Offer {
        let context = self.ledger.context(now, self.inner.config(), message);
        Offer::new(&mut self.dialect, message.payload.clone(), context)
    }

    /// What a data frame means, if it was taken for reading.
    fn meaning(&mut self, moment: &Moment<'_>) -> Option<Meaning> {
        let Event::Received { frame, .. } = moment.event else { return None };
        let payload = match frame {
            Frame::Text(text) => Payload::Text(text.clone()),
            Frame::Binary(bytes) => Payload::Binary(bytes.clone()),
            Frame::Ping(_) | Frame::Pong(_) | Frame::Close(_) => return None,
        };
        let fits = payload.len() <= moment.config.inbox.max_message;
        (moment.done() && fits).then(|| self.dialect.decode(payload))
    }

    /// Takes what an event led to, and looks at where that leaves everything.
    fn follow(&mut self, moment: &Moment<'_>, event: Option<&Event>) -> Verdict {
        let old = self.seen.len();
        let waiting = self.inner.output.waiting();
        demand!(24, waiting.len() >= old, "{} actions wait, {old} were seen", waiting.len());
        // Writes are made by `poll`, and are judged there.
        if waiting.len() > old {
            self.seen.extend(waiting.range(old..).cloned());
            self.actions(moment, event, old)?;
        } else if event.is_some() {
            self.take(moment)?;
        }
        let (undrained, most) =
            (self.inner.undrained(), UNDRAINED + moment.config.outbox.max_messages);
        demand!(24, undrained <= most, "{undrained} actions undrained, at most {most}");
        if self.liveness.wants_pings() {
            let (waiting, last, all) = self.waiting_pings();
            self.liveness.pings(waiting, last, all);
        }
        self.wire.after(moment)?;
        self.story.after(moment)?;
        self.opening.after(moment)?;
        self.delays.after(moment)?;
        let counters = &self.inner.output.counters;
        self.ledger.after(moment, counters)?;
        self.inbox.after(counters)?;
        self.liveness.after(moment)
    }

    /// Takes the new actions, which begin at `old`.
    fn actions(&mut self, moment: &Moment<'_>, event: Option<&Event>, old: usize) -> Verdict {
        // Lent, as the config is.
        let seen = core::mem::replace(&mut self.seen, Seen::new());
        let verdict = self.take_all(moment, event, &seen.waiting()[old..]);
        self.seen = seen;
        verdict
    }

    fn take_all(
        &mut self,
        moment: &Moment<'_>,
        event: Option<&Event>,
        fresh: &[Action],
    ) -> Verdict {
        let id = moment.transport;
        // The event may name a transport that was dialled by what was due before it.
        let dialled = |action: &Action| matches!(action, Action::Dial { transport, .. } if Some(*transport) == id);
        let mut pending = event.is_some();
        let split = id.and_then(|_| fresh.iter().position(dialled)).map_or(0, |at| at + 1);
        let is_dial = |action: &Action| matches!(action, Action::Dial { .. });
        let by_hand = moment.is_reconnect().then(|| fresh.iter().rposition(is_dial)).flatten();
        for (at, action) in fresh.iter().enumerate() {
            if pending && at == split {
                pending = false;
                self.take(moment)?;
            }
            let manual = by_hand == Some(at);
            let stable = self.liveness.may_reset();
            let suspended = self.story.is_suspended();
            self.wire.action(moment.now, action)?;
            self.story.action(action)?;
            self.opening.action(moment, action);
            self.delays.action(moment.now, action, moment.config, stable, manual, suspended)?;
            self.ledger.action(moment, action)?;
            self.inbox.action(action)?;
            if let Action::Notify(Notice::StateChanged { to: State::Open, .. }) = action
                && let Some(can) = self.wire.capabilities()
            {
                let own = self.dialect.has_heartbeat();
                self.wire.greet(self.dialect.greeting());
                self.liveness.opened(moment.now, moment.config, can, own);
            }
            self.liveness.action(moment, action)?;
        }
        if pending {
            self.take(moment)?;
        }
        Ok(())
    }

    /// Takes what the event says of its transport.
    fn take(&mut self, moment: &Moment<'_>) -> Verdict {
        if let Some(indices) = self.wire.event(moment)? {
            self.ledger.flushed(moment.now, indices);
        }
        Ok(())
    }

    /// The pings that wait to be written: how many, the last one, and whether those are all.
    fn waiting_pings(&self) -> (u64, Option<Frame>, bool) {
        let mut probe = self.inner.clone();
        let mut controls = self.wire.controls();
        let mut count = 0;
        let mut last = None;
        loop {
            let queued = probe.outbox.queued();
            match probe.poll() {
                Action::Write { frame, .. } => {
                    let control = probe.outbox.queued() == queued;
                    controls += usize::from(control);
                    if control && self.is_ping(&frame) {
                        count += 1;
                        last = Some(frame);
                    }
                }
                // Past the control frames' credit more of them may wait.
                Action::Wait { .. } => return (count, last, controls < CONTROLS),
                Action::Dial { .. } | Action::Abort { .. } | Action::Notify(_) => {}
            }
        }
    }

    /// Whether this is a ping that must be answered.
    fn is_ping(&self, frame: &Frame) -> bool {
        matches!(frame, Frame::Ping(_)) || !self.liveness.sends_both() && self.is_own_ping(frame)
    }

    /// Whether this is a ping of the dialect's.
    fn is_own_ping(&self, frame: &Frame) -> bool {
        let payload = match frame {
            Frame::Text(text) => Payload::Text(text.clone()),
            Frame::Binary(bytes) => Payload::Binary(bytes.clone()),
            Frame::Ping(_) | Frame::Pong(_) | Frame::Close(_) => return false,
        };
        self.dialect.clone().decode(payload) == Meaning::Ping
    }

    fn polled(&mut self, action: &Action) -> Verdict {
        let deadline = self.inner.timers.earliest();
        let was = self.glance.deadline;
        demand!(15, was == deadline, "poll changed the deadline {was:?} to {deadline:?}");
        if let Some(expected) = self.seen.next() {
            demand!(24, expected == action, "{action:?} came, {expected:?} was next");
            return Ok(());
        }
        match action {
            Action::Write { transport, index, frame } => {
                let glance = Glance::of(&self.inner);
                let before = core::mem::replace(&mut self.glance, glance);
                // A message leaves the queue, a control frame does not.
                let data = self.glance.queued + 1 == before.queued;
                demand!(25, data || self.glance.queued == before.queued, "{action:?} took several");
                self.wire.write(*transport, *index, frame, data, self.inner.config())?;
                if data {
                    let held = self.opening.is_held();
                    self.ledger.write(*transport, *index, frame, held)?;
                } else if self.is_ping(frame) {
                    self.liveness.ping()?;
                } else if self.liveness.sends_both() && self.is_own_ping(frame) {
                    self.liveness.beside()?;
                }
                self.ledger.resends(self.inner.output.counters.resent)
            }
            Action::Wait { until, why } => {
                self.drained = true;
                if self.liveness.lacks_beside() && self.wire.controls() < CONTROLS {
                    let own = self.dialect.clone().ping(0).map(Frame::from);
                    let visible = own.is_some_and(|ping| self.is_own_ping(&ping));
                    demand!(18, !visible, "a ping went out without the dialect's beside it");
                }
                let wait = until.zip(*why);
                demand!(15, wait == deadline, "{action:?}, but the deadline is {deadline:?}");
                match self.inner.poll() {
                    Action::Wait { until: again, why: reason }
                        if again == *until && reason == *why => {}
                    again @ (Action::Wait { .. }
                    | Action::Dial { .. }
                    | Action::Write { .. }
                    | Action::Abort { .. }
                    | Action::Notify(_)) => {
                        demand!(33, false, "{action:?}, then {again:?}");
                    }
                }
                let open = self.glance.phase == Stage::Open && self.story.is_open();
                if open && self.wire.admits() && !self.liveness.holds_data() {
                    let held = self.opening.is_held();
                    self.ledger.withheld(&self.wire, self.inner.config(), held)?;
                }
                Ok(())
            }
            Action::Dial { .. } | Action::Abort { .. } | Action::Notify(_) => {
                let closed = self.story.is_closed();
                Err(violation(
                    if closed { 7 } else { 24 },
                    format!("{action:?} came without an event"),
                ))
            }
        }
    }
}

/// The transport that an event names.
pub(super) fn event_transport(event: &Event) -> Option<crate::event::TransportId> {
    match event {
        Event::Opened { transport, .. }
        | Event::DialFailed { transport, .. }
        | Event::Received { transport, .. }
        | Event::Heard { transport }
        | Event::Flushed { transport, .. }
        | Event::Buffered { transport, .. }
        | Event::Violated { transport, .. }
        | Event::Release { transport }
        | Event::Refuse { transport, .. }
        | Event::Ended { transport, .. } => Some(*transport),
        Event::Tick
        | Event::Send(_)
        | Event::Cancel(_)
        | Event::Purge
        | Event::Reorder(_)
        | Event::Close(_)
        | Event::Drain { .. }
        | Event::Reconnect
        | Event::Retry { .. }
        | Event::PauseReads
        | Event::ResumeReads => None,
    }
}
