//! What a trace amounts to: spans of states, outages, and lines for people.

use perennial_core::trace::{Replay, Trace, TraceError};
use perennial_core::{
    Action, ClosedBy, Counters, Duration, Event, Frame, Instant, Notice, State, Status,
};

use super::describe;
use crate::people::count;

/// What happened from the first event to the last.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) start: Instant,
    pub(super) end: Instant,
    /// The states one after the other, without gaps.
    pub(super) spans: Vec<Span>,
    pub(super) outages: Vec<Outage>,
    /// When each dial began.
    pub(super) dials: Vec<Instant>,
    /// When each pong came, and its round trip.
    pub(super) pongs: Vec<(Instant, Duration)>,
    /// When a transport was found dead.
    pub(super) deaths: Vec<Instant>,
    /// How many messages the outbox held from then on.
    pub(super) depth: Vec<(Instant, usize)>,
    /// A line for each thing that people want to know.
    pub(super) lines: Vec<(Instant, String)>,
    /// How many of them are warnings.
    warnings: u64,
    pub(super) counters: Counters,
    /// The first event after which the replay did something else, if there is one.
    pub(super) differs: Option<usize>,
    pub(super) events: usize,
}

/// A state and how long it lasted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) state: State,
    pub(super) from: Instant,
    pub(super) to: Instant,
}

/// From losing an open connection to the next open one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    pub(super) from: Instant,
    /// `None` if it did not end in an open connection.
    pub(super) to: Option<Instant>,
    pub(super) attempts: u64,
}

/// What is told in one line, unless something else comes between.
#[derive(Debug, Default)]
struct Quiet {
    pings: u64,
    pongs: u64,
    rtt: Option<(Duration, Duration)>,
    sent: u64,
    received: u64,
    duplicates: u64,
    delivered: u64,
    undelivered: u64,
    deepest: usize,
    warnings: u64,
}

/// So many warnings are told one by one.
const MOST_WARNINGS: u64 = 20;

impl Story {
    /// Replays the trace and listens.
    pub(super) fn of(trace: &Trace) -> Result<Self, TraceError> {
        let mut replay = Replay::new(trace)?;
        let start = super::replay::origin(trace);
        let mut story = Self {
            start,
            end: start,
            spans: vec![Span { state: State::Connecting, from: start, to: start }],
            outages: Vec::new(),
            dials: Vec::new(),
            pongs: Vec::new(),
            deaths: Vec::new(),
            depth: vec![(start, 0)],
            lines: Vec::new(),
            warnings: 0,
            counters: Counters::default(),
            differs: None,
            events: trace.steps().len(),
        };
        let mut quiet = Quiet::default();
        while let Some(stepped) = replay.step()? {
            // A clock that goes back is held.
            let at = stepped.at.max(story.end);
            story.end = at;
            let status = replay.connection().status();
            story.note_event(at, stepped.event.as_ref(), &mut quiet);
            for action in &stepped.actions {
                story.note_action(at, action, &status, &mut quiet);
            }
            let depth = status.queued + status.in_flight;
            quiet.deepest = quiet.deepest.max(depth);
            if story.depth.last().is_none_or(|(_, last)| *last != depth) {
                story.depth.push((at, depth));
            }
            if stepped.difference.is_some() {
                story.differs = story.differs.or(Some(stepped.number));
            }
            story.counters = status.counters;
        }
        story.break_silence(story.end, &mut quiet);
        if let Some(span) = story.spans.last_mut() {
            span.to = story.end;
        }
        Ok(story)
    }

    fn tell(&mut self, at: Instant, line: impl Into<String>, quiet: &mut Quiet) {
        self.break_silence(at, quiet);
        self.lines.push((at, line.into()));
    }

    fn break_silence(&mut self, at: Instant, quiet: &mut Quiet) {
        if let Some(line) = std::mem::take(quiet).line() {
            self.lines.push((at, line));
        }
    }

    fn note_event(&mut self, at: Instant, event: Option<&Event>, quiet: &mut Quiet) {
        let Some(event) = event else { return };
        match event {
            Event::Close(_)
            | Event::Drain { .. }
            | Event::Reconnect
            | Event::Purge
            | Event::Reorder(_)
            | Event::Release { .. }
            | Event::Refuse { .. }
            | Event::PauseReads
            | Event::ResumeReads
            | Event::Retry { choice: perennial_core::RetryChoice::Stop, .. }
            | Event::Retry { choice: perennial_core::RetryChoice::After(_), .. } => {
                self.tell(at, describe::event(Some(event)), quiet);
            }
            Event::Received { frame: Frame::Close(Some(close)), .. } => {
                self.tell(at, format!("the server closes with {}", close.code), quiet);
            }
            Event::Send(_) => quiet.sent += 1,
            Event::Tick
            | Event::Cancel(_)
            | Event::Retry { .. }
            | Event::Opened { .. }
            | Event::DialFailed { .. }
            | Event::Received { .. }
            | Event::Heard { .. }
            | Event::Flushed { .. }
            | Event::Buffered { .. }
            | Event::Violated { .. }
            | Event::Ended { .. } => {}
        }
    }

