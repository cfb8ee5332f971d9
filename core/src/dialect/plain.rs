//! Frames are messages, nothing more.

use super::{Dialect, Encoded, Encoding, Meaning};
use crate::config::Class;
use crate::error::EncodeError;
use crate::frame::Payload;

/// The dialect of a server that has none: every data frame is a message, as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plain;

impl Dialect for Plain {
    fn decode(&mut self, payload: Payload) -> Meaning {
        Meaning::Message { payload, id: None }
    }

    fn encode(
        &mut self,
        payload: Payload,
        context: Encoding,
    ) -> Result<Encoded, (Payload, EncodeError)> {
        match context.class {
            Class::Acknowledged => Err((payload, EncodeError::NoAcks)),
            Class::Volatile | Class::Queued => Ok(Encoded { payload, id: None }),
        }
    }

    fn rewrites(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_pass_unchanged() {
        let mut dialect = Plain;
        let payload = Payload::from("ping");
        assert_eq!(
            dialect.decode(payload.clone()),
            Meaning::Message { payload: payload.clone(), id: None }
        );
        let context = Encoding { id: Some(1), unix_ms: 0, class: Class::Queued };
        assert_eq!(
            dialect.encode(payload.clone(), context),
            Ok(Encoded { payload: payload.clone(), id: None })
        );
        let context = Encoding { class: Class::Acknowledged, ..context };
        assert_eq!(dialect.encode(payload.clone(), context), Err((payload, EncodeError::NoAcks)));
    }
}
