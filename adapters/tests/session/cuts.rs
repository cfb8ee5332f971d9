//! Subscriptions over cuts.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::bus::{Routing, RoutingConfig};
use perennial::{Standing, State};
use tungstenite::{Error, Message, WebSocket};

use crate::host::Host;
use crate::questions::Dice;
use crate::support::{Server, eventually, quick, reset};
use crate::*;

scripts! {
    after_each_cut_the_live_subscriptions_stand_first_and_in_order,
    cuts_at_any_time_leave_no_subscription_out_and_say_none_twice,
    no_tick_goes_to_who_came_after_it,
}

const CUTS: usize = 200;

/// Subscribes and takes back at random, before the cut and in the outage.
fn after_each_cut_the_live_subscriptions_stand_first_and_in_order<D: Driver>() {
    let mut host = Host::new();
    let client = D::start(builder(&host.url(), quick()));
    let handle = D::handle(&client);
    let mut dice = Dice::new(7);
    let mut live: BTreeMap<usize, Standing> = BTreeMap::new();
    let mut last = 0;
    let mut change = || {
        for _ in 0..dice.roll(4) {
            last += 1;
            live.insert(last, handle.subscribe(numbered(last)).unwrap());
        }
        for _ in 0..dice.roll(4) {
            let victim = live.keys().copied().nth(dice.roll(live.len().max(1)));
            drop(victim.and_then(|victim| live.remove(&victim)));
        }
        live.keys().copied().collect::<Vec<_>>()
    };
    let mut peer = host.peer();
    D::wait_open(&handle).unwrap();
    for round in 0..CUTS / 2 {
        change();
        peer.resets();
        eventually("it is lost", || handle.state() == State::Reconnecting);
        let live = change();
        D::send(&handle, format!("queued {round}"));
        peer = host.peer();
        for number in live {
            peer.hears(&format!("say {number}"));
        }
        peer.hears(&format!("queued {round}"));
    }
    drop(live);
    assert_eq!(handle.session_status().subscriptions, 0);
}

/// What a connection was told, in order, and whether it was cut.
type Heard = Arc<Mutex<BTreeMap<usize, Vec<String>>>>;

/// Writes down what it hears, ticks all the while for what it was told, and breaks off.
fn ticks_and_breaks_off(
    number: usize,
    mut socket: WebSocket<TcpStream>,
    heard: &Heard,
    no_more: &AtomicBool,
) {
    let mut dice = Dice::new(number as u64);
    let mut turns_left = 1 + dice.roll(8);
    heard.lock().unwrap().insert(number, Vec::new());
    socket.get_ref().set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut standing = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => {
                match text.split_once(' ') {
                    Some(("say", symbol)) => standing.push(symbol.to_owned()),
                    Some(("unsay", symbol)) => standing.retain(|standing| standing != symbol),
                    _ => {}
                }
                heard.lock().unwrap().entry(number).or_default().push(text.as_str().to_owned());
            }
            Ok(_) => {}
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
        for symbol in &standing {
            let tick = format!(r#"{{"type":"tick.{symbol}","data":{symbol}}}"#);
            if socket.send(Message::text(tick)).is_err() {
                return;
            }
        }
        turns_left -= 1;
        if turns_left == 0 {
            if number < CUTS && !no_more.load(Ordering::Acquire) {
                return reset(socket.get_ref());
            }
            turns_left = 1;
        }
    }
}

