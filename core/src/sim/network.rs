//! What happens between drivers and the server: dials, and bytes both ways.

use super::application::{Application, Hands};
use super::client::{Happening, NextDial, Wire};
use super::server::{Answer, Cx, Link, Order, Server};
use super::world::World;
use crate::action::Action;
use crate::dialect::Dialect;
use crate::event::{Capabilities, DialError, DialFailure, End, EndKind, Event};
use crate::frame::Frame;
use crate::phase::Phase;
use crate::time::{Duration, Instant};

impl<S, A, D> World<S, A, D>
where
    S: Server,
    A: Application<D>,
    D: Dialect + Clone + PartialEq,
{
    pub(super) fn happen(&mut self, what: Happening) {
        match what {
            Happening::Tick { client } => self.tick(client),
            Happening::Dialed(link) => self.dialed(link),
            Happening::Report { client, event } => self.report(client, event),
            Happening::Flush(link) => self.flush(link),
            Happening::Arrive(link, frame) => self.arrive(link, frame),
            Happening::ServerTold(link) => self.server_told(link),
            Happening::ServerWakes => self.serve(|server, cx| server.woken(cx)),
            Happening::Wake { client } => self.wake(client),
            Happening::Weather { client } => {
                if self.weather.every.is_some() && !self.clients[client].is_closed() {
                    let fault = self.weather.fault(&mut self.faults);
                    self.fault(client, fault);
                    self.next_fault(client);
                }
            }
            Happening::Fault { client, fault } => {
                if !self.settling {
                    self.fault(client, fault);
                }
            }
            Happening::Reads { client } => self.read_again(client),
        }
    }

    // --- the driver ---------------------------------------------------------------------------

    /// Gives a connection an event and does what follows.
    pub(super) fn feed(&mut self, client: usize, event: Event) {
        let now = self.now;
        let of = &mut self.clients[client];
        of.set_clock(now);
        // Refusals are counted, and judged by the checker.
        let _ = of.driver.handle(event);
        self.drain(client);
    }

    /// Puts the network under a driver that is under way: its dial is made, its link is open.
    pub(super) fn join(&mut self, client: usize) {
        let connection = self.clients[client].driver.checked().connection();
        let Some(transport) = &connection.transport else { return };
        let (transport, capabilities) = (transport.id, transport.capabilities);
        let lingers = matches!(connection.phase, Phase::Waiting);
        if lingers || self.clients[client].wire.is_some() {
            return;
        }
        let link = Link { client, transport };
        if capabilities.is_none() {
            return self.dial(link);
        }
        let of = &mut self.clients[client];
        of.wire = Some(Wire { capabilities, ..Wire::new(transport) });
        of.served.push(transport);
        self.serve(|server, cx| server.opened(cx, link));
        self.feed(client, Event::Flushed { transport, through: u64::MAX });
    }

    pub(super) fn drain(&mut self, client: usize) {
        loop {
            match self.clients[client].driver.poll() {
                Action::Dial { transport, .. } => self.dial(Link { client, transport }),
                Action::Write { transport, index, frame } => {
                    if let Some(wire) = self.clients[client].wire(transport) {
                        wire.unflushed.push_back((index, frame));
                    }
                }
                Action::Abort { transport } => self.abort(Link { client, transport }),
                Action::Notify(notice) => {
                    let mut hands = Hands {
                        client,
                        driver: &mut self.clients[client].driver,
                        wakes: &mut self.wakes,
                        choices: &mut self.applications,
                        settling: self.settling,
                    };
                    self.application.notified(&mut hands, &notice);
                }
                Action::Wait { .. } => break,
            }
        }
        for at in 0..self.wakes.len() {
            let after = self.wakes[at];
            self.schedule(self.now + after, Happening::Wake { client });
        }
        self.wakes.clear();
        self.plan_flush(client);
        self.plan_tick(client);
    }

    #[inline]
    pub(super) fn plan_tick(&mut self, client: usize) {
        let of = &mut self.clients[client];
        let Some(deadline) = of.deadline() else { return };
        let mut at = deadline.max(self.now);
        if self.queue.tick(client).is_some_and(|tick| tick <= at) {
            return;
        }
        at = at + core::mem::take(&mut of.late);
        if !self.weather.late.is_zero() {
            at = at + self.network.between(Duration::ZERO, self.weather.late);
        }
        self.queue.plan_tick(client, at);
    }

    /// Plans it whatever was planned before.
    pub(super) fn plan_tick_anew(&mut self, client: usize) {
        self.queue.forget_tick(client);
        self.plan_tick(client);
    }

    fn tick(&mut self, client: usize) {
        if self.clients[client].deadline().is_some_and(|deadline| deadline <= self.now) {
            self.feed(client, Event::Tick);
        } else {
            self.plan_tick(client);
        }
    }

    fn wake(&mut self, client: usize) {
        if self.settling || self.clients[client].is_closed() {
            return;
        }
        self.clients[client].set_clock(self.now);
        let mut hands = Hands {
            client,
            driver: &mut self.clients[client].driver,
            wakes: &mut self.wakes,
            choices: &mut self.applications,
            settling: self.settling,
        };
        self.application.woken(&mut hands);
        self.drain(client);
    }

    // --- dialling -----------------------------------------------------------------------------

    fn dial(&mut self, link: Link) {
        let Link { client, transport } = link;
        let of = &mut self.clients[client];
        of.wire = Some(Wire::new(transport));
        of.unread.clear();
        let next = of.next_dial.take();
        let refused = |failure| Event::DialFailed { transport, failure };
        let mut delay = self.delay();
        match next {
            Some(NextDial::NeverEnds) => return,
            Some(NextDial::Fails) => {
                let event = refused(DialFailure::new(DialError::Connect, "refused"));
                return self.schedule(self.now + delay, Happening::Report { client, event });
            }
            Some(NextDial::Refused { status, retry_after }) => {
                let event = refused(Answer::failure(status, retry_after));
                return self.schedule(
                    self.now + delay.saturating_mul(2),
                    Happening::Report { client, event },
                );
            }
            Some(NextDial::Takes(time)) => delay = delay.saturating_add(time),
            None => {}
        }
        if !self.weather.handshake.is_zero() {
            let more = self.network.between(Duration::ZERO, self.weather.handshake);
            delay = delay.saturating_add(more);
        }
        self.schedule(self.now + delay, Happening::Dialed(link));
    }

    fn dialed(&mut self, link: Link) {
        let Link { client, transport } = link;
        let browser = self.network.chance(self.weather.browser);
        let capabilities = if browser { Capabilities::BROWSER } else { Capabilities::SOCKET };
        let at = self.now + self.delay();
        if self.clients[client].wire(transport).is_none() {
            // The driver gave up meanwhile, and may report the opening all the same.
            if self.network.chance(self.weather.stale) {
                let event = Event::Opened { transport, capabilities };
                self.schedule(at, Happening::Report { client, event });
            }
            return;
        }
        let mute = self.clients[client].wire(transport).map_or(self.now, |wire| wire.mute);
        if mute > self.now {
            // Nor does a handshake get through a silent link.
            return self.schedule(mute, Happening::Dialed(link));
        }
        let mut answer = Answer::Ignore;
        self.serve(|server, cx| answer = server.dialed(cx, link));
        match answer {
            Answer::Accept => {
                let of = &mut self.clients[client];
                of.served.push(transport);
                let mut at = at;
                if let Some(wire) = of.wire(transport) {
                    wire.capabilities = Some(capabilities);
                    at = at.max(wire.inbound);
                    wire.inbound = at;
                }
                let event = Event::Opened { transport, capabilities };
                self.schedule(at, Happening::Report { client, event });
                self.serve(|server, cx| server.opened(cx, link));
            }
            Answer::Refuse { status, retry_after } => {
                let failure = Answer::failure(status, retry_after);
                let event = Event::DialFailed { transport, failure };
                self.schedule(at, Happening::Report { client, event });
            }
            Answer::Ignore => {}
        }
    }

    fn abort(&mut self, link: Link) {
        let of = &mut self.clients[link.client];
        let outbound = of.wire(link.transport).map_or(Instant::ZERO, |wire| wire.outbound);
        if of.wire(link.transport).is_some() {
            of.wire = None;
            of.unread.clear();
        }
        if of.served.contains(&link.transport) {
            let at = self.arrival(outbound);
            self.schedule(at, Happening::ServerTold(link));
        }
    }

    // --- from the driver to the server --------------------------------------------------------

    #[inline]
    pub(super) fn plan_flush(&mut self, client: usize) {
        let wire = self.clients[client].wire.as_ref();
        if wire.is_some_and(|wire| !wire.unflushed.is_empty() && !wire.flushing) {
            self.plan_first_flush(client);
        }
    }

    fn plan_first_flush(&mut self, client: usize) {
        let Some(wire) = &mut self.clients[client].wire else { return };
        wire.flushing = true;
        let (transport, stalled) = (wire.transport, wire.stalled);
        let mut at = self.now;
        if !self.weather.flush.is_zero() {
            at = at + self.network.between(Duration::ZERO, self.weather.flush);
        }
        self.schedule(at.max(stalled), Happening::Flush(Link { client, transport }));
    }

    fn flush(&mut self, link: Link) {
        let Link { client, transport } = link;
        let partial = self.network.chance(self.weather.partial);
        let Some(wire) = self.clients[client].wire(transport) else { return };
        wire.flushing = false;
        if wire.stalled > self.now {
            return self.plan_flush(client);
        }
        let mut count = wire.unflushed.len();
        if partial && count > 1 {
            count = 1 + self.network.below(count as u64 - 1) as usize;
        }
        let mut through = 0;
        for _ in 0..count {
            let Some(wire) = self.clients[client].wire(transport) else { break };
            let Some((index, frame)) = wire.unflushed.pop_front() else { break };
            through = index;
            let outbound = wire.outbound;
            let at = self.arrival(outbound);
            if let Some(wire) = self.clients[client].wire(transport) {
                wire.outbound = at;
            }
            self.schedule(at, Happening::Arrive(link, frame));
        }
        let Some(wire) = self.clients[client].wire(transport) else { return };
        let reports = wire.capabilities.is_none_or(|can| can.flush_reports);
        let event = if reports {
            Event::Flushed { transport, through }
        } else {
            let waiting = wire.unflushed.iter().map(|(_, frame)| frame.len() as u64).sum();
            Event::Buffered { transport, bytes: waiting }
        };
        self.feed(client, event);
    }

    fn arrive(&mut self, link: Link, frame: Frame) {
        if !self.clients[link.client].served.contains(&link.transport) {
            return;
        }
        self.serve(|server, cx| match frame {
            Frame::Text(text) => server.received(cx, link, text.into()),
            Frame::Binary(bytes) => server.received(cx, link, bytes.into()),
            control @ (Frame::Ping(_) | Frame::Pong(_) | Frame::Close(_)) => {
                server.control(cx, link, control);
            }
        });
    }

    fn server_told(&mut self, link: Link) {
        let served = &mut self.clients[link.client].served;
        if let Some(at) = served.iter().position(|id| *id == link.transport) {
            served.swap_remove(at);
            self.serve(|server, cx| server.ended(cx, link));
        }
    }

    // --- from the server to the driver --------------------------------------------------------

    fn serve(&mut self, call: impl FnOnce(&mut S, &mut Cx<'_>)) {
        let mut orders = core::mem::take(&mut self.orders);
        let mut cx = Cx { now: self.now, orders: &mut orders, choices: &mut self.servers };
        call(&mut self.server, &mut cx);
        for order in orders.drain(..) {
            match order {
                Order::Send(link, frame) => self.send(link, frame),
                Order::End(link, kind) => self.end(link, kind),
                Order::Wake(at) => self.schedule(at.max(self.now), Happening::ServerWakes),
            }
        }
        self.orders = orders;
    }

    pub(super) fn send(&mut self, link: Link, frame: Frame) {
        let Link { client, transport } = link;
        let of = &mut self.clients[client];
        if !of.served.contains(&transport) {
            return;
        }
        let mut inbound = Instant::ZERO;
        if let Some(wire) = of.wire(transport) {
            if wire.goodbye {
                return;
            }
            wire.goodbye = matches!(frame, Frame::Close(_));
            inbound = wire.inbound;
        }
        let mut at = self.arrival(inbound);
        if self.network.chance(self.weather.pieces) {
            let event = Event::Heard { transport };
            self.schedule(at, Happening::Report { client, event });
            at = self.arrival(at);
        }
        if let Some(wire) = self.clients[client].wire(transport) {
            wire.inbound = at;
        }
        let event = Event::Received { transport, frame };
        self.schedule(at, Happening::Report { client, event });
    }

    pub(super) fn end(&mut self, link: Link, kind: EndKind) {
        let Link { client, transport } = link;
        let at = match (kind, self.clients[client].wire(transport)) {
            (EndKind::Eof, Some(wire)) => {
                wire.goodbye = true;
                wire.inbound
            }
            (EndKind::Reset | EndKind::Io, _) | (_, None) => self.now,
        };
        let event = Event::Ended { transport, end: End::new(kind) };
        let at = self.arrival(at);
        self.schedule(at, Happening::Report { client, event });
        self.schedule(self.now, Happening::ServerTold(link));
    }

    /// Something reaches the driver.
    pub(super) fn report(&mut self, client: usize, event: Event) {
        let Some(transport) = super::checker::event_transport(&event) else {
            return self.feed(client, event);
        };
        if self.clients[client].wire(transport).is_none() {
            let of = &self.clients[client];
            // What never was dialled by this driver is no event of its.
            if !of.is_closed() && self.network.chance(self.weather.stale) {
                self.feed(client, event);
            }
            return;
        }
        let of = &mut self.clients[client];
        let reset = matches!(&event, Event::Ended { end, .. } if end.kind != EndKind::Eof);
        let dial = matches!(event, Event::Opened { .. } | Event::DialFailed { .. });
        if !of.reads && !reset && !dial {
            of.unread.push_back(event);
            return;
        }
        if matches!(event, Event::Ended { .. } | Event::DialFailed { .. }) {
            of.wire = None;
            of.unread.clear();
        }
        let link = Link { client, transport };
        if of.served.contains(&transport) && of.wire.is_none() {
            self.schedule(self.now, Happening::ServerTold(link));
        }
        self.feed(client, event);
    }

    pub(super) fn read_again(&mut self, client: usize) {
        if self.clients[client].reads {
            return;
        }
        self.clients[client].reads = true;
        self.feed(client, Event::ResumeReads);
        while let Some(event) = self.clients[client].unread.pop_front() {
            self.report(client, event);
        }
    }

    // --- time ---------------------------------------------------------------------------------

    fn delay(&mut self) -> Duration {
        let latency = self.weather.latency;
        if self.weather.jitter.is_zero() {
            return latency;
        }
        latency.saturating_add(self.network.between(Duration::ZERO, self.weather.jitter))
    }

    /// When something arrives that is sent now and must not overtake what arrives at `earliest`.
    fn arrival(&mut self, earliest: Instant) -> Instant {
        let mut at = self.now + self.weather.latency;
        if !self.weather.jitter.is_zero() {
            at = at + self.network.between(Duration::ZERO, self.weather.jitter);
        }
        at.max(earliest)
    }
}
