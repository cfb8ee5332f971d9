//! Invariant 36: in steady state the core allocates nothing for a message sent or received, nor for
//! finding who gets it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;

use perennial_core::bus::{Bus, Delivery, Pattern, Routing, RoutingConfig};
use perennial_core::{
    Action, BuiltIn, ByteString, Capabilities, Config, Connection, Event, Frame, Instant, Message,
    Notice, Outgoing, TransportId,
};
use serde::Deserialize;

/// Counts what the thread under test allocates.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn drain(connection: &mut Connection<BuiltIn>) -> (Option<TransportId>, u64) {
    let mut dialled = None;
    let mut last = 0;
    loop {
        match connection.poll() {
            Action::Dial { transport, .. } => dialled = Some(transport),
            Action::Write { index, .. } => last = index,
            Action::Wait { .. } => return (dialled, last),
            Action::Abort { .. } | Action::Notify(_) => {}
        }
    }
}

#[test]
fn a_message_sent_and_a_message_received_allocate_nothing() {
    let config = Config::default();
    let dialect = BuiltIn::new(&config.dialect);
    let mut connection = Connection::new(config, dialect, 1, Instant::ZERO);
    let transport = drain(&mut connection).0.expect("a connection dials");
    let capabilities = Capabilities::SOCKET;
    connection.handle(Instant::ZERO, Event::Opened { transport, capabilities }).expect("accepted");
    drain(&mut connection);

    let text = ByteString::from("x".repeat(64));
    let mut round = |n: u64| {
        let at = Instant::from_nanos(n);
        // Bursts too: eight messages wait before the flush is reported.
        for _ in 0..8 {
            let message = Outgoing::new(text.clone());
            connection.handle(at, Event::Send(message)).expect("there is room");
        }
        let (_, through) = drain(&mut connection);
        connection.handle(at, Event::Flushed { transport, through }).expect("accepted");
        drain(&mut connection);
        let frame = Frame::Text(text.clone());
        connection.handle(at, Event::Received { transport, frame }).expect("accepted");
        drain(&mut connection);
    };
    // The queues grow to their working size first.
    (0..100).for_each(&mut round);
    let before = COUNT.with(Cell::get);
    (100..10_100).for_each(&mut round);
    let allocated = COUNT.with(Cell::get) - before;
    assert_eq!(allocated, 0, "allocations in 10,000 rounds");
    assert_eq!(connection.counters().flushed, 8 * 10_100);
}

/// A message with this text, as a connection hands it on.
fn received(text: &str) -> Message {
    let config = Config::default();
    let dialect = BuiltIn::new(&config.dialect);
    let mut connection = Connection::new(config, dialect, 1, Instant::ZERO);
    let transport = drain(&mut connection).0.expect("a connection dials");
    let capabilities = Capabilities::SOCKET;
    connection.handle(Instant::ZERO, Event::Opened { transport, capabilities }).expect("accepted");
    drain(&mut connection);
    let frame = Frame::Text(text.into());
    connection.handle(Instant::ZERO, Event::Received { transport, frame }).expect("accepted");
    loop {
        match connection.poll() {
            Action::Notify(Notice::Message(message)) => return message,
            Action::Wait { .. } => panic!("a message was received"),
            Action::Dial { .. }
            | Action::Write { .. }
            | Action::Abort { .. }
            | Action::Notify(_) => {}
        }
    }
}

/// What `work` allocates in so many rounds, after the first hundred.
fn allocated(rounds: u64, mut work: impl FnMut()) -> u64 {
    (0..100).for_each(|_| work());
    let before = COUNT.with(Cell::get);
    (0..rounds).for_each(|_| work());
    COUNT.with(Cell::get) - before
}

#[derive(Deserialize)]
struct Trade {
    symbol: String,
    price: f64,
    id: u64,
}

#[test]
fn a_message_routed_allocates_nothing_and_one_read_what_it_holds() {
    let routing = RoutingConfig { payload: Some("data".into()), ..RoutingConfig::default() };
    let mut bus = Bus::new(Routing::fields(routing).expect("valid"));
    for number in 0..100 {
        let pattern = bus.pattern(["trade.btc", "trade.*", "**"][number % 3]).expect("a pattern");
        bus.subscribe(&pattern);
    }
    bus.subscribe(&Pattern::unrouted());
    let mut to = Vec::new();
    let trade = received(
        r#"{"type":"trade.btc","data":{"symbol":"BTC/USD","price":65123.25,"id":884512077}}"#,
    );
    let nested = received(r#"{"type":"trade.btc","data":{"a":[[[{"b":[{}]},[1.5,"\n"]]]]}}"#);
    let number = received(r#"{"type":12,"text":"caf\u00e9"}"#);
    let broken = received(r#"{"type":"trade.btc","data":{"a":[[[{"b":[{}]},[1.5,"x]]]]}}"#);
    for (message, subscribers) in [(&trade, 100), (&nested, 100), (&number, 33), (&broken, 1)] {
        let routed = allocated(1000, || {
            to.clear();
            bus.route(message.clone(), &mut to);
        });
        assert_eq!((routed, to.len()), (0, subscribers), "{}", message);
    }

    let mut queues = vec![VecDeque::<Delivery>::new(); 100];
    let queued = allocated(1000, || {
        to.clear();
        let delivery = bus.route(trade.clone(), &mut to);
        for queue in &mut queues {
            queue.push_back(delivery.clone());
        }
        queues.iter_mut().for_each(|queue| drop(queue.pop_front()));
    });
    assert_eq!(queued, 0, "a delivery is cloned by counting a reference");

    let read = allocated(1000, || {
        to.clear();
        let trade: Trade = bus.route(trade.clone(), &mut to).parse().expect("a trade");
        assert_eq!((trade.symbol.as_str(), trade.id), ("BTC/USD", 884_512_077));
        assert!(trade.price > 65_123.0);
    });
    assert_eq!(read, 1000, "the text of a trade is allocated, and nothing else");
}
