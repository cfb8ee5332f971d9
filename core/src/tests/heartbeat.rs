//! Who pings when, what silence means, and what only data can prove.

use crate::testing::{Harness, ms, secs, text};
use crate::{
    Action, Capabilities, Class, Config, DialectConfig, Duration, Event, Frame, HeartbeatFrames,
    HeartbeatStyle, JsonConfig, Notice, State,
};

/// Every 10 s a ping, then 4 s for an answer. Never stable, so that no further ping asks for that.
fn beating(config: &mut crate::ConfigBuilder) {
    config.heartbeat.interval = secs(10);
    config.heartbeat.deadline = secs(4);
    config.retry.stable_after = secs(86_400);
}

fn rtts(harness: &Harness) -> alloc::vec::Vec<Duration> {
    let pongs = harness.notices.iter().filter_map(|notice| match notice {
        Notice::Pong { rtt } => Some(*rtt),
        _ => None,
    });
    pongs.collect()
}

#[test]
fn a_ping_goes_out_every_interval_while_it_is_answered() {
    let mut harness = Harness::open_with(beating);
    harness.advance(secs(45));
    assert_eq!(harness.pings(), [10_000, 20_000, 30_000, 40_000]);
    assert_eq!(harness.dead(), None);
    assert_eq!(rtts(&harness).len(), 4);
}

#[test]
fn silence_after_a_ping_is_death_at_the_deadline_and_not_before() {
    let mut harness = Harness::open_with(beating);
    harness.pongs = false;
    harness.advance(ms(13_999));
    assert_eq!((harness.dead(), harness.connection.state()), (None, State::Open));
    harness.advance(ms(1));
    assert_eq!(harness.dead(), Some(("pong", 14_000)));
    assert_eq!(harness.aborts, [1]);
    assert_eq!(harness.phase(), "waiting");
}

#[test]
fn misses_are_tolerated_and_no_more() {
    for misses in [0, 1, 2, 5] {
        let mut harness = Harness::open_with(|config| {
            beating(config);
            config.heartbeat.misses = misses;
        });
        harness.pongs = false;
        let bound = secs(10) * (1 + misses) + secs(4);
        harness.advance(bound - ms(1));
        assert_eq!(harness.dead(), None, "{misses}");
        assert_eq!(harness.pings().len(), 1 + misses as usize);
        harness.advance(ms(1));
        assert!(harness.dead().is_some(), "{misses}");
    }
}

#[test]
fn a_link_is_found_dead_in_time_wherever_the_last_byte_falls() {
    for style in [HeartbeatStyle::Protocol, HeartbeatStyle::Application, HeartbeatStyle::Server] {
        for quiet_only in [false, true] {
            for misses in [0, 2] {
                let step = if cfg!(miri) { 17_777 } else { 1_777 };
                for last in (0..30_000).step_by(step) {
                    let mut harness = Harness::open_with(|config| {
                        config.heartbeat.interval = secs(10);
                        config.heartbeat.deadline = secs(4);
                        config.heartbeat.misses = misses;
                        config.heartbeat.quiet_only = quiet_only;
                        config.heartbeat.style = style;
                        config.dialect = DialectConfig::text();
                    });
                    harness.pongs = false;
                    let mut heard = 0;
                    while heard + 1_777 <= last {
                        harness.advance(ms(1_777));
                        harness.hear();
                        heard += 1_777;
                    }
                    let bound = secs(10) * (1 + misses) + secs(4);
                    harness.advance(bound);
                    let case = (style, quiet_only, misses, last);
                    assert!(harness.dead().is_some(), "not found dead: {case:?}");
                    let least = if style == HeartbeatStyle::Server { bound } else { secs(4) };
                    let silence = ms(harness.dead().expect("checked").1);
                    assert!(silence >= least && silence <= bound, "{case:?} {silence:?}");
                }
            }
        }
    }
}

#[test]
fn any_inbound_byte_proves_life() {
    for proof in 0..4 {
        let mut harness = Harness::open_with(beating);
        harness.pongs = false;
        harness.advance(secs(13));
        match proof {
            0 => harness.hear(),
            1 => harness.receive(text("data")),
            2 => harness.receive(Frame::Pong(crate::Bytes::from_static(b"unasked"))),
            _ => harness.receive(Frame::Ping(crate::Bytes::new())),
        }
        harness.advance(secs(10));
        assert_eq!(harness.dead(), None, "{proof}");
        harness.advance(secs(1));
        assert_eq!(harness.dead(), Some(("pong", 11_000)), "{proof}");
    }
}

