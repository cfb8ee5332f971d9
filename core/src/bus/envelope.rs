//! Reading an object once: where its topic is, and where its payload.

use alloc::string::String;
use core::ops::Range;

use bytestring::ByteString;

use super::MAX_TOPIC;
use super::escape::unescape;
use super::scan::{Kind, Scanner, Token};

/// What was found in a message, as places in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) topic: Option<Topic>,
    /// The whole message, if there is none.
    pub(super) payload: Option<Range<usize>>,
}

/// A topic: a part of the message's text, or one that had to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Slice(Range<usize>),
    Held(ByteString),
}

impl Envelope {
    /// Reads `text`, one pass, by these top-level fields; empty unless it is a JSON object with a
    /// topic.
    pub(super) fn read(text: &str, topic_field: &str, payload_field: Option<&str>) -> Self {
        let mut scanner = Scanner::new(text);
        let mut topic = None;
        let mut payload = None;
        let whole = scanner.object(|name, value| {
            if name.is_string(text, topic_field) {
                topic = Some(value);
            } else if payload_field.is_some_and(|field| name.is_string(text, field)) {
                payload = Some(value.range);
            }
        });
        // Half an object has no topic: what comes later might have named another one.
        match topic.filter(|_| whole.is_some()).and_then(|token| token.topic(text)) {
            Some(topic) => Self { topic: Some(topic), payload },
            None => Self::default(),
        }
    }
}

impl Token {
    /// Whether it is the string `expected`.
    fn is_string(&self, text: &str, expected: &str) -> bool {
        match self.string(text) {
            Some((inner, false)) => inner == expected,
            // The comparison ends with the first difference, so that a hostile string costs nothing.
            Some((inner, true)) => unescape(inner).eq(expected.chars().map(Some)),
            None => false,
        }
    }

    /// The topic that it names.
    fn topic(self, text: &str) -> Option<Topic> {
        let range = match self.kind {
            Kind::Number => self.range,
            Kind::String { escaped: false } => self.inner(),
            Kind::String { escaped: true } => {
                let mut topic = String::new();
                for char in unescape(text.get(self.inner())?) {
                    topic.push(char?);
                    if topic.len() > MAX_TOPIC {
                        return None;
                    }
                }
                return Some(Topic::Held(topic.into()));
            }
            Kind::Other => return None,
        };
        (range.len() <= MAX_TOPIC).then_some(Topic::Slice(range))
    }

    /// A string's inside, as it stands in the text, and whether there are escapes in it.
    fn string<'a>(&self, text: &'a str) -> Option<(&'a str, bool)> {
        match self.kind {
            Kind::String { escaped } => Some((text.get(self.inner())?, escaped)),
            Kind::Number | Kind::Other => None,
        }
    }

    /// Without the quotes.
    fn inner(&self) -> Range<usize> {
        self.range.start + 1..self.range.end - 1
    }
}
