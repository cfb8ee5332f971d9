//! What stands at the server after each reconnect.

use alloc::collections::BTreeMap;
use alloc::format;

use super::*;
use crate::config::Class;
use crate::rng::{Rng, Stream};
use crate::session::{Asks, Unconfirmed, Verdict};
use crate::subscriptions::{Confirm, Matcher, News};
use crate::testing;

fn symbol(name: &str) -> Subscription {
    Subscription::new(format!("+{name}")).unsay(format!("-{name}"))
}

#[test]
fn the_live_ones_are_said_again_in_the_order_they_were_made() {
    let mut rig = Rig::opened(SessionConfig::default());
    let a = rig.subscribe(symbol("a"));
    rig.subscribe(symbol("b"));
    rig.subscribe(symbol("c"));
    assert_eq!(rig.written(), ["+a", "+b", "+c"]);
    rig.unsubscribe(a);
    assert_eq!(rig.written(), ["-a"]);
    rig.subscribe(symbol("a"));
    assert_eq!(rig.written(), ["+a"]);
    rig.lose();
    rig.send("queued");
    rig.reopen();
    assert_eq!(rig.written(), ["+b", "+c", "+a", "queued"]);
}

#[test]
fn one_that_was_taken_back_while_down_is_never_said() {
    let mut rig = Rig::opened(SessionConfig::default());
    let a = rig.subscribe(symbol("a"));
    rig.written();
    rig.lose();
    rig.unsubscribe(a);
    let b = rig.subscribe(symbol("b"));
    rig.unsubscribe(b);
    rig.reopen();
    assert!(rig.written().is_empty());
}

#[test]
fn they_are_said_even_if_the_queue_is_full() {
    let mut config = Config::builder();
    config.opening.hold = true;
    config.outbox.max_messages = 1;
    let mut rig = Rig::with(config.build().expect("a config"), SessionConfig::default());
    for n in 0..200 {
        rig.subscribe(symbol(&n.to_string()));
    }
    rig.send("queued");
    rig.open();
    let written = rig.written();
    assert_eq!(written.len(), 201);
    assert_eq!((written[0].as_str(), written[200].as_str()), ("+0", "queued"));
}

