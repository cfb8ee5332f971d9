//! An assistant whose answers come in pieces: each line of stdin is a question.
//!
//! ```sh
//! perennial serve --app ai --drop-every 2s    # in another terminal
//! cargo run -p perennial-examples --example assistant -- ws://127.0.0.1:9001
//! ```
//!
//! A question interrupts the answer before it. An answer that was cut off by a loss is asked for
//! again. At the end of stdin it stays for the last answer.
//!
//! Which piece belongs to which answer is in `examples/src/entries.rs`.

use std::error::Error;
use std::io::{self, Write as _};

use async_std::io::{BufReader, prelude::BufReadExt as _};
use futures_lite::{StreamExt as _, stream};
use perennial::asynchronous::Handle;
use perennial::{Builder, Class, Notice, Outgoing, State};
use perennial_examples::entries::{Change, Entries};
use serde_json::json;

/// Whatever happens.
enum Input {
    Line(io::Result<String>),
    EndOfStdin,
    Notice(Notice),
}

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:9001".to_owned());
    async_std::task::block_on(talk(&url))
}

async fn talk(url: &str) -> Result<(), Box<dyn Error>> {
    let client = perennial::async_std::spawn(Builder::new(url))?;
    let handle = client.handle();
    let lines = BufReader::new(async_std::io::stdin()).lines().map(Input::Line);
    let stdin = lines.chain(stream::once(Input::EndOfStdin)).chain(stream::pending());
    let mut inputs = stream::or(client.map(Input::Notice), stdin);

    let mut entries = Entries::default();
    let (mut is_open, mut has_stdin) = (false, true);
    while has_stdin || entries.is_growing() {
        match inputs.next().await {
            Some(Input::Line(line)) => {
                if entries.is_growing() {
                    println!(" [interrupted]");
                }
                entries.push(line?);
            }
            Some(Input::EndOfStdin) => has_stdin = false,
            Some(Input::Notice(Notice::StateChanged { to, reason, .. })) => {
                is_open = to == State::Open;
                if let Some(reason) = reason.filter(|_| to == State::Reconnecting) {
                    entries.lost();
                    println!(" [{reason}]");
                }
            }
            Some(Input::Notice(Notice::Message(message))) => {
                match message.as_text().and_then(|text| entries.take(text)) {
                    Some(Change::Appended(piece)) => print!("{piece}"),
                    Some(Change::Over) => println!(),
                    None => {}
                }
                io::stdout().flush()?;
            }
            Some(Input::Notice(Notice::Closed(closed))) => {
                return Err(closed.reason.to_string().into());
            }
            Some(Input::Notice(_)) | None => {}
        }
        if is_open && let Some(prompt) = entries.ask() {
            ask(&handle, prompt).await?;
        }
    }
    handle.close();
    handle.wait_closed().await;
    Ok(())
}

async fn ask(handle: &Handle, prompt: &str) -> Result<(), Box<dyn Error>> {
    let prompt = json!({"type": "prompt", "message": prompt, "stream": true}).to_string();
    // On this connection or not at all: on the next one it is this program that asks again.
    handle.send(Outgoing::new(prompt).class(Class::Volatile)).await?;
    Ok(())
}
