//! The ways a connection ends.

use super::app::Effects;
use super::conn::{Drain, Phase};
use super::reactor::Reactor;
use super::timers::Timer;

impl Reactor {
    /// Tells the app that a connection is gone, once.
    pub(super) fn leave(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number).filter(|c| c.live) else { return };
        conn.live = false;
        self.note(|n| n.stats.live -= 1);
        let mut effects = Effects::default();
        self.app.closed(number, &mut effects);
        self.apply(effects);
    }

    /// Closes a connection's socket.
    pub(super) fn remove(&mut self, number: u64) {
        self.leave(number);
        let Some(conn) = self.conns.remove(&number) else { return };
        if matches!(conn.phase, Phase::Head(_)) && conn.eof {
            self.note(|n| n.stats.failed_handshakes += 1);
        }
        let _ = self.shared.poller.delete(conn.stream.tcp());
        self.timers.forget(number);
        self.touched.remove(&number);
    }

    /// RST, now.
    pub(super) fn reset(&mut self, number: u64) {
        if let Some(conn) = self.conns.get(&number) {
            let _ = conn.stream.reset_on_close();
            self.note(|n| n.stats.resets += 1);
            self.remove(number);
        }
    }

    /// FIN, now; what was queued is lost, a message may be cut in two.
    pub(super) fn finish(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        if matches!(conn.phase, Phase::Draining(_)) {
            return;
        }
        conn.forget_output();
        self.note(|n| n.stats.fins += 1);
        self.end(number, Drain::Abrupt);
    }

    /// Sends what is queued, then FIN.
    pub(super) fn drain(&mut self, number: u64) {
        self.end(number, Drain::Polite);
    }

    fn end(&mut self, number: u64, drain: Drain) {
        self.leave(number);
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.phase = Phase::Draining(drain);
        // The end is under way: a fault still armed must not turn it into another one.
        conn.generation = conn.generation.wrapping_add(1);
        self.timers.set(self.options.patience, number, Timer::Patience);
        self.touched.insert(number);
    }

    /// Half-open from now on.
    pub(super) fn freeze(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        if matches!(conn.phase, Phase::Draining(_) | Phase::Mute) {
            return;
        }
        conn.phase = Phase::Mute;
        conn.forget_output();
        self.touched.insert(number);
        self.note(|n| n.stats.frozen += 1);
    }

    /// A close frame of the server's own accord.
    pub(super) fn close(&mut self, number: u64, code: u16, reason: &str) -> bool {
        let Some(conn) = self.conns.get_mut(&number) else { return false };
        if !conn.close(code, reason) {
            return false;
        }
        self.note(|n| n.stats.closes += 1);
        self.timers.set(self.options.patience, number, Timer::Patience);
        self.touched.insert(number);
        true
    }
}
