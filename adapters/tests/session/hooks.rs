//! The application's say in an opening.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use perennial::requests::Request;
use perennial::{Class, ClosedBy, Fate, HookError, Listen, NotOpen, Reason, Reply, State};

use crate::host::{Host, Peer};
use crate::support::{eventually, quick};
use crate::*;

scripts! {
    a_login_is_awaited_and_comes_before_everything,
    a_login_without_an_answer_is_sent_and_done,
    a_login_that_is_refused_for_good_closes,
    a_login_that_fails_is_tried_again,
    a_login_that_is_never_answered_is_tried_again,
    what_comes_during_a_login_is_passed_on_in_order,
    what_comes_during_a_login_comes_before_the_end,
    the_queue_is_dropped_from_and_put_in_order,
    a_panic_of_a_hook_ends_the_connection,
    a_hook_may_take_its_time,
    a_hook_may_use_what_the_handle_gives,
}

const SOON: Duration = Duration::from_millis(80);

/// A builder that logs in with `login`, and has seen it with `welcome`.
fn logging_in(url: &str) -> Builder {
    builder(url, quick()).on_open(|opening| {
        opening.send("login")?;
        opening.expect(|message| match message.as_text() {
            Some("welcome") => Ok(Reply::Done),
            Some("wait") => Ok(Reply::More),
            Some("denied") => Err(HookError::Stop("the seat is taken".into())),
            Some("busy") => Err(HookError::Retry("no seat".into())),
            _ => Ok(Reply::Other),
        });
        Ok(())
    })
}

/// Nothing is heard for a while.
fn hears_nothing(peer: &mut Peer) {
    assert!(peer.is_quiet_for(WHILE), "something was said");
}

