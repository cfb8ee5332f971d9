//! Doing what is to be done with the link.

#[cfg(feature = "blocking")]
use std::sync::Arc;

#[cfg(feature = "blocking")]
use perennial_core::Action;
use perennial_core::TransportId;

#[cfg(feature = "blocking")]
use super::ACTIONS;
use super::Engine;
use crate::engine::deed::Deed;
use crate::engine::link::Link;
use crate::engine::network::Network;
use crate::engine::sink::Sink;

/// What became of what waited to be written.
#[cfg(feature = "blocking")]
pub(crate) struct Written {
    /// Something was written.
    pub(crate) some: bool,
    /// Nothing is known that needs a turn soon.
    pub(crate) all: bool,
}

impl<N: Network, S: Sink> Engine<N, S> {
    /// Writes what waits to be written, as far as the write credit goes, flushes once, and makes room
    /// for as much. All else that there is to do is left for the next turn, and the application is told
    /// nothing.
    #[cfg(feature = "blocking")]
    pub(crate) fn write_out(&mut self) -> Written {
        let shared = Arc::clone(&self.shared);
        let mut core = shared.lock();
        let now = shared.clock().now();
        core.wake_up();
        let owes_turn = core.abort
            || core.reconnect
            || core.resume
            || !core.prepared.is_empty()
            || core.layer.has_asks();
        self.tell_all(&mut core, now);
        while self.deeds.len() + self.notices.len() < ACTIONS {
            match core.next() {
                Action::Wait { .. } => break,
                action => self.take(action),
            }
        }
        drop(core);
        self.done = 0;
        if !self.deeds.iter().all(Deed::is_write) {
            return Written { some: false, all: false };
        }
        self.act();
        let mut core = shared.lock();
        let now = shared.clock().now();
        self.tell_all(&mut core, now);
        core.relieve();
        drop(core);
        let is_well = |link: &Link<_>| !link.is_blocked() && link.broken().is_none();
        let all =
            !owes_turn && self.link.as_ref().is_some_and(is_well) && self.notices.len() < ACTIONS;
        Written { some: self.done > 0, all }
    }

    /// Does what is to be done, and flushes once.
    pub(super) fn act(&mut self) {
        let mut deeds = std::mem::take(&mut self.deeds);
        self.done = deeds.len();
        for deed in deeds.drain(..) {
            match deed {
                Deed::Write { transport, index, frame } => {
                    if let Some(link) = self.link_of(transport) {
                        link.write(index, frame);
                    }
                }
                Deed::Dial { transport, attempt } => self.dial(transport, attempt),
                Deed::Abort { transport } => self.drop_transport(transport),
            }
        }
        self.deeds = deeds;
        if let Some(link) = &mut self.link
            && link.wants_flush()
        {
            self.events.extend(link.flush());
        }
        self.meter_link();
    }

    pub(super) fn link_of(&mut self, transport: TransportId) -> Option<&mut Link<N::Socket>> {
        self.link.as_mut().filter(|link| link.transport() == transport)
    }
}
