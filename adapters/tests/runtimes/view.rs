//! What several parts of a program see of one connection, and who is called when its state changes.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::thread;

use perennial::{ClosedBy, ReadyState, Snapshot, Stamped, View};

use crate::support::{Server, accept, quick, two_lives};
use crate::*;

crate::scripts! {
    components_share_a_connection_and_see_the_same,
    a_view_shows_an_outage_and_the_end,
    a_view_tells_idle_from_loading_and_where_each_attempt_leads,
    a_view_does_not_keep_the_connection_open,
    a_change_given_up_is_returned_by_the_next_wait,
    listeners_are_told_in_order_through_a_reconnect,
    a_listener_may_command_and_is_dropped_at_the_end,
    a_slow_listener_delays_and_loses_nothing,
    a_listener_that_panics_ends_the_connection,
}

/// Waits until a view shows something.
async fn seen(view: &mut View, mut is_it: impl FnMut(&Snapshot) -> bool) -> Snapshot {
    soon(async {
        let mut snapshot = view.snapshot();
        while !is_it(&snapshot) {
            snapshot = view.changed().await.expect("before the end");
        }
        snapshot
    })
    .await
}

fn latest(snapshot: &Snapshot) -> Option<&str> {
    snapshot.latest.as_ref()?.value.as_text()
}

fn texts(view: &View) -> Vec<String> {
    view.history().iter().map(|stamped: &Stamped<_>| stamped.value.to_string()).collect()
}

async fn components_share_a_connection_and_see_the_same<E: Executor>() {
    let server = Server::start(|_, stream| {
        let mut socket = accept(stream);
        for text in ["one", "two", "three"] {
            socket.send(text.into()).unwrap();
        }
        support::echo(socket);
    });
    let mut client = E::start(builder(&server.url(), quick()).history(2));
    let mut header = client.view();
    let mut list = client.handle().view();
    let third = header.clone();
    let has_all = |snapshot: &Snapshot| latest(snapshot) == Some("three");
    let seen_by_header = seen(&mut header, has_all).await;
    let seen_by_list = seen(&mut list, has_all).await;
    for snapshot in [&seen_by_header, &seen_by_list, &third.snapshot()] {
        assert!(snapshot.connected());
        assert_eq!((snapshot.state, snapshot.ready_state), (State::Open, ReadyState::Open));
        assert_eq!((latest(snapshot), snapshot.received), (Some("three"), 3));
        assert!(!format!("{snapshot:?}").contains("three"), "{snapshot:?}");
    }
    assert_eq!((texts(&header), texts(&list)), (vec!["two".into(), "three".into()], texts(&third)));
    let history = list.history();
    assert!(history.is_sorted_by_key(|stamped| (stamped.at, stamped.time)));

    list.clear();
    let cleared = seen(&mut header, |snapshot| snapshot.latest.is_none()).await;
    assert_eq!((cleared.received, texts(&header).len()), (3, 0));
    client.send("four").await.unwrap();
    seen(&mut list, |snapshot| snapshot.latest.is_some()).await;
    assert_eq!(texts(&header), ["four"]);
    // The client receives everything all the same.
    for expected in ["one", "two", "three", "four"] {
        assert_eq!(text(&mut client).await, expected);
    }
}

