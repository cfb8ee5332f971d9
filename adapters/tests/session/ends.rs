//! Ends: everything that waits is released, and nothing is left.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use perennial::core::DropReason;
use perennial::requests::Request;
use perennial::subscriptions::{Confirm, Matcher, Subscription};
use perennial::{Fate, NotOpen, Refusal, RequestError, RequestFailed, SubscribeError};

use crate::drivers::wait;
use crate::host::Host;
use crate::support::{eventually, quick};
use crate::*;

scripts! {
    whoever_waits_is_released_by_the_end,
    nothing_is_taken_after_the_end,
    everything_may_be_dropped_at_any_time,
    many_threads_come_and_go,
}

fn confirmed(say: &'static str) -> Subscription {
    Subscription::new(say).confirm(Confirm::when(Matcher::new("type", "subscribed")))
}

fn ask<D: Driver>(handle: &D::Handle) -> D::Pending {
    D::request(handle, Request::call("get", None)).unwrap()
}

fn whoever_waits_is_released_by_the_end<D: Driver>() {
    for is_open in [false, true] {
        let mut host = Host::new();
        let client = D::start(builder(&host.url(), quick()));
        let handle = D::handle(&client);
        let peer = is_open.then(|| host.peer());
        if is_open {
            D::wait_open(&handle).unwrap();
        }
        let (done, is_done) = mpsc::channel();
        let mut listener = D::listen(&handle, "tick");
        let pending = ask::<D>(&handle);
        let standing = handle.subscribe(confirmed("say")).unwrap();
        let tell = done.clone();
        thread::spawn(move || {
            assert!(matches!(D::hear(&mut listener, LONG), Ok(None)));
            // It stays at its end.
            assert!(matches!(D::hear(&mut listener, LONG), Ok(None)));
            tell.send(()).unwrap();
        });
        let tell = done.clone();
        thread::spawn(move || {
            // What was never handed over is said to be so.
            let end = match is_open {
                true => RequestFailed::Closed,
                false => RequestFailed::Undelivered(Fate::Dropped(DropReason::Closed)),
            };
            assert_eq!(D::answer(pending).unwrap_err(), end);
            tell.send(()).unwrap();
        });
        let waits = handle.clone();
        thread::spawn(move || {
            assert!(matches!(D::news(&waits, &standing), Err(NotOpen::Closed(_))));
            done.send(()).unwrap();
        });
        thread::sleep(Duration::from_millis(20));
        handle.close();
        drop(peer);
        for _ in 0..3 {
            is_done.recv_timeout(LONG).expect("it is released");
        }
        eventually("nothing is left", || {
            let status = handle.session_status();
            (status.subscribers, status.requests, status.subscriptions) == (0, 0, 0)
        });
    }
}

fn nothing_is_taken_after_the_end<D: Driver>() {
    let host = Host::new();
    let mut client = D::start(builder(&host.url(), quick()));
    let handle = D::handle(&client);
    let mut early = D::listen(&handle, "tick");
    handle.close();
    closed::<D>(&mut client);
    eventually("it is over", || handle.closed().is_some());
    assert!(matches!(D::hear(&mut early, LONG), Ok(None)));
    assert!(matches!(D::hear(&mut D::listen(&handle, "tick"), LONG), Ok(None)));
    assert!(matches!(D::read(&mut D::topic(&handle, "tick"), LONG), Ok(None)));
    let request = Request::call("get", None);
    eventually("no request is taken", || match D::request(&handle, request.clone()) {
        Err(RequestError::NotSent { refusal: Refusal::Closed, request: back }) => back == request,
        Err(RequestError::Rejected(rejected)) => rejected.into_request() == request,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was taken"),
    });
    match handle.subscribe(confirmed("say")) {
        Err(SubscribeError::Closed(back)) => assert_eq!(*back, confirmed("say")),
        other => panic!("{other:?}"),
    }
    let status = handle.session_status();
    assert_eq!((status.subscribers, status.requests, status.subscriptions), (0, 0, 0));
}

