//! Reading an object once: where its topic is, and where its payload.

use alloc::string::String;
use core::ops::Range;

use bytestring::ByteString;

use super::{MAX_DEPTH, MAX_TOPIC};
use crate::json::{Kind, Scan, Token, means, unescape};

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
        let mut topic = None;
        let mut payload = None;
        let whole = Scan::new(text).object(MAX_DEPTH, |name, value| {
            if is_string(&name, text, topic_field) {
                topic = Some(value);
            } else if payload_field.is_some_and(|field| is_string(&name, text, field)) {
                payload = Some(value.range);
            }
        });
        // Half an object has no topic: what comes later might have named another one.
        match topic.filter(|_| whole.is_some()).and_then(|token| topic_of(token, text)) {
            Some(topic) => Self { topic: Some(topic), payload },
            None => Self::default(),
        }
    }
}

/// Whether a token is the string `expected`.
fn is_string(token: &Token, text: &str, expected: &str) -> bool {
    let Kind::String { escaped } = token.kind else { return false };
    let Some(inner) = text.get(inside(token)) else { return false };
    if escaped { means(inner, expected) } else { inner == expected }
}

/// The topic that a token names.
fn topic_of(token: Token, text: &str) -> Option<Topic> {
    let range = match token.kind {
        Kind::Number => token.range,
        Kind::String { escaped: false } => inside(&token),
        Kind::String { escaped: true } => {
            let mut topic = String::new();
            for char in unescape(text.get(inside(&token))?) {
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

/// Where a string's inside is, without the quotes.
fn inside(token: &Token) -> Range<usize> {
    token.range.start + 1..token.range.end - 1
}