fn a_login_is_awaited_and_comes_before_everything<D: Driver>() {
    let mut host = Host::new();
    let client = D::start(logging_in(&host.url()));
    let handle = D::handle(&client);
    let standings = [1, 2].map(|number| handle.subscribe(numbered(number)).unwrap());
    D::send(&handle, "queued");
    let asked = Request::call("get", None).class(Class::Acknowledged);
    let pending = D::request(&handle, asked).unwrap();
    let question = r#"{"jsonrpc":"2.0","id":1,"method":"get"}"#;
    let mut peer = host.peer();
    peer.hears("login");
    hears_nothing(&mut peer);
    peer.says("wait");
    peer.says("welcome");
    for text in ["say 1", "say 2", "queued", question] {
        peer.hears(text);
    }
    peer.resets();
    eventually("it is lost", || handle.state() == State::Reconnecting);
    D::send(&handle, "later");
    let mut peer = host.peer();
    peer.hears("login");
    D::send(&handle, "later still");
    hears_nothing(&mut peer);
    peer.says("welcome");
    // What was asked before comes before what is queued.
    for text in ["say 1", "say 2", question, "later", "later still"] {
        peer.hears(text);
    }
    peer.says(r#"{"jsonrpc":"2.0","id":1,"result":null}"#);
    D::answer(pending).unwrap();
    drop(standings);
}

fn a_login_without_an_answer_is_sent_and_done<D: Driver>() {
    let mut host = Host::new();
    let builder = builder(&host.url(), quick()).on_open(|opening| {
        (0..64).try_for_each(|number| opening.send(format!("login {number}")))?;
        Ok(())
    });
    let client = D::start(builder);
    D::send(&D::handle(&client), "queued");
    for _ in 0..3 {
        let mut peer = host.peer();
        (0..64).for_each(|number| peer.hears(&format!("login {number}")));
        D::send(&D::handle(&client), "queued");
        peer.hears("queued");
        peer.resets();
    }
}

fn a_login_that_is_refused_for_good_closes<D: Driver>() {
    let mut host = Host::new();
    let mut client = D::start(logging_in(&host.url()));
    let handle = D::handle(&client);
    D::send(&handle, "queued");
    let standing = handle.subscribe(numbered(1)).unwrap();
    let mut peer = host.peer();
    peer.hears("login");
    peer.says("denied");
    // Nothing was said but the login.
    assert!(peer.hears_the_end());
    let end = closed::<D>(&mut client);
    assert_eq!(end.by, ClosedBy::Policy);
    let Reason::Refused { retry: false, detail } = &end.reason else { panic!("{end:?}") };
    assert!(detail.contains("the seat is taken"), "{detail}");
    assert!(handle.subscribe(numbered(2)).is_err());
    drop(standing);
    host.is_left_alone();
}

fn a_login_that_fails_is_tried_again<D: Driver>() {
    let mut host = Host::new();
    let mut client = D::start(logging_in(&host.url()));
    D::send(&D::handle(&client), "queued");
    let mut peer = host.peer();
    for _ in 0..3 {
        peer.hears("login");
        peer.says("busy");
        let next = host.peer();
        assert!(peer.hears_the_end());
        peer = next;
    }
    peer.hears("login");
    peer.says("welcome");
    peer.hears("queued");
    peer.says("hello");
    assert_eq!(text::<D>(&mut client), "hello");
    // The hook itself may say so as well.
    let tries = Arc::new(AtomicUsize::new(0));
    let tried = Arc::clone(&tries);
    let builder = builder(&host.url(), quick()).on_open(move |_| {
        match tried.fetch_add(1, Ordering::SeqCst) {
            0 => Err(HookError::Retry("not yet".into())),
            _ => Err(HookError::Stop("never".into())),
        }
    });
    let mut client = D::start(builder);
    let first = host.peer();
    assert!(host.peer().hears_the_end());
    let end = closed::<D>(&mut client);
    assert!(end.reason.to_string().contains("never"), "{}", end.reason);
    assert_eq!(tries.load(Ordering::SeqCst), 2);
    drop(first);
}

fn a_login_that_is_never_answered_is_tried_again<D: Driver>() {
    let mut host = Host::new();
    let mut config = quick();
    config.opening.timeout = SOON;
    let client = D::start(logging_in(&host.url()).config(config.build().unwrap()));
    let handle = D::handle(&client);
    D::send(&handle, "queued");
    for _ in 0..2 {
        let mut peer = host.peer();
        peer.hears("login");
        // Not answered, but heard of: that does not help.
        let next = host.peer();
        assert!(peer.hears_the_end(), "the queue waits");
        drop(next);
    }
    assert_eq!(handle.status().queued, 1);
}

fn what_comes_during_a_login_is_passed_on_in_order<D: Driver>() {
    let mut host = Host::new();
    let mut client = D::start(logging_in(&host.url()));
    let handle = D::handle(&client);
    let mut ticks = D::listen(&handle, "tick");
    for round in 0..20 {
        let mut peer = host.peer();
        peer.hears("login");
        let tick = |number: usize| format!(r#"{{"type":"tick","number":{number}}}"#);
        for number in 0..50 {
            peer.says(&format!("news {number}"));
            peer.says(&tick(number));
            if number == round {
                peer.says("welcome");
            }
        }
        for number in 0..50 {
            assert_eq!(text::<D>(&mut client), format!("news {number}"));
            assert_eq!(D::heard(&mut ticks), tick(number));
        }
        peer.resets();
    }
}

fn what_comes_during_a_login_comes_before_the_end<D: Driver>() {
    let mut host = Host::new();
    let mut config = quick();
    // The first loss is the end.
    config.retry.max_attempts = Some(1);
    let (tell, is_over) = mpsc::channel();
    let builder = builder(&host.url(), config).on_open(move |opening| {
        opening.expect(|_| Ok(Reply::Other));
        // Whatever is said, and the end of the stream, are there before anything is read.
        is_over.recv_timeout(LONG).map_err(|error| HookError::Stop(error.to_string()))
    });
    let mut client = D::start(builder);
    let handle = D::handle(&client);
    let mut ticks = D::listen(&handle, "tick");
    let mut peer = host.peer();
    let tick = r#"{"type":"tick"}"#;
    peer.says("news");
    peer.says(tick);
    drop(peer);
    tell.send(()).unwrap();
    assert_eq!(text::<D>(&mut client), "news");
    assert_eq!(D::heard(&mut ticks), tick);
    closed::<D>(&mut client);
}

fn the_queue_is_dropped_from_and_put_in_order<D: Driver>() {
    let mut host = Host::new();
    let builder = builder(&host.url(), quick()).reports(true).on_queue(|queue| {
        let texts = queue
            .messages()
            .iter()
            .map(|message| (message.seq, message.payload.as_text().unwrap().to_owned()));
        let texts: Vec<_> = texts.collect();
        let starting = |start: &str| {
            let found = texts.iter().filter(|(_, text)| text.starts_with(start));
            found.map(|(seq, _)| *seq).collect::<Vec<_>>()
        };
        starting("stale").into_iter().for_each(|seq| queue.drop(seq));
        queue.first(starting("urgent").into_iter().rev());
    });
    let mut client = D::start(builder);
    let handle = D::handle(&client);
    for _ in 0..2 {
        // On the first one too.
        for text in ["a", "stale 1", "urgent 1", "b", "urgent 2", "stale 2"] {
            D::send(&handle, text);
        }
        let mut peer = host.peer();
        for text in ["urgent 2", "urgent 1", "a", "b"] {
            peer.hears(text);
        }
        // What comes later is not asked about.
        D::send(&handle, "stale 3");
        peer.hears("stale 3");
        peer.resets();
        eventually("it is lost", || handle.state() == State::Reconnecting);
    }
    let mut cancelled = 0;
    while cancelled < 4 {
        let notice = D::recv(&mut client).unwrap();
        cancelled +=
            usize::from(matches!(notice, Notice::Undelivered { fate: Fate::Cancelled, .. }));
    }
}

fn a_panic_of_a_hook_ends_the_connection<D: Driver>() {
    // The callback's thread ends with the panic; the others tell of it.
    let hooks: [fn(Builder) -> Builder; 3] = [
        |builder| builder.on_open(|_| panic!("as the test wants it")),
        |builder| builder.on_queue(|_| panic!("as the test wants it")),
        |builder| {
            builder.on_open(|opening| {
                opening.expect(|_| panic!("as the test wants it"));
                Ok(())
            })
        },
    ];
    for hook in hooks {
        let mut host = Host::new();
        let client = D::start(hook(builder(&host.url(), quick())));
        let handle = D::handle(&client);
        D::send(&handle, "queued");
        let pending = D::request(&handle, Request::call("get", None)).unwrap();
        let mut listener = D::listen(&handle, Listen::to("tick"));
        let mut peer = host.peer();
        peer.says("hello");
        assert!(D::answer(pending).is_err());
        assert!(matches!(D::hear(&mut listener, LONG), Ok(None)));
        eventually("it ends", || handle.closed().is_some());
        let status = handle.session_status();
        assert_eq!((status.requests, status.subscribers), (0, 0));
        assert!(handle.try_send("x").is_err());
    }
}

fn a_hook_may_take_its_time<D: Driver>() {
    let mut host = Host::new();
    let mut config = quick();
    config.opening.timeout = LONG;
    let builder = builder(&host.url(), config).on_open(|opening| {
        thread::sleep(SOON);
        opening.send("login")
    });
    let client = D::start(builder);
    let handle = D::handle(&client);
    let mut peer = host.peer();
    // The handle is as quick as ever meanwhile.
    for number in 0..10 {
        D::send(&handle, format!("{number}"));
    }
    let standing = handle.subscribe(numbered(1)).unwrap();
    peer.hears("login");
    peer.hears("say 1");
    (0..10).for_each(|number| peer.hears(&format!("{number}")));
    drop(standing);
    peer.hears("unsay 1");
}

fn a_hook_may_use_what_the_handle_gives<D: Driver>() {
    let mut host = Host::new();
    let (give, given) = mpsc::channel::<Box<dyn FnMut() + Send>>();
    let (done, is_done) = mpsc::channel();
    let builder = builder(&host.url(), quick()).on_open(move |_| {
        given.recv_timeout(LONG).unwrap()();
        done.send(()).unwrap();
        Ok(())
    });
    let client = D::start(builder);
    let handle = D::handle(&client);
    let held = (
        handle.subscribe(numbered(1)).unwrap(),
        D::listen(&handle, "tick"),
        D::topic(&handle, "tick"),
        D::request(&handle, Request::call("get", None)).unwrap(),
    );
    let mut held = Some(held);
    let inside = handle.clone();
    give.send(Box::new(move || {
        // Dropped, made and dropped again in the hook.
        held.take();
        let standing = inside.subscribe(numbered(2)).unwrap();
        drop(D::listen(&inside, "tick"));
        standing.keep();
        assert_eq!(inside.session_status().subscribers, 0);
    }))
    .unwrap();
    let mut peer = host.peer();
    is_done.recv_timeout(LONG).expect("it does not wait for itself");
    peer.hears("say 2");
    eventually("nothing is left", || handle.session_status().requests == 0);
    assert_eq!(handle.session_status().subscriptions, 1);
    drop(client);
    drop(handle);
    drop(peer);
}

/// The driver's thread would wait for itself.
#[test]
fn who_drives_does_not_wait_for_the_open() {
    let (tell, told) = mpsc::channel();
    // In the callback.
    let mut host = Host::new();
    let called = builder(&host.url(), quick());
    thread::spawn(move || {
        let run = called.run(move |handle, _| {
            tell.send(handle.wait_open(Duration::MAX)).unwrap();
            if handle.state() == State::Open {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        run.unwrap();
    });
    let first = told.recv_timeout(LONG).expect("it does not wait");
    assert_eq!(first, Err(NotOpen::Timeout));
    let peer = host.peer();
    while told.recv_timeout(LONG).expect("it does not wait").is_err() {}
    drop(peer);
    // In a listener.
    let client = builder(&host.url(), quick()).connect().unwrap();
    let (handle, (tell, told)) = (client.handle(), mpsc::channel());
    let _guard = client.on_state(move |change| {
        let _ = tell.send((change.new, handle.wait_open(Duration::MAX)));
    });
    for _ in 0..2 {
        let peer = host.peer();
        let opened = told.recv_timeout(LONG).expect("it does not wait");
        assert_eq!(opened, (State::Open, Ok(())));
        peer.resets();
        let lost = told.recv_timeout(LONG).expect("it does not wait");
        assert_eq!(lost, (State::Reconnecting, Err(NotOpen::Timeout)));
    }
}
