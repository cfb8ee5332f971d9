//! What users of hand-written clients had, had from the preset of that name, and without the
//! faults.

mod basics;
mod client;
mod event_source;
mod idle_watch;
mod manager;
mod realtime;
mod socket_io;

use alloc::vec::Vec;

use crate::testing::{Harness, secs};
use crate::{BuiltIn, Config, ConfigBuilder, Frame, Notice};

/// A connection with the preset of that name and a change to it, dialling.
fn preset_with(name: &str, change: impl FnOnce(&mut ConfigBuilder)) -> Harness {
    let mut builder = Config::preset(name).expect("the preset exists").into_builder();
    change(&mut builder);
    let config = builder.build().expect("a valid config");
    let dialect = BuiltIn::new(&config.dialect);
    Harness::with_dialect(config, dialect, 1)
}

/// A connection with the preset of that name, dialling.
fn preset(name: &str) -> Harness {
    preset_with(name, |_| {})
}

/// The same, open.
fn open(name: &str) -> Harness {
    let mut harness = preset(name);
    harness.open();
    harness
}

/// Lets so many seconds pass with a peer that answers within a second whatever starts with `ping`.
fn live(harness: &mut Harness, seconds: u32, ping: &str, pong: &str) {
    for _ in 0..seconds {
        let before = harness.writes.len();
        harness.advance(secs(1));
        let is_ping = |frame: &Frame| matches!(frame, Frame::Text(text) if text.starts_with(ping));
        let asked = harness.writes[before..].iter().filter(|write| is_ping(&write.frame)).count();
        for _ in 0..asked {
            harness.receive_text(pong);
        }
    }
}

/// When this text was written, in milliseconds since the start.
fn written(harness: &Harness, text: &str) -> Vec<u64> {
    let same = harness.writes.iter().filter(|write| write.frame == Frame::Text(text.into()));
    same.map(|write| write.at.as_millis() - 1_000).collect()
}

/// When dials began, in milliseconds since the start.
fn dialled(harness: &Harness) -> Vec<u64> {
    harness.dials.iter().map(|dial| dial.at.as_millis() - 1_000).collect()
}

/// Lets every dial fail from now on, until the connection gives up. Says how many did.
fn fail_until_closed(harness: &mut Harness) -> usize {
    for failed in 1..100 {
        harness.await_dial();
        harness.fail_dial();
        if harness.is_closed() {
            return failed;
        }
    }
    panic!("it does not give up");
}

/// The delays before jitter, in milliseconds.
fn nominal_delays(harness: &Harness) -> Vec<u128> {
    let delays = harness.notices.iter().filter_map(|notice| match notice {
        Notice::Retrying { nominal, .. } => Some(nominal.as_millis()),
        _ => None,
    });
    delays.collect()
}

/// Closes in each phase of life; nothing may be dialled afterwards.
fn a_close_is_final(name: &str) {
    for phase in ["dialing", "waiting", "open", "lost"] {
        let mut harness = preset(name);
        match phase {
            "waiting" | "lost" => {
                harness.open();
                harness.reset();
            }
            "open" => harness.open(),
            _ => {}
        }
        if phase == "lost" {
            harness.await_dial();
        }
        let dials = harness.dials.len();
        harness.close();
        if phase == "open" {
            harness.peer_closes(1000);
            harness.end(crate::EndKind::Eof);
        }
        harness.advance(secs(3_600));
        assert_eq!(harness.closed().by, crate::ClosedBy::Application, "{phase}");
        assert_eq!(harness.dials.len(), dials, "{phase}");
        assert_eq!(harness.wait, None, "no timer is left: {phase}");
    }
}
