use crate::support::*;
use perennial::practice::{AckStyle, Faults, Options, Server};
use serde_json::{Value, json};

fn lossy(seed: u64, faults: Faults) -> Server {
    start(Options { seed, faults, ..Options::default() })
}

/// Sends ids 1 to `n`, then a mark, and collects all that comes before the mark's echo.
fn exchange(server: &Server, n: u64) -> Vec<Value> {
    let mut client = connect(server);
    for id in 1..=n {
        say(&mut client, &json!({"id": id, "data": "x"}).to_string());
    }
    say(&mut client, "mark");
    let mut got = Vec::new();
    loop {
        match hear(&mut client).as_str() {
            "mark" => return got,
            text => got.push(serde_json::from_str(text).unwrap()),
        }
    }
}

fn acks(got: &[Value]) -> Vec<u64> {
    got.iter().filter_map(|v| v["ack"].as_u64()).collect()
}

#[test]
fn an_ack_comes_before_the_echo() {
    let server = server(Faults::default());
    let got = exchange(&server, 2);
    let echo = |id: u64| json!({"id": id, "data": "x"});
    assert_eq!(got, [json!({"ack": 1}), echo(1), json!({"ack": 2}), echo(2)]);
    let stats = server.stats();
    assert_eq!((stats.messages, stats.with_id, stats.distinct_ids), (3, 2, 2));
    assert_eq!((stats.acks_sent, stats.sent), (2, 3));
}

#[test]
fn thousands_of_messages_are_each_acknowledged_once() {
    let server = server(Faults::default());
    let got = exchange(&server, 5_000);
    assert_eq!(acks(&got), (1..=5_000).collect::<Vec<_>>());
    assert_eq!(got.len(), 10_000);
}

#[test]
fn only_whole_numbers_are_ids() {
    let server = server(Faults::default());
    let mut client = connect(&server);
    for text in [r#"{"id":"1"}"#, r#"{"id":-1}"#, r#"{"id":1.5}"#, r#"[{"id":1}]"#, r#"{"id":1"#] {
        say(&mut client, text);
        assert_eq!(hear(&mut client), text);
    }
    say(&mut client, r#"{"id":18446744073709551615}"#);
    assert_eq!(hear(&mut client), r#"{"ack":18446744073709551615}"#);
    assert_eq!(server.stats().with_id, 1);
}

#[test]
fn a_fraction_of_the_acks_is_lost_and_the_seed_says_which() {
    let run = |seed| {
        let server = lossy(seed, Faults { lose_acks: 0.5, ..Faults::default() });
        let acks = acks(&exchange(&server, 200));
        let stats = server.stats();
        assert_eq!(stats.acks_sent, acks.len() as u64);
        assert_eq!(stats.acks_sent + stats.acks_lost, 200);
        assert!((60..140).contains(&acks.len()), "{}", acks.len());
        acks
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_fraction_of_the_messages_is_sent_twice() {
    let server = lossy(3, Faults { duplicate: 0.3, ..Faults::default() });
    let got = exchange(&server, 200);
    let echoes = got.iter().filter(|v| v["data"] == "x").count() as u64;
    let stats = server.stats();
    assert_eq!(acks(&got).len(), 200, "acks are never doubled");
    assert!((30..100).contains(&stats.duplicates_sent), "{}", stats.duplicates_sent);
    // The mark may be one of them.
    assert!(echoes == 200 + stats.duplicates_sent || echoes == 199 + stats.duplicates_sent);
}

#[test]
fn lost_messages_are_neither_acknowledged_nor_answered() {
    let faults = Faults { lose_messages: 1.0, ..Faults::default() };
    let server = start(Options { record: true, faults, ..Options::default() });
    assert_eq!(exchange(&server, 5), [Value::Null; 0]);
    let stats = server.stats();
    assert_eq!((stats.messages_lost, stats.distinct_ids), (5, 0));
    assert_eq!(server.received().len(), 1, "only the mark");
}

#[test]
fn messages_sent_again_are_acknowledged_again() {
    for dedupe in [false, true] {
        let server = start(Options { dedupe, record: true, ..Options::default() });
        let first = exchange(&server, 3);
        let again = exchange(&server, 4);
        assert_eq!(acks(&first), [1, 2, 3]);
        assert_eq!(acks(&again), [1, 2, 3, 4]);
        let echoed: Vec<_> = again.iter().filter_map(|v| v["id"].as_u64()).collect();
        assert_eq!(echoed, if dedupe { vec![4] } else { vec![1, 2, 3, 4] });
        let stats = server.stats();
        assert_eq!((stats.with_id, stats.distinct_ids), (7, 4));
        let received: Vec<_> =
            server.received().iter().filter_map(|r| Some((r.connection, r.id?))).collect();
        assert_eq!(received, [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (2, 4)]);
    }
}

#[test]
fn sessions_number_their_messages_apart() {
    let server = start(Options { dedupe: true, ..Options::default() });
    for path in ["/?session=a", "/?session=b", "/"] {
        let mut client = connect_to(&server, path);
        say(&mut client, r#"{"id":1}"#);
        assert_eq!(hear(&mut client), r#"{"ack":1}"#);
        assert_eq!(hear(&mut client), r#"{"id":1}"#);
    }
    assert_eq!(server.stats().distinct_ids, 3);
}

#[test]
fn acks_come_in_the_form_asked_for() {
    let answers = |acks, field: &str, ids: &[u64]| {
        let id_field = field.to_owned();
        let server = start(Options {
            acks,
            id_field,
            app: perennial::practice::App::Silent,
            answer_text_pings: Some(true),
            ..Options::default()
        });
        let mut client = connect(&server);
        for id in ids {
            say(&mut client, &json!({ field: id }).to_string());
        }
        say(&mut client, "ping");
        let mut got = Vec::new();
        loop {
            match hear(&mut client) {
                text if text == "pong" => return got,
                text => got.push(text),
            }
        }
    };
    assert_eq!(answers(AckStyle::Plain, "seq", &[7]), [r#"{"ack":7}"#]);
    assert_eq!(answers(AckStyle::Typed, "id", &[7]), [r#"{"type":"ack","id":7}"#]);
    assert_eq!(answers(AckStyle::Off, "id", &[7]), [""; 0]);
    let cumulative = |n: u64| format!(r#"{{"ack":{n},"cumulative":true}}"#);
    let got = answers(AckStyle::Cumulative, "id", &[4, 5, 7, 6, 6]);
    assert_eq!(got, [4, 5, 5, 7, 7].map(cumulative));
}

#[test]
fn text_pings_are_answered_where_asked() {
    let server = start(Options { answer_text_pings: Some(true), ..Options::default() });
    let mut client = connect(&server);
    for (ping, pong) in [("ping", "pong"), (r#"{"type": "ping"}"#, r#"{"type":"pong"}"#)] {
        say(&mut client, ping);
        assert_eq!(hear(&mut client), pong);
    }
    let stats = server.stats();
    assert_eq!((stats.text_pings, stats.messages), (2, 0));
    let plain = start(Options::default());
    let mut client = connect(&plain);
    say(&mut client, "ping");
    assert_eq!(hear(&mut client), "ping", "echo returns every message");
}
