//! The async forms, given up in the middle.

use std::time::Duration;

use futures_lite::FutureExt as _;
use perennial::requests::Request;
use perennial::subscriptions::{Confirm, Matcher, News, Subscription};
use perennial::{Overflow, asynchronous};

use crate::drivers::{AsyncStd, Runtime, Smol, Tokio, wait};
use crate::host::Host;
use crate::support::quick;
use crate::*;

macro_rules! on_every_runtime {
    ($($script:ident),+ $(,)?) => {
        mod on_smol {
            $(#[test] fn $script() { super::$script::<super::Smol>(); })+
        }
        mod on_async_std {
            $(#[test] fn $script() { super::$script::<super::AsyncStd>(); })+
        }
        mod on_tokio {
            $(#[test] fn $script() { super::$script::<super::Tokio>(); })+
        }
    };
}

on_every_runtime! {
    a_message_is_not_lost_with_the_wait_for_it,
    a_request_that_waits_for_room_and_is_given_up_was_never_made,
    an_answer_is_there_for_who_waits_again,
}

const A_LITTLE: Duration = Duration::from_millis(1);

fn a_message_is_not_lost_with_the_wait_for_it<R: Runtime>() {
    let mut host = Host::new();
    let client = R::start(builder(&host.url(), quick()));
    let mut topic = client.topic::<serde_json::Value>("tick").unwrap();
    let mut other = client.listen("tick").unwrap();
    let mut peer = host.peer();
    let says = std::thread::spawn(move || {
        for number in 0..300 {
            peer.says(&format!(r#"{{"type":"tick","number":{number}}}"#));
            if number % 10 == 0 {
                std::thread::sleep(A_LITTLE);
            }
        }
        peer
    });
    let (mut next, mut next_of_other) = (0, 0);
    let all = async {
        while next < 300 || next_of_other < 300 {
            // Whichever comes first; the others are given up.
            let topic = async { (Some(topic.recv().await.unwrap().unwrap()), None) };
            let other = async { (None, Some(other.recv().await.unwrap().unwrap())) };
            let late = async {
                smol::Timer::after(A_LITTLE / 4).await;
                (None, None)
            };
            let (value, delivery) = late.or(topic.or(other)).await;
            if let Some(value) = value {
                assert_eq!(value["number"], next);
                next += 1;
            }
            if let Some(delivery) = delivery {
                let value: serde_json::Value = delivery.parse().unwrap();
                assert_eq!(value["number"], next_of_other);
                next_of_other += 1;
            }
        }
    };
    wait(LONG, all).expect("in time");
    drop(says.join().unwrap());
}

fn a_request_that_waits_for_room_and_is_given_up_was_never_made<R: Runtime>() {
    let mut host = Host::new();
    let mut config = quick();
    config.outbox.max_messages = 1;
    config.outbox.overflow = Overflow::Wait;
    let client: asynchronous::Client = R::start(builder(&host.url(), config));
    let request = |method: &'static str| client.request(Request::call(method, None));
    let first = wait(LONG, request("first")).unwrap().unwrap();
    for _ in 0..3 {
        assert!(wait(5 * A_LITTLE, request("given up")).is_err(), "there is no room");
    }
    assert_eq!(client.session_status().requests, 1);
    // One that waits on is made when there is room.
    let waits = request("last");
    let mut peer = host.peer();
    let last = wait(LONG, waits).expect("there is room").unwrap();
    peer.hears(r#"{"jsonrpc":"2.0","id":1,"method":"first"}"#);
    let id = last.id();
    peer.hears(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"last"}}"#));
    drop((first, last));
    assert_eq!(client.session_status().requests, 0);
}

fn an_answer_is_there_for_who_waits_again<R: Runtime>() {
    let mut host = Host::new();
    let client = R::start(builder(&host.url(), quick()));
    let confirm = Confirm::when(Matcher::new("type", "subscribed"));
    let standing = client.subscribe(Subscription::new("say").confirm(confirm)).unwrap();
    let mut peer = host.peer();
    peer.hears("say");
    let mut pending = wait(LONG, client.request(Request::call("get", None))).unwrap().unwrap();
    for _ in 0..3 {
        assert!(wait(5 * A_LITTLE, &mut pending).is_err());
        assert!(wait(5 * A_LITTLE, client.wait_standing(&standing)).is_err());
    }
    peer.says(r#"{"jsonrpc":"2.0","id":1,"result":7}"#);
    peer.says(r#"{"type":"subscribed"}"#);
    let news = wait(LONG, client.wait_standing(&standing)).unwrap().unwrap();
    assert!(matches!(news, News::Confirmed { .. }), "{news:?}");
    let answer = wait(LONG, &mut pending).unwrap().unwrap();
    assert_eq!(answer.parse::<u64>().unwrap(), 7);
}
