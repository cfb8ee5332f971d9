//! The programs that answer the messages.

mod ai;
mod chat;
mod game;
mod resends;
mod rooms;
mod ticker;

use super::options::{App, Options};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tungstenite::{Bytes, Message};

/// Who opened a connection.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// Number of the connection.
    pub(super) connection: u64,
    /// Path of the URL, with its leading slash.
    pub(super) path: String,
}

/// What an app wants done. It is carried out by the server after the call.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// Messages to send, in order.
    pub(super) sends: Vec<(u64, Message)>,
    /// Calls of [`Program::wake`] to make later, with these numbers.
    pub(super) wakes: Vec<(Duration, u64)>,
}

impl Effects {
    fn text(&mut self, connection: u64, text: impl Into<String>) {
        self.sends.push((connection, Message::text(text.into())));
    }

    fn json(&mut self, connection: u64, value: &Value) {
        self.text(connection, value.to_string());
    }

    fn error(&mut self, connection: u64, what: &str) {
        self.json(connection, &json!({"type": "error", "message": what}));
    }

    fn wake(&mut self, after: Duration, number: u64) {
        self.wakes.push((after, number));
    }
}

/// A program. Connections are known by their numbers; `closed` is called once for each `opened`.
pub(super) trait Program: Send {
    /// A connection was opened.
    fn opened(&mut self, _peer: &Peer, _effects: &mut Effects) {}
    /// A text message came; `json` is its content where it is an object.
    fn text(&mut self, connection: u64, text: &str, json: Option<&Value>, effects: &mut Effects);
    /// A binary message came.
    fn binary(&mut self, connection: u64, _data: Bytes, effects: &mut Effects) {
        effects.error(connection, "this app takes text messages");
    }
    /// A connection is gone.
    fn closed(&mut self, _connection: u64, _effects: &mut Effects) {}
    /// A time asked for with [`Effects::wake`] has come.
    fn wake(&mut self, _number: u64, _effects: &mut Effects) {}
}

impl std::fmt::Debug for dyn Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Program")
    }
}

/// The program that the options name.
pub(super) fn program(options: &Options) -> Box<dyn Program> {
    match options.app {
        App::Echo => Box::new(Echo),
        App::Silent => Box::new(Silent),
        App::Chat => Box::new(chat::Chat::default()),
        App::Ticker => Box::new(ticker::Ticker::new(options.seed, options.tick_every)),
        App::Ai => Box::new(ai::Ai::new(options.seed, options.piece_every)),
        App::Game => Box::new(game::Game::default()),
    }
}

#[derive(Debug)]
struct Echo;

impl Program for Echo {
    fn text(&mut self, connection: u64, text: &str, _json: Option<&Value>, effects: &mut Effects) {
        effects.text(connection, text);
    }

    fn binary(&mut self, connection: u64, data: Bytes, effects: &mut Effects) {
        effects.sends.push((connection, Message::Binary(data)));
    }
}

#[derive(Debug)]
struct Silent;

impl Program for Silent {
    fn text(&mut self, _: u64, _: &str, _: Option<&Value>, _: &mut Effects) {}

    fn binary(&mut self, _: u64, _: Bytes, _: &mut Effects) {}
}

/// The application's part of a message: the object itself, or what is under `data` when a client
/// that numbers its messages has wrapped it as `{"id":n,"data":{…},"timestamp":…}`.
fn content(json: Option<&Value>) -> Option<&Map<String, Value>> {
    let object = json?.as_object()?;
    let inner = object.get("data").and_then(Value::as_object);
    Some(inner.filter(|_| !object.contains_key("type")).unwrap_or(object))
}

fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

fn kind(object: &Map<String, Value>) -> &str {
    field(object, "type").unwrap_or_default()
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// Runs a program by hand and collects what it sends.
    pub(super) struct Bench<P> {
        pub(super) program: P,
        pub(super) effects: Effects,
    }

    impl<P: Program> Bench<P> {
        pub(super) fn new(program: P) -> Self {
            Self { program, effects: Effects::default() }
        }

        pub(super) fn open(&mut self, connection: u64, path: &str) {
            let peer = Peer { connection, path: path.to_owned() };
            self.program.opened(&peer, &mut self.effects);
        }

        pub(super) fn say(&mut self, connection: u64, text: &str) {
            let json = serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
            self.program.text(connection, text, json.as_ref(), &mut self.effects);
        }

        pub(super) fn close(&mut self, connection: u64) {
            self.program.closed(connection, &mut self.effects);
        }

        /// Makes the first pending wake happen.
        pub(super) fn wake(&mut self) -> bool {
            if self.effects.wakes.is_empty() {
                return false;
            }
            let (_, number) = self.effects.wakes.remove(0);
            self.program.wake(number, &mut self.effects);
            true
        }

        /// What has been sent since the last call, as JSON.
        pub(super) fn sent(&mut self) -> Vec<(u64, Value)> {
            std::mem::take(&mut self.effects.sends)
                .into_iter()
                .map(|(to, message)| {
                    (to, serde_json::from_str(message.to_text().unwrap()).unwrap())
                })
                .collect()
        }
    }

    #[test]
    fn a_wrapped_message_is_unwrapped() {
        let wrapped = json!({"id": 1, "data": {"type": "chat"}, "timestamp": 5});
        assert_eq!(kind(content(Some(&wrapped)).unwrap()), "chat");
        let plain = json!({"type": "chat", "data": {"type": "other"}});
        assert_eq!(kind(content(Some(&plain)).unwrap()), "chat");
        assert!(content(Some(&json!([1]))).is_none());
    }
}
