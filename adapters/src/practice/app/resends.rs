//! Which numbered messages came before: a client that missed an ack sends them again, with the same
//! id and the same text.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::Value;

/// Most messages remembered per connection; the ones with the lowest ids go first.
const KEEP: usize = 1_024;

#[derive(Debug)]
struct Noted {
    /// Of the text: the same id may also be given to something else, by a careless client.
    digest: u64,
    number: u64,
}

/// The messages with an id that each connection has sent.
#[derive(Debug, Default)]
pub(super) struct Resends {
    noted: BTreeMap<u64, BTreeMap<u64, Noted>>,
}

impl Resends {
    /// The number with which this message came before on this connection. If it has not, it is
    /// remembered with `number`, unless it has no id.
    pub(super) fn before(
        &mut self,
        connection: u64,
        text: &str,
        json: Option<&Value>,
        number: u64,
    ) -> Option<u64> {
        let id = json?.get("id")?.as_u64()?;
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let digest = hasher.finish();
        let mine = self.noted.entry(connection).or_default();
        if let Some(noted) = mine.get(&id).filter(|noted| noted.digest == digest) {
            return Some(noted.number);
        }
        mine.insert(id, Noted { digest, number });
        if mine.len() > KEEP {
            mine.pop_first();
        }
        None
    }

    /// Forgets what a connection has sent.
    pub(super) fn forget(&mut self, connection: u64) {
        self.noted.remove(&connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_id_and_text_on_the_same_connection() {
        let mut resends = Resends::default();
        let one = json!({"id": 1});
        assert_eq!(resends.before(1, "a", Some(&one), 7), None);
        assert_eq!(resends.before(1, "a", Some(&one), 8), Some(7));
        assert_eq!(resends.before(1, "b", Some(&one), 9), None, "another text");
        assert_eq!(resends.before(2, "a", Some(&one), 9), None, "another connection");
        for nothing in [None, Some(json!({})), Some(json!({"id": "1"}))] {
            assert_eq!(resends.before(1, "a", nothing.as_ref(), 1), None);
            assert_eq!(resends.before(1, "a", nothing.as_ref(), 1), None);
        }
        resends.forget(2);
        assert_eq!(resends.before(2, "a", Some(&one), 9), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut resends = Resends::default();
        for id in 0..3 * KEEP {
            resends.before(1, "a", Some(&json!({"id": id})), 0);
        }
        assert_eq!(resends.noted[&1].len(), KEEP);
        assert_eq!(resends.before(1, "a", Some(&json!({"id": 3 * KEEP - 1})), 1), Some(0));
    }
}
