//! `Config::manager()`.

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use perennial::bus::{Bus, Pattern, Routing};
use perennial::core::{DialectConfig, HeartbeatFrames, RetryChoice};
use perennial::practice::{CloseAfter, Faults};
use perennial::{
    Backoff, ClosedBy, Config, Death, HeartbeatStyle, Jitter, Notice, Snapshot, State,
};
use serde_json::{Value, json};

use crate::host::{Host, Peer};
use crate::support::{LONG, closed, connect, eventually, find, seen, text, until};
use crate::{BEAT, assert_still, beating, builder, gave_up, refusing, serve, soon};

const PING: &str = r#"{"type":"ping"}"#;
const PONG: &str = r#"{"type":"pong"}"#;

#[test]
fn its_own_times() {
    let config = Config::manager();
    assert_eq!(config.retry.max_retries, Some(10));
    assert_eq!(config.retry.backoff, Backoff::Constant { base: Duration::from_secs(3) });
    assert_eq!(config.retry.jitter, Jitter::None);
    assert_eq!(config.heartbeat.interval, Duration::from_secs(30));
    assert_eq!(config.heartbeat.style, HeartbeatStyle::Application);
    assert!(config.connect.auto && !config.connect.fail_fast);
    let DialectConfig::Json(json) = &config.dialect else { panic!("{:?}", config.dialect) };
    let HeartbeatFrames::Json { ping, pong, timestamp } = &json.heartbeat else {
        panic!("{:?}", json.heartbeat)
    };
    assert_eq!((ping.as_str(), pong.as_str(), *timestamp), ("ping", "pong", false));
}

#[test]
fn a_json_ping_goes_out_and_its_pong_is_consumed() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), beating(Config::manager()));
    let mut peer = host.peer();
    for round in ["one", "two", "three"] {
        peer.hears(PING);
        peer.says(PONG);
        peer.says(&format!(r#"{{"type":"news","round":"{round}"}}"#));
        peer.says(round);
        // What is no pong comes as it was said, JSON or not.
        assert_eq!(text(&mut client), format!(r#"{{"type":"news","round":"{round}"}}"#));
        assert_eq!(text(&mut client), round);
    }
    assert!(client.status().rtt.is_some(), "a pong was taken for the answer to its ping");
}

#[test]
fn on_its_bus_json_is_a_value_and_neither_a_pong_nor_other_text_is_there() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), beating(Config::manager()));
    // Whoever wants everything that has a topic; a pong would have one.
    let mut bus = client.topic::<Value>("**").unwrap();
    let mut peer = host.peer();
    for round in 1..=3 {
        peer.hears(PING);
        peer.says(PONG);
        peer.says(&format!(r#"{{"type":"news","round":{round}}}"#));
        peer.says("no JSON");
        let value = bus.recv_timeout(LONG).unwrap().unwrap().unwrap();
        assert_eq!(value, json!({"type": "news", "round": round}));
        // The next that the client has: the value went past it.
        assert_eq!(text(&mut client), "no JSON");
    }
    assert!(client.status().rtt.is_some(), "a pong was taken for the answer to its ping");
    assert!(bus.try_recv().is_none());
}

#[test]
fn what_nobody_subscribed_to_can_be_dropped_and_is_in_no_history_then() {
    let mut host = Host::new();
    let builder = builder(&host.url(), soon(Config::manager())).history(3).discard_unrouted();
    let client = builder.connect().unwrap();
    let mut news = client.listen("news").unwrap();
    let view = client.view();
    let mut peer = host.peer();
    for said in ["no JSON", r#"{"type":"weather"}"#, r#"{"type":"news"}"#] {
        peer.says(said);
    }
    let heard = news.recv_timeout(LONG).unwrap().unwrap().unwrap();
    assert_eq!(heard.topic(), Some("news"));
    assert_eq!(client.session_status().discarded, 2);
    // A view is told after the subscribers are.
    eventually("the history has it", || !view.history().is_empty());
    let history: Vec<_> = view.history().iter().map(|entry| entry.value.to_string()).collect();
    assert_eq!(history, [r#"{"type":"news"}"#]);
}

#[test]
fn its_message_callback_comes_first_and_hands_on_to_its_bus() {
    let mut host = Host::new();
    let builder = builder(&host.url(), soon(Config::manager()));
    let (told, log) = mpsc::channel();
    let run = thread::spawn(move || {
        let mut bus = Bus::new(Routing::default());
        let news = bus.subscribe(&bus.pattern("news").unwrap());
        let rest = bus.subscribe(&Pattern::unrouted());
        let mut whose = Vec::new();
        builder.run(|_, notice| {
            let Notice::Message(message) = notice else { return ControlFlow::Continue(()) };
            told.send(format!("callback: {message}")).unwrap();
            if message.as_text() == Some("enough") {
                return ControlFlow::Break(());
            }
            let delivery = bus.route(message, &mut whose);
            for subscriber in whose.drain(..) {
                let part = if subscriber == news {
                    format!("news: {}", delivery.parse::<Value>().unwrap()["round"])
                } else {
                    assert_eq!(subscriber, rest);
                    format!("rest: {}", delivery.as_text().unwrap())
                };
                told.send(part).unwrap();
            }
            ControlFlow::Continue(())
        })
    });
    let mut peer = host.peer();
    for said in [r#"{"type":"news","round":1}"#, "no JSON", "enough"] {
        peer.says(said);
    }
    peer.hears_goodbye(1000);
    assert_eq!(run.join().unwrap().unwrap().by, ClosedBy::Application);
    let expected = [
        r#"callback: {"type":"news","round":1}"#,
        "news: 1",
        "callback: no JSON",
        "rest: no JSON",
        "callback: enough",
    ];
    assert_eq!(log.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn its_history_is_stamped_and_keeps_no_more_than_it_was_told_to() {
    let mut host = Host::new();
    let builder = builder(&host.url(), soon(Config::manager())).history(3);
    let mut client = builder.connect().unwrap();
    let view = client.view();
    let mut peer = host.peer();
    for n in 1..=50 {
        if n == 40 {
            peer.resets();
            peer = host.peer();
        }
        peer.says(&n.to_string());
        assert_eq!(text(&mut client), n.to_string());
        let history = view.history();
        assert_eq!(history.len(), n.min(3));
        assert!(history.is_sorted_by_key(|entry| entry.at));
        let texts: Vec<_> = history.iter().map(|entry| entry.value.to_string()).collect();
        let last: Vec<_> = (n.saturating_sub(2).max(1)..=n).map(|n| n.to_string()).collect();
        assert_eq!(texts, last, "the last ones, whatever was lost meanwhile");
    }
    assert_eq!(view.snapshot().latest.map(|latest| latest.value.to_string()), Some("50".into()));
    view.clear();
    assert!(view.history().is_empty() && view.snapshot().latest.is_none());
}

#[test]
fn a_close_leads_to_one_reconnect() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), soon(Config::manager()));
    let peer = host.peer();
    peer.closes(1000);
    let peer = host.peer();
    peer.resets();
    // An error and a close.
    let peer = host.peer();
    peer.closes_and_resets(1001);
    let mut peer = host.peer();
    peer.says("here");
    assert_eq!(text(&mut client), "here");
    host.is_left_alone();
    let status = client.status();
    assert_eq!((status.state, status.counters.reconnects), (State::Open, 3));
}

#[test]
fn closing_by_hand_is_final() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), soon(Config::manager()));
    let peer = host.peer();
    until(&mut client, State::Open);
    client.close();
    peer.hears_goodbye(1000);
    let closed = closed(&mut client);
    assert_eq!((closed.by, closed.code, closed.clean), (ClosedBy::Application, 1000, true));
    assert_eq!(client.state(), State::Closed);
    client.reconnect();
    host.is_left_alone();
}

