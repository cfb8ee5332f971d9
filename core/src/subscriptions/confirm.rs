//! How the server says that it took a subscription.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::matcher::Matcher;
use crate::config::duration;

/// Which message confirms a subscription, which one refuses it, and how long to wait for either.
///
/// ```
/// use perennial_core::subscriptions::{Confirm, Matcher};
///
/// let confirm = Confirm::when(Matcher::new("type", "subscribed").and("channel", "news"))
///     .refuse(Matcher::new("type", "error").and("channel", "news"));
/// let written = r#"{
///     "when": {"type": "subscribed", "channel": "news"},
///     "refuse": {"type": "error", "channel": "news"}
/// }"#;
/// assert_eq!(serde_json::from_str::<Confirm>(written)?, confirm);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// What confirms it.
    pub when: Matcher,
    /// What refuses it; `None`: nothing does.
    #[serde(default)]
    pub refuse: Option<Matcher>,
    /// How long to wait, from the moment when it was said. Default 10 s. With zero
    /// [`News::Unconfirmed`](super::News::Unconfirmed) is told at once, and a confirmation counts
    /// whenever it comes; that is not for [`Unconfirmed::Reconnect`](crate::session::Unconfirmed),
    /// which gives every transport up for it.
    #[serde(with = "duration", default = "ten_seconds")]
    pub timeout: Duration,
    /// Whether the message that confirms or refuses is kept from the application. Default no: it is
    /// passed on.
    #[serde(default)]
    pub consume: bool,
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

impl Confirm {
    /// Confirmed by this message within 10 s.
    #[must_use]
    pub const fn when(matcher: Matcher) -> Self {
        Self { when: matcher, refuse: None, timeout: ten_seconds(), consume: false }
    }

    /// Refused by this message.
    #[must_use]
    pub fn refuse(mut self, matcher: Matcher) -> Self {
        self.refuse = Some(matcher);
        self
    }

    /// Waited for so long.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// With the message kept from the application.
    #[must_use]
    pub const fn consume(mut self) -> Self {
        self.consume = true;
        self
    }

    /// The bytes of its matchers.
    pub(super) fn size(&self) -> usize {
        self.when.size() + self.refuse.as_ref().map_or(0, Matcher::size)
    }
}