fn everything_may_be_dropped_at_any_time<D: Driver>() {
    let mut host = Host::new();
    let client = D::start(builder(&host.url(), quick()));
    let handle = D::handle(&client);
    let all = || {
        let standing = handle.subscribe(confirmed("say")).unwrap();
        (standing, D::listen(&handle, "tick"), D::topic(&handle, "tick"), ask::<D>(&handle))
    };
    let nothing_is_left = || {
        eventually("nothing is left", || {
            let status = handle.session_status();
            (status.subscribers, status.requests, status.subscriptions) == (0, 0, 0)
        });
    };
    // Before the first open.
    drop(all());
    nothing_is_left();
    let mut peer = host.peer();
    D::wait_open(&handle).unwrap();
    // Said, and not answered.
    let held = all();
    peer.hears("say");
    drop(held);
    nothing_is_left();
    let _question = peer.next();
    // With something in it.
    let held = all();
    peer.hears("say");
    for text in [r#"{"type":"tick"}"#, r#"{"type":"subscribed"}"#] {
        peer.says(text);
    }
    eventually("it was confirmed", || held.0.news().is_some());
    drop(held);
    nothing_is_left();
    // In the outage.
    let held = all();
    drop(peer);
    eventually("it is lost", || handle.state() == perennial::State::Reconnecting);
    drop(held);
    nothing_is_left();
    let mut peer = host.peer();
    D::send(&handle, "the next");
    peer.hears("the next");
    // After the end.
    let held = all();
    handle.close();
    drop(peer);
    eventually("it is closed", || handle.closed().is_some());
    drop(held);
    nothing_is_left();
}

/// From everywhere at once, against a server that answers.
fn many_threads_come_and_go<D: Driver>() {
    let server = crate::support::Server::start(|_, stream| {
        let mut socket = crate::support::accept(stream);
        while let Ok(message) = socket.read() {
            let Ok(text) = message.into_text() else { continue };
            let answer = match text.find(r#""id":"#) {
                Some(at) => {
                    let id: String =
                        text[at + 5..].chars().take_while(char::is_ascii_digit).collect();
                    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{id}}}"#)
                }
                None => r#"{"type":"tick"}"#.to_owned(),
            };
            if socket.send(tungstenite::Message::text(answer)).is_err() {
                return;
            }
        }
    });
    let client = D::start(builder(&server.url(), quick()));
    let handle = D::handle(&client);
    D::wait_open(&handle).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let handle = handle.clone();
            thread::spawn(move || {
                for round in 0..100 {
                    let mut listener = D::listen(&handle, "tick");
                    let standing = handle.subscribe(numbered(round)).unwrap();
                    let pending = ask::<D>(&handle);
                    if round % 3 > 0 {
                        assert!(D::answer(pending).unwrap().result().parse::<u64>().unwrap() > 0);
                    }
                    // Its own, or that of another one.
                    D::heard(&mut listener);
                    drop((standing, listener));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let status = handle.session_status();
    assert_eq!((status.subscribers, status.subscriptions), (0, 0));
    eventually("nothing is left", || handle.session_status().requests == 0);
}

/// The async driver may be dropped before its end, or never polled at all.
#[test]
fn a_driver_that_is_dropped_releases_everybody() {
    for is_polled in [true, false] {
        let host = Host::new();
        let builder = builder(&host.url(), quick());
        let (client, mut driver) = builder.connect_on(perennial::smol::Smol).unwrap();
        let mut listener = client.listen("tick").unwrap();
        let standing = client.subscribe(confirmed("say")).unwrap();
        let pending = wait(LONG, client.request(Request::call("get", None))).unwrap().unwrap();
        if is_polled {
            assert!(wait(Duration::from_millis(50), &mut driver).is_err(), "it goes on");
        }
        drop(driver);
        assert!(matches!(wait(LONG, listener.recv()), Ok(None)));
        assert_eq!(client.session_status().requests, 0);
        assert_eq!(wait(LONG, pending).unwrap().unwrap_err(), RequestFailed::Closed);
        assert!(matches!(wait(LONG, client.wait_standing(&standing)), Ok(Err(NotOpen::Closed(_)))));
        assert!(wait(LONG, client.request(Request::call("get", None))).unwrap().is_err());
        drop(standing);
        drop(listener);
        let status = client.session_status();
        assert_eq!((status.subscribers, status.requests, status.subscriptions), (0, 0, 0));
    }
}
