//! Why a payload is not what a subscriber takes it for.
//!
//! The texts of `serde_json`'s errors quote what they do not like, and payloads may be secret. So only
//! those words are passed on that are known beforehand: from a fixed list, or from the type itself.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::delivery::Delivery;
use super::shape::Shape;

/// A payload that is not JSON, or not of the type asked for. It quotes nothing of the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadError {
    delivery: Box<Delivery>,
    fault: Fault,
    line: usize,
    column: usize,
}

/// What is wrong with a payload.
///
/// Words that name a part of the type are there if that part is known to belong to the type: the
/// fields and variants of the type itself, but not of types inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not JSON.
    Syntax {
        /// What the parser says, such as ``expected `:` ``. It quotes nothing.
        what: Box<str>,
    },
    /// It ends in the middle.
    Incomplete,
    /// A value is of another type.
    Type {
        /// What is there, in words, such as `a string`.
        found: Option<&'static str>,
        /// What was expected, such as `u64` or `Trade`.
        expected: Option<&'static str>,
    },
    /// A value is of the right type, but not one of those that are possible: a number out of range,
    /// for one.
    Value {
        /// What was expected, such as `u8`.
        expected: Option<&'static str>,
    },
    /// An array, or what stands for one, has the wrong length.
    Length,
    /// A field is missing.
    MissingField {
        /// Its name.
        name: Option<&'static str>,
    },
    /// A field stands twice.
    DuplicateField {
        /// Its name.
        name: Option<&'static str>,
    },
    /// There is a field that the type does not know, and the type says that there must not be.
    UnknownField,
    /// There is a variant that the type does not know.
    UnknownVariant,
    /// The type refuses it for a reason of its own, which may quote the payload and is not repeated.
    Refused,
}

impl PayloadError {
    pub(super) fn new<T: DeserializeOwned>(delivery: Delivery, error: &serde_json::Error) -> Self {
        let fault = match error.classify() {
            // The parser's own words: a fixed list.
            Category::Syntax => Fault::Syntax { what: without_place(error).into() },
            Category::Eof => Fault::Incomplete,
            Category::Data => Fault::of_data::<T>(&without_place(error)),
            // Nothing is read from a stream.
            Category::Io => Fault::Refused,
        };
        Self { delivery: Box::new(delivery), fault, line: error.line(), column: error.column() }
    }

    /// The topic of the message, if it has one and a bus has looked for it.
    #[must_use]
    pub fn topic(&self) -> Option<&str> {
        self.delivery.topic()
    }

    /// What is wrong.
    #[must_use]
    pub const fn fault(&self) -> &Fault {
        &self.fault
    }

    /// The line of the payload, from 1. It and the column say how far the parser had come: to the
    /// fault, or to the end of the value that has it.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    /// The column in bytes, from 1; 0 before a line's first byte.
    #[must_use]
    pub const fn column(&self) -> usize {
        self.column
    }

    /// The delivery that could not be read.
    #[must_use]
    pub const fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// The delivery that could not be read, given back.
    #[must_use]
    pub fn into_delivery(self) -> Delivery {
        *self.delivery
    }
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.topic() {
            // Quoted: the peer chose it, and it may hold line breaks.
            Some(topic) => write!(f, "the payload on {topic:?}")?,
            None => f.write_str("the payload of a message")?,
        }
        write!(f, " cannot be read at line {} column {}: {}", self.line, self.column, self.fault)
    }
}

impl core::error::Error for PayloadError {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Syntax { what } => write!(f, "it is not JSON: {what}"),
            Fault::Incomplete => f.write_str("it ends too early"),
            Fault::Type { found, expected } => {
                write!(f, "{} where ", found.unwrap_or("a value of another type"))?;
                write!(f, "{} was expected", expected.unwrap_or("something else"))
            }
            Fault::Value { expected: Some(expected) } => {
                write!(f, "a value that is not possible for {expected}")
            }
            Fault::Value { expected: None } => f.write_str("a value that is not possible"),
            Fault::Length => f.write_str("an array of the wrong length"),
            Fault::MissingField { name: Some(name) } => {
                write!(f, "the field {name} is missing")
            }
            Fault::MissingField { name: None } => f.write_str("a field is missing"),
            Fault::DuplicateField { name: Some(name) } => {
                write!(f, "the field {name} stands twice")
            }
            Fault::DuplicateField { name: None } => f.write_str("a field stands twice"),
            Fault::UnknownField => f.write_str("a field that the type does not know"),
            Fault::UnknownVariant => f.write_str("a variant that the type does not know"),
            Fault::Refused => f.write_str("the type refuses it"),
        }
    }
}

impl Fault {
    /// Finds the form of an error that a type made of data, by the beginnings that `serde` gives them.
    /// A type may write its own errors alike: then they are called what they call themselves, and
    /// still nothing of them is passed on.
    fn of_data<T: DeserializeOwned>(text: &str) -> Self {
        let forms = ["invalid type: ", "invalid value: ", "missing field `", "duplicate field `"];
        let [invalid_type, invalid_value, missing, duplicate] =
            forms.map(|form| text.strip_prefix(form));
        if let Some(rest) = invalid_type {
            Fault::Type { found: found(rest), expected: expected::<T>(rest) }
        } else if let Some(rest) = invalid_value {
            Fault::Value { expected: expected::<T>(rest) }
        } else if let Some(rest) = missing {
            Fault::MissingField { name: name::<T>(rest) }
        } else if let Some(rest) = duplicate {
            Fault::DuplicateField { name: name::<T>(rest) }
        } else if text.starts_with("invalid length ") {
            Fault::Length
        } else if text.starts_with("unknown field ") {
            Fault::UnknownField
        } else if text.starts_with("unknown variant ") {
            Fault::UnknownVariant
        } else {
            Fault::Refused
        }
    }
}

/// What `serde_json` calls a value, and what JSON calls it.
const FOUND: [(&str, &str); 7] = [
    ("null", "null"),
    ("boolean", "a boolean"),
    ("integer", "an integer"),
    ("floating point", "a number with a fraction or an exponent"),
    ("string", "a string"),
    ("sequence", "an array"),
    ("map", "an object"),
];

fn found(text: &str) -> Option<&'static str> {
    FOUND.iter().find(|(name, _)| text.starts_with(name)).map(|(_, words)| *words)
}

/// What the types of `core` and `alloc` say that they expect.
const EXPECTED: [&str; 22] = [
    "a boolean",
    "a character",
    "a map",
    "a sequence",
    "a string",
    "a borrowed string",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "f32",
    "f64",
    "unit",
    "option",
];

/// The expectation at an error's end, if it is among those known, or is the type itself.
fn expected<T: DeserializeOwned>(text: &str) -> Option<&'static str> {
    let (_, words) = text.rsplit_once(", expected ")?;
    let name = || {
        let name = Shape::of::<T>().name?;
        let is_it = ["struct ", "enum ", "tuple struct ", "unit struct "]
            .iter()
            .any(|kind| words.strip_prefix(kind) == Some(name));
        is_it.then_some(name)
    };
    EXPECTED.iter().copied().find(|known| *known == words).or_else(name)
}

/// The field named at an error's beginning, if the type has it.
fn name<T: DeserializeOwned>(text: &str) -> Option<&'static str> {
    let (name, _) = text.split_once('`')?;
    Shape::of::<T>().fields.iter().copied().find(|field| *field == name)
}

/// The words of an error, without its place.
fn without_place(error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    text.strip_suffix(place.as_str()).unwrap_or(&text).into()
}
