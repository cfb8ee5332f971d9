//! What the blocking client holds, and for how long it waits, when one side is slow.

#![cfg(feature = "blocking")]
#![allow(clippy::unwrap_used, clippy::wildcard_imports)]

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use perennial::blocking::Client;
use perennial::{ClosedBy, Notice, Overflow, Refusal, State};
use support::*;
use tungstenite::Message;

#[test]
fn a_server_that_does_not_read_holds_up_the_sender() {
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let server = Server::start(move |_, stream| {
        let mut socket = accept(stream);
        let _ = held.lock().unwrap().recv();
        echo_count(&mut socket);
    });
    let mut config = quick();
    config.outbox.overflow = Overflow::Wait;
    config.heartbeat.style = perennial::HeartbeatStyle::Off;
    let mut client = connect(&server.url(), config);
    let piece = perennial::Bytes::from(vec![7_u8; 64 << 10]);
    let total = 512; // 32 MiB: more than the kernel and the outbox hold together
    let handle = client.handle();
    let (progress, sent) = mpsc::channel();
    let sender = thread::spawn(move || {
        for _ in 0..total {
            handle.send(piece.clone()).unwrap();
            progress.send(()).unwrap();
        }
    });
    // It gets stuck: nothing is accepted for a while, and not everything was.
    let mut accepted = 0;
    while sent.recv_timeout(Duration::from_millis(500)).is_ok() {
        accepted += 1;
    }
    assert!(accepted < total, "the sender was held up");
    assert!(client.status().outbox_bytes <= 1 << 20, "bounded");
    let full = client.try_send(vec![0; 1 << 20]).unwrap_err();
    assert_eq!(full.refusal, Refusal::Full);
    let late = client.send_timeout(full.message, Duration::from_millis(20)).unwrap_err();
    assert_eq!(late.refusal, Refusal::Timeout);
    release.send(()).unwrap();
    sender.join().unwrap();
    client.send("count").unwrap();
    assert_eq!(text(&mut client), total.to_string());
}

/// Counts binary messages and answers a text with the count.
fn echo_count(socket: &mut tungstenite::WebSocket<TcpStream>) {
    let mut count = 0;
    while let Ok(message) = socket.read() {
        if message.is_binary() {
            count += 1;
        } else if message.is_text() {
            socket.send(Message::Text(count.to_string().into())).unwrap();
        }
    }
}

#[test]
fn a_blocked_sender_is_released_by_the_close() {
    let server = Server::start(|_, stream| {
        let socket = accept(stream);
        thread::sleep(LONG);
        drop(socket);
    });
    let mut config = quick();
    config.outbox.overflow = Overflow::Wait;
    config.close.timeout = Duration::from_millis(50);
    let client = connect(&server.url(), config);
    let handle = client.handle();
    let sender = thread::spawn(move || {
        loop {
            if let Err(error) = handle.send(vec![0; 64 << 10]) {
                return error.refusal;
            }
        }
    });
    eventually("the outbox is full", || client.status().outbox_bytes > 700 << 10);
    client.close();
    assert_eq!(sender.join().unwrap(), Refusal::Closed);
}

#[test]
fn an_application_that_does_not_fetch_holds_up_the_server() {
    let sent = Slot::empty();
    let slot = sent.clone();
    let total = 20_000;
    let server = Server::start(move |_, stream| {
        stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut socket = accept(stream);
        let mut count = 0;
        while count < total && socket.send(Message::Text(format!("{count:01000}").into())).is_ok() {
            count += 1;
        }
        slot.put(count);
        socket.get_ref().set_write_timeout(None).unwrap();
        // The message that was held up is still in the server's buffer.
        while socket.flush().is_err() {}
        let mut next = count + 1;
        while next < total && socket.send(Message::Text(format!("{next:01000}").into())).is_ok() {
            next += 1;
        }
        echo(socket);
    });
    let mut config = quick();
    config.inbox.max_messages = 10;
    let mut client = connect(&server.url(), config);
    let count = sent.take();
    assert!(count < total, "the server was held up");
    assert!(client.status().reads_paused);
    for expected in 0..total {
        assert_eq!(text(&mut client).parse::<usize>().unwrap(), expected);
    }
    eventually("it reads on", || !client.status().reads_paused);
}

