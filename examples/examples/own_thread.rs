//! Drives the connection in the caller's own thread, which is told everything by a callback.
//!
//! ```sh
//! perennial serve    # in another terminal
//! cargo run -p perennial-examples --example own_thread -- ws://127.0.0.1:9001
//! ```

use std::error::Error;
use std::ops::ControlFlow;

use perennial::blocking::Client;
use perennial::{Notice, State};

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:9001".to_owned());

    let mut answers = 0;
    // Returns when the connection is closed. The callback must not block.
    let closed = Client::builder(&url).run(|handle, notice| {
        match notice {
            Notice::StateChanged { from, to, .. } => {
                println!("{from} -> {to}");
                if to == State::Open
                    && let Err(error) = handle.send("question 1")
                {
                    println!("not sent: {error}");
                }
            }
            Notice::Message(message) => {
                answers += 1;
                println!("{message}");
                if answers == 3 {
                    // Closes the connection; the callback is told nothing more.
                    return ControlFlow::Break(());
                }
                // Cannot wait for room here: it is this thread that makes room.
                if let Err(error) = handle.send(format!("question {}", answers + 1)) {
                    println!("not sent: {error}");
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    println!("{}, code {}", closed.reason, closed.code);
    Ok(())
}
