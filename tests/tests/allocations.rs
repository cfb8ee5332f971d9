//! Invariant 36: in steady state the core allocates nothing for a message sent or received.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use perennial_core::{
    Action, BuiltIn, ByteString, Capabilities, Config, Connection, Event, Frame, Instant, Outgoing,
    TransportId,
};

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
