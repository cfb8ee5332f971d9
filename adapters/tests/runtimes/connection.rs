//! An open connection, well or badly treated by the server.

use std::io::Write;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures_lite::StreamExt as _;
use perennial::{ClosedBy, Notice, Refusal, State};
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::support::{Server, Slot, accept, answer, drain, echo, quick, read_request, reset};
use crate::*;

crate::scripts! {
    sends_and_receives_and_closes,
    large_messages_cross_both_ways,
    comes_back_after_a_reset,
    close_codes_of_the_server,
    refusals_are_told_apart,
    a_server_that_comes_up_late_is_found,
    violations_are_answered_with_their_code,
    pings_are_answered_without_a_write_of_ours,
    frames_glued_to_the_answer_are_not_lost,
    one_byte_at_a_time,
    a_dead_peer_is_found_under_load,
    reconnecting_by_hand,
    the_states_are_a_stream,
    the_client_is_a_stream_and_a_sink,
}

async fn sends_and_receives_and_closes<E: Executor>() {
    let server = Server::echo();
    let mut client = E::start(builder(&server.url(), quick()));
    for word in ["one", "two", "three"] {
        client.send(word).await.unwrap();
    }
    for word in ["one", "two", "three"] {
        assert_eq!(text(&mut client).await, word);
    }
    client.try_send(vec![0_u8, 255]).unwrap();
    assert_eq!(payload(&mut client).await.as_bytes(), [0, 255]);
    client.close();
    let closed = closed(&mut client).await;
    assert_eq!((closed.by, closed.code, closed.clean), (ClosedBy::Application, 1000, true));
    assert_eq!(client.recv().await, None, "nothing follows");
    assert_eq!(client.send("late").await.unwrap_err().refusal, Refusal::Closed);
    assert_eq!(client.counters().flushed, 4);
    assert_eq!(soon(client.wait_closed()).await, closed);
}

async fn large_messages_cross_both_ways<E: Executor>() {
    let server = Server::echo();
    let mut config = quick();
    config.outbox.max_bytes = 64 << 20;
    let mut client = E::start(builder(&server.url(), config));
    let large = "x".repeat(10 << 20);
    client.send(large.clone()).await.unwrap();
    assert!(text(&mut client).await == large, "the same");
}

async fn comes_back_after_a_reset<E: Executor>() {
    let server = Server::start(|number, stream| {
        if number == 0 {
            reset(&stream);
            let mut socket = accept(stream);
            let _ = socket.read();
        } else {
            echo(accept(stream));
        }
    });
    let mut client = E::start(builder(&server.url(), quick()));
    soon(client.wait_open()).await.unwrap();
    client.send("into the void").await.unwrap();
    until(&mut client, State::Reconnecting).await;
    until(&mut client, State::Open).await;
    client.send("after").await.unwrap();
    assert_eq!(text(&mut client).await, "after");
    assert_eq!(client.counters().reconnects, 1);
}

async fn close_codes_of_the_server<E: Executor>() {
    for (code, is_final) in [(1000, false), (1001, false), (1008, true), (4321, false)] {
        let answers = Slot::empty();
        let slot = answers.clone();
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
                slot.put(answers);
            } else {
                echo(socket);
            }
        });
        let mut client = E::start(builder(&server.url(), quick()));
        if is_final {
            let closed = closed(&mut client).await;
            assert_eq!((closed.by, closed.code), (ClosedBy::Server, code));
        } else {
            until(&mut client, State::Reconnecting).await;
            until(&mut client, State::Open).await;
        }
        let answers = taken(&answers).await;
        let [Message::Close(Some(answer))] = &answers[..] else { panic!("{code}: {answers:?}") };
        assert_eq!(u16::from(answer.code), code);
    }
}

async fn refusals_are_told_apart<E: Executor>() {
    let server = Server::start(|number, mut stream| {
        let answers = [
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n\r\n",
            "",
            "HTTP/1.1 401 Unauthorized\r\n\r\n",
        ];
        read_request(&mut stream);
        let _ = stream.write_all(answers[number].as_bytes());
    });
    let mut client = E::start(builder(&server.url(), quick()));
    for part in ["HTTP 503", "upgrade", "not HTTP", "before the answer was complete", "HTTP 401"] {
        let said = failure(&mut client).await;
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(client.recv().await, None);
}

async fn a_server_that_comes_up_late_is_found<E: Executor>() {
    let place = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    let mut client = E::start(builder(&format!("ws://{address}/"), quick()));
    assert!(failure(&mut client).await.contains(&address.to_string()));
    let _server = Server::on(std::net::TcpListener::bind(address).unwrap(), |_, stream| {
        echo(accept(stream));
    });
    client.send("hello").await.unwrap();
    assert_eq!(text(&mut client).await, "hello");
}

/// What the client says after the server sent these raw bytes.
async fn close_code_after<E: Executor>(bytes: &'static [u8]) -> u16 {
    let code = Slot::empty();
    let slot = code.clone();
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
        slot.put(code);
    });
    let mut config = quick();
    config.inbox.max_message = 1000;
    let mut client = E::start(builder(&server.url(), config));
    let closed = closed(&mut client).await;
    assert_eq!(closed.by, ClosedBy::Policy);
    let told = taken(&code).await;
    assert_eq!(closed.code, told);
    told
}

