//! The sections of a [`Config`](super::Config): every limit and default.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration;
use crate::dialect::DialectConfig;
use crate::frame::code;

/// What the sections of a config say before it is checked. [`ConfigBuilder::build`] checks it.
///
/// [`ConfigBuilder::build`]: super::ConfigBuilder::build
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConfigBuilder {
    /// The wall-clock time of the driver's origin: milliseconds since 1970-01-01T00:00:00Z.
    /// Written into envelopes and heartbeats as `timestamp`. Default 0; adapters fill it in.
    pub wall_clock_origin_ms: u64,
    /// The first connect and each dial.
    pub connect: Connect,
    /// Reconnecting.
    pub retry: Retry,
    /// What comes between an open transport and what is queued.
    pub opening: Opening,
    /// Finding out that a link is dead.
    pub heartbeat: Heartbeat,
    /// Rules for odd clocks.
    pub clock: Clock,
    /// Closing.
    pub close: Close,
    /// The send side.
    pub outbox: Outbox,
    /// The receive side.
    pub inbox: Inbox,
    /// What frames mean.
    pub dialect: DialectConfig,
}

/// The first connect and each dial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connect {
    /// Dial at once when the connection is made; otherwise at the first
    /// [`Event::Reconnect`](crate::Event::Reconnect). Default on.
    pub auto: bool,
    /// Give up when the very first dial fails, instead of retrying. Default off.
    pub fail_fast: bool,
    /// How long one dial may take, from name resolution to the handshake's answer, and to that of the
    /// dialect's [greeting](crate::Dialect::greeting) if it has one. Default 10 s; 1 ms to 1 h.
    #[serde(with = "duration")]
    pub dial_timeout: Duration,
}

impl Default for Connect {
    fn default() -> Self {
        Self { auto: true, fail_fast: false, dial_timeout: Duration::from_secs(10) }
    }
}

/// What comes between an open transport and what is queued: a login, subscriptions said again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Opening {
    /// Hold back what is queued on every transport that opens, until
    /// [`Event::Release`](crate::Event::Release). Meanwhile what is sent
    /// [ahead](crate::Outgoing::ahead) goes out. Default off.
    pub hold: bool,
    /// How long a transport may be held before it is given up and another is dialled.
    /// Default 10 s; 1 ms to 1 h.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

impl Default for Opening {
    fn default() -> Self {
        Self { hold: false, timeout: Duration::from_secs(10) }
    }
}

/// Reconnecting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// How the delay grows.
    pub backoff: Backoff,
    /// How the delay is spread.
    pub jitter: Jitter,
    /// The longest delay; only `Retry-After` may exceed it. Default 30 s; at least the base, at
    /// most 1 day.
    #[serde(with = "duration")]
    pub cap: Duration,
    /// How many dials may be made before giving up, the first included; counted anew after a
    /// stable connection. Default unlimited; at least 1. Where `max_retries` is set too, as in most
    /// presets, both hold.
    pub max_attempts: Option<u32>,
    /// How many dials may follow upon a failure, a failed dial or a lost connection, before giving up;
    /// counted anew after a stable connection. The very first dial and one by hand follow upon none,
    /// so that there are as many retries after the first connect as after a loss. Default unlimited;
    /// 0 for none at all.
    pub max_retries: Option<u32>,
    /// How long an outage may last before giving up. Default unlimited.
    #[serde(with = "duration::option")]
    pub max_outage: Option<Duration>,
    /// How long a connection must be open and alive before the attempt counter starts anew.
    /// Default 10 s; at most 1 day.
    #[serde(with = "duration")]
    pub stable_after: Duration,
    /// After how long an outage nothing is promised any more. Default 2 min.
    #[serde(with = "duration::option")]
    pub suspend_after: Option<Duration>,
    /// Whether the outbox is failed when an outage is suspended. Default off: it is kept.
    pub fail_outbox_on_suspend: bool,
    /// HTTP statuses of a refused handshake that forbid another try.
    /// Default 400, 401, 403, 404, 410, 426.
    pub fatal_statuses: Vec<u16>,
    /// Close codes of the peer that forbid another try (`final`) or not (`retry`); what is not
    /// listed is retried. Default: 1002, 1003, 1007, 1008, 1009 and 1010 are final.
    pub close_codes: BTreeMap<u16, CloseRule>,
    /// The longest `Retry-After` that is honoured. Default 5 min.
    #[serde(with = "duration")]
    pub max_retry_after: Duration,
    /// After close code 1012 or 1013 the delay is raised to a random one in this range, the range
    /// being cut to between half the cap and the cap. Default 5 s to 30 s, as the IANA registry
    /// describes 1012.
    #[serde(with = "duration::list")]
    pub restart_delay: Vec<Duration>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            jitter: Jitter::Full,
            cap: Duration::from_secs(30),
            max_attempts: None,
            max_retries: None,
            max_outage: None,
            stable_after: Duration::from_secs(10),
            suspend_after: Some(Duration::from_secs(120)),
            fail_outbox_on_suspend: false,
            fatal_statuses: [400, 401, 403, 404, 410, 426].into(),
            close_codes: [
                code::PROTOCOL_ERROR,
                code::UNSUPPORTED,
                code::INVALID_PAYLOAD,
                code::POLICY_VIOLATION,
                code::MESSAGE_TOO_BIG,
                code::MANDATORY_EXTENSION,
            ]
            .into_iter()
            .map(|code| (code, CloseRule::Final))
            .collect(),
            max_retry_after: Duration::from_secs(300),
            restart_delay: [Duration::from_secs(5), Duration::from_secs(30)].into(),
        }
    }
}

