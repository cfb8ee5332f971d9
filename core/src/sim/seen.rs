//! The actions that the model has seen.

use alloc::vec::Vec;

use crate::action::Action;

/// Actions that the model has seen and `poll` has not given yet, oldest first.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Those that `poll` has given too, for a while: so none need be moved.
    actions: Vec<Action>,
    given: usize,
}

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        self.waiting() == other.waiting()
    }
}

impl Seen {
    pub(super) fn new() -> Self {
        Self { actions: Vec::new(), given: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.actions.len() - self.given
    }

    /// Those that `poll` has not given yet.
    pub(super) fn waiting(&self) -> &[Action] {
        &self.actions[self.given..]
    }

    pub(super) fn extend(&mut self, actions: impl Iterator<Item = Action>) {
        // Whoever never polls to the end keeps the room of twice what waits.
        if self.given > 32 && self.given * 2 > self.actions.len() {
            self.actions.drain(..self.given);
            self.given = 0;
        }
        self.actions.extend(actions);
    }

    /// What `poll` must give next.
    pub(super) fn next(&mut self) -> Option<&Action> {
        if self.given == self.actions.len() {
            self.actions.clear();
            self.given = 0;
            return None;
        }
        self.given += 1;
        self.actions.get(self.given - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TransportId;

    #[test]
    fn they_come_in_order_and_are_forgotten() {
        let abort = |id| Action::Abort { transport: TransportId(id) };
        let mut seen = Seen::new();
        assert_eq!(seen.next(), None);
        seen.extend([abort(1), abort(2)].into_iter());
        assert_eq!(seen.next(), Some(&abort(1)));
        seen.extend([abort(3)].into_iter());
        assert_eq!(seen.len(), 2);
        assert_eq!(seen.waiting(), [abort(2), abort(3)]);
        let mut same = Seen::new();
        same.extend([abort(2), abort(3)].into_iter());
        assert_eq!(seen, same, "whatever was given before");
        assert_eq!(seen.next(), Some(&abort(2)));
        assert_ne!(seen, same);
        assert_eq!(seen.next(), Some(&abort(3)));
        assert_eq!(seen.next(), None);
        assert_eq!(seen.actions, []);
    }

    #[test]
    fn what_was_given_is_let_go_though_something_always_waits() {
        let abort = |id| Action::Abort { transport: TransportId(id) };
        let mut seen = Seen::new();
        seen.extend([abort(0)].into_iter());
        for id in 1..1_000 {
            seen.extend([abort(id)].into_iter());
            assert_eq!(seen.next(), Some(&abort(id - 1)));
            assert_eq!(seen.waiting(), [abort(id)]);
            assert!(seen.actions.len() < 100, "{} are kept", seen.actions.len());
        }
    }
}
