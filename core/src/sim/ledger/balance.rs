//! What must hold of the accepted messages after every event.

use super::Ledger;
use crate::config::Class;
use crate::event::Event;
use crate::sim::entry::{Entry, Limited, Place, Sums};
use crate::sim::glance::{Glance, Stage};
use crate::sim::{Broken, Moment, Verdict, demand, violation};
use crate::status::Counters;
use crate::time::Instant;

impl Ledger {
    #[inline]
    pub(in crate::sim) fn after(&mut self, moment: &Moment<'_>, counters: &Counters) -> Verdict {
        let Moment { now, config, event, after, before, .. } = moment;
        if before.reads_paused || after.reads_paused {
            self.paused_at = *now;
        }
        if *now >= self.look || after.queued > self.sums.queued {
            self.look_at_all(moment)?;
        }
        if matches!(event, Event::Purge) {
            let left = self.entries.iter().find(|entry| !(entry.written || entry.ahead));
            demand!(25, left.is_none(), "{left:?} survives a purge");
        }
        if let Event::Cancel(seq) = event {
            let left = self.entries.iter().find(|entry| entry.seq == seq.get() && !entry.written);
            demand!(25, left.is_none(), "{left:?} survives its cancellation");
        }
        self.counts(after, counters)?;
        let limits = &config.outbox;
        let Limited { messages, bytes } = self.sums.limited;
        let within = messages <= limits.max_messages && bytes <= limits.max_bytes;
        demand!(22, within, "{messages} messages and {bytes} bytes");
        Ok(())
    }

    /// Looks at every message: which should have ended, and which may be queued again.
    fn look_at_all(&mut self, moment: &Moment<'_>) -> Verdict {
        let Moment { now, config, after, .. } = moment;
        let mut sums = Sums::default();
        let mut late = 0;
        let mut look = Instant::from_nanos(u64::MAX);
        // A message that should have ended.
        let mut wrong = None;
        for entry in &self.entries {
            sums.add(entry);
            late += usize::from(self.is_late(moment, entry));
            if wrong.is_none() && self.is_over(moment, entry) {
                wrong = Some(entry);
            }
            look = look.min(entry.expires.unwrap_or(look));
            if let Place::Awaiting(since) = entry.place {
                look = look.min(since + config.outbox.ack_timeout);
            }
        }
        demand!(25, sums == self.sums, "the model added up {:?}, and it is {sums:?}", self.sums);
        self.look = look;
        let again = after.queued.saturating_sub(sums.queued);
        demand!(26, again == late || again == 0, "{again} are queued again, {late} are late");
        if again == 0 && late > 0 && after.phase == Stage::Open {
            let mut entries = self.entries.iter();
            let must = entries.find(|entry| self.must_go_again(moment, entry));
            demand!(26, must.is_none(), "{must:?} unacknowledged at {now}, and not sent again");
        }
        if let Some(wrong) = wrong {
            let told = !matches!(wrong.place, Place::Flushed | Place::Acknowledged);
            demand!(25, told, "nothing was told of {wrong:?}");
            demand!(25, false, "{wrong:?} outlives its time at {now}");
        }
        if again > 0 {
            self.queue_again(moment);
        }
        Ok(())
    }

    /// Whether a message should have ended: it is settled, or its lifetime has passed.
    fn is_over(&self, moment: &Moment<'_>, entry: &Entry) -> bool {
        if matches!(entry.place, Place::Flushed | Place::Acknowledged) {
            return true;
        }
        let expired = entry.expires.is_some_and(|expires| expires <= moment.now);
        let stoppable = entry.place == Place::Queued || entry.class == Class::Acknowledged;
        // A lifetime of nothing passes at the next event.
        expired && stoppable && moment.sent() != Some(entry.seq)
    }

    /// Whether a message has waited so long for its acknowledgement that it may be queued again.
    fn is_late(&self, moment: &Moment<'_>, entry: &Entry) -> bool {
        let Place::Awaiting(since) = entry.place else { return false };
        since + moment.config.outbox.ack_timeout <= moment.now
    }

    /// Whether it must be: a pause of reading starts the wait anew.
    fn must_go_again(&self, moment: &Moment<'_>, entry: &Entry) -> bool {
        let Place::Awaiting(since) = entry.place else { return false };
        since.max(self.paused_at) + moment.config.outbox.ack_timeout <= moment.now
    }

    /// Queues again what has waited too long.
    fn queue_again(&mut self, moment: &Moment<'_>) {
        for index in 0..self.entries.len() {
            if self.is_late(moment, &self.entries[index]) {
                self.sums.put_at(Place::Queued, &mut self.entries[index]);
            }
        }
    }

    #[inline]
    fn counts(&self, after: &Glance, counters: &Counters) -> Verdict {
        let ended = counters.flushed
            + counters.acknowledged
            + counters.uncertain
            + counters.expired
            + counters.dropped
            + counters.cancelled;
        let held = (after.queued + after.in_flight) as u64;
        let accepted = counters.accepted;
        demand!(25, accepted == ended + held, "{accepted} accepted, {ended} ended, {held} held");
        let sums = &self.sums;
        agree("accepted", accepted, self.last_seq)?;
        agree("flushed", counters.flushed, self.flushed)?;
        agree("acknowledged", counters.acknowledged, self.acknowledged)?;
        agree("uncertain", counters.uncertain, self.uncertain)?;
        agree("expired", counters.expired, self.expired)?;
        agree("dropped", counters.dropped, self.dropped)?;
        agree("cancelled", counters.cancelled, self.cancelled)?;
        agree("rejected", counters.rejected, self.rejected)?;
        agree("queued", after.queued as u64, sums.queued as u64)?;
        agree("in flight", after.in_flight as u64, (self.entries.len() - sums.queued) as u64)?;
        agree("bytes", after.outbox_bytes as u64, sums.bytes as u64)?;
        agree("buffered amount", after.buffered_amount as u64, sums.unsent as u64)
    }

    /// After a write: the count of resends, which `poll` raises.
    pub(in crate::sim) fn resends(&self, counted: u64) -> Verdict {
        demand!(25, counted == self.resent, "{counted} resends counted, {} seen", self.resent);
        Ok(())
    }
}

#[inline]
fn agree(what: &str, counted: u64, seen: u64) -> Verdict {
    if counted == seen { Ok(()) } else { Err(disagreement(what, counted, seen)) }
}

#[cold]
fn disagreement(what: &str, counted: u64, seen: u64) -> Broken {
    violation(25, alloc::format!("{what}: counted {counted}, seen {seen}"))
}
