//! Requests over cuts.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use perennial::requests::Request;
use perennial::{Class, RequestFailed};
use serde_json::Value;
use tungstenite::{Error, Message, WebSocket};

use crate::support::{Server, accept, eventually, quick, reset};
use crate::*;

scripts! {
    ten_thousand_requests_over_twenty_cuts,
    a_request_that_is_dropped_is_not_sent,
    an_answer_is_given_once,
}

const REQUESTS: u64 = 10_000;
const CUTS: usize = 20;

/// Numbers that are the same in every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Less than `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// Answers what it was asked in any order, some of it twice; breaks off in between, as long as there
/// are cuts left.
fn answers_and_breaks_off(
    number: usize,
    mut socket: WebSocket<TcpStream>,
    may_answer: &AtomicBool,
    doubled: &AtomicU64,
) {
    let mut dice = Dice::new(number as u64);
    let mut answers_left = if number < CUTS { 1 + dice.roll(300) } else { usize::MAX };
    let mut asked = Vec::new();
    socket.get_ref().set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => {
                let request: Value = serde_json::from_str(&text).unwrap();
                asked.push((request["id"].as_u64().unwrap(), request["params"][0].clone()));
                // Enough to choose from.
                if asked.len() < 200 {
                    continue;
                }
            }
            Ok(_) => continue,
            Err(Error::Io(_)) => {}
            Err(_) => return,
        }
        if !may_answer.load(Ordering::Acquire) {
            continue;
        }
        for _ in 0..dice.roll(50) {
            if asked.is_empty() {
                break;
            }
            let (id, param) = asked.swap_remove(dice.roll(asked.len()));
            let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{param}}}"#);
            let twice = dice.roll(20) == 0;
            for _ in 0..1 + usize::from(twice) {
                if socket.write(Message::text(answer.clone())).is_err() {
                    return;
                }
            }
            doubled.fetch_add(u64::from(twice), Ordering::Relaxed);
            answers_left -= 1;
            if answers_left == 0 {
                let _ = socket.flush();
                return reset(socket.get_ref());
            }
        }
        if socket.flush().is_err() {
            return;
        }
    }
}

fn ten_thousand_requests_over_twenty_cuts<D: Driver>() {
    let may_answer = Arc::new(AtomicBool::new(false));
    let doubled = Arc::new(AtomicU64::new(0));
    let (may, twice) = (Arc::clone(&may_answer), Arc::clone(&doubled));
    let server = Server::start(move |number, stream| {
        answers_and_breaks_off(number, accept(stream), &may, &twice);
    });
    let mut config = quick();
    config.outbox.max_messages = 20_000;
    config.outbox.max_bytes = 8 << 20;
    let client = D::start(builder(&server.url(), config));
    let handle = D::handle(&client);
    D::wait_open(&handle).unwrap();
    let ask = |number: u64| {
        let class = if number.is_multiple_of(3) { Class::Queued } else { Class::Acknowledged };
        let request = Request::call("get", Some(format!("[{number}]").into()));
        (number, class, D::request(&handle, request.class(class)).unwrap())
    };
    let mut pending: Vec<_> = (0..REQUESTS).map(ask).collect();
    assert_eq!(handle.session_status().requests, REQUESTS as usize, "nothing is answered yet");
    may_answer.store(true, Ordering::Release);
    // Some more while it is cut, or all that may be lost would be with the first cut.
    for cut in 1..CUTS {
        eventually("it is cut", || server.accepted() > cut);
        pending.extend((0..50).map(|number| ask(REQUESTS + 50 * cut as u64 + number)));
    }
    let (mut answered, mut lost) = (0, 0);
    for (number, class, pending) in pending {
        match (D::answer(pending), class) {
            (Ok(answer), _) => {
                assert_eq!(answer.parse::<u64>().unwrap(), number);
                answered += 1;
            }
            (Err(RequestFailed::Lost), Class::Queued) => lost += 1,
            (other, class) => panic!("{number}, {class:?}: {other:?}; {:?}", handle.closed()),
        }
    }
    assert_eq!(answered + lost, REQUESTS + 50 * (CUTS as u64 - 1));
    assert!(lost > 0 && server.accepted() > CUTS, "{lost} lost, {} connections", server.accepted());
    assert_eq!(handle.session_status().requests, 0);
    // What was answered twice is counted, where its second answer came through.
    assert!(handle.session_status().stray_answers <= doubled.load(Ordering::Relaxed));
    // Nothing is left in the outbox either.
    eventually("it is empty", || handle.status().queued == 0);
    assert_eq!(handle.counters().clock_backwards, 0);
}

