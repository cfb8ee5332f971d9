//! What `perennial connect` takes.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};
use perennial_core::{Backoff, Class, Duration, Jitter, Overflow};

use crate::parse::{self, HeaderArg, OrOff, ResumeArg, StyleArg};

const HELP: &str = "\
Every line of stdin is one text message, without its line ending (`\\n` or `\\r\\n`). Every
message received is one line of stdout: a text as it is, a binary message as its bytes. With
--events stdout carries one JSON object per event instead, a binary message as base64. stderr
is for people.

At the end of stdin, and after SIGINT or SIGTERM, what is queued is sent (for as long as
--drain allows) and the connection is closed with 1000. A second signal stops at once. At the
end of stdin a connection that was never open is waited for as long as --drain allows, too. After
close code 1012 or 1013, with which servers restart, the next attempt comes in 5 to 30 s: for the
rest to outlast that, --drain must be longer.

What an option's [default: …] says holds for the preset `scripts`, which is the default itself:
see --preset NAME --print-config for another.

DUR is a number and a unit: 250ms, 10s, 2m. SIZE is bytes or a number and a unit: 64KiB, 1MiB.

A proxy is taken from the environment: for wss:// the first that is set of wss_proxy,
https_proxy and all_proxy, for ws:// of ws_proxy, https_proxy, http_proxy and all_proxy, or the
same in upper case; http://HOST:PORT, socks5://HOST:PORT, or socks5h://HOST:PORT to have the
proxy resolve names, with USER:PASSWORD@ before the host. no_proxy lists where to go directly:
localhost and 127.0.0.1 are no exceptions unless they stand there.

Exit status:
  0  closed as asked, and everything accepted was flushed (acknowledged, with --acks)
  1  gave up, or something is unsent, unacknowledged or uncertain, or stdin or stdout failed
  2  the command line or the configuration is wrong
  3  the server refused for good
  4  --deadline passed
A line that is rejected was never accepted, and does not count: one that is not UTF-8 or too large,
finds no room with --overflow reject, or comes when the connection takes no more. Such lines are told
on stderr, and counted in the ledger of --events as `rejected`. A recording that fails (--record) is
told on stderr, and does not count either.

Examples:
  perennial connect wss://example.com/feed --stay > feed.txt
  perennial connect ws://127.0.0.1:9001 --acks < orders.jsonl
  perennial connect wss://example.com/feed --stay --bearer-env TOKEN --events | jq -c .
  perennial connect --url-command 'get-fresh-url' --stay --resume since=seq
  perennial connect --preset client --cap 1m --print-config > client.json";

