//! How a message's topic and payload are found.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::ops::Range;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use super::MAX_TOPIC;
use super::envelope::{Envelope, Topic};
use crate::config::ConfigError;
use crate::frame::Payload;

/// How the topic is found in a top-level field of a JSON object. [`Routing::fields`] checks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoutingConfig {
    /// The field that holds the topic: a string, or a number. Default `type`; not empty.
    pub topic: String,
    /// The field that holds the payload. Default none: the payload is the whole message, as it is
    /// where the field is missing. Not empty, and another one than that of the topic.
    pub payload: Option<String>,
    /// What separates the segments of a topic, for patterns with wildcards. Default `.`; not `*`.
    pub separator: char,
}

impl Default for RoutingConfig {
    fn default() -> Self {
        Self { topic: String::from("type"), payload: None, separator: Routing::SEPARATOR }
    }
}

impl RoutingConfig {
    fn check(&self) -> Result<(), ConfigError> {
        if self.topic.is_empty() {
            return Err(ConfigError::new("routing.topic", "must name a field"));
        }
        if let Some(payload) = &self.payload {
            if payload.is_empty() {
                let rule = "must name a field, or be left out for the whole message";
                return Err(ConfigError::new("routing.payload", rule));
            }
            if *payload == self.topic {
                let rule = "must be another field than that of the topic";
                return Err(ConfigError::new("routing.payload", rule));
            }
        }
        if self.separator == '*' {
            return Err(ConfigError::new("routing.separator", "must not be *: it is the wildcard"));
        }
        Ok(())
    }
}

/// How a message's topic and payload are found. Cloning it counts a reference.
#[derive(Clone)]
pub struct Routing(Rule);

#[derive(Clone)]
enum Rule {
    Fields(Arc<RoutingConfig>),
    Function(Arc<Function>),
}

type Function = dyn for<'a> Fn(&'a Payload) -> Option<Address<'a>> + Send + Sync;

impl Routing {
    /// The separator of a topic's segments, unless another one is configured.
    pub const SEPARATOR: char = '.';

    /// By the fields of a JSON object.
    ///
    /// # Errors
    /// [`ConfigError`] with the first field that breaks a rule: `routing.topic`, `routing.payload`
    /// or `routing.separator`.
    pub fn fields(config: RoutingConfig) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self(Rule::Fields(Arc::new(config))))
    }

    /// By a function, which is asked once for each message. Its answer must depend on nothing but the
    /// payload, or a trace would replay otherwise than it was recorded.
    ///
    /// The message has no topic if the answer is `None`; if the topic is longer than [`MAX_TOPIC`];
    /// or if the payload's range reaches beyond the message or cuts a character of a text.
    ///
    /// ```
    /// use perennial_core::bus::{Address, Bus, Routing};
    ///
    /// // Messages look like `topic payload`.
    /// let routing = Routing::by(|payload| {
    ///     let text = payload.as_text()?;
    ///     let space = text.find(' ')?;
    ///     Some(Address::new(&text[..space]).payload(space + 1..text.len()))
    /// });
    /// let bus = Bus::new(routing);
    /// # let _ = bus;
    /// ```
    #[must_use]
    pub fn by<F>(function: F) -> Self
    where
        F: for<'a> Fn(&'a Payload) -> Option<Address<'a>> + Send + Sync + 'static,
    {
        Self(Rule::Function(Arc::new(function)))
    }

    /// What separates a topic's segments: what is configured, and [`Routing::SEPARATOR`] with a
    /// function.
    #[must_use]
    pub fn separator(&self) -> char {
        match &self.0 {
            Rule::Fields(config) => config.separator,
            Rule::Function(_) => Self::SEPARATOR,
        }
    }

    /// The fields, unless a function of the program reads.
    #[cfg(feature = "sim")]
    pub(crate) fn as_fields(&self) -> Option<&RoutingConfig> {
        match &self.0 {
            Rule::Fields(config) => Some(config),
            Rule::Function(_) => None,
        }
    }

    /// Reads a message.
    pub(super) fn read(&self, message: &Payload) -> Envelope {
        match (&self.0, message) {
            (Rule::Fields(config), Payload::Text(text)) => {
                Envelope::read(text, &config.topic, config.payload.as_deref())
            }
            (Rule::Fields(_), Payload::Binary(_)) => Envelope::default(),
            (Rule::Function(function), _) => {
                function(message).and_then(|address| address.locate(message)).unwrap_or_default()
            }
        }
    }
}

/// By fields, with every default.
impl Default for Routing {
    fn default() -> Self {
        Self(Rule::Fields(Arc::new(RoutingConfig::default())))
    }
}

impl fmt::Debug for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::Fields(config) => f.debug_tuple("Fields").field(config).finish(),
            Rule::Function(_) => f.write_str("Function"),
        }
    }
}

/// What a function of the program says of a message. See [`Routing::by`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    topic: Cow<'a, str>,
    payload: Option<Range<usize>>,
}

impl<'a> Address<'a> {
    /// A message on `topic`, whose payload is the whole message. A topic that is a part of the
    /// message is not copied; any other is.
    #[must_use]
    pub fn new(topic: impl Into<Cow<'a, str>>) -> Self {
        Self { topic: topic.into(), payload: None }
    }

    /// The payload is this part of the message, in bytes from its start.
    #[must_use]
    pub fn payload(mut self, range: Range<usize>) -> Self {
        self.payload = Some(range);
        self
    }

    /// The address as places in the message, unless it breaks a rule.
    fn locate(self, message: &Payload) -> Option<Envelope> {
        if self.topic.len() > MAX_TOPIC {
            return None;
        }
        if let Some(range) = self.payload.clone() {
            match message {
                Payload::Text(text) => text.get(range).map(str::len)?,
                Payload::Binary(bytes) => bytes.get(range).map(<[u8]>::len)?,
            };
        }
        let topic = match (self.topic, message) {
            (Cow::Owned(topic), _) => Topic::Held(topic.into()),
            (Cow::Borrowed(topic), Payload::Text(text)) => match place(topic, text.as_bytes()) {
                Some(range) => Topic::Slice(range),
                None => Topic::Held(topic.into()),
            },
            (Cow::Borrowed(topic), Payload::Binary(bytes)) => {
                // A slice of the buffer, checked here, so that it need not be looked at again.
                let held = place(topic, bytes)
                    .and_then(|range| ByteString::try_from(bytes.slice(range)).ok());
                Topic::Held(held.unwrap_or_else(|| topic.into()))
            }
        };
        Some(Envelope { topic: Some(topic), payload: self.payload })
    }
}

/// Where in `whole` the memory of `part` lies, if it lies there.
fn place(part: &str, whole: &[u8]) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}
