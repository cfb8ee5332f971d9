//! The receiving half.

use std::ops::Deref;
use std::time::{Duration, Instant};

use perennial_core::{Closed, Message, Notice};

use super::handle::Handle;
use super::pace::Pace;
use super::seat::{Limit, Visit};
use crate::builder::Builder;
use crate::engine::{Batch, Fetched, Found};
use crate::error::Timeout;
use crate::into_request::IntoRequest;

/// A connection that is driven by a thread of its own.
///
/// While messages come quickly, one awaited after the other, whoever waits for them drives instead,
/// and the thread steps in within 10 ms when nobody does: so a message needs no switch of threads.
/// A retry hook and the like then run on the caller's thread. A hook that panics ends the connection,
/// wherever it runs, and panics nowhere else.
///
/// While messages are sent without pause, whoever sends writes them, many at once, and does nothing
/// else for the connection; the thread writes what is left behind, about a millisecond later.
///
/// Every method of [`Handle`] and of [`Control`](crate::Control) is its method too. What is received is fetched with
/// [`recv`](Self::recv) and its like; while nobody does, at most the config's `inbox.max_messages`
/// and `inbox.max_bytes` are held and then reading stops. Of the notices about the state the last
/// 1024 are held; see [`coalesced`](Self::coalesced).
///
/// Dropping it closes with code 1000, in the background and bounded by the config's
/// `close.timeout`. What is still queued then is lost: [`drain`](crate::Control::drain) and
/// [`join`](Self::join) before.
#[derive(Debug)]
pub struct Client {
    handle: Handle,
    batch: Batch,
    pace: Pace,
}

impl Client {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle, batch: Batch::default(), pace: Pace::default() }
    }

    /// A client to be, for a URL or a whole request.
    pub fn builder(request: impl IntoRequest) -> Builder {
        Builder::new(request)
    }

    /// Another handle to this connection.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The next notice; waits for it. `None` after [`Notice::Closed`] was fetched.
    pub fn recv(&mut self) -> Option<Notice> {
        self.recv_stamped().map(|(_, notice)| notice)
    }

    /// The next notice, and when it came, since the start; waits for it.
    pub fn recv_stamped(&mut self) -> Option<(Duration, Notice)> {
        // Without a deadline there is no timeout.
        self.fetch(None).ok().flatten()
    }

    /// The next notice; waits for it at most so long. `Ok(None)` after [`Notice::Closed`] was
    /// fetched.
    ///
    /// # Errors
    /// [`Timeout`] when nothing came.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<Notice>, Timeout> {
        Ok(self.recv_stamped_timeout(timeout)?.map(|(_, notice)| notice))
    }

    /// As [`recv_timeout`](Self::recv_timeout), with when it came, since the start.
    ///
    /// # Errors
    /// [`Timeout`] when nothing came.
    pub fn recv_stamped_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<(Duration, Notice)>, Timeout> {
        self.fetch(Some(timeout))
    }

    /// The next notice, if there is one already.
    pub fn try_recv(&mut self) -> Option<Notice> {
        self.try_recv_stamped().map(|(_, notice)| notice)
    }

    /// The next notice and when it came, since the start, if there is one already.
    pub fn try_recv_stamped(&mut self) -> Option<(Duration, Notice)> {
        self.handle.shared().try_next(&mut self.batch)
    }

    /// The messages as they come; ends when the connection is closed. Other notices are passed
    /// over.
    pub fn messages(&mut self) -> impl Iterator<Item = Message> {
        self.notices().filter_map(|notice| match notice {
            Notice::Message(message) => Some(message),
            _ => None,
        })
    }

    /// The notices as they come; ends after [`Notice::Closed`].
    pub fn notices(&mut self) -> impl Iterator<Item = Notice> {
        std::iter::from_fn(move || self.recv())
    }

    /// Waits for the end. What arrives until then is lost. It does not itself close: see
    /// [`close`](crate::Control::close) and [`drain`](crate::Control::drain).
    #[must_use]
    pub fn join(self) -> Closed {
        self.leave();
        self.handle.wait_closed()
    }

    /// How many notices about the state were not fetched in time and made room for later ones.
    #[must_use]
    pub fn coalesced(&self) -> u64 {
        self.handle.shared().inbox.coalesced()
    }

    fn fetch(&mut self, timeout: Option<Duration>) -> Result<Option<(Duration, Notice)>, Timeout> {
        let mut limit = None;
        loop {
            if let Some(next) = self.batch.next() {
                return Ok(Some(next));
            }
            let limit = *limit.get_or_insert_with(|| Limit::after(timeout));
            let fetched = self.wait(limit)?;
            if fetched.makes_room {
                self.handle.resume();
            }
            if fetched.found == Found::Ended {
                return Ok(None);
            }
        }
    }

    /// Waits for the next batch: drives meanwhile, or leaves that to the thread.
    fn wait(&mut self, limit: Limit) -> Result<Fetched, Timeout> {
        let Self { handle, batch, pace } = self;
        let inbox = &handle.shared().inbox;
        let fetched = inbox.try_fetch(batch);
        if fetched.is_news() {
            return Ok(fetched);
        }
        if let Some(seat) = handle.seat() {
            if Pace::is_worth(limit.left) {
                let mut fetched = None;
                let found = || {
                    let found = Some(inbox.try_fetch(batch)).filter(|fetched| fetched.is_news());
                    fetched = fetched.or(found);
                    fetched.is_some()
                };
                let visit = seat.visit(pace.take_wish(), limit, found);
                match (fetched, visit) {
                    (Some(fetched), _) => return Ok(fetched),
                    (None, Visit::Late) => return inbox.wait(batch, limit.deadline),
                    (None, Visit::Found | Visit::Slow) => {}
                }
            } else {
                seat.leave_to_thread();
            }
        }
        let began = Instant::now();
        let fetched = inbox.wait(batch, limit.deadline)?;
        pace.note(began, Instant::now());
        Ok(fetched)
    }

    /// Nothing will be fetched any more.
    fn leave(&self) {
        let shared = self.handle.shared();
        shared.inbox.abandon();
        shared.resume();
        if let Some(seat) = self.handle.seat() {
            seat.leave_to_thread();
        }
    }
}

impl Deref for Client {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.handle.close();
        self.leave();
    }
}