#[test]
fn sending_proves_nothing_and_postpones_nothing() {
    let mut harness = Harness::open_with(beating);
    harness.pongs = false;
    for _ in 0..139 {
        harness.send("busy");
        harness.advance(ms(100));
    }
    assert_eq!(harness.pings(), [10_000]);
    assert_eq!(harness.dead(), None);
    harness.send("busy");
    harness.advance(ms(100));
    assert_eq!(harness.dead(), Some(("pong", 14_000)));
}

#[test]
fn a_ping_overtakes_data_that_waits_for_credit() {
    let mut harness = Harness::open_with(|config| {
        beating(config);
        config.outbox.write_credit = 10;
    });
    harness.flushes = false;
    for _ in 0..10 {
        harness.send("0123456789");
    }
    harness.advance(secs(10));
    assert_eq!(harness.pings(), [10_000], "behind {} messages", harness.connection.status().queued);
}

#[test]
fn busy_receiving_does_not_postpone_the_ping() {
    let mut harness = Harness::open_with(beating);
    for _ in 0..250 {
        harness.receive(text("tick"));
        harness.advance(ms(100));
    }
    assert_eq!(harness.pings(), [10_000, 20_000]);
}

#[test]
fn quiet_only_pings_after_an_interval_of_silence() {
    let mut harness = Harness::open_with(|config| {
        beating(config);
        config.heartbeat.quiet_only = true;
    });
    for _ in 0..50 {
        harness.advance(secs(1));
        harness.hear();
    }
    assert!(harness.pings().is_empty());
    harness.pongs = false;
    harness.advance(ms(9_999));
    assert!(harness.pings().is_empty());
    harness.advance(ms(1));
    assert_eq!(harness.pings(), [60_000]);
    harness.advance(secs(4));
    assert_eq!(harness.dead(), Some(("pong", 14_000)));
}

#[test]
fn the_round_trip_is_taken_from_the_matching_pong() {
    let mut harness = Harness::open_with(|config| {
        beating(config);
        config.heartbeat.deadline = secs(60);
    });
    harness.pongs = false;
    harness.advance(secs(10));
    let first = harness.last_ping();
    harness.advance(secs(10));
    let second = harness.last_ping();
    assert_ne!(first, second);
    harness.advance(ms(250));
    harness.receive(Frame::Pong(crate::Bytes::from_static(b"12345678")));
    assert!(rtts(&harness).is_empty(), "a pong nobody asked for");
    harness.receive(Frame::Pong(second.clone()));
    assert_eq!(rtts(&harness), [ms(250)]);
    assert_eq!(harness.connection.status().rtt, Some(ms(250)));
    harness.receive(Frame::Pong(first));
    assert_eq!(rtts(&harness)[1..], [ms(10_250)]);
    harness.receive(Frame::Pong(second));
    assert_eq!(rtts(&harness).len(), 2, "the same pong twice");
}

#[test]
fn a_pong_that_comes_before_its_ping_went_out_is_none() {
    let mut harness = Harness::open_with(beating);
    let due = harness.now + secs(10);
    let transport = harness.transport();
    assert!(harness.connection.handle(due, Event::Tick).is_ok());
    let Action::Write { frame: Frame::Ping(nonce), .. } = harness.connection.clone().poll() else {
        panic!("a ping is due");
    };
    let answer = Event::Received { transport, frame: Frame::Pong(nonce) };
    assert!(harness.connection.handle(due, answer.clone()).is_ok());
    assert_eq!(harness.connection.status().rtt, None, "guessed");
    assert!(matches!(harness.connection.poll(), Action::Write { .. }));
    assert!(harness.connection.handle(due + ms(5), answer).is_ok());
    assert_eq!(harness.connection.status().rtt, Some(ms(5)));
}

