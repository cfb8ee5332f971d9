//! Runs the conformance suite over one driver, or plays the process that a script stops.
//!
//! ```sh
//! cargo run -p perennial-tests --bin conformance -- smol
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use perennial_tests::conformance::{self, drivers};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (is_child, name) = match &arguments[..] {
        [flag, name] if flag == "--child" => (true, name),
        [name] => (false, name),
        _ => return usage(),
    };
    let Some(adapter) = drivers::all().into_iter().find(|adapter| adapter.name() == name) else {
        return usage();
    };
    if is_child {
        conformance::child(&*adapter);
        return ExitCode::SUCCESS;
    }
    let report = conformance::check(adapter);
    println!("{report}");
    if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage() -> ExitCode {
    let names: Vec<_> = drivers::all().iter().map(|adapter| adapter.name()).collect();
    eprintln!("usage: conformance [--child] {}", names.join("|"));
    ExitCode::from(2)
}
