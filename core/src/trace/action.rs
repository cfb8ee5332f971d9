//! Actions as a trace writes them.

use serde::{Deserialize, Serialize};

use super::event::{Data, FrameLine};
use crate::action::Action;
use crate::config::duration;
use crate::event::{Seq, TransportId};
use crate::notice::{Advice, Closed, Death, Fate, Message, Notice, Reason, State, Warning};
use crate::time::{Duration, Instant};
use crate::timers::Timer;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ActionLine {
    Dial { transport: TransportId, attempt: u32 },
    Write { transport: TransportId, index: u64, frame: FrameLine },
    Abort { transport: TransportId },
    Notify(NoticeLine),
    Wait { until: Option<Instant>, why: Option<Timer> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum NoticeLine {
    StateChanged {
        from: State,
        to: State,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transport: Option<TransportId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    Dialing {
        transport: TransportId,
        attempt: u32,
    },
    Retrying {
        attempt: u32,
        #[serde(with = "duration")]
        delay: Duration,
        #[serde(with = "duration")]
        nominal: Duration,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        advice: Option<Advice>,
        #[serde(with = "duration")]
        outage: Duration,
        reason: Reason,
    },
    Suspended {
        #[serde(with = "duration")]
        outage: Duration,
    },
    Message {
        transport: TransportId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        payload: Data,
    },
    Duplicate {
        id: u64,
    },
    Flushed {
        seq: Seq,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
    },
    Acknowledged {
        seq: Seq,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
    },
    Undelivered {
        seq: Seq,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        fate: Fate,
        payload: Data,
    },
    Writable,
    Pong {
        #[serde(with = "duration")]
        rtt: Duration,
    },
    Dead {
        #[serde(with = "duration")]
        silence: Duration,
        why: Death,
    },
    Warning(Warning),
    Closed(Closed),
}

impl ActionLine {
    pub(super) fn of(action: &Action) -> Self {
        match action {
            Action::Dial { transport, attempt } => {
                Self::Dial { transport: *transport, attempt: *attempt }
            }
            Action::Write { transport, index, frame } => {
                Self::Write { transport: *transport, index: *index, frame: FrameLine::of(frame) }
            }
            Action::Abort { transport } => Self::Abort { transport: *transport },
            Action::Notify(notice) => Self::Notify(NoticeLine::of(notice)),
            Action::Wait { until, why } => Self::Wait { until: *until, why: *why },
        }
    }

    /// Whether it says that nothing more is to be done.
    pub(super) fn is_wait(&self) -> bool {
        matches!(self, Self::Wait { .. })
    }
}

impl NoticeLine {
    fn of(notice: &Notice) -> Self {
        match notice {
            Notice::StateChanged { from, to, transport, reason } => Self::StateChanged {
                from: *from,
                to: *to,
                transport: *transport,
                reason: reason.clone(),
            },
            Notice::Dialing { transport, attempt } => {
                Self::Dialing { transport: *transport, attempt: *attempt }
            }
            Notice::Retrying { attempt, delay, nominal, advice, outage, reason } => {
                Self::Retrying {
                    attempt: *attempt,
                    delay: *delay,
                    nominal: *nominal,
                    advice: *advice,
                    outage: *outage,
                    reason: reason.clone(),
                }
            }
            Notice::Suspended { outage } => Self::Suspended { outage: *outage },
            Notice::Message(Message { payload, id, transport }) => {
                Self::Message { transport: *transport, id: *id, payload: Data::of(payload) }
            }
            Notice::Duplicate { id } => Self::Duplicate { id: *id },
            Notice::Flushed { seq, id } => Self::Flushed { seq: *seq, id: *id },
            Notice::Acknowledged { seq, id } => Self::Acknowledged { seq: *seq, id: *id },
            Notice::Undelivered { seq, id, fate, payload } => {
                Self::Undelivered { seq: *seq, id: *id, fate: *fate, payload: Data::of(payload) }
            }
            Notice::Writable => Self::Writable,
            Notice::Pong { rtt } => Self::Pong { rtt: *rtt },
            Notice::Dead { silence, why } => Self::Dead { silence: *silence, why: *why },
            Notice::Warning(warning) => Self::Warning(warning.clone()),
            Notice::Closed(closed) => Self::Closed(closed.clone()),
        }
    }
}
