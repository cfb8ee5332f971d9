//! What is asked, and why a question is not taken.

use core::fmt;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use crate::config::Class;
use crate::frame::Payload;
use crate::time::Duration;

/// Names a request: the n-th issued by this table, from 1. It is also the id on the wire.
///
/// Strictly increasing, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub(super) u64);

impl RequestId {
    /// The number: 1 for the first request.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a request says, without its id.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// A method and its parameters, for [`Correlation::JsonRpc`](super::Correlation::JsonRpc).
    Call {
        /// The method's name, as plain text.
        method: ByteString,
        /// A JSON array or object (JSON-RPC 2.0 §4.2); `None` leaves `params` out.
        params: Option<ByteString>,
    },
    /// A JSON object without an id, for
    /// [`Correlation::Fields`](super::Correlation::Fields).
    Object(ByteString),
}

// What is said may be secret, so `Debug` shows lengths only.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Call { method, params } => {
                let params = params.as_ref().map_or(0, |params| params.len());
                write!(f, "Call({} bytes, params of {params} bytes)", method.len())
            }
            Body::Object(text) => write!(f, "Object({} bytes)", text.len()),
        }
    }
}

/// A question to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it says.
    pub body: Body,
    /// What a lost transport does to it; `None` means [`Class::Queued`]. See the
    /// [module](super#what-a-lost-transport-does).
    pub class: Option<Class>,
    /// How long it waits for its answer, from its issue; `None` means
    /// [`Limits::timeout`](super::Limits::timeout).
    pub timeout: Option<Duration>,
}

impl Request {
    /// A call of a method. `params` is JSON text, an array or object; `None` leaves it out.
    #[must_use]
    pub fn call(method: impl Into<ByteString>, params: Option<ByteString>) -> Self {
        Self::of(Body::Call { method: method.into(), params })
    }

    /// A JSON object, into which the id is put.
    #[must_use]
    pub fn object(text: impl Into<ByteString>) -> Self {
        Self::of(Body::Object(text.into()))
    }

    fn of(body: Body) -> Self {
        Self { body, class: None, timeout: None }
    }

    /// The same request with another class.
    #[must_use]
    pub fn class(mut self, class: Class) -> Self {
        self.class = Some(class);
        self
    }

    /// The same request with a timeout of its own.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// A request that was taken, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Its id.
    pub id: RequestId,
    /// The message.
    pub payload: Payload,
    /// The class under which the connection sends the message: [`Class::Volatile`] or
    /// [`Class::Queued`], never [`Class::Acknowledged`].
    pub class: Class,
}

/// A request that was not taken, and is given back. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestRejected {
    /// As many requests as may be await their end, or ended and were not looked at.
    TooMany {
        /// The request.
        request: Request,
        /// `max_in_flight`.
        limit: usize,
    },
    /// The others leave no room for its message.
    Full {
        /// The request.
        request: Request,
        /// The bytes its message takes.
        size: usize,
        /// The bytes that are left of `max_bytes`.
        left: usize,
    },
    /// Its message takes more than `max_bytes`.
    TooLarge {
        /// The request.
        request: Request,
        /// The bytes its message takes.
        size: usize,
        /// `max_bytes`.
        limit: usize,
    },
    /// It cannot be written.
    Malformed {
        /// The request.
        request: Request,
        /// What is wrong.
        what: Fault,
        /// Where: a byte of the params or of the object.
        at: usize,
    },
    /// The table is closed.
    Closed(Request),
    /// The ids are used up: 2^64 - 1 requests were issued.
    IdsExhausted(Request),
}

impl RequestRejected {
    /// The request.
    #[must_use]
    pub fn into_request(self) -> Request {
        match self {
            RequestRejected::TooMany { request, .. }
            | RequestRejected::Full { request, .. }
            | RequestRejected::TooLarge { request, .. }
            | RequestRejected::Malformed { request, .. }
            | RequestRejected::Closed(request)
            | RequestRejected::IdsExhausted(request) => request,
        }
    }
}

impl fmt::Display for RequestRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestRejected::TooMany { limit, .. } => write!(
                f,
                "{limit} requests await their end: wait for answers, or raise requests.max_in_flight"
            ),
            RequestRejected::Full { size, left, .. } => write!(
                f,
                "the request takes {size} bytes and {left} are left: wait for answers, or raise \
                 requests.max_bytes"
            ),
            RequestRejected::TooLarge { size, limit, .. } => write!(
                f,
                "the request takes {size} bytes and at most {limit} are allowed: raise \
                 requests.max_bytes"
            ),
            RequestRejected::Malformed { what, at, .. } => match what {
                Fault::WrongForm => write!(f, "{what}"),
                Fault::NotJson | Fault::NotAnObject | Fault::NotStructured | Fault::HasId => {
                    write!(f, "{what} (at byte {at})")
                }
            },
            RequestRejected::Closed(_) => f.write_str("the connection takes no more requests"),
            RequestRejected::IdsExhausted(_) => f.write_str("no request ids are left"),
        }
    }
}

impl core::error::Error for RequestRejected {}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// An object where the correlation writes calls, or a call where it writes objects.
    WrongForm,
    /// The params or the object are not JSON (RFC 8259).
    NotJson,
    /// JSON that is no object.
    NotAnObject,
    /// Params that are neither an array nor an object (JSON-RPC 2.0 §4.2).
    NotStructured,
    /// The object already has the field that the id goes into.
    HasId,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::WrongForm => {
                "the request does not fit the correlation: json_rpc takes calls, fields takes objects"
            }
            Fault::NotJson => "the request is not JSON",
            Fault::NotAnObject => "the request is not a JSON object",
            Fault::NotStructured => "the params are neither a JSON array nor an object",
            Fault::HasId => "the request already has the field that its id goes into: leave it out",
        })
    }
}
