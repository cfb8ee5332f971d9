//! Time: what is due, what silence means, when a connection is stable and when it must close.

use super::glance::Stage;
use core::hash::Hash as _;

use super::fingerprint::Fingerprint;
use super::{Moment, Verdict, demand};
use crate::action::Action;
use crate::config::{Config, HeartbeatStyle};
use crate::dialect::Meaning;
use crate::error::Accepted;
use crate::event::{Capabilities, Event};
use crate::frame::Frame;
use crate::notice::{Death, Notice, State, Warning};
use crate::time::{Duration, Instant};

/// How pings go out on a transport.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub(super) enum Style {
    Protocol,
    Application,
    Both,
    Server,
    Off,
}

/// The ping that must be answered after the clock jumped.
#[derive(Clone, Debug, PartialEq)]
struct Probe {
    until: Instant,
    /// The ping on the wire, once it was seen.
    ping: Option<Frame>,
    /// For pings without a nonce: how many pongs there must have been.
    number: u64,
}

/// The open transport, as far as time is concerned.
#[derive(Clone, Debug, PartialEq)]
struct Open {
    style: Style,
    protocol_ping: bool,
    /// Since when it is open, or released if it was held.
    since: Instant,
    held: bool,
    proved: bool,
    heard: Instant,
    /// Since when silence counts: the last sound, resumed read or jump.
    silent: Instant,
    /// How much later than asked for the driver came since then.
    late: Duration,
    /// How long after a ping silence is tolerated, by the config.
    patience: Duration,
    /// Since when the feed may be called stale.
    data: Instant,
    pings: u64,
    pongs: u64,
    probe: Option<Probe>,
    /// Pings wait that cannot be seen: which of them is the probe cannot be known from outside.
    unsure: bool,
}

/// What time demands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Liveness {
    paused: bool,
    open: Option<Open>,
    closing: Option<Instant>,
    drain_until: Option<Instant>,
    /// Whether the dialect's own pings go beside those that must be answered. So it is until another
    /// transport opens: what waited is written also after the peer has said goodbye.
    both: bool,
    /// Pings written since the last event, if nothing waited to be written before it.
    burst: Option<u32>,
    /// Those of the dialect's that went beside them, likewise.
    beside: Option<u32>,
    /// Whether the attempt counter may be reset in the event at hand.
    stable: bool,
    /// A probe was made by the event at hand.
    probes: bool,
}

impl Liveness {
    pub(super) fn new() -> Self {
        Self {
            paused: false,
            open: None,
            closing: None,
            drain_until: None,
            both: false,
            burst: Some(0),
            beside: Some(0),
            stable: false,
            probes: false,
        }
    }

    /// Takes what decides on what comes next.
    pub(super) fn fingerprint(&self, to: &mut Fingerprint) {
        // What is of the event at hand is over.
        let Self { paused, open, closing, drain_until, both, burst, beside, stable: _, probes: _ } =
            self;
        (paused, both, burst, beside).hash(to);
        to.optional(*closing);
        to.optional(*drain_until);
        let Some(open) = open else { return };
        let Open { style, protocol_ping, since, held, proved, heard, silent, late, data, .. } =
            open;
        (style, protocol_ping, held, proved, late).hash(to);
        for at in [since, heard, silent, data] {
            to.instant(*at);
        }
        (open.pings, open.pongs, open.unsure).hash(to);
        if let Some(Probe { until, ping, number }) = &open.probe {
            to.instant(*until);
            (ping, number).hash(to);
        }
    }

    /// Whether the attempt counter may be reset in the event at hand.
    pub(super) fn may_reset(&self) -> bool {
        self.stable
    }

