//! A clock that jumps, as when a laptop sleeps: the process is stopped for a while.

use std::thread;
use std::time::Duration;

use super::child::Child;
use super::peer::{PING, PONG, Peer, frame};
use super::quick;
use super::run::Run;
use super::server::Server;

/// Being woken so much too late means that the clock jumped. A busy machine is not so late.
const JUMP: Duration = Duration::from_millis(1_000);
/// For so long the process is stopped.
const SLEEP: Duration = Duration::from_millis(1_600);

fn config() -> perennial_core::ConfigBuilder {
    let mut config = quick();
    // What is due during the sleep.
    config.heartbeat.interval = Duration::from_millis(200);
    config.heartbeat.deadline = Duration::from_secs(8);
    config.clock.jump = JUMP;
    config.clock.probe_deadline = Duration::from_secs(4);
    config
}

/// Answers pings until the connection closes.
fn answers(peer: &mut Peer) {
    while let Ok(got) = peer.try_frame() {
        match got.opcode {
            PING => peer.raw(&frame(true, PONG, &got.payload)),
            8 => {
                peer.close(1000, "");
                peer.hang_up();
            }
            _ => {}
        }
    }
}

pub(super) fn a_jump_that_the_link_survives(run: &Run<'_>) {
    let server = Server::start();
    let mut child = Child::start(run, &run.plan(&server.url(), config()));
    let mut peer = server.open();
    child.tells("-> open");
    thread::scope(|scope| {
        scope.spawn(|| answers(&mut peer));
        child.sleeps(SLEEP);
        child.tells("the clock jumped");
        child.close();
        child.tells("closed by the application");
    });
    server.is_left_alone();
}

pub(super) fn a_jump_that_the_link_does_not_survive(run: &Run<'_>) {
    let server = Server::start();
    let mut config = config();
    config.clock.probe_deadline = Duration::from_millis(300);
    let mut child = Child::start(run, &run.plan(&server.url(), config));
    let mut silent = server.open();
    child.tells("-> open");
    // From before the sleep on, nothing is answered: the probe alone tells so soon.
    child.sleeps(SLEEP);
    child.tells("the clock jumped");
    child.tells("dead: probe");
    child.tells("-> reconnecting");
    let mut peer = server.open();
    child.tells("-> open");
    thread::scope(|scope| {
        scope.spawn(|| answers(&mut peer));
        child.close();
        child.tells("closed by the application");
    });
    silent.ends_somehow();
}
