//! What the driver tells `tracing`. No secrets: the core has none in its notices, save for the
//! payloads, and those are not shown.
//!
//! The crate's documentation has the table of all spans and events. Where nobody wants them, nothing
//! is formatted and nothing is allocated.

use std::net::SocketAddr;

use perennial_core::{Notice, State};
use tracing::field::Empty;
use tracing::{Level, Span, debug, debug_span, info, info_span, warn};

const TARGET: &str = "perennial";

/// The spans of one connection.
#[derive(Debug)]
pub(crate) struct Journal {
    connection: Span,
    /// The attempt's span, from the dial to the loss; none in between.
    attempt: Span,
}

impl Journal {
    /// The journal of a connection to `target`, unless a hook says that anew for every attempt. The
    /// application may have given it a name.
    pub(crate) fn new(target: Option<&str>, name: Option<&str>) -> Self {
        let connection = info_span!(target: TARGET, "connection", to = target, name);
        Self { connection, attempt: Span::none() }
    }

    /// The connection's span. Whoever drives it does so inside.
    pub(crate) fn connection(&self) -> &Span {
        &self.connection
    }

    /// The present attempt's span.
    pub(crate) fn attempt(&self) -> &Span {
        &self.attempt
    }

    /// The request hook has said where the present attempt goes.
    pub(crate) fn requested(&self, target: &str) {
        self.attempt.record("to", target);
    }

    /// Tells what happened.
    pub(crate) fn note(&mut self, notice: &Notice) {
        match notice {
            Notice::Message(_)
            | Notice::Duplicate { .. }
            | Notice::Flushed { .. }
            | Notice::Acknowledged { .. }
            | Notice::Undelivered { .. }
            | Notice::Writable
            | Notice::Pong { .. } => return,
            Notice::StateChanged { .. }
            | Notice::Dialing { .. }
            | Notice::Retrying { .. }
            | Notice::Suspended { .. }
            | Notice::Dead { .. }
            | Notice::Warning(_)
            | Notice::Closed(_) => {}
        }
        if let Notice::Dialing { transport, attempt } = notice {
            let transport = transport.get();
            self.attempt = info_span!(
                target: TARGET, parent: &self.connection, "attempt", transport, attempt, to = Empty
            );
        }
        if tracing::enabled!(target: TARGET, Level::WARN) {
            self.attempt.in_scope(|| tell(notice));
        }
        if matches!(notice, Notice::Retrying { .. } | Notice::Closed(_)) {
            self.attempt = Span::none();
        }
    }
}

fn tell(notice: &Notice) {
    match notice {
        Notice::StateChanged { to: State::Open, transport: Some(transport), .. } => {
            info!(target: TARGET, transport = transport.get(), "open");
        }
        // Of the end `closed` tells.
        Notice::StateChanged {
            from: State::Open,
            to: State::Reconnecting,
            reason: Some(reason),
            ..
        } => {
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

/// Tells where a dial goes.
pub(crate) fn routed(addresses: &[SocketAddr], proxy: Option<&dyn std::fmt::Display>) {
    match proxy {
        Some(proxy) => debug!(target: TARGET, ?addresses, %proxy, "resolved"),
        None => debug!(target: TARGET, ?addresses, "resolved"),
    }
}

/// Tells which address has won the race.
pub(crate) fn connected(address: SocketAddr) {
    debug!(target: TARGET, %address, "connected");
}

/// Tells that an address is out of the race.
pub(crate) fn not_connected(address: SocketAddr, error: &std::io::Error) {
    debug!(target: TARGET, %address, %error, "not connected");
}

/// Tells that the proxy leads to the target.
#[cfg(feature = "proxy")]
pub(crate) fn tunnelled() {
    debug!(target: TARGET, "tunnelled");
}

/// Tells that TLS is established.
#[cfg(feature = "tls")]
pub(crate) fn secured() {
    debug!(target: TARGET, "secured");
}

/// The span of what prepares an attempt on another thread: the request hook, and the name's
/// resolution.
pub(crate) fn preparing() -> Span {
    debug_span!(target: TARGET, "prepare")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counting::allocations;
    use perennial_core::{Closed, ClosedBy, Death, Duration, Reason, TransportId, Warning};

    fn story() -> Vec<Notice> {
        let transport: TransportId = serde_json::from_str("1").expect("an id is a number");
        let (from, to) = (State::Connecting, State::Open);
        vec![
            Notice::Dialing { transport, attempt: 1 },
            Notice::StateChanged { from, to, transport: Some(transport), reason: None },
            Notice::Pong { rtt: Duration::ZERO },
            Notice::Dead { silence: Duration::ZERO, why: Death::Pong },
            Notice::StateChanged {
                from: State::Open,
                to: State::Reconnecting,
                transport: Some(transport),
                reason: Some(Reason::DialTimeout),
            },
            Notice::Retrying {
                attempt: 2,
                delay: Duration::ZERO,
                nominal: Duration::ZERO,
                advice: None,
                outage: Duration::ZERO,
                reason: Reason::DialTimeout,
            },
            Notice::Suspended { outage: Duration::ZERO },
            Notice::Warning(Warning::IgnoredAck { id: None }),
            Notice::Closed(Closed {
                by: ClosedBy::Application,
                code: 1000,
                clean: true,
                reason: Reason::Application,
            }),
        ]
    }

    fn tell_everything(story: &[Notice]) {
        let mut journal = Journal::new(Some("ws://h:80/"), Some("name"));
        let connection = journal.connection().clone();
        let _entered = connection.enter();
        story.iter().for_each(|notice| journal.note(notice));
        journal.requested("ws://h:80/");
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        routed(&[address], Some(&"proxy"));
        connected(address);
        not_connected(address, &std::io::ErrorKind::ConnectionRefused.into());
        drop(preparing());
    }

    /// Wants nothing, and must not be given anything.
    struct Nobody;

    impl tracing::Subscriber for Nobody {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            false
        }

        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            panic!("nobody wants a span")
        }

        fn event(&self, _: &tracing::Event<'_>) {
            panic!("nobody wants an event")
        }

        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    #[test]
    fn what_nobody_wants_costs_nothing() {
        let story = story();
        assert_eq!(allocations(|| tell_everything(&story)), 0, "without a subscriber");
        tracing::subscriber::with_default(Nobody, || {
            // Once, for `tracing` to ask whether anybody wants it, which it remembers.
            tell_everything(&story);
            assert_eq!(allocations(|| tell_everything(&story)), 0, "with one that wants nothing");
        });
        assert_ne!(allocations(|| drop(story.clone())), 0, "it is counted");
    }
}
