//! Runs seeded worlds under the invariant checker, and says how fast.
//!
//! ```sh
//! cargo run --release -p perennial-tests --bin simulate -- --seeds 1000
//! ```
//!
//! A failure prints the command that shows it again.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::time::Instant;

use perennial_core::Action;
use perennial_core::sim::{Failure, Log, Stats};
use perennial_determinism::seeds;

const USAGE: &str = "\
Usage: simulate [--seed N] [--seeds N] [--steps N] [--log]

  --seed N    the first seed                    [default: 0]
  --seeds N   how many                          [default: 1 with --seed, else 500]
  --steps N   steps in bad weather, each seed   [default: 10000]
  --log       print the actions of every client";

struct Options {
    seed: u64,
    seeds: u64,
    steps: u64,
    log: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options { seed: 0, seeds: 0, steps: 10_000, log: false };
    let mut default = 500;
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        if name == "--log" {
            options.log = true;
            continue;
        }
        let mut number = || {
            let value = args.next().unwrap_or_default();
            value.parse::<u64>().map_err(|_| format!("{name} wants a number, not {value:?}"))
        };
        match name.as_str() {
            "--seed" => {
                options.seed = number()?;
                default = 1;
            }
            "--seeds" => options.seeds = number()?,
            "--steps" => options.steps = number()?,
            other => return Err(format!("unknown option {other}\n\n{USAGE}")),
        }
    }
    if options.seeds == 0 {
        options.seeds = default;
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    if options.log {
        return log(&options);
    }
    let start = Instant::now();
    let mut total = Stats::default();
    for seed in options.seed..options.seed.saturating_add(options.seeds) {
        match seeds::run(seed, options.steps) {
            Ok(stats) => total.add(&stats),
            Err(failure) => return failed(&failure, options.steps),
        }
    }
    // The time that this process was running, where the system tells it: others may run too.
    let seconds = busy().unwrap_or_else(|| start.elapsed().as_secs_f64());
    println!("{} seeds, {} steps each, every invariant held", options.seeds, options.steps);
    println!("{total:?}");
    println!(
        "{} events in {seconds:.2} s: {:.0} events per second and core",
        total.events,
        total.events as f64 / seconds
    );
    ExitCode::SUCCESS
}

/// Seconds that this thread has run on a processor (Linux).
fn busy() -> Option<f64> {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos: f64 = schedule.split_whitespace().next()?.parse().ok()?;
    Some(nanos / 1e9)
}

fn failed(failure: &Failure, steps: u64) -> ExitCode {
    eprintln!("{failure}");
    eprintln!(
        "reproduce: cargo run --release -p perennial-tests --bin simulate -- --seed {} --steps {}",
        failure.seed,
        // Past the last step in bad weather it is the settling that fails.
        failure.step.min(steps)
    );
    ExitCode::FAILURE
}

/// Prints what every client was told to do, up to the failure if there is one.
fn log(options: &Options) -> ExitCode {
    let mut world = seeds::world(options.seed, &Log::all());
    let result = world.run(options.steps).and_then(|()| world.settle().map(|_| ()));
    let mut lines: Vec<(perennial_core::Instant, usize, &Action)> = Vec::new();
    for client in 0..world.clients() {
        if let Log::All(log) = world.driver(client).log() {
            lines.extend(log.iter().map(|(at, action)| (*at, client, action)));
        }
    }
    // Each by its own clock, so that no client's order is changed.
    lines.sort_by_key(|(_, client, _)| *client);
    for (at, client, action) in lines {
        println!("{client} {at} {action:?}");
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failed(&failure, options.steps),
    }
}
