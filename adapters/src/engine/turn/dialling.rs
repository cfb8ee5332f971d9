//! From a dial that is asked for to a link.

use std::sync::Arc;

use perennial_core::{Capabilities, DialFailure, Event, TransportId};
use tungstenite::WebSocket;

use super::Engine;
use crate::engine::dial::Dial;
use crate::engine::link::Link;
use crate::engine::lookup::{Preparation, Prepared};
use crate::engine::network::Network;
use crate::engine::sink::Sink;
use crate::engine::wire::Wire;

impl<N: Network, S: Sink> Engine<N, S> {
    pub(super) fn advance_dial(&mut self) {
        let Some(dial) = &mut self.dial else { return };
        let span = self.journal.attempt().enter();
        let Some(outcome) = dial.advance(&self.dialing, &mut self.network) else { return };
        drop(span);
        let transport = dial.transport();
        self.dial = None;
        match outcome {
            Ok(socket) => self.open(transport, *socket),
            Err(failure) => self.events.push_back(Event::DialFailed { transport, failure }),
        }
    }

    fn open(&mut self, transport: TransportId, socket: WebSocket<Wire<N::Socket>>) {
        self.link = Some(Link::new(transport, socket, &self.config));
        let capabilities = Capabilities::SOCKET;
        self.events.push_back(Event::Opened { transport, capabilities });
    }

    pub(super) fn dial(&mut self, transport: TransportId, attempt: u32) {
        self.dial = Some(Dial::new(transport));
        self.target = self.preparer.target().cloned();
        let shared = Arc::clone(&self.shared);
        let report = move |preparation| {
            let mut core = shared.lock();
            core.prepared.push((transport, preparation));
            core.wake();
        };
        let span = self.journal.attempt().enter();
        let outcome = self.preparer.prepare(transport, attempt, report);
        drop(span);
        if let Some(outcome) = outcome {
            self.begin(transport, outcome);
        }
    }

    /// Goes on with a dial, unless it was given up while it was prepared.
    pub(super) fn go_on(&mut self, transport: TransportId, preparation: Preparation) {
        if self.dial.as_ref().is_none_or(|dial| dial.transport() != transport) {
            return;
        }
        match preparation {
            Preparation::Requested(target) => {
                self.journal.requested(&target);
                self.target = Some(target);
            }
            Preparation::Over(outcome) => self.begin(transport, outcome),
        }
    }

    /// Begins to connect.
    fn begin(&mut self, transport: TransportId, outcome: Result<Prepared, DialFailure>) {
        let Some(dial) = &mut self.dial else { return };
        match outcome {
            Ok(prepared) => {
                self.journal.attempt().in_scope(|| dial.begin(prepared));
                self.dial_is_due = true;
            }
            Err(failure) => {
                self.dial = None;
                self.events.push_back(Event::DialFailed { transport, failure });
            }
        }
    }
}
