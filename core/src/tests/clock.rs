//! Odd clocks: backwards, late, and asleep.

use crate::testing::{Harness, ms, secs, text};
use crate::{
    Capabilities, DialectConfig, Event, Frame, HeartbeatStyle, Instant, Notice, State, Timer,
    Warning,
};

/// Every 10 s a ping, then 8 s for an answer; a jump is 5 s, the probe has 3 s.
fn beating(config: &mut crate::ConfigBuilder) {
    config.heartbeat.interval = secs(10);
    config.heartbeat.deadline = secs(8);
    config.retry.stable_after = secs(86_400);
}

fn warnings(harness: &Harness) -> alloc::vec::Vec<Warning> {
    let warnings = harness.notices.iter().filter_map(|notice| match notice {
        Notice::Warning(warning) => Some(warning.clone()),
        _ => None,
    });
    warnings.collect()
}

#[test]
fn time_that_goes_backwards_is_held_and_counted() {
    let mut harness = Harness::open_with(beating);
    harness.advance(secs(5));
    harness.tick();
    let wait = harness.wait;
    let there = harness.now;
    harness.now = Instant::from_millis(2_000);
    harness.tick();
    assert_eq!(harness.counters().clock_backwards, 1);
    assert_eq!(warnings(&harness), [Warning::ClockBackwards { by: secs(4) }]);
    assert_eq!(harness.wait, wait, "no deadline moved");
    harness.send("sent in the past");
    assert_eq!(harness.fates(), ["1 flushed"]);
    harness.now = there;
    harness.advance(secs(5));
    assert_eq!(harness.pings(), [10_000]);
}

#[test]
fn deadlines_armed_while_time_is_held_count_from_the_held_time() {
    let mut harness = Harness::open_with(beating);
    harness.advance(secs(9));
    harness.tick();
    harness.now = Instant::ZERO;
    harness.reset();
    assert_eq!(harness.wait, Some((Instant::from_millis(11_000), Timer::Retry)));
}

#[test]
fn a_clock_that_runs_backwards_after_the_end_says_nothing() {
    let mut harness = Harness::new(|_| {});
    harness.close();
    harness.now = Instant::ZERO;
    // The harness panics at a notice after the end.
    harness.tick();
    assert_eq!(harness.counters().clock_backwards, 1);
}

#[test]
fn an_early_tick_does_nothing() {
    let mut harness = Harness::open_with(beating);
    harness.take_notices();
    for _ in 0..9 {
        harness.oversleep(secs(1));
        let before = harness.connection.clone();
        harness.tick();
        assert!(harness.notices.is_empty() && harness.writes.is_empty());
        assert_eq!(harness.connection.status(), before.status());
    }
}

#[test]
fn a_late_timer_fires_once_and_is_armed_anew_from_now() {
    let mut harness = Harness::open_with(|config| {
        beating(config);
        config.clock.jump = secs(3_600);
        config.heartbeat.deadline = secs(3_600);
    });
    harness.oversleep(secs(95));
    harness.tick();
    assert_eq!(harness.pings(), [95_000], "nine intervals passed, and one ping went out");
    harness.advance(ms(9_999));
    assert_eq!(harness.pings().len(), 1);
    harness.advance(ms(1));
    assert_eq!(harness.pings(), [95_000, 105_000]);
}

#[test]
fn after_a_late_tick_the_next_deadline_is_later() {
    for late in [0, 1, 4_999, 5_001, 60_000, 10_000_000] {
        let mut harness = Harness::open_with(|config| {
            beating(config);
            config.retry.stable_after = secs(10);
            config.heartbeat.stale_after = Some(secs(10));
            config.outbox.ttl = Some(secs(10));
        });
        harness.flushes = false;
        harness.pongs = false;
        harness.send("x");
        harness.oversleep(secs(10) + ms(late));
        harness.tick();
        assert!(harness.wait.is_none_or(|(until, _)| until > harness.now), "{late}");
        assert!(harness.pings().len() <= 1, "{late}");
    }
}

#[test]
fn a_jump_while_open_asks_the_peer_and_a_good_peer_is_kept() {
    let mut harness = Harness::open_with(beating);
    harness.oversleep(secs(3_600));
    harness.tick();
    assert_eq!(harness.counters().clock_jumps, 1);
    assert_eq!(warnings(&harness), [Warning::ClockJump { late: secs(3_590) }]);
    assert_eq!(harness.pings(), [3_600_000]);
    harness.advance(secs(9));
    assert_eq!((harness.dead(), harness.connection.state()), (None, State::Open));
    assert!(harness.aborts.is_empty());
}

