//! The list of entries in the example `assistant`: what was asked, and what was answered so far.
//!
//! The server names each answer by an `event_id`, which nobody knows before its first piece comes. It
//! answers in the order in which it was asked, so a new `event_id` belongs to the oldest question
//! that has none yet. Only the last entry grows: what still comes for an earlier one is ignored.

use serde::Deserialize;

/// A question and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What was asked.
    pub prompt: String,
    /// The answer, as far as it has come.
    pub answer: String,
    stage: Stage,
    event_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The server does not know of it.
    Unasked,
    /// The server was asked.
    Asked,
    /// The answer is there, or will not come.
    Over,
}

/// What a message has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This was appended to the last entry.
    Appended(String),
    /// The last entry is over.
    Over,
}

/// The entries, of which the last one grows.
#[derive(Clone, Debug, Default)]
pub struct Entries(Vec<Entry>);

#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    what: String,
    event_id: String,
    #[serde(default)]
    content: String,
}

impl Entries {
    /// The entries so far.
    #[must_use]
    pub fn all(&self) -> &[Entry] {
        &self.0
    }

    /// Adds a question, which is not asked yet. The answer before it grows no more.
    pub fn push(&mut self, prompt: impl Into<String>) {
        if let Some(last) = self.0.last_mut().filter(|last| last.stage == Stage::Unasked) {
            last.stage = Stage::Over;
        }
        let (answer, stage, event_id) = (String::new(), Stage::Unasked, None);
        self.0.push(Entry { prompt: prompt.into(), answer, stage, event_id });
    }

    /// Whether the last entry is not over.
    #[must_use]
    pub fn is_growing(&self) -> bool {
        self.0.last().is_some_and(|last| last.stage != Stage::Over)
    }

    /// What is to be asked, if something is. It then counts as asked.
    pub fn ask(&mut self) -> Option<&str> {
        let last = self.0.last_mut().filter(|last| last.stage == Stage::Unasked)?;
        last.stage = Stage::Asked;
        Some(&last.prompt)
    }

    /// The connection was lost, and with it all that was still to come: the last entry is asked
    /// again.
    pub fn lost(&mut self) {
        let growing = self.is_growing();
        self.0.iter_mut().for_each(|entry| entry.stage = Stage::Over);
        if let Some(last) = self.0.last_mut().filter(|_| growing) {
            let prompt = std::mem::take(&mut last.prompt);
            *last = Entry { prompt, answer: String::new(), stage: Stage::Unasked, event_id: None };
        }
    }

    /// Takes what the server says. `None`: nothing that concerns the last entry.
    pub fn take(&mut self, message: &str) -> Option<Change> {
        let said: Said = serde_json::from_str(message).ok()?;
        let ends = match said.what.as_str() {
            "stream" => false,
            "complete" | "finish" | "end" => true,
            _ => return None,
        };
        let known =
            self.0.iter().rposition(|entry| entry.event_id.as_ref() == Some(&said.event_id));
        let is_next = |entry: &Entry| entry.stage == Stage::Asked && entry.event_id.is_none();
        let at = known.or_else(|| self.0.iter().position(is_next))?;
        let is_last = at + 1 == self.0.len();
        let entry = self.0.get_mut(at).filter(|entry| entry.stage == Stage::Asked)?;
        entry.event_id = Some(said.event_id);
        if ends {
            entry.stage = Stage::Over;
        }
        if !is_last {
            return None;
        }
        entry.answer.push_str(&said.content);
        Some(if ends { Change::Over } else { Change::Appended(said.content) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(event: u32, content: &str) -> String {
        format!(r#"{{"type":"stream","event_id":"event-{event}","content":"{content}"}}"#)
    }

    fn end(what: &str, event: u32) -> String {
        format!(r#"{{"type":"{what}","event_id":"event-{event}"}}"#)
    }

    fn appended(content: &str) -> Option<Change> {
        Some(Change::Appended(content.to_owned()))
    }

    fn asked(prompts: &[&str]) -> Entries {
        let mut entries = Entries::default();
        for prompt in prompts {
            entries.push(*prompt);
            assert_eq!(entries.ask(), Some(*prompt));
        }
        entries
    }

    #[test]
    fn pieces_of_the_last_entry_are_appended_until_its_end() {
        for what in ["complete", "finish", "end"] {
            let mut entries = asked(&["hello"]);
            assert_eq!(entries.take(&piece(1, "Good")), appended("Good"));
            assert_eq!(entries.take(&piece(1, " day")), appended(" day"));
            assert!(entries.is_growing());
            assert_eq!(entries.take(&end(what, 1)), Some(Change::Over));
            assert!(!entries.is_growing());
            assert_eq!(entries.take(&piece(1, "!")), None, "it is over");
            assert_eq!(entries.all()[0].answer, "Good day");
        }
    }

    #[test]
    fn pieces_of_another_entry_are_ignored() {
        let mut entries = asked(&["one", "two"]);
        // The server had begun with the first before it heard of the second.
        assert_eq!(entries.take(&piece(7, "1")), None);
        assert_eq!(entries.take(&end("end", 7)), None);
        assert_eq!(entries.take(&piece(8, "2")), appended("2"));
        assert_eq!(entries.take(&piece(7, "1")), None);
        assert_eq!(entries.take(&piece(9, "3")), None, "nobody asked for it");
        assert_eq!(entries.take(&end("complete", 8)), Some(Change::Over));
        let answers: Vec<_> = entries.all().iter().map(|entry| entry.answer.as_str()).collect();
        assert_eq!(answers, ["", "2"]);
    }

    #[test]
    fn what_was_cut_off_is_asked_again_from_the_start() {
        let mut entries = asked(&["one", "two"]);
        entries.take(&piece(1, "1"));
        entries.take(&piece(2, "half of it"));
        entries.lost();
        assert_eq!(entries.ask(), Some("two"));
        assert_eq!(entries.ask(), None, "once is enough");
        assert_eq!(entries.take(&piece(3, "all of it")), appended("all of it"));
        assert_eq!(entries.take(&end("complete", 3)), Some(Change::Over));
        entries.lost();
        assert_eq!(entries.ask(), None, "it was answered");
        assert_eq!(entries.all()[1].answer, "all of it");
    }

    #[test]
    fn a_question_that_was_never_asked_gives_way_to_the_next() {
        let mut entries = Entries::default();
        entries.push("one");
        entries.push("two");
        assert_eq!(entries.ask(), Some("two"));
        assert_eq!(entries.take(&piece(1, "2")), appended("2"));
    }

    #[test]
    fn other_messages_change_nothing() {
        let mut entries = asked(&["one"]);
        for other in ["", "no JSON", r#"{"type":"stream"}"#, r#"{"type":"x","event_id":"e"}"#] {
            assert_eq!(entries.take(other), None);
        }
        assert_eq!(entries.take(&piece(1, "1")), appended("1"));
    }
}
