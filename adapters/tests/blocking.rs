//! The blocking client on an open connection, well or badly treated by the server.

#![cfg(feature = "blocking")]
#![allow(clippy::unwrap_used, clippy::wildcard_imports)]

mod support;

use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use perennial::blocking::Client;
use perennial::{ClosedBy, Notice, Refusal, State};
use support::*;
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;

#[test]
fn sends_and_receives_and_closes() {
    let server = Server::echo();
    let mut client = connect(&server.url(), quick());
    for word in ["one", "two", "three"] {
        client.send(word).unwrap();
    }
    for word in ["one", "two", "three"] {
        assert_eq!(text(&mut client), word);
    }
    client.send(vec![0_u8, 255]).unwrap();
    let payload = find(&mut client, |notice| match notice {
        Notice::Message(message) => Some(message.payload.clone()),
        _ => None,
    });
    assert_eq!(payload.as_bytes(), [0, 255]);
    client.close();
    let closed = closed(&mut client);
    assert_eq!((closed.by, closed.code, closed.clean), (ClosedBy::Application, 1000, true));
    assert_eq!(client.recv(), None, "nothing follows");
    assert_eq!(client.send("late").unwrap_err().refusal, Refusal::Closed);
    assert_eq!(client.counters().flushed, 4);
}

#[test]
fn large_messages_cross_both_ways() {
    let server = Server::echo();
    let mut config = quick();
    config.outbox.max_bytes = 64 << 20;
    let mut client = connect(&server.url(), config);
    let large = "x".repeat(10 << 20);
    client.send(large.clone()).unwrap();
    assert!(text(&mut client) == large, "the same");
}

#[test]
fn comes_back_after_a_reset() {
    let server = Server::start(|number, stream| {
        if number == 0 {
            reset(&stream);
            let mut socket = accept(stream);
            let _ = socket.read();
        } else {
            echo(accept(stream));
        }
    });
    let mut client = connect(&server.url(), quick());
    client.wait_open(LONG).unwrap();
    client.send("into the void").unwrap();
    until(&mut client, State::Reconnecting);
    until(&mut client, State::Open);
    client.send("after").unwrap();
    assert_eq!(text(&mut client), "after");
    assert_eq!(client.counters().reconnects, 1);
}

#[test]
fn close_codes_of_the_server() {
    for (code, is_final) in [(1000, false), (1001, false), (1008, true), (4321, false)] {
        let (sender, receiver) = mpsc::channel();
        let server = Server::start(move |number, stream| {
            let mut socket = accept(stream);
            if number == 0 {
                let reason = "so it is".into();
                socket.close(Some(CloseFrame { code: CloseCode::from(code), reason })).unwrap();
                // The answer, exactly one, with the same code.
                let mut answers = Vec::new();
                while let Ok(message) = socket.read() {
                    answers.push(message);
                }
                sender.send(answers).unwrap();
            } else {
                echo(socket);
            }
        });
        let mut client = connect(&server.url(), quick());
        if is_final {
            let closed = closed(&mut client);
            assert_eq!((closed.by, closed.code), (ClosedBy::Server, code));
        } else {
            until(&mut client, State::Reconnecting);
            until(&mut client, State::Open);
        }
        let answers = receiver.recv_timeout(LONG).unwrap();
        let [Message::Close(Some(answer))] = &answers[..] else { panic!("{code}: {answers:?}") };
        assert_eq!(u16::from(answer.code), code);
    }
}

/// What the client says after the server sent these raw bytes.
fn close_code_after(bytes: &'static [u8]) -> u16 {
    let (sender, receiver) = mpsc::channel();
    let server = Server::start(move |_, stream| {
        let mut socket = accept(stream);
        socket.get_mut().write_all(bytes).unwrap();
        let code = loop {
            match socket.read() {
                Ok(Message::Close(Some(close))) => break u16::from(close.code),
                Ok(_) => {}
                Err(_) => break 0,
            }
        };
        let _ = socket.flush();
        let _ = sender.send(code);
    });
    let mut config = quick();
    config.inbox.max_message = 1000;
    let mut client = connect(&server.url(), config);
    let told = receiver.recv_timeout(LONG).unwrap();
    let closed = closed(&mut client);
    assert_eq!(closed.by, ClosedBy::Policy);
    assert_eq!(closed.code, told);
    told
}

