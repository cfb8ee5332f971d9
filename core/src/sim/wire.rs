//! The transports: which one lives, what is written to it and what was flushed.

use alloc::collections::VecDeque;

use core::hash::Hash as _;

use super::fingerprint::Fingerprint;
use super::glance::Stage;
use super::{Moment, Verdict, demand};
use crate::action::Action;
use crate::config::Config;
use crate::dialect::Meaning;
use crate::error::Accepted;
use crate::event::{Capabilities, Event, TransportId};
use crate::frame::{Frame, Payload};
use crate::notice::{Notice, State};
use crate::time::Instant;

/// Control frames that may be unflushed: 64 and a close.
const MAX_CONTROL: usize = 65;

#[derive(Clone, Debug, PartialEq, Hash)]
struct Write {
    /// Bytes written up to and including this one.
    end: u64,
    data: bool,
    index: u64,
}

/// The transport between its dial and its end.
#[derive(Clone, Debug, PartialEq)]
struct Live {
    id: TransportId,
    dialled: Instant,
    open: Option<Capabilities>,
    /// What must be written first.
    greeting: Option<Frame>,
    /// Whether the peer takes messages, and whether it has said that it does or does not.
    admits: bool,
    answered: bool,
    /// Since when it only lingers to say goodbye.
    lingers: Option<Instant>,
    close_written: bool,
    writes: u64,
    bytes: u64,
    flushed: u64,
    unflushed: VecDeque<Write>,
    /// How many of those are control frames.
    controls: usize,
}

/// The indices of the writes that are flushed now, from the first to the last that is data.
pub(super) type Flushed = core::ops::RangeInclusive<u64>;

/// Every transport so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wire {
    last: u64,
    live: Option<Live>,
    /// A late `Opened` whose `Abort` is due.
    owed: Option<TransportId>,
    /// What the opening transport can do.
    opening: Option<Capabilities>,
}

impl Wire {
    pub(super) fn new() -> Self {
        Self { last: 0, live: None, owed: None, opening: None }
    }

    /// Takes what decides on what comes next.
    pub(super) fn fingerprint(&self, to: &mut Fingerprint) {
        let Self { last, live, owed, opening } = self;
        (last, owed, opening).hash(to);
        let Some(live) = live else { return };
        let Live { id, dialled, open, greeting, admits, answered, lingers, .. } = live;
        let Live { close_written, writes, bytes, flushed, unflushed, .. } = live;
        (id, open, close_written, writes, bytes, flushed, unflushed).hash(to);
        (greeting, admits, answered).hash(to);
        to.instant(*dialled);
        to.optional(*lingers);
    }

    #[inline]
    pub(super) fn id(&self) -> Option<TransportId> {
        self.live.as_ref().map(|live| live.id)
    }

    pub(super) fn capabilities(&self) -> Option<Capabilities> {
        self.live.as_ref().and_then(|live| live.open)
    }

    /// Whether something may be heard on `id`.
    pub(super) fn hears(&self, id: TransportId) -> bool {
        let heard = |live: &Live| live.id == id && live.open.is_some() && live.lingers.is_none();
        self.live.as_ref().is_some_and(heard)
    }

    /// Whether `id` was ever dialled.
    pub(super) fn knows(&self, id: TransportId) -> bool {
        id.get() <= self.last
    }

    /// Takes what an event says of a transport; returns the indices of data now flushed.
    #[inline]
    pub(super) fn event(&mut self, moment: &Moment<'_>) -> Result<Option<Flushed>, super::Broken> {
        moment.transport.map_or(Ok(None), |id| self.told(moment, id))
    }

    fn told(
        &mut self,
        moment: &Moment<'_>,
        id: TransportId,
    ) -> Result<Option<Flushed>, super::Broken> {
        if *moment.result != Ok(Accepted::Done) {
            if let Event::Opened { .. } = moment.event
                && self.knows(id)
            {
                self.owed = Some(id);
            }
            return Ok(None);
        }
        let event = moment.event;
        demand!(6, self.id() == Some(id), "{event:?} took effect, live is {:?}", self.id());
        let Some(live) = &mut self.live else { return Ok(None) };
        match event {
            Event::Opened { capabilities, .. } => {
                demand!(6, live.open.is_none(), "{event:?} took effect twice");
                self.opening = Some(*capabilities);
            }
            Event::DialFailed { .. } => {
                demand!(6, live.open.is_none(), "{event:?} took effect after it opened");
                self.live = None;
            }
            Event::Ended { .. } => self.live = None,
            Event::Flushed { through, .. } => {
                return Ok(live.take(|write| write.index <= *through));
            }
            Event::Buffered { bytes, .. } => {
                let gone = live.bytes.saturating_sub(*bytes);
                return Ok(live.take(|write| write.end <= gone));
            }
            Event::Received { .. }
            | Event::Heard { .. }
            | Event::Violated { .. }
            | Event::Release { .. }
            | Event::Refuse { .. } => {
                let heard = live.open.is_some() && live.lingers.is_none();
                demand!(6, heard, "{event:?} took effect on what was not open");
            }
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
            | Event::ResumeReads => {}
        }
        Ok(None)
    }

