//! Fetches a fresh token for every attempt, and gives up after some minutes without a connection.
//!
//! ```sh
//! perennial serve --drop-every 3s    # in another terminal
//! cargo run -p perennial-examples --example token -- ws://127.0.0.1:9001 5 date +%s
//! ```
//!
//! The arguments: the URL, the minutes (default 5), and the command that prints a token (default:
//! none, and the variable `TOKEN` is the token). It runs until it gives up, or until Ctrl-C.

use std::error::Error;
use std::process::Command;

use perennial::blocking::Client;
use perennial::{Duration, HookError, Notice, RetryChoice, State};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "ws://127.0.0.1:9001".to_owned());
    let minutes = args.next().unwrap_or_else(|| "5".to_owned());
    let limit = minutes.parse::<f64>().ok();
    let limit = limit.and_then(|n| Duration::try_from_secs_f64(n * 60.0).ok());
    let limit = limit.ok_or_else(|| format!("{minutes} is no number of minutes"))?;
    let command: Vec<String> = args.collect();

    let mut client = Client::builder(&url)
        // On a thread of its own: it may take its time, within `connect.dial_timeout`.
        .on_request(move |attempt| {
            println!("attempt {}: fetching a token", attempt.number);
            Ok(attempt.bearer(&token(&command)?)?)
        })
        // On the driver's thread: it must not block.
        .on_retry(move |retry| {
            println!("attempt {} in {:?}, because {}", retry.attempt, retry.delay, retry.reason);
            if retry.outage < limit { RetryChoice::Keep } else { RetryChoice::Stop }
        })
        .connect()?;

    // A server does not remember what was said on an earlier connection: say it on each.
    let handle = client.handle();
    for notice in client.notices() {
        match notice {
            Notice::StateChanged { to: State::Open, .. } => {
                handle.send("hello")?;
            }
            Notice::Message(message) => println!("{message}"),
            Notice::Closed(closed) => println!("{}", closed.reason),
            _ => {}
        }
    }
    Ok(())
}

/// What the command prints. [`HookError::Retry`] fails this attempt alone, [`HookError::Stop`] ends
/// the connection; their texts are shown to people, so the token must not be in them.
fn token(command: &[String]) -> Result<String, HookError> {
    let Some((program, arguments)) = command.split_first() else {
        return std::env::var("TOKEN").map_err(|_| HookError::Stop("TOKEN is not set".to_owned()));
    };
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| HookError::Stop(format!("{program} cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(HookError::Retry(format!("{program} failed: {}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