/// How the delay grows with the n-th failure in a row, before jitter; always cut to the cap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Backoff {
    /// `base`.
    Constant {
        /// The delay.
        #[serde(with = "duration")]
        base: Duration,
    },
    /// `base × n`.
    Linear {
        /// The first delay and the step.
        #[serde(with = "duration")]
        base: Duration,
    },
    /// `base × (factor_percent / 100)^(n-1)`.
    Exponential {
        /// The first delay.
        #[serde(with = "duration")]
        base: Duration,
        /// The growth in percent: 200 doubles. 101 to 1000.
        #[serde(default = "double")]
        factor_percent: u32,
    },
    /// The n-th of these delays; the last one for ever after. Never decreasing.
    List {
        /// The delays; 1 to 256 of them.
        #[serde(with = "duration::list")]
        delays: Vec<Duration>,
    },
}

const fn double() -> u32 {
    200
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff::Exponential { base: Duration::from_millis(500), factor_percent: double() }
    }
}

/// How a delay `d` is spread, so that clients do not return in step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// `d` itself.
    None,
    /// Evenly between `d / 2` and `d`.
    Equal,
    /// Evenly between 0 and `d`.
    #[default]
    Full,
    /// Evenly between the base and three times the last delay, cut to the cap first.
    Decorrelated,
}

/// What a close code of the peer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseRule {
    /// Try again.
    Retry,
    /// Do not try again.
    Final,
}

/// Finding out that a link is dead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Heartbeat {
    /// Who pings, and how.
    pub style: HeartbeatStyle,
    /// The time between two pings. Default 20 s; 1 ms to 1 day.
    #[serde(with = "duration")]
    pub interval: Duration,
    /// How long after a ping something must be heard. Default 20 s; 1 ms to 1 day.
    #[serde(with = "duration")]
    pub deadline: Duration,
    /// How many further pings may go unanswered before the link is dead. Default 0; at most 1000.
    pub misses: u32,
    /// Ping only when nothing was heard for the interval, instead of always. Default off.
    pub quiet_only: bool,
    /// Reconnect when no application message came for so long, however alive the link is.
    /// Default off.
    #[serde(with = "duration::option")]
    pub stale_after: Option<Duration>,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self {
            style: HeartbeatStyle::Protocol,
            interval: Duration::from_secs(20),
            deadline: Duration::from_secs(20),
            misses: 0,
            quiet_only: false,
            stale_after: None,
        }
    }
}

/// Who pings, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeartbeatStyle {
    /// We send protocol pings (RFC 6455 §5.5.2).
    #[default]
    Protocol,
    /// We send the dialect's own pings, such as the text `ping`.
    Application,
    /// We send both, for servers that want to see the dialect's and may not answer it: a protocol ping
    /// every server answers (RFC 6455 §5.5.3). As `application` where the transport has no protocol
    /// pings.
    Both,
    /// The server pings at least every interval; we answer, and watch for silence.
    Server,
    /// Nobody. A dead link may go unnoticed.
    Off,
}

