//! Requests and their answers, as JSON-RPC 2.0 has them: answers, refusals, timeouts, cancellation,
//! and what a lost connection does to each class.
//!
//! ```sh
//! cargo run -p perennial-examples --example rpc
//! ```
//!
//! It brings its own server. With a URL as argument it asks the one there, which should know the
//! methods `add`, `divide`, `sleep` and `flaky`.

use std::error::Error;
use std::net::TcpListener;
use std::time::Duration;

use perennial::Class;
use perennial::blocking::Client;
use perennial::requests::Request;
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let url = match std::env::args().nth(1) {
        Some(url) => url,
        None => serve()?,
    };
    let client = Client::builder(&url).on_state(|change| println!("-- {change}")).connect()?;

    // `request` says whether it was taken, `wait` what the server answers.
    let answer = client.request(Request::call("add", Some("[1,2]".into())))?.wait()?;
    println!("1 + 2 = {}", answer.parse::<i64>()?);

    // Several at once: each answer finds its request, in whatever order they come.
    let asked: Result<Vec<_>, _> = (1..=3)
        .map(|n| client.request(Request::call("add", Some(json!([n, n]).to_string().into()))))
        .collect();
    for (n, pending) in (1..).zip(asked?) {
        println!("{n} + {n} = {}", pending.wait()?.result());
    }

    let refused = client.request(Request::call("divide", Some("[1,0]".into())))?.wait();
    println!("1 / 0: {}", refused.map_or_else(|error| error.to_string(), |_| "?".to_owned()));

    let slow = Request::call("sleep", None).timeout(Duration::from_millis(300));
    let late = client.request(slow)?.wait();
    println!("sleep: {}", late.map_or_else(|error| error.to_string(), |_| "?".to_owned()));

    // Dropped: nobody waits for it any more, and what was not sent yet is not sent.
    drop(client.request(Request::call("sleep", None))?);
    println!("requests on their way: {}", client.session_status().requests);

    // `flaky` hangs up when it is asked for the first time. A request of the usual class ends then,
    // as the server may have acted upon it. One of class acknowledged is asked again with the same
    // id, until there is an answer.
    for class in [Class::Queued, Class::Acknowledged] {
        match client.request(Request::call("flaky", None).class(class))?.wait() {
            Ok(answer) => println!("flaky, {class:?}: {}", answer.result()),
            Err(error) => println!("flaky, {class:?}: {error}"),
        }
    }
    Ok(())
}

/// A server of a few methods, in a thread; its URL.
fn serve() -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("ws://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        let mut seen = std::collections::BTreeSet::new();
        for stream in listener.incoming().flatten() {
            let Ok(mut socket) = tungstenite::accept(stream) else { continue };
            while let Ok(message) = socket.read() {
                // Pings and the like are no calls.
                let text = message.to_text().unwrap_or_default();
                let Ok(call) = serde_json::from_str::<Value>(text) else { continue };
                let (a, b) = (call["params"][0].as_i64(), call["params"][1].as_i64());
                let mut reply = match (call["method"].as_str(), a, b) {
                    (Some("add"), Some(a), Some(b)) => json!({"result": a + b}),
                    (Some("sleep"), ..) => continue,
                    (Some("flaky"), ..) if seen.insert(call["id"].to_string()) => break,
                    (Some("flaky"), ..) => json!({"result": "done"}),
                    _ => json!({"error": {"code": -32000, "message": "it cannot be done"}}),
                };
                reply["jsonrpc"] = "2.0".into();
                reply["id"] = call["id"].clone();
                if socket.send(reply.to_string().into()).is_err() {
                    break;
                }
            }
        }
    });
    Ok(url)
}
