//! The command line of `perennial`.

mod adapter;
mod args;
mod connect;
mod demo;
mod effective;
mod ending;
mod errors;
mod events;
mod group;
mod hook;
mod ledger;
mod lines;
mod output;
mod parse;
mod people;
mod position;
mod serve;
mod signals;
mod stdin;
mod trace;
mod usage;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(Cli { command: Command::Connect(args) }) => connect::run(&args),
        Ok(Cli { command: Command::Serve(args) }) => serve::run(&args),
        Ok(Cli { command: Command::Demo(args) }) => demo::run(&args),
        Ok(Cli { command: Command::Replay(args) }) => trace::replay::run(&args),
        Ok(Cli { command: Command::Explain(args) }) => trace::explain::run(&args),
        Ok(Cli { command: Command::Completions { shell } }) => completions(shell),
        Err(error) => usage::report(&error),
    }
}

fn completions(shell: clap_complete::Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "perennial", &mut script);
    errors::print_all(&String::from_utf8_lossy(&script))
}
