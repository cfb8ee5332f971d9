//! The server's own numbered messages, kept so that a client can have them again after an outage.

use serde_json::{Value, json};
use std::collections::VecDeque;

/// Most messages kept; the oldest go first.
const KEEP: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Feed {
    last: u64,
    kept: VecDeque<String>,
}

impl Feed {
    /// Numbers a message; its number and its text.
    pub(super) fn publish(&mut self, data: &str, id_field: &str) -> (u64, String) {
        self.last += 1;
        let data = serde_json::from_str(data).unwrap_or_else(|_| Value::String(data.to_owned()));
        let text = json!({ id_field: self.last, "data": data }).to_string();
        if self.kept.len() == KEEP {
            self.kept.pop_front();
        }
        self.kept.push_back(text.clone());
        (self.last, text)
    }

    /// What was published after the message with this number, as far as it is kept.
    pub(super) fn since(&self, number: u64) -> impl Iterator<Item = &str> {
        let first = self.last - self.kept.len() as u64;
        let skip = usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
        self.kept.iter().skip(skip).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_replays() {
        let mut feed = Feed::default();
        assert_eq!(feed.publish("plain", "id"), (1, r#"{"data":"plain","id":1}"#.to_owned()));
        assert_eq!(feed.publish("[1]", "id").1, r#"{"data":[1],"id":2}"#);
        assert_eq!(feed.since(0).count(), 2);
        assert_eq!(feed.since(1).collect::<Vec<_>>(), [r#"{"data":[1],"id":2}"#]);
        assert_eq!(feed.since(2).count() + feed.since(u64::MAX).count(), 0);
    }

    #[test]
    fn keeps_the_newest() {
        let mut feed = Feed::default();
        for n in 0..KEEP + 5 {
            feed.publish(&n.to_string(), "id");
        }
        assert_eq!(feed.since(0).count(), KEEP);
        assert_eq!(feed.since(KEEP as u64).count(), 5);
    }
}
