//! Prices.
//!
//! `{"type":"subscribe","symbols":[…]}` and `{"type":"unsubscribe","symbols":[…]}` change what a
//! connection gets; subscriptions end with it. Each symbol has one price and one `seq` for the whole
//! server, so that a gap can be seen after a reconnect; the prices depend on the seed, the symbol
//! and `seq` alone. While nobody subscribes to anything, time stands still.

use super::super::rng::Rng;
use super::{Effects, Peer, Program, content, kind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Most symbols one connection may subscribe to, and the longest name of one in bytes.
const MAX_SYMBOLS: usize = 1_000;
const MAX_NAME: usize = 64;

#[derive(Debug)]
struct Symbol {
    price: f64,
    seq: u64,
    rng: Rng,
}

impl Symbol {
    fn new(seed: u64, name: &str) -> Self {
        let mut rng = Rng::named(seed, name);
        let price = 10.0 + 490.0 * rng.unit();
        Self { price, seq: 0, rng }
    }

    fn step(&mut self) {
        self.seq += 1;
        let change = (self.rng.unit() - 0.5) * 0.02;
        self.price = (self.price * (1.0 + change)).max(0.01);
    }
}

#[derive(Debug)]
pub(super) struct Ticker {
    seed: u64,
    every: Duration,
    symbols: BTreeMap<String, Symbol>,
    subscriptions: BTreeMap<u64, BTreeSet<String>>,
    ticking: bool,
}

impl Ticker {
    pub(super) fn new(seed: u64, every: Duration) -> Self {
        Self {
            seed,
            every: every.max(Duration::from_millis(1)),
            symbols: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            ticking: false,
        }
    }
}

fn names(value: Option<&Value>) -> Option<Vec<&str>> {
    value?.as_array()?.iter().map(|v| v.as_str().filter(|name| name.len() <= MAX_NAME)).collect()
}

impl Program for Ticker {
    fn opened(&mut self, peer: &Peer, _: &mut Effects) {
        self.subscriptions.insert(peer.connection, BTreeSet::new());
    }

    fn text(&mut self, connection: u64, _: &str, json: Option<&Value>, effects: &mut Effects) {
        let Some(object) = content(json) else {
            return effects.error(connection, "not a JSON object");
        };
        let Some(mine) = self.subscriptions.get_mut(&connection) else { return };
        let Some(symbols) = names(object.get("symbols")) else {
            return effects.error(connection, "symbols is no list of short strings");
        };
        match kind(object) {
            "subscribe" => {
                let new = symbols.iter().filter(|&&name| !mine.contains(name)).count();
                if mine.len() + new > MAX_SYMBOLS {
                    return effects.error(connection, "too many symbols");
                }
                mine.extend(symbols.into_iter().map(str::to_owned));
                if !self.ticking && !mine.is_empty() {
                    self.ticking = true;
                    effects.wake(self.every, 0);
                }
            }
            "unsubscribe" => {
                for name in symbols {
                    mine.remove(name);
                }
            }
            _ => effects.error(connection, "the types here are subscribe and unsubscribe"),
        }
    }

    fn closed(&mut self, connection: u64, _: &mut Effects) {
        self.subscriptions.remove(&connection);
    }

    fn wake(&mut self, _: u64, effects: &mut Effects) {
        let wanted: BTreeSet<&String> = self.subscriptions.values().flatten().collect();
        let mut ticks = BTreeMap::new();
        for name in wanted {
            let symbol =
                self.symbols.entry(name.clone()).or_insert_with(|| Symbol::new(self.seed, name));
            symbol.step();
            let price = (symbol.price * 100.0).round() / 100.0;
            let tick = json!({"type": "tick", "symbol": name, "price": price, "seq": symbol.seq});
            ticks.insert(name, tick.to_string());
        }
        for (&connection, mine) in &self.subscriptions {
            for tick in mine.iter().filter_map(|name| ticks.get(name)) {
                effects.text(connection, tick.as_str());
            }
        }
        self.ticking = !ticks.is_empty();
        if self.ticking {
            effects.wake(self.every, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use super::*;

    fn bench(seed: u64) -> Bench<Ticker> {
        let mut bench = Bench::new(Ticker::new(seed, Duration::from_millis(200)));
        bench.open(1, "/");
        bench.open(2, "/");
        bench
    }

    #[test]
    fn subscribers_get_their_symbols_in_sequence() {
        let mut bench = bench(1);
        bench.say(1, r#"{"type":"subscribe","symbols":["AAPL","MSFT"]}"#);
        bench.say(2, r#"{"type":"subscribe","symbols":["MSFT"]}"#);
        assert!(bench.wake());
        let sent = bench.sent();
        let who: Vec<_> =
            sent.iter().map(|(to, v)| (*to, v["symbol"].as_str().unwrap().to_owned())).collect();
        assert_eq!(who, [(1, "AAPL".into()), (1, "MSFT".into()), (2, "MSFT".into())]);
        assert_eq!(sent[1].1, sent[2].1);
        bench.say(1, r#"{"type":"unsubscribe","symbols":["AAPL"]}"#);
        bench.wake();
        let sent = bench.sent();
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[0].1["seq"], 2);
    }

    #[test]
    fn stops_when_nobody_listens_and_starts_again() {
        let mut bench = bench(1);
        assert!(!bench.wake());
        bench.say(1, r#"{"type":"subscribe","symbols":["A"]}"#);
        bench.close(1);
        assert!(bench.wake() && !bench.wake());
        assert_eq!(bench.sent(), []);
        bench.say(2, r#"{"type":"subscribe","symbols":["A"]}"#);
        assert!(bench.wake());
        assert_eq!(bench.sent().len(), 1);
    }

    #[test]
    fn the_seed_repeats_the_prices() {
        let run = |seed, symbols: &str| {
            let mut bench = bench(seed);
            bench.say(1, &format!(r#"{{"type":"subscribe","symbols":{symbols}}}"#));
            for _ in 0..20 {
                bench.wake();
            }
            bench.sent().into_iter().map(|(_, v)| v).filter(|v| v["symbol"] == "B").collect()
        };
        let alone: Vec<Value> = run(5, r#"["B"]"#);
        assert_eq!(alone.len(), 20);
        assert_eq!(alone, run(5, r#"["A","B"]"#));
        assert_ne!(alone, run(6, r#"["B"]"#));
        assert!(alone.iter().all(|v| v["price"].as_f64().unwrap() > 0.0));
    }

    #[test]
    fn limits_hold() {
        let mut bench = bench(1);
        let many: Vec<String> = (0..=MAX_SYMBOLS).map(|n| n.to_string()).collect();
        bench.say(1, &json!({"type": "subscribe", "symbols": many}).to_string());
        assert_eq!(bench.sent()[0].1["type"], "error");
        bench.say(1, r#"{"type":"subscribe","symbols":[1]}"#);
        assert_eq!(bench.sent()[0].1["type"], "error");
        assert!(!bench.wake());
    }
}
