//! A chat room: each line of stdin is said in it, and what the others say is printed.
//!
//! ```sh
//! perennial serve --app chat --drop-every 5s    # in another terminal
//! cargo run -p perennial-examples --example chat -- ws://127.0.0.1:9001/garden ann
//! echo "hello" | cargo run -p perennial-examples --example chat -- ws://127.0.0.1:9001/garden bob
//! ```
//!
//! The arguments: the URL, whose path is the room, and who is speaking. At the end of stdin it stays
//! until the last line is delivered. Exit status 0: every line was. What is said while somebody is
//! away is not repeated to them: this server keeps nothing.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use perennial::blocking::Client;
use perennial::core::{DialectConfig, JsonConfig};
use perennial::{Class, Config, RetryChoice};
use serde::Deserialize;
use serde_json::json;

/// What there is to hear in a room.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Heard {
    Chat { user: String, text: String },
    Join { user: String },
    Leave { user: String },
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "ws://127.0.0.1:9001/lobby".to_owned());
    let name = args.next().unwrap_or_else(|| "ann".to_owned());

    // A line is kept, and sent again after a loss, until the server has acknowledged it.
    let mut config = Config::scripts().into_builder();
    config.dialect = DialectConfig::Json(JsonConfig::default());
    config.outbox.class = Class::Acknowledged;
    // Connects when it is told to, further down: nothing shall be said before somebody listens.
    config.connect.auto = false;

    let join = json!({"type": "join", "user": name}).to_string();
    let client = Client::builder(&url)
        .config(config.build()?)
        // Said on every new connection, before the lines that wait.
        .on_open(move |opening| opening.send(join.clone()))
        .on_state(|change| eprintln!("-- {change}"))
        // What cannot be reached is no error: it is tried again.
        .on_retry(|retry| {
            eprintln!("-- attempt {} in {:.1?}: {}", retry.attempt, retry.delay, retry.reason);
            RetryChoice::Keep
        })
        .connect()?;

    // Whatever has a `type` goes there.
    let heard = client.topic::<Heard>("**")?;
    let me = name.clone();
    let printer = std::thread::spawn(move || {
        for event in heard {
            match event {
                Ok(Heard::Chat { user, text }) if user != me => println!("{user}: {text}"),
                Ok(Heard::Join { user }) if user != me => println!("* {user} is here"),
                Ok(Heard::Leave { user }) if user != me => println!("* {user} is gone"),
                Ok(_) => {}
                Err(error) => eprintln!("-- not understood: {error}"),
            }
        }
    });
    client.reconnect();

    let mut lines = 0;
    for line in std::io::stdin().lines() {
        client.send(json!({"type": "chat", "user": name, "text": line?}).to_string())?;
        lines += 1;
    }
    // Closes when every line is acknowledged, or when the time is up.
    client.drain(Some(Duration::from_secs(30)));
    let handle = client.handle();
    let _ = client.join();
    let delivered = handle.counters().acknowledged;
    eprintln!("-- delivered {delivered} of {lines}");
    printer.join().map_err(|_| "the printer panicked")?;
    Ok(if delivered == lines { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
