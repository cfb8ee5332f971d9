//! What is the blocking client's own: threads, callbacks, drops. What every driver must do is in the
//! conformance suite, in `tests/`.

#![cfg(feature = "blocking")]
#![allow(clippy::unwrap_used, clippy::wildcard_imports)]

mod support;

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use perennial::blocking::Client;
use perennial::{ClosedBy, Notice, Overflow, Refusal, State};
use support::*;
use tungstenite::Message;

#[test]
fn dropping_a_client_closes_in_the_background() {
    let closes = Slot::empty();
    let slot = closes.clone();
    let server = Server::start(move |_, stream| {
        let mut socket = accept(stream);
        while let Ok(message) = socket.read() {
            if let Message::Close(Some(close)) = message {
                slot.put(u16::from(close.code));
            }
        }
    });
    let client = connect(&server.url(), quick());
    client.wait_open(LONG).unwrap();
    let before = Instant::now();
    drop(client);
    assert!(before.elapsed() < Duration::from_secs(4), "it does not wait for the timeout");
    assert_eq!(closes.take(), 1000);
}

#[test]
fn an_abort_says_no_goodbye() {
    let seen = Slot::empty();
    let slot = seen.clone();
    let server = Server::start(move |_, stream| {
        let mut socket = accept(stream);
        slot.put(drain(socket.get_mut()));
    });
    let mut client = connect(&server.url(), quick());
    client.wait_open(LONG).unwrap();
    client.abort();
    assert_eq!(closed(&mut client).by, ClosedBy::Application);
    assert_eq!(seen.take(), b"");
}

#[test]
fn runs_on_the_callers_thread() {
    let server = Server::echo();
    let mut seen = Vec::new();
    let closed = Client::builder(server.url())
        .config(quick().build().unwrap())
        .run(|handle, notice| match notice {
            Notice::StateChanged { to: State::Open, .. } => {
                // Never waits for itself.
                handle.send("a").unwrap();
                handle.send("b").unwrap();
                ControlFlow::Continue(())
            }
            Notice::Message(message) => {
                seen.push(message.payload.as_text().unwrap().to_owned());
                if seen.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
            _ => ControlFlow::Continue(()),
        })
        .unwrap();
    assert_eq!(seen, ["a", "b"]);
    assert_eq!((closed.by, closed.clean), (ClosedBy::Application, true));
}

#[test]
fn whoever_is_told_the_end_finds_it_at_the_handle() {
    let server = Server::echo();
    let mut found = None;
    let closed = Client::builder(server.url())
        .config(quick().build().unwrap())
        .run(|handle, notice| {
            match notice {
                Notice::StateChanged { to: State::Open, .. } => handle.close(),
                Notice::Closed(_) => found = handle.closed(),
                _ => {}
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(found, Some(closed));
}

#[test]
fn many_threads_send_at_once() {
    let server = Server::start(|_, stream| {
        let mut socket = accept(stream);
        while socket.read().is_ok() {}
    });
    let mut config = quick();
    config.outbox.overflow = Overflow::Wait;
    config.outbox.max_messages = 16;
    let client = connect(&server.url(), config);
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let handle = client.handle();
            thread::spawn(move || {
                for _ in 0..2_000 {
                    handle.send("x").unwrap();
                }
            })
        })
        .collect();
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    client.drain(None);
    let counters_handle = client.handle();
    let closed = client.join();
    assert_eq!(closed.by, ClosedBy::Application);
    assert_eq!(counters_handle.counters().flushed, 8_000);
    assert_eq!(counters_handle.counters().clock_backwards, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_connection_does_not_wake_up() {
    let server = Server::echo();
    let mut config = quick();
    config.heartbeat.style = perennial::HeartbeatStyle::Off;
    let thread_of_driver = Slot::empty();
    let slot = thread_of_driver.clone();
    let builder = Client::builder(server.url()).config(config.build().unwrap());
    let (stop, stopped) = mpsc::channel();
    let driver = thread::spawn(move || {
        builder.run(|handle, notice| {
            if matches!(notice, Notice::StateChanged { to: State::Open, .. }) {
                let directory = std::fs::read_link("/proc/thread-self").unwrap();
                slot.put(std::path::Path::new("/proc").join(directory));
                stop.send(handle.clone()).unwrap();
            }
            ControlFlow::Continue(())
        })
    });
    let handle = stopped.recv_timeout(LONG).unwrap();
    let status = thread_of_driver.take().join("status");
    let wakes = || {
        let status = std::fs::read_to_string(&status).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    thread::sleep(Duration::from_millis(200));
    let before = wakes();
    thread::sleep(Duration::from_millis(1500));
    let woke = wakes() - before;
    assert!(woke <= 2, "it woke up {woke} times with nothing to do");
    handle.close();
    driver.join().unwrap().unwrap();
}

#[test]
fn sending_in_the_callback_never_waits_for_itself() {
    let server = Server::echo();
    let mut config = quick();
    config.outbox.overflow = Overflow::Wait;
    config.outbox.max_messages = 2;
    let mut refused = None;
    Client::builder(server.url())
        .config(config.build().unwrap())
        .run(|handle, notice| match notice {
            Notice::StateChanged { to: State::Open, .. } => {
                refused = (0..10).find_map(|_| handle.send("x").err()).map(|error| error.refusal);
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        })
        .unwrap();
    assert_eq!(refused, Some(Refusal::Full));
}
