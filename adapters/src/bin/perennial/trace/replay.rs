//! `perennial replay`: a trace against a fresh connection, or against another trace.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use perennial_core::Instant;
use perennial_core::trace::{Difference, Replay, Trace, TraceError};

use super::{describe, flawed, read, step};
use crate::args::ReplayArgs;
use crate::errors::{Usage, print};
use crate::people::count;

/// Runs it; the exit status.
pub(crate) fn run(args: &ReplayArgs) -> ExitCode {
    let outcome = match &args.diff {
        Some(other) => compare(&args.trace, other),
        None => replay(args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(usage) => usage.report(),
    }
}

/// Reads a trace that must be whole.
fn whole(path: &Path) -> Result<Trace, Usage> {
    let (trace, error) = read(path)?;
    match error {
        None => Ok(trace),
        Some(error) => Err(flawed(path, &error, trace.steps().len())),
    }
}

fn replay(args: &ReplayArgs) -> Result<bool, Usage> {
    let path = &args.trace;
    let (trace, error) = read(path)?;
    let events = trace.steps().len();
    let last = match args.until {
        None => events,
        Some(until) => usize::try_from(until).unwrap_or(usize::MAX),
    };
    // What comes after the last event need not be whole.
    if let Some(error) = error
        && (args.until.is_none() || last > events)
    {
        return Err(flawed(path, &error, events));
    }
    if last > events {
        let what = format!("--until {last} is beyond the end of {}", path.display());
        return Err(Usage::new(what, format!("it has {events} events")));
    }
    let broken = |error: TraceError| flawed(path, &error, 0);
    let mut replay = Replay::new(&trace).map_err(broken)?;
    if args.step {
        return step::walk(&trace, replay, last, broken);
    }
    let mut actions = 0;
    while replay.position() < last
        && let Some(stepped) = replay.step().map_err(broken)?
    {
        if let Some(difference) = stepped.difference {
            print(&differs(&difference, &trace, "recorded", "replayed"))?;
            return Ok(false);
        }
        actions += stepped.actions.len();
    }
    print(&format!("identical: {last} events, {actions} actions\n"))?;
    if args.until.is_some() {
        let origin = origin(&trace);
        print(&state(&replay, origin))?;
    }
    Ok(true)
}

/// When the connection was made.
pub(super) fn origin(trace: &Trace) -> Instant {
    trace.steps().first().map_or(Instant::ZERO, |step| step.at())
}

/// Both sides of a difference.
pub(super) fn differs(difference: &Difference, trace: &Trace, one: &str, other: &str) -> String {
    let Difference { step, at, place, recorded, replayed } = difference;
    let width = one.len().max(other.len());
    let event = trace.steps().get(step.saturating_sub(1));
    let event = event.map(|step| format!("\n  {}", step.event())).unwrap_or_default();
    format!(
        "differs: event {step} (line {}) at {}, {place}{event}\n  {one:width$}  {recorded}\n  \
         {other:width$}  {replayed}\n",
        step + 1,
        describe::time(*at, origin(trace)),
    )
}

/// The state of the connection, a line for each thing.
pub(super) fn state(replay: &Replay<'_>, origin: Instant) -> String {
    let status = replay.connection().status();
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name}: {value}");
    };
    line("state", status.state.to_string());
    line("phase", status.phase.to_owned());
    let transport = status.transport.map_or("none".to_owned(), |id| id.to_string());
    line("transport", transport);
    line("attempt", status.attempt.to_string());
    line("queued", status.queued.to_string());
    line("in flight", status.in_flight.to_string());
    line("outbox bytes", status.outbox_bytes.to_string());
    if let Some(rtt) = status.rtt {
        line("round trip", describe::duration(rtt));
    }
    if let Some(since) = status.outage_since {
        line("outage since", describe::time(since, origin));
    }
    if status.suspended {
        line("suspended", "yes".to_owned());
    }
    if status.reads_paused {
        line("reading", "paused".to_owned());
    }
    if let Some((until, why)) = status.deadline {
        let why = format!("{why:?}").to_lowercase();
        line("next deadline", format!("{} ({why})", describe::time(until, origin)));
    }
    let counters = status.counters;
    line(
        "sent",
        format!(
            "{} accepted, {} flushed, {} acknowledged, {} uncertain, {} expired, {} dropped, {} \
             cancelled, {} rejected, {} resent",
            counters.accepted,
            counters.flushed,
            counters.acknowledged,
            counters.uncertain,
            counters.expired,
            counters.dropped,
            counters.cancelled,
            counters.rejected,
            counters.resent,
        ),
    );
    let messages = count(counters.received, "message", "messages");
    let duplicates = count(counters.duplicates, "duplicate", "duplicates");
    line("received", format!("{messages}, {duplicates}"));
    let reconnects = count(counters.reconnects, "reconnect", "reconnects");
    line("attempts", format!("{}, {reconnects}", counters.attempts));
    text
}

fn compare(one: &Path, other: &Path) -> Result<bool, Usage> {
    let (first, second) = (whole(one)?, whole(other)?);
    let names = [one.display().to_string(), other.display().to_string()];
    let mut text = String::new();
    for difference in first.header_differences(&second) {
        let Difference { place, recorded, replayed, .. } = difference;
        let _ = writeln!(text, "differs: {place}\n  {}  {recorded}", names[0]);
        let _ = writeln!(text, "  {}  {replayed}", names[1]);
    }
    let exact = first.difference(&second);
    let in_kind = first.difference_in_kind(&second);
    if let Some(difference) = &exact {
        text.push_str(&differs(difference, &first, &names[0], &names[1]));
    }
    match &in_kind {
        Some(difference) if exact.as_ref().map(|exact| exact.step) != Some(difference.step) => {
            text.push_str("and in more than times and numbers:\n");
            text.push_str(&differs(difference, &first, &names[0], &names[1]));
        }
        Some(_) => {}
        None if exact.is_some() => text.push_str("in nothing but times and numbers\n"),
        None => {}
    }
    if text.is_empty() {
        let (events, actions) = (first.steps().len(), first.actions());
        print(&format!("identical: {events} events, {actions} actions\n"))?;
        return Ok(true);
    }
    print(&text)?;
    Ok(false)
}
