//! What `perennial serve` takes.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use perennial::practice::App;
use perennial_core::Duration;

use crate::parse;

const HELP: &str = "\
The first line of stdout is `listening on ws://HOST:PORT`. It runs until SIGINT or SIGTERM.

Examples:
  perennial serve
  perennial serve --listen 127.0.0.1:0 --app chat
  perennial serve --drop-every 2s --lose-acks 0.1 --duplicate 0.1 --seed 7
  perennial serve --refuse 503 --retry-after 2s --for 10s";

/// What `perennial serve` takes. All faults are off by default.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct ServeArgs {
    /// Where to listen; port 0 picks a free one
    #[arg(
        long,
        value_name = "ADDR:PORT",
        value_parser = parse::listen,
        default_value = "127.0.0.1:9001",
    )]
    pub(crate) listen: SocketAddr,
    /// What answers: echo returns every message; chat passes messages around a room named by the
    /// URL path; ticker sends prices of symbols subscribed to; ai answers prompts in pieces; game
    /// passes moves to the other players
    #[arg(long, value_name = "NAME", value_enum, default_value = "echo")]
    pub(crate) app: AppName,
    /// Makes faults and answers repeatable
    #[arg(
        long,
        value_name = "N",
        value_parser = parse::number::<u64>,
        allow_negative_numbers = true,
        default_value = "0",
    )]
    pub(crate) seed: u64,

    /// Reset each connection (RST) so long after it opened
    #[arg(long, value_name = "DUR", value_parser = parse::duration, allow_hyphen_values = true, help_heading = "Faults")]
    pub(crate) drop_every: Option<Duration>,
    /// End each connection (FIN, no close frame) so long after it opened
    #[arg(long, value_name = "DUR", value_parser = parse::duration, allow_hyphen_values = true, help_heading = "Faults")]
    pub(crate) fin_every: Option<Duration>,
    /// Turn each connection half-open so long after it opened: read, never answer
    #[arg(long, value_name = "DUR", value_parser = parse::duration, allow_hyphen_values = true, help_heading = "Faults")]
    pub(crate) freeze_after: Option<Duration>,
    /// Refuse handshakes with an HTTP status
    #[arg(
        long,
        value_name = "STATUS",
        value_parser = parse::status,
        allow_negative_numbers = true,
        help_heading = "Faults",
    )]
    pub(crate) refuse: Option<u16>,
    /// Send Retry-After with the refusals, in whole seconds, rounded up
    #[arg(
        long,
        value_name = "DUR",
        value_parser = parse::duration, allow_hyphen_values = true,
        requires = "refuse",
        help_heading = "Faults",
    )]
    pub(crate) retry_after: Option<Duration>,
    /// Refuse for so long only
    #[arg(
        long = "for",
        value_name = "DUR",
        value_parser = parse::duration, allow_hyphen_values = true,
        requires = "refuse",
        help_heading = "Faults",
    )]
    pub(crate) lasting: Option<Duration>,
    /// Send this fraction of the messages twice
    #[arg(
        long,
        value_name = "P",
        value_parser = parse::fraction,
        allow_negative_numbers = true,
        help_heading = "Faults",
    )]
    pub(crate) duplicate: Option<f64>,
    /// Do not send this fraction of the acks
    #[arg(
        long,
        value_name = "P",
        value_parser = parse::fraction,
        allow_negative_numbers = true,
        help_heading = "Faults",
    )]
    pub(crate) lose_acks: Option<f64>,
    /// Answer the handshake so late
    #[arg(long, value_name = "DUR", value_parser = parse::duration, allow_hyphen_values = true, help_heading = "Faults")]
    pub(crate) slow_handshake: Option<Duration>,
    /// Close with this code
    #[arg(
        long,
        value_name = "N",
        value_parser = parse::close_code,
        allow_negative_numbers = true,
        help_heading = "Faults",
    )]
    pub(crate) close_code: Option<u16>,
    /// Close after so many messages on a connection [default: 0, right after its opening]
    #[arg(
        long,
        value_name = "N",
        value_parser = parse::number::<u64>,
        allow_negative_numbers = true,
        requires = "close_code",
        help_heading = "Faults",
    )]
    pub(crate) after_messages: Option<u64>,
}

/// The practice server's programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AppName {
    Echo,
    Chat,
    Ticker,
    Ai,
    Game,
}

impl From<AppName> for App {
    fn from(name: AppName) -> Self {
        match name {
            AppName::Echo => Self::Echo,
            AppName::Chat => Self::Chat,
            AppName::Ticker => Self::Ticker,
            AppName::Ai => Self::Ai,
            AppName::Game => Self::Game,
        }
    }
}
