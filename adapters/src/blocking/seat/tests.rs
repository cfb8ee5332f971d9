//! When the writing is left to those who send.

use std::io::Read as _;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use crate::blocking::Client;

/// How long anything may take before it is wrong.
const LONG: Duration = Duration::from_secs(30);

/// A server that reads, and the URL of it.
fn sink() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("its address"));
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let mut socket = tungstenite::accept(stream).expect("a handshake");
        // Bytes, so that the kernel always takes more.
        let mut buffer = vec![0; 1 << 20];
        while socket.get_mut().read(&mut buffer).is_ok_and(|count| count > 0) {}
    });
    url
}

#[test]
fn it_is_not_left_to_those_who_have_stopped() {
    let client = Client::builder(sink()).connect().expect("a client");
    client.wait_open(LONG).expect("it opens");
    let seat = client.seat().expect("it has one");
    let payload = "x".repeat(1024);
    for round in 1..=20 {
        // More than the outbox holds, so that it is about full at the end.
        for _ in 0..2_000 {
            while client.try_send(payload.clone()).is_err() {
                thread::yield_now();
            }
        }
        let loads = seat.lock().loads;
        let end = Instant::now() + LONG;
        while client.counters().flushed < round * 2_000 {
            assert!(Instant::now() < end, "the rest is written");
            thread::sleep(Duration::from_millis(1));
        }
        // Somebody had sent since the last time, and then no more.
        let more = seat.lock().loads - loads;
        assert!(more <= 1, "{more} times since the last message of round {round}");
    }
}
