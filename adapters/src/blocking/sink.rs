//! Where the notices go: into an inbox, or to a callback.

use std::ops::ControlFlow;

use perennial_core::{Instant, Notice};

use super::handle::Handle;
use super::inbox::is_report;

/// Takes the notices.
pub(super) trait Sink {
    /// Takes notices that came at `at`. Returns whether the driver should read on.
    fn put(&mut self, handle: &Handle, at: Instant, notices: &mut Vec<Notice>) -> bool;
}

/// The inbox that the handle's client fetches from.
#[derive(Debug)]
pub(super) struct ToInbox;

impl Sink for ToInbox {
    fn put(&mut self, handle: &Handle, at: Instant, notices: &mut Vec<Notice>) -> bool {
        handle.shared().inbox.put(at, notices.drain(..))
    }
}

/// A callback on the driver's thread.
pub(super) struct ToCallback<F> {
    callback: Option<F>,
    reports: bool,
}

impl<F> ToCallback<F> {
    pub(super) fn new(callback: F, reports: bool) -> Self {
        Self { callback: Some(callback), reports }
    }
}

impl<F: FnMut(&Handle, Notice) -> ControlFlow<()>> Sink for ToCallback<F> {
    fn put(&mut self, handle: &Handle, _: Instant, notices: &mut Vec<Notice>) -> bool {
        for notice in notices.drain(..) {
            if is_report(&notice) && !self.reports {
                continue;
            }
            if let Some(callback) = &mut self.callback
                && callback(handle, notice).is_break()
            {
                self.callback = None;
                handle.close();
            }
        }
        // The callback is the application: it has taken everything when it returns.
        true
    }
}