#[test]
fn a_refusal_and_a_silence_are_told_and_the_policy_decides() {
    for unconfirmed in [Unconfirmed::Continue, Unconfirmed::Reconnect] {
        let config = SessionConfig { unconfirmed, ..SessionConfig::default() };
        let confirm = Confirm::when(Matcher::new("ok", true)).refuse(Matcher::new("ok", false));
        let mut rig = Rig::opened(config);
        let first = rig.transport();
        rig.subscribe(symbol("a").confirm(confirm));
        rig.hear(r#"{"ok":false}"#);
        assert!(matches!(rig.told[..], [Told { news: News::Refused { .. }, .. }]));
        let lives_on = rig.connection.is_open_on(first);
        assert_eq!(lives_on, unconfirmed == Unconfirmed::Continue);
    }
}

#[test]
fn the_queue_waits_for_confirmations_for_three_quarters_of_the_opening() {
    let mut rig = Rig::opened(SessionConfig::default());
    let patience = rig.connection.config().opening.timeout / 4 * 3;
    let confirm = Confirm::when(Matcher::new("ok", true)).timeout(Duration::from_secs(3_000));
    rig.subscribe(symbol("a").confirm(confirm));
    rig.lose();
    rig.send("queued");
    rig.reopen();
    assert_eq!(rig.written().last().map(String::as_str), Some("+a"));
    assert_eq!(rig.until, Some(rig.now + patience), "so long does the driver sleep");
    rig.pass_to_deadline();
    assert_eq!(rig.written(), ["queued"]);
}

#[test]
fn a_ticker_on_the_client_preset_hears_its_symbols_again_after_each_reconnect() {
    const SUBSCRIBE: &str = r#"{"type":"subscribe","symbols":["ASH","BIRCH"]}"#;
    let mut config = Config::client().into_builder();
    config.opening.hold = true;
    let mut rig = Rig::with(config.build().expect("a config"), SessionConfig::default());
    rig.subscribe(Subscription::new(SUBSCRIBE));
    rig.open();
    assert_eq!(rig.written(), [SUBSCRIBE]);
    for round in 1..=10_u64 {
        // A connection that lasts.
        rig.pass(Duration::from_secs(30));
        assert_eq!(rig.written(), [r#"{"type":"ping"}"#], "and nothing is said twice on it");
        rig.hear(r#"{"type":"pong"}"#);
        let lost = rig.now;
        rig.lose();
        rig.send(r#"{"type":"order","symbol":"ASH"}"#);
        rig.pass(Duration::from_secs(5));
        rig.refuse();
        rig.reopen();
        assert_eq!(rig.now, lost + Duration::from_secs(10), "two attempts, 5 s apart");
        assert_eq!(rig.written(), [SUBSCRIBE, r#"{"type":"order","symbol":"ASH"}"#]);
        assert_eq!(rig.connection.counters().reconnects, round);
    }
}

/// The server's side of a ticker: what it was told on this transport.
fn apply(standing: &mut BTreeMap<String, usize>, written: Vec<String>) {
    for text in written {
        match text.split_at(1) {
            ("+", name) => *standing.entry(name.to_string()).or_default() += 1,
            ("-", name) => {
                standing.remove(name).expect("it stood");
            }
            _ => {}
        }
    }
}

#[test]
fn two_hundred_cuts_leave_exactly_the_live_ones_standing_none_twice() {
    for seed in 0..testing::rounds(10) {
        let mut rng = Rng::new(seed as u64, Stream::Dedupe);
        let mut rig = Rig::opened(SessionConfig::default());
        let mut live: BTreeMap<String, SubscriptionId> = BTreeMap::new();
        let mut standing = BTreeMap::new();
        for _ in 0..if cfg!(miri) { 10 } else { 200 } {
            for _ in 0..rng.next() % 6 {
                let name = (rng.next() % 20).to_string();
                match live.remove(&name) {
                    Some(id) => rig.unsubscribe(id),
                    None => {
                        let id = rig.subscribe(symbol(&name));
                        live.insert(name, id);
                    }
                }
                if rng.next().is_multiple_of(4) {
                    rig.event(Event::Send(Outgoing::new("other").class(Class::Volatile)));
                }
                if rng.next().is_multiple_of(3) && rig.open {
                    apply(&mut standing, rig.written());
                    standing.clear();
                    rig.lose();
                }
            }
            apply(&mut standing, rig.written());
            if rig.open {
                rig.lose();
            }
            standing.clear();
            rig.reopen();
            apply(&mut standing, rig.written());
            assert!(standing.keys().eq(live.keys()), "seed {seed}: {standing:?} and {live:?}");
            assert!(standing.values().all(|times| *times == 1), "seed {seed}: {standing:?}");
        }
    }
}

#[test]
fn what_cannot_be_said_is_told_at_once() {
    let mut config = Config::builder();
    config.opening.hold = true;
    config.outbox.max_bytes = 10;
    let mut rig = Rig::with(config.build().expect("a config"), SessionConfig::default());
    let large = rig.subscribe(Subscription::new("x".repeat(11)));
    rig.subscribe(Subscription::new("sub"));
    rig.open();
    assert_eq!(rig.written(), ["sub"]);
    let news: Vec<_> = rig.told.drain(..).map(|told| (told.id, told.news)).collect();
    assert!(matches!(&news[..], [(id, News::Unsayable { .. })] if *id == large), "{news:?}");
}

fn reconnecting() -> SessionConfig {
    SessionConfig { unconfirmed: Unconfirmed::Reconnect, ..SessionConfig::default() }
}

/// One that nobody confirms within a second.
fn unconfirmed(name: &str) -> Subscription {
    let confirm = Confirm::when(Matcher::new("ok", name)).timeout(Duration::from_secs(1));
    symbol(name).confirm(confirm)
}

#[test]
fn however_many_are_not_confirmed_they_cost_one_transport() {
    let mut rig = Rig::opened(reconnecting());
    let first = rig.transport();
    for n in 0..5 {
        rig.subscribe(unconfirmed(&n.to_string()));
    }
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.told.len(), 5);
    rig.reopen();
    assert_eq!(rig.transport().get(), first.get() + 1, "dialled once");
    assert_eq!(rig.connection.counters().stale_events, 0, "given up once");
}

#[test]
fn what_is_not_confirmed_calls_no_close_off() {
    let mut rig = Rig::opened(reconnecting());
    let first = rig.transport();
    rig.subscribe(unconfirmed("a"));
    rig.event(Event::Close(crate::frame::CloseFrame::new(1000, "")));
    rig.pass(Duration::from_secs(60));
    assert!(matches!(rig.told[..], [Told { news: News::Unconfirmed, .. }]));
    assert_eq!(rig.transport(), first, "nothing was dialled");
    assert_eq!(rig.connection.state(), crate::notice::State::Closed);
}

#[test]
fn what_can_be_said_no_more_calls_no_drain_off() {
    let mut rig = Rig::opened(reconnecting());
    let first = rig.transport();
    let confirmed = rig.subscribe(Subscription::new("sub").unsay("unsub"));
    rig.flushes = false;
    rig.send("one");
    let close = crate::frame::CloseFrame::new(1000, "");
    rig.event(Event::Drain { timeout: Some(Duration::from_secs(5)), close });
    // One is taken back, one comes, and one is not confirmed in time: nothing can be said of them.
    rig.unsubscribe(confirmed);
    rig.subscribe(unconfirmed("a"));
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.transport(), first, "nothing was dialled");
    assert_eq!(rig.connection.counters().uncertain, 0, "what is being sent goes on");
    assert!(rig.connection.is_open_on(first));
}

#[test]
fn nothing_is_said_on_a_transport_that_was_given_up() {
    let mut config = Config::builder();
    config.opening.hold = true;
    config.outbox.max_bytes = 10;
    let mut rig = Rig::with(config.build().expect("a config"), reconnecting());
    let large = rig.subscribe(Subscription::new("x".repeat(11)));
    rig.subscribe(Subscription::new("sub"));
    rig.open();
    assert!(rig.written().is_empty());
    let news: Vec<_> = rig.told.drain(..).map(|told| (told.id, told.news)).collect();
    assert!(matches!(&news[..], [(id, News::Unsayable { .. })] if *id == large), "{news:?}");
    assert_eq!(rig.connection.counters().stale_events, 0, "nor released");
}

#[test]
fn one_that_comes_too_late_for_its_transport_is_said_on_the_next() {
    let mut rig = Rig::new(SessionConfig {
        asks: Asks { login: true, queue: false },
        ..SessionConfig::default()
    });
    rig.open();
    // Nobody comes before the opening has taken too long.
    rig.now = rig.now + Duration::from_secs(60);
    let send = Vec::new();
    let transport = rig.transport();
    let verdict = Some(Verdict::Good);
    rig.session.decide(&mut rig.connection, rig.now, Decision::Login { transport, send, verdict });
    rig.subscribe(symbol("a"));
    rig.subscribe(symbol("b"));
    assert!(rig.told.is_empty(), "{:?}", rig.told);
    rig.reopen();
    let (transport, send, verdict) = (rig.transport(), Vec::new(), Some(Verdict::Good));
    rig.decide(Decision::Login { transport, send, verdict });
    assert_eq!(rig.written(), ["+a", "+b"]);
}

#[test]
fn one_that_is_not_confirmed_costs_a_transport_that_is_not_held() {
    let mut rig = Rig::with(Config::builder().build().expect("a config"), reconnecting());
    rig.subscribe(unconfirmed("a"));
    rig.open();
    let first = rig.transport();
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.connection.state(), crate::notice::State::Reconnecting);
    rig.written();
    rig.reopen();
    assert_ne!(rig.transport(), first);
    rig.subscribe(symbol("b"));
    assert_eq!(rig.written(), ["+a", "+b"]);
}

#[test]
fn a_login_that_fails_costs_a_transport_that_is_not_held() {
    let asks = Asks { login: true, queue: false };
    let config = SessionConfig { asks, ..SessionConfig::default() };
    let mut rig = Rig::with(Config::builder().build().expect("a config"), config);
    rig.open();
    let (transport, send) = (rig.transport(), Vec::new());
    let verdict = Some(Verdict::Failed { detail: "no seat".into() });
    rig.decide(Decision::Login { transport, send, verdict });
    assert_eq!(rig.connection.state(), crate::notice::State::Reconnecting);
}

/// The delays before the attempts, without their jitter.
fn delays(rig: &Rig) -> Vec<(u32, Duration)> {
    let delay = |notice: &Notice| match notice {
        Notice::Retrying { attempt, nominal, .. } => Some((*attempt, *nominal)),
        _ => None,
    };
    rig.notices.iter().filter_map(delay).collect()
}

#[test]
fn a_server_that_never_confirms_is_dialled_less_and_less_often() {
    // Within the opening; and so late that the queue has been released.
    for patience in [1, 8] {
        let mut rig = Rig::new(reconnecting());
        let confirm = Confirm::when(Matcher::new("ok", true));
        let confirm = confirm.timeout(Duration::from_secs(patience));
        rig.subscribe(symbol("a").confirm(confirm));
        rig.open();
        for _ in 0..3 {
            rig.pass(Duration::from_secs(patience));
            rig.reopen();
        }
        let delays = delays(&rig);
        let attempts: Vec<u32> = delays.iter().map(|(attempt, _)| *attempt).collect();
        assert_eq!(attempts, [2, 3, 4], "each counts");
        assert!(delays.is_sorted_by(|(_, a), (_, b)| a < b), "{delays:?}");
    }
}

#[test]
fn a_purge_takes_no_subscription_and_no_farewell_to_one() {
    let mut rig = Rig::opened(SessionConfig::default());
    // Both before the driver has its turn.
    let a =
        rig.session.subscribe(&mut rig.connection, rig.now, symbol("a")).expect("there is room");
    rig.event(Event::Purge);
    assert_eq!(rig.written(), ["+a"]);
    rig.session.unsubscribe(&mut rig.connection, rig.now, a);
    rig.event(Event::Purge);
    assert_eq!(rig.written(), ["-a"]);
    assert!(rig.told.is_empty());
    // More than may be on their way at once.
    for n in 0..200 {
        rig.subscribe(symbol(&format!("{n}")));
    }
    rig.written();
    rig.lose();
    rig.flushes = false;
    rig.reopen();
    let first = rig.written();
    rig.event(Event::Purge);
    rig.flushes = true;
    let transport = rig.transport.expect("one is open");
    rig.event(Event::Flushed { transport, through: u64::MAX });
    let all: Vec<_> = first.into_iter().chain(rig.written()).collect();
    assert_eq!(all, (0..200).map(|n| format!("+{n}")).collect::<Vec<_>>());
}

#[test]
fn the_lifetime_of_messages_is_none_of_subscriptions() {
    let mut config = Config::builder();
    config.opening.hold = true;
    config.outbox.ttl = Some(Duration::from_millis(200));
    config.outbox.write_credit = 1;
    let mut rig = Rig::with(config.build().expect("a config"), SessionConfig::default());
    rig.open();
    rig.flushes = false;
    rig.subscribe(symbol("a"));
    rig.subscribe(symbol("b"));
    assert_eq!(rig.written(), ["+a"]);
    rig.pass(Duration::from_secs(1));
    let transport = rig.transport.expect("one is open");
    rig.event(Event::Flushed { transport, through: u64::MAX });
    assert_eq!(rig.written(), ["+b"]);
    assert!(rig.told.is_empty());
}

#[test]
fn no_confirmation_is_late_that_cannot_be_heard() {
    let config = SessionConfig { unconfirmed: Unconfirmed::Reconnect, ..SessionConfig::default() };
    let mut rig = Rig::opened(config);
    rig.event(Event::PauseReads);
    rig.subscribe(symbol("a").confirm(Confirm::when(Matcher::new("type", "ok"))));
    rig.pass(Duration::from_secs(60));
    assert!(rig.open && rig.told.is_empty());
    // From now on it has the time that it had: the whole, and then what was left.
    rig.event(Event::ResumeReads);
    rig.pass(Duration::from_secs(4));
    for _ in 0..3 {
        rig.event(Event::PauseReads);
        rig.pass(Duration::from_secs(20));
        rig.event(Event::ResumeReads);
    }
    rig.pass(Duration::from_millis(5_999));
    assert!(rig.open && rig.told.is_empty());
    rig.pass(Duration::from_millis(1));
    assert!(!rig.open);
    assert_eq!(rig.told[0].news, News::Unconfirmed);
}
