//! The order of an opening.

use super::*;
use crate::event::Seq;
use crate::notice::{Fate, Reason, State};
use crate::requests::Outcome;
use crate::session::{Asks, Verdict};
use crate::subscriptions::{Confirm, Matcher};

fn asking(login: bool, queue: bool) -> SessionConfig {
    SessionConfig { asks: Asks { login, queue }, ..SessionConfig::default() }
}

fn logged_in(rig: &Rig) -> Decision {
    Decision::Login { transport: rig.transport(), send: Vec::new(), verdict: Some(Verdict::Good) }
}

#[test]
fn with_nothing_to_say_the_queue_flows_at_once() {
    let mut rig = Rig::new(SessionConfig::default());
    rig.send("a");
    rig.send("b");
    rig.open();
    assert_eq!(rig.written(), ["a", "b"]);
}

#[test]
fn login_subscriptions_requests_and_the_queue_go_out_in_this_order() {
    let mut rig = Rig::new(asking(true, true));
    rig.subscribe(Subscription::new("sub 1"));
    rig.subscribe(Subscription::new("sub 2"));
    rig.open();
    rig.decide(logged_in(&rig));
    assert_eq!(rig.written(), ["sub 1", "sub 2"]);
    let class = crate::config::Class::Acknowledged;
    rig.ask(Request::call("get", None).class(class));
    let asked = rig.written();
    assert_eq!(asked, [r#"{"jsonrpc":"2.0","id":1,"method":"get"}"#]);
    rig.asked.clear();

    rig.lose();
    rig.send("queued 1");
    rig.send("queued 2");
    rig.reopen();
    let transport = rig.transport();
    assert_eq!(rig.asked, [Output::Login { transport }]);
    assert!(rig.written().is_empty(), "nothing before the login");
    let send = ["user", "password"].map(Outgoing::new).to_vec();
    rig.decide(Decision::Login { transport, send, verdict: None });
    assert_eq!(rig.written(), ["user", "password"]);
    rig.hear("welcome");
    assert!(matches!(rig.asked.pop_back(), Some(Output::DuringLogin(_))));
    assert!(rig.written().is_empty(), "it is not over");
    rig.decide(logged_in(&rig));
    assert_eq!(rig.written(), ["sub 1", "sub 2", asked[0].as_str()]);
    assert_eq!(rig.asked.pop_back(), Some(Output::Queue { transport }));
    let queued: Vec<Seq> = rig.connection.queued().map(|queued| queued.seq).collect();
    rig.decide(Decision::Queue { transport, drop: Vec::new(), first: [queued[1]].to_vec() });
    assert_eq!(rig.written(), ["queued 2", "queued 1"]);
}

#[test]
fn nothing_overtakes_a_message_that_the_login_still_looks_at() {
    let mut rig = Rig::new(asking(true, false));
    rig.open();
    rig.hear("welcome");
    rig.hear("1");
    rig.session.decide(&mut rig.connection, rig.now, Decision::Taken);
    rig.decide(logged_in(&rig));
    // The login is over, and nobody has answered for the first yet.
    rig.hear("2");
    assert!(rig.messages().is_empty());
    let shown = rig.asked.drain(..).filter_map(|asked| match asked {
        Output::DuringLogin(message) => Some(message),
        _ => None,
    });
    for message in shown.skip(1).collect::<Vec<_>>() {
        rig.decide(Decision::Pass(message));
    }
    rig.hear("3");
    assert_eq!(rig.messages(), ["1", "2", "3"]);
}

#[test]
fn what_is_sent_during_the_opening_waits_its_turn() {
    let mut rig = Rig::new(asking(true, false));
    rig.open();
    rig.send("early");
    rig.subscribe(Subscription::new("sub"));
    assert!(rig.written().is_empty());
    rig.decide(logged_in(&rig));
    assert_eq!(rig.written(), ["sub", "early"]);
}

#[test]
fn a_login_that_failed_is_tried_again_on_another_transport() {
    let mut rig = Rig::new(asking(true, false));
    rig.send("queued");
    rig.open();
    let first = rig.transport();
    let verdict = Some(Verdict::Failed { detail: "no seat".into() });
    rig.decide(Decision::Login { transport: first, send: Vec::new(), verdict });
    assert_eq!(rig.connection.state(), State::Reconnecting);
    rig.reopen();
    rig.decide(Decision::Login {
        transport: first,
        send: Vec::new(),
        verdict: Some(Verdict::Good),
    });
    assert!(rig.written().is_empty(), "that was about another transport");
    rig.decide(logged_in(&rig));
    assert_eq!(rig.written(), ["queued"]);
}

#[test]
fn a_login_that_was_refused_is_the_end() {
    let mut rig = Rig::new(asking(true, false));
    rig.open();
    let verdict = Some(Verdict::Refused { detail: "unknown user".into() });
    rig.decide(Decision::Login { transport: rig.transport(), send: Vec::new(), verdict });
    rig.pass(Duration::from_secs(60));
    assert_eq!(rig.connection.state(), State::Closed);
    let Some(Notice::Closed(closed)) = rig.notices.last() else { panic!("it is the last") };
    assert!(closed.reason.to_string().contains("unknown user"), "{}", closed.reason);
}

#[test]
fn a_login_message_that_cannot_be_sent_fails_the_login() {
    let mut rig = Rig::new(asking(true, false));
    rig.open();
    let send = [Outgoing::new("x".repeat(65 << 20))].to_vec();
    rig.decide(Decision::Login { transport: rig.transport(), send, verdict: Some(Verdict::Good) });
    assert_eq!(rig.connection.state(), State::Reconnecting);
}

#[test]
fn a_login_that_takes_too_long_fails_the_transport() {
    let mut rig = Rig::new(asking(true, false));
    rig.open();
    let first = rig.transport();
    rig.pass(Duration::from_secs(11));
    assert_ne!(rig.transport, Some(first), "another one was dialled");
}

#[test]
fn what_is_none_of_the_login_is_passed_on_in_its_place() {
    let mut rig = Rig::new(asking(true, false));
    rig.open();
    rig.hear("news");
    rig.hear("welcome");
    rig.hear("more");
    let seen: Vec<Output> = rig.asked.drain(..).collect();
    assert_eq!(seen.len(), 4, "the login, and each message");
    for output in seen {
        match output {
            Output::DuringLogin(message) if message.as_text() == Some("welcome") => {
                rig.decide(Decision::Taken);
                rig.decide(logged_in(&rig));
            }
            Output::DuringLogin(message) => rig.decide(Decision::Pass(message)),
            _ => {}
        }
    }
    rig.hear("last");
    assert_eq!(rig.messages(), ["news", "more", "last"]);
}

#[test]
fn the_application_drops_from_the_queue_before_it_flows() {
    let mut rig = Rig::new(asking(false, true));
    rig.send("a");
    rig.send("b");
    rig.send("c");
    rig.open();
    let queued: Vec<Seq> = rig.connection.queued().map(|queued| queued.seq).collect();
    let (transport, drop) = (rig.transport(), [queued[0]].to_vec());
    rig.decide(Decision::Queue { transport, drop, first: [queued[2]].to_vec() });
    assert_eq!(rig.written(), ["c", "b"]);
    let cancelled = |notice: &Notice| matches!(notice, Notice::Undelivered { seq, fate: Fate::Cancelled, .. } if *seq == queued[0]);
    assert!(rig.notices.iter().any(cancelled), "it is told");
}

#[test]
fn a_queue_of_any_length_is_dropped_in_one_go() {
    let mut rig = Rig::new(asking(false, true));
    (0..2_000).for_each(|number| rig.send(&number.to_string()));
    rig.open();
    let drop: Vec<Seq> = rig.connection.queued().map(|queued| queued.seq).take(1_998).collect();
    let (transport, last) = (rig.transport(), rig.connection.queued().last().expect("one").seq);
    rig.decide(Decision::Queue { transport, drop, first: [last].to_vec() });
    assert_eq!(rig.written(), ["1999", "1998"]);
}

#[test]
fn what_the_application_decides_while_much_happens_is_done() {
    let mut rig = Rig::new(asking(true, true));
    rig.send("queued");
    rig.open();
    let transport = rig.transport();
    // More than is taken before it is looked at.
    let receive = |rig: &mut Rig| {
        let mut busy = false;
        while !busy {
            let frame = Frame::Text("news".into());
            busy = rig.feed(Event::Received { transport, frame }).is_err();
        }
    };
    receive(&mut rig);
    let send = [Outgoing::new("login")].to_vec();
    rig.decide(Decision::Login { transport, send, verdict: Some(Verdict::Good) });
    assert_eq!(rig.written(), ["login"]);
    for asked in core::mem::take(&mut rig.asked) {
        if let Output::DuringLogin(message) = asked {
            rig.decide(Decision::Pass(message));
        }
    }
    receive(&mut rig);
    rig.decide(Decision::Queue { transport, drop: Vec::new(), first: Vec::new() });
    assert_eq!(rig.written(), ["queued"]);
}

#[test]
fn an_empty_queue_is_not_asked_about() {
    let mut rig = Rig::new(asking(false, true));
    rig.open();
    assert!(rig.asked.is_empty());
    rig.send("a");
    assert_eq!(rig.written(), ["a"]);
}

#[test]
fn a_confirmation_holds_the_queue_and_a_server_that_confirms_nothing_does_not_for_ever() {
    let confirm = || Confirm::when(Matcher::new("type", "subscribed"));
    let mut rig = Rig::new(SessionConfig::default());
    rig.subscribe(Subscription::new("sub").confirm(confirm()));
    rig.send("queued");
    rig.open();
    assert_eq!(rig.written(), ["sub"]);
    rig.hear(r#"{"type":"subscribed"}"#);
    assert_eq!(rig.written(), ["queued"]);

    rig.lose();
    rig.send("later");
    rig.reopen();
    let transport = rig.transport();
    assert_eq!(rig.written(), ["sub"]);
    rig.pass(Duration::from_secs(9));
    assert_eq!(rig.written(), ["later"]);
    assert_eq!(rig.transport(), transport, "the connection lives on");
    assert_eq!(rig.connection.state(), State::Open);
}

#[test]
fn a_lost_transport_ends_the_opening() {
    let mut rig = Rig::new(asking(true, false));
    rig.subscribe(Subscription::new("sub"));
    rig.open();
    let first = rig.transport();
    rig.lose();
    rig.decide(Decision::Login {
        transport: first,
        send: Vec::new(),
        verdict: Some(Verdict::Good),
    });
    assert!(rig.written().is_empty());
    rig.reopen();
    rig.decide(logged_in(&rig));
    assert_eq!(rig.written(), ["sub"]);
    let lost = |notice: &&Notice| {
        matches!(notice, Notice::StateChanged { reason: Some(Reason::Ended(_)), .. })
    };
    assert_eq!(rig.notices.iter().filter(lost).count(), 1);
}

#[test]
fn a_login_that_ends_while_it_closes_sends_nothing_again_and_comes_to_rest() {
    let mut rig = Rig::new(asking(true, false));
    rig.open();
    rig.decide(logged_in(&rig));
    rig.ask(Request::call("get", None).class(crate::config::Class::Acknowledged));
    rig.subscribe(Subscription::new("sub"));
    rig.cut();
    rig.written();
    rig.event(Event::Close(crate::frame::CloseFrame::new(1000, "")));
    rig.decide(logged_in(&rig));
    assert!(rig.written().is_empty());
    rig.lose();
    assert_eq!(rig.connection.state(), State::Closed);
    assert_eq!(rig.ended.len(), 1);
}

#[test]
fn a_look_at_the_queue_that_comes_too_late_changes_nothing() {
    let mut rig = Rig::new(asking(false, true));
    rig.send("one");
    rig.flushes = false;
    rig.open();
    let (transport, queued) = (rig.transport(), rig.connection.queued().next().expect("one").seq);
    let decision = |transport, drop| Decision::Queue { transport, drop, first: Vec::new() };
    // Of another transport, while this one is looked at.
    let other = TransportId(transport.get() + 1);
    rig.decide(decision(other, [queued].to_vec()));
    assert_eq!(rig.connection.queued().count(), 1);
    rig.decide(decision(transport, Vec::new()));
    assert_eq!(rig.written(), ["one"]);
    // Of this one, once more.
    rig.lose();
    rig.send("two");
    let queued = rig.connection.queued().last().expect("one").seq;
    rig.decide(decision(transport, [queued].to_vec()));
    assert_eq!(rig.connection.queued().count(), 1);
}

#[test]
fn what_is_due_while_a_request_is_sent_again_is_not_slept_upon() {
    let mut rig = Rig::opened(SessionConfig::default());
    let confirm = Confirm::when(Matcher::new("ok", true));
    rig.subscribe(Subscription::new("sub").confirm(confirm));
    rig.ask(Request::call("get", None).class(crate::config::Class::Acknowledged));
    rig.cut();
    // It waits for the confirmation, and nobody comes before the opening has taken too long.
    rig.now = rig.now + Duration::from_secs(60);
    rig.session.decide(&mut rig.connection, rig.now, Decision::Taken);
    while !matches!(
        rig.session.poll(&mut rig.connection),
        Output::Action(crate::action::Action::Wait { .. })
    ) {}
    let again = rig.session.poll(&mut rig.connection);
    assert!(matches!(again, Output::Action(crate::action::Action::Wait { .. })), "{again:?}");
    assert_eq!(rig.connection.state(), State::Reconnecting);
}

#[test]
fn what_a_login_gives_back_comes_before_the_end() {
    let mut rig = Rig::new(asking(true, false));
    rig.open();
    rig.hear("news");
    // Nobody has looked at that yet, and so the answer goes the same way.
    rig.decide(logged_in(&rig));
    let id = rig.ask(Request::call("get", None));
    rig.hear(r#"{"jsonrpc":"2.0","id":1,"result":null}"#);
    rig.event(Event::Close(crate::frame::CloseFrame::new(1000, "")));
    rig.lose();
    assert_eq!(rig.connection.state(), State::Closed);
    let ends = |rig: &Rig| {
        let closed = |notice: &&Notice| matches!(notice, Notice::Closed(_));
        rig.notices.iter().filter(closed).count()
    };
    let mut shown = 0;
    for asked in core::mem::take(&mut rig.asked) {
        if let Output::DuringLogin(message) = asked {
            assert_eq!(ends(&rig), 0, "something is still with the login");
            rig.decide(Decision::Pass(message));
            shown += 1;
        }
    }
    assert_eq!((shown, ends(&rig)), (2, 1));
    assert_eq!(rig.messages(), ["news"]);
    assert!(matches!(rig.notices.last(), Some(Notice::Closed(_))), "it is the last");
    let ended: Vec<_> = rig.ended.iter().map(|ended| (ended.id, &ended.outcome)).collect();
    assert!(matches!(ended[..], [(a, Outcome::Answered(_))] if a == id), "{ended:?}");
}

#[test]
fn requests_that_come_too_late_for_their_transport_are_not_tried_on_it_one_by_one() {
    let mut rig = Rig::new(asking(true, false));
    rig.open();
    rig.decide(logged_in(&rig));
    let patient = || {
        let request = Request::call("get", None).timeout(Duration::from_secs(3_600));
        request.class(crate::config::Class::Acknowledged)
    };
    for _ in 0..3 {
        rig.ask(patient());
    }
    let asked = rig.written();
    rig.cut();
    // Nobody comes before the opening has taken too long.
    rig.now = rig.now + Duration::from_secs(60);
    rig.decide(logged_in(&rig));
    assert_eq!(rig.connection.state(), State::Reconnecting);
    assert_eq!(rig.connection.counters().rejected, 1, "the first is told, and says all");
    assert_eq!(rig.connection.counters().stale_events, 0, "nothing is released");
    rig.reopen();
    rig.decide(logged_in(&rig));
    assert_eq!(rig.written(), asked);
}
