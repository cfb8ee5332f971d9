//! Frames are messages, save two texts that are heartbeats.

use bytestring::ByteString;

use super::{Dialect, Encoded, Encoding, Meaning, Plain, Way, filler};
use crate::error::EncodeError;
use crate::frame::Payload;

/// The dialect of a server that answers the text `ping` with the text `pong`, or another such
/// pair. Both are consumed; every other frame is a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    ping: ByteString,
    pong: ByteString,
}

impl Text {
    /// The dialect with this pair of literals.
    #[must_use]
    pub fn new(ping: &str, pong: &str) -> Self {
        Self { ping: ping.into(), pong: pong.into() }
    }

    /// What `text` is, if it is one of the pair.
    pub(super) fn heartbeat(&self, text: &str) -> Option<Meaning> {
        if text == &*self.pong {
            Some(Meaning::Pong)
        } else if text == &*self.ping {
            Some(Meaning::Ping)
        } else {
            None
        }
    }

    /// Filler that is no heartbeat. There are two of those, so that one of three is none.
    pub(super) fn harmless(&self, label: u64, fill: impl Fn(u64) -> Payload) -> Payload {
        let other =
            |payload: &Payload| payload.as_text().is_none_or(|text| self.heartbeat(text).is_none());
        let labels = [label, label.wrapping_add(1), label.wrapping_add(2)];
        labels.into_iter().map(&fill).find(other).unwrap_or_else(|| fill(label))
    }
}

impl Dialect for Text {
    fn decode(&mut self, payload: Payload) -> Meaning {
        match payload.as_text().and_then(|text| self.heartbeat(text)) {
            Some(heartbeat) => heartbeat,
            None => Meaning::Message { payload, id: None },
        }
    }

    fn encode(
        &mut self,
        payload: Payload,
        context: Encoding,
    ) -> Result<Encoded, (Payload, EncodeError)> {
        Plain.encode(payload, context)
    }

    fn ping(&mut self, _unix_ms: u64) -> Option<Payload> {
        Some(Payload::Text(self.ping.clone()))
    }

    fn pong(&mut self, _unix_ms: u64) -> Option<Payload> {
        Some(Payload::Text(self.pong.clone()))
    }

    fn has_heartbeat(&self) -> bool {
        true
    }

    fn rewrites(&self) -> bool {
        false
    }

    fn redact(&self, payload: &Payload, way: Way, label: u64) -> Payload {
        let heartbeat = payload.as_text().is_some_and(|text| self.heartbeat(text).is_some());
        match way {
            // Its words stand in the config.
            Way::Received if heartbeat => payload.clone(),
            Way::Received | Way::Sent => self.harmless(label, |label| filler(payload, label)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pair_is_consumed_and_the_rest_is_not() {
        let mut dialect = Text::new("ping", "pong");
        assert_eq!(dialect.decode(Payload::from("pong")), Meaning::Pong);
        assert_eq!(dialect.decode(Payload::from("ping")), Meaning::Ping);
        for other in [Payload::from("pongo"), Payload::from(&b"pong"[..]), Payload::from("")] {
            assert_eq!(
                dialect.decode(other.clone()),
                Meaning::Message { payload: other, id: None }
            );
        }
    }

    #[test]
    fn nothing_but_a_received_heartbeat_stays_in_a_trace() {
        let mut dialect = Text::new("ping", "pong");
        for (heartbeat, meaning) in [("ping", Meaning::Ping), ("pong", Meaning::Pong)] {
            let received = dialect.redact(&Payload::from(heartbeat), Way::Received, 1);
            assert_eq!(dialect.decode(received), meaning);
        }
        for (payload, way) in [
            (Payload::from("hunter2"), Way::Received),
            (Payload::from("hunter2"), Way::Sent),
            (Payload::from("ping"), Way::Sent),
            (Payload::from(&b"pong"[..]), Way::Received),
        ] {
            let redacted = dialect.redact(&payload, way, 1);
            assert_eq!(redacted.len(), payload.len());
            assert_ne!(redacted, payload, "{way:?}");
        }
    }

    #[test]
    fn the_pair_is_written() {
        let mut dialect = Text::new("2", "3");
        assert_eq!(dialect.ping(0), Some(Payload::from("2")));
        assert_eq!(dialect.pong(0), Some(Payload::from("3")));
    }
}
