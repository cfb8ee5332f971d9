//! Timers: what is due, and what silence means.

use crate::connection::Connection;
use crate::dialect::Dialect;
use crate::error::Accepted;
use crate::frame::Frame;
use crate::heartbeat::{Pings, patience};
use crate::notice::{ClosedBy, Death, Notice, Reason, Warning};
use crate::phase::Phase;
use crate::time::{Duration, Instant};
use crate::timers::Timer;

impl<D: Dialect> Connection<D> {
    /// Lets every deadline act that has passed, once.
    #[inline]
    pub(crate) fn fire_due(&mut self, now: Instant) {
        if self.timers.may_be_due(now) {
            self.fire_all(now);
        }
    }

    fn fire_all(&mut self, now: Instant) {
        planted!(self.output, PingBurst => self.make_up_for_pings(now));
        // A timer that is armed for the same instant again (a retry without delay) acts in the
        // same turn; each other one is armed for later, so the loop ends.
        while let Some(timer) = self.timers.pop_due(now) {
            self.fire(now, timer);
        }
        // What has expired may be the last that a drain waited for; the event comes after that.
        self.end_drain(now);
    }

    fn fire(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::Dial => self.dial_timed_out(now),
            Timer::Retry => self.dial(now),
            Timer::Opening => self.give_up(now, Reason::OpeningTimeout),
            Timer::Ping => self.ping_due(now),
            Timer::Pong => self.found_dead(now, Death::Pong),
            Timer::Probe => self.found_dead(now, Death::Probe),
            Timer::Stale => self.found_dead(now, Death::Stale),
            Timer::Stable => self.stable_due(now),
            Timer::Ack => self.ack_due(now),
            Timer::Ttl => {
                if let Some(next) = self.outbox.expire(now, &mut self.output) {
                    self.timers.arm(Timer::Ttl, next);
                }
            }
            Timer::Close => {
                self.abort();
                self.handshake_ended(now);
            }
            Timer::Drain => self.drained(now),
            Timer::Outage => {
                let reason = Reason::MaxOutage;
                self.finish(now, ClosedBy::Policy, reason.code(), false, reason);
            }
            Timer::Suspend => self.suspend(now),
        }
    }

    pub(crate) fn start_liveness(&mut self, now: Instant, pings: Pings) {
        self.heartbeat.open(now, pings);
        self.timers.arm(Timer::Stable, now + self.config.retry.stable_after);
        match pings {
            Pings::Protocol | Pings::Application | Pings::Both => {
                self.timers.arm(Timer::Ping, now + self.config.heartbeat.interval);
            }
            Pings::Server => self.expect_sound(now),
            Pings::Off => {}
        }
        self.expect_data(now);
    }

    pub(crate) fn stop_liveness(&mut self) {
        for timer in [
            Timer::Opening,
            Timer::Dial,
            Timer::Ping,
            Timer::Pong,
            Timer::Probe,
            Timer::Stale,
            Timer::Stable,
            Timer::Ack,
        ] {
            self.timers.disarm(timer);
        }
        self.heartbeat.forget_probe();
    }

    /// Bytes came: the link is alive.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heartbeat.last_heard = now;
        self.heartbeat.asked = false;
        if !matches!(self.phase, Phase::Open) {
            return;
        }
        if !self.heartbeat.proved_alive {
            self.heartbeat.proved_alive = true;
            // The time was up, and only proof was missing. While held it has not begun.
            if !self.timers.is_armed(Timer::Stable) && !self.is_held() {
                self.stable();
            }
        }
        match self.heartbeat.pings {
            Pings::Server => self.expect_sound(now),
            Pings::Protocol | Pings::Application | Pings::Both | Pings::Off => {
                self.timers.disarm(Timer::Pong);
            }
        }
    }

    /// Data came: the feed is fresh.
    pub(crate) fn expect_data(&mut self, now: Instant) {
        if let Some(limit) = self.config.heartbeat.stale_after
            && !self.reads_paused
        {
            self.heartbeat.data_awaited = now;
            self.timers.arm(Timer::Stale, now + limit);
        }
    }

    /// From now on something must be heard, or the link is dead.
    fn expect_sound(&mut self, now: Instant) {
        if !self.reads_paused {
            let patience = patience(&self.config, self.heartbeat.pings);
            self.timers.arm(Timer::Pong, now + patience);
        }
    }

    fn ping_due(&mut self, now: Instant) {
        let interval = self.config.heartbeat.interval;
        let quiet_at = self.heartbeat.last_heard + interval;
        if self.config.heartbeat.quiet_only && quiet_at > now {
            self.timers.arm(Timer::Ping, quiet_at);
            return;
        }
        self.ping(now);
    }

    /// Sends a ping, whatever else is being sent, and plans the next. Says whether it will go out.
    pub(crate) fn ping(&mut self, now: Instant) -> bool {
        let frame = match self.heartbeat.pings {
            Pings::Protocol | Pings::Both | Pings::Server => {
                Some(Frame::Ping(self.heartbeat.ping(now)))
            }
            Pings::Application => self.dialect.ping(self.unix_ms(now)).map(|ping| {
                self.heartbeat.ping(now);
                Frame::from(ping)
            }),
            Pings::Off => None,
        };
        let is_noted = frame.is_some();
        let goes_out = match (frame, &mut self.transport) {
            (Some(frame), Some(transport)) => transport.ping(frame),
            (_, None) | (None, _) => false,
        };
        if is_noted && !goes_out {
            self.heartbeat.withdraw();
        }
        if self.heartbeat.pings == Pings::Both
            && !planted!(self.output, OwnPingMissing)
            && let Some(ping) = self.dialect.ping(self.unix_ms(now))
            && let Some(transport) = &mut self.transport
        {
            planted!(self.output, OwnPingTwice => {
                transport.control(Frame::from(ping.clone()));
            });
            transport.control(Frame::from(ping));
        }
        if self.heartbeat.pings == Pings::Server {
            return goes_out;
        }
        self.timers.arm(Timer::Ping, now + self.config.heartbeat.interval);
        // Silence counts from the first ping that nothing has answered.
        if !self.timers.is_armed(Timer::Pong) {
            self.expect_sound(now);
        }
        goes_out
    }

    fn stable_due(&mut self, now: Instant) {
        if self.heartbeat.proved_alive {
            return self.stable();
        }
        match self.heartbeat.pings {
            // Open is not alive: ask now, and let the first sound decide.
            Pings::Protocol | Pings::Application | Pings::Both => {
                if !self.heartbeat.asked {
                    self.ping(now);
                }
            }
            // It will ping, or be found dead: the first sound decides too.
            Pings::Server => {}
            // Nobody asks for proof.
            Pings::Off => self.stable(),
        }
    }

    /// Finds out whether the clock jumped, as when a laptop slept. Then nothing can be said about
    /// the link from the time that passed; the peer is asked, and must answer soon.
    pub(crate) fn look_for_jump(&mut self, now: Instant) {
        if !self.timers.may_be_due(now) || !matches!(self.phase, Phase::Open) {
            return;
        }
        let Some((deadline, _)) = self.timers.earliest() else { return };
        let late = now - deadline;
        if late <= self.config.clock.jump {
            return;
        }
        self.output.counters.clock_jumps += 1;
        self.output.notify(Notice::Warning(Warning::ClockJump { late }));
        self.timers.disarm(Timer::Pong);
        self.timers.disarm(Timer::Stale);
        self.expect_data(now);
        self.probe(now);
    }

    fn probe(&mut self, now: Instant) {
        let protocol = self.transport.as_ref().and_then(|transport| transport.capabilities);
        let can = match self.heartbeat.pings {
            Pings::Protocol | Pings::Application | Pings::Both => true,
            Pings::Server => protocol.is_some_and(|capabilities| capabilities.protocol_ping),
            Pings::Off => false,
        };
        if !can || self.reads_paused {
            if self.heartbeat.pings == Pings::Server {
                self.expect_sound(now);
            }
            return;
        }
        let sent = self.ping(now);
        self.heartbeat.probe(sent);
        self.timers.disarm(Timer::Pong);
        self.timers.arm(Timer::Probe, now + self.probe_deadline());
    }

    fn probe_deadline(&self) -> Duration {
        self.config.clock.probe_deadline.min(self.config.heartbeat.deadline)
    }

    /// A pong came; if it answers the probe, life goes on as before.
    pub(crate) fn pong(&mut self, now: Instant, protocol: Option<&[u8]>) {
        let unwritten = self.unwritten_pings();
        let answer = match protocol {
            Some(payload) => self.heartbeat.protocol_pong(now, payload, unwritten),
            None => self.heartbeat.application_pong(now, unwritten),
        };
        let Some(answer) = answer else { return };
        self.output.notify(Notice::Pong { rtt: answer.rtt });
        planted!(self.output, AnyPongForProbe => self.heartbeat.forget_probe());
        if answer.probe || planted!(self.output, AnyPongForProbe) {
            self.timers.disarm(Timer::Probe);
            if self.heartbeat.pings == Pings::Server {
                self.expect_sound(now);
            }
        }
    }

    /// How many pings were decided on and not yet handed out by `poll`.
    pub(crate) fn unwritten_pings(&self) -> u64 {
        self.transport.as_ref().map_or(0, |transport| transport.unwritten_pings())
    }

    fn ack_due(&mut self, now: Instant) {
        let timeout = self.config.outbox.ack_timeout;
        if self.reads_paused {
            // No acknowledgement can be read; that is not the peer's fault.
            self.timers.arm(Timer::Ack, now + timeout);
            return;
        }
        let before =
            Instant::from_nanos(now.as_nanos().saturating_sub(crate::time::nanos(timeout)));
        if let Some(since) = self.outbox.resend(before) {
            self.timers.arm(Timer::Ack, since + timeout);
        }
    }

    /// The driver stopped reading: silence proves nothing.
    pub(crate) fn pause_reads(&mut self) -> Accepted {
        self.reads_paused = true;
        planted!(self.output, DeadWhilePaused => return Accepted::Done);
        for timer in [Timer::Pong, Timer::Probe, Timer::Stale] {
            self.timers.disarm(timer);
        }
        Accepted::Done
    }

    /// The driver reads again: whoever owes an answer gets the whole time for it.
    pub(crate) fn resume_reads(&mut self, now: Instant) -> Accepted {
        if !self.reads_paused {
            return Accepted::Done;
        }
        self.reads_paused = false;
        if !matches!(self.phase, Phase::Open) {
            return Accepted::Done;
        }
        if self.heartbeat.is_probing() {
            self.timers.arm(Timer::Probe, now + self.probe_deadline());
        } else if self.heartbeat.asked || self.heartbeat.pings == Pings::Server {
            self.expect_sound(now);
        }
        self.expect_data(now);
        Accepted::Done
    }

    /// The wall clock, as the config's origin gives it.
    pub(crate) fn unix_ms(&self, now: Instant) -> u64 {
        self.config.wall_clock_origin_ms.saturating_add(now.as_millis())
    }
}
