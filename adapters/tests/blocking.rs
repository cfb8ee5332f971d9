//! The blocking client against a server that misbehaves in every way.

#![cfg(feature = "blocking")]
#![allow(clippy::unwrap_used, clippy::wildcard_imports)]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use perennial::blocking::{Client, RetryContext};
use perennial::{
    ClosedBy, Config, HookError, NotOpen, Notice, Outgoing, Overflow, Reason, Refusal, RetryChoice,
    State,
};
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
fn keeps_dialling_until_somebody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut client = connect(&format!("ws://{address}/"), quick());
    client.send("queued").unwrap();
    assert!(failure(&mut client).contains("connection failed"));
    let listener = TcpListener::bind(address).unwrap();
    let _server = Server::on(listener, |_, stream| echo(accept(stream)));
    assert_eq!(text(&mut client), "queued");
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
fn a_refusal_for_good_is_final() {
    let server = Server::start(|_, mut stream| {
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let mut client = connect(&server.url(), quick());
    let closed = closed(&mut client);
    assert_eq!(closed.by, ClosedBy::Server);
    assert_eq!(closed.reason.status(), Some(401));
    assert_eq!(server.accepted(), 1);
    assert!(matches!(client.wait_open(LONG), Err(NotOpen::Closed(_))));
}

#[test]
fn retry_after_is_honoured() {
    let server = Server::start(|number, mut stream| {
        if number == 0 {
            read_request(&mut stream);
            let answer = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n";
            stream.write_all(answer).unwrap();
        } else {
            echo(accept(stream));
        }
    });
    let mut client = connect(&server.url(), quick());
    let delay = find(&mut client, |notice| match notice {
        Notice::Retrying { delay, reason, .. } => {
            assert_eq!(reason.status(), Some(503));
            Some(*delay)
        }
        _ => None,
    });
    assert!(delay >= Duration::from_secs(1), "{delay:?}");
    until(&mut client, State::Open);
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
fn frames_right_behind_the_handshake_are_not_lost() {
    let server = Server::start(|_, mut stream| {
        let request = read_request(&mut stream);
        let mut bytes = answer(&request, "").into_bytes();
        bytes.extend_from_slice(b"\x81\x05hello");
        stream.write_all(&bytes).unwrap();
        drain(&mut stream);
    });
    let mut client = connect(&server.url(), quick());
    assert_eq!(text(&mut client), "hello");
}

#[test]
fn what_is_no_handshake_is_tried_again() {
    let cases: [(&'static str, &str); 5] = [
        ("garbage in, garbage out\r\n\r\n", "not HTTP"),
        ("", "ended before the answer was complete"),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgr", "ended before the answer was complete"),
        ("Sec-WebSocket-Extensions: permessage-deflate\r\n", "extension"),
        ("Sec-WebSocket-Protocol: other\r\n", "subprotocol"),
    ];
    for (text, expected) in cases {
        let server = Server::start(move |number, mut stream| {
            if number > 0 {
                return echo(accept(stream));
            }
            let request = read_request(&mut stream);
            let bytes = if text.starts_with("Sec-") { answer(&request, text) } else { text.into() };
            stream.write_all(bytes.as_bytes()).unwrap();
        });
        let mut client = connect(&server.url(), quick());
        let failure = failure(&mut client);
        assert!(failure.contains(expected), "{text}: {failure}");
        until(&mut client, State::Open);
    }
}

#[test]
fn a_handshake_that_is_never_answered_times_out() {
    let server = Server::start(|number, mut stream| {
        if number > 0 {
            return echo(accept(stream));
        }
        drain(&mut stream);
    });
    let mut config = quick();
    config.connect.dial_timeout = Duration::from_millis(100);
    let mut client = connect(&server.url(), config);
    assert!(failure(&mut client).contains("timed out"));
    until(&mut client, State::Open);
}

#[test]
fn closing_during_a_hanging_dial_is_immediate() {
    let server = Server::start(|_, mut stream| {
        drain(&mut stream);
    });
    let mut client = connect(&server.url(), quick());
    eventually("a dial", || server.accepted() == 1);
    let before = Instant::now();
    client.close();
    assert_eq!(closed(&mut client).by, ClosedBy::Application);
    assert!(before.elapsed() < Duration::from_secs(4), "sooner than any timeout");
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
fn a_dead_peer_is_found_while_sending_at_full_speed() {
    let server = Server::start(|_, stream| {
        let mut socket = accept(stream);
        drain(socket.get_mut());
    });
    let mut config = quick();
    config.heartbeat.interval = Duration::from_millis(50);
    config.heartbeat.deadline = Duration::from_millis(50);
    config.outbox.overflow = Overflow::Wait;
    config.retry.max_attempts = Some(1);
    let mut client = connect(&server.url(), config);
    let handle = client.handle();
    let sender = thread::spawn(move || while handle.send("x".repeat(1000)).is_ok() {});
    find(&mut client, |notice| matches!(notice, Notice::Dead { .. }).then_some(()));
    client.abort();
    sender.join().unwrap();
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
    eventually("the outbox is full", || client.status().outbox_bytes > 900 << 10);
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
    assert!(!client.status().reads_paused);
}

#[test]
fn reports_tell_what_became_of_each_message() {
    let server = Server::echo();
    let config = quick().build().unwrap();
    let mut client = Client::builder(&server.url()).config(config).reports(true).connect().unwrap();
    let seq = client.send("hello").unwrap();
    let flushed = find(&mut client, |notice| match notice {
        Notice::Flushed { seq, .. } => Some(*seq),
        _ => None,
    });
    assert_eq!(flushed, seq);
}

#[test]
fn reports_that_nobody_fetches_refuse_further_messages() {
    let server = Server::start(|_, stream| {
        let mut socket = accept(stream);
        while socket.read().is_ok() {}
    });
    let mut config = quick();
    config.inbox.max_messages = 8;
    let client = Client::builder(&server.url())
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
fn hooks_see_and_change_every_attempt() {
    let (sender, receiver) = mpsc::channel();
    let server = Server::start(move |number, mut stream| {
        let request = read_request(&mut stream);
        sender.send(request.clone()).unwrap();
        if number == 1 {
            stream.write_all(answer(&request, "").as_bytes()).unwrap();
            drain(&mut stream);
        }
    });
    let url = server.url();
    let mut tokens = ["first", "second"].into_iter();
    let mut config = quick();
    config.retry.backoff = perennial::Backoff::Constant { base: Duration::from_secs(30) };
    let mut client = Client::builder("ws://127.0.0.1:9/")
        .config(config.build().unwrap())
        .header("X-Always", "yes")
        .on_request(move |attempt| {
            attempt.set_url(&format!("{url}feed?attempt={}", attempt.number))?;
            attempt.bearer(tokens.next().ok_or(HookError::Stop("no token".into()))?)?;
            Ok(())
        })
        .on_retry(|context: &RetryContext| {
            assert_eq!(context.delay, Duration::from_secs(30));
            RetryChoice::After(Duration::from_millis(1))
        })
        .connect()
        .unwrap();
    until(&mut client, State::Open);
    for (number, token) in [(1, "first"), (2, "second")] {
        let request = receiver.recv_timeout(LONG).unwrap();
        assert!(request.starts_with(&format!("GET /feed?attempt={number} ")), "{request}");
        assert!(request.contains(&format!("Authorization: Bearer {token}\r\n")), "{request}");
        assert!(request.contains("X-Always: yes\r\n"), "{request}");
    }
}

#[test]
fn a_hook_may_give_up() {
    let mut client = Client::builder("ws://127.0.0.1:9/")
        .on_request(|_| Err(HookError::Stop("no token".into())))
        .connect()
        .unwrap();
    let closed = closed(&mut client);
    assert!(closed.reason.to_string().contains("no token"), "{}", closed.reason);
}

#[test]
fn fail_fast_says_why() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    drop(listener);
    let mut config = quick();
    config.connect.fail_fast = true;
    let config = config.build().unwrap();
    let error = Client::builder(&url).config(config.clone()).connect().unwrap_err();
    assert!(
        matches!(&error, perennial::Error::Closed(closed)
        if matches!(closed.reason, Reason::FirstFailed(_))),
        "{error}"
    );
    let server = Server::echo();
    let mut client = Client::builder(&server.url()).config(config).connect().unwrap();
    assert_eq!(client.state(), State::Open);
    client.send("x").unwrap();
    assert_eq!(text(&mut client), "x");
}

#[test]
fn runs_on_the_callers_thread() {
    let server = Server::echo();
    let mut seen = Vec::new();
    let closed = Client::builder(&server.url())
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
fn sending_in_the_callback_never_waits_for_itself() {
    let server = Server::echo();
    let mut config = quick();
    config.outbox.overflow = Overflow::Wait;
    config.outbox.max_messages = 2;
    let mut refused = None;
    Client::builder(&server.url())
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
}

fn echo_count_text(socket: &mut tungstenite::WebSocket<TcpStream>) {
    while socket.read().is_ok() {}
}

#[test]
fn manual_reconnect_leaves_a_hanging_transport_behind() {
    let server = Server::start(|number, mut stream| {
        if number == 0 {
            drain(&mut stream);
        } else {
            echo(accept(stream));
        }
    });
    let mut client = connect(&server.url(), quick());
    eventually("a dial", || server.accepted() == 1);
    client.reconnect();
    until(&mut client, State::Open);
    assert_eq!(server.accepted(), 2);
}

#[test]
fn what_can_never_work_is_an_error_at_once() {
    let bad = |builder: perennial::blocking::Builder| builder.connect().unwrap_err().to_string();
    assert!(bad(Client::builder("http://example.org/")).contains("use ws://"));
    let header = bad(Client::builder("ws://h/").header("Upgrade", "hidden"));
    assert!(header.contains("Upgrade") && !header.contains("hidden"), "{header}");
    let too_much = Outgoing::new("x".repeat(2 << 20));
    let client = connect("ws://127.0.0.1:9/", Config::builder());
    let error = client.send(too_much).unwrap_err();
    assert!(matches!(error.refusal, Refusal::TooLarge { .. }), "{error}");
    assert_eq!(error.message.payload.len(), 2 << 20, "it comes back");
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
