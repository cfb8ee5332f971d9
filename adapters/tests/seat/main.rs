//! Who drives the blocking client: its thread, or the caller while messages come quickly.

#![allow(clippy::unwrap_used, clippy::wildcard_imports)]

#[path = "../support/mod.rs"]
mod support;

mod loading;
mod storm;

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use perennial::blocking::{Client, Handle};
use perennial::core::ConfigBuilder;
use perennial::{ClosedBy, Counters, HeartbeatStyle, Notice, Overflow, RetryChoice, State};
use support::*;
use tungstenite::{Message, WebSocket};

const MS: Duration = Duration::from_millis(1);

/// Sends messages and awaits each, so that the caller comes to drive.
fn exchange(client: &mut Client, count: usize) {
    for number in 0..count {
        let sent = format!("exchanged {number}");
        client.send(sent.clone()).unwrap();
        assert_eq!(text(client), sent);
    }
}

/// A client that was quick.
fn quick_client(server: &Server, config: ConfigBuilder) -> Client {
    let mut client = connect(&server.url(), config);
    client.wait_open(LONG).unwrap();
    exchange(&mut client, 100);
    client
}

/// Runs `test`, which must come to its end in time.
fn in_time(test: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    match is_done.recv_timeout(3 * LONG) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => thread.join().unwrap(),
    }
}

/// A server that returns texts, and tells of everything else that comes.
fn telling_echo(
    tell: impl Fn(&mut WebSocket<TcpStream>, Message) + Send + Sync + 'static,
) -> Server {
    Server::start(move |_, stream| {
        let mut socket = accept(stream);
        while let Ok(message) = socket.read() {
            if message.is_text() {
                let _ = socket.send(message.clone());
            }
            tell(&mut socket, message);
        }
    })
}

