//! Delivers ten orders, and says of each what became of it.
//!
//! ```sh
//! perennial serve --drop-every 7s --lose-acks 0.3    # in another terminal
//! cargo run -p perennial-examples --example reliable -- ws://127.0.0.1:9001
//! ```
//!
//! An order goes out as `{"id":n,"data":…,"timestamp":ms}`, and again with the same id and the same
//! bytes, after 5 s or on the next connection, until the server has answered `{"ack":n}`.

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;

use perennial::blocking::Client;
use perennial::core::{DialectConfig, JsonConfig};
use perennial::{Class, Config, Duration, Notice};

/// How many orders there are.
const ORDERS: usize = 10;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:9001".to_owned());

    // The preset waits 5 s for an acknowledgement; that there are any is for the dialect to say.
    let mut config = Config::client().into_builder();
    config.dialect = DialectConfig::Json(JsonConfig::default());
    config.outbox.class = Class::Acknowledged;
    let config = config.build()?;

    // Without `reports` the notices about single messages would not be told.
    let mut client = Client::builder(&url).config(config).reports(true).connect()?;

    // `send` accepts a message and names it; what becomes of it is told under that name.
    let mut orders = BTreeMap::new();
    for number in 1..=ORDERS {
        let order = format!(r#"{{"order":{number}}}"#);
        match client.send(order.clone()) {
            Ok(seq) => _ = orders.insert(seq, order),
            // The server may have refused the connection for good already.
            Err(error) => println!("{order}: not accepted: {error}"),
        }
    }
    // Closes when everything is acknowledged, or when the time is up.
    client.drain(Some(Duration::from_secs(60)));

    let mut delivered = 0;
    for notice in client.notices() {
        match notice {
            Notice::Acknowledged { seq, .. } => {
                delivered += 1;
                println!("{}: delivered", orders[&seq]);
            }
            // `fate` says whether the server may have it all the same.
            Notice::Undelivered { seq, fate, .. } => {
                println!("{}: {fate:?}: {}", orders[&seq], fate.reason());
            }
            Notice::StateChanged { to, reason: Some(reason), .. } => println!("{to}: {reason}"),
            _ => {}
        }
    }

    println!("{delivered} of {ORDERS} delivered, {} sent again", client.counters().resent);
    Ok(if delivered == ORDERS { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
