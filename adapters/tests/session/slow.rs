//! A subscriber that does not keep up.

use std::thread;
use std::time::Duration;

use perennial::core::ConfigBuilder;
use perennial::{Listen, Notice, SlowConsumer, State};

use crate::host::{Host, Peer};
use crate::support::{eventually, quick};
use crate::*;

scripts! {
    reading_pauses_for_a_slow_subscriber_and_the_link_lives,
    others_do_not_wait_where_the_oldest_make_room,
    others_do_not_wait_where_the_slow_one_is_cut_off,
    reading_goes_on_when_the_slow_one_leaves,
}

const MESSAGES: usize = 3_000;
const BEAT: Duration = Duration::from_millis(250);

fn beating() -> ConfigBuilder {
    let mut config = quick();
    config.heartbeat.interval = BEAT;
    config.heartbeat.deadline = BEAT;
    config
}

/// More than the kernel and a turn of the driver's take in.
fn message(number: usize) -> String {
    format!(r#"{{"type":"news","number":{number},"pad":"{}"}}"#, "x".repeat(4_000))
}

/// Says all of it; then answers pings for as long as it is listened to.
fn says_all(mut peer: Peer) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        (0..MESSAGES).for_each(|number| peer.says(&message(number)));
        peer.stays();
    })
}

fn slow<D: Driver>(handle: &D::Handle, slow: SlowConsumer) -> D::Listener {
    D::listen(handle, Listen::to("news").messages(8).slow(slow))
}

fn fast<D: Driver>(handle: &D::Handle) -> D::Listener {
    D::listen(handle, Listen::to("news").messages(MESSAGES).bytes(64 << 20))
}

fn hears_all<D: Driver>(listener: &mut D::Listener) {
    for number in 0..MESSAGES {
        assert_eq!(D::heard(listener), message(number));
    }
}

/// Waits until nothing more is read, and for longer than a link may be silent.
fn pauses<D: Driver>(handle: &D::Handle) {
    let mut before = 0;
    let mut still = 0;
    eventually("reading pauses", || {
        let received = handle.counters().received;
        still = if received == before && received > 0 { still + 1 } else { 0 };
        before = received;
        thread::sleep(BEAT);
        still == 6
    });
    assert!(before < MESSAGES as u64, "all was read");
    assert_eq!(handle.state(), State::Open);
    assert_eq!(handle.counters().attempts, 1);
}

fn reading_pauses_for_a_slow_subscriber_and_the_link_lives<D: Driver>() {
    let mut host = Host::new();
    let client = D::start(builder(&host.url(), beating()));
    let handle = D::handle(&client);
    let (mut slow, mut fast) = (slow::<D>(&handle, SlowConsumer::Block), fast::<D>(&handle));
    let server = says_all(host.peer());
    pauses::<D>(&handle);
    // What was read the other one has.
    for number in 0..handle.counters().received {
        let next = D::hear(&mut fast, Duration::ZERO).expect("it is there").unwrap().unwrap();
        assert_eq!(next.as_text().unwrap(), message(number as usize));
    }
    assert!(D::hear(&mut fast, Duration::ZERO).is_err());
    // It reads, and nothing is lost.
    hears_all::<D>(&mut slow);
    assert_eq!(D::missed(&slow), 0);
    // Still on the first transport, whose pings are answered again.
    thread::sleep(4 * BEAT);
    assert_eq!((handle.state(), handle.counters().attempts), (State::Open, 1));
    drop(client);
    drop((slow, fast, handle));
    server.join().unwrap();
}

fn others_do_not_wait_where_the_oldest_make_room<D: Driver>() {
    let mut host = Host::new();
    let client = D::start(builder(&host.url(), quick()));
    let handle = D::handle(&client);
    let (mut slow, mut fast) = (slow::<D>(&handle, SlowConsumer::DropOldest), fast::<D>(&handle));
    let server = says_all(host.peer());
    hears_all::<D>(&mut fast);
    let mut missed = 0;
    for number in MESSAGES - 8..MESSAGES {
        assert_eq!(D::heard(&mut slow), message(number));
        missed += D::missed(&slow);
    }
    assert_eq!(missed, MESSAGES as u64 - 8);
    assert!(D::hear(&mut slow, Duration::ZERO).is_err(), "that was all");
    drop((client, slow, fast, handle));
    server.join().unwrap();
}

