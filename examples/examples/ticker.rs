//! Prices of two symbols at a time; after a while another one takes the place of the older.
//!
//! ```sh
//! perennial serve --app ticker --drop-every 2s    # in another terminal
//! cargo run -p perennial-examples --example ticker -- ws://127.0.0.1:9001 20
//! ```
//!
//! The arguments: the URL, for how many seconds, and after how many another symbol has its turn. Start
//! it twice to see gaps: the server's time stands still for a symbol that nobody watches.

use std::collections::VecDeque;
use std::error::Error;
use std::time::{Duration, Instant};

use perennial::Builder;
use perennial::asynchronous::Handle;
use perennial::bus::{Routing, RoutingConfig};
use perennial::subscriptions::Subscription;
use serde::Deserialize;
use serde_json::json;

const SYMBOLS: [&str; 4] = ["ASH", "BIRCH", "CEDAR", "DOGWOOD"];

#[derive(Deserialize)]
struct Tick {
    price: f64,
    /// Counts the symbol's ticks.
    seq: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "ws://127.0.0.1:9001".to_owned());
    let mut seconds = |usual| {
        args.next().map_or(Ok(usual), |seconds| {
            seconds.parse().map_err(|_| format!("{seconds} is no whole number of seconds"))
        })
    };
    let (time, turn) = (Duration::from_secs(seconds(20)?), Duration::from_secs(seconds(2)?));
    smol::block_on(watch_all(&url, time, turn))
}

async fn watch_all(url: &str, time: Duration, turn: Duration) -> Result<(), Box<dyn Error>> {
    // A message is on the topic of its symbol: `{"type":"tick","symbol":"ASH","price":1.5,"seq":3}`.
    let by_symbol = RoutingConfig { topic: "symbol".to_owned(), ..RoutingConfig::default() };
    let builder = Builder::new(url)
        .routing(Routing::fields(by_symbol)?)
        .on_state(|change| println!("-- {change}"));
    // Nobody fetches from the client itself, so it goes; the handles keep the connection open.
    let handle = perennial::smol::spawn(builder)?.handle();

    let end = Instant::now() + time;
    let mut watched = VecDeque::new();
    for symbol in SYMBOLS.into_iter().cycle() {
        watched.push_back(smol::spawn(watch(handle.clone(), symbol)));
        if watched.len() > 2 {
            // A task that is dropped ends, and what it holds is dropped: the symbol is unsubscribed.
            watched.pop_front();
        }
        let left = end.saturating_duration_since(Instant::now());
        if watched.len() == 2 {
            smol::Timer::after(left.min(turn)).await;
        }
        if handle.closed().is_some() || Instant::now() >= end {
            break;
        }
    }
    handle.close();
    // The listener tells why.
    handle.wait_closed().await;
    Ok(())
}

/// Subscribes to a symbol for as long as it runs.
async fn watch(handle: Handle, symbol: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    // First who listens, then what is to be heard.
    let mut ticks = handle.topic::<Tick>(symbol)?;
    let say = |what| json!({"type": what, "symbols": [symbol]}).to_string();
    // Said now, and again on every new connection.
    let subscription = Subscription::new(say("subscribe")).unsay(say("unsubscribe"));
    let _standing = handle.subscribe(subscription)?;

    let mut last = None;
    while let Some(tick) = ticks.recv().await {
        let Tick { price, seq } = tick?;
        match last {
            Some(last) if seq > last + 1 => println!("{symbol}: {} missed", seq - last - 1),
            Some(last) if seq <= last => println!("{symbol}: the server counts anew"),
            _ => {}
        }
        println!("{symbol:<8} {price:>8.2}  #{seq}");
        last = Some(seq);
    }
    Ok(())
}
