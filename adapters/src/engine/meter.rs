//! What a connection tells the `metrics` facade. The crate's documentation has the table of all
//! metrics.
//!
//! Nothing is told message by message: once a turn, what the state machine has counted since the turn
//! before is added. The handles are made when the connection is, so that this needs no look-up.

use metrics::{
    Counter, Gauge, Histogram, Label, Unit, counter, describe_counter, describe_gauge,
    describe_histogram, gauge, histogram,
};
use perennial_core::{Counters, DialError, Notice, Reason, State};

const ACCEPTED: &str = "perennial_messages_accepted_total";
const FLUSHED: &str = "perennial_messages_flushed_total";
const ACKNOWLEDGED: &str = "perennial_messages_acknowledged_total";
const UNDELIVERED: &str = "perennial_messages_undelivered_total";
const REJECTED: &str = "perennial_messages_rejected_total";
const RESENT: &str = "perennial_messages_resent_total";
const RECEIVED: &str = "perennial_messages_received_total";
const DUPLICATES: &str = "perennial_messages_duplicate_total";
const SENT_BYTES: &str = "perennial_sent_bytes_total";
const RECEIVED_BYTES: &str = "perennial_received_bytes_total";
const ATTEMPTS: &str = "perennial_attempts_total";
const FAILED: &str = "perennial_attempts_failed_total";
const LOST: &str = "perennial_connections_lost_total";
const RECONNECTS: &str = "perennial_reconnects_total";
const OPEN: &str = "perennial_connections_open";
const OUTBOX: &str = "perennial_outbox_messages";
const OUTAGE: &str = "perennial_outage_seconds";
const RTT: &str = "perennial_rtt_seconds";

/// Why messages were not delivered: the values of the label `reason`.
const FATES: [&str; 4] = ["uncertain", "expired", "dropped", "cancelled"];
/// Where attempts fail: the values of the label `reason`.
const FAILURES: [&str; 9] = [
    "request",
    "resolve",
    "connect",
    "tls",
    "handshake",
    "status",
    "proxy",
    "proxy_auth",
    "timeout",
];
/// How connections are lost: the values of the label `reason`.
const LOSSES: [&str; 6] = ["closed", "ended", "dead", "opening", "application", "other"];

/// The metrics of one connection.
pub(crate) struct Meter {
    handles: Handles,
    /// What was told so far.
    told: Counters,
    /// Bytes read and written on the present transport, as far as told.
    crossed: (u64, u64),
    is_open: bool,
    in_outbox: u64,
}

struct Handles {
    accepted: Counter,
    flushed: Counter,
    acknowledged: Counter,
    undelivered: [Counter; FATES.len()],
    rejected: Counter,
    resent: Counter,
    received: Counter,
    duplicates: Counter,
    sent_bytes: Counter,
    received_bytes: Counter,
    attempts: Counter,
    failed: [Counter; FAILURES.len()],
    lost: [Counter; LOSSES.len()],
    reconnects: Counter,
    open: Gauge,
    outbox: Gauge,
    outage: Histogram,
    rtt: Histogram,
}

impl Handles {
    fn new(name: Option<&str>) -> Self {
        let labels: Vec<_> =
            name.map(|name| Label::new("connection", name.to_owned())).into_iter().collect();
        let count = |metric: &'static str| counter!(metric, labels.clone());
        let by_reason = |metric: &'static str, reason: &'static str| {
            let mut labels = labels.clone();
            labels.push(Label::from_static_parts("reason", reason));
            counter!(metric, labels)
        };
        Self {
            accepted: count(ACCEPTED),
            flushed: count(FLUSHED),
            acknowledged: count(ACKNOWLEDGED),
            undelivered: FATES.map(|fate| by_reason(UNDELIVERED, fate)),
            rejected: count(REJECTED),
            resent: count(RESENT),
            received: count(RECEIVED),
            duplicates: count(DUPLICATES),
            sent_bytes: count(SENT_BYTES),
            received_bytes: count(RECEIVED_BYTES),
            attempts: count(ATTEMPTS),
            failed: FAILURES.map(|failure| by_reason(FAILED, failure)),
            lost: LOSSES.map(|loss| by_reason(LOST, loss)),
            reconnects: count(RECONNECTS),
            open: gauge!(OPEN, labels.clone()),
            outbox: gauge!(OUTBOX, labels.clone()),
            outage: histogram!(OUTAGE, labels.clone()),
            rtt: histogram!(RTT, labels.clone()),
        }
    }
}

