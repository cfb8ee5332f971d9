//! A game for several players, one per URL path.
//!
//! `{"type":"playerJoin","player":…}` (the name may also be in `playerId`, `name` or `user`) enters
//! and is passed to the other players. When there are two or more, `{"type":"gameStart",
//! "players":[…]}` goes to all, and to each later player on entering. `playerMove` and
//! `playerAction` are passed to the others with `player` filled in where it is missing and the
//! sender's message id left out; before `playerJoin` they are an error. Without the id nobody could
//! tell, so what a connection sends again for want of an ack is not passed on again. Whoever goes is told of as
//! `{"type":"playerLeave","player":…}`.

use super::resends::Resends;
use super::rooms::Rooms;
use super::{Effects, Peer, Program, content, field, kind};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub(super) struct Game {
    rooms: Rooms,
    started: BTreeSet<String>,
    resends: Resends,
}

fn player(object: &Map<String, Value>) -> Option<&str> {
    ["player", "playerId", "name", "user"].iter().find_map(|name| field(object, name))
}

impl Game {
    fn others(&self, connection: u64, room: &str, value: &Value, effects: &mut Effects) {
        let text = value.to_string();
        for (to, _) in self.rooms.named(room) {
            if to != connection {
                effects.text(to, text.as_str());
            }
        }
    }

    fn join(&mut self, connection: u64, room: &str, message: Value, effects: &mut Effects) {
        self.others(connection, room, &message, effects);
        let players = self.rooms.named(room);
        if players.len() < 2 {
            return;
        }
        let names: Vec<&str> = players.iter().map(|(_, name)| name.as_str()).collect();
        let start = json!({"type": "gameStart", "players": names});
        if self.started.insert(room.to_owned()) {
            for (to, _) in &players {
                effects.json(*to, &start);
            }
        } else {
            effects.json(connection, &start);
        }
    }
}

impl Program for Game {
    fn opened(&mut self, peer: &Peer, _: &mut Effects) {
        self.rooms.enter(peer.connection, &peer.path, "game");
    }

    fn text(&mut self, connection: u64, text: &str, json: Option<&Value>, effects: &mut Effects) {
        let Some(object) = content(json) else {
            return effects.error(connection, "not a JSON object");
        };
        let Some(room) = self.rooms.room(connection).map(str::to_owned) else { return };
        let joined = self.rooms.name(connection).map(str::to_owned);
        let mut message = object.clone();
        message.remove("id");
        match (kind(object), joined) {
            ("playerJoin", None) => {
                let name = match player(object) {
                    Some(name) => name.to_owned(),
                    None => format!("player-{connection}"),
                };
                self.rooms.set_name(connection, Some(&name));
                message.insert("player".into(), name.into());
                self.join(connection, &room, Value::Object(message), effects);
            }
            // Said again after a reconnect that this server did not notice: nothing new.
            ("playerJoin", Some(_)) => {}
            ("playerMove" | "playerAction", Some(name)) => {
                if self.resends.before(connection, text, json, 0).is_some() {
                    return;
                }
                message.entry("player").or_insert_with(|| name.into());
                self.others(connection, &room, &Value::Object(message), effects);
            }
            ("playerMove" | "playerAction", None) => effects.error(connection, "not joined"),
            _ => effects
                .error(connection, "the types here are playerJoin, playerMove and playerAction"),
        }
    }

    fn closed(&mut self, connection: u64, effects: &mut Effects) {
        self.resends.forget(connection);
        let Some((room, name)) = self.rooms.leave(connection) else { return };
        if let Some(name) = name {
            let leave = json!({"type": "playerLeave", "player": name});
            self.others(connection, &room, &leave, effects);
        }
        if self.rooms.named(&room).len() < 2 {
            self.started.remove(&room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use super::*;

    #[test]
    fn starts_with_two_and_passes_moves_to_the_others() {
        let mut bench = Bench::new(Game::default());
        for n in 1..=3 {
            bench.open(n, "/");
        }
        bench.say(1, r#"{"type":"playerMove","x":1}"#);
        assert_eq!(bench.sent()[0].1["type"], "error");
        bench.say(1, r#"{"type":"playerJoin","player":"ann"}"#);
        assert_eq!(bench.sent(), []);
        bench.say(2, r#"{"type":"playerJoin","player":"bob","id":9}"#);
        let start = json!({"type": "gameStart", "players": ["ann", "bob"]});
        let join = json!({"type": "playerJoin", "player": "bob"});
        assert_eq!(bench.sent(), [(1, join), (1, start.clone()), (2, start)]);
        bench.say(2, r#"{"type":"playerMove","x":1,"id":10}"#);
        assert_eq!(bench.sent(), [(1, json!({"type": "playerMove", "x": 1, "player": "bob"}))]);
        bench.say(3, r#"{"type":"playerJoin"}"#);
        let sent = bench.sent();
        assert_eq!(sent.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(sent[2].1["players"], json!(["ann", "bob", "player-3"]));
        bench.close(2);
        let leave = json!({"type": "playerLeave", "player": "bob"});
        assert_eq!(bench.sent(), [(1, leave.clone()), (3, leave)]);
    }

    #[test]
    fn actions_keep_their_times_and_happen_once() {
        let mut bench = Bench::new(Game::default());
        for (n, name) in [(1, "ann"), (2, "bob")] {
            bench.open(n, "/");
            bench.say(n, &json!({"type": "playerJoin", "player": name}).to_string());
        }
        bench.sent();
        let action = json!({"type": "playerAction", "action": "jump", "timestamp": 5});
        let wrapped = json!({"id": 2, "data": action, "timestamp": 6}).to_string();
        bench.say(1, &wrapped);
        bench.say(1, &wrapped);
        let mut passed = action;
        passed["player"] = "ann".into();
        assert_eq!(bench.sent(), [(2, passed.clone())]);
        // Without an id it is another one.
        bench.say(1, &passed.to_string());
        bench.say(1, &passed.to_string());
        assert_eq!(bench.sent(), [(2, passed.clone()), (2, passed)]);
    }
}
