//! Says in our own words what the argument parser found wrong. Its own words repeat values, and a
//! value may be a URL with a token or a header.

use std::error::Error as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::errors::{Usage, complain, is_word, print_all};

/// Prints help and version as asked; explains everything else, exit status 2.
pub(crate) fn report(error: &Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            print_all(&error.render().to_string())
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // The rendering is the help text: nothing was given that it could repeat.
            complain("no command is given: choose one of those below");
            let _ = write!(std::io::stderr().lock(), "\n{}", error.render());
            ExitCode::from(2)
        }
        _ => explain(error).report(),
    }
}

fn explain(error: &Error) -> Usage {
    let option = option(error, ContextKind::InvalidArg);
    let named = |what: &str| format!("{} {what}", option.as_deref().unwrap_or("an argument"));
    match error.kind() {
        ErrorKind::ValueValidation => {
            let rule = error.source().map(ToString::to_string).unwrap_or_default();
            Usage::new(named("has a value that cannot be used"), rule)
        }
        ErrorKind::InvalidValue => {
            if text(error, ContextKind::InvalidValue).is_none_or(str::is_empty) {
                return Usage::new(named("needs a value"), see_help());
            }
            match strings(error, ContextKind::ValidValue) {
                [] => Usage::new(named("has a value that cannot be used"), see_help()),
                all => Usage::new(
                    named("has an unknown value"),
                    format!("choose one of {}", all.join(", ")),
                ),
            }
        }
        ErrorKind::UnknownArgument => unknown(error),
        ErrorKind::InvalidSubcommand => {
            let given = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            let remedy = "choose connect, serve, demo, replay, explain, completions or help";
            if given.contains("://") {
                Usage::new("a URL is no command", "put connect before it: perennial connect URL")
            } else if is_word(given) {
                Usage::new(format!("{given} is no command"), remedy)
            } else {
                Usage::new("the first argument is no command", remedy)
            }
        }
        ErrorKind::TooManyValues => {
            Usage::new(named("has a value too many"), "leave it out, or quote it")
        }
        ErrorKind::NoEquals | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            Usage::new(named("has the wrong number of values"), see_help())
        }
        ErrorKind::ArgumentConflict => {
            let others = others(error, option.as_deref());
            if others.is_empty() {
                Usage::new(named("is given more than once"), "give it once")
            } else {
                Usage::new(named(&format!("does not go with {}", others.join(", "))), "choose one")
            }
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = strings(error, ContextKind::InvalidArg);
            let missing =
                if missing.is_empty() { "an argument".into() } else { missing.join(", ") };
            let remedy = if missing.contains("URL") {
                "give a ws:// or wss:// URL, or --url-command CMD".to_owned()
            } else {
                format!("add it, {}", see_help())
            };
            Usage::new(format!("{missing} is missing"), remedy)
        }
        ErrorKind::MissingSubcommand => Usage::new(
            "no command is given",
            "choose connect, serve, demo, replay, explain, completions or help",
        ),
        ErrorKind::InvalidUtf8 => Usage::new("an argument is not UTF-8", "write it in UTF-8"),
        _ => Usage::new("the command line cannot be read", see_help()),
    }
}

fn see_help() -> &'static str {
    "see `perennial help COMMAND`"
}

fn unknown(error: &Error) -> Usage {
    let given = text(error, ContextKind::InvalidArg).unwrap_or_default();
    match flag_name(given) {
        Some(name) => {
            let suggested = text(error, ContextKind::SuggestedArg).and_then(flag_name);
            let remedy = match suggested.filter(|other| is_like(name, other)) {
                Some(other) => format!("did you mean {other}?"),
                None => see_help().to_owned(),
            };
            Usage::new(format!("{name} is no option here"), remedy)
        }
        // Perhaps a URL, or a header that was not quoted.
        None => Usage::new(
            "there is an argument too many",
            format!("leave it out, or quote what holds spaces or &, {}", see_help()),
        ),
    }
}

/// Whether one may have been mistyped for the other: seldom is that the first letter.
fn is_like(name: &str, other: &str) -> bool {
    let first = |name: &str| name.bytes().find(|byte| *byte != b'-');
    first(name) == first(other)
}

/// The name of an option as it may be repeated: without a value, and nothing but a name.
fn flag_name(given: &str) -> Option<&str> {
    let name = given.split(['=', ' ', ':']).next()?;
    let long = name.strip_prefix("--").is_some_and(is_word);
    let short = name.len() == 2 && name.starts_with('-');
    (long || short).then_some(name)
}

/// The option that an error is about, without its value's name. Options are ours, so they can be
/// repeated.
fn option(error: &Error, kind: ContextKind) -> Option<String> {
    let full = text(error, kind)?;
    Some(name_of(full).to_owned())
}

