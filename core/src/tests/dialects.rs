//! A dialect of one's own: binary frames whose first byte says what they are.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::testing::{Harness, secs};
use crate::{
    Bytes, Class, Config, ConfigBuilder, Dialect, EncodeError, Encoded, Encoding, Frame,
    HeartbeatStyle, Meaning, Notice, Outgoing, Payload, Rejected,
};

const PING: u8 = 1;
const PONG: u8 = 2;
const ACK: u8 = 3;
const DATA: u8 = 4;

/// `[kind]` or `[kind, id, data...]`.
#[derive(Clone, Debug, PartialEq)]
struct Tagged;

impl Dialect for Tagged {
    fn decode(&mut self, payload: Payload) -> Meaning {
        match payload.as_bytes() {
            [PING] => Meaning::Ping,
            [PONG] => Meaning::Pong,
            [ACK, id] => Meaning::Ack { id: u64::from(*id), cumulative: true },
            [ACK, ..] => Meaning::BadAck,
            [DATA, id, data @ ..] => {
                let data = Bytes::copy_from_slice(data);
                Meaning::Message { payload: data.into(), id: Some(u64::from(*id)) }
            }
            _ => Meaning::Unreadable { payload, detail: Box::from("no kind at byte 0") },
        }
    }

    fn encode(
        &mut self,
        payload: Payload,
        context: Encoding,
    ) -> Result<Encoded, (Payload, EncodeError)> {
        let Some(id) = context.id.and_then(|id| u8::try_from(id).ok()) else {
            return Err((payload, EncodeError::IdsExhausted));
        };
        let mut frame = Vec::from([DATA, id]);
        frame.extend_from_slice(payload.as_bytes());
        Ok(Encoded { payload: frame.into(), id: Some(u64::from(id)) })
    }

    fn ping(&mut self, _unix_ms: u64) -> Option<Payload> {
        Some(Payload::from(&[PING][..]))
    }

    fn pong(&mut self, _unix_ms: u64) -> Option<Payload> {
        Some(Payload::from(&[PONG][..]))
    }

    fn ack(&mut self, id: u64) -> Option<Payload> {
        Some(Vec::from([ACK, u8::try_from(id).ok()?]).into())
    }

    fn has_heartbeat(&self) -> bool {
        true
    }
}

fn binary(bytes: &'static [u8]) -> Frame {
    Frame::Binary(Bytes::from_static(bytes))
}

fn open() -> Harness<Tagged> {
    open_with(|_| {})
}

fn open_with(change: impl FnOnce(&mut ConfigBuilder)) -> Harness<Tagged> {
    let mut config = Config::builder();
    config.outbox.class = Class::Acknowledged;
    config.outbox.ack_timeout = secs(3);
    // The check knows only the built-in dialects' heartbeats; on a transport without protocol
    // pings the dialect's own are used.
    config.heartbeat.style = HeartbeatStyle::Protocol;
    config.heartbeat.interval = secs(5);
    change(&mut config);
    let config = config.build().expect("valid");
    let mut harness = Harness::with_dialect(config, Tagged, 1);
    harness.capabilities.protocol_ping = false;
    harness.open();
    harness
}

#[test]
fn a_dialect_of_ones_own_is_acknowledged_resent_and_answered() {
    let mut harness = open();
    harness.send("a");
    harness.send("b");
    let first = harness.take_frames();
    assert_eq!(first, [binary(&[DATA, 1, b'a']), binary(&[DATA, 2, b'b'])]);
    harness.receive(binary(&[ACK, 1]));
    harness.advance(secs(3));
    assert_eq!(harness.take_frames(), [first[1].clone()]);
    harness.receive(binary(&[ACK, 2]));
    assert_eq!(harness.fates(), ["1 acknowledged", "2 acknowledged"]);
    harness.receive(binary(&[DATA, 9, b'x']));
    harness.receive(binary(&[PING]));
    assert_eq!(harness.take_frames(), [binary(&[ACK, 9]), binary(&[PONG])]);
    assert_eq!(harness.messages()[0].payload, Payload::from(&b"x"[..]));
    harness.advance(secs(2));
    assert_eq!(harness.take_frames(), [binary(&[PING])]);
    harness.receive(binary(&[PONG]));
    assert!(harness.notices.iter().any(|notice| matches!(notice, Notice::Pong { .. })));
}

#[test]
fn what_it_cannot_read_is_passed_on_and_what_it_cannot_write_comes_back() {
    let mut harness = open();
    harness.receive(binary(&[77]));
    assert_eq!(harness.messages()[0].payload, Payload::from(&[77_u8][..]));
    assert!(harness.notices.iter().any(|notice| matches!(notice, Notice::Warning(_))));
    harness.receive(binary(&[ACK, 1, 1]));
    assert_eq!(harness.counters().ignored_acks, 1);
    for id in 1..=255_u8 {
        harness.send("x");
        if id % 100 == 0 {
            harness.receive(Frame::from(Payload::from(Vec::from([ACK, id]))));
        }
    }
    let message = Outgoing::new("one too many");
    let error = EncodeError::IdsExhausted;
    assert_eq!(harness.refused(message.clone()), Rejected::Unencodable { message, error });
}

#[test]
fn what_does_not_fit_once_it_is_written_comes_back_as_it_was() {
    let mut harness = open_with(|config| config.outbox.max_bytes = 100);
    let message = Outgoing::new("x".repeat(99));
    let refused = Rejected::TooLarge { message: message.clone(), size: 101, limit: 100 };
    assert_eq!(harness.refused(message), refused);
    harness.send("x".repeat(50));
    let message = Outgoing::new("x".repeat(48));
    assert_eq!(harness.refused(message.clone()), Rejected::QueueFull(message));
}
