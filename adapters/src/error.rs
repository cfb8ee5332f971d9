//! What can go wrong outside the state machine, typed. No message ever contains a secret.

use std::fmt;
use std::io;
use std::path::PathBuf;

use perennial_core::requests::{self, Answer, Outcome, Request, RequestRejected};
use perennial_core::session;
use perennial_core::subscriptions::{Subscription, SubscriptionRejected};
use perennial_core::{Closed, ConfigError, EncodeError, Fate, Outgoing, Rejected};

/// Why a connection could not be set up. `Debug` shows it in the same words as `Display`: a program
/// whose `main` returns it ends with them.
#[non_exhaustive]
pub enum Error {
    /// The URL cannot be used.
    Url {
        /// The rule that it breaks.
        rule: String,
    },
    /// The URL's scheme is another than `ws` or `wss`.
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// A header or a subprotocol cannot be used.
    Header {
        /// The header's name.
        name: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// An HTTP request cannot be one for a WebSocket.
    Request {
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A proxy cannot be used, although it would have to be.
    Proxy {
        /// Where it is named: `the proxy's URL`, or a variable of the environment.
        place: &'static str,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A file with trusted certificates cannot be read.
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The trusted certificates cannot be used.
    Trust {
        /// What is wrong.
        detail: String,
    },
    /// The configuration breaks a rule.
    Config(ConfigError),
    /// The operating system refused something that the client needs.
    Io {
        /// What was to be done.
        what: &'static str,
        /// Why it was refused.
        source: io::Error,
    },
    /// The first attempt ended the connection, and the config says `connect.fail_fast`.
    Closed(Box<Closed>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Url { rule } => write!(f, "the URL {rule}"),
            Error::Scheme { scheme } => {
                write!(f, "the URL's scheme is {scheme}: use ws:// or wss://")
            }
            Error::Header { name, rule } => write!(f, "the header {name} {rule}"),
            Error::Proxy { place, rule } => write!(f, "{place} {rule}"),
            Error::Request { rule } => write!(f, "the request {rule}"),
            Error::CaFile { path, source } => {
                write!(f, "the certificates in {} cannot be read: {source}", path.display())
            }
            Error::Trust { detail } => f.write_str(detail),
            Error::Config(error) => write!(f, "the configuration's {error}"),
            Error::Io { what, source } => write!(f, "cannot {what}: {source}"),
            Error::Closed(closed) => write!(f, "{}", closed.reason),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::CaFile { source, .. } | Error::Io { source, .. } => Some(source),
            Error::Url { .. }
            | Error::Scheme { .. }
            | Error::Header { .. }
            | Error::Request { .. }
            | Error::Proxy { .. }
            | Error::Trust { .. }
            | Error::Config(_)
            | Error::Closed(_) => None,
        }
    }
}

/// A message that was not accepted. It comes back with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendError {
    /// The message.
    pub message: Outgoing,
    /// Why it was not accepted.
    pub refusal: Refusal,
}

/// Why a message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The outbox is full, or the application does not fetch its reports. Or as many messages wait
    /// as may go [ahead](Outgoing::ahead): for room among those nobody waits, a message of theirs
    /// comes back at once.
    Full,
    /// The outbox stayed full for as long as the caller wanted to wait.
    Timeout,
    /// The message alone is larger than the outbox.
    TooLarge {
        /// Its size on the wire in bytes.
        size: usize,
        /// The config's `outbox.max_bytes`.
        limit: usize,
    },
    /// The connection is closed, closing or draining.
    Closed,
    /// No transport is open, and the message was to go [ahead](Outgoing::ahead) of everything queued,
    /// or the config's `outbox.while_down` says `refuse`.
    NotOpen,
    /// The dialect cannot write the message.
    Unencodable(EncodeError),
}

impl SendError {
    /// `None` when it was no message that was refused.
    pub(crate) fn from_rejected(rejected: Rejected) -> Option<Self> {
        let refusal = match &rejected {
            Rejected::QueueFull(_) | Rejected::Busy(_) => Refusal::Full,
            Rejected::TooLarge { size, limit, .. } => {
                Refusal::TooLarge { size: *size, limit: *limit }
            }
            Rejected::NotOpen(_) => Refusal::NotOpen,
            Rejected::Unencodable { error, .. } => Refusal::Unencodable(*error),
            Rejected::Closed(_) | Rejected::NotQueued(_) | Rejected::InvalidClose(_) => {
                Refusal::Closed
            }
        };
        rejected.into_message().map(|message| Self { message, refusal })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Refusal::Full => {
                f.write_str("the outbox is full: send again later, or raise its limits")
            }
            Refusal::Timeout => f.write_str("the outbox stayed full for too long"),
            Refusal::TooLarge { size, limit } => write!(
                f,
                "the message takes {size} bytes and the outbox holds {limit}: raise outbox.max_bytes"
            ),
            Refusal::Closed => f.write_str("the connection takes no more messages: it closes"),
            Refusal::NotOpen => f.write_str("no transport is open: send it when one is"),
            Refusal::Unencodable(error) => write!(f, "{error}"),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.refusal == Refusal::Full && self.message.ahead {
            return f.write_str("too many messages wait to go ahead: send it when some are sent");
        }
        self.refusal.fmt(f)
    }
}

impl std::error::Error for SendError {}

