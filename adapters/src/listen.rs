//! What a subscriber of the bus asks for.

use std::fmt;

use perennial_core::bus::{Delivery, Pattern, PatternError, PayloadError};

use crate::engine::Capacity;
use crate::error::Lagged;

pub use crate::engine::SlowConsumer;

/// What a subscriber wants to hear, and how much of it is held until it is fetched.
///
/// Anywhere one is wanted the pattern's text will do, such as `"ticks"` or `"ticks.*"`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing is heard before it is given to `listen` or `topic`"]
pub struct Listen {
    pub(crate) wanted: Wanted,
    pub(crate) capacity: Capacity,
}

/// A pattern, or one to be read with the separator of the connection's routing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Text(String),
    Pattern(Pattern),
}

impl Listen {
    /// Every message whose topic matches: see [`Pattern`]. Its text is checked when it is used.
    pub fn to(pattern: impl Into<String>) -> Self {
        Self::wanting(Wanted::Text(pattern.into()))
    }

    /// Every message that has no topic: text that is not JSON, binary data, whatever the routing
    /// finds none in.
    pub fn to_unrouted() -> Self {
        Pattern::unrouted().into()
    }

    fn wanting(wanted: Wanted) -> Self {
        Self { wanted, capacity: Capacity::default() }
    }

    /// Sets how many messages are held. Default 256; 0 counts as 1.
    pub fn messages(mut self, most: usize) -> Self {
        self.capacity.messages = most;
        self
    }

    /// Sets how many bytes of messages are held. Default 1 MiB. A larger message is held alone.
    pub fn bytes(mut self, most: usize) -> Self {
        self.capacity.bytes = most;
        self
    }

    /// Sets what happens when no more can be held. Default [`SlowConsumer::Block`].
    pub fn slow(mut self, slow: SlowConsumer) -> Self {
        self.capacity.slow = slow;
        self
    }
}

impl From<&str> for Listen {
    fn from(pattern: &str) -> Self {
        Self::to(pattern)
    }
}

impl From<String> for Listen {
    fn from(pattern: String) -> Self {
        Self::to(pattern)
    }
}

impl From<Pattern> for Listen {
    fn from(pattern: Pattern) -> Self {
        Self::wanting(Wanted::Pattern(pattern))
    }
}

/// Why a topic's next message is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicError {
    /// The payload is not what the subscriber takes it for. The delivery is in the error, and the
    /// next message is as good as ever.
    Payload(PayloadError),
    /// The subscriber was too slow and was cut off, as [`SlowConsumer::Disconnect`] has it. Nothing
    /// more comes.
    Lagged(Lagged),
}

impl TopicError {
    /// The message as it came, if it is at fault.
    #[must_use]
    pub fn into_delivery(self) -> Option<Delivery> {
        match self {
            TopicError::Payload(error) => Some(error.into_delivery()),
            TopicError::Lagged(_) => None,
        }
    }
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TopicError::Payload(error) => write!(f, "{error}"),
            TopicError::Lagged(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for TopicError {}

impl From<Lagged> for TopicError {
    fn from(error: Lagged) -> Self {
        TopicError::Lagged(error)
    }
}

/// A pattern that is none is no subscription.
pub(crate) fn pattern(wanted: Wanted, separator: char) -> Result<Pattern, PatternError> {
    match wanted {
        Wanted::Text(text) => Pattern::parse(&text, separator),
        Wanted::Pattern(pattern) => Ok(pattern),
    }
}
