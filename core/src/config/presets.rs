//! Configs that behave as well-known hand-written clients do, without their faults.

use alloc::string::String;
use core::time::Duration;

use super::{Backoff, Class, Config, ConfigBuilder, HeartbeatStyle, Jitter, Overflow, WhileDown};
use crate::dialect::{
    DialectConfig, EventStreamConfig, HeartbeatFrames, JsonConfig, SocketIoConfig,
};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// JSON with `{"type":PING}` heartbeats and without an envelope.
fn json_heartbeat(ping: &str, timestamp: bool) -> JsonConfig {
    JsonConfig {
        heartbeat: HeartbeatFrames::Json {
            ping: String::from(ping),
            pong: String::from("pong"),
            timestamp,
        },
        envelope: false,
        acks: false,
        ..JsonConfig::default()
    }
}

/// The same delay each time, however long the outage lasts: once suspended it would be the cap.
fn back_after(builder: &mut ConfigBuilder, delay: u64) {
    builder.retry.backoff = Backoff::Constant { base: seconds(delay) };
    builder.retry.jitter = Jitter::None;
    builder.retry.suspend_after = None;
}

/// The dialect's own ping every 30 s; with style `Both` for servers that need not answer it.
fn every_30_s(builder: &mut ConfigBuilder, style: HeartbeatStyle) {
    builder.heartbeat.style = style;
    builder.heartbeat.interval = seconds(30);
    // A connection is asked for proof of life at this time, if it has given none: with the first
    // ping, lest one goes out of turn.
    builder.retry.stable_after = seconds(30);
}

