//! What a message costs on its way from the network to subscribers of the bus, and what the session
//! costs a connection that does not use it.
//!
//! ```text
//! cargo bench -p perennial-tests --bench bus [-- [--rounds=N] [--only=WORD]]
//! ```
//!
//! Every sample has a connection of its own, to a server that is a buffer in memory. The tasks take
//! turns, and the medians of the rounds are shown, so that what else the machine does falls on all of
//! them; and the fastest rounds, which show what it takes where nothing else is done. The bars are for
//! what this client adds to the reading of a frame by bare `tungstenite`, in the median. Exits with 1
//! if one is not met.

#![allow(clippy::print_stdout, reason = "a report is its purpose")]

mod counting;
mod memory;
mod message;
mod parts;
mod whole;

use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

/// What goes wrong in a sample.
type Fault = Box<dyn Error + Send + Sync>;

/// What one message costs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    nanoseconds: f64,
    allocations: f64,
}

impl Cost {
    fn of(messages: usize, took: Duration, allocations: u64) -> Self {
        let messages = messages as f64;
        Self {
            nanoseconds: took.as_secs_f64() * 1e9 / messages,
            allocations: allocations as f64 / messages,
        }
    }
}

/// Something that is measured.
struct Task {
    name: &'static str,
    sample: fn() -> Result<Cost, Fault>,
    /// The task before this one in the list that is taken off, by name; and the most that may be left,
    /// in nanoseconds and allocations.
    beyond: Option<&'static str>,
    bar: Option<Cost>,
}

const BARE: &str = "bare tungstenite reads the frame";
const BARE_ALONE: &str = "the same, each frame alone";
const RECEIVE: &str = "the connection alone receives";
const SEND: &str = "the connection alone sends";

const fn task(name: &'static str, sample: fn() -> Result<Cost, Fault>) -> Task {
    Task { name, sample, beyond: None, bar: None }
}

impl Task {
    const fn beyond(self, other: &'static str) -> Self {
        Self { beyond: Some(other), ..self }
    }

    const fn bar(self, nanoseconds: f64, allocations: f64) -> Self {
        Self { bar: Some(Cost { nanoseconds, allocations }), ..self }
    }
}

const TASKS: [Task; 13] = [
    task(BARE, whole::bare),
    task(BARE_ALONE, whole::bare_alone),
    task("the application receives it", whole::application).beyond(BARE),
    task("1 subscriber receives it, typed", whole::one).beyond(BARE).bar(600.0, 2.0),
    task("the same, each message alone", whole::alone).beyond(BARE_ALONE),
    task("100 subscribers, the driver's side", whole::hundred).beyond(BARE).bar(3_000.0, 2.0),
    task(RECEIVE, parts::connection_receives),
    task("a session that nobody uses receives", parts::session_receives).beyond(RECEIVE),
    task("a session with a subscriber receives", parts::session_sorts).beyond(RECEIVE),
    task(SEND, parts::connection_sends),
    task("a session that nobody uses sends", parts::session_sends).beyond(SEND),
    task("the bus routes to 1 subscriber", parts::routes),
    task("a payload is read as a type", parts::reads),
];

/// What the rounds of a task come to.
struct Costs {
    median: Cost,
    fastest: f64,
}

impl Costs {
    fn of(rounds: &[Cost]) -> Self {
        let sorted = |part: fn(&Cost) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(part).collect();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        let median = |values: &[f64]| values.get(values.len() / 2).copied().unwrap_or_default();
        let nanoseconds = sorted(|cost| cost.nanoseconds);
        let allocations = median(&sorted(|cost| cost.allocations));
        Self {
            median: Cost { nanoseconds: median(&nanoseconds), allocations },
            fastest: nanoseconds.first().copied().unwrap_or_default(),
        }
    }

    fn beyond(&self, other: &Self) -> Self {
        let (Cost { nanoseconds, allocations }, others) = (self.median, other.median);
        Self {
            median: Cost {
                nanoseconds: nanoseconds - others.nanoseconds,
                allocations: allocations - others.allocations,
            },
            fastest: self.fastest - other.fastest,
        }
    }
}

impl fmt::Display for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median: Cost { nanoseconds, allocations }, fastest } = self;
        write!(f, "{nanoseconds:6.0} {fastest:6.0} {allocations:6.2}")
    }
}

/// Measures the tasks that are wanted. Returns whether every bar was met.
fn run(rounds: usize, only: Option<&str>) -> Result<bool, Fault> {
    let wanted = |task: &Task| {
        let is_named = |name: &str| only.is_none_or(|only| name.contains(only));
        is_named(task.name)
            || TASKS.iter().any(|other| other.beyond == Some(task.name) && is_named(other.name))
    };
    let mut samples = TASKS.map(|task| (task, Vec::new()));
    for round in 0..=rounds {
        for (task, costs) in samples.iter_mut().filter(|(task, _)| wanted(task)) {
            let cost = (task.sample)().map_err(|error| format!("{}: {error}", task.name))?;
            // The first round warms up.
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    println!(
        "one message of {} bytes: ns in the median and at best, allocations",
        message::TEXT.len()
    );
    println!("       {:<38}   each                   adds", "");
    let mut done: Vec<(&str, Costs)> = Vec::new();
    let mut all_met = true;
    for (task, rounds) in samples.iter().filter(|(_, rounds)| !rounds.is_empty()) {
        let costs = Costs::of(rounds);
        let other = done.iter().find(|(name, _)| Some(*name) == task.beyond);
        let more = other.map(|(_, other)| costs.beyond(other));
        let met = match (&task.bar, &more) {
            (Some(bar), Some(Costs { median, .. })) => {
                // What grows now and then is no allocation of each message.
                let few = median.allocations <= bar.allocations + 0.05;
                Some(median.nanoseconds <= bar.nanoseconds && few)
            }
            (None, _) | (_, None) => None,
        };
        all_met &= met != Some(false);
        let verdict = met.map_or("    ", |met| if met { "ok  " } else { "MISS" });
        print!("  {verdict} {:<38} {costs}", task.name);
        if let Some(more) = more {
            print!("  {more}");
        }
        match task.bar {
            Some(bar) => println!("  (bar: {:.0} ns, {:.0})", bar.nanoseconds, bar.allocations),
            None => println!(),
        }
        done.push((task.name, costs));
    }
    Ok(all_met)
}

fn main() -> ExitCode {
    let (mut rounds, mut only) = (15, None);
    for argument in std::env::args().skip(1) {
        if let Some(Ok(number)) = argument.strip_prefix("--rounds=").map(str::parse) {
            rounds = number;
        } else if let Some(word) = argument.strip_prefix("--only=") {
            only = Some(word.to_owned());
        } else if argument != "--bench" {
            // `cargo bench` itself passes that on.
            println!("what is {argument}? There are --rounds=N and --only=WORD");
            return ExitCode::from(2);
        }
    }
    match run(rounds, only.as_deref()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            println!("a bar is not met");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("not measured: {error}");
            ExitCode::FAILURE
        }
    }
}
