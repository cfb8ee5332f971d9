//! What is kept of the actions that a run led to.

use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use crate::action::Action;
use crate::frame::Frame;
use crate::notice::Notice;
use crate::time::Instant;

/// What a [`Driver`](super::Driver) keeps of its actions.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Log {
    /// Nothing.
    #[default]
    Off,
    /// A number over them all.
    Digest(LogDigest),
    /// All of them, with the time that the driver's clock showed; the waits are left out.
    All(Vec<(Instant, Action)>),
}

impl Log {
    /// A log that keeps a digest.
    #[must_use]
    pub fn digest() -> Self {
        Log::Digest(LogDigest::default())
    }

    /// A log that keeps everything.
    #[must_use]
    pub fn all() -> Self {
        Log::All(Vec::new())
    }

    #[inline]
    pub(super) fn take(&mut self, now: Instant, action: &Action) {
        if !matches!(self, Log::Off) {
            self.keep(now, action);
        }
    }

    fn keep(&mut self, now: Instant, action: &Action) {
        match self {
            Log::Off => {}
            Log::Digest(digest) => digest.action(now, action),
            Log::All(log) => {
                if !matches!(action, Action::Wait { .. }) {
                    log.push((now, action.clone()));
                }
            }
        }
    }
}

/// A number over a sequence of actions: the same for the same actions, byte for byte, on every
/// platform.
///
/// It is FNV-1a in 64 bits over the time, the action as `Debug` shows it, and the bytes of its
/// payload, which `Debug` does not show. Not against an adversary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogDigest(u64);

impl Default for LogDigest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl LogDigest {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Takes bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Takes an action, at the time that the driver's clock showed.
    pub fn action(&mut self, now: Instant, action: &Action) {
        // Writing to a digest cannot fail.
        let _ = write!(self, "{} {action:?}", now.as_nanos());
        let payload = match action {
            Action::Write { frame, .. } => match frame {
                Frame::Text(text) => &text.as_bytes()[..],
                Frame::Binary(bytes) | Frame::Ping(bytes) | Frame::Pong(bytes) => bytes,
                Frame::Close(Some(close)) => &close.reason.as_bytes()[..],
                Frame::Close(None) => &[],
            },
            Action::Notify(Notice::Message(message)) => message.payload.as_bytes(),
            Action::Notify(Notice::Undelivered { payload, .. }) => payload.as_bytes(),
            Action::Notify(_)
            | Action::Dial { .. }
            | Action::Abort { .. }
            | Action::Wait { .. } => &[],
        };
        self.bytes(payload);
    }
}

impl fmt::Write for LogDigest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TransportId;

    #[test]
    fn the_digest_is_fnv_1a() {
        // From the authors' test vectors.
        let mut digest = LogDigest::default();
        digest.bytes(b"foobar");
        assert_eq!(digest.get(), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn payloads_count() {
        let write = |text: &'static str| Action::Write {
            transport: TransportId(1),
            index: 1,
            frame: Frame::Text(text.into()),
        };
        let digest = |action| {
            let mut digest = LogDigest::default();
            digest.action(Instant::ZERO, &action);
            digest
        };
        assert_eq!(digest(write("one")), digest(write("one")));
        assert_ne!(digest(write("one")), digest(write("two")));
    }
}
