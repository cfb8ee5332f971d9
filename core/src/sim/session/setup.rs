//! Configs of sessions made of small numbers, so that every limit is met within a few steps.

use crate::bus::{Routing, RoutingConfig};
use crate::requests::{self, Correlation};
use crate::session::{Asks, Flushes, SessionConfig, Unconfirmed, Unrouted};
use crate::sim::{Choices, Setup};
use crate::subscriptions;
use crate::{Config, Duration};

/// What a session and its connection are made of. Every value of it makes valid configs; times are in
/// milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionSetup {
    /// The connection; its transports are held, whatever that says, and its outbox has room for what
    /// is said to log in and to subscribe.
    pub connection: Setup,
    /// Answers are found by fields of an object, not by JSON-RPC.
    pub fields: bool,
    /// From 1 to 8.
    pub max_requests: u8,
    /// In units of 16; from 1.
    pub request_bytes: u8,
    /// From 1.
    pub timeout: u8,
    /// From 1 to 8.
    pub max_subscriptions: u8,
    /// In units of 16; from 1.
    pub subscription_bytes: u8,
    /// A subscription that fails costs the transport.
    pub reconnect: bool,
    /// What no subscriber wants is dropped.
    pub discard: bool,
    /// The application is not told of what was flushed.
    pub omit: bool,
    /// The application logs in.
    pub login: bool,
    /// The application looks at the queue.
    pub queue: bool,
}

impl SessionSetup {
    /// How many bytes it takes to choose all but the connection: where none are left, every choice
    /// is the first.
    #[cfg(any(test, feature = "proptest"))]
    pub(crate) const BYTES: usize = 17;

    /// A setup by choice.
    #[must_use]
    pub fn choose(c: &mut Choices<'_>) -> Self {
        Self {
            fields: c.chance(250),
            max_requests: c.below(8) as u8,
            request_bytes: c.byte(),
            timeout: c.byte(),
            max_subscriptions: c.below(8) as u8,
            subscription_bytes: c.byte(),
            reconnect: c.chance(250),
            discard: c.chance(250),
            login: c.chance(500),
            queue: c.chance(333),
            omit: c.chance(250),
            connection: Setup::choose(c),
        }
    }

    /// The connection's config.
    ///
    /// # Panics
    /// If it is not valid, which no value may bring about.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = self.connection.config().into_builder();
        config.opening.hold = true;
        config.outbox.max_bytes += 100;
        config.build().expect("every setup is valid")
    }

    /// The session's config.
    #[must_use]
    pub fn session(&self) -> SessionConfig {
        let routing = RoutingConfig { payload: Some("data".into()), ..RoutingConfig::default() };
        let correlation = Correlation::Fields {
            request: "ask".into(),
            response: "re".into(),
            error: Some("error".into()),
        };
        let units = |units: u8| usize::from(units.max(1)) * 16;
        SessionConfig {
            routing: Routing::fields(routing).unwrap_or_default(),
            correlation: if self.fields { correlation } else { Correlation::JsonRpc },
            requests: requests::Limits {
                max_in_flight: 1 + usize::from(self.max_requests % 8),
                max_bytes: units(self.request_bytes),
                timeout: Duration::from_millis(u64::from(self.timeout.max(1))),
            },
            subscriptions: subscriptions::Limits {
                max_live: 1 + usize::from(self.max_subscriptions % 8),
                max_bytes: units(self.subscription_bytes),
            },
            unconfirmed: if self.reconnect {
                Unconfirmed::Reconnect
            } else {
                Unconfirmed::Continue
            },
            flushes: if self.omit { Flushes::Omit } else { Flushes::Tell },
            unrouted: if self.discard { Unrouted::Discard } else { Unrouted::Deliver },
            asks: Asks { login: self.login, queue: self.queue },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_bytes_for_every_choice() {
        let setup = SessionSetup::choose(&mut Choices::from_bytes(&[0xff; SessionSetup::BYTES]));
        let SessionSetup { fields, reconnect, discard, login, queue, omit, .. } = setup;
        assert_eq!([fields, reconnect, discard, login, queue, omit], [false; 6]);
        // Without the two for the last of them that is the first of its choices.
        let bytes = [0xff; SessionSetup::BYTES - 2];
        assert!(SessionSetup::choose(&mut Choices::from_bytes(&bytes)).omit);
    }
}
