//! Notices to a callback on the driver's thread.

use std::ops::ControlFlow;

use perennial_core::{Instant, Notice};

use super::handle::Handle;
use crate::engine::{Sink, is_report};

/// A callback on the driver's thread.
pub(super) struct ToCallback<F> {
    handle: Handle,
    callback: Option<F>,
    reports: bool,
}

impl<F> ToCallback<F> {
    pub(super) fn new(handle: Handle, callback: F, reports: bool) -> Self {
        Self { handle, callback: Some(callback), reports }
    }
}

impl<F: FnMut(&Handle, Notice) -> ControlFlow<()>> Sink for ToCallback<F> {
    const COMMANDS: bool = true;

    fn put(&mut self, _: Instant, notices: &mut Vec<Notice>) -> bool {
        for notice in notices.drain(..) {
            if is_report(&notice) && !self.reports {
                continue;
            }
            if let Some(callback) = &mut self.callback
                && callback(&self.handle, notice).is_break()
            {
                self.callback = None;
                self.handle.close();
            }
        }
        // The callback is the application: it has taken everything when it returns.
        true
    }
}
