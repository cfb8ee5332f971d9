use crate::support::*;
use perennial::practice::{App, Options, Server};
use serde_json::json;
use std::time::Duration;

fn app(app: App) -> Server {
    start(Options {
        app,
        tick_every: Duration::from_millis(5),
        piece_every: Duration::from_millis(1),
        ..Options::default()
    })
}

#[test]
fn chat_passes_messages_within_a_room() {
    let server = app(App::Chat);
    let mut ann = connect(&server);
    let mut bob = connect_to(&server, "/lobby");
    let mut other = connect_to(&server, "/other");
    let guest = hear_json(&mut ann);
    assert_eq!(guest["type"], "join");
    assert!(guest["user"].as_str().unwrap().starts_with("guest-"), "{guest}");
    let hello = r#"{"type":"chat","user":"ann","text":"hello"}"#;
    say(&mut ann, hello);
    for client in [&mut ann, &mut bob] {
        assert_eq!(hear_json(client), json!({"type": "join", "user": "ann"}));
        assert_eq!(hear_json(client), json!({"type": "chat", "user": "ann", "text": "hello"}));
    }
    server.reset_all();
    let _ = end(&mut other);
    let mut bob = connect(&server);
    let mut ann = connect(&server);
    assert_eq!(hear_json(&mut bob)["type"], "join");
    say(&mut ann, r#"{"type":"join","user":"ann"}"#);
    assert_eq!(hear_json(&mut bob), json!({"type": "join", "user": "ann"}));
    drop(ann);
    assert_eq!(hear_json(&mut bob), json!({"type": "leave", "user": "ann"}));
}

#[test]
fn ticker_ticks_in_sequence_until_unsubscribed() {
    let server = app(App::Ticker);
    let mut client = connect(&server);
    say(&mut client, r#"{"type":"subscribe","symbols":["AAPL"]}"#);
    for seq in 1..=5 {
        let tick = hear_json(&mut client);
        assert_eq!((&tick["type"], &tick["symbol"]), (&json!("tick"), &json!("AAPL")));
        assert_eq!(tick["seq"], seq);
        assert!(tick["price"].as_f64().unwrap() > 0.0);
    }
    say(&mut client, r#"{"type":"unsubscribe","symbols":["AAPL"]}"#);
    say(&mut client, "ping");
    while hear(&mut client) != "pong" {}
    assert_silent(&mut client);
}

#[test]
fn ai_streams_and_is_interrupted() {
    let server = app(App::Ai);
    let mut client = connect(&server);
    say(&mut client, r#"{"type":"prompt","message":"hello","stream":true}"#);
    let first = hear_json(&mut client);
    assert_eq!(first["type"], "stream");
    let mut pieces = 1;
    loop {
        let next = hear_json(&mut client);
        assert_eq!(next["event_id"], first["event_id"]);
        match next["type"].as_str() {
            Some("stream") => pieces += 1,
            Some("complete") => break,
            _ => panic!("{next}"),
        }
    }
    assert!(pieces > 5);
    let slow =
        start(Options { app: App::Ai, piece_every: Duration::from_secs(60), ..Options::default() });
    let mut client = connect(&slow);
    say(&mut client, r#"{"type":"prompt","message":"hello","stream":true}"#);
    say(&mut client, r#"{"type":"interrupt"}"#);
    assert_eq!(hear_json(&mut client)["type"], "end");
}

#[test]
fn game_starts_and_passes_moves() {
    let server = app(App::Game);
    let (mut ann, mut bob) = (connect(&server), connect(&server));
    say(&mut ann, r#"{"type":"playerJoin","player":"ann"}"#);
    say(&mut ann, "ping");
    assert_eq!(hear(&mut ann), "pong");
    say(&mut bob, r#"{"type":"playerJoin","player":"bob","id":1}"#);
    assert_eq!(hear_json(&mut bob), json!({"ack": 1}));
    assert_eq!(hear_json(&mut bob)["players"], json!(["ann", "bob"]));
    assert_eq!(hear_json(&mut ann)["type"], "playerJoin");
    assert_eq!(hear_json(&mut ann)["type"], "gameStart");
    say(&mut ann, r#"{"type":"playerMove","x":3,"timestamp":5}"#);
    let moved = hear_json(&mut bob);
    assert_eq!(moved, json!({"type": "playerMove", "x": 3, "timestamp": 5, "player": "ann"}));
    drop(ann);
    assert_eq!(hear_json(&mut bob), json!({"type": "playerLeave", "player": "ann"}));
}
