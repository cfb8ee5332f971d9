//! Requests through a connection that comes and goes.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;

use super::*;
use crate::config::Class;
use crate::requests::Outcome;
use crate::rng::{Rng, Stream};
use crate::testing;

fn result(id: u64) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{id}}}"#)
}

fn outcomes(rig: &mut Rig) -> Vec<(u64, Outcome)> {
    rig.ended.drain(..).map(|ended| (ended.id.get(), ended.outcome)).collect()
}

#[test]
fn an_answer_ends_its_request_and_nobody_else_sees_it() {
    let mut rig = Rig::opened(SessionConfig::default());
    let first = rig.ask(Request::call("a", None));
    let second = rig.ask(Request::call("b", None));
    assert_eq!(rig.written().len(), 2);
    rig.hear(result(second.get()));
    rig.hear(result(first.get()));
    let ended = outcomes(&mut rig);
    assert_eq!(ended.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [2, 1]);
    assert!(ended.iter().all(|(_, outcome)| matches!(outcome, Outcome::Answered(_))));
    assert!(rig.notices.is_empty(), "{:?}", rig.notices);
}

#[test]
fn a_second_answer_and_an_unknown_one_are_counted_and_end_nothing() {
    let mut rig = Rig::opened(SessionConfig::default());
    rig.ask(Request::call("a", None));
    rig.hear(result(1));
    rig.hear(result(1));
    rig.hear(result(99));
    assert_eq!(rig.ended.len(), 1);
    assert_eq!(rig.session.status().stray_answers, 2);
    assert!(rig.messages().is_empty());
}

#[test]
fn what_looks_like_an_answer_is_a_message_where_nothing_was_ever_asked() {
    let mut rig = Rig::opened(SessionConfig::default());
    rig.hear(result(1));
    assert_eq!(rig.messages(), [result(1)]);
}

#[test]
fn without_an_answer_it_ends_at_its_timeout() {
    let mut rig = Rig::opened(SessionConfig::default());
    rig.ask(Request::call("a", None).timeout(Duration::from_secs(3)));
    rig.pass(Duration::from_millis(2_999));
    assert!(rig.ended.is_empty());
    rig.pass(Duration::from_millis(1));
    assert!(matches!(outcomes(&mut rig)[..], [(1, Outcome::TimedOut)]));
}

#[test]
fn a_late_driver_does_not_miss_an_answer_that_has_come() {
    let mut rig = Rig::opened(SessionConfig::default());
    rig.ask(Request::call("a", None).timeout(Duration::from_secs(1)));
    rig.now = rig.now + Duration::from_secs(2);
    rig.hear(result(1));
    assert!(matches!(outcomes(&mut rig)[..], [(1, Outcome::Answered(_))]));
}

#[test]
fn one_that_times_out_before_it_is_sent_is_not_sent() {
    let mut rig = Rig::new(SessionConfig::default());
    rig.ask(Request::call("a", None).timeout(Duration::from_secs(1)));
    rig.refuse();
    rig.pass(Duration::from_secs(2));
    assert!(matches!(outcomes(&mut rig)[..], [(1, Outcome::TimedOut)]));
    rig.reopen();
    assert!(rig.written().is_empty());
}

#[test]
fn the_class_says_what_a_loss_does() {
    let mut rig = Rig::opened(SessionConfig::default());
    rig.ask(Request::call("volatile", None).class(Class::Volatile));
    rig.ask(Request::call("queued", None));
    rig.ask(Request::call("acknowledged", None).class(Class::Acknowledged));
    let written = rig.written();
    rig.lose();
    assert!(matches!(outcomes(&mut rig)[..], [(1, Outcome::Lost), (2, Outcome::Lost)]));
    rig.ask(Request::call("volatile", None).class(Class::Volatile));
    assert!(matches!(outcomes(&mut rig)[..], [(4, Outcome::Undelivered(_))]));
    rig.ask(Request::call("queued", None));
    rig.reopen();
    assert_eq!(rig.written()[0], written[2], "with the same id and bytes, before what is queued");
    rig.hear(result(3));
    rig.hear(result(5));
    assert!(matches!(
        outcomes(&mut rig)[..],
        [(3, Outcome::Answered(_)), (5, Outcome::Answered(_))]
    ));
}

