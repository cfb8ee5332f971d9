//! What the model compares after every event: the status without what would have to be written
//! out for it.

use crate::connection::Connection;
use crate::dialect::Dialect;
use crate::event::TransportId;
use crate::notice::{ReadyState, State};
use crate::phase::Phase;
use crate::time::Instant;
use crate::timers::Timer;

/// The private phase, without what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Idle,
    Waiting,
    Dialing,
    Open,
    Closing,
    Closed,
}

/// A snapshot that costs no allocation. The fields are those of [`Status`](crate::Status), but for
/// the counters, which are many: whoever compares them looks at the connection's own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Glance {
    pub(super) state: State,
    pub(super) ready_state: ReadyState,
    pub(super) phase: Stage,
    pub(super) suspended: bool,
    pub(super) reads_paused: bool,
    pub(super) held: bool,
    pub(super) transport: Option<TransportId>,
    pub(super) attempt: u32,
    pub(super) deadline: Option<(Instant, Timer)>,
    pub(super) queued: usize,
    pub(super) in_flight: usize,
    pub(super) outbox_bytes: usize,
    pub(super) buffered_amount: usize,
}

impl Glance {
    #[inline]
    pub(super) fn of<D: Dialect>(connection: &Connection<D>) -> Self {
        Self {
            state: connection.state(),
            ready_state: connection.ready_state(),
            phase: match &connection.phase {
                Phase::Idle => Stage::Idle,
                Phase::Waiting => Stage::Waiting,
                Phase::Dialing => Stage::Dialing,
                Phase::Open => Stage::Open,
                Phase::Closing(_) => Stage::Closing,
                Phase::Closed => Stage::Closed,
            },
            suspended: connection.suspended,
            reads_paused: connection.reads_paused,
            held: connection.is_held(),
            transport: connection.transport.as_ref().map(|transport| transport.id),
            attempt: connection.attempts,
            deadline: connection.timers.earliest(),
            queued: connection.outbox.queued(),
            in_flight: connection.outbox.in_flight(),
            outbox_bytes: connection.outbox.bytes(),
            buffered_amount: connection.outbox.buffered_amount(),
        }
    }
}
