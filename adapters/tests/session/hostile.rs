//! What a peer may say, and may not say.

use std::time::{Duration, Instant};

use perennial::bus::{Fault, Routing, RoutingConfig};
use perennial::requests::Request;
use perennial::session::{SessionConfig, Unconfirmed};
use perennial::subscriptions::{Confirm, Matcher, News, Subscription};
use perennial::{Listen, RequestError, State, TopicError};

use crate::host::Host;
use crate::support::{eventually, quick};
use crate::*;

scripts! {
    wrong_payloads_are_told_and_the_topic_goes_on,
    hostile_texts_are_nobodys_and_harm_nobody,
    strange_answers_end_nothing_else,
    a_server_that_confirms_nothing_holds_the_queue_for_a_while,
    a_subscription_that_is_refused_reconnects_where_that_is_wanted,
    a_subscription_that_cannot_be_said_is_told,
}

fn by_data(builder: Builder) -> Builder {
    let config = RoutingConfig { payload: Some("data".into()), ..RoutingConfig::default() };
    builder.routing(Routing::fields(config).unwrap())
}

fn confirmed() -> Confirm {
    Confirm::when(Matcher::new("type", "subscribed")).refuse(Matcher::new("type", "refused"))
}

fn wrong_payloads_are_told_and_the_topic_goes_on<D: Driver>() {
    let mut host = Host::new();
    let client = D::start(by_data(builder(&host.url(), quick())));
    let handle = D::handle(&client);
    let mut topic = D::topic(&handle, "tick");
    let mut peer = host.peer();
    for payload in ["\"seven\"", "-1", "1.5", "null", "{}", "[1]", "99999999999999999999999"] {
        let message = format!(r#"{{"type":"tick","data":{payload}}}"#);
        peer.says(&message);
        peer.says(r#"{"type":"tick","data":7}"#);
        let error = D::read(&mut topic, LONG).unwrap().unwrap().expect_err(payload);
        assert!(matches!(&error, TopicError::Payload(_)), "{error:?}");
        assert!(!error.to_string().contains("seven"), "{error}");
        let delivery = error.into_delivery().unwrap();
        assert_eq!(delivery.message().as_text(), Some(message.as_str()));
        assert_eq!(D::read(&mut topic, LONG).unwrap().unwrap(), Ok(7));
    }
    // No payload is the whole message.
    peer.says(r#"{"type":"tick"}"#);
    match D::read(&mut topic, LONG).unwrap().unwrap() {
        Err(TopicError::Payload(error)) => {
            assert!(matches!(error.fault(), Fault::Type { .. }), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

fn hostile_texts_are_nobodys_and_harm_nobody<D: Driver>() {
    let mut host = Host::new();
    let mut client = D::start(by_data(builder(&host.url(), quick())));
    let handle = D::handle(&client);
    let mut topic = D::topic(&handle, "tick");
    let mut all = D::listen(&handle, Listen::to("**").bytes(64 << 20));
    let standing = handle.subscribe(Subscription::new("say").confirm(confirmed())).unwrap();
    let pending = D::request(&handle, Request::call("get", None)).unwrap();
    let mut peer = host.peer();
    peer.hears("say");
    let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    let hostile = [
        String::new(),
        "{".into(),
        "nul".into(),
        "[]".into(),
        r#"{"type":"tick","data":7"#.into(),
        r#"{"type":"tick" "data":7}"#.into(),
        r#"{"type":["tick"],"data":7}"#.into(),
        r#"{"type":"\ud800","data":7}"#.into(),
        format!(r#"{{"type":"{}","data":7}}"#, "x".repeat(2_000)),
        format!(r#"{{"type":"tick","data":{}}}"#, deep("[", "]")),
        format!(r#"{{"id":1,"jsonrpc":"2.0","result":{}"#, deep("[", "]")),
        format!(r#"{{"type":"subscribed","x":{}"#, deep(r#"{"a":"#, "}")),
    ];
    for text in &hostile {
        peer.says(text);
        assert_eq!(crate::text::<D>(&mut client), *text, "it is the application's");
    }
    // A large one is as good as any.
    let pad = " ".repeat(8 << 20);
    peer.says(&format!(r#"{{"pad":"{pad}","type":"tick","data":7}}"#));
    assert_eq!(D::read(&mut topic, LONG).unwrap().unwrap(), Ok(7));
    assert_eq!(D::heard(&mut all), "7");
    // Topics that nobody wants are the application's, once nobody wants all of them.
    drop(all);
    peer.says(r#"{"type":"tock","data":7}"#);
    assert_eq!(crate::text::<D>(&mut client), r#"{"type":"tock","data":7}"#);
    assert_eq!((standing.news(), handle.session_status().requests), (None, 1));
    assert_eq!((handle.state(), handle.counters().attempts), (State::Open, 1));
    drop((pending, standing));
}

fn strange_answers_end_nothing_else<D: Driver>() {
    let mut host = Host::new();
    let mut client = D::start(builder(&host.url(), quick()));
    let handle = D::handle(&client);
    let ask = || D::request(&handle, Request::call("get", None)).unwrap();
    let (first, second) = (ask(), ask());
    let mut peer = host.peer();
    let strange = [
        r#"{"jsonrpc":"2.0","id":1,"result":"first"}"#,
        // Again, and to what nobody asked.
        r#"{"jsonrpc":"2.0","id":1,"result":"again"}"#,
        r#"{"jsonrpc":"2.0","id":0,"result":"x"}"#,
        r#"{"jsonrpc":"2.0","id":3,"result":"x"}"#,
        r#"{"jsonrpc":"2.0","id":18446744073709551615,"result":"x"}"#,
        // Not an answer to anything.
        r#"{"jsonrpc":"2.0","id":18446744073709551616,"result":"x"}"#,
        r#"{"jsonrpc":"2.0","id":2.5,"result":"x"}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"a request of its own"}"#,
        r#"{"jsonrpc":"2.0","method":"a notice"}"#,
        r#"{"jsonrpc":"2.0","id":2,"result":"second"}"#,
        "the end",
    ];
    for text in strange {
        peer.says(text);
    }
    let mut rest = 0;
    while text::<D>(&mut client) != "the end" {
        rest += 1;
    }
    let answers = [first, second].map(|pending| D::answer(pending).unwrap());
    assert_eq!(answers.map(|answer| answer.result().to_owned()), ["\"first\"", "\"second\""]);
    let status = handle.session_status();
    assert_eq!(status.requests, 0);
    // Each of the others is one or the other.
    assert_eq!(status.stray_answers as usize + rest, strange.len() - 3);
    assert!(status.stray_answers >= 4 && rest >= 3, "{status:?}, {rest}");
}

fn a_server_that_confirms_nothing_holds_the_queue_for_a_while<D: Driver>() {
    let mut host = Host::new();
    let mut config = quick();
    config.opening.timeout = Duration::from_millis(400);
    let client = D::start(builder(&host.url(), config));
    let handle = D::handle(&client);
    let timeout = Duration::from_millis(350);
    let confirm = confirmed().timeout(timeout);
    let standing = handle.subscribe(Subscription::new("say").confirm(confirm)).unwrap();
    D::send(&handle, "queued");
    let mut peer = host.peer();
    peer.hears("say");
    let said = Instant::now();
    assert_eq!(handle.session_status().unconfirmed, 1);
    peer.hears("queued");
    assert!(said.elapsed() > Duration::from_millis(100), "it waits");
    assert_eq!(D::news(&handle, &standing), Ok(News::Unconfirmed));
    assert_eq!(handle.session_status().unconfirmed, 0);
    // Late, but it counts.
    peer.says(r#"{"type":"subscribed"}"#);
    eventually("it is confirmed", || matches!(standing.news(), Some(News::Confirmed { .. })));
    assert_eq!((handle.state(), handle.counters().attempts), (State::Open, 1));
}

fn a_subscription_that_is_refused_reconnects_where_that_is_wanted<D: Driver>() {
    let mut host = Host::new();
    let session = SessionConfig { unconfirmed: Unconfirmed::Reconnect, ..Default::default() };
    let client = D::start(builder(&host.url(), quick()).session(session));
    let handle = D::handle(&client);
    let confirm = confirmed().timeout(Duration::from_millis(50)).consume();
    let standing = handle.subscribe(Subscription::new("say").confirm(confirm)).unwrap();
    D::send(&handle, "queued");
    let mut peer = host.peer();
    peer.hears("say");
    peer.says(r#"{"type":"refused"}"#);
    assert!(peer.hears_the_end(), "not the queue");
    eventually("it is told", || matches!(standing.news(), Some(News::Refused { .. })));
    let mut peer = host.peer();
    peer.hears("say");
    // Nothing is said.
    assert!(peer.hears_the_end(), "not the queue");
    let mut peer = host.peer();
    peer.hears("say");
    peer.says(r#"{"type":"subscribed"}"#);
    peer.hears("queued");
    // After the opening as well.
    let late = Confirm::when(Matcher::new("type", "late")).timeout(Duration::from_millis(50));
    let late = handle.subscribe(Subscription::new("late").confirm(late)).unwrap();
    peer.hears("late");
    let mut next = host.peer();
    assert!(peer.hears_the_end());
    drop(late);
    next.hears("say");
}

fn a_subscription_that_cannot_be_said_is_told<D: Driver>() {
    let mut host = Host::new();
    let mut config = quick();
    config.outbox.max_bytes = 100;
    let client = D::start(builder(&host.url(), config));
    let handle = D::handle(&client);
    let large = handle.subscribe(Subscription::new("x".repeat(101))).unwrap();
    let small = handle.subscribe(numbered(1)).unwrap();
    D::send(&handle, "queued");
    for _ in 0..2 {
        let mut peer = host.peer();
        match D::news(&handle, &large) {
            Ok(News::Unsayable { detail }) => assert!(detail.contains("101 bytes"), "{detail}"),
            other => panic!("{other:?}"),
        }
        peer.hears("say 1");
        peer.hears("queued");
        peer.resets();
        eventually("it is lost", || handle.state() == State::Reconnecting);
        D::send(&handle, "queued");
    }
    drop((large, small));
    // The table has its own limit.
    let error = handle.subscribe(Subscription::new("x".repeat(2 << 20))).unwrap_err();
    assert!(error.to_string().contains("subscriptions.max_bytes"), "{error}");
    let request = Request::call("get", Some(format!("[\"{}\"]", "x".repeat(100)).into()));
    match D::request(&handle, request.clone()) {
        Err(error @ RequestError::NotSent { .. }) => assert_eq!(error.into_request(), request),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it is too large"),
    }
}