impl Meter {
    /// The metrics of a connection that the application may have given a name. They go to the
    /// recorder that is installed now.
    pub(crate) fn new(name: Option<&str>) -> Self {
        describe();
        Self {
            handles: Handles::new(name),
            told: Counters::default(),
            crossed: (0, 0),
            is_open: false,
            in_outbox: 0,
        }
    }

    /// Tells what was counted since the last time.
    pub(crate) fn count(&mut self, now: &Counters) {
        if *now == self.told {
            return;
        }
        let told = std::mem::replace(&mut self.told, *now);
        let handles = &self.handles;
        let add = |counter: &Counter, field: fn(&Counters) -> u64| {
            let more = field(now).saturating_sub(field(&told));
            if more > 0 {
                counter.increment(more);
            }
            more
        };
        add(&handles.accepted, |c| c.accepted);
        add(&handles.flushed, |c| c.flushed);
        add(&handles.acknowledged, |c| c.acknowledged);
        let [uncertain, expired, dropped, cancelled] = &handles.undelivered;
        add(uncertain, |c| c.uncertain);
        add(expired, |c| c.expired);
        add(dropped, |c| c.dropped);
        add(cancelled, |c| c.cancelled);
        add(&handles.rejected, |c| c.rejected);
        add(&handles.resent, |c| c.resent);
        add(&handles.received, |c| c.received);
        add(&handles.duplicates, |c| c.duplicates);
        add(&handles.attempts, |c| c.attempts);
        if add(&handles.reconnects, |c| c.reconnects) > 0 {
            let lasted = now.outage_ns.saturating_sub(told.outage_ns);
            handles.outage.record(std::time::Duration::from_nanos(lasted));
        }
        let ended =
            [now.flushed, now.acknowledged, now.uncertain, now.expired, now.dropped, now.cancelled];
        self.hold(ended.into_iter().fold(now.accepted, u64::saturating_sub));
    }

    /// Tells how much the outbox holds.
    fn hold(&mut self, in_outbox: u64) {
        let before = std::mem::replace(&mut self.in_outbox, in_outbox);
        if in_outbox != before {
            // All connections without a name share one gauge.
            self.handles.outbox.increment(in_outbox as f64 - before as f64);
        }
    }

    /// Tells how many bytes were read and written on the present transport, since it began.
    pub(crate) fn cross(&mut self, received: u64, sent: u64) {
        let (received_before, sent_before) = std::mem::replace(&mut self.crossed, (received, sent));
        for (counter, more) in [
            (&self.handles.received_bytes, received.saturating_sub(received_before)),
            (&self.handles.sent_bytes, sent.saturating_sub(sent_before)),
        ] {
            if more > 0 {
                counter.increment(more);
            }
        }
    }

    /// The present transport has ended.
    pub(crate) fn end_transport(&mut self) {
        self.crossed = (0, 0);
    }

    /// Tells what cannot be told from the counts.
    pub(crate) fn note(&mut self, notice: &Notice) {
        match notice {
            Notice::Pong { rtt } => self.handles.rtt.record(*rtt),
            Notice::StateChanged { from, to, reason, .. } => {
                self.open_is(*to == State::Open);
                if (*from, *to) == (State::Open, State::Reconnecting) {
                    let loss = reason.as_ref().map_or("other", loss);
                    increment(&LOSSES, &self.handles.lost, loss);
                }
            }
            Notice::Retrying { reason, .. } => self.fail(reason),
            Notice::Closed(closed) => self.fail(&closed.reason),
            Notice::Dialing { .. }
            | Notice::Suspended { .. }
            | Notice::Message(_)
            | Notice::Duplicate { .. }
            | Notice::Flushed { .. }
            | Notice::Acknowledged { .. }
            | Notice::Undelivered { .. }
            | Notice::Writable
            | Notice::Dead { .. }
            | Notice::Warning(_) => {}
        }
    }

