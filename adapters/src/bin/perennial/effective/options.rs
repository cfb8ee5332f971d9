//! Lays the options over a config.

use perennial_core::{
    Backoff, Class, ConfigBuilder, DialectConfig, Duration, HeartbeatFrames, HeartbeatStyle,
    JsonConfig,
};

use crate::args::{BackoffName, ClassName, ConnectArgs, JitterName};
use crate::errors::Usage;
use crate::parse::{OrOff, StyleArg};

/// How many ids are remembered with `--acks`.
const DEDUPE_WITH_ACKS: usize = 4096;
/// The first delay where neither the option nor the config has one.
const BASE: Duration = Duration::from_millis(500);

/// Changes what the options say; the rest stays.
pub(super) fn apply(args: &ConnectArgs, config: &mut ConfigBuilder) -> Result<(), Usage> {
    set(&mut config.connect.dial_timeout, args.dial_timeout);
    config.connect.fail_fast |= args.fail_fast;
    retry(args, config)?;
    set(&mut config.close.timeout, args.close_timeout);
    set(&mut config.close.drain, args.drain);
    outbox(args, config)?;
    set(&mut config.inbox.max_message, args.max_message);
    heartbeat(args, config);
    config.dialect = dialect(args, std::mem::take(&mut config.dialect), acks(args));
    Ok(())
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn retry(args: &ConnectArgs, config: &mut ConfigBuilder) -> Result<(), Usage> {
    let retry = &mut config.retry;
    let base = match &retry.backoff {
        Backoff::Constant { base }
        | Backoff::Linear { base }
        | Backoff::Exponential { base, .. } => Some(*base),
        Backoff::List { .. } => None,
    };
    match (&args.backoff, args.base) {
        (Some(BackoffName::List(_)), Some(_)) => {
            return Err(Usage::new(
                "--base does not go with a list of delays in --backoff",
                "leave --base out: the list says every delay",
            ));
        }
        (Some(name), given) => {
            retry.backoff = name.clone().with_base(given.or(base).unwrap_or(BASE));
        }
        (None, Some(given)) => match &mut retry.backoff {
            Backoff::Constant { base }
            | Backoff::Linear { base }
            | Backoff::Exponential { base, .. } => *base = given,
            Backoff::List { .. } => {
                return Err(Usage::new(
                    "--base does not go with the list of delays in the config",
                    "add --backoff exponential, linear or constant, or leave --base out",
                ));
            }
        },
        (None, None) => {}
    }
    if matches!(retry.backoff, Backoff::List { .. })
        && args.jitter == Some(JitterName::Decorrelated)
    {
        return Err(Usage::new(
            "--jitter decorrelated does not go with a list of delays in --backoff",
            "choose another jitter: the list would have no effect",
        ));
    }
    set(&mut retry.cap, args.cap);
    if let (Some(cap), None) = (args.cap, args.base) {
        lower(&mut retry.backoff, cap);
    }
    set(&mut retry.jitter, args.jitter.map(Into::into));
    if args.max_attempts.is_some() {
        retry.max_attempts = args.max_attempts;
        // Another way to say the same, which the option goes over.
        retry.max_retries = None;
    }
    retry.max_outage = args.max_outage.or(retry.max_outage);
    set(&mut retry.stable_after, args.stable_after);
    Ok(())
}

/// Lets the cap that was asked for cut a base that was not.
fn lower(backoff: &mut Backoff, cap: Duration) {
    match backoff {
        Backoff::Constant { base }
        | Backoff::Linear { base }
        | Backoff::Exponential { base, .. } => {
            if *base > cap && cap > Duration::ZERO {
                *base = cap;
            }
        }
        // Every delay of a list was asked for.
        Backoff::List { .. } => {}
    }
}

/// Whether acknowledged delivery is asked for, in either way.
fn acks(args: &ConnectArgs) -> bool {
    args.acks || args.class == Some(ClassName::Acknowledged)
}

fn outbox(args: &ConnectArgs, config: &mut ConfigBuilder) -> Result<(), Usage> {
    if let (true, Some(class @ (ClassName::Volatile | ClassName::Queued))) = (args.acks, args.class)
    {
        return Err(Usage::new(
            format!("--acks does not go with --class {}", class.as_str()),
            "leave one out: --acks means --class acknowledged",
        ));
    }
    let outbox = &mut config.outbox;
    set(&mut outbox.max_messages, args.queue);
    set(&mut outbox.max_bytes, args.queue_bytes);
    set(&mut outbox.overflow, args.overflow.map(Into::into));
    outbox.ttl = args.ttl.or(outbox.ttl);
    set(&mut outbox.ack_timeout, args.ack_timeout);
    set(&mut outbox.ack_window, args.ack_window);
    set(&mut outbox.class, args.class.map(Into::into));
    if acks(args) {
        outbox.class = Class::Acknowledged;
        if config.inbox.dedupe == 0 && !has_its_own_ids(&config.dialect) {
            config.inbox.dedupe = DEDUPE_WITH_ACKS;
        }
    }
    set(&mut config.inbox.dedupe, args.dedupe);
    Ok(())
}

/// Whether the dialect is a protocol of its own, to which options can add nothing, and whose ids tell
/// no duplicate.
fn has_its_own_ids(dialect: &DialectConfig) -> bool {
    match dialect {
        DialectConfig::SocketIo(_) | DialectConfig::EventStream(_) => true,
        DialectConfig::Plain
        | DialectConfig::Text { .. }
        | DialectConfig::Json(_)
        | DialectConfig::Custom => false,
    }
}

fn heartbeat(args: &ConnectArgs, config: &mut ConfigBuilder) {
    let heartbeat = &mut config.heartbeat;
    set(&mut heartbeat.deadline, args.dead_after);
    set(&mut heartbeat.misses, args.misses);
    match args.stale_after {
        Some(OrOff::After(silence)) => heartbeat.stale_after = Some(silence),
        Some(OrOff::Off) => heartbeat.stale_after = None,
        None => {}
    }
    if let Some(style) = &args.heartbeat_style {
        heartbeat.style = match style {
            StyleArg::Ws => HeartbeatStyle::Protocol,
            StyleArg::Json | StyleArg::Literals { .. } => HeartbeatStyle::Application,
            StyleArg::Server => HeartbeatStyle::Server,
        };
    }
    match args.heartbeat {
        Some(OrOff::After(interval)) => {
            heartbeat.interval = interval;
            // An interval turns on again what a config file turned off.
            if heartbeat.style == HeartbeatStyle::Off {
                heartbeat.style = if config.dialect.has_heartbeat() {
                    HeartbeatStyle::Application
                } else {
                    HeartbeatStyle::Protocol
                };
            }
        }
        Some(OrOff::Off) => heartbeat.style = HeartbeatStyle::Off,
        None => {}
    }
}

/// The plainest dialect that can do what the options ask for on top of what the config has.
fn dialect(args: &ConnectArgs, config: DialectConfig, acks: bool) -> DialectConfig {
    let needs_ids = acks || args.id_field.is_some() || args.dedupe.is_some_and(|n| n > 0);
    if !needs_ids && args.heartbeat_style.is_none() {
        return config;
    }
    let (frames, json) = match config {
        // A custom one is refused before the run.
        DialectConfig::Plain | DialectConfig::Custom => (HeartbeatFrames::None, None),
        DialectConfig::Text { ping, pong } => (HeartbeatFrames::Literals { ping, pong }, None),
        DialectConfig::Json(json) => (json.heartbeat.clone(), Some(json)),
        own @ (DialectConfig::SocketIo(_) | DialectConfig::EventStream(_)) => return own,
    };
    let frames = match &args.heartbeat_style {
        None => frames,
        Some(StyleArg::Ws | StyleArg::Server) => HeartbeatFrames::None,
        Some(StyleArg::Literals { ping, pong }) => {
            HeartbeatFrames::Literals { ping: ping.clone(), pong: pong.clone() }
        }
        Some(StyleArg::Json) => HeartbeatFrames::Json {
            ping: "ping".to_owned(),
            pong: "pong".to_owned(),
            timestamp: false,
        },
    };
    match (frames, json) {
        (HeartbeatFrames::None, None) if !needs_ids => DialectConfig::Plain,
        (HeartbeatFrames::Literals { ping, pong }, None) if !needs_ids => {
            DialectConfig::Text { ping, pong }
        }
        (frames, json) => {
            let mut json = json.unwrap_or_else(|| JsonConfig {
                envelope: false,
                acks: false,
                acknowledge: false,
                ..JsonConfig::default()
            });
            json.heartbeat = frames;
            json.envelope |= acks;
            json.acks |= acks;
            set(&mut json.id_field, args.id_field.clone());
            DialectConfig::Json(json)
        }
    }
}

/// The options that a field of the config comes from.
pub(super) fn behind(field: &str) -> &'static [&'static str] {
    match field {
        "connect.dial_timeout" => &["--dial-timeout"],
        "retry.backoff.base" => &["--base"],
        "retry.backoff.list.delays" => &["--backoff"],
        "retry.cap" => &["--cap", "--base", "--backoff"],
        "retry.jitter" => &["--jitter", "--backoff"],
        "retry.max_attempts" => &["--max-attempts"],
        "retry.max_outage" => &["--max-outage"],
        "retry.stable_after" => &["--stable-after"],
        "heartbeat.interval" => &["--heartbeat"],
        "heartbeat.deadline" => &["--dead-after"],
        "heartbeat.misses" => &["--misses"],
        "heartbeat.stale_after" => &["--stale-after"],
        "heartbeat.style" | "dialect.heartbeat.ping" | "dialect.heartbeat.pong" => {
            &["--heartbeat-style"]
        }
        "close.timeout" => &["--close-timeout"],
        "close.drain" => &["--drain"],
        "outbox.max_messages" => &["--queue"],
        "outbox.max_bytes" => &["--queue-bytes"],
        "outbox.ttl" => &["--ttl"],
        "outbox.ack_timeout" => &["--ack-timeout"],
        "outbox.ack_window" => &["--ack-window"],
        "inbox.max_message" => &["--max-message"],
        "inbox.dedupe" => &["--dedupe"],
        "dialect.json.id_field" => &["--id-field"],
        _ => &[],
    }
}

