//! Reading: the few fields of an object that mean something here, without building the rest.

use crate::json::{Pick, integer, is_number, is_string, pick_within, unquoted};

/// The top-level fields that the dialect knows, each value as it stands in the text.
///
/// Where a name stands twice the last one counts, as in ECMAScript's `JSON.parse` and in
/// `serde_json` (RFC 8259 §4 leaves it open).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields<'a> {
    kind: Option<&'a str>,
    ack: Option<&'a str>,
    cumulative: Option<&'a str>,
    id: Option<&'a str>,
    /// The field `id`, where the configured one has another name.
    plain_id: Option<&'a str>,
}

/// What an object says about acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ack {
    /// It is one.
    Good { id: u64, cumulative: bool },
    /// It is one, and its number is none from 0 to 2^64 - 1.
    Bad,
}

impl<'a> Fields<'a> {
    /// Reads `text` in one pass; `None` unless it is a JSON object and nothing else, and nests at
    /// most so deep.
    ///
    /// Allocates nothing unless values nest deeper than 128, and then a bit for each level: what is
    /// skipped is skipped by iteration.
    pub(super) fn read(text: &'a str, id_field: &str, max_depth: usize) -> Option<Self> {
        Some(pick_within(text, max_depth, Reader { id_field, fields: Self::default() })?.fields)
    }

    /// Whether the field `type` is the string `kind`.
    pub(super) fn is_kind(&self, kind: &str) -> bool {
        self.kind.is_some_and(|token| is_string(token, kind))
    }

    /// The integer of the id field, if it holds one from 0 to 2^64 - 1.
    pub(super) fn id(&self) -> Option<u64> {
        self.id.and_then(integer)
    }

    /// The acknowledgement, if the object has the form of one.
    ///
    /// Without a `type` that is a number in `ack`; with the type `ack`, a number in `ack`, in the
    /// id field or in `id`, the first of them that there is. With another type it is none.
    pub(super) fn ack(&self) -> Option<Ack> {
        let places = match self.kind {
            None => [self.ack, None, None],
            Some(token) if is_string(token, "ack") => [self.ack, self.id, self.plain_id],
            Some(_) => return None,
        };
        let number = places.into_iter().flatten().find(|token| is_number(token))?;
        Some(match integer(number) {
            Some(id) => Ack::Good { id, cumulative: self.cumulative == Some("true") },
            None => Ack::Bad,
        })
    }
}

struct Reader<'a, 'f> {
    id_field: &'f str,
    fields: Fields<'a>,
}

/// A field that means something here.
#[derive(Clone, Copy)]
enum Name {
    Id,
    Type,
    Ack,
    Cumulative,
    /// `id`, where the configured field has another name.
    PlainId,
}

impl<'a> Pick<'a> for Reader<'a, '_> {
    type Place = Name;

    fn place(&mut self, key: &'a str) -> Option<Name> {
        let Some(name) = unquoted(key).filter(|name| !name.contains('\\')) else {
            return self.escaped(key);
        };
        if name == self.id_field {
            return Some(Name::Id);
        }
        match name {
            "type" => Some(Name::Type),
            "ack" => Some(Name::Ack),
            "cumulative" => Some(Name::Cumulative),
            "id" => Some(Name::PlainId),
            _ => None,
        }
    }

    fn put(&mut self, name: Name, value: &'a str) {
        let fields = &mut self.fields;
        let place = match name {
            Name::Id => &mut fields.id,
            Name::Type => &mut fields.kind,
            Name::Ack => &mut fields.ack,
            Name::Cumulative => &mut fields.cumulative,
            Name::PlainId => &mut fields.plain_id,
        };
        *place = Some(value);
    }
}

impl Reader<'_, '_> {
    /// The place of a name that is written with escapes, as hardly one is.
    fn escaped(&self, key: &str) -> Option<Name> {
        let names = [
            (self.id_field, Name::Id),
            ("type", Name::Type),
            ("ack", Name::Ack),
            ("cumulative", Name::Cumulative),
            ("id", Name::PlainId),
        ];
        names.into_iter().find(|(name, _)| is_string(key, name)).map(|(_, place)| place)
    }
}
