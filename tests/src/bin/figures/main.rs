//! Measures what is promised, as a user meets it: the command line as it is built, against the
//! practice server, over real sockets.
//!
//! ```text
//! cargo build --release -p perennial --features cli
//! cargo run --release -p perennial-tests --bin figures [--adapter=ADAPTER] [NAME …]
//! ```
//!
//! Without a name every figure is measured, which takes about five minutes, most of them waiting;
//! without an adapter, on the command line's default one.
//! Exits with 1 if a bar is not met. Timings on a busy machine are that machine's.

#![allow(clippy::print_stdout, reason = "a report is its purpose")]

mod client;
mod crowd;
mod cuts;
mod herd;
mod idle;
mod memory;
mod refusals;
mod silence;

use std::process::ExitCode;
use std::time::Instant;

/// What was measured.
#[derive(Debug, Default)]
struct Report {
    missed: u32,
}

impl Report {
    /// Notes one figure.
    fn figure(&mut self, what: &str, measured: &str, bar: &str, met: bool) {
        let verdict = if met { "ok  " } else { "MISS" };
        println!("  {verdict} {what}: {measured}  (bar: {bar})");
        self.missed += u32::from(!met);
    }
}

type Outcome = Result<(), Box<dyn std::error::Error>>;
type Measure = fn(&mut Report) -> Outcome;

const FIGURES: [(&str, Measure); 12] = [
    ("cuts", cuts::measure),
    ("silence", silence::idle),
    ("silence-while-sending", silence::sending),
    ("outage", cuts::outage),
    ("herd", herd::measure),
    ("retry-after", refusals::retry_after),
    ("refused", refusals::refused),
    ("handshake", refusals::handshake),
    ("stuck-peer", memory::stuck_peer),
    ("flood", memory::flood),
    ("idle", idle::measure),
    ("crowd", crowd::measure),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [name, rest @ ..] = arguments.as_slice()
        && name == crowd::HOLD
    {
        return match crowd::hold(rest) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                println!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let (options, wanted): (Vec<String>, Vec<String>) =
        arguments.into_iter().partition(|argument| argument.starts_with("--"));
    for option in &options {
        let Some(adapter) = option.strip_prefix("--adapter=") else {
            println!("no option is called {option}; there is: --adapter=ADAPTER");
            return ExitCode::from(2);
        };
        client::choose_adapter(adapter);
    }
    if let Some(unknown) = wanted.iter().find(|name| FIGURES.iter().all(|(n, _)| n != name)) {
        let names: Vec<&str> = FIGURES.iter().map(|(name, _)| *name).collect();
        println!("no figure is called {unknown}; there are: {}", names.join(" "));
        return ExitCode::from(2);
    }
    let mut report = Report::default();
    for (name, measure) in FIGURES {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        println!("{name}");
        let start = Instant::now();
        if let Err(error) = measure(&mut report) {
            report.figure(name, &format!("not measured: {error}"), "a measurement", false);
        }
        println!("       {:.1} s", start.elapsed().as_secs_f64());
    }
    println!("{} missed", report.missed);
    if report.missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
