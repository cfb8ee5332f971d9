//! What `perennial replay` and `perennial explain` take.

use std::path::PathBuf;

use clap::Args;

use crate::parse;

const REPLAY_HELP: &str = "\
A trace is what `perennial connect --record FILE` writes. Its events are fed to a fresh
connection, and every action is compared with the one that was recorded. Event 1 is the making of
the connection; event N stands on line N + 1.

With --step a command is read from each line of stdin: n or nothing for the next event, b for the
one before, a number for that one, q to stop.

Exit status:
  0  identical
  1  something differs: the first event that does is printed, with both sides
  2  the file is no trace, is torn, or is of an unknown version; the line is named

Examples:
  perennial replay run.jsonl
  perennial replay run.jsonl --until 40
  perennial replay run.jsonl --step
  perennial replay run.jsonl --diff other-run.jsonl";

/// What `perennial replay` takes.
#[derive(Debug, Args)]
#[command(after_help = REPLAY_HELP)]
pub(crate) struct ReplayArgs {
    /// The trace
    #[arg(value_name = "TRACE")]
    pub(crate) trace: PathBuf,
    /// Stop after event N and print the state
    #[arg(
        long,
        value_name = "N",
        value_parser = parse::positive,
        allow_negative_numbers = true,
        conflicts_with = "diff",
    )]
    pub(crate) until: Option<u64>,
    /// Walk through it, forwards and backwards
    #[arg(long, conflicts_with = "diff")]
    pub(crate) step: bool,
    /// Compare it with another trace instead: what differs at the start, the first event that
    /// differs, and the first that differs in more than times and numbers
    #[arg(long, value_name = "OTHER")]
    pub(crate) diff: Option<PathBuf>,
}

const EXPLAIN_HELP: &str = "\
Prints what happened, line by line: states, attempts, heartbeats, queue depth, outages and how long
each was; then a summary. Times count from the making of the connection.

Of a trace that is torn, as after a crash, everything before the torn line is told; the exit status
is 2 all the same.

Examples:
  perennial explain run.jsonl
  perennial explain run.jsonl --svg run.svg";

/// What `perennial explain` takes.
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_HELP)]
pub(crate) struct ExplainArgs {
    /// The trace
    #[arg(value_name = "TRACE")]
    pub(crate) trace: PathBuf,
    /// Draw it, too
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}
