//! Configurations made of small numbers, so that every limit is met within a few events.

use super::choices::Choices;
use crate::{
    Backoff, Class, CloseRule, Config, DialectConfig, Duration, HeartbeatFrames, HeartbeatStyle,
    Jitter, JsonConfig, Overflow, WhileDown,
};

/// What a config is made of. Every value of it makes a valid one; times are in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// Dial only when asked to.
    pub manual: bool,
    /// Give up when the first dial fails.
    pub fail_fast: bool,
    /// From 1.
    pub dial_timeout: u8,
    /// Constant, linear, exponential, list.
    pub backoff: u8,
    /// The base or the first step; from 0 for a list, else from 1.
    pub base: u8,
    /// The growth in percent over 101, or the step of a list.
    pub growth: u8,
    /// What the cap adds to the base.
    pub cap: u16,
    /// None, equal, full, decorrelated.
    pub jitter: u8,
    /// 0 for none.
    pub max_attempts: u8,
    /// 0 for none.
    pub max_retries: u8,
    /// 0 for none.
    pub max_outage: u16,
    /// From 0.
    pub stable_after: u8,
    /// 0 for none.
    pub suspend_after: u8,
    /// Fail the outbox when suspended.
    pub fail_on_suspend: bool,
    /// The longest `Retry-After` that is honoured.
    pub max_retry_after: u16,
    /// Protocol, application, server, off, both.
    pub style: u8,
    /// From 1.
    pub interval: u8,
    /// From 1.
    pub deadline: u8,
    /// Up to 3.
    pub misses: u8,
    /// Ping only in silence.
    pub quiet_only: bool,
    /// 0 for none.
    pub stale_after: u8,
    /// From 1.
    pub jump: u8,
    /// From 1.
    pub probe_deadline: u8,
    /// Hold back what is queued on a transport that opens.
    pub hold: bool,
    /// From 1.
    pub opening: u8,
    /// From 1.
    pub close_timeout: u8,
    /// From 0.
    pub drain: u8,
    /// From 1 to 8.
    pub max_messages: u8,
    /// From 1.
    pub max_bytes: u8,
    /// Reject, wait, drop oldest, drop newest.
    pub overflow: u8,
    /// Give back what is offered while no transport is open.
    pub refuse: bool,
    /// Queued, volatile, acknowledged.
    pub class: u8,
    /// 0 for none.
    pub ttl: u8,
    /// From 1.
    pub credit: u8,
    /// From 1.
    pub ack_timeout: u8,
    /// From 1 to 4.
    pub ack_window: u8,
    /// Up to 4, for a dialect that knows ids.
    pub dedupe: u8,
    /// Plain, text, or one of several kinds of JSON.
    pub dialect: u8,
    /// Acknowledge what is received.
    pub acknowledge: bool,
}

