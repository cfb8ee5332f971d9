//! What the weather does to a client, and what is left of it when the weather clears up.

use super::application::Application;
use super::client::{Happening, NextDial};
use super::server::{Link, Server};
use super::weather::Fault;
use super::world::World;
use crate::config::HeartbeatStyle;
use crate::dialect::Dialect;
use crate::event::{
    Capabilities, DialError, DialFailure, End, EndKind, Event, TransportId, Violation,
};
use crate::frame::{CloseFrame, Frame};
use crate::time::{Duration, nanos};

impl<S, A, D> World<S, A, D>
where
    S: Server,
    A: Application<D>,
    D: Dialect + Clone + PartialEq,
{
    pub(super) fn next_fault(&mut self, client: usize) {
        if let Some(every) = self.weather.every {
            let after = self.faults.between(Duration::ZERO, every.saturating_mul(2));
            self.schedule(self.now + after, Happening::Weather { client });
        }
    }

    pub(super) fn fault(&mut self, client: usize, fault: Fault) {
        let now = self.now;
        let of = &mut self.clients[client];
        let open = of.wire.as_ref().filter(|wire| wire.capabilities.is_some());
        let link = open.map(|wire| Link { client, transport: wire.transport });
        match fault {
            Fault::Fin => {
                if let Some(link) = link {
                    self.end(link, EndKind::Eof);
                }
            }
            Fault::Reset => {
                if let Some(link) = link {
                    self.reset(link);
                }
            }
            Fault::Silence { inbound, outbound, lasts } => {
                if let Some(wire) = &mut of.wire {
                    let until = now + lasts;
                    if inbound {
                        wire.deaf = wire.deaf.max(until);
                        wire.inbound = wire.inbound.max(until);
                    }
                    if outbound {
                        wire.mute = wire.mute.max(until);
                        wire.outbound = wire.outbound.max(until);
                    }
                }
            }
            Fault::Stall(lasts) => {
                if let Some(wire) = &mut of.wire {
                    wire.stalled = wire.stalled.max(now + lasts);
                }
            }
            Fault::RefuseDial => of.next_dial = Some(NextDial::Fails),
            Fault::RefuseHandshake { status, retry_after } => {
                of.next_dial = Some(NextDial::Refused { status, retry_after });
            }
            Fault::SlowHandshake(time) => of.next_dial = Some(NextDial::Takes(time)),
            Fault::NoHandshake => of.next_dial = Some(NextDial::NeverEnds),
            Fault::Close(code) => {
                if let Some(link) = link {
                    self.send(link, Frame::Close(Some(CloseFrame::new(code, "fault"))));
                }
            }
            Fault::ClockJump(by) => {
                of.ahead = of.ahead.saturating_add(nanos(by));
                // The timer was set by a clock that has passed it now.
                self.plan_tick_anew(client);
            }
            Fault::ClockBack(by) => {
                of.behind = of.behind.saturating_add(nanos(by));
                self.feed(client, Event::Tick);
            }
            Fault::LateTick(by) => {
                of.late = by;
                self.plan_tick_anew(client);
            }
            Fault::StopReading(lasts) => {
                if of.reads && !of.is_closed() {
                    of.reads = false;
                    self.schedule(now + lasts, Happening::Reads { client });
                    self.feed(client, Event::PauseReads);
                }
            }
            Fault::Stale(kind) => self.stale(client, kind),
        }
    }

    /// A driver reports what it should not.
    fn stale(&mut self, client: usize, kind: u8) {
        let last = self.clients[client].driver.checked().connection().last_transport;
        let Some(past) = last.checked_sub(1).filter(|past| *past > 0) else { return };
        let transport = TransportId(past);
        let capabilities = Capabilities::SOCKET;
        let violation = || Violation { code: 1002, detail: "late".into() };
        let failure = || DialFailure::new(DialError::Connect, "late");
        let event = match kind % 7 {
            0 => Event::Opened { transport, capabilities },
            1 => Event::DialFailed { transport, failure: failure() },
            2 => Event::Received { transport, frame: Frame::Text("late".into()) },
            3 => Event::Heard { transport },
            4 => Event::Flushed { transport, through: u64::MAX },
            5 => Event::Violated { transport, violation: violation() },
            _ => Event::Ended { transport, end: End::new(EndKind::Reset) },
        };
        self.feed(client, event);
    }

    fn reset(&mut self, link: Link) {
        let event = Event::Ended { transport: link.transport, end: End::new(EndKind::Reset) };
        self.report(link.client, event);
    }

    /// Takes back what the faults do to a client that only the network could take back.
    pub(super) fn clear_up(&mut self, client: usize) {
        let now = self.now;
        let of = &mut self.clients[client];
        let watched = of.driver.config().heartbeat.style != HeartbeatStyle::Off;
        of.next_dial = None;
        of.late = Duration::ZERO;
        if let Some(wire) = &mut of.wire {
            wire.stalled = now;
            // Only what is heard proves life: a link over which nothing gets out, but in, is never
            // found out for as long as the server goes on speaking.
            let silent = wire.deaf.max(wire.mute) > now;
            let found = watched && wire.deaf >= wire.mute;
            if silent && !found && wire.capabilities.is_some() {
                let transport = wire.transport;
                self.reset(Link { client, transport });
            }
        }
        let of = &mut self.clients[client];
        if let Some(wire) = &mut of.wire
            && !wire.unflushed.is_empty()
        {
            wire.flushing = false;
            self.plan_flush(client);
        }
        self.plan_tick_anew(client);
        self.read_again(client);
    }
}