/// Whether one of the options that [`behind`] names was given.
pub(super) fn is_given(args: &ConnectArgs, option: &str) -> bool {
    match option {
        "--dial-timeout" => args.dial_timeout.is_some(),
        "--base" => args.base.is_some(),
        "--backoff" => args.backoff.is_some(),
        "--cap" => args.cap.is_some(),
        "--jitter" => args.jitter.is_some(),
        "--max-attempts" => args.max_attempts.is_some(),
        "--max-outage" => args.max_outage.is_some(),
        "--stable-after" => args.stable_after.is_some(),
        "--heartbeat" => args.heartbeat.is_some(),
        "--dead-after" => args.dead_after.is_some(),
        "--misses" => args.misses.is_some(),
        "--stale-after" => args.stale_after.is_some(),
        "--heartbeat-style" => args.heartbeat_style.is_some(),
        "--close-timeout" => args.close_timeout.is_some(),
        "--drain" => args.drain.is_some(),
        "--queue" => args.queue.is_some(),
        "--queue-bytes" => args.queue_bytes.is_some(),
        "--ttl" => args.ttl.is_some(),
        "--ack-timeout" => args.ack_timeout.is_some(),
        "--ack-window" => args.ack_window.is_some(),
        "--max-message" => args.max_message.is_some(),
        "--dedupe" => args.dedupe.is_some(),
        "--id-field" => args.id_field.is_some(),
        _ => false,
    }
}