fn a_request_that_is_dropped_is_not_sent<D: Driver>() {
    let mut host = crate::host::Host::new();
    let mut client = D::start(builder(&host.url(), quick()));
    let handle = D::handle(&client);
    let request = |number: u64| {
        D::request(&handle, Request::call("get", Some(format!("[{number}]").into()))).unwrap()
    };
    let mut pending: Vec<_> = (0..4).map(request).collect();
    // Before it is open: nothing of it is sent.
    drop(pending.remove(1));
    assert_eq!(handle.session_status().requests, 3);
    let mut peer = host.peer();
    for id in [1, 3, 4] {
        peer.hears(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"get","params":[{}]}}"#,
            id - 1
        ));
    }
    // When it was sent: its answer is a stray, and not the application's.
    drop(pending.pop());
    peer.says(r#"{"jsonrpc":"2.0","id":4,"result":0}"#);
    peer.says(r#"{"jsonrpc":"2.0","id":3,"error":{"code":-1,"message":"no"}}"#);
    peer.says("the next");
    assert_eq!(text::<D>(&mut client), "the next");
    let mut refused = pending.pop().unwrap();
    match D::try_answer(&mut refused) {
        Some(Err(RequestFailed::Refused(refusal))) => assert_eq!(refusal.rpc().unwrap().code, -1),
        other => panic!("{other:?}"),
    }
    // One that has ended may be dropped as well.
    drop(refused);
    assert_eq!(handle.session_status().requests, 1);
    assert_eq!(handle.session_status().stray_answers, 1);
    drop(pending);
    assert_eq!(handle.session_status().requests, 0);
}

fn an_answer_is_given_once<D: Driver>() {
    let mut host = crate::host::Host::new();
    let client = D::start(builder(&host.url(), quick()));
    let mut pending = D::request(&D::handle(&client), Request::call("get", None)).unwrap();
    let mut peer = host.peer();
    let _question = peer.next();
    assert!(D::try_answer(&mut pending).is_none(), "not yet");
    peer.says(r#"{"jsonrpc":"2.0","id":1,"result":7}"#);
    let mut answer = None;
    eventually("it is answered", || {
        answer = D::try_answer(&mut pending);
        answer.is_some()
    });
    assert_eq!(answer.unwrap().unwrap().parse::<u64>().unwrap(), 7);
    assert!(D::try_answer(&mut pending).is_none(), "it was given");
    // Nobody waits for what does not come.
    assert_eq!(D::answer(pending).unwrap_err(), RequestFailed::AlreadyTaken);
}

#[test]
fn a_thread_does_not_wait_for_an_answer_that_it_has_had() {
    let mut host = crate::host::Host::new();
    let client = builder(&host.url(), quick()).connect().unwrap();
    let mut pending = client.request(Request::call("get", None)).unwrap();
    let mut peer = host.peer();
    let _question = peer.next();
    peer.says(r#"{"jsonrpc":"2.0","id":1,"result":7}"#);
    assert!(pending.wait_timeout(crate::LONG).expect("in time").is_ok());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let again = pending.wait_timeout(Duration::MAX);
        tell.send((again, pending.wait())).unwrap();
    });
    let (again, last) = told.recv_timeout(crate::LONG).expect("it does not wait");
    assert_eq!(again.expect("at once").unwrap_err(), RequestFailed::AlreadyTaken);
    assert_eq!(last.unwrap_err(), RequestFailed::AlreadyTaken);
}