    fn note_action(&mut self, at: Instant, action: &Action, status: &Status, quiet: &mut Quiet) {
        match action {
            Action::Write { frame: Frame::Ping(_), .. } => quiet.pings += 1,
            Action::Notify(notice) => self.note_notice(at, notice, status, quiet),
            Action::Write { .. }
            | Action::Dial { .. }
            | Action::Abort { .. }
            | Action::Wait { .. } => {}
        }
    }

    fn note_notice(&mut self, at: Instant, notice: &Notice, status: &Status, quiet: &mut Quiet) {
        match notice {
            Notice::StateChanged { to, reason, .. } => {
                self.change(at, *to, reason.as_ref().map(describe::reason), status, quiet);
            }
            Notice::Dialing { transport, attempt } => {
                self.dials.push(at);
                if let Some(outage) = self.outages.last_mut().filter(|outage| outage.to.is_none()) {
                    outage.attempts += 1;
                }
                self.tell(at, format!("attempt {attempt} (transport {transport})"), quiet);
            }
            Notice::Retrying { delay, advice, reason, .. } => {
                let advised = advice.map_or(String::new(), |advice| {
                    format!(", as the server advised ({})", advice.as_str())
                });
                let (why, delay) = (describe::reason(reason), describe::duration(*delay));
                self.tell(at, format!("{why}; next attempt in {delay}{advised}"), quiet);
            }
            Notice::Suspended { outage } => {
                let outage = describe::duration(*outage);
                self.tell(at, format!("suspended: down for {outage}"), quiet);
            }
            Notice::Dead { silence, why } => {
                self.deaths.push(at);
                let silence = describe::duration(*silence);
                self.tell(at, format!("dead ({}): silent for {silence}", why.as_str()), quiet);
            }
            Notice::Warning(warning) if self.warnings < MOST_WARNINGS => {
                self.warnings += 1;
                self.tell(at, format!("warning: {}", describe::warning(warning)), quiet);
            }
            Notice::Warning(_) => quiet.warnings += 1,
            Notice::Closed(closed) => {
                let who = match closed.by {
                    ClosedBy::Application => "by the application",
                    ClosedBy::Server => "by the server",
                    ClosedBy::Policy => "by policy",
                };
                let why = describe::reason(&closed.reason);
                self.tell(at, format!("closed {who} with {}: {why}", closed.code), quiet);
            }
            Notice::Pong { rtt } => {
                self.pongs.push((at, *rtt));
                quiet.pongs += 1;
                let (least, most) = quiet.rtt.unwrap_or((*rtt, *rtt));
                quiet.rtt = Some((least.min(*rtt), most.max(*rtt)));
            }
            Notice::Message(_) => quiet.received += 1,
            Notice::Duplicate { .. } => quiet.duplicates += 1,
            Notice::Flushed { .. } | Notice::Acknowledged { .. } => quiet.delivered += 1,
            Notice::Undelivered { .. } => quiet.undelivered += 1,
            Notice::Writable => {}
        }
    }

    fn change(
        &mut self,
        at: Instant,
        to: State,
        reason: Option<String>,
        status: &Status,
        quiet: &mut Quiet,
    ) {
        if let Some(span) = self.spans.last_mut() {
            span.to = at;
        }
        self.spans.push(Span { state: to, from: at, to: at });
        let waiting = status.queued + status.in_flight;
        let line = match to {
            State::Open => match self.outages.last_mut().filter(|outage| outage.to.is_none()) {
                Some(outage) => {
                    outage.to = Some(at);
                    let (length, attempts) =
                        (describe::duration(at - outage.from), outage.attempts);
                    let s = if attempts == 1 { "" } else { "s" };
                    format!("open again after an outage of {length}, {attempts} attempt{s}")
                }
                None => format!("open after {}", describe::duration(at - self.start)),
            },
            State::Reconnecting => {
                self.outages.push(Outage { from: at, to: None, attempts: 0 });
                let why = reason.unwrap_or_default();
                format!("reconnecting: {why}; the queue holds {waiting}")
            }
            // The closed notice that follows says more.
            State::Connecting | State::Closed => return,
        };
        self.tell(at, line, quiet);
    }
}

impl Quiet {
    /// In a line, if there is anything to say.
    fn line(self) -> Option<String> {
        let mut parts = Vec::new();
        let mut part = |count: u64, text: String| {
            if count > 0 {
                parts.push(text);
            }
        };
        let range = match self.rtt {
            Some((least, most)) if least == most => format!(" in {}", describe::duration(least)),
            Some((least, most)) => {
                format!(" in {} to {}", describe::duration(least), describe::duration(most))
            }
            None => String::new(),
        };
        part(self.pings, count(self.pings, "ping", "pings"));
        part(self.pongs, count(self.pongs, "pong", "pongs") + &range);
        part(self.sent, format!("{} sent", self.sent));
        part(self.delivered, format!("{} delivered", self.delivered));
        part(self.undelivered, format!("{} undelivered", self.undelivered));
        part(self.received, format!("{} received", self.received));
        part(self.duplicates, count(self.duplicates, "duplicate", "duplicates"));
        part(self.warnings, count(self.warnings, "more warning", "more warnings"));
        if !parts.is_empty() && self.deepest > 0 {
            parts.push(format!("queue at most {}", self.deepest));
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}