#[test]
fn a_peer_that_does_not_answer_the_probe_is_dead_soon() {
    let mut harness = Harness::open_with(beating);
    harness.pongs = false;
    harness.oversleep(secs(3_600));
    harness.tick();
    harness.advance(ms(2_999));
    assert_eq!(harness.dead(), None);
    harness.advance(ms(1));
    assert_eq!(harness.dead(), Some(("probe", 3_603_000)));
}

#[test]
fn only_its_own_pong_satisfies_the_probe() {
    let mut harness = Harness::open_with(beating);
    harness.pongs = false;
    harness.advance(secs(10));
    let old = harness.last_ping();
    harness.oversleep(secs(60));
    harness.tick();
    let own = harness.last_ping();
    harness.advance(secs(2));
    harness.receive(text("data from before the sleep"));
    harness.hear();
    harness.receive(Frame::Pong(old));
    harness.receive(Frame::Pong(crate::Bytes::new()));
    let mut saved = harness.connection.clone();
    harness.advance(secs(1));
    assert_eq!(harness.dead().map(|dead| dead.0), Some("probe"));
    // The same with its own.
    let at = harness.now;
    let transport = harness.transport();
    let answer = Event::Received { transport, frame: Frame::Pong(own) };
    let at = Instant::from_nanos(at.as_nanos() - 1);
    assert!(saved.handle(at, answer).is_ok());
    assert!(saved.handle(at + secs(4), Event::Tick).is_ok());
    assert_eq!(saved.state(), State::Open);
}

#[test]
fn messages_wait_for_the_answer_to_a_probe() {
    let mut harness = Harness::open_with(beating);
    harness.pongs = false;
    harness.oversleep(secs(60));
    harness.send("into the unknown");
    let probe = harness.last_ping();
    assert!(harness.take_texts().is_empty(), "the link may be dead");
    let mut dead = harness.connection.clone();
    harness.receive(Frame::Pong(probe));
    assert_eq!(harness.take_texts(), ["into the unknown"]);
    // Had it not been answered, the message would still be there for the next transport.
    let at = harness.now + secs(4);
    assert!(dead.handle(at, Event::Tick).is_ok());
    assert_eq!(dead.state(), State::Reconnecting);
    assert_eq!((dead.status().queued, dead.counters().uncertain), (1, 0));
}

#[test]
fn the_probes_own_pong_counts_even_if_the_driver_reports_it_late() {
    let mut harness = Harness::open_with(beating);
    harness.pongs = false;
    harness.oversleep(secs(60));
    harness.tick();
    let own = harness.last_ping();
    harness.oversleep(secs(4));
    harness.receive(Frame::Pong(own));
    assert_eq!(harness.dead(), None, "called dead for want of the pong it just gave");
}

#[test]
fn the_probe_goes_out_as_the_heartbeat_does() {
    let mut harness = Harness::new(|config| {
        beating(config);
        config.heartbeat.style = HeartbeatStyle::Application;
        config.dialect = DialectConfig::text();
    });
    harness.open();
    harness.oversleep(secs(60));
    harness.tick();
    assert_eq!(harness.take_texts(), ["ping"]);
    harness.receive(text("data"));
    harness.advance(secs(2));
    harness.receive(text("pong"));
    harness.advance(secs(7));
    assert_eq!(harness.dead(), None);
    harness.oversleep(secs(60));
    harness.tick();
    harness.receive(text("data"));
    harness.advance(secs(3));
    assert_eq!(harness.dead().map(|dead| dead.0), Some("probe"));
}

#[test]
fn a_server_that_pings_is_probed_where_the_transport_can() {
    let server = |config: &mut crate::ConfigBuilder| {
        beating(config);
        config.heartbeat.style = HeartbeatStyle::Server;
    };
    let mut harness = Harness::open_with(server);
    harness.pongs = false;
    harness.oversleep(secs(60));
    harness.tick();
    assert_eq!(harness.pings(), [60_000]);
    harness.hear();
    harness.advance(secs(3));
    assert_eq!(harness.dead().map(|dead| dead.0), Some("probe"));
    // Where it cannot, the server gets its whole time again.
    let mut harness = Harness::new(server);
    harness.capabilities = Capabilities { protocol_ping: false, ..Capabilities::SOCKET };
    harness.open();
    harness.oversleep(secs(60));
    harness.tick();
    assert!(harness.writes.is_empty());
    harness.advance(ms(17_999));
    assert_eq!(harness.dead(), None);
    harness.advance(ms(1));
    assert_eq!(harness.dead().map(|dead| dead.0), Some("pong"));
}

#[test]
fn an_answer_to_the_probe_during_the_close_starts_nothing_anew() {
    let mut harness = Harness::open_with(|config| {
        beating(config);
        config.heartbeat.style = HeartbeatStyle::Server;
        config.close.timeout = secs(60);
    });
    harness.pongs = false;
    harness.oversleep(secs(60));
    harness.tick();
    harness.close();
    harness.receive(Frame::Pong(harness.last_ping()));
    harness.advance(secs(59));
    assert_eq!((harness.dead(), harness.phase()), (None, "closing"));
}