/// As it goes: nobody waits for a cut, nor for what comes after it.
fn cuts_at_any_time_leave_no_subscription_out_and_say_none_twice<D: Driver>() {
    let heard = Heard::default();
    let no_more = Arc::new(AtomicBool::new(false));
    let (hears, stop) = (Arc::clone(&heard), Arc::clone(&no_more));
    let server = Server::start(move |number, stream| {
        if let Ok(socket) = tungstenite::accept(stream) {
            ticks_and_breaks_off(number, socket, &hears, &stop);
        }
    });
    let mut config = quick();
    config.retry.backoff = perennial::Backoff::Constant { base: Duration::from_millis(1) };
    let client = D::start(builder(&server.url(), config).routing(by_data()));
    let handle = D::handle(&client);
    let mut dice = Dice::new(3);
    let mut live: BTreeMap<usize, (Standing, D::Topic)> = BTreeMap::new();
    let mut last = 0;
    let mut notes = 0;
    // In the order of the calls: subscriptions by their numbers, and how many there were at a note.
    let mut made_before = Vec::new();
    eventually("all cuts", || {
        if live.len() < 3 || (live.len() < 12 && dice.roll(2) == 0) {
            last += 1;
            let topic = D::topic(&handle, format!("tick.{last}"));
            live.insert(last, (handle.subscribe(numbered(last)).unwrap(), topic));
        } else {
            let victim = live.keys().copied().nth(dice.roll(live.len())).unwrap();
            drop(live.remove(&victim));
        }
        D::send(&handle, format!("note {notes}"));
        notes += 1;
        made_before.push(live.keys().copied().collect::<Vec<_>>());
        // A topic hears of its own symbol and of no other.
        for (number, (_, topic)) in &mut live {
            while let Ok(Some(next)) = D::read(topic, Duration::ZERO) {
                assert_eq!(next.unwrap(), *number as u64);
            }
        }
        server.accepted() > CUTS
    });
    // Each that lives is heard of on the last connection, and nothing else stands there.
    no_more.store(true, Ordering::Release);
    for (number, (_, topic)) in &mut live {
        let next = D::read(topic, LONG).expect("in time").expect("before the end");
        assert_eq!(next.unwrap(), *number as u64);
    }
    D::send(&handle, "the last note");
    let is_last = |heard: &Vec<String>| heard.last().is_some_and(|text| text == "the last note");
    eventually("it comes", || heard.lock().unwrap().values().any(is_last));
    let heard = heard.lock().unwrap().clone();
    let standing = heard.values().find(|heard| is_last(heard)).map(|heard| stands(heard)).unwrap();
    assert_eq!(standing, live.keys().copied().collect::<Vec<_>>());
    for heard in heard.values() {
        check(heard, &made_before);
    }
    drop(live);
    let status = handle.session_status();
    assert_eq!((status.subscriptions, status.subscribers, status.unconfirmed), (0, 0, 0));
}

fn by_data() -> Routing {
    Routing::fields(RoutingConfig { payload: Some("data".into()), ..RoutingConfig::default() })
        .unwrap()
}

/// What stands at the end, as it was said.
fn stands(heard: &[String]) -> Vec<usize> {
    let mut standing = Vec::new();
    for text in heard {
        let (word, number) = text.split_once(' ').unwrap();
        match (word, number.parse::<usize>()) {
            ("say", Ok(number)) => standing.push(number),
            ("unsay", Ok(number)) => standing.retain(|standing| *standing != number),
            _ => {}
        }
    }
    standing
}

/// One connection: each subscription once and in the order in which they were made; each note after
/// the subscriptions that were alive when it was sent, where those are said at all.
fn check(heard: &[String], made_before: &[Vec<usize>]) {
    let mut last = 0;
    let mut noted: BTreeMap<usize, usize> = BTreeMap::new();
    for text in heard {
        let (word, number) = text.split_once(' ').unwrap();
        let Ok(number) = number.parse::<usize>() else { continue };
        match word {
            "say" => {
                assert!(number > last, "{number} after {last}: {heard:?}");
                last = number;
                assert!(!noted.contains_key(&number), "{number} was noted before: {heard:?}");
            }
            "note" => noted.extend(made_before[number].iter().map(|made| (*made, number))),
            "unsay" => assert!(number <= last, "{number} was not said: {heard:?}"),
            _ => panic!("{text}"),
        }
        if word == "say" {
            noted.remove(&number);
        }
    }
}

/// A symbol that was taken back may tick on: that is nobody's who asks for it later.
fn no_tick_goes_to_who_came_after_it<D: Driver>() {
    let mut host = Host::new();
    let mut client = D::start(builder(&host.url(), quick()).routing(by_data()));
    let handle = D::handle(&client);
    let mut peer = host.peer();
    D::wait_open(&handle).unwrap();
    for round in 0..20_u64 {
        let mut topic = D::topic(&handle, "tick");
        let standing = handle.subscribe(numbered(1)).unwrap();
        peer.hears("say 1");
        let tick = |number: u64| format!(r#"{{"type":"tick","data":{number}}}"#);
        peer.says(&tick(3 * round));
        assert_eq!(D::read(&mut topic, LONG).unwrap().unwrap().unwrap(), 3 * round);
        drop((standing, topic));
        peer.hears("unsay 1");
        peer.says(&tick(3 * round + 1));
        // It is the application's, as nobody else wants it.
        assert_eq!(text::<D>(&mut client), tick(3 * round + 1));
    }
}
