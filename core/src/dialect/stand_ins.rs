//! What the tests of every dialect ask of its stand-ins.

use alloc::vec::Vec;

use super::{Dialect, Encoding, Meaning, Way};
use crate::config::Class;
use crate::frame::Payload;

/// A meaning without what it says, and how long that is.
fn shape(meaning: Meaning) -> (Meaning, Vec<usize>) {
    let blank = || Payload::from("");
    match meaning {
        Meaning::Message { payload, id } => {
            (Meaning::Message { payload: blank(), id }, [payload.len()].into())
        }
        Meaning::Unreadable { payload, detail } => {
            (Meaning::Unreadable { payload: blank(), detail }, [payload.len()].into())
        }
        Meaning::Admission { payload, admits } => {
            (Meaning::Admission { payload: blank(), admits }, [payload.len()].into())
        }
        Meaning::Messages(payloads) => {
            (Meaning::Messages(Vec::new()), payloads.iter().map(Payload::len).collect())
        }
        other @ (Meaning::Ping | Meaning::Pong | Meaning::Ack { .. } | Meaning::BadAck) => {
            (other, Vec::new())
        }
    }
}

/// What stands for a payload must be as long, and read and written alike.
#[track_caller]
pub(super) fn stands(dialect: &mut impl Dialect, original: &Payload, label: u64) {
    let shown = original.as_text();
    let received = dialect.redact(original, Way::Received, label);
    assert_eq!(received.len(), original.len(), "{shown:?}");
    let expected = shape(dialect.decode(original.clone()));
    assert_eq!(
        shape(dialect.decode(received.clone())),
        expected,
        "{shown:?} {:?}",
        received.as_text()
    );

    let sent = dialect.redact(original, Way::Sent, label);
    assert_eq!(sent.len(), original.len(), "{shown:?}");
    for class in [Class::Queued, Class::Acknowledged] {
        for id in [Some(7), None] {
            let context = Encoding { id, unix_ms: 1_700_000_000_000, class };
            let mut written = |payload| {
                let written = dialect.encode(payload, context);
                written
                    .map(|encoded| (encoded.payload.len(), encoded.id))
                    .map_err(|(payload, error)| (payload.len(), error))
            };
            assert_eq!(written(sent.clone()), written(original.clone()), "{shown:?}");
        }
    }
}
