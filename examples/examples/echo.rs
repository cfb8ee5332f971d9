//! Sends three messages and prints what comes back.
//!
//! ```sh
//! perennial serve    # in another terminal
//! cargo run -p perennial-examples --example echo -- ws://127.0.0.1:9001
//! ```
//!
//! Start it before the server, or stop the server meanwhile: it waits and goes on.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:9001".to_owned());

    // Returns at once. What is sent before the connection is open is queued.
    let mut client = perennial::blocking::connect(&url)?;
    for word in ["one", "two", "three"] {
        client.send(word)?;
    }
    for message in client.messages().take(3) {
        println!("{message}");
    }

    // Says goodbye, and waits until that is done.
    client.close();
    println!("{}", client.join().reason);
    Ok(())
}
