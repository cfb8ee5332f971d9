//! The rules that a config must keep.

use core::time::Duration;

use super::sections::{Backoff, ConfigBuilder, HeartbeatStyle, Jitter};
use super::{ConfigError, is_reserved_field};
use crate::dialect::{DialectConfig, HeartbeatFrames, SocketIoConfig};

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);
/// The most entries any table or queue may be configured to hold.
const MOST: usize = 1 << 20;
/// The largest message. Room for it is made when its head has come: whoever is sent no more than a
/// head must not have to ask for more memory than there is.
const LARGEST_MESSAGE: usize = 1 << 30;

type Checked = Result<(), ConfigError>;

pub(super) fn check(config: &ConfigBuilder) -> Checked {
    within("connect.dial_timeout", config.connect.dial_timeout, MILLISECOND, HOUR, "1ms to 1h")?;
    retry(config)?;
    within("opening.timeout", config.opening.timeout, MILLISECOND, HOUR, "1ms to 1h")?;
    heartbeat(config)?;
    within("clock.jump", config.clock.jump, MILLISECOND, DAY, "1ms to 1 day")?;
    within("clock.probe_deadline", config.clock.probe_deadline, MILLISECOND, HOUR, "1ms to 1h")?;
    within("close.timeout", config.close.timeout, MILLISECOND, HOUR, "1ms to 1h")?;
    within("close.drain", config.close.drain, Duration::ZERO, DAY, "at most 1 day")?;
    boxes(config)?;
    dialect(config)
}

fn retry(config: &ConfigBuilder) -> Checked {
    let retry = &config.retry;
    let base = match &retry.backoff {
        Backoff::Constant { base } | Backoff::Linear { base } => *base,
        Backoff::Exponential { base, factor_percent } => {
            rule(
                (101..=1000).contains(factor_percent),
                "retry.backoff.exponential.factor_percent",
                "must be 101 to 1000 (200 doubles the delay)",
            )?;
            *base
        }
        Backoff::List { delays } => {
            const FIELD: &str = "retry.backoff.list.delays";
            rule((1..=256).contains(&delays.len()), FIELD, "must hold 1 to 256 delays")?;
            rule(delays.is_sorted(), FIELD, "must not decrease from one delay to the next")?;
            *delays.last().unwrap_or(&MILLISECOND)
        }
    };
    rule(
        base >= MILLISECOND || matches!(retry.backoff, Backoff::List { .. }),
        "retry.backoff.base",
        "must be at least 1ms, or a refusing server is hammered",
    )?;
    rule(
        retry.cap >= base,
        "retry.cap",
        "must not be shorter than the backoff's base or last delay",
    )?;
    rule(retry.cap >= MILLISECOND, "retry.cap", "must be at least 1ms")?;
    rule(retry.cap <= DAY, "retry.cap", "must be at most 1 day")?;
    rule(
        retry.jitter != Jitter::Decorrelated || !matches!(retry.backoff, Backoff::List { .. }),
        "retry.jitter",
        "must not be decorrelated with a list of delays: the list would have no effect",
    )?;
    rule(retry.max_attempts != Some(0), "retry.max_attempts", "must be at least 1")?;
    optional("retry.max_outage", retry.max_outage)?;
    optional("retry.suspend_after", retry.suspend_after)?;
    within("retry.stable_after", retry.stable_after, Duration::ZERO, DAY, "at most 1 day")?;
    within("retry.max_retry_after", retry.max_retry_after, Duration::ZERO, DAY, "at most 1 day")?;
    rule(
        retry.fatal_statuses.iter().all(|status| (300..=599).contains(status)),
        "retry.fatal_statuses",
        "must hold HTTP statuses from 300 to 599",
    )?;
    rule(
        retry.close_codes.keys().all(|code| (1000..=4999).contains(code)),
        "retry.close_codes",
        "must name close codes from 1000 to 4999",
    )?;
    rule(
        retry.restart_delay.len() == 2 && retry.restart_delay.is_sorted(),
        "retry.restart_delay",
        "must be two delays, the shorter first",
    )?;
    rule(
        retry.restart_delay.iter().all(|delay| *delay <= DAY),
        "retry.restart_delay",
        "must be at most 1 day",
    )
}

