//! What a subscriber asks for: a topic, or many by wildcards.

use core::fmt;
use core::str::FromStr;

use bytestring::ByteString;

use super::MAX_TOPIC;
use super::routing::Routing;

/// Which messages a subscriber gets.
///
/// A pattern is written like a topic, in segments. `*` stands for exactly one segment, as in NATS and
/// as `+` in MQTT; `**`, which must come last, for one or more, as `>` in NATS. As in MQTT a segment
/// may be empty.
///
/// | pattern | matches | does not match |
/// | --- | --- | --- |
/// | `a.b` | `a.b` | `a`, `a.b.c` |
/// | `a.*` | `a.b`, `a.` | `a`, `a.b.c` |
/// | `a.*.c` | `a.b.c` | `a.c` |
/// | `a.**` | `a.b`, `a.b.c` | `a` |
/// | `**` | every topic | what has no topic |
///
/// A topic is never taken for a pattern: one with a `*` in it is matched by wildcards and by
/// [`Pattern::exact`].
///
/// Two patterns are equal if they are written alike. Cloning one counts a reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(pub(super) Kind);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Exact(ByteString),
    Wild(Wild),
    Unrouted,
}

/// A pattern with a wildcard in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Wild {
    text: ByteString,
    separator: char,
}

const ONE: &str = "*";
const REST: &str = "**";

impl Pattern {
    /// Reads a pattern whose segments are separated by `separator`.
    ///
    /// # Errors
    /// [`PatternError`], with what is wrong and where.
    pub fn parse(text: &str, separator: char) -> Result<Self, PatternError> {
        if separator == '*' {
            return Err(PatternError::Separator);
        }
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        let exact = Self::exact(text)?;
        if !text.contains('*') {
            return Ok(exact);
        }
        let mut at = 0;
        let mut segments = text.split(separator).peekable();
        while let Some(segment) = segments.next() {
            if segment == REST {
                if segments.peek().is_some() {
                    return Err(PatternError::NotLast { at });
                }
            } else if segment != ONE && segment.contains('*') {
                return Err(PatternError::Partial { at });
            }
            at += segment.len() + separator.len_utf8();
        }
        Ok(Self(Kind::Wild(Wild { text: text.into(), separator })))
    }

    /// This topic and no other: `*` means itself, and the empty topic is one.
    ///
    /// # Errors
    /// [`PatternError::TooLong`].
    pub fn exact(topic: impl Into<ByteString>) -> Result<Self, PatternError> {
        let topic = topic.into();
        if topic.len() > MAX_TOPIC {
            return Err(PatternError::TooLong { len: topic.len() });
        }
        Ok(Self(Kind::Exact(topic)))
    }

    /// Every topic: `**`.
    #[must_use]
    pub const fn all() -> Self {
        let text = ByteString::from_static(REST);
        Self(Kind::Wild(Wild { text, separator: Routing::SEPARATOR }))
    }

    /// What has no topic, which no other pattern matches. See the [module](super).
    #[must_use]
    pub const fn unrouted() -> Self {
        Self(Kind::Unrouted)
    }

    /// Whether the pattern matches a topic.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        match &self.0 {
            Kind::Exact(exact) => *exact == topic,
            Kind::Wild(wild) => wild.matches(topic),
            Kind::Unrouted => false,
        }
    }

    /// The pattern as it was written; `None` for [`Pattern::unrouted`].
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Kind::Exact(text) | Kind::Wild(Wild { text, .. }) => Some(text),
            Kind::Unrouted => None,
        }
    }
}

impl Wild {
    /// Whether it matches a topic: both are walked once, segment by segment.
    pub(super) fn matches(&self, topic: &str) -> bool {
        let mut segments = topic.split(self.separator);
        for wanted in self.text.split(self.separator) {
            // A topic has one segment at least, and `**` takes all that are left.
            match (wanted, segments.next()) {
                (_, None) => return false,
                (REST, Some(_)) => return true,
                (ONE, Some(_)) => {}
                (literal, Some(segment)) if literal == segment => {}
                (_, Some(_)) => return false,
            }
        }
        segments.next().is_none()
    }
}

/// Reads a pattern with the default separator, [`Routing::SEPARATOR`].
impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text, Routing::SEPARATOR)
    }
}

/// As it was written; `(no topic)` for [`Pattern::unrouted`].
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str().unwrap_or("(no topic)"))
    }
}

/// Why a text is no pattern. Places are in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// There is nothing in it.
    Empty,
    /// It is longer than [`MAX_TOPIC`], so that no topic could match.
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// A wildcard shares its segment with something else.
    Partial {
        /// Where the segment begins.
        at: usize,
    },
    /// Something comes after `**`.
    NotLast {
        /// Where the `**` stands.
        at: usize,
    },
    /// The separator is `*`.
    Separator,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PatternError::Empty => {
                f.write_str("the pattern is empty: name a topic, or ** for every one")
            }
            PatternError::TooLong { len } => {
                write!(f, "the pattern takes {len} bytes and a topic at most {MAX_TOPIC}")
            }
            PatternError::Partial { at } => write!(
                f,
                "the segment at byte {at} holds a wildcard and something else: \
                 let * or ** stand alone, or ask for the exact topic"
            ),
            PatternError::NotLast { at } => write!(
                f,
                "the ** at byte {at} is not the last segment: use * for each segment before the last"
            ),
            PatternError::Separator => f.write_str("* separates no segments: it is the wildcard"),
        }
    }
}

impl core::error::Error for PatternError {}