fn often_off(c: &mut Choices<'_>) -> u8 {
    if c.chance(333) { 1 + c.below(255) as u8 } else { 0 }
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn from_one(value: u8) -> Duration {
    ms(u64::from(value).max(1))
}

fn optional(value: impl Into<u64>) -> Option<Duration> {
    Some(value.into()).filter(|value| *value > 0).map(ms)
}

impl Setup {
    /// A setup by choice; what seldom matters is mostly off.
    #[must_use]
    pub fn choose(c: &mut Choices<'_>) -> Self {
        Self {
            manual: c.chance(100),
            fail_fast: c.chance(100),
            dial_timeout: 1 + c.below(200) as u8,
            backoff: c.below(4) as u8,
            base: c.below(61) as u8,
            growth: c.below(61) as u8,
            cap: c.below(401) as u16,
            jitter: c.below(4) as u8,
            max_attempts: if c.chance(300) { 1 + c.below(6) as u8 } else { 0 },
            max_outage: if c.chance(300) { 20 + c.below(2_000) as u16 } else { 0 },
            stable_after: c.byte(),
            suspend_after: often_off(c),
            fail_on_suspend: c.chance(500),
            max_retry_after: c.below(2_001) as u16,
            style: c.below(5) as u8,
            interval: 1 + c.below(200) as u8,
            deadline: 1 + c.below(200) as u8,
            misses: c.below(4) as u8,
            quiet_only: c.chance(500),
            stale_after: often_off(c),
            jump: c.byte(),
            probe_deadline: c.byte(),
            close_timeout: c.byte(),
            drain: c.byte(),
            max_messages: c.below(8) as u8,
            max_bytes: c.byte(),
            overflow: c.below(4) as u8,
            class: c.below(3) as u8,
            ttl: often_off(c),
            credit: 1 + c.below(200) as u8,
            ack_timeout: 1 + c.below(100) as u8,
            ack_window: c.below(4) as u8,
            dedupe: c.below(5) as u8,
            dialect: c.below(6) as u8,
            acknowledge: c.chance(500),
            hold: c.chance(250),
            opening: 1 + c.below(200) as u8,
            max_retries: if c.chance(100) { 1 + c.below(6) as u8 } else { 0 },
            refuse: c.chance(100),
        }
    }

    /// The config.
    ///
    /// # Panics
    /// If it is not valid, which no value may bring about.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::builder();
        config.wall_clock_origin_ms = 1_700_000_000_000;
        config.connect.auto = !self.manual;
        config.connect.fail_fast = self.fail_fast;
        config.connect.dial_timeout = from_one(self.dial_timeout);
        config.dialect = self.dialect();

        let retry = &mut config.retry;
        let base = from_one(self.base);
        let list = self.backoff % 4 == 3;
        let step = u64::from(self.growth);
        let first = u64::from(self.base);
        retry.backoff = match self.backoff % 4 {
            0 => Backoff::Constant { base },
            1 => Backoff::Linear { base },
            2 => Backoff::Exponential { base, factor_percent: 101 + u32::from(self.growth) * 3 },
            _ => Backoff::List { delays: (0..4).map(|n| ms(first + n * step)).collect() },
        };
        let longest = if list { ms(first + 3 * step) } else { base };
        retry.cap = longest + ms(u64::from(self.cap).max(1));
        retry.jitter = match self.jitter % 4 {
            0 => Jitter::None,
            1 => Jitter::Equal,
            2 => Jitter::Full,
            _ if list => Jitter::Full,
            _ => Jitter::Decorrelated,
        };
        retry.max_attempts = Some(u32::from(self.max_attempts)).filter(|most| *most > 0);
        retry.max_retries = Some(u32::from(self.max_retries)).filter(|most| *most > 0);
        retry.max_outage = optional(self.max_outage);
        retry.stable_after = ms(u64::from(self.stable_after));
        retry.suspend_after = optional(self.suspend_after);
        retry.fail_outbox_on_suspend = self.fail_on_suspend;
        retry.max_retry_after = ms(u64::from(self.max_retry_after));
        retry.restart_delay = [ms(first), ms(first + 2 * step)].into();
        retry.close_codes.insert(4001, CloseRule::Final);
        retry.close_codes.insert(4002, CloseRule::Retry);

        let heartbeat = &mut config.heartbeat;
        heartbeat.style = match self.style % 5 {
            1 if config.dialect.has_heartbeat() => HeartbeatStyle::Application,
            2 => HeartbeatStyle::Server,
            3 => HeartbeatStyle::Off,
            4 if config.dialect.has_heartbeat() => HeartbeatStyle::Both,
            _ => HeartbeatStyle::Protocol,
        };
        heartbeat.interval = from_one(self.interval);
        heartbeat.deadline = from_one(self.deadline);
        heartbeat.misses = u32::from(self.misses % 4);
        heartbeat.quiet_only = self.quiet_only;
        heartbeat.stale_after = optional(self.stale_after);

        config.clock.jump = from_one(self.jump);
        config.clock.probe_deadline = from_one(self.probe_deadline);
        config.opening.hold = self.hold;
        config.opening.timeout = from_one(self.opening);
        config.close.timeout = from_one(self.close_timeout);
        config.close.drain = ms(u64::from(self.drain));

        let outbox = &mut config.outbox;
        outbox.max_messages = 1 + usize::from(self.max_messages % 8);
        outbox.max_bytes = usize::from(self.max_bytes).max(1) * 4;
        outbox.overflow = match self.overflow % 4 {
            0 => Overflow::Reject,
            1 => Overflow::Wait,
            2 => Overflow::DropOldest,
            _ => Overflow::DropNewest,
        };
        if self.refuse {
            outbox.while_down = WhileDown::Refuse;
        }
        outbox.class = match self.class % 3 {
            0 => Class::Queued,
            1 => Class::Volatile,
            _ => Class::Acknowledged,
        };
        outbox.ttl = optional(self.ttl);
        outbox.write_credit = usize::from(self.credit).max(1);
        outbox.ack_timeout = from_one(self.ack_timeout);
        outbox.ack_window = 1 + usize::from(self.ack_window % 4);

        config.inbox.max_message = 125;
        if matches!(config.dialect, DialectConfig::Json(_)) {
            config.inbox.dedupe = usize::from(self.dedupe % 5);
        }
        config.build().expect("every setup is valid")
    }

    fn dialect(&self) -> DialectConfig {
        let json =
            JsonConfig { acknowledge: self.acknowledge, max_depth: 4, ..JsonConfig::default() };
        match self.dialect % 6 {
            0 => DialectConfig::Plain,
            1 => DialectConfig::text(),
            2 => DialectConfig::Json(json),
            3 => DialectConfig::Json(JsonConfig {
                heartbeat: HeartbeatFrames::Json {
                    ping: "heartbeat".into(),
                    pong: "pong".into(),
                    timestamp: true,
                },
                ..json
            }),
            4 => DialectConfig::Json(JsonConfig { heartbeat: HeartbeatFrames::None, ..json }),
            _ => DialectConfig::Json(JsonConfig {
                heartbeat: HeartbeatFrames::Literals { ping: "ping".into(), pong: "pong".into() },
                envelope: false,
                acks: false,
                ..json
            }),
        }
    }
}
