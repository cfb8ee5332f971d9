//! Who an inbound message is for: subscribers, told apart by topic.
//!
//! A [`Bus`] is told who wants what ([`Bus::subscribe`]) and then says of each message whose it is
//! ([`Bus::route`]). It knows nothing of connections, threads and buffers: what is done with the
//! answer is up to its owner.
//!
//! ```
//! use perennial_core::bus::{Bus, Pattern, Routing, RoutingConfig};
//! # use perennial_core::{
//! #     Action, BuiltIn, Capabilities, Config, Connection, Event, Frame, Instant, Message, Notice,
//! # };
//! # fn received(text: &'static str) -> Message {
//! #     let config = Config::default();
//! #     let dialect = BuiltIn::new(&config.dialect);
//! #     let mut connection = Connection::new(config, dialect, 1, Instant::ZERO);
//! #     loop {
//! #         let event = match connection.poll() {
//! #             Action::Dial { transport, .. } => {
//! #                 let opened = Event::Opened { transport, capabilities: Capabilities::SOCKET };
//! #                 connection.handle(Instant::ZERO, opened).unwrap();
//! #                 Event::Received { transport, frame: Frame::Text(text.into()) }
//! #             }
//! #             Action::Notify(Notice::Message(message)) => return message,
//! #             Action::Notify(_) => continue,
//! #             _ => unreachable!(),
//! #         };
//! #         connection.handle(Instant::ZERO, event).unwrap();
//! #     }
//! # }
//!
//! #[derive(serde::Deserialize)]
//! struct Trade {
//!     price: u64,
//! }
//!
//! // Messages look like `{"type":"trade.btc","data":{"price":7}}`.
//! let config = RoutingConfig { payload: Some("data".into()), ..RoutingConfig::default() };
//! let mut bus = Bus::new(Routing::fields(config)?);
//! let every_trade = bus.subscribe(&bus.pattern("trade.*")?);
//! let orders = bus.subscribe(&bus.pattern("order")?);
//! let the_rest = bus.subscribe(&Pattern::unrouted());
//!
//! let mut to = Vec::new();
//! let message = received(r#"{"type":"trade.btc","data":{"price":7}}"#);
//! let delivery = bus.route(message, &mut to);
//! assert_eq!(to, [every_trade]);
//! assert_eq!(delivery.topic(), Some("trade.btc"));
//! assert_eq!(delivery.as_text(), Some(r#"{"price":7}"#));
//! assert_eq!(delivery.parse::<Trade>()?.price, 7);
//!
//! to.clear();
//! bus.route(received("no JSON at all"), &mut to);
//! assert_eq!(to, [the_rest]);
//! # let _ = orders;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where a message's topic is
//!
//! [`Routing::fields`] finds it in a top-level field of a JSON object, and [`Routing::by`] asks a
//! function of the program. A topic that is a JSON string is what the string means; one that is a
//! number is the number as it is written, so that `1` and `1.0` are two topics. Where a field stands
//! twice the last one counts, as in ECMAScript's `JSON.parse` and in `serde_json` (RFC 8259 §4 leaves
//! it open). The payload is the value of the payload field as it stands in the text, or the whole
//! message where no such field is configured or there.
//!
//! # What has no topic
//!
//! Binary data under [`Routing::fields`]; text that is not JSON, or not an object; an object without
//! the field, or with something else in it than a string or a number; nesting deeper than
//! [`MAX_DEPTH`]; a topic longer than [`MAX_TOPIC`], or that is no Unicode text because of a lone
//! surrogate (RFC 8259 §8.2). Such a message goes to those who subscribed with
//! [`Pattern::unrouted`], and to nobody else. A lone surrogate elsewhere in a message is no hindrance.
//!
//! # Costs and limits
//!
//! A message is read once, however many subscribed, in one pass whose work is proportional to its
//! length; nothing is copied or allocated, save a topic with escapes, which is at most [`MAX_TOPIC`]
//! bytes. Finding who gets it takes one look-up among the exact topics and one comparison for each
//! distinct pattern with a wildcard. The number of subscriptions is bounded by the caller alone.

mod delivery;
mod envelope;
mod fault;
mod pattern;
mod routing;
mod shape;
mod table;

#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

pub use delivery::Delivery;
pub use fault::{Fault, PayloadError};
pub use pattern::{Pattern, PatternError};
pub use routing::{Address, Routing, RoutingConfig};

use crate::notice::Message;
use table::Table;

/// The longest topic, in bytes of UTF-8. A message whose topic would be longer has none.
pub const MAX_TOPIC: usize = 1024;

/// How deeply a message may nest to be read, its own object counted. One that nests deeper has no
/// topic.
pub const MAX_DEPTH: usize = 128;

/// Names one subscription of a [`Bus`].
///
/// Strictly increasing from 1 in the order in which they were made, and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubscriberId(u64);

impl SubscriberId {
    /// The number: 1 for the first subscription.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SubscriberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Who subscribed to what. See the [module](self).
#[derive(Clone, Debug)]
pub struct Bus {
    routing: Routing,
    table: Table,
    last: u64,
}

impl Bus {
    /// A bus to which nobody subscribed yet.
    #[must_use]
    pub const fn new(routing: Routing) -> Self {
        Self { routing, table: Table::new(), last: 0 }
    }

    /// Reads a pattern with the separator of this bus. See [`Pattern::parse`].
    ///
    /// # Errors
    /// [`PatternError`], with what is wrong and where.
    pub fn pattern(&self, text: &str) -> Result<Pattern, PatternError> {
        Pattern::parse(text, self.routing.separator())
    }

    /// Adds a subscription. The same pattern may be subscribed any number of times.
    pub fn subscribe(&mut self, pattern: &Pattern) -> SubscriberId {
        self.last += 1;
        let id = SubscriberId(self.last);
        self.table.insert(id, pattern);
        id
    }

    /// Ends a subscription. Says whether there was one of that name.
    pub fn unsubscribe(&mut self, id: SubscriberId) -> bool {
        self.table.remove(id)
    }

    /// The pattern of a subscription, if there is one of that name.
    #[must_use]
    pub fn subscription(&self, id: SubscriberId) -> Option<&Pattern> {
        self.table.get(id)
    }

    /// How many subscriptions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no subscription.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads a message and appends those who get it to `to`: each once, in the order in which they
    /// subscribed. What they get is a clone of the delivery, which counts a reference.
    ///
    /// The message is read even if nobody subscribed.
    pub fn route(&self, message: Message, to: &mut Vec<SubscriberId>) -> Delivery {
        let envelope = self.routing.read(&message.payload);
        let delivery = Delivery::new(message, envelope);
        self.table.find(delivery.topic(), to);
        delivery
    }
}
