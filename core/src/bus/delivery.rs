//! A message on its way to its subscribers.

use core::fmt;

use bytestring::ByteString;
use serde::de::DeserializeOwned;

use super::envelope::{Envelope, Topic};
use super::fault::PayloadError;
use crate::frame::Payload;
use crate::notice::Message;

/// A message, with its topic and its payload found. Made by [`Bus::route`](super::Bus::route).
///
/// Both are parts of the message, so that a clone counts one reference, or two if the topic had to be
/// made, and copies nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    message: Message,
    envelope: Envelope,
}

impl Delivery {
    /// The places must lie in the message.
    pub(super) const fn new(message: Message, envelope: Envelope) -> Self {
        Self { message, envelope }
    }

    /// The topic, if the message has one.
    #[must_use]
    pub fn topic(&self) -> Option<&str> {
        match self.envelope.topic.as_ref()? {
            Topic::Held(topic) => Some(topic),
            Topic::Slice(range) => self.message.as_text()?.get(range.clone()),
        }
    }

    /// The payload, if it is text: a JSON value as it stands in the message, or the whole message.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        let text = self.message.as_text()?;
        match &self.envelope.payload {
            Some(range) => text.get(range.clone()),
            None => Some(text),
        }
    }

    /// The payload's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let bytes = self.message.payload.as_bytes();
        let part = self.envelope.payload.clone().and_then(|range| bytes.get(range));
        part.unwrap_or(bytes)
    }

    /// The payload by itself. It shares the message's memory, all of which stays as long as it does.
    #[must_use]
    pub fn payload(&self) -> Payload {
        match &self.message.payload {
            Payload::Text(text) => {
                Payload::Text(text.slice_ref(self.as_text().unwrap_or_default()))
            }
            Payload::Binary(bytes) => Payload::Binary(bytes.slice_ref(self.as_bytes())),
        }
    }

    /// The topic by itself, if the message has one. It shares the message's memory.
    #[must_use]
    pub fn shared_topic(&self) -> Option<ByteString> {
        match (self.envelope.topic.as_ref()?, &self.message.payload) {
            (Topic::Held(topic), _) => Some(topic.clone()),
            (Topic::Slice(range), Payload::Text(text)) => {
                Some(text.slice_ref(text.get(range.clone())?))
            }
            (Topic::Slice(_), Payload::Binary(_)) => None,
        }
    }

    /// The message as it came.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// The message as it came.
    #[must_use]
    pub fn into_message(self) -> Message {
        self.message
    }

    /// Reads the payload as JSON.
    ///
    /// # Errors
    /// [`PayloadError`], if it is not JSON or no `T`. It says where, quotes nothing of the payload,
    /// and holds the delivery.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        read(self.as_text(), self.as_bytes())
            .map_err(|error| PayloadError::new::<T>(self.clone(), &error))
    }
}

impl Message {
    /// Reads the message as JSON, all of it: it knows of no topic. A [`Delivery`] reads what the bus
    /// takes for the payload.
    ///
    /// ```
    /// use perennial_core::bus::PayloadError;
    /// use perennial_core::{Message, Notice};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Trade {
    ///     price: u64,
    /// }
    ///
    /// fn price(notice: &Notice) -> Option<Result<u64, PayloadError>> {
    ///     let Notice::Message(message) = notice else { return None };
    ///     Some(message.parse().map(|trade: Trade| trade.price))
    /// }
    /// # let message = Message {
    /// #     payload: r#"{"price":7}"#.into(),
    /// #     id: None,
    /// #     transport: serde_json::from_str("1")?,
    /// # };
    /// assert_eq!(price(&Notice::Message(message)), Some(Ok(7)));
    /// assert_eq!(price(&Notice::Writable), None);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`PayloadError`], if it is not JSON or no `T`. It says where, quotes nothing of the message,
    /// and holds it.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        read(self.as_text(), self.payload.as_bytes()).map_err(|error| {
            PayloadError::new::<T>(Delivery::new(self.clone(), Envelope::default()), &error)
        })
    }
}

fn read<T: DeserializeOwned>(text: Option<&str>, bytes: &[u8]) -> serde_json::Result<T> {
    match text {
        Some(text) => serde_json::from_str(text),
        None => serde_json::from_slice(bytes),
    }
}

/// The topic is shown, and the lengths of the rest.
impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("topic", &self.topic())
            .field("payload", &self.payload())
            .field("message", &self.message)
            .finish()
    }
}