async fn violations_are_answered_with_their_code<E: Executor>() {
    assert_eq!(close_code_after::<E>(&[0x81, 2, 0xff, 0xff]).await, 1007, "not UTF-8");
    assert_eq!(close_code_after::<E>(&[0x82, 126, 0x10, 0x00]).await, 1009, "too long");
    assert_eq!(close_code_after::<E>(&[0xc1, 0]).await, 1002, "a reserved bit");
}

async fn pings_are_answered_without_a_write_of_ours<E: Executor>() {
    let pongs = Slot::empty();
    let slot = pongs.clone();
    let server = Server::start(move |_, stream| {
        let mut socket = accept(stream);
        for payload in ["a", "b", "c"] {
            socket.send(Message::Ping(payload.into())).unwrap();
        }
        slot.put([0; 3].map(|_| socket.read().unwrap()));
        echo(socket);
    });
    let _client = E::start(builder(&server.url(), quick()));
    let expected = ["a", "b", "c"].map(|payload| Message::Pong(payload.into()));
    assert_eq!(taken(&pongs).await, expected);
}

async fn frames_glued_to_the_answer_are_not_lost<E: Executor>() {
    let server = Server::start(|_, mut stream| {
        let request = read_request(&mut stream);
        let mut glued = answer(&request, "").into_bytes();
        for number in 0..100 {
            glued.extend_from_slice(&[0x82, 1, number]);
        }
        stream.write_all(&glued).unwrap();
        drain(&mut stream);
    });
    let mut client = E::start(builder(&server.url(), quick()));
    for number in 0..100 {
        assert_eq!(payload(&mut client).await.as_bytes(), [number]);
    }
}

async fn one_byte_at_a_time<E: Executor>() {
    let server = Server::start(|_, mut stream| {
        stream.set_nodelay(true).unwrap();
        let request = read_request(&mut stream);
        let mut bytes = answer(&request, "").into_bytes();
        // A text in two fragments with a ping between them.
        bytes.extend_from_slice(&[0x01, 2, b'o', b'n', 0x89, 1, b'!', 0x80, 1, b'e']);
        for byte in bytes {
            stream.write_all(&[byte]).unwrap();
            thread::sleep(Duration::from_micros(200));
        }
        drain(&mut stream);
    });
    let mut client = E::start(builder(&server.url(), quick()));
    assert_eq!(text(&mut client).await, "one");
    assert_eq!(client.counters().attempts, 1, "at the first attempt");
}

async fn a_dead_peer_is_found_under_load<E: Executor>() {
    let server = Server::start(|_, stream| {
        let mut socket = accept(stream);
        // It takes everything and answers nothing.
        drain(socket.get_mut());
    });
    let mut config = quick();
    config.heartbeat.interval = Duration::from_millis(100);
    config.heartbeat.deadline = Duration::from_millis(500);
    config.outbox.overflow = perennial::Overflow::Wait;
    config.retry.max_attempts = Some(1);
    let mut client = E::start(builder(&server.url(), config));
    let handle = client.handle();
    let (end, ended) = mpsc::channel();
    E::beside(async move {
        while handle.send("x".repeat(1000)).await.is_ok() {}
        end.send(()).unwrap();
    });
    find(&mut client, |notice| matches!(notice, Notice::Dead { .. }).then_some(())).await;
    client.abort();
    closed(&mut client).await;
    let last = smol::unblock(move || ended.recv_timeout(crate::LONG)).await;
    last.expect("the sender is released");
}

async fn reconnecting_by_hand<E: Executor>() {
    let server = Server::echo();
    let mut client = E::start(builder(&server.url(), quick()));
    until(&mut client, State::Open).await;
    client.reconnect();
    until(&mut client, State::Open).await;
    client.send("anew").await.unwrap();
    assert_eq!(text(&mut client).await, "anew");
    assert_eq!(server.accepted(), 2);
}

async fn the_states_are_a_stream<E: Executor>() {
    let server = Server::echo();
    let client = E::start(builder(&server.url(), quick()));
    let mut states = client.state_changes();
    soon(client.wait_open()).await.unwrap();
    client.close();
    let seen: Vec<State> = soon((&mut states).collect()).await;
    assert_eq!(seen.last(), Some(&State::Closed));
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?}");
    assert_eq!(states.next().await, None, "it stays at its end");
}

async fn the_client_is_a_stream_and_a_sink<E: Executor>() {
    use futures_util::SinkExt;
    let server = Server::echo();
    let mut config = quick();
    config.outbox.max_messages = 2;
    let mut client = E::start(builder(&server.url(), config));
    let mut sink = client.handle();
    E::beside(async move {
        for number in 0..100 {
            // More than fits: the sink waits, whatever the config says.
            sink.feed(number.to_string().into()).await.unwrap();
        }
        SinkExt::close(&mut sink).await.unwrap();
    });
    let texts: Vec<String> = soon(async {
        let messages = client.messages();
        messages.map(|message| message.payload.as_text().unwrap().to_owned()).collect().await
    })
    .await;
    let expected: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    // The drain ends when everything was flushed, not when it has come back.
    assert!(expected.starts_with(&texts), "{texts:?}");
    assert_eq!(client.counters().flushed, 100);
    assert_eq!(client.closed().unwrap().by, ClosedBy::Application);
}