/// A subscriber that fell so far behind that it was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged;

impl fmt::Display for Lagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the subscriber fell behind and was cut off: fetch sooner, give it more room, or have \
             its oldest messages make room",
        )
    }
}

impl std::error::Error for Lagged {}

/// A request that was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// It cannot be made, or there are too many. The request is in it.
    Rejected(RequestRejected),
    /// Its message was not accepted.
    NotSent {
        /// The request.
        request: Request,
        /// Why its message was not accepted.
        refusal: Refusal,
    },
}

impl RequestError {
    pub(crate) fn from_core(error: session::RequestError) -> Self {
        match error {
            session::RequestError::Rejected(rejected) => RequestError::Rejected(rejected),
            session::RequestError::NotSent { request, rejected } => {
                let refusal = SendError::from_rejected(*rejected)
                    .map_or(Refusal::Closed, |error| error.refusal);
                RequestError::NotSent { request, refusal }
            }
        }
    }

    pub(crate) fn closed(request: Request) -> Self {
        RequestError::NotSent { request, refusal: Refusal::Closed }
    }

    /// The request.
    #[must_use]
    pub fn into_request(self) -> Request {
        match self {
            RequestError::Rejected(rejected) => rejected.into_request(),
            RequestError::NotSent { request, .. } => request,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Rejected(rejected) => write!(f, "{rejected}"),
            RequestError::NotSent { refusal, .. } => write!(f, "{refusal}"),
        }
    }
}

impl std::error::Error for RequestError {}

/// A request that ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestFailed {
    /// The server answered with an error.
    Refused(requests::Refusal),
    /// No answer came in time. The server may have acted.
    TimedOut,
    /// It was taken back. If it was sent before, the server may have acted.
    Cancelled,
    /// It was sent on a transport that was lost before an answer came. The server may have acted.
    Lost,
    /// Its message was given up, as the fate tells.
    Undelivered(Fate),
    /// The connection closed before an answer came. If it was sent before, the server may have acted.
    Closed,
    /// It has ended, and how was told before: an answer is given once.
    AlreadyTaken,
}

impl RequestFailed {
    /// What an outcome comes to.
    pub(crate) fn judge(outcome: Outcome) -> Result<Answer, Self> {
        Err(match outcome {
            Outcome::Answered(answer) => return Ok(answer),
            Outcome::Refused(refusal) => RequestFailed::Refused(refusal),
            Outcome::TimedOut => RequestFailed::TimedOut,
            Outcome::Cancelled => RequestFailed::Cancelled,
            Outcome::Lost => RequestFailed::Lost,
            Outcome::Undelivered(fate) => RequestFailed::Undelivered(fate),
            Outcome::Closed => RequestFailed::Closed,
        })
    }
}

impl fmt::Display for RequestFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestFailed::Refused(refusal) => match refusal.rpc() {
                Some(error) => write!(f, "the server refused the request with code {}", error.code),
                None => f.write_str("the server refused the request"),
            },
            RequestFailed::TimedOut => f.write_str("no answer came in time"),
            RequestFailed::Cancelled => f.write_str("the request was taken back"),
            RequestFailed::Lost => {
                f.write_str("the connection was lost before the request was answered")
            }
            RequestFailed::Undelivered(fate) => {
                write!(f, "the request was not delivered: {}", fate.reason())
            }
            RequestFailed::Closed => {
                f.write_str("the connection closed before the request was answered")
            }
            RequestFailed::AlreadyTaken => {
                f.write_str("what became of the request was told before: keep it from there")
            }
        }
    }
}

impl std::error::Error for RequestFailed {}

/// A subscription that was not taken. It comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// There are too many. The subscription is in it.
    Rejected(SubscriptionRejected),
    /// The connection is closed.
    Closed(Box<Subscription>),
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SubscribeError::Rejected(rejected) => write!(f, "{rejected}"),
            SubscribeError::Closed(_) => f.write_str("the connection is closed"),
        }
    }
}

impl std::error::Error for SubscribeError {}

/// Nothing happened within the time that the caller wanted to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout;

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the wait timed out")
    }
}

impl std::error::Error for Timeout {}

/// A connection that is not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOpen {
    /// It did not open within the time that the caller wanted to wait.
    Timeout,
    /// It is closed, and never opens again.
    Closed(Box<Closed>),
}

impl fmt::Display for NotOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotOpen::Timeout => f.write_str("the connection did not open in time"),
            NotOpen::Closed(closed) => write!(f, "the connection is closed: {}", closed.reason),
        }
    }
}

impl std::error::Error for NotOpen {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_main_that_ends_with_an_error_says_what_is_wrong() {
        let source = || io::ErrorKind::NotFound.into();
        for error in [
            Error::Url { rule: "has no scheme".to_owned() },
            Error::Scheme { scheme: "http".to_owned() },
            Error::Header { name: "X".to_owned(), rule: "is odd" },
            Error::Request { rule: "has a body" },
            Error::Proxy { place: "the proxy's URL", rule: "is odd" },
            Error::CaFile { path: "a.pem".into(), source: source() },
            Error::Trust { detail: "nobody is trusted".to_owned() },
            Error::Io { what: "start a thread", source: source() },
        ] {
            assert_eq!(format!("{error:?}"), error.to_string());
        }
    }
}
