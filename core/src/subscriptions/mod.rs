//! Subscriptions: what is said to the server again after each reconnect.
//!
//! A server forgets what a client subscribed to when the connection is lost. [`Subscriptions`] is a
//! table of what the client wants to stand at the server. It says in which order that is to be said
//! on a new transport, takes in what is added and removed meanwhile, and watches for confirmations.
//! It knows no connection: whoever owns both sends what it says.
//!
//! ```
//! use perennial_core::subscriptions::{
//!     Confirm, Heard, Limits, Matcher, News, Subscription, Subscriptions,
//! };
//! use perennial_core::{Instant, Payload};
//!
//! let mut subscriptions = Subscriptions::new(Limits::default())?;
//! let ticker = subscriptions.add(
//!     Subscription::new(r#"{"type":"subscribe","symbols":["AAPL"]}"#)
//!         .unsay(r#"{"type":"unsubscribe","symbols":["AAPL"]}"#)
//!         .confirm(Confirm::when(Matcher::new("type", "subscribed").and("symbol", "AAPL"))),
//! )?;
//!
//! // After each open: send what is to be said, until there is nothing left.
//! subscriptions.opened();
//! while let Some(saying) = subscriptions.next_to_say() {
//!     // let seq = … what the connection says when it accepts `saying.payload`
//! #   let seq = serde_json::from_str("1").unwrap();
//!     subscriptions.said(Instant::ZERO, &saying, seq);
//! }
//! assert_eq!(subscriptions.unconfirmed(), 1);
//!
//! let heard = subscriptions.received(&Payload::from(r#"{"type":"subscribed","symbol":"AAPL"}"#));
//! assert_eq!(heard, Heard::Confirmed { id: ticker, consume: false });
//! assert!(matches!(subscriptions.poll_event().unwrap().news, News::Confirmed { .. }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is promised
//!
//! * A subscription lives from [`add`](Subscriptions::add) to [`remove`](Subscriptions::remove),
//!   whatever becomes of transports. Whenever nothing is left to be said on an open transport, what
//!   stands at the server is what lives, said in the order in which it was added. Two exceptions: what
//!   the server refused, and what the connection gave up ([`News::Undelivered`]); either is said
//!   again on the next transport.
//! * None is said twice on one transport. Each is its own, though: whoever adds an equal one
//!   has it said too.
//! * One that is removed before it was said is not said. One that stands is unsaid after
//!   whatever was to be said before, so that a server sees say, unsay and say in that order.
//!
//! # Confirmations
//!
//! A [`Confirm`] names fields of a JSON object that confirms, and of one that refuses. A message
//! confirms or refuses one subscription at most, and only one that was said on this transport and has
//! had no answer on it. If it fits several, the matcher with the most fields decides, then the
//! subscription that was said first; a message that fits both matchers of one, equally many fields
//! each, refuses. When the time is over, [`News::Unconfirmed`] says so and nobody waits any more;
//! a late answer still counts.

mod confirm;
mod matcher;
mod subscription;
mod table;
mod waiting;

#[cfg(test)]
mod tests;

pub use confirm::Confirm;
pub use matcher::{Matcher, MatcherError, Value};
pub use subscription::{
    Limits, Removed, Saying, Subscription, SubscriptionId, SubscriptionRejected, What,
};
pub use table::{Heard, News, Subscriptions, Told};