async fn a_view_shows_an_outage_and_the_end<E: Executor>() {
    let server = two_lives();
    let mut config = quick();
    config.retry.cap = Duration::from_secs(3_000);
    config.retry.backoff = perennial::Backoff::Constant { base: config.retry.cap };
    let mut client = E::start(builder(&server.url(), config));
    let mut view = client.view();
    seen(&mut view, Snapshot::connected).await;
    client.send("last words").await.unwrap();
    // So that the driver has told of the error when it is cleared.
    failure(&mut client).await;
    let down = seen(&mut view, |snapshot| snapshot.retry_in.is_some()).await;
    assert_eq!((down.state, down.ready_state), (State::Reconnecting, ReadyState::Connecting));
    assert!(down.down_for.is_some() && down.last_error.is_some() && !down.connected());
    assert!(down.retry_in.unwrap() > Duration::from_secs(1_000));
    client.send("kept").await.unwrap();
    assert_eq!(view.snapshot().queued, 1);
    view.clear();
    assert_eq!(soon(view.changed()).await.unwrap().last_error, None);
    client.reconnect();
    let up = seen(&mut view, |snapshot| snapshot.latest.is_some()).await;
    assert_eq!(latest(&up), Some("kept"));
    assert_eq!((up.down_for, up.retry_in), (None, None));

    client.close();
    let end = seen(&mut view, |snapshot| snapshot.closed.is_some()).await;
    assert_eq!((end.state, end.ready_state), (State::Closed, ReadyState::Closed));
    assert_eq!(end.closed.unwrap().by, ClosedBy::Application);
    // A snapshot may have shown the end before it was returned as a change, which it is once.
    if let Some(end) = soon(view.changed()).await {
        assert_eq!(end.state, State::Closed);
        assert!(soon(view.changed()).await.is_none());
    }
    assert!(soon(view.changed()).await.is_none(), "it stays at its end");
    drop(client);
    assert!(view.snapshot().closed.is_some());
    assert!(soon(view.clone().changed()).await.is_none());
}

async fn a_view_tells_idle_from_loading_and_where_each_attempt_leads<E: Executor>() {
    let server = two_lives();
    let mut config = quick();
    config.connect.auto = false;
    let (base, mut round) = (server.url(), 0);
    let hook = move |attempt: &mut perennial::Attempt<'_>| {
        round += 1;
        Ok(attempt.set_url(&format!("{base}{round}?token=secret"))?)
    };
    let client = E::start(builder(&server.url(), config).on_request(hook));
    let mut view = client.view();
    let idle = view.snapshot();
    assert_eq!((idle.state, idle.phase, idle.target.as_deref()), (State::Connecting, "idle", None));
    assert!(!idle.loading() && !idle.connected());
    client.reconnect();
    assert!(view.snapshot().phase != "idle");
    for round in ["1", "2"] {
        let target = server.url() + round;
        let leads = |snapshot: &Snapshot| snapshot.target.as_deref() == Some(&*target);
        seen(&mut view, leads).await;
        let open = seen(&mut view, Snapshot::connected).await;
        assert!(!open.loading() && leads(&open) && client.target() == open.target);
        assert!(!format!("{open:?}").contains("secret"), "{open:?}");
        client.send("last words").await.unwrap();
    }
    client.close();
    let end = seen(&mut view, |snapshot| snapshot.closed.is_some()).await;
    assert!(!end.loading() && end.phase == "closed" && end.target == client.target());
}

async fn a_view_does_not_keep_the_connection_open<E: Executor>() {
    let server = Server::echo();
    let client = E::start(builder(&server.url(), quick()));
    let mut view = client.view();
    seen(&mut view, Snapshot::connected).await;
    drop(client);
    seen(&mut view, |snapshot| snapshot.state == State::Closed).await;
    // Nor does a driver that is dropped leave it waiting.
    let (client, driver) = E::connect(builder(&server.url(), quick()));
    let mut view = client.view();
    drop(driver);
    let end = soon(view.changed()).await.unwrap();
    assert_eq!((end.state, end.ready_state), (State::Closed, ReadyState::Closed));
    assert!(end.closed.is_some() && end.retry_in.is_none());
    assert!(soon(view.changed()).await.is_none());
}

async fn a_change_given_up_is_returned_by_the_next_wait<E: Executor>() {
    let server = Server::echo();
    let client = E::start(builder(&server.url(), quick()));
    let mut view = client.view();
    seen(&mut view, Snapshot::connected).await;
    while within(Duration::from_millis(20), view.changed()).await.is_some() {}
    let other = client.view();
    other.clear();
    assert!(futures_lite::future::poll_once(view.changed()).await.is_some());
    assert!(futures_lite::future::poll_once(view.changed()).await.is_none());
    other.clear();
    assert!(soon(view.changed()).await.is_some());
}

type Told = Arc<Mutex<Vec<(State, State)>>>;