    #[inline]
    pub(super) fn action(&mut self, now: Instant, action: &Action) -> Verdict {
        match action {
            Action::Dial { transport, .. } => {
                demand!(1, self.live.is_none(), "{action:?} while {:?} lives", self.id());
                demand!(2, transport.get() == self.last + 1, "{action:?} after {}", self.last);
                self.last = transport.get();
                self.live = Some(Live {
                    id: *transport,
                    dialled: now,
                    open: None,
                    greeting: None,
                    admits: true,
                    answered: true,
                    lingers: None,
                    close_written: false,
                    writes: 0,
                    bytes: 0,
                    flushed: 0,
                    unflushed: VecDeque::new(),
                    controls: 0,
                });
            }
            Action::Abort { transport } => {
                if self.id() == Some(*transport) {
                    self.live = None;
                } else {
                    let owed = self.owed.take() == Some(*transport);
                    demand!(4, owed, "{action:?}, live is {:?}", self.id());
                }
            }
            Action::Notify(Notice::StateChanged { to: State::Open, .. }) => {
                let opening = self.opening.take();
                demand!(5, opening.is_some(), "{action:?} without a transport that opened");
                if let Some(live) = &mut self.live {
                    live.open = opening;
                }
            }
            Action::Notify(Notice::StateChanged { to: State::Reconnecting, .. }) => {
                if let Some(live) = &mut self.live {
                    live.lingers = Some(now);
                }
            }
            Action::Notify(Notice::Closed(_)) => {
                demand!(1, self.live.is_none(), "closed, and {:?} lives", self.id());
            }
            Action::Notify(Notice::Message(message)) => {
                let id = message.transport;
                demand!(4, self.id() == Some(id), "{message:?}, live is {:?}", self.id());
            }
            Action::Notify(_) | Action::Write { .. } | Action::Wait { .. } => {}
        }
        Ok(())
    }

    /// Notes what the dialect says first on a transport that opens.
    pub(super) fn greet(&mut self, greeting: Option<Payload>) {
        if let (Some(live), Some(greeting)) = (&mut self.live, greeting) {
            live.greeting = Some(Frame::from(greeting));
            (live.admits, live.answered) = (false, false);
        }
    }

    /// Notes whether the peer says that it takes messages.
    pub(super) fn heard(&mut self, meaning: &Meaning) {
        if let (Some(live), Meaning::Admission { admits, .. }) = (&mut self.live, meaning) {
            (live.admits, live.answered) = (*admits, true);
        }
    }

    /// Whether the peer takes messages.
    pub(super) fn admits(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.admits)
    }

    /// Judges a write. Returns nothing: which message it was is the ledger's to know.
    pub(super) fn write(
        &mut self,
        transport: TransportId,
        index: u64,
        frame: &Frame,
        data: bool,
        config: &Config,
    ) -> Verdict {
        demand!(4, self.id() == Some(transport), "{frame:?} to {transport}, not {:?}", self.id());
        let Some(live) = &mut self.live else { return Ok(()) };
        demand!(5, live.open.is_some(), "{frame:?} before {transport} opened");
        demand!(5, !live.close_written, "{frame:?} after a close frame");
        if let Some(greeting) = live.greeting.take() {
            demand!(5, *frame == greeting, "{frame:?} before the greeting");
        }
        demand!(5, !data || live.admits, "{frame:?} to a peer that takes no messages");
        demand!(5, index == live.writes + 1, "write {index} after {}", live.writes);
        demand!(4, !data || live.lingers.is_none(), "{frame:?} to the lost {transport}");
        live.close_written = matches!(frame, Frame::Close(_));
        live.writes = index;
        let size = frame.len() as u64;
        let credit = config.outbox.write_credit as u64;
        let wanted = live.bytes - live.flushed + size;
        if data {
            let alone = live.unflushed.is_empty();
            demand!(23, alone || wanted <= credit, "{wanted} bytes unflushed, credit {credit}");
        }
        live.bytes += size;
        live.unflushed.push_back(Write { end: live.bytes, data, index });
        live.controls += usize::from(!data);
        let controls = live.controls;
        demand!(23, controls <= MAX_CONTROL, "{controls} control frames unflushed");
        Ok(())
    }

    /// How many control frames are unflushed.
    #[inline]
    pub(super) fn controls(&self) -> usize {
        self.live.as_ref().map_or(0, |live| live.controls)
    }

    /// Whether data of that size may be written now.
    pub(super) fn has_credit(&self, size: usize, config: &Config) -> bool {
        let wanted = |live: &Live| live.bytes - live.flushed + size as u64;
        self.live.as_ref().is_some_and(|live| {
            live.unflushed.is_empty() || wanted(live) <= config.outbox.write_credit as u64
        })
    }

    #[inline]
    pub(super) fn after(&mut self, moment: &Moment<'_>) -> Verdict {
        let Moment { now, config, after, .. } = moment;
        // One that is open already is not late.
        self.owed = self.owed.filter(|owed| self.id() != Some(*owed));
        demand!(4, self.owed.is_none(), "the late {:?} was not aborted", self.owed);
        // An `Opened` that the config cannot use ends in the close.
        self.opening = None;
        let (is, told) = (after.transport, self.id());
        demand!(1, is == told, "the status names {is:?}, the actions {told:?}");
        let Some(live) = &self.live else { return Ok(()) };
        if live.open.is_none() || !live.answered && after.phase == Stage::Open {
            let until = live.dialled + config.connect.dial_timeout;
            demand!(19, *now < until, "{} is not there at {now}, past {until}", live.id);
        }
        if let Some(since) = live.lingers {
            let until = since + config.close.timeout;
            demand!(9, *now < until, "{} lingers at {now}, past {until}", live.id);
        }
        Ok(())
    }
}

impl Live {
    fn take(&mut self, flushed: impl Fn(&Write) -> bool) -> Option<Flushed> {
        let mut data: Option<Flushed> = None;
        while self.unflushed.front().is_some_and(&flushed) {
            let Some(write) = self.unflushed.pop_front() else { break };
            self.flushed = write.end;
            self.controls -= usize::from(!write.data);
            if write.data {
                let first = data.map_or(write.index, |data| *data.start());
                data = Some(first..=write.index);
            }
        }
        data
    }
}
