//! The notices and the states that they tell of.

use super::{Moment, Verdict, demand};
use crate::action::Action;
use crate::event::{Event, TransportId};
use crate::notice::{Notice, State, Warning};

/// What the next action must be.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
enum Next {
    Any,
    /// The dial that was announced.
    Dial(TransportId, u32),
    /// The closed notice.
    Closed,
}

/// What the application was told so far.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) struct Story {
    state: State,
    closed: bool,
    suspended: bool,
    /// What the next action must be.
    next: Next,
    /// A message was refused for want of room, and nobody was told of room since.
    promised: bool,
}

impl Story {
    pub(super) fn new() -> Self {
        Self {
            state: State::Connecting,
            closed: false,
            suspended: false,
            next: Next::Any,
            promised: false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.suspended
    }

    pub(super) fn refused(&mut self) {
        self.promised = true;
    }

    pub(super) fn action(&mut self, action: &Action) -> Verdict {
        let next = core::mem::replace(&mut self.next, Next::Any);
        let follows = match next {
            Next::Any => true,
            Next::Dial(transport, attempt) => *action == Action::Dial { transport, attempt },
            Next::Closed => matches!(action, Action::Notify(Notice::Closed(_))),
        };
        demand!(34, follows, "{action:?} came, next is {next:?}");
        if let Action::Notify(Notice::Dialing { transport, attempt }) = action {
            self.next = Next::Dial(*transport, *attempt);
        }
        if let Action::Notify(Notice::StateChanged { to: State::Closed, .. }) = action {
            self.next = Next::Closed;
        }
        match action {
            Action::Notify(notice) => self.notice(notice),
            Action::Dial { .. } => {
                demand!(7, !self.closed, "{action:?} after the closed notice");
                let told = matches!(next, Next::Dial(..));
                demand!(34, told, "{action:?} was not announced");
                Ok(())
            }
            // Whether a transport is named that may be is the wire's to judge.
            Action::Abort { .. } => Ok(()),
            Action::Write { .. } | Action::Wait { .. } => {
                demand!(34, false, "{action:?} stood among the notices");
                Ok(())
            }
        }
    }

    fn notice(&mut self, notice: &Notice) -> Verdict {
        demand!(
            if matches!(notice, Notice::Closed(_)) { 8 } else { 7 },
            !self.closed,
            "{notice:?} after the closed notice"
        );
        let open = self.state == State::Open;
        let down = matches!(self.state, State::Connecting | State::Reconnecting);
        let fits = match notice {
            Notice::StateChanged { from, to, .. } => {
                demand!(34, *from == self.state, "{notice:?} while {}", self.state);
                self.state = *to;
                if *to != State::Connecting && *to != State::Reconnecting {
                    self.suspended = false;
                }
                matches!(
                    (from, to),
                    (State::Connecting | State::Reconnecting, State::Open)
                        | (State::Open, State::Reconnecting)
                        | (State::Connecting | State::Open | State::Reconnecting, State::Closed)
                )
            }
            Notice::Dialing { .. } | Notice::Retrying { .. } => down,
            Notice::Suspended { .. } => {
                let first = !self.suspended;
                self.suspended = true;
                down && first
            }
            Notice::Message(_)
            | Notice::Duplicate { .. }
            | Notice::Flushed { .. }
            | Notice::Acknowledged { .. }
            | Notice::Pong { .. }
            | Notice::Dead { .. } => open,
            Notice::Warning(warning) => match warning {
                Warning::IgnoredAck { .. }
                | Warning::Unreadable { .. }
                | Warning::ClockJump { .. } => open,
                Warning::ClockBackwards { .. } => true,
            },
            Notice::Undelivered { .. } => self.state != State::Closed,
            Notice::Writable => core::mem::take(&mut self.promised),
            Notice::Closed(_) => {
                self.closed = true;
                self.state == State::Closed
            }
        };
        demand!(34, fits, "{notice:?} while {}", self.state);
        Ok(())
    }

    #[inline]
    pub(super) fn after(&mut self, moment: &Moment<'_>) -> Verdict {
        let Moment { after, before, event, .. } = moment;
        demand!(34, after.state == self.state, "told {}, is {}", self.state, after.state);
        let (told, is) = (self.suspended, after.suspended);
        demand!(34, told == is, "told suspended {told}, is {is}");
        if self.state == State::Closed {
            demand!(34, self.closed, "closed without the closed notice");
            let deadline = after.deadline;
            demand!(7, deadline.is_none(), "closed, and {deadline:?} is awaited");
        }
        if before.state == State::Closed {
            let paused = matches!(event, Event::PauseReads | Event::ResumeReads);
            let mut expected = **before;
            if paused {
                expected.reads_paused = after.reads_paused;
            }
            demand!(7, expected == **after, "{event:?} changed {before:?} to {after:?}");
        }
        Ok(())
    }
}
