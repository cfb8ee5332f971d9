//! A message that is offered, before it is known what becomes of it.

use crate::config::Class;
use crate::dialect::{Dialect, Encoded, Encoding};
use crate::error::EncodeError;
use crate::frame::Payload;

/// What a message would be written as.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Offer {
    pub(super) class: Class,
    pub(super) size: usize,
    pub(super) encoded: Result<Encoded, (Payload, EncodeError)>,
}

impl Offer {
    pub(super) fn new<D: Dialect>(dialect: &mut D, payload: Payload, context: Encoding) -> Self {
        let raw = payload.len();
        let encoded = dialect.encode(payload, context);
        let size = encoded.as_ref().map_or(raw, |encoded| encoded.payload.len());
        Self { class: context.class, size, encoded }
    }

    /// Whether nothing but want of room can stand against it; its size.
    pub(super) fn size(&self) -> Option<usize> {
        let encoded = self.encoded.as_ref().ok()?;
        (self.class != Class::Acknowledged || encoded.id.is_some()).then_some(self.size)
    }
}
