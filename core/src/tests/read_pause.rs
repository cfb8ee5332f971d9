//! A slow consumer is not mistaken for a dead link.

use crate::testing::{Harness, ms, secs, text};
use crate::{Event, Frame, HeartbeatStyle, State};

fn beating(config: &mut crate::ConfigBuilder) {
    config.heartbeat.interval = secs(10);
    config.heartbeat.deadline = secs(4);
    config.retry.stable_after = secs(86_400);
}

fn paused(change: impl FnOnce(&mut crate::ConfigBuilder)) -> Harness {
    let mut harness = Harness::open_with(change);
    harness.pongs = false;
    harness.done(Event::PauseReads);
    assert!(harness.connection.status().reads_paused);
    harness
}

#[test]
fn silence_means_nothing_while_reads_are_paused() {
    for style in [HeartbeatStyle::Protocol, HeartbeatStyle::Server] {
        let mut harness = paused(|config| {
            beating(config);
            config.heartbeat.style = style;
            config.heartbeat.stale_after = Some(secs(20));
        });
        harness.advance(secs(1_000));
        assert_eq!((harness.dead(), harness.connection.state()), (None, State::Open), "{style:?}");
    }
}

#[test]
fn pings_go_out_all_the_same() {
    let mut harness = paused(beating);
    harness.advance(secs(35));
    assert_eq!(harness.pings(), [10_000, 20_000, 30_000]);
}

#[test]
fn a_deadline_that_was_running_rests_and_gets_its_whole_time_again() {
    let mut harness = Harness::open_with(beating);
    harness.pongs = false;
    harness.advance(secs(13));
    harness.done(Event::PauseReads);
    harness.advance(secs(20));
    harness.done(Event::ResumeReads);
    harness.advance(ms(3_999));
    assert_eq!(harness.dead(), None);
    harness.advance(ms(1));
    assert_eq!(harness.dead().map(|dead| dead.0), Some("pong"));
}

#[test]
fn a_server_that_pings_gets_its_whole_time_again() {
    let mut harness = paused(|config| {
        beating(config);
        config.heartbeat.style = HeartbeatStyle::Server;
    });
    harness.advance(secs(100));
    harness.done(Event::ResumeReads);
    harness.advance(ms(13_999));
    assert_eq!(harness.dead(), None);
    harness.advance(ms(1));
    assert!(harness.dead().is_some());
}

#[test]
fn the_feed_gets_its_whole_time_again() {
    let mut harness = Harness::open_with(|config| config.heartbeat.stale_after = Some(secs(30)));
    harness.advance(secs(29));
    harness.done(Event::PauseReads);
    harness.advance(secs(100));
    harness.done(Event::ResumeReads);
    harness.advance(ms(29_999));
    assert_eq!(harness.dead(), None);
    harness.advance(ms(1));
    assert_eq!(harness.dead().map(|dead| dead.0), Some("stale"));
}

#[test]
fn a_probe_rests_too() {
    let mut harness = Harness::open_with(beating);
    harness.pongs = false;
    harness.oversleep(secs(60));
    harness.tick();
    harness.done(Event::PauseReads);
    harness.advance(secs(30));
    assert_eq!(harness.dead(), None);
    harness.done(Event::ResumeReads);
    harness.receive(text("data"));
    harness.advance(secs(3));
    assert_eq!(harness.dead().map(|dead| dead.0), Some("probe"));
}

#[test]
fn a_live_peer_is_kept_when_reading_resumes() {
    let mut harness = paused(beating);
    harness.advance(secs(100));
    harness.done(Event::ResumeReads);
    let ping = harness.last_ping();
    harness.receive(Frame::Pong(ping));
    harness.pongs = true;
    harness.advance(secs(100));
    assert_eq!(harness.dead(), None);
}

#[test]
fn nothing_is_sent_again_for_want_of_an_acknowledgement_that_cannot_be_read() {
    let mut harness = Harness::open_acks(|config| config.outbox.ack_timeout = secs(3));
    harness.send("x");
    harness.take_texts();
    harness.done(Event::PauseReads);
    harness.advance(secs(100));
    assert!(harness.take_texts().is_empty());
    harness.done(Event::ResumeReads);
    harness.advance(secs(3));
    assert_eq!(harness.take_texts().len(), 1);
}

#[test]
fn messages_still_go_out_and_resets_are_still_seen() {
    let mut harness = paused(beating);
    harness.send("x");
    assert_eq!(harness.fates(), ["1 flushed"]);
    harness.reset();
    assert_eq!(harness.phase(), "waiting");
}

#[test]
fn a_pause_outlives_its_transport_and_resuming_twice_changes_nothing() {
    let mut harness = paused(beating);
    harness.reset();
    harness.reopen();
    harness.advance(secs(100));
    assert_eq!(harness.dead(), None);
    harness.done(Event::ResumeReads);
    let wait = harness.wait;
    harness.advance(secs(1));
    harness.done(Event::ResumeReads);
    assert_eq!(harness.wait, wait, "the deadline is not put off");
}

#[test]
fn after_a_pause_nothing_is_expected_of_a_peer_that_was_asked_nothing() {
    let mut harness = Harness::open_with(beating);
    harness.advance(secs(11));
    harness.done(Event::PauseReads);
    harness.advance(secs(1));
    harness.done(Event::ResumeReads);
    harness.advance(secs(7));
    assert_eq!(harness.dead(), None, "its last ping was answered before the pause");
}
