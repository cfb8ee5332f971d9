//! The opening: what is said on a new transport before anything that is queued.
//!
//! With `opening.hold` a transport that opens is held. Messages of the lane ahead go out, and so do
//! heartbeats and acknowledgements; the queue waits for the release. The opening ends with that,
//! with a refusal, with the transport, or with `opening.timeout`, which runs on whatever else
//! happens, a pause of reading included: it is to hold where nothing else does.

use alloc::boxed::Box;

use crate::connection::Connection;
use crate::dialect::Dialect;
use crate::error::{Accepted, Rejected};
use crate::event::Outgoing;
use crate::notice::Reason;
use crate::outbox::Queued;
use crate::phase::Phase;
use crate::time::Instant;
use crate::timers::Timer;

impl<D: Dialect> Connection<D> {
    /// Whether what is queued is held back until the opening is over.
    pub(crate) fn is_held(&self) -> bool {
        let held = self.transport.as_ref().is_some_and(|transport| transport.held);
        held && matches!(self.phase, Phase::Open)
    }

    /// The transport that has just opened is held.
    pub(crate) fn hold(&mut self, now: Instant) {
        self.timers.arm(Timer::Opening, now + self.config.opening.timeout);
        planted!(self.output, OpeningUnbounded => self.timers.disarm(Timer::Opening));
        planted!(self.output, StableWhileHeld => return);
        // A transport on which no opening succeeds is not stable, however long each one takes: else
        // the delays would start over with every attempt.
        self.timers.disarm(Timer::Stable);
    }

    /// The opening is over.
    pub(crate) fn release(&mut self, now: Instant) {
        if let Some(transport) = &mut self.transport {
            transport.held = false;
        }
        self.timers.disarm(Timer::Opening);
        self.timers.arm(Timer::Stable, now + self.config.retry.stable_after);
    }

    /// The application will not go on with this transport.
    pub(crate) fn refuse(&mut self, now: Instant, retry: bool, detail: Box<str>) {
        let retry = retry || planted!(self.output, RefusalRetried);
        let reason = Reason::Refused { retry, detail };
        if retry {
            self.give_up(now, reason);
        } else {
            self.refuse_for_good(now, reason);
        }
    }

    /// The transport is given up for another.
    pub(crate) fn give_up(&mut self, now: Instant, reason: Reason) {
        self.abort();
        self.lost(now, reason);
    }

    /// Takes a message that goes ahead of the queue. A drain waits for the opening, so what the
    /// opening needs is taken in a drain as well.
    pub(crate) fn send_ahead(
        &mut self,
        now: Instant,
        message: Outgoing,
    ) -> Result<Accepted, Rejected> {
        let drains = self.draining.is_some() && !self.is_held();
        match self.phase {
            Phase::Closing(_) | Phase::Closed => return Err(Rejected::Closed(message)),
            Phase::Idle | Phase::Waiting | Phase::Dialing => {
                return Err(Rejected::NotOpen(message));
            }
            Phase::Open if drains => return Err(Rejected::Closed(message)),
            Phase::Open => {}
        }
        let Self { config, dialect, outbox, output, .. } = self;
        let (seq, expires) = outbox.accept_ahead(message, config, dialect, now, output)?;
        if let Some(expires) = expires {
            self.timers.arm_earlier(Timer::Ttl, expires);
        }
        Ok(Accepted::Message(seq))
    }

    /// How many more messages may be sent [ahead](Outgoing::ahead) before one is handed over: 64
    /// less those that wait. What has to be said beyond that is said as they are handed over. It
    /// says nothing about whether a transport is open.
    #[must_use]
    pub fn ahead_room(&self) -> usize {
        self.outbox.ahead_room()
    }

    /// What was accepted and never handed to a transport, in the order in which it would go out;
    /// messages that go [ahead](Outgoing::ahead) are not among it.
    /// [`Event::Reorder`](crate::Event::Reorder) changes the order,
    /// [`Event::Cancel`](crate::Event::Cancel) takes one of them out.
    pub fn queued(&self) -> impl Iterator<Item = Queued<'_>> {
        self.outbox.unsent()
    }
}
