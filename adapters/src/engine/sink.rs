//! Where the notices go.

use std::sync::Arc;

use perennial_core::{Instant, Notice};

use super::shared::Shared;

/// Takes the notices.
pub(crate) trait Sink {
    /// Whether taking a notice may itself give commands.
    const COMMANDS: bool;

    /// Takes notices that came at `at`. Returns whether the driver should read on.
    fn put(&mut self, at: Instant, notices: &mut Vec<Notice>) -> bool;
}

/// The inbox that a client fetches from.
#[derive(Debug)]
pub(crate) struct ToInbox(pub(crate) Arc<Shared>);

impl Sink for ToInbox {
    const COMMANDS: bool = false;

    fn put(&mut self, at: Instant, notices: &mut Vec<Notice>) -> bool {
        self.0.inbox.put(at, notices.drain(..))
    }
}