    fn fail(&self, reason: &Reason) {
        if let Some(failure) = failure(reason) {
            increment(&FAILURES, &self.handles.failed, failure);
        }
    }

    fn open_is(&mut self, is_open: bool) {
        if std::mem::replace(&mut self.is_open, is_open) != is_open {
            self.handles.open.increment(if is_open { 1.0 } else { -1.0 });
        }
    }
}

/// A driver that stops early leaves nothing open, and its outbox goes with it.
impl Drop for Meter {
    fn drop(&mut self) {
        self.open_is(false);
        self.hold(0);
    }
}

fn increment(names: &[&str], counters: &[Counter], name: &str) {
    let mut pairs = names.iter().zip(counters);
    if let Some((_, counter)) = pairs.find(|(other, _)| **other == name) {
        counter.increment(1);
    }
}

/// At what an attempt failed; `None` for what is no failed attempt.
fn failure(reason: &Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::DialFailed(failure) => match failure.kind {
            DialError::Request | DialError::RequestRefused => "request",
            DialError::Resolve => "resolve",
            DialError::Connect => "connect",
            DialError::Tls => "tls",
            DialError::Handshake => "handshake",
            DialError::Status => "status",
            DialError::Proxy => "proxy",
            DialError::ProxyAuth => "proxy_auth",
        },
        Reason::DialTimeout => "timeout",
        Reason::MaxAttempts(last) | Reason::FirstFailed(last) => return failure(last),
        // Counted when the hook was asked.
        Reason::Stopped(_)
        | Reason::Application
        | Reason::PeerClosed(_)
        | Reason::Ended(_)
        | Reason::Dead(_)
        | Reason::Violated(_)
        | Reason::Refused { .. }
        | Reason::OpeningTimeout
        | Reason::Incapable(_)
        | Reason::MaxOutage => return None,
    })
}

fn loss(reason: &Reason) -> &'static str {
    match reason {
        Reason::PeerClosed(_) => "closed",
        Reason::Ended(_) => "ended",
        Reason::Dead(_) => "dead",
        Reason::Refused { .. } | Reason::OpeningTimeout => "opening",
        Reason::Application => "application",
        Reason::DialFailed(_)
        | Reason::DialTimeout
        | Reason::Violated(_)
        | Reason::Incapable(_)
        | Reason::MaxAttempts(_)
        | Reason::MaxOutage
        | Reason::Stopped(_)
        | Reason::FirstFailed(_) => "other",
    }
}

fn describe() {
    for (name, text) in [
        (ACCEPTED, "Messages accepted for sending."),
        (FLUSHED, "Messages of class volatile or queued that the kernel took."),
        (ACKNOWLEDGED, "Messages that the peer acknowledged."),
        (UNDELIVERED, "Accepted messages that ended without a confirmed delivery, by reason."),
        (REJECTED, "Messages that were refused, and so never accepted."),
        (RESENT, "Writes of a message beyond its first."),
        (RECEIVED, "Messages received, without duplicates."),
        (DUPLICATES, "Messages received again, and dropped."),
        (ATTEMPTS, "Dials."),
        (FAILED, "Dials that failed, by the step at which they did."),
        (LOST, "Open connections that were lost, by how that was."),
        (RECONNECTS, "Times that a connection was open again after it was lost."),
    ] {
        describe_counter!(name, Unit::Count, text);
    }
    describe_counter!(SENT_BYTES, Unit::Bytes, "Bytes written, handshakes and frames, before TLS.");
    describe_counter!(RECEIVED_BYTES, Unit::Bytes, "Bytes read, handshakes and frames, after TLS.");
    describe_gauge!(OPEN, Unit::Count, "Connections that are open.");
    describe_gauge!(OUTBOX, Unit::Count, "Messages that were accepted and have not ended.");
    describe_histogram!(OUTAGE, Unit::Seconds, "From losing a connection to having it again.");
    describe_histogram!(RTT, Unit::Seconds, "From a ping to its pong.");
}