fn heartbeat(config: &ConfigBuilder) -> Checked {
    let heartbeat = &config.heartbeat;
    within("heartbeat.interval", heartbeat.interval, MILLISECOND, DAY, "1ms to 1 day")?;
    within("heartbeat.deadline", heartbeat.deadline, MILLISECOND, DAY, "1ms to 1 day")?;
    rule(heartbeat.misses <= 1000, "heartbeat.misses", "must be at most 1000")?;
    optional("heartbeat.stale_after", heartbeat.stale_after)?;
    rule(
        !matches!(heartbeat.style, HeartbeatStyle::Application | HeartbeatStyle::Both)
            || config.dialect.has_heartbeat(),
        "heartbeat.style",
        "must be neither application nor both: the dialect has no heartbeat of its own",
    )
}

fn boxes(config: &ConfigBuilder) -> Checked {
    let outbox = &config.outbox;
    let count = |field, value| rule((1..=MOST).contains(&value), field, "must be 1 to 1048576");
    count("outbox.max_messages", outbox.max_messages)?;
    count("outbox.ack_window", outbox.ack_window)?;
    count("inbox.max_messages", config.inbox.max_messages)?;
    let bytes = |field, value: usize| {
        let most = 1_u64 << 40;
        let fits = value >= 1 && u64::try_from(value).is_ok_and(|value| value <= most);
        rule(fits, field, "must be at least 1 byte and at most 1 TiB")
    };
    bytes("outbox.max_bytes", outbox.max_bytes)?;
    bytes("outbox.write_credit", outbox.write_credit)?;
    rule(
        (1..=LARGEST_MESSAGE).contains(&config.inbox.max_message),
        "inbox.max_message",
        "must be at least 1 byte and at most 1 GiB",
    )?;
    bytes("inbox.max_bytes", config.inbox.max_bytes)?;
    optional("outbox.ttl", outbox.ttl)?;
    within("outbox.ack_timeout", outbox.ack_timeout, MILLISECOND, DAY, "1ms to 1 day")?;
    rule(config.inbox.dedupe <= MOST, "inbox.dedupe", "must be at most 1048576")
}

fn dialect(config: &ConfigBuilder) -> Checked {
    let frames = match &config.dialect {
        DialectConfig::Plain => {
            return rule(
                config.inbox.dedupe == 0,
                "inbox.dedupe",
                "needs a dialect that knows ids: use the json dialect",
            );
        }
        DialectConfig::Text { ping, pong } => {
            rule(
                config.inbox.dedupe == 0,
                "inbox.dedupe",
                "needs a dialect that knows ids: use the json dialect",
            )?;
            return literals(ping, pong);
        }
        DialectConfig::SocketIo(socket_io) => {
            let name = &socket_io.namespace;
            let most = SocketIoConfig::MAX_NAMESPACE;
            rule(
                name.starts_with('/') && name.len() <= most && !name.contains([',', '?']),
                "dialect.socket_io.namespace",
                "must begin with / and be at most 255 bytes without a comma or a question mark",
            )?;
            return rule(
                config.inbox.dedupe == 0,
                "inbox.dedupe",
                "must be 0: a Socket.IO server begins its ids anew on each connection",
            );
        }
        DialectConfig::EventStream(_) => {
            return rule(
                config.inbox.dedupe == 0,
                "inbox.dedupe",
                "must be 0: the ids of an event stream are no numbers",
            );
        }
        DialectConfig::Custom => return Ok(()),
        DialectConfig::Json(json) => {
            rule(!json.id_field.is_empty(), "dialect.json.id_field", "must not be empty")?;
            rule(
                !is_reserved_field(&json.id_field),
                "dialect.json.id_field",
                "must not be type, data, timestamp, ack or cumulative: they mean something else",
            )?;
            rule(
                (1..=10_000).contains(&json.max_depth),
                "dialect.json.max_depth",
                "must be 1 to 10000",
            )?;
            rule(
                !json.acks || json.envelope,
                "dialect.json.acks",
                "needs the envelope: without ids there is nothing to acknowledge",
            )?;
            &json.heartbeat
        }
    };
    match frames {
        HeartbeatFrames::None => Ok(()),
        HeartbeatFrames::Literals { ping, pong } => literals(ping, pong),
        HeartbeatFrames::Json { ping, pong, .. } => {
            rule(!ping.is_empty(), "dialect.heartbeat.ping", "must not be empty")?;
            rule(!pong.is_empty(), "dialect.heartbeat.pong", "must not be empty")
        }
    }
}

