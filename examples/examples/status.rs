//! A dashboard of one line, for ten seconds.
//!
//! ```sh
//! perennial serve --drop-every 2s    # in another terminal
//! cargo run -p perennial-examples --example status -- ws://127.0.0.1:9001 10
//! ```
//!
//! The arguments: the URL, and for how many seconds.

use std::error::Error;
use std::io::Write as _;
use std::time::{Duration, Instant};

use perennial::blocking::Client;
use perennial::{Config, Status};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "ws://127.0.0.1:9001".to_owned());
    let seconds = args.next().map_or(Ok(10), |seconds| {
        seconds.parse().map_err(|_| format!("{seconds} is no whole number of seconds"))
    })?;

    let mut config = Config::builder();
    config.heartbeat.interval = Duration::from_secs(1);
    let mut client = Client::builder(&url).config(config.build()?).connect()?;

    let end = Instant::now() + Duration::from_secs(seconds);
    while client.closed().is_none() && Instant::now() < end {
        // A full outbox gives the message back, as after a very long outage. Here it may be lost.
        let _ = client.send("tick");
        // Whoever does not fetch what comes is soon sent nothing more.
        while client.try_recv().is_some() {}
        // `status` can be asked from any thread, through a handle.
        show(&client.status())?;
        std::thread::sleep(Duration::from_millis(200));
    }
    client.close();
    println!("\n{}", client.join().reason);
    Ok(())
}

fn show(status: &Status) -> std::io::Result<()> {
    let rtt = status.rtt.map_or_else(|| "-".to_owned(), |rtt| format!("{} µs", rtt.as_micros()));
    let counters = &status.counters;
    let error = status.last_error.as_deref().unwrap_or("none");
    // Back to the beginning of the line, whose rest is cleared.
    print!(
        "\r\x1b[K{} | attempt {} | rtt {rtt} | queued {} | sent {} received {} | reconnects {} | \
         last error: {error}",
        status.state,
        status.attempt,
        status.queued,
        counters.flushed,
        counters.received,
        counters.reconnects,
    );
    std::io::stdout().flush()
}
