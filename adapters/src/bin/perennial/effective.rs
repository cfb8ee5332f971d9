//! The config in effect: the preset, then the config file, then the options.

mod file;
mod options;

use perennial_core::{
    Class, Config, ConfigBuilder, ConfigError, DialectConfig, Overflow, WhileDown,
};

use crate::args::ConnectArgs;
use crate::errors::Usage;

/// Puts the config together and checks it.
pub(crate) fn config(args: &ConnectArgs) -> Result<Config, Usage> {
    let preset = Config::preset(&args.preset)
        .ok_or_else(|| Usage::new("--preset is unknown", "see `perennial help connect`"))?;
    let mut preset = preset.into_builder();
    // A program may be told that its message cannot go out now. A pipe's lines wait.
    preset.outbox.class = Class::Queued;
    preset.outbox.overflow = Overflow::Wait;
    preset.outbox.while_down = WhileDown::Accept;
    let mut builder = match &args.config {
        Some(path) => file::over(preset, path)?,
        None => preset,
    };
    if builder.dialect == DialectConfig::Custom {
        let file = args.config.as_ref().map(|path| format!("{}: ", path.display()));
        return Err(Usage::new(
            file.unwrap_or_default() + "dialect is custom, which only a program can bring",
            "choose plain, text, json, socket_io or event_stream",
        ));
    }
    options::apply(args, &mut builder)?;
    if builder.outbox.class == Class::Acknowledged && !acknowledges(&builder) {
        let file = args.config.as_ref().map(|path| format!("{}: ", path.display()));
        let (what, remedy) = match builder.dialect {
            DialectConfig::EventStream(_) => (
                "outbox.class is acknowledged, and the dialect event_stream (--preset event-source) \
                 only receives",
                "leave --acks and --class acknowledged out, or choose another preset",
            ),
            _ => (
                "outbox.class is acknowledged and dialect knows no acks",
                "add --acks, or choose another class",
            ),
        };
        return Err(Usage::new(file.unwrap_or_default() + what, remedy));
    }
    builder.build().map_err(|error| broken_rule(&error, args))
}

fn acknowledges(builder: &ConfigBuilder) -> bool {
    match &builder.dialect {
        DialectConfig::Json(json) => json.acks,
        DialectConfig::SocketIo(_) => true,
        DialectConfig::Plain
        | DialectConfig::Text { .. }
        | DialectConfig::EventStream(_)
        | DialectConfig::Custom => false,
    }
}

/// Names the options behind a field where they were given, otherwise the field and its file.
fn broken_rule(error: &ConfigError, args: &ConnectArgs) -> Usage {
    let given: Vec<&str> = options::behind(error.field)
        .iter()
        .copied()
        .filter(|option| options::is_given(args, option))
        .collect();
    // Fields that several sections share are spelled out by their full name there.
    let rule = match error.field {
        "retry.cap" if error.rule.contains("shorter") => {
            "the cap (--cap) must not be shorter than the base (--base) or the list's last delay \
             (--backoff)"
        }
        _ => "",
    };
    let rule = if rule.is_empty() { format!("it {}", error.rule) } else { rule.to_owned() };
    let what = match (given.as_slice(), &args.config) {
        ([], Some(path)) => format!("{}: {} breaks a rule", path.display(), error.field),
        ([], None) => format!("{} breaks a rule", error.field),
        (given, _) => format!("{} breaks a rule", given.join(" with ")),
    };
    Usage::new(what, rule)
}

#[cfg(test)]
mod tests;
