//! Handles as streams and sinks, and many of them at once.

use std::sync::mpsc;

use futures_lite::StreamExt as _;
use perennial::{ClosedBy, Control, Overflow, State};

use crate::support::{LONG, Server, accept, quick};
use crate::*;

crate::scripts! {
    the_states_are_a_stream,
    the_client_is_a_stream_and_a_sink,
    many_tasks_send_at_once,
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

async fn many_tasks_send_at_once<E: Executor>() {
    let server = Server::start(|_, stream| {
        let mut socket = accept(stream);
        while socket.read().is_ok() {}
    });
    let mut config = quick();
    config.outbox.overflow = Overflow::Wait;
    config.outbox.max_messages = 16;
    let client = E::start(builder(&server.url(), config));
    let (end, ended) = mpsc::channel();
    for _ in 0..4 {
        let (handle, end) = (client.handle(), end.clone());
        E::beside(async move {
            for _ in 0..2_000 {
                handle.send("x").await.unwrap();
            }
            end.send(()).unwrap();
        });
    }
    let all = smol::unblock(move || (0..4).all(|_| ended.recv_timeout(LONG).is_ok()));
    assert!(all.await, "in time");
    Control::drain(&client, None);
    assert_eq!(soon(client.wait_closed()).await.by, ClosedBy::Application);
    assert_eq!(client.counters().flushed, 8_000);
    assert_eq!(client.counters().clock_backwards, 0);
}