#[test]
fn reports_that_nobody_fetches_refuse_further_messages() {
    let server = Server::start(|_, stream| {
        let mut socket = accept(stream);
        while socket.read().is_ok() {}
    });
    let mut config = quick();
    config.inbox.max_messages = 8;
    let client = Client::builder(server.url())
        .config(config.build().unwrap())
        .reports(true)
        .connect()
        .unwrap();
    let end = Instant::now() + LONG;
    let refusal = loop {
        assert!(Instant::now() < end, "refused in time");
        if let Err(error) = client.send("x") {
            break error.refusal;
        }
        thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(refusal, Refusal::Full);
    assert!(client.counters().accepted < 1024, "by the reports, not by the outbox");
}

#[test]
fn many_threads_send_at_once() {
    let server = Server::start(|_, stream| echo_count_text(&mut accept(stream)));
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

fn echo_count_text(socket: &mut tungstenite::WebSocket<TcpStream>) {
    while socket.read().is_ok() {}
}

#[test]
fn endless_empty_fragments_starve_nothing() {
    let server = Server::start(|_, stream| {
        let mut socket = accept(stream);
        socket.get_mut().write_all(&[0x01, 0]).unwrap();
        let empty: Vec<u8> = [0x00, 0].repeat(32 << 10);
        while socket.get_mut().write_all(&empty).is_ok() {}
    });
    let mut config = quick();
    config.close.timeout = Duration::from_millis(100);
    let mut client = connect(&server.url(), config);
    client.wait_open(LONG).unwrap();
    thread::sleep(Duration::from_millis(50));
    client.close();
    assert_eq!(closed(&mut client).by, ClosedBy::Application);
}

#[test]
fn a_ping_flood_from_a_peer_that_does_not_read_stays_bounded() {
    let (sender, receiver) = mpsc::channel();
    let server = Server::start(move |_, stream| {
        stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut socket = accept(stream);
        let ping: Vec<u8> = [&[0x89, 125][..], &[0; 125]].concat().repeat(512);
        let mut written = 0;
        while written < (256 << 20) && socket.get_mut().write_all(&ping).is_ok() {
            written += ping.len();
        }
        sender.send(written).unwrap();
        thread::sleep(LONG);
    });
    let _client = connect(&server.url(), quick());
    let written = receiver.recv_timeout(LONG).unwrap();
    assert!(written < 256 << 20, "the flood was held up after {written} bytes");
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

#[test]
fn a_dead_peer_is_found_while_sending_at_full_speed() {
    // With reports the sender is held up all the time by those that were not fetched yet. That must
    // not hold up the reading, whose pauses would put off the deadline for ever.
    for reports in [false, true] {
        let server = Server::start(|_, stream| {
            let mut socket = accept(stream);
            drain(socket.get_mut());
        });
        let mut config = quick();
        config.heartbeat.interval = Duration::from_millis(100);
        config.heartbeat.deadline = Duration::from_millis(500);
        config.outbox.overflow = Overflow::Wait;
        config.inbox.max_messages = 16;
        config.retry.max_attempts = Some(1);
        let mut client = Client::builder(server.url())
            .config(config.build().unwrap())
            .reports(reports)
            .connect()
            .unwrap();
        let handle = client.handle();
        let sender = thread::spawn(move || while handle.send("x".repeat(1000)).is_ok() {});
        let start = Instant::now();
        find(&mut client, |notice| matches!(notice, Notice::Dead { .. }).then_some(()));
        assert!(start.elapsed() < Duration::from_secs(5), "put off again and again");
        client.abort();
        // What is left is fetched, or the sender would wait for it.
        while client.recv().is_some() {}
        sender.join().unwrap();
    }
}
