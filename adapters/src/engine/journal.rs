//! What the driver tells `tracing`. No secrets: the core has none in its notices, save for the
//! payloads, and those are not shown.

use perennial_core::{Notice, State};
use tracing::{Level, debug, info, warn};

const TARGET: &str = "perennial";

/// The span of one connection.
pub(crate) fn span(target: &str) -> tracing::Span {
    tracing::info_span!(target: TARGET, "connection", to = target)
}

/// Tells what happened.
pub(crate) fn note(notice: &Notice) {
    if !tracing::enabled!(target: TARGET, Level::WARN) {
        return;
    }
    match notice {
        Notice::StateChanged { to: State::Open, transport: Some(transport), .. } => {
            info!(target: TARGET, transport = transport.get(), "open");
        }
        Notice::StateChanged { from: State::Open, reason: Some(reason), .. } => {
            warn!(target: TARGET, %reason, "lost");
        }
        Notice::Dialing { transport, attempt } => {
            debug!(target: TARGET, transport = transport.get(), attempt, "dial");
        }
        Notice::Retrying { attempt, delay, reason, .. } => {
            info!(target: TARGET, attempt, ?delay, %reason, "retry");
        }
        Notice::Suspended { outage } => warn!(target: TARGET, ?outage, "suspended"),
        Notice::Dead { silence, why } => {
            warn!(target: TARGET, ?silence, why = why.as_str(), "dead");
        }
        Notice::Warning(warning) => warn!(target: TARGET, ?warning, "warning"),
        Notice::Closed(closed) => {
            info!(target: TARGET, by = closed.by.as_str(), code = closed.code,
                  reason = %closed.reason, "closed");
        }
        Notice::StateChanged { .. }
        | Notice::Message(_)
        | Notice::Duplicate { .. }
        | Notice::Flushed { .. }
        | Notice::Acknowledged { .. }
        | Notice::Undelivered { .. }
        | Notice::Writable
        | Notice::Pong { .. } => {}
    }
}
