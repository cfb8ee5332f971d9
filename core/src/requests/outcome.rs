//! How a request ends.

use alloc::string::String;
use core::fmt;
use core::ops::Range;

use bytestring::ByteString;
use serde::Deserialize;

use super::RequestId;
use crate::frame::Payload;
use crate::json::{Pick, integer, is_string, pick};
use crate::notice::Fate;

/// The end of a request. Each has exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which request.
    pub id: RequestId,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server answered.
    Answered(Answer),
    /// The server answered with an error.
    Refused(Refusal),
    /// No answer came in time. The server may have acted.
    TimedOut,
    /// The application took it back. If it was handed to a transport before, the server may have
    /// acted.
    Cancelled,
    /// It was handed to a transport that was lost before an answer came. The server may have acted.
    Lost,
    /// The connection gave its message up, and says whether the server may have it.
    Undelivered(Fate),
    /// The connection closed before an answer came. If it was handed to a transport before, the
    /// server may have acted.
    Closed,
}

/// A part of a received text, found when that was read: nothing is copied.
#[derive(Clone, PartialEq, Eq)]
struct Part {
    message: ByteString,
    range: Range<usize>,
}

impl Part {
    fn as_str(&self) -> &str {
        // The range was taken of this text.
        self.message.get(self.range.clone()).unwrap_or_default()
    }

    fn to_shared(&self) -> ByteString {
        self.message.slice_ref(self.as_str())
    }
}

/// The server's answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer(Part);

impl Answer {
    pub(super) fn new(message: ByteString, range: Range<usize>) -> Self {
        Self(Part { message, range })
    }

    /// The result as JSON text: `result` of a JSON-RPC response; otherwise the whole message.
    #[must_use]
    pub fn result(&self) -> &str {
        self.0.as_str()
    }

    /// The result as a shared text, which keeps the whole message in memory.
    #[must_use]
    pub fn to_result(&self) -> ByteString {
        self.0.to_shared()
    }

    /// The whole message.
    #[must_use]
    pub fn payload(&self) -> Payload {
        Payload::Text(self.0.message.clone())
    }

    /// Reads the result.
    ///
    /// # Errors
    /// [`Misfit`] if it is not what `T` expects.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Misfit> {
        parse(self.result())
    }
}

// What is said may be secret, so `Debug` shows lengths only.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} bytes)", self.0.range.len())
    }
}

/// The server's refusal.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal(Part);

impl Refusal {
    pub(super) fn new(message: ByteString, range: Range<usize>) -> Self {
        Self(Part { message, range })
    }

    /// The error as JSON text: what stands in the response's error field.
    #[must_use]
    pub fn error(&self) -> &str {
        self.0.as_str()
    }

    /// The whole message.
    #[must_use]
    pub fn payload(&self) -> Payload {
        Payload::Text(self.0.message.clone())
    }

    /// The error, if it has the form of JSON-RPC's: an object with an integer `code` and a string
    /// `message` (JSON-RPC 2.0 §5.1).
    #[must_use]
    pub fn rpc(&self) -> Option<RpcError> {
        let fields = pick(self.error(), ErrorFields::default())?;
        let data = fields.data.map(|data| self.0.message.slice_ref(data));
        let code = fields.code?;
        // `parse` would take a `+`, with which no JSON number begins.
        let code = integer(code).map_or_else(|| code.parse().ok(), |code| code.try_into().ok())?;
        Some(RpcError { code, message: serde_json::from_str(fields.message?).ok()?, data })
    }

    /// Reads the error as something else.
    ///
    /// # Errors
    /// [`Misfit`] if it is not what `T` expects.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Misfit> {
        parse(self.error())
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refusal({} bytes)", self.0.range.len())
    }
}

/// Names the code, which is a number, and nothing that the server wrote.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rpc() {
            Some(error) => error.fmt(f),
            None => f.write_str("the server refused the request"),
        }
    }
}

/// An error of JSON-RPC (JSON-RPC 2.0 §5.1).
#[derive(Clone, PartialEq, Eq)]
pub struct RpcError {
    /// What kind of error; -32768 to -32000 are the protocol's own.
    pub code: i64,
    /// What happened, in the server's words.
    pub message: String,
    /// More about it, as JSON text.
    pub data: Option<ByteString>,
}

impl fmt::Debug for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = self.data.as_ref().map_or(0, |data| data.len());
        let message = self.message.len();
        write!(f, "RpcError({}, message of {message} bytes, data of {data} bytes)", self.code)
    }
}

/// Names the code and not the message, which may hold secrets.
impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server refused the request with error {}", self.code)
    }
}

impl core::error::Error for RpcError {}

/// A result that is not what was expected. It holds nothing of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The line where that was noticed, from 1.
    pub line: usize,
    /// The byte of that line, from 1; 0 if it was noticed before the first one.
    pub column: usize,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column } = self;
        write!(f, "the answer does not fit the type it is read as, at line {line} column {column}")
    }
}

impl core::error::Error for Misfit {}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Misfit> {
    // The error's own words may quote the text.
    serde_json::from_str(text)
        .map_err(|error| Misfit { line: error.line(), column: error.column() })
}

#[derive(Default)]
struct ErrorFields<'a> {
    code: Option<&'a str>,
    message: Option<&'a str>,
    data: Option<&'a str>,
}

enum ErrorField {
    Code,
    Message,
    Data,
}

impl<'a> Pick<'a> for ErrorFields<'a> {
    type Place = ErrorField;

    fn place(&mut self, key: &'a str) -> Option<ErrorField> {
        if is_string(key, "code") {
            Some(ErrorField::Code)
        } else if is_string(key, "message") {
            Some(ErrorField::Message)
        } else if is_string(key, "data") {
            Some(ErrorField::Data)
        } else {
            None
        }
    }

    fn put(&mut self, place: ErrorField, value: &'a str) {
        match place {
            ErrorField::Code => self.code = Some(value),
            ErrorField::Message => self.message = Some(value),
            ErrorField::Data => self.data = Some(value),
        }
    }
}