/// Rules for odd clocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clock {
    /// Being woken so much later than asked for means that the clock jumped, as when a laptop
    /// slept. Default 5 s; 1 ms to 1 day.
    #[serde(with = "duration")]
    pub jump: Duration,
    /// After a jump the peer must answer a probe within this. Default 3 s; 1 ms to 1 h. Cut to the
    /// heartbeat's deadline.
    #[serde(with = "duration")]
    pub probe_deadline: Duration,
}

impl Default for Clock {
    fn default() -> Self {
        Self { jump: Duration::from_secs(5), probe_deadline: Duration::from_secs(3) }
    }
}

/// Closing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Close {
    /// How long the close handshake may take. Default 5 s; 1 ms to 1 h.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How long a drain may take. Default 10 s; 0 to 1 day.
    #[serde(with = "duration")]
    pub drain: Duration,
}

impl Default for Close {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), drain: Duration::from_secs(10) }
    }
}

/// The send side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outbox {
    /// How many messages it holds: queued, in flight and awaiting acknowledgement.
    /// Default 1024; 1 to 1,048,576.
    pub max_messages: usize,
    /// How many bytes of payload it holds. Default 1 MiB; 1 to 1 TiB. Where one message fills it, none is
    /// taken before that was written: whoever sends large ones quickly wants room for several.
    pub max_bytes: usize,
    /// What happens to a message that does not fit.
    pub overflow: Overflow,
    /// What happens to a message that is offered while no transport is open.
    pub while_down: WhileDown,
    /// The class of a message that names none.
    pub class: Class,
    /// The lifetime of a message that names none. Default none. What a
    /// [session](crate::session) says by itself, a login's messages among it, lives as long as its
    /// transport.
    #[serde(with = "duration::option")]
    pub ttl: Option<Duration>,
    /// How many bytes may be handed to a transport without a flush report. One message always may.
    /// Default 64 KiB; at least 1.
    pub write_credit: usize,
    /// After how long without an acknowledgement a message is sent again, on the same transport.
    /// Default 10 s; 1 ms to 1 day.
    #[serde(with = "duration")]
    pub ack_timeout: Duration,
    /// How many messages may await acknowledgement at once. Default 256; 1 to 1,048,576.
    pub ack_window: usize,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            max_messages: 1024,
            max_bytes: 1 << 20,
            overflow: Overflow::Reject,
            while_down: WhileDown::Accept,
            class: Class::Queued,
            ttl: None,
            write_credit: 64 << 10,
            ack_timeout: Duration::from_secs(10),
            ack_window: 256,
        }
    }
}

/// What happens to a message that does not fit the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// It is given back.
    #[default]
    Reject,
    /// It is given back, and the adapter waits for room.
    Wait,
    /// The oldest messages that were not handed to a transport make room.
    DropOldest,
    /// It is accepted and dropped at once.
    DropNewest,
}

/// What happens to a message that is offered while no transport is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhileDown {
    /// It is accepted. Its class decides: a volatile one is dropped at once, any other waits.
    #[default]
    Accept,
    /// It is given back, whatever its class: [`Rejected::NotOpen`](crate::Rejected::NotOpen).
    Refuse,
}

/// How hard a message is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// On this transport or never.
    Volatile,
    /// Survives outages until it is handed to the kernel.
    #[default]
    Queued,
    /// Kept and sent again, with the same id and bytes, until the peer acknowledges it.
    Acknowledged,
}

/// The receive side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inbox {
    /// A received message whose id is among the last so many is dropped. Default 0, off; at most
    /// 1,048,576.
    pub dedupe: usize,
    /// The largest message taken, in bytes; a larger one closes with 1009. Default 64 MiB; 1 byte to
    /// 1 GiB.
    pub max_message: usize,
    /// How many received messages an adapter holds for the application before it stops reading.
    /// Default 1024; at least 1.
    pub max_messages: usize,
    /// How many bytes of received messages an adapter holds before it stops reading.
    /// Default 1 MiB; at least 1. One message may exceed it.
    pub max_bytes: usize,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { dedupe: 0, max_message: 64 << 20, max_messages: 1024, max_bytes: 1 << 20 }
    }
}

/// A field name that a dialect reads or writes.
pub(crate) fn is_reserved_field(name: &str) -> bool {
    ["type", "data", "timestamp", "ack", "cumulative"].contains(&name)
}

/// The default name of the id field.
pub(crate) fn default_id_field() -> String {
    String::from("id")
}
