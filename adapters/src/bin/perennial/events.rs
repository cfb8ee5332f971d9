//! The JSON Lines events: what a notice looks like on stdout with `--events`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use perennial_core::{Closed, Duration, Fate, Message, Notice, Payload, State};
use serde::Serialize;

use crate::ledger::Ledger;

/// One line: the time since the start in milliseconds, then the event.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    pub(crate) at: u64,
    #[serde(flatten)]
    pub(crate) event: Event<'a>,
}

/// An event, its fields in the order in which they are printed. A field that is always there but
/// unknown is `null`; fields that are there only where known are left out.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event<'a> {
    State {
        from: State,
        to: State,
        transport: Option<u64>,
        reason: Option<String>,
    },
    Dial {
        transport: u64,
        attempt: u32,
    },
    Retry {
        attempt: u32,
        delay_ms: u64,
        reason: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        advice: Option<&'static str>,
    },
    Message {
        #[serde(flatten)]
        content: Content<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
    },
    Flushed {
        seq: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
    },
    Acknowledged {
        seq: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
    },
    Uncertain(Undelivered),
    Expired(Undelivered),
    Dropped(Undelivered),
    Rejected {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        reason: &'a str,
    },
    Duplicate {
        id: u64,
    },
    Pong {
        rtt_ms: f64,
    },
    Dead {
        silence_ms: u64,
        why: &'static str,
    },
    Closed {
        by: &'static str,
        code: u16,
        reason: String,
    },
    Ledger(&'a Ledger),
}

/// What a message says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Content<'a> {
    Text(&'a str),
    Base64(String),
}

/// A message that was accepted and not delivered for certain.
#[derive(Debug, Serialize)]
pub(crate) struct Undelivered {
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    reason: &'static str,
}

impl<'a> Event<'a> {
    /// The event that a notice is, if it is one.
    pub(crate) fn of(notice: &'a Notice) -> Option<Self> {
        Some(match notice {
            Notice::StateChanged { from, to, transport, reason } => Self::State {
                from: *from,
                to: *to,
                transport: transport.map(|id| id.get()),
                reason: reason.as_ref().map(ToString::to_string),
            },
            Notice::Dialing { transport, attempt } => {
                Self::Dial { transport: transport.get(), attempt: *attempt }
            }
            Notice::Retrying { attempt, delay, advice, reason, .. } => Self::Retry {
                attempt: *attempt,
                delay_ms: millis(*delay),
                reason: reason.to_string(),
                advice: advice.map(|advice| advice.as_str()),
            },
            Notice::Message(Message { payload, id, .. }) => Self::Message {
                content: match payload {
                    Payload::Text(text) => Content::Text(text),
                    Payload::Binary(bytes) => Content::Base64(STANDARD.encode(bytes)),
                },
                id: *id,
            },
            Notice::Duplicate { id } => Self::Duplicate { id: *id },
            Notice::Flushed { seq, id } => Self::Flushed { seq: seq.get(), id: *id },
            Notice::Acknowledged { seq, id } => Self::Acknowledged { seq: seq.get(), id: *id },
            Notice::Undelivered { seq, id, fate, .. } => {
                let undelivered = Undelivered { seq: seq.get(), id: *id, reason: fate.reason() };
                match fate {
                    Fate::Expired => Self::Expired(undelivered),
                    // Nothing cancels here; it would be a drop.
                    Fate::Dropped(_) | Fate::Cancelled => Self::Dropped(undelivered),
                    Fate::Uncertain(_) => Self::Uncertain(undelivered),
                }
            }
            Notice::Pong { rtt } => Self::Pong { rtt_ms: precise_millis(*rtt) },
            Notice::Dead { silence, why } => {
                Self::Dead { silence_ms: millis(*silence), why: why.as_str() }
            }
            Notice::Closed(Closed { by, code, reason, .. }) => {
                Self::Closed { by: by.as_str(), code: *code, reason: reason.to_string() }
            }
            Notice::Suspended { .. } | Notice::Writable | Notice::Warning(_) => return None,
        })
    }
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds with microseconds behind the point.
pub(crate) fn precise_millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use perennial_core::{
        Advice, ClosedBy, Death, DialError, DialFailure, DropReason, Reason, Seq, TransportId,
    };

    fn printed(notice: &Notice) -> String {
        let event = Event::of(notice).expect("the notice is an event");
        serde_json::to_string(&Line { at: 7, event }).expect("it is serialisable")
    }

    fn seq(n: u64) -> Seq {
        serde_json::from_value(n.into()).expect("a number")
    }

    fn transport(n: u64) -> TransportId {
        serde_json::from_value(n.into()).expect("a number")
    }

    #[test]
    fn fields_and_their_order_are_the_contracts() {
        let refused = DialFailure { status: Some(503), ..DialFailure::new(DialError::Status, "") };
        let message =
            |payload, id| Notice::Message(Message { payload, id, transport: transport(1) });
        for (notice, expected) in [
            (
                Notice::StateChanged {
                    from: State::Connecting,
                    to: State::Open,
                    transport: Some(transport(1)),
                    reason: None,
                },
                r#""state","from":"connecting","to":"open","transport":1,"reason":null"#,
            ),
            (
                Notice::Dialing { transport: transport(3), attempt: 2 },
                r#""dial","transport":3,"attempt":2"#,
            ),
            (
                Notice::Retrying {
                    attempt: 2,
                    delay: Duration::from_micros(1_500),
                    nominal: Duration::ZERO,
                    advice: Some(Advice::RetryAfter),
                    outage: Duration::ZERO,
                    reason: Reason::DialFailed(refused),
                },
                r#""retry","attempt":2,"delay_ms":1,"reason":"the server refused the handshake (HTTP 503)","advice":"retry-after""#,
            ),
            (
                Notice::Retrying {
                    attempt: 2,
                    delay: Duration::ZERO,
                    nominal: Duration::ZERO,
                    advice: None,
                    outage: Duration::ZERO,
                    reason: Reason::DialTimeout,
                },
                r#""retry","attempt":2,"delay_ms":0,"reason":"the dial timed out""#,
            ),
            (message("a\n\"".into(), Some(4)), r#""message","text":"a\n\"","id":4"#),
            (message(vec![0, 255].into(), None), r#""message","base64":"AP8=""#),
            (Notice::Flushed { seq: seq(1), id: None }, r#""flushed","seq":1"#),
            (Notice::Acknowledged { seq: seq(1), id: Some(9) }, r#""acknowledged","seq":1,"id":9"#),
            (
                Notice::Undelivered {
                    seq: seq(2),
                    id: Some(5),
                    fate: Fate::Dropped(DropReason::Oldest),
                    payload: "".into(),
                },
                r#""dropped","seq":2,"id":5,"reason":"the queue was full and it was the oldest""#,
            ),
            (Notice::Duplicate { id: 8 }, r#""duplicate","id":8"#),
            (Notice::Pong { rtt: Duration::from_nanos(1_234_567) }, r#""pong","rtt_ms":1.235"#),
            (
                Notice::Dead { silence: Duration::from_secs(2), why: Death::Pong },
                r#""dead","silence_ms":2000,"why":"pong""#,
            ),
            (
                Notice::Closed(Closed {
                    by: ClosedBy::Application,
                    code: 1000,
                    clean: true,
                    reason: Reason::Application,
                }),
                r#""closed","by":"application","code":1000,"reason":"closed by the application""#,
            ),
        ] {
            assert_eq!(printed(&notice), format!(r#"{{"at":7,"event":{expected}}}"#));
        }
    }
}