impl Config {
    /// The preset of that name: `manager`, `idle-watch`, `realtime`, `client`, `basics`, `socket-io`,
    /// `event-source` or `scripts`.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        Some(match name {
            "manager" => Self::manager(),
            "idle-watch" => Self::idle_watch(),
            "realtime" => Self::realtime(),
            "client" => Self::client(),
            "basics" => Self::basics(),
            "socket-io" => Self::socket_io(),
            "event-source" => Self::event_source(),
            "scripts" => Self::scripts(),
            _ => return None,
        })
    }

    /// A connection manager: `{"type":"ping"}` every 30 s, 10 reconnects 3 s apart.
    #[must_use]
    pub fn manager() -> Self {
        let mut builder = Self::builder();
        back_after(&mut builder, 3);
        builder.retry.max_retries = Some(10);
        every_30_s(&mut builder, HeartbeatStyle::Application);
        builder.dialect = DialectConfig::Json(json_heartbeat("ping", false));
        Self::known(builder)
    }

    /// An idle watch: the text `ping` after 10 s of quiet, dead after 10 s more, back after 4 s.
    #[must_use]
    pub fn idle_watch() -> Self {
        let mut builder = Self::builder();
        back_after(&mut builder, 4);
        builder.heartbeat.style = HeartbeatStyle::Application;
        builder.heartbeat.interval = seconds(10);
        builder.heartbeat.deadline = seconds(10);
        builder.heartbeat.quiet_only = true;
        builder.dialect = DialectConfig::text();
        Self::known(builder)
    }

    /// A realtime system: `{"type":"heartbeat","timestamp":ms}` every 30 s, and a protocol ping, which
    /// is what must be answered; 5 reconnects with exponential delays from 1 s; the first connect fails
    /// fast; to send while down is an error, [`NotOpen`](crate::Rejected::NotOpen), and what is under
    /// way when the connection is lost is not sent again; a text that is not JSON comes with a
    /// [warning](crate::Warning::Unreadable).
    #[must_use]
    pub fn realtime() -> Self {
        let mut builder = Self::builder();
        builder.connect.fail_fast = true;
        builder.retry.backoff = Backoff::Exponential { base: seconds(1), factor_percent: 200 };
        builder.retry.max_retries = Some(5);
        every_30_s(&mut builder, HeartbeatStyle::Both);
        builder.outbox.class = Class::Volatile;
        builder.outbox.while_down = WhileDown::Refuse;
        let dialect = JsonConfig { warn_unreadable: true, ..json_heartbeat("heartbeat", true) };
        builder.dialect = DialectConfig::Json(dialect);
        Self::known(builder)
    }

    /// A queueing client: `{"type":"ping"}` every 30 s, and a protocol ping, which is what must be
    /// answered; 5 reconnects 5 s apart; messages queued while offline; 5 s for an acknowledgement,
    /// where the dialect is changed to one that has them.
    #[must_use]
    pub fn client() -> Self {
        let mut builder = Self::builder();
        back_after(&mut builder, 5);
        builder.retry.max_retries = Some(5);
        every_30_s(&mut builder, HeartbeatStyle::Both);
        builder.outbox.ack_timeout = seconds(5);
        builder.dialect = DialectConfig::Json(json_heartbeat("ping", false));
        Self::known(builder)
    }

    /// The basics: the text `ping` every 5 s, and a protocol ping, which is what must be answered; back
    /// 3 s after a close.
    #[must_use]
    pub fn basics() -> Self {
        let mut builder = Self::builder();
        back_after(&mut builder, 3);
        builder.heartbeat.style = HeartbeatStyle::Both;
        builder.heartbeat.interval = seconds(5);
        builder.dialect = DialectConfig::text();
        Self::known(builder)
    }

    /// A Socket.IO client: events both ways, the server pings every 25 s and is dead 20 s after it
    /// should have, 5 reconnects with exponential delays from 1 s to 5 s.
    ///
    /// The delays are jittered evenly between half of each and the whole, so that they stay below
    /// those of the usual client, which spreads them from half to one and a half, up to 5 s. Where the
    /// server's `pingInterval` and `pingTimeout` are not its defaults, `heartbeat.interval` and
    /// `heartbeat.deadline` have to say so.
    #[must_use]
    pub fn socket_io() -> Self {
        let mut builder = Self::builder();
        builder.retry.backoff = Backoff::Exponential { base: seconds(1), factor_percent: 200 };
        builder.retry.cap = seconds(5);
        builder.retry.jitter = Jitter::Equal;
        builder.retry.max_retries = Some(5);
        builder.heartbeat.style = HeartbeatStyle::Server;
        builder.heartbeat.interval = seconds(25);
        builder.heartbeat.deadline = seconds(20);
        builder.dialect = DialectConfig::SocketIo(SocketIoConfig::default());
        Self::known(builder)
    }

    /// An event source: nothing is sent, not even a ping; back after 3 s, for ever.
    ///
    /// A dead link goes unnoticed. Where the server sends a comment or an event every so often, style
    /// `server` with that interval finds it.
    #[must_use]
    pub fn event_source() -> Self {
        let mut builder = Self::builder();
        back_after(&mut builder, 3);
        builder.heartbeat.style = HeartbeatStyle::Off;
        builder.dialect = DialectConfig::EventStream(EventStreamConfig::default());
        Self::known(builder)
    }

    /// For scripts and pipes: the defaults, with back-pressure instead of rejection.
    #[must_use]
    pub fn scripts() -> Self {
        let mut builder = Self::builder();
        builder.outbox.overflow = Overflow::Wait;
        Self::known(builder)
    }

    /// Builds a preset; a test builds each, so that none falls back to the defaults.
    fn known(builder: ConfigBuilder) -> Self {
        builder.build().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_with_json_write_messages_as_they_are() {
        for (preset, word, stamped) in [
            (Config::manager(), "ping", false),
            (Config::realtime(), "heartbeat", true),
            (Config::client(), "ping", false),
        ] {
            let DialectConfig::Json(json) = &preset.dialect else {
                panic!("{:?}", preset.dialect);
            };
            assert_eq!((json.envelope, json.acks, json.acknowledge), (false, false, false));
            assert_eq!(json.warn_unreadable, word == "heartbeat");
            let heartbeat = HeartbeatFrames::Json {
                ping: String::from(word),
                pong: String::from("pong"),
                timestamp: stamped,
            };
            assert_eq!(json.heartbeat, heartbeat);
        }
    }

    #[test]
    fn presets_retry_and_ask_as_they_say() {
        let every = |config: &Config| config.heartbeat.interval.as_secs();
        let constant = |seconds| Backoff::Constant { base: Duration::from_secs(seconds) };
        let (manager, idle) = (Config::manager(), Config::idle_watch());
        assert_eq!((every(&manager), manager.retry.max_retries), (30, Some(10)));
        assert_eq!((&manager.retry.backoff, manager.retry.jitter), (&constant(3), Jitter::None));
        assert_eq!((every(&idle), idle.heartbeat.deadline), (10, seconds(10)));
        assert_eq!((&idle.retry.backoff, idle.retry.jitter), (&constant(4), Jitter::None));
        assert!(idle.heartbeat.quiet_only);
        let (realtime, client) = (Config::realtime(), Config::client());
        assert!(realtime.connect.fail_fast);
        assert_eq!((realtime.retry.jitter, realtime.outbox.class), (Jitter::Full, Class::Volatile));
        assert_eq!(realtime.outbox.while_down, WhileDown::Refuse);
        assert_eq!((every(&realtime), realtime.retry.max_retries), (30, Some(5)));
        assert_eq!((every(&client), client.retry.max_retries), (30, Some(5)));
        assert_eq!((&client.retry.backoff, client.retry.jitter), (&constant(5), Jitter::None));
        let (basics, scripts) = (Config::basics(), Config::scripts());
        assert_eq!((every(&basics), &basics.retry.backoff), (5, &constant(3)));
        assert_eq!((&basics.dialect, basics.retry.jitter), (&DialectConfig::text(), Jitter::None));
        assert_eq!(scripts.outbox.overflow, Overflow::Wait);
        let (socket_io, source) = (Config::socket_io(), Config::event_source());
        let grows = Backoff::Exponential { base: seconds(1), factor_percent: 200 };
        assert_eq!((&socket_io.retry.backoff, socket_io.retry.jitter), (&grows, Jitter::Equal));
        assert_eq!((socket_io.retry.cap, socket_io.retry.max_retries), (seconds(5), Some(5)));
        assert_eq!((every(&socket_io), socket_io.heartbeat.deadline), (25, seconds(20)));
        assert_eq!(socket_io.heartbeat.style, HeartbeatStyle::Server);
        assert_eq!((&source.retry.backoff, source.retry.jitter), (&constant(3), Jitter::None));
        assert_eq!(
            (source.heartbeat.style, source.retry.max_attempts),
            (HeartbeatStyle::Off, None)
        );
        assert_eq!(source.heartbeat.stale_after, None);
    }

    #[test]
    fn a_ping_must_be_answered_where_the_server_is_known_to_do_so() {
        for (preset, style) in [
            (Config::manager(), HeartbeatStyle::Application),
            (Config::idle_watch(), HeartbeatStyle::Application),
            (Config::realtime(), HeartbeatStyle::Both),
            (Config::client(), HeartbeatStyle::Both),
            (Config::basics(), HeartbeatStyle::Both),
        ] {
            assert_eq!(preset.heartbeat.style, style);
        }
    }

    #[test]
    fn every_preset_is_valid_and_its_own() {
        let names = [
            "manager",
            "idle-watch",
            "realtime",
            "client",
            "basics",
            "socket-io",
            "event-source",
            "scripts",
        ];
        for name in names {
            let config = Config::preset(name).expect("the preset exists");
            assert_ne!(config, Config::default(), "{name} was refused");
        }
        assert_eq!(Config::preset("nonesuch"), None);
    }
}
