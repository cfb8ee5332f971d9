//! What is received, and what a subscriber makes of it.

use serde::Deserialize;

pub(crate) const TEXT: &str = r#"{"type":"trade.btcusd","data":{"symbol":"BTC/USD","price":65123.25,"amount":0.015,"id":884512077,"time":1700000000}}"#;
const _: () = assert!(TEXT.len() == 116);

#[derive(Debug, Deserialize)]
pub(crate) struct Trade {
    symbol: String,
    price: f64,
    amount: f64,
    id: u64,
    time: u64,
}

impl Trade {
    /// All that is in it, so that all of it is read.
    pub(crate) fn look(&self) -> (&str, f64, f64, u64, u64) {
        (&self.symbol, self.price, self.amount, self.id, self.time)
    }
}