    /// What follows from the event itself. `heard` says that it came from an open transport.
    #[inline]
    pub(super) fn event(&mut self, moment: &Moment<'_>, heard: bool, meaning: Option<&Meaning>) {
        let Moment { now, event, before, .. } = *moment;
        self.probes = false;
        if let Some(open) = &mut self.open {
            if let Some((deadline, _)) = before.deadline
                && deadline < now
            {
                open.late = open.late.saturating_add(now - deadline);
            }
            if heard {
                open.proved = true;
                open.heard = now;
                open.silent = now;
                open.late = Duration::ZERO;
            }
        }
        self.stable = self.open.as_ref().is_some_and(|open| open.is_stable(now, moment.config));
        if !moment.done() {
            return;
        }
        if let Event::PauseReads = event {
            self.paused = true;
        }
        if let Event::ResumeReads = event
            && core::mem::take(&mut self.paused)
            && let Some(open) = &mut self.open
        {
            open.start_anew(now);
            if let Some(probe) = &mut open.probe {
                probe.until = now + probe_deadline(moment.config);
            }
        }
        if let Event::Release { .. } = event
            && let Some(open) = &mut self.open
        {
            open.held = false;
            open.since = now;
        }
        if let Event::Received { frame, .. } = event {
            self.received(now, frame, meaning);
        }
        if let Event::Drain { timeout, .. } = event
            && !matches!(moment.due.phase, Stage::Closing | Stage::Closed)
        {
            let until = now + timeout.unwrap_or(moment.config.close.drain);
            self.drain_until.get_or_insert(until);
        }
    }

    fn received(&mut self, now: Instant, frame: &Frame, meaning: Option<&Meaning>) {
        let Some(open) = &mut self.open else { return };
        let answered = if let Frame::Pong(payload) = frame {
            let own = Frame::Ping(payload.clone());
            // Before it was written it can at most have been guessed.
            let right = |probe: &Probe| probe.ping.as_ref() == Some(&own);
            open.probe.as_ref().is_some_and(|probe| right(probe) && probe.number <= open.pings)
        } else if meaning == Some(&Meaning::Pong) {
            open.pongs = open.pings.min(open.pongs + 1);
            let right = |probe: &Probe| probe.number == open.pongs;
            open.style == Style::Application && open.probe.as_ref().is_some_and(right)
        } else {
            let data = match meaning {
                Some(Meaning::Messages(payloads)) => !payloads.is_empty(),
                Some(
                    Meaning::Message { .. }
                    | Meaning::Unreadable { .. }
                    | Meaning::Admission { .. },
                ) => true,
                Some(Meaning::Ping | Meaning::Pong | Meaning::Ack { .. } | Meaning::BadAck)
                | None => false,
            };
            if data {
                open.data = now;
            }
            false
        };
        if answered {
            open.probe = None;
        }
    }

    /// Notes what the open transport can do, and which style that means.
    pub(super) fn opened(&mut self, now: Instant, config: &Config, can: Capabilities, own: bool) {
        let style = match config.heartbeat.style {
            HeartbeatStyle::Both if can.protocol_ping && own => Style::Both,
            HeartbeatStyle::Protocol | HeartbeatStyle::Both if can.protocol_ping => Style::Protocol,
            HeartbeatStyle::Protocol | HeartbeatStyle::Application | HeartbeatStyle::Both
                if own =>
            {
                Style::Application
            }
            HeartbeatStyle::Server => Style::Server,
            HeartbeatStyle::Protocol
            | HeartbeatStyle::Application
            | HeartbeatStyle::Both
            | HeartbeatStyle::Off => Style::Off,
        };
        let heartbeat = &config.heartbeat;
        self.both = style == Style::Both;
        self.open = Some(Open {
            style,
            patience: heartbeat.interval * heartbeat.misses + heartbeat.deadline,
            protocol_ping: can.protocol_ping,
            since: now,
            held: config.opening.hold,
            proved: false,
            heard: now,
            silent: now,
            late: Duration::ZERO,
            data: now,
            pings: 0,
            pongs: 0,
            probe: None,
            unsure: false,
        });
    }

