//! An assistant that answers in pieces.
//!
//! `{"type":"prompt","message":…,"stream":true}` is answered with
//! `{"type":"stream","event_id":…,"content":…}` piece by piece, then
//! `{"type":"complete","event_id":…}`. Without `stream`, one `complete` carries the whole `content`.
//! A new prompt, or `{"type":"interrupt"}`, ends a stream under way with
//! `{"type":"end","event_id":…}`; a prompt that a connection sends again for want of an ack is no new
//! one. The answers depend on the seed and the prompt alone, an `event_id`
//! is never used twice on a server.

use super::super::rng::Rng;
use super::resends::Resends;
use super::{Effects, Peer, Program, content, field, kind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const WORDS: &[&str] = &[
    "the", "network", "goes", "down", "and", "comes", "up", "again", "while", "every", "message",
    "waits", "in", "order", "for", "its", "turn", "so", "nothing", "is", "lost", "on", "way",
];

#[derive(Debug)]
struct Stream {
    event: String,
    number: u64,
    pieces: VecDeque<String>,
}

#[derive(Debug)]
pub(super) struct Ai {
    seed: u64,
    every: Duration,
    next: u64,
    streams: BTreeMap<u64, Option<Stream>>,
    resends: Resends,
    /// Which connection a wake belongs to; gone when its stream is.
    wakes: BTreeMap<u64, u64>,
}

impl Ai {
    pub(super) fn new(seed: u64, every: Duration) -> Self {
        Self {
            seed,
            every,
            next: 0,
            streams: BTreeMap::new(),
            resends: Resends::default(),
            wakes: BTreeMap::new(),
        }
    }

    fn end(&mut self, connection: u64, effects: &mut Effects) {
        if let Some(stream) = self.streams.get_mut(&connection).and_then(Option::take) {
            self.wakes.remove(&stream.number);
            effects.json(connection, &json!({"type": "end", "event_id": stream.event}));
        }
    }
}

fn answer(seed: u64, prompt: &str) -> VecDeque<String> {
    let mut rng = Rng::named(seed, prompt);
    let words = 8 + rng.next_u64() % 17;
    let heard: String = prompt.chars().take(60).collect();
    let mut pieces = VecDeque::from([format!("You said \u{201c}{heard}\u{201d}:")]);
    for _ in 0..words {
        let pick = rng.next_u64() % WORDS.len() as u64;
        let word = usize::try_from(pick).ok().and_then(|n| WORDS.get(n)).copied();
        pieces.push_back(format!(" {}", word.unwrap_or("and")));
    }
    pieces.push_back(".".to_owned());
    pieces
}

impl Program for Ai {
    fn opened(&mut self, peer: &Peer, _: &mut Effects) {
        self.streams.insert(peer.connection, None);
    }

    fn text(&mut self, connection: u64, text: &str, json: Option<&Value>, effects: &mut Effects) {
        let Some(object) = content(json) else {
            return effects.error(connection, "not a JSON object");
        };
        match (kind(object), field(object, "message")) {
            ("prompt", Some(prompt)) => {
                if self.resends.before(connection, text, json, 0).is_some() {
                    return;
                }
                self.end(connection, effects);
                self.next += 1;
                let (number, event) = (self.next, format!("event-{}", self.next));
                let pieces = answer(self.seed, prompt);
                if object.get("stream") == Some(&Value::Bool(true)) {
                    let Some(slot) = self.streams.get_mut(&connection) else { return };
                    *slot = Some(Stream { event, number, pieces });
                    self.wakes.insert(number, connection);
                    effects.wake(self.every, number);
                } else {
                    let all: String = pieces.into_iter().collect();
                    let whole = json!({"type": "complete", "event_id": event, "content": all});
                    effects.json(connection, &whole);
                }
            }
            ("prompt", None) => effects.error(connection, "no message"),
            ("interrupt", _) => self.end(connection, effects),
            _ => effects.error(connection, "the types here are prompt and interrupt"),
        }
    }

    fn closed(&mut self, connection: u64, _: &mut Effects) {
        self.resends.forget(connection);
        if let Some(Some(stream)) = self.streams.remove(&connection) {
            self.wakes.remove(&stream.number);
        }
    }

    fn wake(&mut self, number: u64, effects: &mut Effects) {
        let Some(&connection) = self.wakes.get(&number) else { return };
        let Some(slot) = self.streams.get_mut(&connection) else { return };
        let Some(stream) = slot else { return };
        if let Some(piece) = stream.pieces.pop_front() {
            let event = &stream.event;
            let piece = json!({"type": "stream", "event_id": event, "content": piece});
            effects.json(connection, &piece);
            effects.wake(self.every, number);
        } else {
            let complete = json!({"type": "complete", "event_id": stream.event});
            *slot = None;
            self.wakes.remove(&number);
            effects.json(connection, &complete);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use super::*;

    fn bench() -> Bench<Ai> {
        let mut bench = Bench::new(Ai::new(1, Duration::from_millis(30)));
        bench.open(1, "/");
        bench
    }

    const PROMPT: &str = r#"{"type":"prompt","message":"hello","stream":true}"#;

    #[test]
    fn pieces_then_complete_make_up_the_whole_answer() {
        let mut bench = bench();
        bench.say(1, PROMPT);
        while bench.wake() {}
        let mut sent = bench.sent();
        assert_eq!(sent.pop().unwrap().1, json!({"type": "complete", "event_id": "event-1"}));
        assert!(sent.iter().all(|(_, v)| v["type"] == "stream" && v["event_id"] == "event-1"));
        let streamed: String = sent.iter().map(|(_, v)| v["content"].as_str().unwrap()).collect();
        bench.say(1, r#"{"type":"prompt","message":"hello"}"#);
        let whole = bench.sent();
        assert_eq!(whole[0].1["content"], streamed);
        assert_eq!(whole[0].1["event_id"], "event-2");
    }

    #[test]
    fn an_interrupt_or_a_new_prompt_ends_the_stream() {
        let mut bench = bench();
        bench.say(1, PROMPT);
        bench.wake();
        bench.say(1, PROMPT);
        bench.wake();
        bench.say(1, r#"{"type":"interrupt"}"#);
        let ends: Vec<Value> =
            bench.sent().into_iter().map(|(_, v)| v).filter(|v| v["type"] == "end").collect();
        assert_eq!(ends[0]["event_id"], "event-1");
        assert_eq!(ends[1]["event_id"], "event-2");
        while bench.wake() {}
        assert_eq!(bench.sent(), [], "an ended stream says no more");
    }

    #[test]
    fn a_prompt_sent_again_does_not_interrupt_its_own_answer() {
        let mut bench = bench();
        let prompt = r#"{"id":1,"data":{"type":"prompt","message":"hello","stream":true}}"#;
        bench.say(1, prompt);
        bench.wake();
        bench.say(1, prompt);
        while bench.wake() {}
        let sent = bench.sent();
        assert!(sent.iter().all(|(_, v)| v["type"] != "end" && v["event_id"] == "event-1"));
        // With another id it is asked again, and so it is on another connection.
        bench.say(1, &prompt.replace("1,", "2,"));
        bench.open(2, "/");
        bench.say(2, prompt);
        while bench.wake() {}
        let completed = bench.sent().into_iter().filter(|(_, v)| v["type"] == "complete");
        assert_eq!(completed.map(|(to, _)| to).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_closed_connection_leaves_nothing_behind() {
        let mut bench = bench();
        bench.say(1, PROMPT);
        bench.close(1);
        while bench.wake() {}
        assert_eq!(bench.sent(), []);
        assert!(bench.program.wakes.is_empty() && bench.program.streams.is_empty());
    }
}