#[test]
fn violations_are_answered_with_their_code() {
    assert_eq!(close_code_after(&[0x81, 2, 0xff, 0xff]), 1007, "not UTF-8");
    assert_eq!(close_code_after(&[0x82, 126, 0x10, 0x00]), 1009, "4096 bytes are to come");
    assert_eq!(close_code_after(&[0xc1, 0]), 1002, "a reserved bit");
    assert_eq!(close_code_after(&[0x80, 0]), 1002, "nothing to continue");
    assert_eq!(close_code_after(&[0x83, 0]), 1002, "a reserved opcode");
    assert_eq!(close_code_after(&[0x88, 1, 3]), 1002, "half a close code");
    assert_eq!(close_code_after(&[0x88, 2, 3, 0xe7]), 1002, "a close with 999");
    assert_eq!(close_code_after(&[0x88, 2, 3, 0xed]), 1002, "a close with 1005");
    assert_eq!(close_code_after(&[0x88, 2, 0xff, 0xff]), 1002, "a close with 65535");
}

#[test]
fn pings_are_answered_without_a_write_of_ours() {
    let (sender, receiver) = mpsc::channel();
    let server = Server::start(move |_, stream| {
        let mut socket = accept(stream);
        for payload in ["a", "b", "c"] {
            socket.send(Message::Ping(payload.into())).unwrap();
        }
        for _ in 0..3 {
            sender.send(socket.read().unwrap()).unwrap();
        }
        echo(socket);
    });
    let _client = connect(&server.url(), quick());
    for payload in ["a", "b", "c"] {
        assert_eq!(receiver.recv_timeout(LONG).unwrap(), Message::Pong(payload.into()));
    }
}

#[test]
fn a_dead_peer_is_found() {
    let server = Server::start(|number, stream| {
        let mut socket = accept(stream);
        if number == 0 {
            // It takes everything and answers nothing.
            drain(socket.get_mut());
        } else {
            echo(socket);
        }
    });
    let mut config = quick();
    config.heartbeat.interval = Duration::from_millis(50);
    config.heartbeat.deadline = Duration::from_millis(50);
    let mut client = connect(&server.url(), config);
    find(&mut client, |notice| matches!(notice, Notice::Dead { .. }).then_some(()));
    until(&mut client, State::Open);
}

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
fn dropping_a_client_ends_a_link_that_does_not_answer() {
    let ended = Slot::empty();
    let slot = ended.clone();
    let server = Server::start(move |_, stream| {
        let mut socket = accept(stream);
        // Neither a close frame nor anything else is answered.
        drain(socket.get_mut());
        slot.put(());
    });
    let mut config = quick();
    config.close.timeout = Duration::from_millis(50);
    let client = connect(&server.url(), config);
    client.wait_open(LONG).unwrap();
    drop(client);
    ended.take();
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
fn reports_tell_what_became_of_each_message() {
    let server = Server::echo();
    let config = quick().build().unwrap();
    let mut client = Client::builder(server.url()).config(config).reports(true).connect().unwrap();
    let seq = client.send("hello").unwrap();
    let flushed = find(&mut client, |notice| match notice {
        Notice::Flushed { seq, .. } => Some(*seq),
        _ => None,
    });
    assert_eq!(flushed, seq);
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
fn drains_before_it_closes() {
    let server = Server::start(|_, stream| {
        thread::sleep(Duration::from_millis(100));
        echo(accept(stream));
    });
    let mut client = connect(&server.url(), quick());
    for _ in 0..100 {
        client.send("x").unwrap();
    }
    client.drain(None);
    let closed = closed(&mut client);
    assert_eq!((closed.by, closed.code), (ClosedBy::Application, 1000));
    assert_eq!(client.counters().flushed, 100);
}

#[test]
fn half_a_frame_proves_life() {
    let server = Server::start(|_, stream| {
        let mut socket = accept(stream);
        // A text of 200 bytes, one byte at a time, while no ping is ever answered.
        socket.get_mut().write_all(&[0x81, 126, 0, 200]).unwrap();
        for _ in 0..200 {
            socket.get_mut().write_all(b"x").unwrap();
            thread::sleep(Duration::from_millis(5));
        }
        let mut rest = Vec::new();
        let _ = socket.get_mut().read_to_end(&mut rest);
    });
    let mut config = quick();
    config.heartbeat.interval = Duration::from_millis(100);
    config.heartbeat.deadline = Duration::from_millis(250);
    let mut client = connect(&server.url(), config);
    let got = find(&mut client, |notice| match notice {
        Notice::Message(message) => Some(message.payload.len()),
        Notice::Dead { .. } => Some(0),
        _ => None,
    });
    assert_eq!(got, 200);
}
