//! What passes between a session and its connection, seen on the way.

use alloc::vec::Vec;

use super::model::closes;
use crate::action::Action;
use crate::connection::Connection;
use crate::error::{Accepted, Rejected};
use crate::event::Event;
use crate::notice::Notice;
use crate::session::Door;
use crate::time::Instant;

/// So often may a session find its connection at rest, and have something for it, in one call: once
/// for each answer to a login that was not looked at, and a few times more.
const MOST_WAITS: usize = 1 << 10;

/// So many events may it tell in one call.
const MOST_TOLD: usize = 1 << 16;

/// Something that passed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    /// The connection was told an event, at this time, and answered.
    Told(Instant, Event, Result<Accepted, Rejected>),
    /// It is to give its transport up, and closes by itself.
    Closes,
    /// An action was taken from it.
    Took(Action),
}

/// A connection's door, with somebody who watches it.
///
/// Whoever goes round for ever behind it is let out: with a notice that the connection never gave,
/// or with a refusal.
pub(super) struct Tap<'a, T> {
    door: &'a mut T,
    seen: Vec<Seen>,
    waits: usize,
    told: usize,
}

impl<'a, T: Door> Tap<'a, T> {
    pub(super) fn new(door: &'a mut T) -> Self {
        Self { door, seen: Vec::new(), waits: 0, told: 0 }
    }

    /// What passed, and whether there was an end of it.
    pub(super) fn into_seen(self) -> (Vec<Seen>, bool) {
        (self.seen, self.waits <= MOST_WAITS && self.told <= MOST_TOLD)
    }
}

impl<T: Door> Door for Tap<'_, T> {
    type Dialect = T::Dialect;

    fn connection(&self) -> &Connection<Self::Dialect> {
        self.door.connection()
    }

    fn handle(&mut self, now: Instant, event: Event) -> Result<Accepted, Rejected> {
        self.told += 1;
        if self.told > MOST_TOLD {
            return Err(Rejected::Busy(event));
        }
        if matches!(event, Event::Refuse { .. }) && closes(self.connection()) {
            self.seen.push(Seen::Closes);
        }
        let result = self.door.handle(now, event.clone());
        self.seen.push(Seen::Told(now, event, result.clone()));
        result
    }

    fn poll(&mut self) -> Action {
        if self.waits > MOST_WAITS {
            return Action::Notify(Notice::Writable);
        }
        let action = self.door.poll();
        self.waits += usize::from(matches!(action, Action::Wait { .. }));
        if self.waits > MOST_WAITS {
            return Action::Notify(Notice::Writable);
        }
        self.seen.push(Seen::Took(action.clone()));
        action
    }
}