#[test]
fn closing_by_hand_is_final_when_a_reconnect_is_pending() {
    let mut host = Host::new();
    let builder = builder(&host.url(), soon(Config::manager()));
    // In the callback nothing happens meanwhile: the reconnect is pending for certain.
    let run = thread::spawn(move || {
        builder.run(|_, notice| match notice {
            Notice::Retrying { .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
    });
    host.peer().resets();
    assert_eq!(run.join().unwrap().unwrap().by, ClosedBy::Application);
    host.is_left_alone();
}

#[test]
fn no_more_than_10_reconnects() {
    let server = refusing();
    let mut client = connect(&server.url(), soon(Config::manager()));
    let end = closed(&mut client);
    assert_eq!((end.by, end.reason.status()), (ClosedBy::Policy, Some(503)));
    assert!(gave_up(&end), "{}", end.reason);
    assert_still(&server, |server| server.stats().tcp_accepts);
    assert_eq!(server.stats().refused, 1 + 10);
}

#[test]
fn no_more_than_10_reconnects_to_a_server_that_hangs_up() {
    let close = CloseAfter { code: 1001, reason: "not now".to_owned(), messages: 0 };
    let server = serve(Faults { close_after: Some(close), ..Faults::default() });
    let mut client = connect(&server.url(), soon(Config::manager()));
    let end = closed(&mut client);
    assert_eq!((end.by, end.code), (ClosedBy::Policy, 1001));
    assert!(gave_up(&end) && end.reason.to_string().contains("not now"), "{}", end.reason);
    assert_still(&server, |server| server.stats().tcp_accepts);
    assert_eq!(server.stats().upgrades, 1 + 10);
}

#[test]
fn reconnecting_by_hand_counts_anew() {
    let server = refusing();
    let mut held = false;
    // Before the fourth attempt it would wait longer than any test.
    let builder = builder(&server.url(), soon(Config::manager())).on_retry(move |context| {
        if context.attempt == 4 && !std::mem::replace(&mut held, true) {
            RetryChoice::After(Duration::from_secs(3_600))
        } else {
            RetryChoice::Keep
        }
    });
    let mut client = builder.connect().unwrap();
    find(&mut client, |notice| match notice {
        Notice::Retrying { attempt: 4, .. } => Some(()),
        _ => None,
    });
    client.reconnect();
    let attempt = find(&mut client, |notice| match notice {
        Notice::Dialing { attempt, .. } => Some(*attempt),
        _ => None,
    });
    assert_eq!(attempt, 1);
    let end = closed(&mut client);
    assert!(gave_up(&end), "{}", end.reason);
    assert_eq!(server.stats().refused, 3 + 11, "all of them are there again");
}

#[test]
fn a_missing_pong_closes_the_link() {
    let mut host = Host::new();
    let mut config = beating(Config::manager());
    config.heartbeat.deadline = BEAT;
    let mut client = connect(&host.url(), config);
    let mut silent = host.peer();
    silent.hears(PING);
    let why = find(&mut client, |notice| match notice {
        Notice::Dead { why, .. } => Some(*why),
        _ => None,
    });
    assert_eq!(why, Death::Pong);
    host.peer_after(&mut silent);
}

#[test]
fn what_is_sent_while_down_goes_out_in_order() {
    let mut host = Host::new();
    let mut client = connect(&host.url(), soon(Config::manager()));
    // Nothing is answered yet.
    client.send("a").unwrap();
    client.send("b").unwrap();
    let mut peer = host.peer();
    peer.hears("a");
    peer.hears("b");
    peer.resets();
    until(&mut client, State::Reconnecting);
    client.send("c").unwrap();
    client.send(r#"{"type":"d"}"#).unwrap();
    assert_eq!(client.status().queued, 2);
    let mut peer = host.peer();
    client.send("e").unwrap();
    for text in ["c", r#"{"type":"d"}"#, "e"] {
        peer.hears(text);
    }
}

#[test]
fn the_status_tells_what_it_told() {
    let mut host = Host::new();
    let secret = host.url().replace("ws://", "ws://ada:secret@") + "feed?token=secret";
    let target = host.url() + "feed";
    let mut client = connect(&secret, soon(Config::manager()));
    assert_eq!(client.state(), State::Connecting);
    let peer = host.peer();
    until(&mut client, State::Open);
    assert_eq!(client.target().as_deref(), Some(&*target));
    peer.resets();
    until(&mut client, State::Reconnecting);
    let status = client.status();
    assert!(status.last_error.is_some_and(|error| error.contains("reset")));
    let peer = host.peer();
    until(&mut client, State::Open);
    let snapshot = client.view().snapshot();
    assert_eq!(snapshot.target.as_deref(), Some(&*target));
    assert!(!format!("{snapshot:?}").contains("secret"), "{snapshot:?}");
    assert_eq!((client.state(), client.counters().reconnects), (State::Open, 1));
    client.close();
    peer.hears_goodbye(1000);
    assert_eq!(closed(&mut client).by, ClosedBy::Application);
    assert_eq!(client.closed().map(|closed| closed.by), Some(ClosedBy::Application));
}

#[test]
fn the_store_tells_idle_from_loading_and_where_each_attempt_leads() {
    let mut host = Host::new();
    let mut config = soon(Config::manager());
    config.connect.auto = false;
    let (base, mut round) = (host.url(), 0);
    let mut client = builder(&base, config)
        .history(2)
        .on_request(move |attempt| {
            round += 1;
            Ok(attempt.set_url(&format!("{base}{round}?token=secret"))?)
        })
        .connect()
        .unwrap();
    let led = |snapshot: &Snapshot| {
        assert!(!format!("{snapshot:?}").contains("secret"), "{snapshot:?}");
        snapshot.target.as_ref().map(|target| target.rsplit('/').next().unwrap().to_owned())
    };
    let mut view = client.view();
    let idle = view.snapshot();
    assert_eq!((idle.state, idle.phase, led(&idle)), (State::Connecting, "idle", None));
    assert!(!idle.loading() && !idle.connected());

    client.reconnect();
    let socket = host.socket();
    // Nothing is answered yet.
    let first = seen(&mut view, |now| led(now).as_deref() == Some("1"));
    assert_eq!(first.phase, "dialing");
    assert!(first.loading() && !first.connected() && first.last_error.is_none());
    let peer = Peer::new(socket);
    let open = seen(&mut view, Snapshot::connected);
    assert!(!open.loading(), "{open:?}");
    peer.resets();
    let socket = host.socket();
    let second = seen(&mut view, |now| led(now).as_deref() == Some("2"));
    assert!(second.loading() && !second.connected() && second.last_error.is_some());
    let mut peer = Peer::new(socket);
    for text in ["one", "two", "three"] {
        peer.says(text);
        let said = |now: &Snapshot| {
            now.latest.as_ref().is_some_and(|latest| latest.value.as_text() == Some(text))
        };
        assert!(!seen(&mut view, said).loading());
    }
    let history = view.history();
    assert!(history.len() == 2 && history.is_sorted_by_key(|message| message.at));
    view.clear();
    let cleared = view.snapshot();
    assert_eq!((cleared.latest, cleared.last_error, view.history().len()), (None, None, 0));
    assert!(cleared.target.is_some());

    client.close();
    peer.hears_goodbye(1000);
    closed(&mut client);
    let end = view.snapshot();
    assert_eq!((end.state, end.phase, led(&end)), (State::Closed, "closed", Some("2".to_owned())));
    assert!(!end.loading() && !end.connected());
}
