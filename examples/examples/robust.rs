//! A client that never fails its caller: whatever goes wrong is in its log, with the time.
//!
//! ```sh
//! perennial serve --drop-every 2s    # in another terminal
//! cargo run -p perennial-examples --example robust -- ws://127.0.0.1:9001 10
//! ```
//!
//! The arguments: the URL, and for how many seconds.

use std::error::Error;
use std::num::NonZero;
use std::time::{Duration, Instant};

use perennial::blocking::{Client, Handle};
use perennial::{ClosedBy, Config, Notice, Outgoing};
use time::OffsetDateTime;
use time::format_description::well_known::{Iso8601, iso8601};

/// ISO 8601 with milliseconds: `2026-01-31T12:34:56.789Z`.
const FORM: iso8601::EncodedConfig = iso8601::Config::DEFAULT
    .set_time_precision(iso8601::TimePrecision::Second { decimal_digits: NonZero::new(3) })
    .encode();

/// Says what went wrong, and when.
fn log(what: &str, error: impl std::fmt::Display) {
    // Only years beyond 9999 cannot be written.
    let now = OffsetDateTime::now_utc().format(&Iso8601::<FORM>).unwrap_or_default();
    println!("{now} {what}: {error}");
}

/// Sends. What cannot be sent is logged, and nobody else has to care.
struct Sender(Handle);

impl Sender {
    fn send(&self, message: impl Into<Outgoing>) {
        if let Err(error) = self.0.try_send(message) {
            log("not sent", error);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "ws://127.0.0.1:9001".to_owned());
    let seconds = args.next().map_or(Ok(10), |seconds| {
        seconds.parse().map_err(|_| format!("{seconds} is no whole number of seconds"))
    })?;

    let mut config = Config::client().into_builder();
    config.outbox.max_messages = 8;
    let mut client = Client::builder(&url)
        .config(config.build()?)
        // Or what became of single messages would not be told.
        .reports(true)
        .connect()?;

    let sender = Sender(client.handle());
    let end = Instant::now() + Duration::from_secs(seconds);
    let talker = std::thread::spawn(move || {
        for number in 1.. {
            if Instant::now() >= end || sender.0.closed().is_some() {
                break;
            }
            sender.send(format!("message {number}"));
            std::thread::sleep(Duration::from_millis(100));
        }
        sender.0.drain(Some(Duration::from_secs(2)));
    });

    // Each thing that can go wrong comes by here, once; the connection comes back by itself.
    for notice in client.notices() {
        match notice {
            Notice::Message(message) => println!("{message}"),
            Notice::Retrying { attempt, delay, reason, .. } => {
                log(&format!("attempt {attempt} follows in {delay:.1?}"), reason);
            }
            Notice::Undelivered { seq, fate, .. } => log(&format!("message {seq}"), fate.reason()),
            Notice::Dead { silence, .. } => log("the server is silent", format!("{silence:.1?}")),
            Notice::Warning(warning) => log("warning", format!("{warning:?}")),
            Notice::Closed(closed) if closed.by != ClosedBy::Application => {
                log("closed for good", closed.reason);
            }
            _ => {}
        }
    }
    talker.join().map_err(|_| "the talker panicked".into())
}
