//! The command line of `perennial`.

mod args;
mod effective;
mod errors;
mod parse;
mod usage;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(Cli { command: Command::Connect(args) }) => match effective::config(&args) {
            Ok(_) => ExitCode::SUCCESS,
            Err(usage) => usage.report(),
        },
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => usage::report(&error),
    }
}
