//! A client of a simulated network, and what will happen to it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::driver::Driver;
use super::server::Link;
use super::weather::Fault;
use crate::dialect::Dialect;
use crate::event::{Capabilities, Event, TransportId};
use crate::frame::Frame;
use crate::phase::Phase;
use crate::time::{Duration, Instant};

/// Something that will happen.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// A driver wakes.
    Tick { client: usize },
    /// A handshake arrives at the server.
    Dialed(Link),
    /// Something is reported to a driver.
    Report { client: usize, event: Event },
    /// The kernel takes what was written.
    Flush(Link),
    /// A frame arrives at the server.
    Arrive(Link, Frame),
    /// The server is told of an end.
    ServerTold(Link),
    /// The server wakes.
    ServerWakes,
    /// An application wakes.
    Wake { client: usize },
    /// The weather brings a fault.
    Weather { client: usize },
    /// A fault that was asked for.
    Fault { client: usize, fault: Fault },
    /// An application has caught up.
    Reads { client: usize },
}

impl Happening {
    /// Whose connection may have changed.
    pub(super) fn client(&self) -> Option<usize> {
        match self {
            Happening::Tick { client }
            | Happening::Report { client, .. }
            | Happening::Wake { client }
            | Happening::Weather { client }
            | Happening::Fault { client, .. }
            | Happening::Reads { client } => Some(*client),
            Happening::Dialed(link)
            | Happening::Flush(link)
            | Happening::Arrive(link, _)
            | Happening::ServerTold(link) => Some(link.client),
            Happening::ServerWakes => None,
        }
    }
}

/// A driver and what the network holds for it.
#[derive(Clone, Debug)]
pub(super) struct Client<D> {
    pub(super) driver: Driver<D>,
    /// How far the driver's clock is ahead of the world's, and behind, in nanoseconds.
    pub(super) ahead: u64,
    pub(super) behind: u64,
    /// How much too late it is woken next.
    pub(super) late: Duration,
    pub(super) wire: Option<Wire>,
    /// What awaits the next dial.
    pub(super) next_dial: Option<NextDial>,
    pub(super) reads: bool,
    /// What arrived and was not read.
    pub(super) unread: VecDeque<Event>,
    /// The transports that the server knows.
    pub(super) served: Vec<TransportId>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum NextDial {
    Fails,
    Refused { status: u16, retry_after: Option<Duration> },
    Takes(Duration),
    NeverEnds,
}

/// The network under the current transport.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) transport: TransportId,
    pub(super) capabilities: Option<Capabilities>,
    /// Nothing arrives before these.
    pub(super) inbound: Instant,
    pub(super) outbound: Instant,
    /// Until when a fault lets nothing arrive.
    pub(super) deaf: Instant,
    pub(super) mute: Instant,
    /// The kernel takes nothing before.
    pub(super) stalled: Instant,
    pub(super) unflushed: VecDeque<(u64, Frame)>,
    pub(super) flushing: bool,
    /// The server has said its last.
    pub(super) goodbye: bool,
}

impl Wire {
    pub(super) fn new(transport: TransportId) -> Self {
        Self {
            transport,
            capabilities: None,
            inbound: Instant::ZERO,
            outbound: Instant::ZERO,
            deaf: Instant::ZERO,
            mute: Instant::ZERO,
            stalled: Instant::ZERO,
            unflushed: VecDeque::new(),
            flushing: false,
            goodbye: false,
        }
    }
}

impl<D: Dialect + Clone + PartialEq> Client<D> {
    pub(super) fn new(driver: Driver<D>) -> Self {
        Self {
            reads: !driver.checked().connection().reads_paused,
            driver,
            ahead: 0,
            behind: 0,
            late: Duration::ZERO,
            wire: None,
            next_dial: None,
            unread: VecDeque::new(),
            served: Vec::new(),
        }
    }

    /// The driver's clock shows what it shows when the world's shows `now`.
    pub(super) fn set_clock(&mut self, now: Instant) {
        let shown = now.as_nanos().saturating_add(self.ahead).saturating_sub(self.behind);
        self.driver.set_now(Instant::from_nanos(shown));
    }

    /// How far the driver's clock lags behind what the connection was told.
    pub(super) fn held(&mut self, now: Instant) -> Duration {
        self.set_clock(now);
        self.driver.checked().connection().now - self.driver.now()
    }

    /// When the driver wants to be woken, by the world's clock.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let at = self.driver.deadline()?.as_nanos();
        Some(Instant::from_nanos(at.saturating_add(self.behind).saturating_sub(self.ahead)))
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.driver.checked().connection().phase, Phase::Closed)
    }

    pub(super) fn is_at_rest(&self) -> bool {
        let connection = self.driver.checked().connection();
        matches!(connection.phase, Phase::Open) && connection.outbox.is_empty()
    }

    pub(super) fn wire(&mut self, id: TransportId) -> Option<&mut Wire> {
        self.wire.as_mut().filter(|wire| wire.transport == id)
    }
}
