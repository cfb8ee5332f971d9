//! Chat rooms.
//!
//! The room is the URL path. Whoever is in it already hears of a new connection as
//! `{"type":"join","user":"guest-N"}`. A connection gets its name by the `user` of its first
//! `{"type":"chat","user":…,"text":…}` or of a `{"type":"join","user":…}`; then
//! `{"type":"join","user":…}` goes to everybody in the room, the newcomer included. When it goes, or
//! says `{"type":"leave"}`, `{"type":"leave","user":…}` goes to all connections that remain. Chat
//! messages go to everybody in the room, the sender included, as they came, but for the id: the sender's own
//! number would clash with other senders' at the receivers, so it is replaced by the room's. What a
//! connection sends again for want of an ack is passed on again, with the number that it had, so that
//! receivers can tell.

use super::resends::Resends;
use super::rooms::Rooms;
use super::{Effects, Peer, Program, content, field, kind};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Chat {
    rooms: Rooms,
    /// Of the last message in each room. Kept when it is empty: whoever comes back would take
    /// numbers that begin anew for duplicates.
    numbers: BTreeMap<String, u64>,
    resends: Resends,
}

impl Chat {
    fn everybody(&self, room: &str, value: &Value, effects: &mut Effects) {
        let text = value.to_string();
        for to in self.rooms.inside(room) {
            effects.text(to, text.as_str());
        }
    }

    fn join(&mut self, connection: u64, user: &str, effects: &mut Effects) {
        let Some(room) = self.rooms.room(connection).map(str::to_owned) else { return };
        match self.rooms.name(connection) {
            Some(name) if name == user => return,
            Some(_) => self.part(connection, effects),
            None => {}
        }
        self.rooms.set_name(connection, Some(user));
        self.everybody(&room, &json!({"type": "join", "user": user}), effects);
    }

    fn part(&mut self, connection: u64, effects: &mut Effects) {
        let Some(room) = self.rooms.room(connection).map(str::to_owned) else { return };
        if let Some(user) = self.rooms.set_name(connection, None) {
            self.everybody(&room, &json!({"type": "leave", "user": user}), effects);
        }
    }
}

impl Program for Chat {
    fn opened(&mut self, peer: &Peer, effects: &mut Effects) {
        self.rooms.enter(peer.connection, &peer.path, "lobby");
        let Some(room) = self.rooms.room(peer.connection) else { return };
        let text = json!({"type": "join", "user": guest(peer.connection)}).to_string();
        for to in self.rooms.inside(room).into_iter().filter(|to| *to != peer.connection) {
            effects.text(to, text.as_str());
        }
    }

    fn text(&mut self, connection: u64, text: &str, json: Option<&Value>, effects: &mut Effects) {
        let Some(object) = content(json) else {
            return effects.error(connection, "not a JSON object");
        };
        match (kind(object), field(object, "user")) {
            ("chat", Some(user)) => {
                self.join(connection, user, effects);
                let Some(room) = self.rooms.room(connection).map(str::to_owned) else { return };
                let mut message = object.clone();
                if json.is_some_and(|outer| outer.get("id").is_some()) {
                    let last = self.numbers.entry(room.clone()).or_default();
                    let before = self.resends.before(connection, text, json, *last + 1);
                    let number = before.unwrap_or_else(|| {
                        *last += 1;
                        *last
                    });
                    message.insert("id".into(), number.into());
                }
                self.everybody(&room, &Value::Object(message), effects);
            }
            ("join", Some(user)) => self.join(connection, user, effects),
            ("leave", _) => self.part(connection, effects),
            ("chat" | "join", None) => effects.error(connection, "no user"),
            _ => effects.error(connection, "the types here are chat, join and leave"),
        }
    }

    fn closed(&mut self, connection: u64, effects: &mut Effects) {
        self.resends.forget(connection);
        if let Some((room, name)) = self.rooms.leave(connection) {
            let user = name.unwrap_or_else(|| guest(connection));
            self.everybody(&room, &json!({"type": "leave", "user": user}), effects);
        }
    }
}

/// Who has not said a name.
fn guest(connection: u64) -> String {
    format!("guest-{connection}")
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use super::*;

    #[test]
    fn messages_stay_in_their_room_and_comings_and_goings_are_told() {
        let mut bench = Bench::new(Chat::default());
        bench.open(1, "/");
        bench.open(2, "/lobby");
        bench.open(3, "/other");
        let guest = |kind| json!({"type": kind, "user": "guest-2"});
        assert_eq!(bench.sent(), [(1, guest("join"))]);
        bench.say(1, r#"{"type":"chat","user":"ann","text":"hi"}"#);
        let join = json!({"type": "join", "user": "ann"});
        let chat = json!({"type": "chat", "user": "ann", "text": "hi"});
        let to_both = |v: &Value| vec![(1, v.clone()), (2, v.clone())];
        assert_eq!(bench.sent(), [to_both(&join), to_both(&chat)].concat());
        bench.say(1, r#"{"type":"chat","user":"ann","text":"hi"}"#);
        assert_eq!(bench.sent(), to_both(&chat));
        bench.close(1);
        assert_eq!(bench.sent(), [(2, json!({"type": "leave", "user": "ann"}))]);
        bench.close(3);
        assert_eq!(bench.sent(), []);
        bench.open(4, "/lobby");
        bench.sent();
        bench.close(2);
        assert_eq!(bench.sent(), [(4, guest("leave"))]);
    }

    #[test]
    fn ids_are_the_rooms_own() {
        let mut bench = Bench::new(Chat::default());
        bench.open(1, "/");
        bench.open(2, "/");
        bench.say(1, r#"{"type":"join","user":"ann"}"#);
        bench.say(2, r#"{"type":"join","user":"bob"}"#);
        bench.sent();
        bench.say(1, r#"{"type":"chat","user":"ann","text":"a","id":1}"#);
        bench.say(2, r#"{"id":1,"data":{"type":"chat","user":"bob","text":"b"}}"#);
        let ids: Vec<_> = bench.sent().into_iter().map(|(_, v)| v["id"].clone()).collect();
        assert_eq!(ids, [1, 1, 2, 2]);
    }

    #[test]
    fn a_resend_keeps_its_number() {
        let mut bench = Bench::new(Chat::default());
        bench.open(1, "/");
        bench.open(2, "/");
        bench.say(1, r#"{"type":"join","user":"ann"}"#);
        bench.sent();
        let wrapped = |id, text| {
            let data = json!({"type": "chat", "user": "ann", "text": text});
            json!({"id": id, "data": data, "timestamp": 5}).to_string()
        };
        for (id, text) in [(1, "a"), (2, "b"), (1, "a"), (3, "c")] {
            bench.say(1, &wrapped(id, text));
        }
        let to_bob: Vec<_> = bench.sent().into_iter().filter(|(to, _)| *to == 2).collect();
        let heard: Vec<_> = to_bob.iter().map(|(_, v)| (&v["text"], v["id"].as_u64())).collect();
        let same = (&json!("a"), Some(1));
        assert_eq!(heard, [same, (&json!("b"), Some(2)), same, (&json!("c"), Some(3))]);
    }

    #[test]
    fn nonsense_is_answered() {
        let mut bench = Bench::new(Chat::default());
        bench.open(1, "/");
        for text in ["hello", "{}", r#"{"type":"chat"}"#] {
            bench.say(1, text);
            let sent = bench.sent();
            assert_eq!(sent[0].1["type"], "error", "{text}");
        }
    }
}
