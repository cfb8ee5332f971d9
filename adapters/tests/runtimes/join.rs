//! A driver in one task with what uses its connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_lite::future::{poll_once, yield_now};
use perennial::{ClosedBy, Refusal};
use tungstenite::Message;

use crate::support::{Server, accept, quick};
use crate::*;

crate::scripts! {
    it_ends_when_both_have,
    the_end_of_the_connection_reaches_the_work,
    the_executor_is_not_called_for_what_the_two_tell_one_another,
    dropping_it_releases_everybody,
    busy_work_leaves_the_executor_its_turn,
    a_handle_elsewhere_is_heard,
}

async fn it_ends_when_both_have<E: Executor>() {
    let server = Server::echo();
    let joined = E::join(builder(&server.url(), quick()), |mut client| async move {
        client.send("hello").await.unwrap();
        text(&mut client).await
    });
    let (answer, closed) = soon(joined).await;
    assert_eq!(answer, "hello");
    assert_eq!((closed.by, closed.code), (ClosedBy::Application, 1000));
}

async fn the_end_of_the_connection_reaches_the_work<E: Executor>() {
    let server = Server::start(|_, stream| {
        let mut socket = accept(stream);
        socket.send(Message::Text("bye".into())).unwrap();
        let close = tungstenite::protocol::CloseFrame { code: 1008.into(), reason: "".into() };
        socket.close(Some(close)).unwrap();
        while socket.read().is_ok() {}
    });
    let joined = E::join(builder(&server.url(), quick()), |mut client| async move {
        let bye = text(&mut client).await;
        while client.recv().await.is_some() {}
        bye
    });
    let (bye, closed) = soon(joined).await;
    assert_eq!((bye.as_str(), closed.by), ("bye", ClosedBy::Server));
}

/// Counts how often the executor polls what is in it.
struct Polls<F>(F, Arc<AtomicUsize>);

impl<F: Future + Unpin> Future for Polls<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.0).poll(cx)
    }
}

async fn the_executor_is_not_called_for_what_the_two_tell_one_another<E: Executor>() {
    const ECHOES: usize = 200;
    let server = Server::echo();
    let polls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polls);
    // Who awaits an answer awake is called for that, as often as it takes.
    let builder = builder(&server.url(), quick()).busy_poll(Duration::ZERO);
    let joined = E::join(builder, |mut client| async move {
        client.wait_open().await.unwrap();
        let before = count.load(Ordering::SeqCst);
        for _ in 0..ECHOES {
            client.send("hello").await.unwrap();
            text(&mut client).await;
        }
        count.load(Ordering::SeqCst) - before
    });
    let (polled, _) = soon(Polls(joined, polls)).await;
    // Once for each answer that had to be waited for; the rest is for timers.
    assert!(polled <= ECHOES + ECHOES / 4, "polled {polled} times for {ECHOES} echoes");
}

async fn dropping_it_releases_everybody<E: Executor>() {
    let server = Server::echo();
    let (slot, opened) = smol::channel::bounded(1);
    let mut joined = E::join(builder(&server.url(), quick()), |client| async move {
        client.wait_open().await.unwrap();
        slot.send(client.handle()).await.unwrap();
        std::future::pending::<()>().await;
    });
    let handle = soon(async {
        loop {
            assert!(poll_once(&mut joined).await.is_none(), "it goes on");
            if let Ok(handle) = opened.try_recv() {
                return handle;
            }
            smol::Timer::after(Duration::from_millis(1)).await;
        }
    })
    .await;
    drop(joined);
    assert!(!soon(handle.wait_closed()).await.clean);
    assert_eq!(handle.send("late").await.unwrap_err().refusal, Refusal::Closed);
}

async fn busy_work_leaves_the_executor_its_turn<E: Executor>() {
    let server = Server::echo();
    let joined = E::join(builder(&server.url(), quick()), |client| async move {
        client.wait_open().await.unwrap();
        loop {
            yield_now().await;
        }
    });
    let late = within(Duration::from_millis(200), joined).await;
    assert!(late.is_none(), "it would not have come to the timer");
}

async fn a_handle_elsewhere_is_heard<E: Executor>() {
    let server = Server::echo();
    let (slot, opened) = smol::channel::bounded(1);
    let joined = E::join(builder(&server.url(), quick()), |mut client| async move {
        client.wait_open().await.unwrap();
        slot.send(client.handle()).await.unwrap();
        let first = text(&mut client).await;
        // Nothing but the end is waited for now.
        while client.recv().await.is_some() {}
        first
    });
    E::beside(async move {
        let handle = opened.recv().await.unwrap();
        // When both of the joined are asleep, for all that can be known here.
        smol::Timer::after(Duration::from_millis(20)).await;
        handle.send("from elsewhere").await.unwrap();
        smol::Timer::after(Duration::from_millis(20)).await;
        handle.close();
    });
    let (first, closed) = soon(joined).await;
    assert_eq!((first.as_str(), closed.by), ("from elsewhere", ClosedBy::Application));
}
