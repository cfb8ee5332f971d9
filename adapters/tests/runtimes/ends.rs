//! Handles, clients and drivers that are dropped; futures that are cancelled.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_lite::future::{poll_fn, poll_once};
use perennial::{ClosedBy, NotOpen, Refusal, State};
use tungstenite::Message;

use crate::support::{Server, Slot, accept, drain, quick};
use crate::*;

crate::scripts! {
    dropping_the_last_handle_closes,
    a_dropped_driver_releases_everybody,
    closing_before_anything_was_polled,
    a_cancelled_recv_loses_nothing,
    an_idle_connection_does_not_wake_up,
    a_driver_moves_between_tasks,
}

async fn dropping_the_last_handle_closes<E: Executor>() {
    let codes = Slot::empty();
    let slot = codes.clone();
    let server = Server::start(move |_, stream| {
        let mut socket = accept(stream);
        while let Ok(message) = socket.read() {
            match message {
                Message::Close(Some(close)) => slot.put(u16::from(close.code)),
                Message::Text(_) => socket.send(message).unwrap(),
                _ => {}
            }
        }
    });
    let client = E::start(builder(&server.url(), quick()));
    soon(client.wait_open()).await.unwrap();
    let handle = client.handle();
    let other = handle.clone();
    drop(client);
    drop(handle);
    let before = other.counters().flushed;
    other.send("it goes on").await.unwrap();
    let flushed = async {
        while other.counters().flushed == before {
            smol::Timer::after(Duration::from_millis(2)).await;
        }
    };
    soon(flushed).await;
    assert_eq!(other.state(), State::Open);
    drop(other);
    assert_eq!(taken(&codes).await, 1000);
}

async fn a_dropped_driver_releases_everybody<E: Executor>() {
    let server = Server::echo();
    let mut config = quick();
    config.outbox.overflow = perennial::Overflow::Wait;
    config.outbox.max_messages = 1;
    let (mut client, driver) = E::connect(builder(&server.url(), config));
    client.send("fits").await.unwrap();
    let handle = client.handle();
    let (sent, opened) = (handle.send("does not"), handle.wait_open());
    let (mut sent, mut opened) = (Box::pin(sent), Box::pin(opened));
    assert!(poll_once(&mut sent).await.is_none());
    assert!(poll_once(&mut opened).await.is_none());
    drop(driver);
    assert_eq!(soon(sent).await.unwrap_err().refusal, Refusal::Closed);
    assert!(matches!(soon(opened).await, Err(NotOpen::Closed(_))));
    assert_eq!(soon(client.recv()).await, None);
    assert_eq!(client.send("late").await.unwrap_err().refusal, Refusal::Closed);
    assert!(!soon(client.wait_closed()).await.clean);
}

async fn closing_before_anything_was_polled<E: Executor>() {
    let server = Server::echo();
    let (client, driver) = E::connect(builder(&server.url(), quick()));
    client.close();
    assert_eq!(soon(driver).await.by, ClosedBy::Application);
    assert_eq!(server.accepted(), 0, "it never dialled");
}

async fn a_cancelled_recv_loses_nothing<E: Executor>() {
    let server = Server::start(|_, stream| {
        let mut socket = accept(stream);
        for number in 0..1000 {
            socket.send(Message::Text(number.to_string().into())).unwrap();
        }
        drain(socket.get_mut());
    });
    let mut client = E::start(builder(&server.url(), quick()));
    let mut next = 0;
    let all = async {
        while next < 1000 {
            // Dropped at once if nothing is there.
            match poll_once(client.recv()).await {
                Some(Some(perennial::Notice::Message(message))) => {
                    assert_eq!(message.payload.as_text(), Some(next.to_string().as_str()));
                    next += 1;
                }
                Some(notice) => assert!(notice.is_some(), "before the end"),
                None => {
                    smol::Timer::after(Duration::from_micros(100)).await;
                }
            }
        }
    };
    soon(all).await;
}

async fn an_idle_connection_does_not_wake_up<E: Executor>() {
    let server = Server::echo();
    let mut config = quick();
    config.heartbeat.style = perennial::HeartbeatStyle::Off;
    let (client, mut driver) = E::connect(builder(&server.url(), config));
    let polls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polls);
    E::beside(async move {
        poll_fn(|cx| {
            count.fetch_add(1, Ordering::SeqCst);
            Pin::new(&mut driver).poll(cx).map(|_| ())
        })
        .await;
    });
    soon(client.wait_open()).await.unwrap();
    client.send("hello").await.unwrap();
    smol::Timer::after(Duration::from_millis(300)).await;
    let before = polls.load(Ordering::SeqCst);
    smol::Timer::after(Duration::from_millis(1000)).await;
    let woke = polls.load(Ordering::SeqCst) - before;
    assert!(woke <= 1, "it woke up {woke} times with nothing to do");
}

async fn a_driver_moves_between_tasks<E: Executor>() {
    let server = Server::echo();
    let (mut client, mut driver) = E::connect(builder(&server.url(), quick()));
    // Polled here until it sleeps on an open connection.
    let open = client.handle();
    let opened = async {
        open.wait_open().await.unwrap();
        None
    };
    let driven = poll_fn(|cx| match Pin::new(&mut driver).poll(cx) {
        Poll::Ready(closed) => Poll::Ready(Some(closed)),
        Poll::Pending => Poll::Pending,
    });
    assert!(soon(driven.or(opened)).await.is_none(), "open");
    // And by another task from now on.
    let end = Slot::empty();
    let slot = end.clone();
    E::beside(async move { slot.put(driver.await) });
    client.send("still there").await.unwrap();
    assert_eq!(text(&mut client).await, "still there");
    client.close();
    assert_eq!(taken(&end).await.by, ClosedBy::Application);
}
