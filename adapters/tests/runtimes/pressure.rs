//! What is held, and who waits, when one side is slow.

use std::sync::mpsc;
use std::time::Duration;

use perennial::{ClosedBy, Overflow, Refusal};
use tungstenite::Message;

use crate::support::{LONG, Server, Slot, accept, drain, echo, quick};
use crate::*;

crate::scripts! {
    a_server_that_does_not_read_holds_up_the_sender,
    a_sender_that_waits_is_released_by_the_close,
    an_application_that_does_not_fetch_holds_up_the_server,
    many_tasks_send_at_once,
    closing_gets_through_while_nothing_can_be_written,
}

async fn a_server_that_does_not_read_holds_up_the_sender<E: Executor>() {
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let server = Server::start(move |_, stream| {
        let mut socket = accept(stream);
        let _ = held.lock().unwrap().recv();
        let mut count = 0;
        while let Ok(message) = socket.read() {
            count += usize::from(message.is_binary());
            if message.is_text() {
                socket.send(Message::Text(count.to_string().into())).unwrap();
            }
        }
    });
    let mut config = quick();
    config.outbox.overflow = Overflow::Wait;
    config.heartbeat.style = perennial::HeartbeatStyle::Off;
    let mut client = E::start(builder(&server.url(), config));
    let piece = perennial::Bytes::from(vec![7_u8; 64 << 10]);
    let total = 512; // 32 MiB: more than the kernel and the outbox hold together
    let mut sent = 0;
    while sent < total
        && within(Duration::from_millis(500), client.send(piece.clone())).await.is_some()
    {
        sent += 1;
    }
    assert!(sent < total, "the sender was held up");
    assert!(client.status().outbox_bytes <= 1 << 20, "bounded");
    let full = client.try_send(vec![0; 1 << 20]).unwrap_err();
    assert_eq!(full.refusal, Refusal::Full);
    release.send(()).unwrap();
    for _ in sent..total {
        soon(client.send(piece.clone())).await.unwrap();
    }
    soon(client.send("count")).await.unwrap();
    assert_eq!(text(&mut client).await, total.to_string());
}

async fn a_sender_that_waits_is_released_by_the_close<E: Executor>() {
    let server = Server::start(|_, stream| {
        let socket = accept(stream);
        std::thread::sleep(LONG);
        drop(socket);
    });
    let mut config = quick();
    config.outbox.overflow = Overflow::Wait;
    config.close.timeout = Duration::from_millis(50);
    let client = E::start(builder(&server.url(), config));
    let handle = client.handle();
    let refusal = Slot::empty();
    let slot = refusal.clone();
    E::beside(async move {
        loop {
            if let Err(error) = handle.send(vec![0; 64 << 10]).await {
                return slot.put(error.refusal);
            }
        }
    });
    let full = async {
        while client.status().outbox_bytes <= 700 << 10 {
            smol::Timer::after(Duration::from_millis(2)).await;
        }
    };
    soon(full).await;
    client.close();
    assert_eq!(taken(&refusal).await, Refusal::Closed);
}

async fn an_application_that_does_not_fetch_holds_up_the_server<E: Executor>() {
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
    let mut client = E::start(builder(&server.url(), config));
    let count = taken(&sent).await;
    assert!(count < total, "the server was held up");
    assert!(client.status().reads_paused);
    for expected in 0..total {
        assert_eq!(text(&mut client).await.parse::<usize>().unwrap(), expected);
    }
    let reads_on = async {
        while client.status().reads_paused {
            smol::Timer::after(Duration::from_millis(2)).await;
        }
    };
    soon(reads_on).await;
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
    client.drain(None);
    assert_eq!(soon(client.wait_closed()).await.by, ClosedBy::Application);
    assert_eq!(client.counters().flushed, 8_000);
    assert_eq!(client.counters().clock_backwards, 0);
}

async fn closing_gets_through_while_nothing_can_be_written<E: Executor>() {
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let server = Server::start(move |_, stream| {
        let mut socket = accept(stream);
        let _ = held.lock().unwrap().recv();
        drain(socket.get_mut());
    });
    let mut config = quick();
    config.close.timeout = Duration::from_millis(50);
    config.outbox.max_bytes = 64 << 20;
    config.outbox.write_credit = 16 << 20;
    let mut client = E::start(builder(&server.url(), config));
    client.send(vec![7; 32 << 20]).await.unwrap();
    soon(client.wait_open()).await.unwrap();
    client.close();
    assert_eq!(closed(&mut client).await.by, ClosedBy::Application);
    release.send(()).unwrap();
}