    /// Whether messages wait for the answer to a probe.
    pub(super) fn holds_data(&self) -> bool {
        !self.paused && self.open.as_ref().is_some_and(|open| open.probe.is_some() || open.unsure)
    }

    #[inline]
    pub(super) fn action(&mut self, moment: &Moment<'_>, action: &Action) -> Verdict {
        if let Action::Notify(
            notice @ (Notice::Dead { .. } | Notice::Warning(_) | Notice::StateChanged { .. }),
        ) = action
        {
            return self.told(moment, notice);
        }
        Ok(())
    }

    fn told(&mut self, moment: &Moment<'_>, notice: &Notice) -> Verdict {
        let Moment { now, config, .. } = *moment;
        // What is due comes before a pause or its end.
        let paused = moment.before.reads_paused;
        if let Notice::Dead { silence, why } = notice {
            demand!(20, !paused, "dead ({}) while reads are paused", why.as_str());
            self.dead(now, *silence, *why, config)?;
        }
        if let Notice::Warning(Warning::ClockJump { .. }) = notice
            && let Some(open) = &mut self.open
        {
            open.start_anew(now);
            if open.can_probe() && !paused {
                let until = now + probe_deadline(config);
                open.probe = Some(Probe { until, ping: None, number: u64::MAX });
                self.probes = true;
            }
        }
        if let Notice::StateChanged { to: State::Reconnecting | State::Closed, .. } = notice {
            self.open = None;
        }
        Ok(())
    }

    fn dead(&self, now: Instant, silence: Duration, why: Death, config: &Config) -> Verdict {
        let Some(open) = &self.open else { return Ok(()) };
        let silent = match why {
            Death::Pong | Death::Probe => now - open.heard,
            Death::Stale => now - open.data,
        };
        demand!(20, silence == silent, "dead after {silence:?}, silent for {silent:?}");
        let heartbeat = &config.heartbeat;
        match why {
            Death::Pong => {
                let patience = open.patience;
                demand!(20, silence >= patience, "dead after {silence:?} of {patience:?}");
            }
            Death::Stale => {
                let limit = heartbeat.stale_after.unwrap_or(Duration::MAX);
                demand!(20, silence >= limit, "stale after {silence:?} of {limit:?}");
            }
            Death::Probe => {
                let until = open.probe.as_ref().map(|probe| probe.until);
                let due = until.is_some_and(|until| until <= now);
                demand!(21, due || open.unsure, "dead by the probe at {now}, due at {until:?}");
            }
        }
        Ok(())
    }

    /// Notes the pings that wait to be written after this event: how many, and the last one, if
    /// all can be seen.
    pub(super) fn pings(&mut self, waiting: u64, last: Option<Frame>, all: bool) {
        let probes = self.probes;
        let Some(open) = &mut self.open else { return };
        open.unsure |= !all;
        let total = open.pings + waiting;
        if let Some(probe) = open.probe.as_mut().filter(|_| probes) {
            probe.ping = last;
            probe.number = total;
        }
    }

    /// Whether the next [`pings`](Self::pings) matters.
    pub(super) fn wants_pings(&self) -> bool {
        self.probes && self.open.as_ref().is_some_and(|open| open.probe.is_some())
    }

    /// A ping was written.
    pub(super) fn ping(&mut self) -> Verdict {
        if let Some(open) = &mut self.open {
            open.pings += 1;
        }
        if let Some(burst) = &mut self.burst {
            *burst += 1;
            demand!(18, *burst == 1, "{burst} pings after one event");
        }
        Ok(())
    }

    /// Whether the dialect's own pings go beside those that must be answered.
    pub(super) fn sends_both(&self) -> bool {
        self.both
    }

    /// Whether a ping was written, and none of the dialect's beside it.
    pub(super) fn lacks_beside(&self) -> bool {
        self.both && self.beside != self.burst
    }