/// What `perennial connect` takes. An option that is absent leaves what the preset and the config
/// file say.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct ConnectArgs {
    /// Where to: ws://… or wss://…; a user part becomes Basic authorization
    #[arg(
        required_unless_present_any = ["url_command", "print_config"],
        conflicts_with = "url_command",
    )]
    pub(crate) url: Option<String>,

    /// Which driver runs the connection
    #[arg(long, value_name = "NAME", value_enum, default_value = "blocking")]
    pub(crate) adapter: AdapterName,
    /// Read a config of the library, as JSON; other options override it, and it overrides the preset
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print the config that is in effect and exit
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Start from a preset
    #[arg(
        long,
        value_name = "NAME",
        value_parser = [
            "manager",
            "idle-watch",
            "realtime",
            "client",
            "basics",
            "socket-io",
            "event-source",
            "scripts",
        ],
        default_value = "scripts",
    )]
    pub(crate) preset: String,

    /// Add a header to the handshake (repeatable)
    #[arg(
        long,
        value_name = "NAME: VALUE",
        value_parser = parse::header,
        help_heading = "Handshake",
    )]
    pub(crate) header: Vec<HeaderArg>,
    /// Send `Authorization: Bearer …` with the token in this environment variable
    #[arg(long, value_name = "VAR", help_heading = "Handshake")]
    pub(crate) bearer_env: Option<String>,
    /// Offer a subprotocol (repeatable)
    #[arg(
        long,
        value_name = "P",
        value_parser = parse::subprotocol,
        help_heading = "Handshake",
    )]
    pub(crate) subprotocol: Vec<String>,
    /// Run a command anew for every attempt; its output is the URL. It may take 7/8 of
    /// --dial-timeout, and cannot ask on the terminal
    #[arg(long, value_name = "CMD", help_heading = "Handshake")]
    pub(crate) url_command: Option<String>,
    /// Trust the certificates in this PEM file instead of the system's
    #[arg(long, value_name = "FILE", conflicts_with = "insecure", help_heading = "Handshake")]
    pub(crate) ca: Option<PathBuf>,
    /// Trust any certificate: for experiments only
    #[arg(long, help_heading = "Handshake")]
    pub(crate) insecure: bool,

    /// The time between two pings, or off [default: 20s]
    #[arg(
        long,
        value_name = "DUR|off",
        value_parser = parse::duration_or_off,
        allow_hyphen_values = true,
        help_heading = "Liveness",
    )]
    pub(crate) heartbeat: Option<OrOff>,
    /// How long after a ping something must be heard [default: 20s]
    #[arg(long, value_name = "DUR", value_parser = parse::duration, allow_hyphen_values = true, help_heading = "Liveness")]
    pub(crate) dead_after: Option<Duration>,
    /// How many further pings may go unanswered [default: 0]
    #[arg(
        long,
        value_name = "N",
        value_parser = parse::number::<u32>,
        allow_negative_numbers = true,
        help_heading = "Liveness",
    )]
    pub(crate) misses: Option<u32>,
    /// What a ping looks like: ws (a WebSocket ping), text (the texts ping and pong), json
    /// ({"type":"ping"}), a pair of literal texts, or server (the server pings) [default: ws]
    #[arg(
        long,
        value_name = "ws|text|json|literal:PING,PONG|server",
        value_parser = parse::style,
        help_heading = "Liveness",
    )]
    pub(crate) heartbeat_style: Option<StyleArg>,
    /// Reconnect when no message came for so long [default: off]
    #[arg(
        long,
        value_name = "DUR|off",
        value_parser = parse::duration_or_off,
        allow_hyphen_values = true,
        help_heading = "Liveness",
    )]
    pub(crate) stale_after: Option<OrOff>,

    /// How the delay between attempts grows [default: exponential]
    #[arg(
        long,
        value_name = "exponential|linear|constant|list:D,D,…",
        value_parser = parse::backoff,
        help_heading = "Reconnecting",
    )]
    pub(crate) backoff: Option<BackoffName>,
    /// The first delay [default: 500ms]
    #[arg(long, value_name = "DUR", value_parser = parse::duration, allow_hyphen_values = true, help_heading = "Reconnecting")]
    pub(crate) base: Option<Duration>,
    /// The longest delay [default: 30s]
    #[arg(long, value_name = "DUR", value_parser = parse::duration, allow_hyphen_values = true, help_heading = "Reconnecting")]
    pub(crate) cap: Option<Duration>,
    /// How the delay is spread [default: full]
    #[arg(long, value_name = "KIND", value_enum, help_heading = "Reconnecting")]
    pub(crate) jitter: Option<JitterName>,
    /// Give up after so many attempts, the first included [default: unlimited]
    #[arg(
        long,
        value_name = "N",
        value_parser = parse::number::<u32>,
        allow_negative_numbers = true,
        help_heading = "Reconnecting",
    )]
    pub(crate) max_attempts: Option<u32>,
    /// Give up when an outage lasts so long [default: unlimited]
    #[arg(long, value_name = "DUR", value_parser = parse::duration, allow_hyphen_values = true, help_heading = "Reconnecting")]
    pub(crate) max_outage: Option<Duration>,
    /// Count attempts anew after so long an open connection [default: 10s]
    #[arg(long, value_name = "DUR", value_parser = parse::duration, allow_hyphen_values = true, help_heading = "Reconnecting")]
    pub(crate) stable_after: Option<Duration>,
    /// Give up when the very first attempt fails
    #[arg(long, help_heading = "Reconnecting")]
    pub(crate) fail_fast: bool,
    /// How long one attempt may take [default: 10s]
    #[arg(long, value_name = "DUR", value_parser = parse::duration, allow_hyphen_values = true, help_heading = "Reconnecting")]
    pub(crate) dial_timeout: Option<Duration>,

    /// How many messages may wait to be sent or acknowledged [default: 1024]
    #[arg(
        long,
        value_name = "N",
        value_parser = parse::number::<usize>,
        allow_negative_numbers = true,
        help_heading = "Sending",
    )]
    pub(crate) queue: Option<usize>,
    /// How many bytes may; a larger message is rejected [default: 1MiB]
    #[arg(
        long,
        value_name = "SIZE",
        value_parser = parse::size,
        allow_negative_numbers = true,
        help_heading = "Sending",
    )]
    pub(crate) queue_bytes: Option<usize>,
    /// What happens to a message that does not fit; with wait, reading stdin pauses [default: wait]
    #[arg(long, value_name = "KIND", value_enum, help_heading = "Sending")]
    pub(crate) overflow: Option<OverflowName>,
    /// How long a message is worth sending [default: for ever]
    #[arg(long, value_name = "DUR", value_parser = parse::duration, allow_hyphen_values = true, help_heading = "Sending")]
    pub(crate) ttl: Option<Duration>,
    /// How hard a message is tried: on this connection or never, until it is sent, or until it is
    /// acknowledged [default: queued]
    #[arg(long, value_name = "KIND", value_enum, help_heading = "Sending")]
    pub(crate) class: Option<ClassName>,
    /// Number messages, and send each again until the server acknowledges it
    #[arg(long, help_heading = "Sending")]
    pub(crate) acks: bool,
    /// How long to wait for an acknowledgement before sending again [default: 10s]
    #[arg(long, value_name = "DUR", value_parser = parse::duration, allow_hyphen_values = true, help_heading = "Sending")]
    pub(crate) ack_timeout: Option<Duration>,
    /// How many messages may await acknowledgement at once [default: 256]
    #[arg(
        long,
        value_name = "N",
        value_parser = parse::number::<usize>,
        allow_negative_numbers = true,
        help_heading = "Sending",
    )]
    pub(crate) ack_window: Option<usize>,
    /// The top-level field that holds a message's id [default: id]
    #[arg(long, value_name = "NAME", help_heading = "Sending")]
    pub(crate) id_field: Option<String>,
    /// How long closing may take [default: 5s]
    #[arg(long, value_name = "DUR", value_parser = parse::duration, allow_hyphen_values = true, help_heading = "Sending")]
    pub(crate) close_timeout: Option<Duration>,
    /// How long sending the rest and awaiting acknowledgements may take at the end [default: 10s]
    #[arg(long, value_name = "DUR", value_parser = parse::duration, allow_hyphen_values = true, help_heading = "Sending")]
    pub(crate) drain: Option<Duration>,

    /// Drop a received message whose id was among the last N [default: off, 4096 with --acks]
    #[arg(
        long,
        value_name = "N",
        value_parser = parse::number::<usize>,
        allow_negative_numbers = true,
        help_heading = "Receiving",
    )]
    pub(crate) dedupe: Option<usize>,
    /// Close with 1009 when a larger message comes [default: 64MiB]
    #[arg(
        long,
        value_name = "SIZE",
        value_parser = parse::size,
        allow_negative_numbers = true,
        help_heading = "Receiving",
    )]
    pub(crate) max_message: Option<usize>,
    /// On each reconnect, add the last value of a message's field to the URL as a query parameter
    #[arg(
        long,
        value_name = "PARAM=FIELD",
        value_parser = parse::resume,
        help_heading = "Receiving",
    )]
    pub(crate) resume: Option<ResumeArg>,

    /// Stop after N received messages
    #[arg(
        long,
        value_name = "N",
        value_parser = parse::positive,
        allow_negative_numbers = true,
        help_heading = "The run",
    )]
    pub(crate) count: Option<u64>,
    /// Do not close at the end of stdin
    #[arg(long, help_heading = "The run")]
    pub(crate) stay: bool,
    /// Give up on the whole run after so long
    #[arg(long, value_name = "DUR", value_parser = parse::duration, allow_hyphen_values = true, help_heading = "The run")]
    pub(crate) deadline: Option<Duration>,
    /// Print JSON Lines events on stdout instead of messages
    #[arg(long, help_heading = "The run")]
    pub(crate) events: bool,
    /// Write a trace for `perennial replay` and `perennial explain`; what is said is not in it. If
    /// the file takes no more, the run goes on without
    #[arg(long, value_name = "FILE", help_heading = "The run")]
    pub(crate) record: Option<PathBuf>,
    /// Say nothing on stderr
    #[arg(long, short, help_heading = "The run")]
    pub(crate) quiet: bool,
    /// Say more on stderr: what becomes of the connection; twice for the steps of each attempt as
    /// well, thrice for everything
    #[arg(
        long,
        short,
        action = ArgAction::Count,
        conflicts_with = "quiet",
        help_heading = "The run",
    )]
    pub(crate) verbose: u8,
}

