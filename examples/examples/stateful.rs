//! Three parts of a program show one connection, each in its own way and its own time.
//!
//! ```sh
//! perennial serve --drop-every 2s    # in another terminal
//! cargo run -p perennial-examples --example stateful -- ws://127.0.0.1:9001 10
//! ```
//!
//! The arguments: the URL, and for how many seconds.

use std::error::Error;
use std::time::{Duration, Instant};

use perennial::blocking::Client;
use perennial::{Config, View};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "ws://127.0.0.1:9001".to_owned());
    let seconds = args.next().map_or(Ok(10), |seconds| {
        seconds.parse().map_err(|_| format!("{seconds} is no whole number of seconds"))
    })?;

    let mut client = Client::builder(&url)
        .config(Config::client())
        // Views can look back upon the last five messages, however many there were.
        .history(5)
        // Called once for every change, in order.
        .on_state(|change| println!("state: {change}"))
        .connect()?;

    // Each part has a view of its own, and each sees the same.
    let view = client.view();
    let badge = std::thread::spawn({
        let view = view.clone();
        move || show_badge(view)
    });
    let counter = std::thread::spawn({
        let view = view.clone();
        move || show_counter(view)
    });

    let end = Instant::now() + Duration::from_secs(seconds);
    for number in 1.. {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || client.closed().is_some() {
            break;
        }
        // A full outbox gives the message back, after a very long outage. Here it may be lost.
        let _ = client.send(format!("note {number}"));
        // Views take nothing away: the client still receives everything, and must fetch it.
        let pause = Instant::now() + left.min(Duration::from_millis(100));
        while let Ok(Some(_)) = client.recv_timeout(pause.saturating_duration_since(Instant::now()))
        {
        }
    }

    for entry in view.history() {
        println!("history: {} at {:.1?}", entry.value, entry.at);
    }
    client.close();
    // The parts end with the connection; a view still shows what there was.
    badge.join().and(counter.join()).map_err(|_| "a part panicked")?;
    view.clear();
    println!("cleared: {} left, latest {:?}", view.history().len(), view.snapshot().latest);
    Ok(())
}

/// Whether there is a connection, and if not, why and for how long.
fn show_badge(mut view: View) {
    let mut shown = None;
    while let Ok(Some(now)) = view.wait_changed(Duration::MAX) {
        if shown.replace(now.connected()) == Some(now.connected()) {
            continue;
        }
        match (now.connected(), now.last_error) {
            (true, _) => println!("badge: online, attempt {}", now.attempt),
            (false, Some(error)) => println!("badge: offline, {error}"),
            (false, None) => println!("badge: offline"),
        }
    }
}

/// How many messages there were. It is slow to look, and sees the latest, not each.
fn show_counter(mut view: View) {
    while let Ok(Some(now)) = view.wait_changed(Duration::MAX) {
        if let Some(latest) = now.latest {
            println!("counter: {} received, the latest is {}", now.received, latest.value);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}
