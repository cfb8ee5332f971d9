//! The applications of `Config::client()`: a chat room, a ticker, a game, an assistant; each through
//! a reset of all its connections.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use perennial::blocking::Client;
use perennial::practice::{App, Options, Server};
use perennial::subscriptions::Subscription;
use perennial::{Config, Message, Notice, State};
use serde_json::{Value, json};

use crate::support::{connect, find, until};
use crate::{soon, wait};

fn start(app: App) -> Server {
    let every = Duration::from_millis(5);
    let options = Options { app, tick_every: every, piece_every: every, ..Options::default() };
    Server::start(options).unwrap()
}

fn join(server: &Server) -> Client {
    let mut client = connect(&server.url(), soon(Config::client()));
    until(&mut client, State::Open);
    client
}

fn say(client: &Client, value: &Value) {
    client.send(value.to_string()).unwrap();
}

/// The next message of that type.
fn hear(client: &mut Client, kind: &str) -> Value {
    find(client, |notice| match notice {
        Notice::Message(message) => Some(json(message)).filter(|value| value["type"] == kind),
        _ => None,
    })
}

fn json(message: &Message) -> Value {
    serde_json::from_str(message.as_text().unwrap()).unwrap()
}

#[test]
fn a_chat_room_goes_on_after_a_reset() {
    let server = start(App::Chat);
    let (mut ann, mut bob) = (join(&server), join(&server));
    for (client, user) in [(&ann, "ann"), (&bob, "bob")] {
        say(client, &json!({"type": "chat", "user": user, "text": "hello"}));
    }
    for client in [&mut ann, &mut bob] {
        while hear(client, "chat")["user"] != "bob" {}
    }
    server.reset_all();
    until(&mut ann, State::Reconnecting);
    let chat = json!({"type": "chat", "user": "bob", "text": "still there?"});
    until(&mut ann, State::Open);
    until(&mut bob, State::Open);
    say(&bob, &chat);
    assert_eq!(hear(&mut ann, "chat"), chat);
    assert_eq!(hear(&mut bob, "chat"), chat, "the sender as well");
}

#[test]
fn a_ticker_is_subscribed_to_again_after_each_reset() {
    let server = start(App::Ticker);
    let mut client = connect(&server.url(), soon(Config::client()));
    // Once; from then on it is the client that says it.
    let subscribe = json!({"type": "subscribe", "symbols": ["ACME", "NOVA"]});
    let _standing = client.subscribe(Subscription::new(subscribe.to_string())).unwrap();
    let mut last = BTreeMap::new();
    for round in 1..=3 {
        until(&mut client, State::Open);
        let mut heard = BTreeSet::new();
        for _ in 0..6 {
            let tick = hear(&mut client, "tick");
            let (symbol, seq) = (tick["symbol"].as_str().unwrap(), tick["seq"].as_u64().unwrap());
            // The server's own numbers, so that a gap can be seen.
            let before = last.insert(symbol.to_owned(), seq);
            assert!(before.is_none_or(|before| before < seq), "{before:?} {tick}");
            assert!(tick["price"].as_f64().is_some_and(|price| price > 0.0), "{tick}");
            heard.insert(symbol.to_owned());
        }
        assert_eq!(heard.iter().collect::<Vec<_>>(), ["ACME", "NOVA"]);
        wait(&server, "it was said each time", |stats| stats.messages == round);
        server.reset_all();
    }
}

#[test]
fn a_game_passes_on_moves_and_actions_with_their_times() {
    let server = start(App::Game);
    let (mut ann, mut bob) = (join(&server), join(&server));
    for _ in 0..2 {
        say(&ann, &json!({"type": "playerJoin", "player": "ann"}));
        say(&bob, &json!({"type": "playerJoin", "player": "bob"}));
        for client in [&mut ann, &mut bob] {
            let players = hear(client, "gameStart")["players"].clone();
            let players: Vec<_> = players.as_array().unwrap().iter().map(Value::as_str).collect();
            assert!(players.contains(&Some("ann")) && players.contains(&Some("bob")));
        }
        let moved =
            json!({"type": "playerMove", "x": 1, "y": 2, "timestamp": 1_700_000_000_000_u64});
        let action =
            json!({"type": "playerAction", "action": "jump", "timestamp": 1_700_000_000_001_u64});
        say(&ann, &moved);
        say(&ann, &action);
        for (kind, mut said) in [("playerMove", moved), ("playerAction", action)] {
            said["player"] = "ann".into();
            assert_eq!(hear(&mut bob, kind), said);
        }
        server.reset_all();
        for client in [&mut ann, &mut bob] {
            until(client, State::Open);
        }
    }
}

/// A list of entries, as an assistant's window shows them: pieces belong to the last entry, those of
/// another one are ignored.
#[derive(Default)]
struct Window {
    entries: Vec<(String, String)>,
    finished: bool,
}

impl Window {
    fn takes(&mut self, piece: &Value) {
        let event = piece["event_id"].as_str().unwrap();
        match piece["type"].as_str().unwrap() {
            "stream" => {
                let content = piece["content"].as_str().unwrap();
                let count = self.entries.len();
                match self.entries.iter().position(|(known, _)| known == event) {
                    Some(last) if last + 1 == count => self.entries[last].1.push_str(content),
                    Some(_) => {}
                    None => {
                        self.entries.push((event.to_owned(), content.to_owned()));
                        self.finished = false;
                    }
                }
            }
            "complete" | "end" => {
                self.finished = self.entries.last().is_some_and(|(last, _)| last == event);
            }
            other => panic!("{other}"),
        }
    }

    fn fills(&mut self, client: &mut Client, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            let piece = find(client, |notice| match notice {
                Notice::Message(message) => Some(json(message)),
                _ => None,
            });
            self.takes(&piece);
        }
    }
}

#[test]
fn an_assistant_answers_in_pieces_and_is_interrupted() {
    let server = start(App::Ai);
    let mut client = join(&server);
    let prompt = json!({"type": "prompt", "message": "hello", "stream": true});
    let mut window = Window::default();
    say(&client, &prompt);
    window.fills(&mut client, |window| window.finished);
    let whole = window.entries[0].1.clone();
    assert!(whole.contains("hello") && whole.ends_with('.'), "{whole}");

    // Interrupted, it ends where it was.
    say(&client, &prompt);
    window.fills(&mut client, |window| window.entries.len() == 2);
    say(&client, &json!({"type": "interrupt"}));
    window.fills(&mut client, |window| window.finished);
    assert!(whole.starts_with(&window.entries[1].1), "{:?}", window.entries);

    // A reset ends it without a word; the next prompt is a new entry.
    say(&client, &prompt);
    window.fills(&mut client, |window| window.entries.len() == 3);
    server.reset_all();
    until(&mut client, State::Open);
    say(&client, &prompt);
    window.fills(&mut client, |window| window.entries.len() == 4 && window.finished);
    assert_eq!(window.entries[3].1, whole, "the same answer to the same prompt");
    let events: std::collections::BTreeSet<_> = window.entries.iter().map(|(id, _)| id).collect();
    assert_eq!(events.len(), 4, "an id is never used twice");
}
