//! A number for everything that decides what a connection and its model do next.
//!
//! Two states of one number go on alike, so that a search may visit one of them:
//!
//! * **Time counts from the present.** Nothing in the core or the model looks at an instant but to
//!   compare it with, or subtract it from, another; so if every instant of a state is moved by the
//!   same amount, what it does is the same, moved. What a dialect writes into an envelope is the
//!   wall clock, and is part of the message's bytes, which count as they are.
//! * **Counters do not count.** They are raised and shown, and never asked. That those of the
//!   connection and of the model agree was checked in the first of the two states, and both are
//!   raised by the same steps from then on.
//! * **What is dead does not count.** The heartbeat of a transport that is gone is made anew for
//!   the next; since when the connection is down matters only while it is.
//!
//! Everything else counts as it is: ids, sequence numbers, randomness, texts. So states that differ
//! in these alone are visited both; that costs time and hides nothing.

use core::hash::{Hash, Hasher};

use super::checker::Checked;
use super::scenario::Scenario;
use crate::connection::Connection;
use crate::phase::Phase;
use crate::rng::splitmix64;
use crate::time::Instant;

/// The hash under way: two lanes of 64 bits, so that among a thousand million states the odds of
/// two being taken for one are one in 10^20.
#[derive(Debug)]
pub(crate) struct Fingerprint {
    one: u64,
    two: u64,
    now: Instant,
}

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
        self.write_u64(bytes.len() as u64);
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(word.into());
    }

    fn write_u16(&mut self, word: u16) {
        self.write_u64(word.into());
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    fn write_u64(&mut self, word: u64) {
        self.one = splitmix64(self.one ^ word).1;
        self.two =
            splitmix64(self.two.rotate_left(17) ^ word.wrapping_mul(0x9e37_79b9_7f4a_7c15)).1;
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        self.one
    }
}

impl Fingerprint {
    pub(crate) fn new(now: Instant) -> Self {
        Self { one: 1, two: 2, now }
    }

    pub(crate) fn get(&self) -> u128 {
        u128::from(self.one) << 64 | u128::from(self.two)
    }

    /// Takes an instant, counted from the present. The origin stands for "never".
    pub(crate) fn instant(&mut self, at: Instant) {
        if at == Instant::ZERO {
            self.write_u64(u64::MAX);
        } else {
            self.write_u64(at.as_nanos().wrapping_sub(self.now.as_nanos()));
        }
    }

    pub(crate) fn optional(&mut self, at: Option<Instant>) {
        match at {
            Some(at) => self.instant(at),
            None => self.write_u64(u64::MAX - 1),
        }
    }
}

impl<D> Connection<D> {
    pub(crate) fn fingerprint(&self, to: &mut Fingerprint) {
        let Self {
            // The same throughout; dialects hold nothing that changes.
            config: _,
            dialect: _,
            phase,
            now,
            timers,
            output,
            outbox,
            dedupe,
            heartbeat,
            schedule,
            transport,
            last_transport,
            attempts,
            was_open,
            down_since,
            suspended,
            reads_paused,
            draining,
            last_error,
        } = self;
        phase.hash(to);
        to.instant(*now);
        timers.fingerprint(to);
        output.waiting().len().hash(to);
        outbox.fingerprint(to);
        dedupe.hash(to);
        heartbeat.fingerprint(to, matches!(phase, Phase::Open | Phase::Closing(_)));
        schedule.hash(to);
        transport.hash(to);
        if matches!(phase, Phase::Waiting | Phase::Dialing) {
            to.instant(*down_since);
        }
        (last_transport, attempts, was_open, suspended, reads_paused).hash(to);
        (draining, last_error).hash(to);
    }
}

impl<D> Checked<D> {
    fn fingerprint(&self, to: &mut Fingerprint) {
        let Self {
            inner,
            dialect: _,
            config: _,
            now,
            // Taken anew from the connection.
            glance: _,
            seen,
            offer: _,
            drained,
            wire,
            story,
            opening,
            delays,
            ledger,
            inbox,
            liveness,
            violation: _,
            // What a copy was made in.
            spare: _,
        } = self;
        inner.fingerprint(to);
        to.instant(*now);
        (seen.len(), drained).hash(to);
        wire.fingerprint(to);
        story.hash(to);
        opening.fingerprint(to);
        delays.fingerprint(to);
        ledger.fingerprint(to);
        inbox.fingerprint(to);
        liveness.fingerprint(to);
    }
}

impl Scenario {
    /// A number for the connection, its model and what the peer remembers: two scenarios of one
    /// number do the same from now on, but for the times and the counts that they name.
    ///
    /// It holds for scripts that name no more than the last two pings, ids and messages, and for
    /// scenarios without undrained actions.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        let connection = self.driver().checked().connection();
        let mut to = Fingerprint::new(connection.now);
        self.driver().checked().fingerprint(&mut to);
        self.remembered(&mut to);
        to.get()
    }
}
