//! Rooms named by the URL path, and who is in them under which name.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
struct Member {
    room: String,
    name: Option<String>,
}

/// All rooms of a server.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    members: BTreeMap<u64, Member>,
    rooms: BTreeMap<String, BTreeSet<u64>>,
}

impl Rooms {
    /// Puts a connection into the room its path names; `/` names the room `default`.
    pub(super) fn enter(&mut self, connection: u64, path: &str, default: &str) {
        let room = match path.trim_matches('/') {
            "" => default,
            room => room,
        };
        self.rooms.entry(room.to_owned()).or_default().insert(connection);
        self.members.insert(connection, Member { room: room.to_owned(), name: None });
    }

    /// Takes a connection out; its room and the name it had.
    pub(super) fn leave(&mut self, connection: u64) -> Option<(String, Option<String>)> {
        let Member { room, name } = self.members.remove(&connection)?;
        if let Some(inside) = self.rooms.get_mut(&room) {
            inside.remove(&connection);
            if inside.is_empty() {
                self.rooms.remove(&room);
            }
        }
        Some((room, name))
    }

    pub(super) fn room(&self, connection: u64) -> Option<&str> {
        self.members.get(&connection).map(|m| m.room.as_str())
    }

    pub(super) fn name(&self, connection: u64) -> Option<&str> {
        self.members.get(&connection)?.name.as_deref()
    }

    /// Gives a connection its name or takes it away; the one it had.
    pub(super) fn set_name(&mut self, connection: u64, name: Option<&str>) -> Option<String> {
        let member = self.members.get_mut(&connection)?;
        std::mem::replace(&mut member.name, name.map(str::to_owned))
    }

    /// Connections in a room, in the order of their numbers.
    pub(super) fn inside(&self, room: &str) -> Vec<u64> {
        self.rooms.get(room).map(|inside| inside.iter().copied().collect()).unwrap_or_default()
    }

    /// Those of them that have a name.
    pub(super) fn named(&self, room: &str) -> Vec<(u64, String)> {
        self.inside(room)
            .into_iter()
            .filter_map(|c| self.name(c).map(|name| (c, name.to_owned())))
            .collect()
    }
}