/// The name in `--name <VALUE>`, `--name[=<VALUE>]` or `--name...`, which may be repeated.
fn name_of(full: &str) -> &str {
    full.split([' ', '=', '[', '.']).next().unwrap_or(full)
}

fn others(error: &Error, this: Option<&str>) -> Vec<String> {
    let prior = match error.get(ContextKind::PriorArg) {
        Some(ContextValue::String(one)) => std::slice::from_ref(one),
        Some(ContextValue::Strings(all)) => all,
        _ => &[],
    };
    prior
        .iter()
        .map(|arg| name_of(arg))
        .filter(|arg| Some(*arg) != this)
        .map(str::to_owned)
        .collect()
}

fn text(error: &Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

fn strings(error: &Error, kind: ContextKind) -> &[String] {
    match error.get(kind) {
        Some(ContextValue::Strings(all)) => all,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::Parser;

    fn said(arguments: &[&str]) -> String {
        let all = std::iter::once("perennial").chain(arguments.iter().copied());
        explain(&Cli::try_parse_from(all).expect_err("it was accepted")).to_string()
    }

    #[test]
    fn errors_name_the_option_and_the_rule() {
        let url = "ws://127.0.0.1:1";
        for (arguments, words) in [
            (&["connect", url, "--cap", "soon"][..], &["--cap", "10s"][..]),
            (&["connect", url, "--cap"], &["--cap", "needs a value"]),
            (&["connect", url, "--cap", "1s", "--cap", "2s"], &["--cap", "more than once"]),
            (&["connect", url, "--jitter", "some"], &["--jitter", "decorrelated"]),
            (&["connect", url, "--preset", "some"], &["--preset", "idle-watch"]),
            (&["connect", url, "--misses", "-1"], &["--misses", "whole number"]),
            (&["connect", url, "--count", "0"], &["--count", "at least 1"]),
            (&["connect", url, "--frobnicate"], &["--frobnicate"]),
            (&["connect", url, "--heartbeats", "1s"], &["--heartbeats", "--heartbeat?"]),
            (&["serve", "--port", "80"], &["--port", "perennial help"]),
            (&["connect", url, "--events=yes"], &["--events"]),
            (&["connect", url, "-q", "-v"], &["--quiet", "--verbose"]),
            (&["connect", url, "-q", "-v"], &["--quiet does not go with --verbose: choose"]),
            (&["connect", url, "--ca", "x", "--insecure"], &["--ca", "--insecure"]),
            (&["connect", url, "--url-command", "x"], &["--url-command"]),
            (&["connect"], &["URL", "--url-command"]),
            (&["connect", url, "--heartbeat-style", "literal:x"], &["--heartbeat-style", "PING"]),
            (&["serve", "--for", "1s"], &["--refuse"]),
            (&["serve", "--after-messages", "3"], &["--close-code"]),
            (&["connect", url, "--base", "-1s"], &["--base", "10s"]),
            (&["connect", url, "--heartbeat", "-5s"], &["--heartbeat", "10s"]),
            (&["serve", "--drop-every", "-1s"], &["--drop-every", "10s"]),
            (&["serve", "--refuse", "101"], &["--refuse", "200"]),
            (&["replay"], &["TRACE"]),
            (&["replay", "x", "--until", "0"], &["--until", "at least 1"]),
            (&["replay", "x", "--diff", "y", "--step"], &["--diff", "--step"]),
            (&["explain", "x", "--svg"], &["--svg", "needs a value"]),
            (&["ws://127.0.0.1:1"], &["connect"]),
        ] {
            let said = said(arguments);
            for word in words {
                assert!(said.contains(word), "{arguments:?} does not say {word}: {said}");
            }
        }
    }

    #[test]
    fn errors_repeat_no_secret() {
        for arguments in [
            &["connect", "ws://u:s3cr3t@h/?t=s3cr3t", "ws://u:s3cr3t@h/?t=s3cr3t"][..],
            &["ws://u:s3cr3t@h/?t=s3cr3t"],
            &["s3cr3t"],
            &["connect", "ws://h", "--header", "X-Token s3cr3t"],
            &["connect", "ws://h", "--header", "Upgrade: s3cr3t"],
            &["connect", "ws://h", "--header", "X", "Token: s3cr3t"],
            &["connect", "ws://h", "--token=s3cr3t"],
            &["connect", "ws://h", "--s3cr3t"],
            &["connect", "ws://h", "-s3cr3t"],
            &["connect", "ws://h", "--cap", "s3cr3t"],
            &["connect", "ws://h", "--jitter", "s3cr3t"],
            &["connect", "ws://h", "--events=s3cr3t"],
            &["connect", "ws://h", "--count", "s3cr3t"],
            &["connect", "ws://h?s3cr3t", "--url-command", "s3cr3t"],
        ] {
            let said = said(arguments);
            assert!(!said.contains("s3cr3t"), "{said}");
        }
    }
}