#[test]
fn a_ping_that_finds_no_room_is_answered_by_nothing() {
    let mut harness = Harness::new(|config| {
        beating(config);
        config.heartbeat.misses = 5;
        config.heartbeat.style = HeartbeatStyle::Application;
        config.dialect =
            DialectConfig::Json(JsonConfig { acknowledge: true, ..JsonConfig::default() });
    });
    harness.flushes = false;
    harness.open();
    harness.advance(secs(10));
    for id in 0..64 + 256 {
        harness.receive_text(&alloc::format!("{{\"id\":{id}}}"));
    }
    harness.advance(secs(10));
    for _ in 0..6 {
        harness.flush(u64::MAX);
    }
    harness.receive_text(r#"{"type":"pong"}"#);
    assert_eq!(rtts(&harness), [secs(10)], "the first ping went out");
    harness.receive_text(r#"{"type":"pong"}"#);
    assert_eq!(rtts(&harness).len(), 1, "the second did not");
    harness.advance(secs(10));
    harness.advance(ms(5));
    harness.receive_text(r#"{"type":"pong"}"#);
    assert_eq!(rtts(&harness)[1..], [ms(5)], "the third did");
}

#[test]
fn a_pong_of_an_earlier_transport_measures_nothing() {
    let mut harness = Harness::open_with(beating);
    harness.pongs = false;
    harness.advance(secs(10));
    let old = harness.last_ping();
    harness.reset();
    harness.reopen();
    assert_eq!(harness.connection.status().rtt, None);
    harness.receive(Frame::Pong(old));
    assert!(rtts(&harness).is_empty());
}

#[test]
fn the_dialects_own_heartbeats_go_out_are_answered_and_are_not_messages() {
    let json = |heartbeat| DialectConfig::Json(JsonConfig { heartbeat, ..JsonConfig::default() });
    let literals = HeartbeatFrames::Literals { ping: "2".into(), pong: "3".into() };
    let stamped =
        HeartbeatFrames::Json { ping: "heartbeat".into(), pong: "beat".into(), timestamp: true };
    for (dialect, ping, pong, theirs) in [
        (DialectConfig::text(), "ping", "pong", "ping"),
        (DialectConfig::Text { ping: "2".into(), pong: "3".into() }, "2", "3", "2"),
        (
            DialectConfig::Json(JsonConfig::default()),
            r#"{"type":"ping"}"#,
            r#"{"type":"pong"}"#,
            r#"{"type":"ping","n":1}"#,
        ),
        (json(literals), "2", "3", "2"),
        (
            json(stamped),
            r#"{"type":"heartbeat","timestamp":1700000011000}"#,
            r#"{"type":"beat"}"#,
            r#"{"type":"heartbeat"}"#,
        ),
    ] {
        let mut harness = Harness::open_with(|config| {
            beating(config);
            config.wall_clock_origin_ms = 1_700_000_000_000;
            config.heartbeat.style = HeartbeatStyle::Application;
            config.dialect = dialect;
        });
        harness.advance(secs(10));
        assert_eq!(harness.take_texts(), [ping]);
        harness.advance(secs(3));
        harness.receive_text(pong);
        assert_eq!(rtts(&harness), [secs(3)]);
        harness.receive_text(theirs);
        assert_eq!(harness.take_texts(), [pong]);
        assert!(harness.messages().is_empty());
        assert_eq!(harness.counters().received, 0);
        harness.advance(secs(11));
        assert_eq!(harness.dead(), Some(("pong", 11_000)));
    }
}

#[test]
fn heartbeats_of_the_dialect_end_no_message_and_use_no_id() {
    let mut harness = Harness::open_with(|config| {
        beating(config);
        config.heartbeat.style = HeartbeatStyle::Application;
        config.dialect = DialectConfig::Json(JsonConfig::default());
    });
    harness.advance(secs(10));
    harness.receive_text(r#"{"type":"pong"}"#);
    harness.send("\"hi\"");
    assert_eq!(harness.fates(), ["1 flushed"]);
    let texts = harness.take_texts();
    assert_eq!(texts[1], r#"{"id":1,"data":"hi","timestamp":11000}"#);
    assert_eq!(harness.counters().accepted, 1);
}

#[test]
fn a_server_that_pings_is_watched_for_silence_and_never_pinged() {
    let mut harness = Harness::open_with(|config| {
        beating(config);
        config.heartbeat.style = HeartbeatStyle::Server;
    });
    for _ in 0..5 {
        harness.advance(secs(10));
        harness.receive(Frame::Ping(crate::Bytes::from_static(b"s")));
    }
    harness.advance(ms(13_999));
    assert!(harness.pings().is_empty());
    assert_eq!(harness.dead(), None);
    harness.advance(ms(1));
    assert_eq!(harness.dead(), Some(("pong", 14_000)));
}

#[test]
fn a_server_that_never_pings_is_dead_from_the_opening_on() {
    let mut harness = Harness::open_with(|config| {
        beating(config);
        config.heartbeat.style = HeartbeatStyle::Server;
        config.heartbeat.misses = 1;
    });
    harness.advance(ms(23_999));
    assert_eq!(harness.dead(), None);
    harness.advance(ms(1));
    assert_eq!(harness.dead(), Some(("pong", 24_000)));
}

#[test]
fn with_the_heartbeat_off_nothing_is_asked_and_silence_means_nothing() {
    let mut harness = Harness::open_with(|config| {
        config.heartbeat.style = HeartbeatStyle::Off;
    });
    harness.advance(secs(86_400));
    assert_eq!((harness.writes.len(), harness.dead()), (0, None));
    assert_eq!(harness.wait, None, "nothing is left to wait for");
}

#[test]
fn pings_of_the_peer_are_answered_unless_the_transport_does_so() {
    let ping = Frame::Ping(crate::Bytes::from_static(b"hello"));
    let mut harness = Harness::open_with(beating);
    harness.receive(ping.clone());
    assert!(harness.writes.is_empty());
    let mut harness = Harness::new(beating);
    harness.capabilities = Capabilities { answers_pings: false, ..Capabilities::SOCKET };
    harness.open();
    harness.receive(ping);
    assert_eq!(harness.take_frames(), [Frame::Pong(crate::Bytes::from_static(b"hello"))]);
}

#[test]
fn a_stale_feed_on_a_live_link_is_given_up() {
    let mut harness = Harness::open_with(|config| {
        beating(config);
        config.heartbeat.stale_after = Some(secs(60));
        config.dialect = DialectConfig::text();
    });
    harness.advance(secs(50));
    harness.receive(text("data"));
    harness.advance(secs(50));
    // Heartbeats are no data.
    harness.receive(text("ping"));
    harness.receive(text("pong"));
    harness.receive(Frame::Ping(crate::Bytes::new()));
    harness.hear();
    harness.advance(ms(9_999));
    assert_eq!(harness.dead(), None);
    harness.advance(ms(1));
    assert_eq!(harness.dead(), Some(("stale", 60_000)), "the silence is the data's");
    assert_eq!(harness.phase(), "waiting");
    harness.reopen();
    harness.advance(secs(59));
    assert_eq!(harness.connection.state(), State::Open, "the new feed has its whole time");
}

#[test]
fn acknowledgements_are_no_data_either_and_duplicates_are() {
    let mut harness = Harness::open_acks(|config| {
        beating(config);
        config.heartbeat.stale_after = Some(secs(60));
    });
    harness.receive_text(r#"{"id":9,"data":1}"#);
    harness.send("1");
    harness.advance(secs(40));
    harness.receive_text(r#"{"ack":1}"#);
    harness.advance(secs(20));
    assert_eq!(harness.dead().map(|dead| dead.0), Some("stale"));
}

#[test]
fn a_dead_link_takes_no_more_messages() {
    let mut harness = Harness::open_with(beating);
    harness.pongs = false;
    harness.advance(secs(10));
    harness.take_frames();
    // The driver is late, but not by so much that the clock jumped.
    harness.oversleep(secs(5));
    harness.send_as("late", Class::Queued);
    assert_eq!(harness.dead(), Some(("pong", 15_000)));
    assert!(harness.take_frames().is_empty());
    harness.send_as("never", Class::Volatile);
    assert_eq!(harness.fates(), ["2 dropped NotOpen"]);
    harness.reopen();
    assert_eq!(harness.take_texts(), ["late"]);
}

#[test]
fn a_byte_that_came_before_the_late_tick_saves_the_link() {
    let mut harness = Harness::open_with(beating);
    harness.pongs = false;
    harness.advance(secs(10));
    harness.oversleep(secs(5));
    harness.hear();
    assert_eq!(harness.dead(), None);
    harness.oversleep(secs(4));
    harness.receive(text("x"));
    assert_eq!((harness.dead(), harness.messages().len()), (None, 1));
}

#[test]
fn data_that_came_before_the_late_tick_saves_the_feed() {
    let mut harness = Harness::open_with(|config| {
        beating(config);
        config.heartbeat.stale_after = Some(secs(5));
    });
    harness.oversleep(secs(6));
    harness.receive(text("data"));
    assert_eq!(harness.messages().len(), 1, "a message was received and lost");
    assert_eq!(harness.dead(), None);
}

#[test]
fn liveness_starts_anew_with_each_transport_and_rests_without_one() {
    let mut harness = Harness::open_with(beating);
    harness.advance(secs(9));
    harness.reset();
    harness.advance(secs(1));
    let pings = harness.pings().len();
    harness.advance(secs(5));
    harness.open();
    harness.advance(ms(9_999));
    assert_eq!(harness.pings().len(), pings);
    harness.advance(ms(1));
    assert_eq!(harness.pings().len(), pings + 1);
}

#[test]
fn every_preset_with_pings_finds_a_dead_link() {
    for name in ["manager", "idle-watch", "realtime", "client", "basics", "scripts"] {
        let config = Config::preset(name).expect("it exists");
        let heartbeat = config.heartbeat.clone();
        let dialect = crate::BuiltIn::new(&config.dialect);
        let mut harness = Harness::with_dialect(config, dialect, 3);
        harness.open();
        harness.pongs = false;
        harness.advance(heartbeat.interval * (1 + heartbeat.misses) + heartbeat.deadline);
        assert!(harness.dead().is_some(), "{name}");
    }
}

#[test]
fn a_heard_event_of_a_transport_that_only_dials_is_stale() {
    let mut harness = Harness::new(beating);
    harness.stale(Event::Heard { transport: harness.transport() });
}
