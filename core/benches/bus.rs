//! What the bus costs: one message of 116 bytes to one subscriber, who reads it, and to a hundred,
//! each of whom has a reference to it put into a queue, and taken out again.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use perennial_core::bus::{Bus, Delivery, Pattern, Routing, RoutingConfig, SubscriberId};
use perennial_core::{
    Action, BuiltIn, Capabilities, Config, Connection, Event, Frame, Instant, Message, Notice,
};
use serde::Deserialize;

const TEXT: &str = r#"{"type":"trade.btcusd","data":{"symbol":"BTC/USD","price":65123.25,"amount":0.015,"id":884512077,"time":1700000000}}"#;

/// What a subscriber makes of it.
#[derive(Deserialize)]
struct Trade {
    symbol: String,
    price: f64,
    amount: f64,
    id: u64,
    time: u64,
}

/// A message as a connection hands it on.
fn received() -> Message {
    let config = Config::default();
    let dialect = BuiltIn::new(&config.dialect);
    let mut connection = Connection::new(config, dialect, 1, Instant::ZERO);
    loop {
        let event = match connection.poll() {
            Action::Dial { transport, .. } => {
                let capabilities = Capabilities::SOCKET;
                let opened = Event::Opened { transport, capabilities };
                connection.handle(Instant::ZERO, opened).expect("accepted");
                // Not a text of the program's, whose references are not counted.
                let frame = Frame::Text(String::from(TEXT).into());
                Event::Received { transport, frame }
            }
            Action::Notify(Notice::Message(message)) => return message,
            Action::Notify(_) | Action::Write { .. } => continue,
            Action::Abort { .. } | Action::Wait { .. } => unreachable!("a message was received"),
        };
        connection.handle(Instant::ZERO, event).expect("accepted");
    }
}

fn bus() -> Bus {
    let config = RoutingConfig { payload: Some("data".into()), ..RoutingConfig::default() };
    Bus::new(Routing::fields(config).expect("valid"))
}

fn one(c: &mut Criterion) {
    assert_eq!(TEXT.len(), 116);
    let message = received();
    let mut to = Vec::new();

    let mut single = bus();
    single.subscribe(&Pattern::exact("trade.btcusd").expect("short enough"));
    c.bench_function("route 116 B to 1 subscriber", |b| {
        b.iter(|| {
            to.clear();
            black_box(single.route(message.clone(), &mut to));
        });
    });
    c.bench_function("route 116 B to 1 subscriber, and read it", |b| {
        b.iter(|| {
            to.clear();
            let delivery = single.route(message.clone(), &mut to);
            let trade: Trade = delivery.parse().expect("a trade");
            black_box((trade.symbol, trade.price, trade.amount, trade.id, trade.time));
        });
    });
    let mut wild = bus();
    wild.subscribe(&wild.pattern("trade.*").expect("a pattern"));
    c.bench_function("route 116 B to 1 subscriber by a wildcard", |b| {
        b.iter(|| {
            to.clear();
            black_box(wild.route(message.clone(), &mut to));
        });
    });
}

/// What is put into a queue: one delivery for all, and its size.
type Queue = VecDeque<(Arc<Delivery>, usize)>;

/// A queue for each name, which is the number of the subscription.
fn post(queues: &mut [Queue], to: &[SubscriberId], delivery: Delivery) {
    let size = delivery.message().payload.len();
    let delivery = Arc::new(delivery);
    for id in to {
        let number = usize::try_from(id.get()).expect("a small number");
        queues[number - 1].push_back((Arc::clone(&delivery), size));
    }
}

fn hundred(c: &mut Criterion) {
    let message = received();
    let mut to = Vec::new();
    let mut queues: Vec<Queue> = vec![VecDeque::new(); 100];
    for (name, patterns) in [
        ("route 116 B to 100 subscribers, into 100 queues", &["trade.btcusd"][..]),
        ("the same by 4 patterns", &["trade.btcusd", "trade.*", "*.btcusd", "**"][..]),
    ] {
        let mut bus = bus();
        for number in 0..100 {
            bus.subscribe(&bus.pattern(patterns[number % patterns.len()]).expect("a pattern"));
        }
        c.bench_function(name, |b| {
            b.iter(|| {
                to.clear();
                let delivery = bus.route(message.clone(), &mut to);
                post(&mut queues, &to, delivery);
                // Taken out again, or the queues would grow.
                for queue in &mut queues {
                    black_box(queue.pop_front());
                }
            });
        });
    }
}

criterion_group!(benches, one, hundred);
criterion_main!(benches);
