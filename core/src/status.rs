//! A snapshot of everything a dashboard would show.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::event::TransportId;
use crate::notice::{ReadyState, State};
use crate::time::{Duration, Instant};
use crate::timers::Timer;

/// A snapshot of a connection, from [`Connection::status`](crate::Connection::status).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The state.
    pub state: State,
    /// The state as a browser would name it.
    pub ready_state: ReadyState,
    /// The private phase within the state, in a word: `idle` until the application asks for a
    /// connection, where `connect.auto` is off; `waiting` for the time of a dial; `dialing`; `opening`
    /// while what is queued is [held back](Self::held); `open`; `closing`; `closed`.
    pub phase: &'static str,
    /// Whether the outage has lasted for `retry.suspend_after`.
    pub suspended: bool,
    /// Whether the driver has stopped reading.
    pub reads_paused: bool,
    /// Whether what is queued is held back until the opening is over.
    pub held: bool,
    /// The transport that is dialling or open.
    pub transport: Option<TransportId>,
    /// Dials since the attempt counter was last reset.
    pub attempt: u32,
    /// When the current outage began, if there is one.
    pub outage_since: Option<Instant>,
    /// When the pending dial is due, if one is.
    pub retry_at: Option<Instant>,
    /// Why the last transport was lost or the last dial failed.
    pub last_error: Option<String>,
    /// The last measured round trip.
    pub rtt: Option<Duration>,
    /// When something was last heard.
    pub last_heard: Option<Instant>,
    /// The next deadline, and what it is for.
    pub deadline: Option<(Instant, Timer)>,
    /// Messages in the outbox that wait to be handed to a transport, those that go ahead included.
    pub queued: usize,
    /// Messages in the outbox that were handed to a transport and await a flush or an
    /// acknowledgement.
    pub in_flight: usize,
    /// Bytes of payload in the outbox, both kinds together.
    pub outbox_bytes: usize,
    /// Bytes of application data not yet given to the network, as a browser's `bufferedAmount`.
    pub buffered_amount: usize,
    /// The counts.
    pub counters: Counters,
}

/// What happened so far.
///
/// `accepted = flushed + acknowledged + uncertain + expired + dropped + cancelled` plus what the
/// outbox holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Messages accepted.
    pub accepted: u64,
    /// Messages of class volatile or queued given to the kernel.
    pub flushed: u64,
    /// Messages acknowledged by the peer.
    pub acknowledged: u64,
    /// Messages handed to a transport whose delivery was never confirmed.
    pub uncertain: u64,
    /// Messages whose lifetime passed before they were handed to a transport.
    pub expired: u64,
    /// Messages given up before they were handed to a transport.
    pub dropped: u64,
    /// Messages taken back by the application.
    pub cancelled: u64,
    /// Messages refused, and so never accepted.
    pub rejected: u64,
    /// Writes of a message beyond its first.
    pub resent: u64,
    /// Messages received, duplicates not counted.
    pub received: u64,
    /// Messages received whose id was among the last ones.
    pub duplicates: u64,
    /// Dials.
    pub attempts: u64,
    /// Times the connection was open again after it was lost.
    pub reconnects: u64,
    /// Nanoseconds spent in outages that have ended.
    pub outage_ns: u64,
    /// Events of transports that had passed.
    pub stale_events: u64,
    /// Times the clock went backwards.
    pub clock_backwards: u64,
    /// Times the clock jumped forwards while open.
    pub clock_jumps: u64,
    /// Acknowledgements for ids that awaited none, or that were no usable ids.
    pub ignored_acks: u64,
}
