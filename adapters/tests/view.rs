//! What several threads see of one connection, and who is called when its state changes, with the
//! blocking client.

#![cfg(feature = "blocking")]
#![allow(clippy::unwrap_used)]

mod support;

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use perennial::blocking::Client;
use perennial::{Notice, Snapshot, State};

use support::*;

fn builder(server: &Server) -> perennial::Builder {
    let builder = Client::builder(server.url()).config(quick().build().unwrap());
    // Whatever the environment says: the servers are on this machine.
    #[cfg(feature = "proxy")]
    let builder = builder.no_proxy();
    builder
}

fn latest(snapshot: &Snapshot) -> Option<&str> {
    snapshot.latest.as_ref()?.value.as_text()
}

#[test]
fn threads_share_a_connection_and_see_the_same() {
    let server = two_lives();
    let mut client = builder(&server).history(3).connect().unwrap();
    let view = client.view();
    let (done, seen_it) = mpsc::channel();
    let components: Vec<_> = (0..3)
        .map(|_| {
            let (mut view, done) = (view.clone(), done.clone());
            thread::spawn(move || {
                let nine = |snapshot: &Snapshot| latest(snapshot) == Some("9");
                assert_eq!(seen(&mut view, nine).received, 9);
                done.send(()).unwrap();
                let history = view.history();
                // Until the end, whatever else changes.
                while view.wait_changed(LONG).expect("in time").is_some() {}
                let end = view.snapshot();
                (history, end.state, end.closed)
            })
        })
        .collect();
    until(&mut client, State::Open);
    client.send("last words").unwrap();
    until(&mut client, State::Open);
    for number in 1..10 {
        client.send(number.to_string()).unwrap();
        assert_eq!(text(&mut client), number.to_string());
    }
    (0..3).for_each(|_| seen_it.recv_timeout(LONG).unwrap());
    assert!(view.snapshot().last_error.is_some(), "why it was lost");
    client.close();
    let end = closed(&mut client);
    for component in components {
        let (history, state, closed) = component.join().unwrap();
        let texts: Vec<_> = history.iter().map(|stamped| stamped.value.to_string()).collect();
        assert_eq!(texts, ["7", "8", "9"]);
        assert_eq!((state, closed), (State::Closed, Some(end.clone())));
    }
}

#[test]
fn a_wait_ends_when_nothing_changes_and_when_nothing_will() {
    let server = Server::echo();
    let client = builder(&server).connect().unwrap();
    let mut view = client.view();
    seen(&mut view, Snapshot::connected);
    while view.wait_changed(Duration::from_millis(20)).is_ok() {}
    while let Ok(change) = view.wait_changed(Duration::ZERO) {
        assert!(change.is_some(), "it is open");
    }
    // Nobody receives, and nothing but the view waits for it.
    client.send("x").unwrap();
    let latest = view.wait_changed(LONG).unwrap().unwrap().latest.unwrap();
    assert_eq!(latest.value.as_text(), Some("x"));
    drop(client);
    // A snapshot is of the present, so what comes while it is taken may be shown before it is
    // returned as a change of its own.
    let mut last = None;
    while let Some(snapshot) = view.wait_changed(LONG).unwrap() {
        last = Some(snapshot);
    }
    assert!(last.expect("the end is a change").closed.is_some());
    assert_eq!(view.wait_changed(LONG).unwrap(), None);
}

type Told = Arc<Mutex<Vec<(State, State)>>>;

const WHOLE_LIFE: [(State, State); 4] = [
    (State::Connecting, State::Open),
    (State::Open, State::Reconnecting),
    (State::Reconnecting, State::Open),
    (State::Open, State::Closed),
];

/// A builder with a listener that takes its time, what that is told, and how many losses there are.
fn listening(server: &Server, takes: Duration) -> (perennial::Builder, Told, Arc<Mutex<u32>>) {
    let (told, losses) = (Told::default(), Arc::new(Mutex::new(0)));
    let (list, lost) = (Arc::clone(&told), Arc::clone(&losses));
    let builder = builder(server)
        .on_state(move |change| {
            thread::sleep(takes);
            list.lock().unwrap().push((change.old, change.new));
        })
        .on_loss(move |loss| {
            assert!(!loss.last);
            *lost.lock().unwrap() += 1;
        });
    (builder, told, losses)
}

#[test]
fn listeners_are_told_in_order_and_may_take_their_time() {
    for takes in [Duration::ZERO, Duration::from_millis(30)] {
        let server = two_lives();
        let (builder, told, losses) = listening(&server, takes);
        let mut client = builder.connect().unwrap();
        until(&mut client, State::Open);
        let told_later = Told::default();
        let list = Arc::clone(&told_later);
        let guard =
            client.on_state(move |change| list.lock().unwrap().push((change.old, change.new)));
        client.send("last words").unwrap();
        until(&mut client, State::Open);
        drop(guard);
        for number in 0..50 {
            client.send(number.to_string()).unwrap();
        }
        for number in 0..50 {
            assert_eq!(text(&mut client), number.to_string(), "a slow listener loses nothing");
        }
        client.close();
        closed(&mut client);
        assert_eq!(*told.lock().unwrap(), WHOLE_LIFE);
        assert_eq!(*told_later.lock().unwrap(), WHOLE_LIFE[1..3]);
        assert_eq!(*losses.lock().unwrap(), 1);
    }
}

#[test]
fn who_drives_on_its_own_thread_has_them_too() {
    let server = two_lives();
    let (builder, told, losses) = listening(&server, Duration::ZERO);
    let mut view = None;
    builder
        .history(5)
        .run(|handle, notice| {
            let view = view.get_or_insert_with(|| handle.view());
            match notice {
                Notice::StateChanged { to: State::Open, .. } => {
                    assert!(view.snapshot().connected());
                    assert!(handle.target().is_some_and(|target| target.starts_with("ws://")));
                    assert_eq!(view.snapshot().target, handle.target());
                    handle.send("words").unwrap();
                }
                Notice::Message(message) => {
                    // What a view shows is there before the callback hears of it.
                    assert_eq!(view.history().pop().unwrap().value, message);
                    handle.close();
                }
                _ => {}
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(*told.lock().unwrap(), WHOLE_LIFE);
    assert_eq!(*losses.lock().unwrap(), 1);
    assert!(view.unwrap().snapshot().closed.is_some());
}

#[test]
fn a_loss_for_good_is_the_last_and_says_why() {
    let server = Server::start(|_, stream| {
        let mut socket = accept(stream);
        let close = tungstenite::protocol::CloseFrame { code: 1008.into(), reason: "no".into() };
        socket.close(Some(close)).unwrap();
        while socket.read().is_ok() {}
    });
    let losses = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&losses);
    let builder = builder(&server).on_loss(move |loss| list.lock().unwrap().push(loss.clone()));
    let mut client = builder.connect().unwrap();
    closed(&mut client);
    let losses = losses.lock().unwrap();
    assert_eq!(losses.len(), 1);
    assert!(losses[0].last && losses[0].reason.code() == 1008, "{losses:?}");
}

#[test]
fn a_listener_that_panics_ends_the_connection_and_nothing_else() {
    let server = two_lives();
    let builder = builder(&server).on_loss(|_| panic!("as the test wants it"));
    let mut client = builder.connect().unwrap();
    let mut view = client.view();
    until(&mut client, State::Open);
    client.send("last words").unwrap();
    while client.recv_timeout(LONG).unwrap().is_some() {}
    assert!(!client.closed().unwrap().clean);
    seen(&mut view, |snapshot| snapshot.state == State::Closed);
    assert!(client.send("x").is_err());
}