    /// One of the dialect's own was written beside a ping.
    pub(super) fn beside(&mut self) -> Verdict {
        if let Some(beside) = &mut self.beside {
            *beside += 1;
            let pings = self.burst;
            demand!(18, Some(*beside) == pings, "{beside} beside {pings:?} pings after one event");
        }
        Ok(())
    }

    /// An event comes; `drained` says whether nothing waits to be written.
    #[inline]
    pub(super) fn begin(&mut self, drained: bool) {
        self.burst = drained.then_some(0);
        self.beside = self.burst;
    }

    #[inline]
    pub(super) fn after(&mut self, moment: &Moment<'_>) -> Verdict {
        let Moment { now, config, event, result, before, after, .. } = *moment;
        if let (Event::Tick, Ok(_), Some((was, _))) = (event, result, before.deadline)
            && was <= now
        {
            let next = after.deadline;
            let later = next.is_none_or(|(next, _)| next > now);
            demand!(16, later, "tick at {now}, and the next deadline is {next:?}");
        }
        demand!(20, after.reads_paused == self.paused, "reads paused: {}", after.reads_paused);
        self.closing(moment)?;
        let Some(open) = self.open.as_mut().filter(|_| after.phase == Stage::Open) else {
            return Ok(());
        };
        let (is, may) = (after.attempt == 0, open.is_stable(now, config));
        // A time of nothing has passed at the next event.
        let begins = matches!(event, Event::Opened { .. } | Event::Release { .. });
        let held = is == may || (may && begins);
        demand!(12, held, "open since {}, reset: {is}, stable at {now}: {may}", open.since);
        if self.paused {
            return Ok(());
        }
        let heartbeat = &config.heartbeat;
        if open.style != Style::Off {
            let until = open.silent + heartbeat.interval + open.patience + open.late;
            demand!(20, now < until, "silent since {} at {now}, past {until}", open.silent);
        }
        if let Some(limit) = heartbeat.stale_after {
            let until = open.data + limit;
            demand!(20, now < until, "no data since {} at {now}, past {until}", open.data);
        }
        if let Some(probe) = &open.probe {
            let until = probe.until;
            demand!(
                21,
                now < until || open.unsure,
                "the probe is unanswered at {now}, past {until}"
            );
        }
        Ok(())
    }

    #[inline]
    fn closing(&mut self, moment: &Moment<'_>) -> Verdict {
        let Moment { now, config, event, after, .. } = *moment;
        let over = matches!(after.phase, Stage::Closing | Stage::Closed);
        if matches!(event, Event::Close(_)) && *moment.result == Ok(Accepted::Done) {
            demand!(9, over, "close() led to {:?}", after.phase);
        }
        // A reconnect may call off the handshake that the drain came to in the same event.
        if over || (moment.is_reconnect() && moment.due.phase == Stage::Closing) {
            self.drain_until = None;
        }
        // A drain that may take no time ends at the next event.
        if let (Some(until), false) = (self.drain_until, matches!(event, Event::Drain { .. })) {
            demand!(9, now < until, "drains at {now}, past {until}");
        }
        if after.phase == Stage::Closing {
            let since = *self.closing.get_or_insert(now);
            let until = since + config.close.timeout;
            demand!(9, now < until, "closing at {now}, past {until}");
        } else {
            self.closing = None;
        }
        Ok(())
    }
}

impl Open {
    /// Silence counts from now.
    fn start_anew(&mut self, now: Instant) {
        self.silent = now;
        self.late = Duration::ZERO;
        self.data = now;
    }

    fn is_stable(&self, now: Instant, config: &Config) -> bool {
        let proved = self.proved || self.style == Style::Off;
        proved && !self.held && self.since + config.retry.stable_after <= now
    }

    fn can_probe(&self) -> bool {
        match self.style {
            Style::Protocol | Style::Application | Style::Both => true,
            Style::Server => self.protocol_ping,
            Style::Off => false,
        }
    }
}

fn probe_deadline(config: &Config) -> Duration {
    config.clock.probe_deadline.min(config.heartbeat.deadline)
}
