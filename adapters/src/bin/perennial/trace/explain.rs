//! `perennial explain`: the timeline of a trace for people.

use std::fmt::Write as _;
use std::process::ExitCode;

use perennial_core::trace::Trace;
use perennial_core::{Duration, HeartbeatStyle, State, format_duration};

use super::story::{Outage, Story};
use super::{describe, flawed, read, svg};
use crate::args::ExplainArgs;
use crate::errors::{Usage, complain, print};
use crate::people::count;

/// Runs it; the exit status.
pub(crate) fn run(args: &ExplainArgs) -> ExitCode {
    match explain(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(usage) => usage.report(),
    }
}

/// Returns whether the trace was whole.
fn explain(args: &ExplainArgs) -> Result<bool, Usage> {
    let path = &args.trace;
    let (trace, error) = read(path)?;
    let story = Story::of(&trace).map_err(|error| flawed(path, &error, 0))?;
    if let Some(file) = &args.svg {
        std::fs::write(file, svg::draw(&story)).map_err(|error| {
            let what = format!("--svg: {} cannot be written ({error})", file.display());
            Usage::new(what, "choose another file")
        })?;
    }
    print(&text(&trace, &story))?;
    if let Some(event) = story.differs {
        complain(&format!(
            "{}: from event {event} on this version acts otherwise than the recorded one did: what \
             is told is what it would do; see `perennial replay`",
            path.display()
        ));
    }
    if let Some(error) = &error {
        flawed(path, error, trace.steps().len()).report();
    }
    Ok(error.is_none())
}

fn text(trace: &Trace, story: &Story) -> String {
    let mut text = String::new();
    let config = &trace.header.config;
    let heartbeat = match config.heartbeat.style {
        HeartbeatStyle::Off => "none".to_owned(),
        HeartbeatStyle::Server => "the server's".to_owned(),
        HeartbeatStyle::Protocol | HeartbeatStyle::Application | HeartbeatStyle::Both => {
            format!("every {}", format_duration(config.heartbeat.interval))
        }
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "dialect {}, heartbeat {heartbeat}, dead after {}, {}, {}",
        trace.header.dialect(),
        format_duration(config.heartbeat.deadline),
        count(story.events as u64, "event", "events"),
        count(trace.actions() as u64, "action", "actions"),
    );
    for (at, line) in &story.lines {
        let _ = writeln!(text, "{:>12}  {line}", describe::time(*at, story.start));
    }
    text.push('\n');
    for line in summary(story) {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// What is said at the end.
fn summary(story: &Story) -> Vec<String> {
    let length = story.end - story.start;
    let sum = |state: State| -> Duration {
        story.spans.iter().filter(|span| span.state == state).map(|span| span.to - span.from).sum()
    };
    let mut lines = Vec::new();
    let states = [State::Connecting, State::Open, State::Reconnecting, State::Closed];
    let shares: Vec<String> = states
        .into_iter()
        .filter(|state| story.spans.iter().any(|span| span.state == *state))
        .map(|state| format!("{state} {}", describe::duration(sum(state))))
        .collect();
    lines.push(format!("states    {} in {}", shares.join(", "), describe::duration(length)));
    let longest = story.outages.iter().map(|outage| length_of(outage, story)).max();
    lines.push(match longest {
        None => "outages   none".to_owned(),
        Some(longest) => format!(
            "outages   {}, the longest {}, {} in all",
            story.outages.len(),
            describe::duration(longest),
            describe::duration(story.outages.iter().map(|outage| length_of(outage, story)).sum()),
        ),
    });
    lines.push(format!("attempts  {}", story.dials.len()));
    let mut trips: Vec<Duration> = story.pongs.iter().map(|(_, rtt)| *rtt).collect();
    trips.sort_unstable();
    let dead = count(story.deaths.len() as u64, "time dead", "times dead");
    lines.push(match (trips.first(), trips.get(trips.len() / 2), trips.last()) {
        (Some(least), Some(median), Some(most)) => format!(
            "heartbeat {}, round trips {} to {}, median {}; {dead}",
            count(trips.len() as u64, "pong", "pongs"),
            describe::duration(*least),
            describe::duration(*most),
            describe::duration(*median),
        ),
        _ => format!("heartbeat no pongs; {dead}"),
    });
    let deepest = story.depth.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
    let last = story.depth.last().map_or(0, |(_, depth)| *depth);
    lines.push(format!("queue     at most {deepest}, {last} at the end"));
    let counters = &story.counters;
    lines.push(format!(
        "sent      {} accepted, {} flushed, {} acknowledged, {} uncertain, {} expired, {} dropped, \
         {} rejected",
        counters.accepted,
        counters.flushed,
        counters.acknowledged,
        counters.uncertain,
        counters.expired,
        counters.dropped,
        counters.rejected,
    ));
    let duplicates = count(counters.duplicates, "duplicate", "duplicates");
    lines.push(format!("received  {}, and {duplicates}", counters.received));
    lines
}

/// How long an outage was, as far as is known.
pub(super) fn length_of(outage: &Outage, story: &Story) -> Duration {
    outage.to.unwrap_or(story.end) - outage.from
}
