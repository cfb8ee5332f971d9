//! Four threads send at once through an outbox of sixteen messages; none outruns the network.
//!
//! ```sh
//! perennial serve    # in another terminal
//! cargo run -p perennial-examples --example threads -- ws://127.0.0.1:9001
//! ```

use std::error::Error;
use std::thread;

use perennial::blocking::Client;
use perennial::{Config, Overflow};

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:9001".to_owned());

    let mut config = Config::builder();
    config.outbox.max_messages = 16;
    // `send` waits for room, where the default would give the message back.
    config.outbox.overflow = Overflow::Wait;
    let mut client = Client::builder(&url).config(config.build()?).connect()?;

    let senders: Vec<_> = ["ash", "birch", "cedar", "dogwood"]
        .into_iter()
        .map(|name| {
            let handle = client.handle();
            thread::spawn(move || {
                for number in 1..=250 {
                    if let Err(error) = handle.send(format!("{name} {number}")) {
                        return eprintln!("{name}: {error}");
                    }
                }
            })
        })
        .collect();

    // When all have said what they have to say, it is sent, and the connection closed.
    let handle = client.handle();
    let last = thread::spawn(move || {
        let panicked = senders.into_iter().filter_map(|sender| sender.join().err()).count();
        handle.drain(None);
        panicked
    });

    // This thread must fetch meanwhile: what nobody fetches is soon read no more, then the server
    // can write no more, and in the end `send` waits for ever.
    let received = client.messages().count();

    let counters = client.counters();
    println!("sent {}, received {received}", counters.flushed);
    match last.join() {
        Ok(0) => Ok(()),
        _ => Err("a sender panicked".into()),
    }
}
