//! A task that waits for a change.

use std::sync::Arc;
use std::task::{Context, Poll};

use crate::engine::{Access, Shared, Ticket};

/// A task's place among those who wait. Dropping it gives the place up.
#[derive(Debug)]
pub(super) struct Waiting {
    shared: Arc<Shared>,
    ticket: Ticket,
}

impl Waiting {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), ticket: Ticket::default() }
    }

    /// Looks whether what is waited for is here, and has the task woken at the next change if not.
    /// Both under one lock, so that no change is missed.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        look: impl FnOnce(&mut Access<'_>) -> Option<T>,
    ) -> Poll<T> {
        let mut core = self.shared.lock();
        match look(&mut core) {
            Some(found) => {
                core.forget(&mut self.ticket);
                Poll::Ready(found)
            }
            None => {
                core.await_change(&mut self.ticket, cx.waker());
                Poll::Pending
            }
        }
    }
}

/// As [`Waiting::poll`], for who takes a place only if it has to wait: mostly it has not, and a place
/// costs more than the look.
pub(super) fn poll_seldom<T>(
    place: &mut Option<Waiting>,
    shared: &Arc<Shared>,
    cx: &mut Context<'_>,
    look: impl FnOnce(&mut Access<'_>) -> Option<T>,
) -> Poll<T> {
    if let Some(waiting) = place {
        return waiting.poll(cx, look);
    }
    let mut core = shared.lock();
    match look(&mut core) {
        Some(found) => Poll::Ready(found),
        None => {
            let waiting = place.insert(Waiting::new(shared));
            core.await_change(&mut waiting.ticket, cx.waker());
            Poll::Pending
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.ticket.is_held() {
            self.shared.lock().forget(&mut self.ticket);
        }
    }
}
