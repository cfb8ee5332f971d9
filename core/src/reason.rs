//! Why a connection was lost, could not be made, or ended, and by whom.

use alloc::boxed::Box;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::event::{DialFailure, End, Violation};
use crate::frame::{CloseFrame, code};
use crate::notice::Death;

/// Why a connection was lost, could not be made, or ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The application asked for it.
    Application,
    /// The dial failed.
    DialFailed(DialFailure),
    /// The dial, and the answer to the dialect's greeting if it has one, took longer than
    /// `connect.dial_timeout`.
    DialTimeout,
    /// The transport ended without a close frame.
    Ended(End),
    /// The peer sent a close frame.
    PeerClosed(Option<CloseFrame>),
    /// The transport was found dead.
    Dead(Death),
    /// The peer broke the protocol.
    Violated(Violation),
    /// The application would not go on with the transport: see
    /// [`Event::Refuse`](crate::Event::Refuse).
    Refused {
        /// Whether it asked for another transport.
        retry: bool,
        /// Why, for people.
        detail: Box<str>,
    },
    /// The opening of the transport took longer than `opening.timeout`.
    OpeningTimeout,
    /// The transport lacks something the config needs.
    Incapable(Capability),
    /// `retry.max_attempts` dials were made, or `retry.max_retries` retries.
    MaxAttempts(Box<Reason>),
    /// The outage lasted `retry.max_outage`.
    MaxOutage,
    /// The retry hook said stop.
    Stopped(Box<Reason>),
    /// The first dial failed and the config says `fail_fast`.
    FirstFailed(Box<Reason>),
}

impl Reason {
    /// The close code as a browser would report it: the peer's, 1005 for a close frame without
    /// one, our own for a violation or a final refusal, and 1006 where there was no close frame (RFC 6455 §7.1.5).
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Reason::Application | Reason::Refused { retry: false, .. } => code::NORMAL,
            Reason::PeerClosed(Some(close)) => close.code,
            Reason::PeerClosed(None) => code::NO_STATUS,
            Reason::Violated(violation) => violation.code,
            Reason::DialFailed(_)
            | Reason::DialTimeout
            | Reason::Ended(_)
            | Reason::Dead(_)
            | Reason::Refused { retry: true, .. }
            | Reason::OpeningTimeout
            | Reason::Incapable(_)
            | Reason::MaxOutage => code::ABNORMAL,
            Reason::MaxAttempts(last) | Reason::Stopped(last) | Reason::FirstFailed(last) => {
                last.code()
            }
        }
    }

    /// The HTTP status of the refusal behind it, if there is one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Reason::DialFailed(failure) => failure.status,
            Reason::MaxAttempts(last) | Reason::Stopped(last) | Reason::FirstFailed(last) => {
                last.status()
            }
            Reason::Application
            | Reason::DialTimeout
            | Reason::Ended(_)
            | Reason::PeerClosed(_)
            | Reason::Dead(_)
            | Reason::Violated(_)
            | Reason::Refused { .. }
            | Reason::OpeningTimeout
            | Reason::Incapable(_)
            | Reason::MaxOutage => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Application => f.write_str("closed by the application"),
            Reason::DialFailed(failure) => write!(f, "{failure}"),
            Reason::DialTimeout => f.write_str("the dial timed out"),
            Reason::Ended(end) => write!(f, "{end}"),
            Reason::PeerClosed(Some(close)) if close.reason.is_empty() => {
                write!(f, "the server closed with code {}", close.code)
            }
            Reason::PeerClosed(Some(close)) => {
                write!(f, "the server closed with code {}: {}", close.code, close.reason)
            }
            Reason::PeerClosed(None) => f.write_str("the server closed without a code"),
            Reason::Dead(Death::Pong) => f.write_str("the server fell silent"),
            Reason::Dead(Death::Stale) => f.write_str("no data came for too long"),
            Reason::Dead(Death::Probe) => {
                f.write_str("the server did not answer after the clock jumped")
            }
            Reason::Violated(violation) => {
                write!(
                    f,
                    "the server broke the protocol ({}): {}",
                    violation.code, violation.detail
                )
            }
            Reason::Refused { detail, .. } if detail.is_empty() => {
                f.write_str("the application refused the transport")
            }
            Reason::Refused { detail, .. } => {
                write!(f, "the application refused the transport: {detail}")
            }
            Reason::OpeningTimeout => f.write_str("the opening took too long"),
            Reason::Incapable(capability) => {
                write!(f, "the transport lacks {}", capability.as_str())
            }
            Reason::MaxAttempts(last) => write!(f, "no attempts left; the last one: {last}"),
            Reason::MaxOutage => f.write_str("the outage lasted too long"),
            Reason::Stopped(last) => write!(f, "stopped by the retry hook after: {last}"),
            Reason::FirstFailed(last) => write!(f, "the first attempt failed: {last}"),
        }
    }
}

/// Something a transport may lack. See [`Capabilities`](crate::Capabilities).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Protocol pings, while the dialect has no heartbeat of its own to use instead.
    ProtocolPing,
}

impl Capability {
    /// The capability, in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Capability::ProtocolPing => {
                "protocol pings, and the dialect has no heartbeat of its own"
            }
        }
    }
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Who ended it.
    pub by: ClosedBy,
    /// The close code: the application's own where it closed, else that of the [`Reason`].
    pub code: u16,
    /// Whether a close frame was both sent and received (RFC 6455 §7.1.4).
    pub clean: bool,
    /// Why.
    pub reason: Reason,
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBy {
    /// The application, with `close` or `drain`.
    Application,
    /// The server, with a status or a close code that forbids another try; or the proxy on the way
    /// to it, which wants other credentials.
    Server,
    /// Our own rules: a limit reached, a violation by the peer, or an opening that the application
    /// refused for good. That is no close that was asked for: it has a reason that people want to
    /// see.
    Policy,
}

impl ClosedBy {
    /// The name in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ClosedBy::Application => "application",
            ClosedBy::Server => "server",
            ClosedBy::Policy => "policy",
        }
    }
}