fn others_do_not_wait_where_the_slow_one_is_cut_off<D: Driver>() {
    let mut host = Host::new();
    let client = D::start(builder(&host.url(), quick()));
    let handle = D::handle(&client);
    let (mut slow, mut fast) = (slow::<D>(&handle, SlowConsumer::Disconnect), fast::<D>(&handle));
    let server = says_all(host.peer());
    hears_all::<D>(&mut fast);
    for number in 0..8 {
        assert_eq!(D::heard(&mut slow), message(number));
    }
    assert!(matches!(D::hear(&mut slow, LONG), Ok(Some(Err(perennial::Lagged)))));
    assert!(matches!(D::hear(&mut slow, LONG), Ok(None)), "that was all");
    assert!(matches!(D::hear(&mut slow, LONG), Ok(None)), "and it stays so");
    assert_eq!(handle.session_status().subscribers, 1);
    drop((client, slow, fast, handle));
    server.join().unwrap();
}

fn reading_goes_on_when_the_slow_one_leaves<D: Driver>() {
    let mut host = Host::new();
    let client = D::start(builder(&host.url(), beating()));
    let handle = D::handle(&client);
    let mut fast = fast::<D>(&handle);
    // Two of them: the last one to leave has it read on.
    let [first, second] = [(); 2].map(|()| slow::<D>(&handle, SlowConsumer::Block));
    let server = says_all(host.peer());
    pauses::<D>(&handle);
    drop(first);
    let received = handle.counters().received;
    thread::sleep(BEAT);
    assert_eq!(handle.counters().received, received, "there is another one");
    drop(second);
    hears_all::<D>(&mut fast);
    assert_eq!(handle.counters().attempts, 1);
    drop((client, fast, handle));
    server.join().unwrap();
}

/// Where the client fetches from an inbox that stops reading as well. A callback fetches at once.
mod with_an_inbox {
    #[test]
    fn on_a_thread() {
        use crate::drivers::{OnThreads, Threaded};
        super::a_subscriber_makes_no_room_for_an_inbox_that_is_full::<OnThreads<Threaded>>();
    }

    #[test]
    fn on_smol() {
        use crate::drivers::{Async, Smol};
        super::a_subscriber_makes_no_room_for_an_inbox_that_is_full::<Async<Smol>>();
    }
}

fn a_subscriber_makes_no_room_for_an_inbox_that_is_full<D: Driver>() {
    let mut host = Host::new();
    let mut config = quick();
    config.inbox.max_messages = 8;
    let mut client = D::start(builder(&host.url(), config));
    let handle = D::handle(&client);
    let mut listener = slow::<D>(&handle, SlowConsumer::Block);
    let mut peer = host.peer();
    let server = thread::spawn(move || {
        for number in 0..MESSAGES {
            peer.says(&message(number));
            peer.says(&message(number).replace("news", "else"));
        }
        peer.stays();
    });
    // Nobody fetches from the inbox.
    let mut heard = 0;
    while let Ok(next) = D::hear(&mut listener, 4 * crate::WHILE) {
        assert_eq!(next.unwrap().unwrap().as_text().unwrap(), message(heard));
        heard += 1;
    }
    assert!(heard < MESSAGES / 2, "{heard} were read, and as many lie in the inbox");
    // Now somebody does.
    let subscriber = thread::spawn(move || {
        for number in heard..MESSAGES {
            assert_eq!(D::heard(&mut listener), message(number));
        }
    });
    let mut others = 0;
    while others < MESSAGES {
        if let Notice::Message(_) = D::recv(&mut client).expect("before the end") {
            others += 1;
        }
    }
    subscriber.join().unwrap();
    drop((client, handle));
    server.join().unwrap();
}