/// Every accepted message has ended in exactly one way.
fn assert_accounted(counters: &Counters) {
    let ended = counters.flushed
        + counters.acknowledged
        + counters.uncertain
        + counters.expired
        + counters.dropped
        + counters.cancelled;
    assert_eq!(counters.accepted, ended, "{counters:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_thread_sleeps_while_messages_come_quickly() {
    const MESSAGES: u64 = 2_000;
    let server = Server::start(|number, stream| {
        // The first attempt fails, so that the hook tells which thread drives.
        if number > 0 {
            echo(accept(stream));
        }
    });
    let found = Slot::empty();
    let slot = found.clone();
    let mut client = Client::builder(server.url())
        .config(quick().build().unwrap())
        .on_retry(move |_| {
            let directory = std::fs::read_link("/proc/thread-self").unwrap();
            slot.put(std::path::Path::new("/proc").join(directory));
            RetryChoice::Keep
        })
        .connect()
        .unwrap();
    client.wait_open(LONG).unwrap();
    let status = found.take().join("status");
    let wakes = || {
        let status = std::fs::read_to_string(&status).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = wakes();
    exchange(&mut client, MESSAGES as usize);
    let woke = wakes() - before;
    assert!(woke < MESSAGES / 2, "it woke up {woke} times for {MESSAGES} messages");
}

#[test]
fn pings_are_answered_while_the_caller_stays_away() {
    in_time(|| {
        let (pong, pongs) = mpsc::channel();
        let server = telling_echo(move |socket, message| match message {
            Message::Text(text) if text == "exchanged 99" => {
                socket.send(Message::Ping("are you there".into())).unwrap();
            }
            Message::Pong(bytes) => pong.send(bytes).unwrap(),
            _ => {}
        });
        let client = quick_client(&server, quick());
        assert_eq!(pongs.recv_timeout(LONG).unwrap(), "are you there");
        drop(client);
    });
}

#[test]
fn pings_are_answered_while_the_caller_stays_away_and_others_send() {
    in_time(|| {
        let (pong, pongs) = mpsc::channel();
        let server = telling_echo(move |socket, message| match message {
            Message::Text(text) if text == "exchanged 99" => {
                socket.send(Message::Ping("are you there".into())).unwrap();
            }
            Message::Pong(bytes) => pong.send(bytes).unwrap(),
            _ => {}
        });
        let client = quick_client(&server, quick());
        let handle = client.handle();
        let is_over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_over);
        // Each of them calls the thread before it looks whether the caller comes.
        let sender = thread::spawn(move || {
            while !until.load(Ordering::SeqCst) && handle.send("more").is_ok() {
                thread::sleep(2 * MS);
            }
        });
        let answer = pongs.recv_timeout(Duration::from_secs(5));
        is_over.store(true, Ordering::SeqCst);
        sender.join().unwrap();
        assert_eq!(answer.unwrap(), "are you there");
        drop(client);
    });
}

#[test]
fn the_heartbeat_goes_on_while_the_caller_stays_away() {
    in_time(|| {
        let server = Server::start(|number, stream| {
            let mut socket = accept(stream);
            if number > 0 {
                return echo(socket);
            }
            for _ in 0..100 {
                let message = socket.read().unwrap();
                socket.send(message).unwrap();
            }
            // It answers nothing any more, and reads nothing.
            thread::sleep(LONG);
        });
        let mut config = quick();
        config.heartbeat.interval = 300 * MS;
        config.heartbeat.deadline = 300 * MS;
        let mut client = quick_client(&server, config);
        eventually("the link is called dead, and another made", || server.accepted() == 2);
        // And the caller can drive again.
        client.wait_open(LONG).unwrap();
        exchange(&mut client, 100);
    });
}

#[test]
fn others_are_heard_whoever_drives() {
    in_time(|| {
        let (seen, sees) = mpsc::channel();
        let server = telling_echo(move |_, message| {
            if let Message::Binary(bytes) = message {
                seen.send(bytes[0]).unwrap();
            }
        });
        let mut client = quick_client(&server, quick());
        for round in 0..50 {
            exchange(&mut client, 5);
            let handle = client.handle();
            let send = move || handle.send(vec![round]).map(|_| ()).unwrap();
            if round % 2 == 0 {
                // While the caller is away.
                thread::spawn(send).join().unwrap();
                assert_eq!(sees.recv_timeout(LONG).unwrap(), round);
            } else {
                // While the caller waits.
                let other = thread::spawn(send);
                assert!(client.recv_timeout(3 * MS).is_err(), "nothing is returned");
                other.join().unwrap();
                assert_eq!(sees.recv_timeout(LONG).unwrap(), round);
            }
        }
    });
}

#[test]
fn a_timeout_is_kept_while_the_caller_drives() {
    let server = Server::echo();
    let mut client = quick_client(&server, quick());
    for timeout in [0, 1, 2, 5, 30, 100] {
        exchange(&mut client, 10);
        let timeout = timeout * MS;
        let before = Instant::now();
        assert!(client.recv_timeout(timeout).is_err());
        let took = before.elapsed();
        assert!(took >= timeout, "{took:?} for {timeout:?}");
        assert!(took < timeout + LONG / 4, "{took:?} for {timeout:?}");
    }
}

#[test]
fn a_full_outbox_holds_the_caller_up_and_nothing_else() {
    in_time(|| {
        let (seen, sees) = mpsc::channel();
        let server = telling_echo(move |_, message| {
            if message.is_binary() {
                seen.send(()).unwrap();
            }
        });
        let mut config = quick();
        config.outbox.overflow = Overflow::Wait;
        config.outbox.max_messages = 4;
        let mut client = quick_client(&server, config);
        let others: Vec<_> = (0..3)
            .map(|_| {
                let handle = client.handle();
                thread::spawn(move || {
                    (0..200).for_each(|_| _ = handle.send(vec![0; 1000]).unwrap())
                })
            })
            .collect();
        for _ in 0..20 {
            (0..10).for_each(|_| _ = client.send(vec![0; 1000]).unwrap());
            exchange(&mut client, 5);
        }
        others.into_iter().for_each(|other| other.join().unwrap());
        (0..800).for_each(|_| sees.recv_timeout(LONG).unwrap());
    });
}

/// A client that was quick, with a hook that panics.
fn panicking(server: &Server) -> Client {
    let mut client = Client::builder(server.url())
        .config(quick().build().unwrap())
        .on_retry(|_| panic!("as the test wants it"))
        .connect()
        .unwrap();
    client.wait_open(LONG).unwrap();
    exchange(&mut client, 100);
    client
}

#[test]
fn a_panic_of_a_hook_ends_the_connection_and_not_the_caller() {
    in_time(|| {
        for away in [false, true] {
            let server = Server::start(|_, stream| {
                let mut socket = accept(stream);
                for _ in 0..100 {
                    let message = socket.read().unwrap();
                    socket.send(message).unwrap();
                }
                // The last one, to which it says nothing.
                let _ = socket.read();
            });
            let mut client = panicking(&server);
            client.send("the last one").unwrap();
            if away {
                eventually("it ends", || client.closed().is_some());
            }
            while client.recv_timeout(LONG).unwrap().is_some() {}
            assert!(client.closed().is_some());
            assert!(client.send("x").is_err());
            let _ = client.join();
        }
    });
}

#[test]
fn it_ends_in_every_way_from_the_callers_seat() {
    in_time(|| {
        for way in 0..6 {
            let server = Server::echo();
            let mut client = quick_client(&server, quick());
            let handle = client.handle();
            match way {
                0 => drop(client),
                1 => {
                    client.close();
                    let _ = client.join();
                }
                2 => {
                    client.drain(None);
                    closed(&mut client);
                    assert!(client.recv().is_none());
                }
                3 => {
                    client.abort();
                    closed(&mut client);
                }
                4 => {
                    let other = thread::spawn(move || handle.close());
                    while client.recv().is_some() {}
                    other.join().unwrap();
                    continue;
                }
                _ => {
                    client.send("answer").unwrap();
                    client.close();
                    drop(client);
                }
            }
            eventually("it ends", || handle.state() == State::Closed);
            assert_accounted(&handle.counters());
        }
    });
}

#[test]
fn calls_are_heard_while_an_answer_is_awaited_awake() {
    in_time(|| {
        let server = Server::start(|_, stream| {
            let mut socket = accept(stream);
            while let Ok(message) = socket.read() {
                if message.is_text() && message.to_text().is_ok_and(|text| text != "hush") {
                    socket.send(message).unwrap();
                }
            }
        });
        let mut config = quick();
        config.heartbeat.style = HeartbeatStyle::Off;
        let endless = Duration::from_secs(3_600);
        let builder = Client::builder(server.url()).config(config.build().unwrap());
        #[cfg(feature = "proxy")]
        let builder = builder.no_proxy();
        let mut client = builder.busy_poll(endless).connect().unwrap();
        client.wait_open(LONG).unwrap();
        exchange(&mut client, 100);
        client.send("hush").unwrap();
        let handle = client.handle();
        let caller = thread::spawn(move || {
            thread::sleep(20 * MS);
            handle.send("more").unwrap();
        });
        assert_eq!(text(&mut client), "more");
        caller.join().unwrap();
        client.send("hush").unwrap();
        // A deadline is kept, and not put off until that is over.
        let began = Instant::now();
        assert!(client.recv_timeout(50 * MS).is_err());
        assert!(began.elapsed() < LONG);
        client.close();
        assert_eq!(closed(&mut client).by, ClosedBy::Application);
    });
}