#[test]
fn lateness_up_to_the_threshold_is_no_jump() {
    let mut harness = Harness::open_with(beating);
    harness.oversleep(secs(15));
    harness.tick();
    assert_eq!(harness.counters().clock_jumps, 0);
    let mut harness = Harness::open_with(beating);
    harness.oversleep(secs(15) + ms(1));
    harness.tick();
    assert_eq!(harness.counters().clock_jumps, 1);
}

#[test]
fn a_jump_found_by_a_command_or_a_frame_is_a_jump_too() {
    for event in 0..3 {
        let mut harness = Harness::open_with(beating);
        harness.pongs = false;
        harness.oversleep(secs(60));
        match event {
            0 => drop(harness.send("x")),
            1 => harness.receive(text("x")),
            _ => harness.hear(),
        }
        assert_eq!(harness.counters().clock_jumps, 1, "{event}");
        assert!(matches!(harness.writes[0].frame, Frame::Ping(_)), "the probe goes first");
        harness.advance(secs(3));
        assert_eq!(harness.dead().map(|dead| dead.0), Some("probe"), "{event}");
    }
}

#[test]
fn the_deadline_of_the_ping_is_forgiven_after_a_jump_and_the_feeds_too() {
    let mut harness = Harness::open_with(|config| {
        beating(config);
        config.heartbeat.stale_after = Some(secs(15));
    });
    harness.pongs = false;
    harness.advance(secs(10));
    harness.oversleep(secs(100));
    harness.pongs = true;
    harness.tick();
    assert_eq!(harness.dead(), None);
    harness.advance(ms(14_999));
    assert_eq!(harness.dead(), None);
    harness.advance(ms(1));
    assert_eq!(harness.dead().map(|dead| dead.0), Some("stale"));
}

#[test]
fn a_second_jump_during_the_probe_probes_again() {
    let mut harness = Harness::open_with(beating);
    harness.pongs = false;
    harness.oversleep(secs(60));
    harness.tick();
    let first = harness.last_ping();
    harness.oversleep(secs(60));
    harness.tick();
    assert_eq!(harness.pings(), [60_000, 120_000]);
    harness.receive(Frame::Pong(first));
    harness.advance(secs(3));
    assert_eq!(harness.dead().map(|dead| dead.0), Some("probe"));
}

#[test]
fn a_jump_while_down_only_lets_the_retry_come() {
    let mut harness = Harness::open_with(beating);
    harness.reset();
    harness.oversleep(secs(3_600));
    harness.tick();
    assert_eq!(harness.counters().clock_jumps, 0);
    assert_eq!(harness.dials.len(), 2);
    harness.oversleep(secs(3_600));
    harness.tick();
    assert_eq!(harness.dials.len(), 2, "the hung dial has ended");
    assert_eq!(harness.phase(), "waiting");
}

#[test]
fn due_timers_act_before_commands() {
    // The lifetime has passed: too late to cancel.
    let mut harness = Harness::new(|config| config.outbox.ttl = Some(secs(1)));
    let seq = harness.send("x");
    harness.oversleep(secs(2));
    assert!(harness.handle(Event::Cancel(seq)).is_err());
    assert_eq!(harness.fates(), ["1 expired"]);
    // It passes before the transport opens.
    let mut harness = Harness::new(|config| config.outbox.ttl = Some(secs(1)));
    harness.send("x");
    harness.oversleep(secs(2));
    harness.open();
    assert_eq!((harness.fates(), harness.writes.len()), (alloc::vec!["1 expired".into()], 0));
    // The dial has timed out: it opens too late.
    let mut harness = Harness::new(|_| {});
    harness.oversleep(secs(10));
    harness.stale(Event::Opened {
        transport: harness.transport(),
        capabilities: Capabilities::SOCKET,
    });
    assert_eq!(harness.aborts, [1, 1]);
    // The outage has lasted too long: nothing to reconnect.
    let mut harness = Harness::new(|config| config.retry.max_outage = Some(secs(5)));
    harness.oversleep(secs(5));
    harness.stale(Event::Reconnect);
    harness.closed();
}

#[test]
fn the_end_of_time_is_survived() {
    let mut harness = Harness::open_with(|config| {
        beating(config);
        config.outbox.ttl = Some(secs(1));
    });
    harness.now = Instant::from_nanos(u64::MAX);
    harness.tick();
    harness.send("x");
    harness.reset();
    harness.tick();
    harness.done(Event::Reconnect);
    harness.close();
    harness.closed();
}
