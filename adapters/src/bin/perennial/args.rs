//! The commands and what each takes.

mod connect;
mod serve;
mod trace;

use clap::{Parser, Subcommand};

pub(crate) use connect::{AdapterName, BackoffName, ClassName, ConnectArgs, JitterName};
pub(crate) use serve::ServeArgs;
pub(crate) use trace::{ExplainArgs, ReplayArgs};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "perennial",
    version,
    about = "A WebSocket client that goes down with the network, comes up again, and loses nothing",
    after_help = "Examples:\n  \
        perennial connect wss://example.com/feed\n  \
        perennial serve --listen 127.0.0.1:9001\n  \
        perennial demo\n\n\
        `perennial help COMMAND` tells more about each."
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Connect a pipe to a WebSocket server: lines in, messages out
    Connect(Box<ConnectArgs>),
    /// Run the practice server on loopback, with faults on demand
    Serve(ServeArgs),
    /// Watch connections live through a bad day on loopback, for about 20 seconds
    #[command(after_help = "Examples:\n  \
        perennial demo\n  \
        perennial demo | tee bad-day.txt\n\n\
        Exits with 0 only if nothing was lost or delivered twice.")]
    Demo(crate::demo::Args),
    /// Replay a recorded connection, event by event, and compare every action
    Replay(ReplayArgs),
    /// Tell what happened to a recorded connection, and draw it
    Explain(ExplainArgs),
    /// Print completions for a shell
    #[command(after_help = "Examples:\n  \
        perennial completions bash > ~/.local/share/bash-completion/completions/perennial\n  \
        perennial completions zsh > ~/.zfunc/_perennial")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_has_examples() {
        let mut command = Cli::command();
        for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
            let help = sub.render_long_help().to_string();
            assert!(help.contains("Examples:"), "{}", sub.get_name());
        }
    }
}