#[test]
fn one_that_was_cancelled_ends_so_and_is_not_sent() {
    let mut rig = Rig::new(SessionConfig::default());
    let id = rig.ask(Request::call("a", None));
    rig.session.cancel(&mut rig.connection, rig.now, id);
    rig.pump();
    assert!(matches!(outcomes(&mut rig)[..], [(1, Outcome::Cancelled)]));
    rig.open();
    assert!(rig.written().is_empty());
}

#[test]
fn the_close_ends_them_all_before_it_is_told() {
    let mut rig = Rig::opened(SessionConfig::default());
    rig.ask(Request::call("a", None));
    rig.event(Event::Close(crate::frame::CloseFrame::new(1000, "")));
    rig.lose();
    assert!(matches!(outcomes(&mut rig)[..], [(1, Outcome::Closed)]));
    assert!(matches!(rig.notices.last(), Some(Notice::Closed(_))));
    let late = rig.session.request(&mut rig.connection, rig.now, Request::call("b", None));
    assert!(late.is_err());
}

/// Ten thousand in flight, answered in any order through twenty cuts at any moment.
#[test]
fn each_of_ten_thousand_ends_exactly_once_through_twenty_cuts() {
    let (count, cuts) = (if cfg!(miri) { 100 } else { 10_000_u64 }, 20);
    for seed in 0..testing::rounds(3) {
        let mut rng = Rng::new(seed as u64, Stream::Dedupe);
        let mut rig = Rig::opened(SessionConfig::default());
        let mut server = BTreeSet::new();
        let mut ends: BTreeMap<u64, Outcome> = BTreeMap::new();
        let read = |written: Vec<String>, server: &mut BTreeSet<u64>| {
            for text in written {
                let id = text.split_once(r#""id":"#).and_then(|(_, rest)| {
                    rest.split(',').next().and_then(|digits| digits.parse().ok())
                });
                server.insert(id.expect("an id"));
            }
        };
        for id in 1..=count {
            let class = if id % 2 == 0 { Class::Acknowledged } else { Class::Queued };
            let patient = Duration::from_secs(3_600);
            rig.ask(Request::call("get", None).class(class).timeout(patient));
        }
        read(rig.written(), &mut server);
        for cut in 0..=cuts {
            let answers = if cut == cuts { server.len() } else { server.len() / 10 };
            for _ in 0..answers {
                let at = rng.next() % (count + 1);
                let next = server.range(at..).next().or_else(|| server.iter().next());
                let Some(id) = next.copied() else { break };
                server.remove(&id);
                rig.hear(result(id));
                if rng.next().is_multiple_of(8) {
                    rig.hear(result(id));
                }
            }
            if cut < cuts {
                // What the server has heard and not answered is forgotten with the connection.
                server.clear();
                rig.lose();
                rig.reopen();
                read(rig.written(), &mut server);
            }
            for (id, outcome) in outcomes(&mut rig) {
                assert!(ends.insert(id, outcome).is_none(), "seed {seed}: {id} ended twice");
            }
        }
        assert_eq!(ends.len() as u64, count, "seed {seed}: none hangs");
        for (id, outcome) in ends {
            let answered = matches!(outcome, Outcome::Answered(_));
            let lost = matches!(outcome, Outcome::Lost);
            assert!(answered || lost && id % 2 == 1, "seed {seed}: {id} {outcome:?}");
        }
        assert_eq!(rig.session.status().requests, 0);
        assert!(rig.session.requests.messages() == 0, "nothing is left behind");
    }
}
