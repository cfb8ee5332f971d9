//! What waits to be told or done, and what was counted.

use alloc::collections::VecDeque;

use crate::action::Action;
use crate::event::Seq;
use crate::frame::Payload;
use crate::notice::{Fate, Notice};
use crate::status::Counters;

/// Past so many undrained actions `handle` refuses further events. One event adds at most one
/// action per message in the outbox and a dozen more, so the queue is bounded.
const BUSY: usize = 256;

/// The queue of actions, frames to be written excepted: those stay with the transport and the
/// outbox until `poll` takes them, so that the death of a transport needs no search here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    queue: VecDeque<Action>,
    pub(crate) counters: Counters,
    #[cfg(perennial_planted)]
    pub(crate) planted: Option<crate::planted::Fault>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self {
            queue: VecDeque::with_capacity(16),
            counters: Counters::default(),
            #[cfg(perennial_planted)]
            planted: None,
        }
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.queue.len() >= BUSY
    }

    pub(crate) fn push(&mut self, action: Action) {
        self.queue.push_back(action);
    }

    pub(crate) fn notify(&mut self, notice: Notice) {
        self.queue.push_back(Action::Notify(notice));
    }

    pub(crate) fn pop(&mut self) -> Option<Action> {
        self.queue.pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The actions that wait, oldest first.
    #[cfg(feature = "sim")]
    pub(crate) fn waiting(&self) -> &VecDeque<Action> {
        &self.queue
    }

    /// Becomes equal to another.
    #[cfg(feature = "sim")]
    pub(crate) fn copy_from(&mut self, other: &Self) {
        let Self {
            queue,
            counters,
            #[cfg(perennial_planted)]
            planted,
        } = other;
        crate::sim::copy_queue(&mut self.queue, queue);
        self.counters = *counters;
        #[cfg(perennial_planted)]
        {
            self.planted = *planted;
        }
    }

    /// Lets the same actions wait as there.
    #[cfg(feature = "sim")]
    pub(crate) fn wait_as(&mut self, other: &Self) {
        self.queue.clone_from(&other.queue);
    }

    /// Tells the end of a message that was neither flushed nor acknowledged, and counts it.
    pub(crate) fn undelivered(&mut self, seq: Seq, id: Option<u64>, fate: Fate, payload: Payload) {
        let counters = &mut self.counters;
        match fate {
            Fate::Expired => counters.expired += 1,
            Fate::Cancelled => counters.cancelled += 1,
            Fate::Dropped(_) => counters.dropped += 1,
            Fate::Uncertain(_) => counters.uncertain += 1,
        }
        self.notify(Notice::Undelivered { seq, id, fate, payload });
    }
}
