//! Every interleaving of events up to a depth, under every invariant.
//!
//! ```sh
//! cargo run --release -p perennial-tests --bin exhaustive -- --depth 7
//! ```
//!
//! A breadth-first search from a new connection: in each state every move of `moves.rs` is made,
//! and the checker looks at what that led to. States of one fingerprint go on alike (see
//! `Scenario::fingerprint`) and are visited once. Time is a move too: to the next deadline, to just
//! before it, far beyond it, with a tick or with whatever comes next. From each state that was
//! reached faults end, and it must come to rest (invariant 37). States are kept as the moves that
//! lead to them; making these again must lead to the same state (31), which was reached through
//! clones (32).
//!
//! What is found is printed as the shortest sequence of moves that shows it.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod moves;
mod search;

use std::process::ExitCode;
use std::time::Instant;

use search::Search;

const USAGE: &str = "\
Usage: exhaustive [--depth N] [--config NAME]

  --depth N       moves after each other, at most     [default: 6]
  --config NAME   one of plain, acks, limits, server, held  [default: all]";

fn main() -> ExitCode {
    let mut depth = 6;
    let mut only = None;
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().unwrap_or_default();
        match (name.as_str(), value.parse()) {
            ("--depth", Ok(number)) if (1..=search::DEEPEST).contains(&number) => depth = number,
            ("--config", _) if moves::setups().iter().any(|(known, _)| *known == value) => {
                only = Some(value);
            }
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    for (name, setup) in moves::setups() {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let start = Instant::now();
        let search = Search::new(&setup);
        match search.run(depth) {
            Ok(found) => println!(
                "{name}: depth {depth}, {} states, {} events, every invariant held, {} s",
                found.states,
                found.events,
                start.elapsed().as_secs()
            ),
            Err(failure) => {
                eprintln!("{name}: {failure}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