const WHOLE_LIFE: [(State, State); 4] = [
    (State::Connecting, State::Open),
    (State::Open, State::Reconnecting),
    (State::Reconnecting, State::Open),
    (State::Open, State::Closed),
];

async fn listeners_are_told_in_order_through_a_reconnect<E: Executor>() {
    let server = two_lives();
    let (told, losses) = (Told::default(), Arc::new(Mutex::new(Vec::new())));
    let (list, lost) = (Arc::clone(&told), Arc::clone(&losses));
    let builder = builder(&server.url(), quick())
        .on_state(move |change| {
            assert_eq!(change.reason.is_none(), change.new == State::Open);
            list.lock().unwrap().push((change.old, change.new));
        })
        .on_loss(move |loss| lost.lock().unwrap().push(loss.clone()));
    let mut client = E::start(builder);
    until(&mut client, State::Open).await;
    assert_eq!(*told.lock().unwrap(), WHOLE_LIFE[..1], "before the client receives it");
    let told_later = Told::default();
    let list = Arc::clone(&told_later);
    let guard = client.on_state(move |change| list.lock().unwrap().push((change.old, change.new)));
    client.send("last words").await.unwrap();
    until(&mut client, State::Open).await;
    drop(guard);
    client.close();
    closed(&mut client).await;
    assert_eq!(*told.lock().unwrap(), WHOLE_LIFE);
    assert_eq!(*told_later.lock().unwrap(), WHOLE_LIFE[1..3]);
    let losses = losses.lock().unwrap();
    assert_eq!(losses.len(), 1, "a close by this side is no loss: {losses:?}");
    assert!(!losses[0].last && losses[0].open_for > Duration::ZERO, "{losses:?}");
}

async fn a_listener_may_command_and_is_dropped_at_the_end<E: Executor>() {
    let server = Server::echo();
    let (mut client, driver) = E::connect(builder(&server.url(), quick()));
    let (handle, token) = (client.handle(), Arc::new(()));
    let held = Arc::clone(&token);
    let guard = client.on_state(move |change| {
        let _held = &held;
        // It may look, send, and have others called.
        assert_eq!(handle.view().snapshot().state, handle.state());
        if change.new == State::Open {
            handle.try_send("hello").unwrap();
            drop(handle.on_state(|_| ()));
        }
    });
    E::beside(async move {
        driver.await;
    });
    assert_eq!(text(&mut client).await, "hello");
    client.close();
    closed(&mut client).await;
    assert!(soon(client.wait_closed()).await.clean);
    drop(guard);
    let dropped = move || support::eventually("it is dropped", || Arc::strong_count(&token) == 1);
    smol::unblock(dropped).await;
}

async fn a_slow_listener_delays_and_loses_nothing<E: Executor>() {
    let server = two_lives();
    let told = Told::default();
    let list = Arc::clone(&told);
    let builder = builder(&server.url(), quick()).on_state(move |change| {
        thread::sleep(Duration::from_millis(30));
        list.lock().unwrap().push((change.old, change.new));
    });
    let mut client = E::start(builder);
    until(&mut client, State::Open).await;
    client.send("last words").await.unwrap();
    until(&mut client, State::Open).await;
    for number in 0..50 {
        client.send(number.to_string()).await.unwrap();
    }
    for number in 0..50 {
        assert_eq!(text(&mut client).await, number.to_string());
    }
    client.close();
    closed(&mut client).await;
    assert_eq!(*told.lock().unwrap(), WHOLE_LIFE);
}

async fn a_listener_that_panics_ends_the_connection<E: Executor>() {
    let server = Server::echo();
    let builder = builder(&server.url(), quick()).on_state(|_| panic!("as the test wants it"));
    let (client, driver) = E::connect(builder);
    let mut view = client.view();
    E::beside(async move {
        let driver = AssertUnwindSafe(driver).catch_unwind().await;
        assert!(driver.is_err());
    });
    seen(&mut view, |snapshot| snapshot.state == State::Closed).await;
    assert!(!soon(client.wait_closed()).await.clean);
    assert!(client.try_send("x").is_err());
}
