//! What a type says of itself when it is asked to read something: its name and its fields.

use core::fmt;

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

/// How many wrappers are looked into. A type may be wrapped in itself.
const MAX_WRAPPERS: u8 = 8;

/// What is known of a type; empty for one that is no struct or enum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) name: Option<&'static str>,
    /// The names of a struct's fields.
    pub(super) fields: &'static [&'static str],
}

impl Shape {
    /// Asks the type to read, notes what it asks for, and breaks off.
    pub(super) fn of<T: DeserializeOwned>() -> Self {
        let mut shape = Self::default();
        // What comes of it is an error, save from a type that reads nothing.
        let _ = T::deserialize(Probe { shape: &mut shape, wrappers: 0 });
        shape
    }
}

struct Probe<'a> {
    shape: &'a mut Shape,
    wrappers: u8,
}

impl Probe<'_> {
    fn unwrap(self) -> Result<Self, Stop> {
        if self.wrappers == MAX_WRAPPERS {
            return Err(Stop);
        }
        Ok(Self { wrappers: self.wrappers + 1, ..self })
    }
}

/// There is nothing to read.
#[derive(Debug)]
struct Stop;

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        Err(Stop)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Stop> {
        *self.shape = Shape { name: Some(name), fields };
        Err(Stop)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Stop> {
        *self.shape = Shape { name: Some(name), fields: &[] };
        Err(Stop)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: usize,
        _: V,
    ) -> Result<V::Value, Stop> {
        *self.shape = Shape { name: Some(name), fields: &[] };
        Err(Stop)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self.unwrap()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_some(self.unwrap()?)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple map identifier ignored_any
    }
}

impl serde::de::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Stop
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is nothing to read")
    }
}

impl core::error::Error for Stop {}