/// The drivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AdapterName {
    Blocking,
    Smol,
    AsyncStd,
    Tokio,
}

/// The backoff policies; the delay that three of them grow from is `--base`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BackoffName {
    Exponential,
    Linear,
    Constant,
    List(Vec<Duration>),
}

impl BackoffName {
    /// The policy, where it takes a base.
    pub(crate) fn with_base(self, base: Duration) -> Backoff {
        match self {
            Self::Exponential => Backoff::Exponential { base, factor_percent: 200 },
            Self::Linear => Backoff::Linear { base },
            Self::Constant => Backoff::Constant { base },
            Self::List(delays) => Backoff::List { delays },
        }
    }
}

/// How delays are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum JitterName {
    None,
    Equal,
    Full,
    Decorrelated,
}

impl From<JitterName> for Jitter {
    fn from(name: JitterName) -> Self {
        match name {
            JitterName::None => Self::None,
            JitterName::Equal => Self::Equal,
            JitterName::Full => Self::Full,
            JitterName::Decorrelated => Self::Decorrelated,
        }
    }
}

/// What happens to a message that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OverflowName {
    Wait,
    Reject,
    DropOldest,
    DropNewest,
}

impl From<OverflowName> for Overflow {
    fn from(name: OverflowName) -> Self {
        match name {
            OverflowName::Wait => Self::Wait,
            OverflowName::Reject => Self::Reject,
            OverflowName::DropOldest => Self::DropOldest,
            OverflowName::DropNewest => Self::DropNewest,
        }
    }
}

/// How hard a message is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClassName {
    Volatile,
    Queued,
    Acknowledged,
}

impl ClassName {
    /// The name as it is written on the command line.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Volatile => "volatile",
            Self::Queued => "queued",
            Self::Acknowledged => "acknowledged",
        }
    }
}

impl From<ClassName> for Class {
    fn from(name: ClassName) -> Self {
        match name {
            ClassName::Volatile => Self::Volatile,
            ClassName::Queued => Self::Queued,
            ClassName::Acknowledged => Self::Acknowledged,
        }
    }
}
