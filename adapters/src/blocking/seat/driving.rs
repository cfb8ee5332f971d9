//! Driving, for as long as one has the driver.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use perennial_core::Instant;

use super::{LENDS, Limit, Rest, Seat, State, TICK, TURNS, Vacant, Visit};
use crate::blocking::driver::{Driver, Woken};
use crate::engine::{ToInbox, Turn, Written};

/// The driver, taken. It is over if it is not put back.
pub(super) struct Driving<'a> {
    pub(super) seat: &'a Arc<Seat>,
    pub(super) driver: Option<Box<Driver<ToInbox>>>,
    pub(super) waker: Waker,
}

/// After a turn.
enum Next {
    Busy,
    Idle(Instant, Option<Instant>),
    Over,
}

impl Driving<'_> {
    fn turn(&mut self) -> Next {
        match self.driver.as_mut().map(|driver| driver.turn(&self.waker)) {
            Some(Turn::Busy | Turn::Told) => Next::Busy,
            Some(Turn::Idle(now, until)) => Next::Idle(now, until),
            Some(Turn::Over(_)) | None => Next::Over,
        }
    }

    /// Sleeps. `None` if it cannot.
    fn sleep(
        &mut self,
        now: Instant,
        until: Option<Instant>,
        most: Option<Duration>,
    ) -> Option<Woken> {
        let driver = self.driver.as_mut()?;
        match driver.sleep(now, until, most) {
            Ok(woken) => {
                if woken == Woken::ByCall {
                    // The next turn looks.
                    self.seat.lock().called = false;
                }
                Some(woken)
            }
            Err(error) => {
                driver.fail(&error);
                None
            }
        }
    }

    /// Puts the driver back.
    fn put_back(mut self, rest: Rest, change: impl FnOnce(&mut State)) {
        let Some(driver) = self.driver.take() else { return };
        let is_dialing = driver.is_dialing();
        let mut state = self.seat.lock();
        change(&mut state);
        // Someone must wait for several sockets, and watch the time.
        state.fast &= !is_dialing;
        let is_due = match rest {
            Rest::Busy => true,
            Rest::Idle(now, until) => until.is_some_and(|until| until.since(now) < TICK),
        };
        state.driving = None;
        state.vacant = Some(Vacant { driver, rest });
        if !state.loading && (is_due || state.called || !state.fast) {
            self.seat.to_thread.notify_one();
        }
        self.seat.release_caller(&mut state);
    }

    /// The thread's part: all of it while it is slow, and what it was called for while it is fast.
    pub(super) fn drive_on_thread(mut self) {
        let mut busy = 0_u32;
        // It may have found much to write before.
        let (loading, mut sends) = {
            let mut state = self.seat.lock();
            (std::mem::take(&mut state.loading), state.sends)
        };
        if loading && let Some(driver) = &mut self.driver {
            // Nobody has looked meanwhile what the peer says.
            driver.probe();
        }
        let mut much = u32::from(loading);
        loop {
            match self.turn() {
                Next::Over => return,
                Next::Busy => {
                    let did_much = self.driver.as_ref().is_some_and(|d| d.did_much());
                    much = if did_much { much + 1 } else { 0 };
                    let leaves = |d: &Driver<_>| !d.is_dialing() && !d.reads_on();
                    // Where nobody goes on, the rest would wait for nothing.
                    let sent = self.driver.as_ref().map_or(sends, |d| d.shared().sends());
                    let goes_on = std::mem::replace(&mut sends, sent) != sent;
                    if LENDS && much >= 2 && goes_on && self.driver.as_deref().is_some_and(leaves) {
                        return self.put_back(Rest::Busy, |state| {
                            state.fast = false;
                            // Who waits for room does not write, and there may be nobody else.
                            state.loading = state.stuck == 0;
                            state.sends = sent;
                            #[cfg(test)]
                            {
                                state.loads += u32::from(state.loading);
                            }
                        });
                    }
                    busy = busy.wrapping_add(1);
                    if busy.is_multiple_of(TURNS) {
                        self.seat.leave_to_thread();
                    }
                }
                Next::Idle(now, until) => {
                    (busy, much) = (0, 0);
                    if self.seat.lock().fast {
                        let is_dialing = self.driver.as_ref().is_some_and(|d| d.is_dialing());
                        if !is_dialing {
                            return self.put_back(Rest::Idle(now, until), |_| ());
                        }
                        self.seat.leave_to_thread();
                    }
                    if self.sleep(now, until, None).is_none() {
                        return;
                    }
                }
            }
        }
    }

    /// The caller's part: until it has found something.
    pub(super) fn drive_until(
        mut self,
        rest: Rest,
        mut limit: Limit,
        mut found: impl FnMut() -> bool,
    ) -> Visit {
        let leave = |state: &mut State| {
            state.seen = true;
            state.answers = true;
        };
        let mut next = match rest {
            Rest::Busy => self.turn(),
            Rest::Idle(_, until) => Next::Idle(self.seat.clock.now(), until),
        };
        let mut busy = 0_u32;
        let mut woken = None;
        loop {
            match next {
                // The inbox has the end in it.
                Next::Over => return Visit::Found,
                Next::Busy => {
                    busy += 1;
                    if busy.is_multiple_of(TURNS) {
                        let visit = if found() { Visit::Found } else { Visit::Slow };
                        self.put_back(Rest::Busy, |state| state.fast = false);
                        return visit;
                    }
                }
                Next::Idle(now, until) => {
                    busy = 0;
                    if found() {
                        self.put_back(Rest::Idle(now, until), leave);
                        return Visit::Found;
                    }
                    if woken.is_some() {
                        limit.look();
                    }
                    if limit.has_passed() {
                        self.put_back(Rest::Idle(now, until), |state| state.seen = true);
                        return Visit::Late;
                    }
                    if woken == Some(Woken::ByCall) && !self.seat.lock().fast {
                        self.put_back(Rest::Idle(now, until), |_| ());
                        return Visit::Slow;
                    }
                    woken = self.sleep(now, until, limit.left);
                    if woken.is_none() {
                        return Visit::Found;
                    }
                }
            }
            next = self.turn();
        }
    }

    /// Writes what waits. Returns whether something was written.
    pub(super) fn unload(mut self) -> bool {
        let Some(driver) = self.driver.as_mut() else { return false };
        let Written { some, all } = driver.write_out();
        self.put_back(Rest::Busy, |state| state.loading &= all);
        some
    }

    /// Takes turns until there is nothing to do.
    pub(super) fn drive_on(mut self) {
        for _ in 0..TURNS {
            match self.turn() {
                Next::Over => return,
                Next::Busy => {}
                Next::Idle(now, until) => return self.put_back(Rest::Idle(now, until), |_| ()),
            }
        }
        self.put_back(Rest::Busy, |_| ());
    }
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        let Some(driver) = self.driver.take() else { return };
        // Releases whoever waits for an end that was not reached.
        drop(driver);
        let mut state = self.seat.lock();
        state.over = true;
        state.fast = false;
        state.driving = None;
        self.seat.to_thread.notify_one();
        self.seat.release_caller(&mut state);
    }
}