fn literals(ping: &str, pong: &str) -> Checked {
    rule(!ping.is_empty(), "dialect.heartbeat.ping", "must not be empty")?;
    rule(!pong.is_empty(), "dialect.heartbeat.pong", "must not be empty")?;
    rule(
        ping != pong,
        "dialect.heartbeat.pong",
        "must differ from the ping, or the two sides answer each other for ever",
    )
}

fn rule(kept: bool, field: &'static str, words: &'static str) -> Checked {
    if kept { Ok(()) } else { Err(ConfigError::new(field, words)) }
}

fn within(
    field: &'static str,
    value: Duration,
    least: Duration,
    most: Duration,
    range: &'static str,
) -> Checked {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(ConfigError::new(field, alloc::format!("must be {range}")))
    }
}

/// A limit that may be off: if it is on, it is from 1 ms to 1 year.
fn optional(field: &'static str, value: Option<Duration>) -> Checked {
    value.map_or(Ok(()), |value| {
        within(field, value, MILLISECOND, YEAR, "1ms to 365 days, or absent for none")
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Config, ConfigBuilder};
    use super::*;
    use crate::dialect::{EventStreamConfig, JsonConfig};
    use alloc::string::ToString;
    use alloc::vec;

    fn refused(change: impl FnOnce(&mut ConfigBuilder)) -> &'static str {
        let mut builder = Config::builder();
        change(&mut builder);
        builder.build().expect_err("nonsense was accepted").field
    }

    #[test]
    fn the_defaults_pass() {
        assert_eq!(Config::builder().build(), Ok(Config::default()));
    }

    #[test]
    fn nonsense_is_refused_by_its_field() {
        let zero = Duration::ZERO;
        assert_eq!(refused(|c| c.connect.dial_timeout = zero), "connect.dial_timeout");
        assert_eq!(refused(|c| c.connect.dial_timeout = 2 * HOUR), "connect.dial_timeout");
        assert_eq!(refused(|c| c.retry.cap = Duration::from_millis(499)), "retry.cap");
        assert_eq!(refused(|c| c.retry.cap = DAY + MILLISECOND), "retry.cap");
        assert_eq!(
            refused(|c| c.retry.backoff = Backoff::Constant { base: zero }),
            "retry.backoff.base"
        );
        assert_eq!(
            refused(|c| c.retry.backoff = Backoff::List { delays: vec![] }),
            "retry.backoff.list.delays"
        );
        assert_eq!(
            refused(|c| c.retry.backoff = Backoff::List { delays: vec![HOUR, zero] }),
            "retry.backoff.list.delays"
        );
        assert_eq!(
            refused(|c| {
                c.retry.backoff = Backoff::Exponential { base: MILLISECOND, factor_percent: 100 };
            }),
            "retry.backoff.exponential.factor_percent"
        );
        assert_eq!(refused(|c| c.retry.max_attempts = Some(0)), "retry.max_attempts");
        assert_eq!(refused(|c| c.retry.max_outage = Some(zero)), "retry.max_outage");
        assert_eq!(refused(|c| c.retry.suspend_after = Some(zero)), "retry.suspend_after");
        assert_eq!(refused(|c| c.retry.stable_after = 2 * DAY), "retry.stable_after");
        assert_eq!(refused(|c| c.retry.max_retry_after = 2 * DAY), "retry.max_retry_after");
        assert_eq!(refused(|c| c.retry.fatal_statuses.push(101)), "retry.fatal_statuses");
        assert_eq!(
            refused(|c| {
                c.retry.close_codes.insert(999, super::super::CloseRule::Final);
            }),
            "retry.close_codes"
        );
        assert_eq!(refused(|c| c.retry.restart_delay = vec![HOUR, zero]), "retry.restart_delay");
        assert_eq!(refused(|c| c.retry.restart_delay = vec![zero, 2 * DAY]), "retry.restart_delay");
        assert_eq!(refused(|c| c.opening.timeout = zero), "opening.timeout");
        assert_eq!(refused(|c| c.heartbeat.interval = zero), "heartbeat.interval");
        assert_eq!(refused(|c| c.heartbeat.deadline = zero), "heartbeat.deadline");
        assert_eq!(refused(|c| c.heartbeat.misses = 1001), "heartbeat.misses");
        assert_eq!(refused(|c| c.heartbeat.stale_after = Some(zero)), "heartbeat.stale_after");
        for style in [HeartbeatStyle::Application, HeartbeatStyle::Both] {
            assert_eq!(refused(|c| c.heartbeat.style = style), "heartbeat.style");
        }
        assert_eq!(refused(|c| c.clock.jump = zero), "clock.jump");
        assert_eq!(refused(|c| c.clock.probe_deadline = zero), "clock.probe_deadline");
        assert_eq!(refused(|c| c.close.timeout = zero), "close.timeout");
        assert_eq!(refused(|c| c.close.drain = 2 * DAY), "close.drain");
        assert_eq!(refused(|c| c.outbox.max_messages = 0), "outbox.max_messages");
        assert_eq!(refused(|c| c.outbox.max_bytes = 0), "outbox.max_bytes");
        assert_eq!(refused(|c| c.outbox.write_credit = 0), "outbox.write_credit");
        assert_eq!(refused(|c| c.outbox.ack_window = MOST + 1), "outbox.ack_window");
        assert_eq!(refused(|c| c.outbox.ack_timeout = zero), "outbox.ack_timeout");
        assert_eq!(refused(|c| c.outbox.ttl = Some(zero)), "outbox.ttl");
        assert_eq!(refused(|c| c.inbox.max_message = 0), "inbox.max_message");
        assert_eq!(refused(|c| c.inbox.max_message = (1 << 30) + 1), "inbox.max_message");
        assert_eq!(refused(|c| c.inbox.max_messages = 0), "inbox.max_messages");
        assert_eq!(refused(|c| c.inbox.dedupe = 1), "inbox.dedupe");
    }

    #[track_caller]
    fn accepted(change: impl FnOnce(&mut ConfigBuilder)) {
        let mut builder = Config::builder();
        change(&mut builder);
        assert_eq!(builder.build().map(|_| ()), Ok(()));
    }

    #[test]
    fn durations_are_taken_up_to_their_bounds_and_no_further() {
        type Set = fn(&mut ConfigBuilder, Duration);
        let (zero, jot, day) = (Duration::ZERO, Duration::from_nanos(1), HOUR * 24);
        let year = day * 365;
        let ranges: [(&str, Set, Duration, Duration); 18] = [
            ("connect.dial_timeout", |c, v| c.connect.dial_timeout = v, MILLISECOND, HOUR),
            ("retry.cap", |c, v| c.retry.cap = v, Duration::from_millis(500), day),
            ("retry.max_outage", |c, v| c.retry.max_outage = Some(v), MILLISECOND, year),
            ("retry.suspend_after", |c, v| c.retry.suspend_after = Some(v), MILLISECOND, year),
            ("retry.stable_after", |c, v| c.retry.stable_after = v, zero, day),
            ("retry.max_retry_after", |c, v| c.retry.max_retry_after = v, zero, day),
            ("retry.restart_delay", |c, v| c.retry.restart_delay = vec![v, v], zero, day),
            ("opening.timeout", |c, v| c.opening.timeout = v, MILLISECOND, HOUR),
            ("heartbeat.interval", |c, v| c.heartbeat.interval = v, MILLISECOND, day),
            ("heartbeat.deadline", |c, v| c.heartbeat.deadline = v, MILLISECOND, day),
            ("heartbeat.stale_after", |c, v| c.heartbeat.stale_after = Some(v), MILLISECOND, year),
            ("clock.jump", |c, v| c.clock.jump = v, MILLISECOND, day),
            ("clock.probe_deadline", |c, v| c.clock.probe_deadline = v, MILLISECOND, HOUR),
            ("close.timeout", |c, v| c.close.timeout = v, MILLISECOND, HOUR),
            ("close.drain", |c, v| c.close.drain = v, zero, day),
            ("outbox.ttl", |c, v| c.outbox.ttl = Some(v), MILLISECOND, year),
            ("outbox.ack_timeout", |c, v| c.outbox.ack_timeout = v, MILLISECOND, day),
            (
                "retry.backoff.base",
                |c, v| {
                    c.retry.cap = HOUR;
                    c.retry.backoff = Backoff::Linear { base: v };
                },
                MILLISECOND,
                HOUR,
            ),
        ];
        for (field, set, least, most) in ranges {
            accepted(|config| set(config, least));
            accepted(|config| set(config, most));
            if let Some(less) = least.checked_sub(jot) {
                assert_eq!(refused(|config| set(config, less)), field);
            }
            let beyond = if field == "retry.backoff.base" { "retry.cap" } else { field };
            assert_eq!(refused(|config| set(config, most + jot)), beyond);
        }
    }

    #[test]
    fn numbers_are_taken_up_to_their_bounds_and_no_further() {
        type Set = fn(&mut ConfigBuilder, usize);
        let json = |config: &mut ConfigBuilder, change: &dyn Fn(&mut JsonConfig)| {
            let mut json = JsonConfig::default();
            change(&mut json);
            config.dialect = DialectConfig::Json(json);
        };
        let ranges: [(&str, Set, usize, usize); 7] = [
            ("outbox.max_messages", |c, v| c.outbox.max_messages = v, 1, 1 << 20),
            ("outbox.ack_window", |c, v| c.outbox.ack_window = v, 1, 1 << 20),
            ("inbox.max_messages", |c, v| c.inbox.max_messages = v, 1, 1 << 20),
            ("outbox.max_bytes", |c, v| c.outbox.max_bytes = v, 1, 1 << 40),
            ("outbox.write_credit", |c, v| c.outbox.write_credit = v, 1, 1 << 40),
            ("inbox.max_bytes", |c, v| c.inbox.max_bytes = v, 1, 1 << 40),
            ("inbox.max_message", |c, v| c.inbox.max_message = v, 1, 1 << 30),
        ];
        for (field, set, least, most) in ranges {
            accepted(|config| set(config, least));
            accepted(|config| set(config, most));
            assert_eq!(refused(|config| set(config, least - 1)), field);
            assert_eq!(refused(|config| set(config, most + 1)), field);
        }
        let with_ids = |dedupe| {
            move |config: &mut ConfigBuilder| {
                json(config, &|_| {});
                config.inbox.dedupe = dedupe;
            }
        };
        accepted(with_ids(1 << 20));
        assert_eq!(refused(with_ids((1 << 20) + 1)), "inbox.dedupe");
        accepted(|config| json(config, &|json| json.max_depth = 10_000));
        let deeper = refused(|config| json(config, &|json| json.max_depth = 10_001));
        assert_eq!(deeper, "dialect.json.max_depth");
        accepted(|config| config.heartbeat.misses = 1_000);
        accepted(|config| config.retry.max_attempts = Some(1));
        let growing = |factor_percent| Backoff::Exponential { base: HOUR / 3_600, factor_percent };
        for factor in [101, 1_000] {
            accepted(|config| config.retry.backoff = growing(factor));
        }
        let field = "retry.backoff.exponential.factor_percent";
        assert_eq!(refused(|config| config.retry.backoff = growing(1_001)), field);
        for statuses in [300, 599] {
            accepted(|config| config.retry.fatal_statuses.push(statuses));
        }
        assert_eq!(refused(|config| config.retry.fatal_statuses.push(600)), "retry.fatal_statuses");
        for count in [1, 256] {
            let delays = vec![MILLISECOND; count];
            accepted(|config| config.retry.backoff = Backoff::List { delays });
        }
        let delays = vec![MILLISECOND; 257];
        let long = refused(|config| config.retry.backoff = Backoff::List { delays });
        assert_eq!(long, "retry.backoff.list.delays");
    }

    #[test]
    fn nonsense_in_a_dialect_is_refused() {
        let text = |ping: &str, pong: &str| DialectConfig::Text {
            ping: ping.to_string(),
            pong: pong.to_string(),
        };
        assert_eq!(refused(|c| c.dialect = text("", "pong")), "dialect.heartbeat.ping");
        assert_eq!(refused(|c| c.dialect = text("x", "x")), "dialect.heartbeat.pong");
        let json = |change: fn(&mut JsonConfig)| {
            let mut json = JsonConfig::default();
            change(&mut json);
            DialectConfig::Json(json)
        };
        assert_eq!(refused(|c| c.dialect = json(|j| j.id_field.clear())), "dialect.json.id_field");
        assert_eq!(
            refused(|c| c.dialect = json(|j| j.id_field = "ack".to_string())),
            "dialect.json.id_field"
        );
        assert_eq!(refused(|c| c.dialect = json(|j| j.max_depth = 0)), "dialect.json.max_depth");
        let socket_io = |namespace: &str| {
            let namespace = namespace.to_string();
            DialectConfig::SocketIo(SocketIoConfig { namespace, ..SocketIoConfig::default() })
        };
        for bad in ["", "chat", "/a,b", "/a?b", &"/".repeat(256)] {
            let field = refused(|c| c.dialect = socket_io(bad));
            assert_eq!(field, "dialect.socket_io.namespace", "{bad}");
        }
        for good in ["/", "/chat", "/a/b", &"/".repeat(255)] {
            accepted(|c| c.dialect = socket_io(good));
        }
        for dialect in [socket_io("/"), DialectConfig::EventStream(EventStreamConfig::default())] {
            let with = |dedupe, style| {
                let dialect = dialect.clone();
                move |c: &mut ConfigBuilder| {
                    c.dialect = dialect;
                    c.inbox.dedupe = dedupe;
                    c.heartbeat.style = style;
                }
            };
            accepted(with(0, HeartbeatStyle::Server));
            assert_eq!(refused(with(1, HeartbeatStyle::Server)), "inbox.dedupe");
            assert_eq!(refused(with(0, HeartbeatStyle::Application)), "heartbeat.style");
        }
        assert_eq!(
            refused(|c| {
                c.dialect = json(|j| {
                    j.envelope = false;
                    j.acks = true;
                });
            }),
            "dialect.json.acks"
        );
    }

    #[test]
    fn json_round_trips_and_names_what_it_refuses() {
        let config = Config::default();
        let text = serde_json::to_string(&config).expect("a config is serialisable");
        assert_eq!(serde_json::from_str::<Config>(&text).expect("and readable"), config);
        let error = serde_json::from_str::<Config>(r#"{"retry":{"cap":"1ms"}}"#).expect_err("no");
        assert!(error.to_string().contains("retry.cap"), "{error}");
        let error = serde_json::from_str::<Config>(r#"{"retry":{"cop":"1ms"}}"#).expect_err("no");
        assert!(error.to_string().contains("cop"), "{error}");
    }
}
