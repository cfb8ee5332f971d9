//! What is to stand at the server, and why it may not be taken.

use alloc::boxed::Box;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::confirm::Confirm;
use crate::config::ConfigError;
use crate::frame::Payload;

/// Names a subscription: the n-th added to this table, from 1. Strictly increasing, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubscriptionId(pub(super) u64);

impl SubscriptionId {
    /// The number: 1 for the first subscription.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Something that is to stand at the server for as long as it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// What is said, once on each transport.
    pub say: Payload,
    /// What is said when it is removed while it stands; `None`: nothing is.
    pub unsay: Option<Payload>,
    /// How the server confirms it; `None`: it does not, and nobody waits.
    pub confirm: Option<Confirm>,
}

impl Subscription {
    /// A subscription that is said with this message.
    #[must_use]
    pub fn new(say: impl Into<Payload>) -> Self {
        Self { say: say.into(), unsay: None, confirm: None }
    }

    /// The same, unsaid with this message.
    #[must_use]
    pub fn unsay(mut self, unsay: impl Into<Payload>) -> Self {
        self.unsay = Some(unsay.into());
        self
    }

    /// The same, confirmed by the server.
    #[must_use]
    pub fn confirm(mut self, confirm: Confirm) -> Self {
        self.confirm = Some(confirm);
        self
    }

    /// The bytes of its messages and matchers.
    pub(super) fn size(&self) -> usize {
        let unsay = self.unsay.as_ref().map_or(0, Payload::len);
        let confirm = self.confirm.as_ref().map_or(0, Confirm::size);
        self.say.len().saturating_add(unsay).saturating_add(confirm)
    }
}

/// The bounds of a table of [`Subscriptions`](super::Subscriptions).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How many subscriptions live. Those that were removed count until they were unsaid.
    /// Default 4096; 1 to 1,048,576.
    pub max_live: usize,
    /// How many bytes their messages and matchers take together. Default 1 MiB; at least 1.
    pub max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_live: 4096, max_bytes: 1 << 20 }
    }
}

impl Limits {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the first field that is out of its range, and the range.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !(1..=1 << 20).contains(&self.max_live) {
            return Err(ConfigError::new("subscriptions.max_live", "must be 1 to 1048576"));
        }
        if self.max_bytes == 0 {
            return Err(ConfigError::new("subscriptions.max_bytes", "must be at least 1 byte"));
        }
        Ok(())
    }
}

/// A subscription that was not taken, and is given back. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionRejected {
    /// As many as may be live, or were removed and not unsaid yet, or have news that was not
    /// looked at.
    TooMany {
        /// The subscription.
        subscription: Box<Subscription>,
        /// `max_live`.
        limit: usize,
    },
    /// The others leave no room for it.
    TooLarge {
        /// The subscription.
        subscription: Box<Subscription>,
        /// The bytes that it takes.
        size: usize,
        /// The bytes that are left of `max_bytes`.
        left: usize,
    },
}

impl SubscriptionRejected {
    /// The subscription.
    #[must_use]
    pub fn into_subscription(self) -> Subscription {
        match self {
            SubscriptionRejected::TooMany { subscription, .. }
            | SubscriptionRejected::TooLarge { subscription, .. } => *subscription,
        }
    }
}

impl fmt::Display for SubscriptionRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SubscriptionRejected::TooMany { limit, .. } => write!(
                f,
                "{limit} subscriptions live: remove some, or raise subscriptions.max_live"
            ),
            SubscriptionRejected::TooLarge { size, left, .. } => write!(
                f,
                "the subscription takes {size} bytes and {left} are left: remove some, or raise \
                 subscriptions.max_bytes"
            ),
        }
    }
}

impl core::error::Error for SubscriptionRejected {}

/// What is to be said next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saying {
    /// For which subscription.
    pub id: SubscriptionId,
    /// Whether it is said or unsaid.
    pub what: What,
    /// The message.
    pub payload: Payload,
    /// Its place among what is to be said.
    pub(super) ticket: u64,
}

/// Whether a subscription is said or unsaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// It is said.
    Say,
    /// It is unsaid: it was removed.
    Unsay,
}

/// What the removal of a subscription means for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Removed {
    /// Nothing: it does not have it, as it was not said on this transport, or was refused.
    Nothing,
    /// It is to be unsaid: [`next_to_say`](super::Subscriptions::next_to_say) will give its `unsay`.
    Unsay,
    /// It stands there until the transport is lost, as it has no `unsay`.
    Stands,
}
