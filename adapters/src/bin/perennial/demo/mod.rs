//! `perennial demo`: clients and the practice server through a bad day, and the ledger at its end.

mod day;
mod peer;
mod tally;
mod view;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use perennial::practice::{AckStyle, App, Options, Server};

use self::peer::Peer;
use self::tally::Tally;
use self::view::View;
use crate::errors::{Usage, complain, print};

/// The connections.
const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
/// How long messages are sent.
const SENDING: Duration = Duration::from_millis(17_500);
/// How long what is on its way may take afterwards.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two messages of the server.
const PUBLISH_EVERY: Duration = Duration::from_millis(12);
/// Between two looks at the connections.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What `perennial demo` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Repeat the server's misfortunes and the clients' jitter with this seed
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
}

/// Runs the demo. Succeeds only if nothing was lost or delivered twice.
pub(crate) fn run(args: &Args) -> ExitCode {
    match play(args.seed) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => match error.downcast_ref::<Usage>() {
            Some(usage) => usage.report(),
            None => {
                complain(&format!("the demo cannot run: {error}"));
                ExitCode::FAILURE
            }
        },
    }
}

fn play(seed: u64) -> Result<bool, Box<dyn std::error::Error>> {
    let server = Server::start(Options {
        app: App::Silent,
        acks: AckStyle::Plain,
        dedupe: true,
        record: true,
        seed,
        ..Options::default()
    })?;
    let start = Instant::now();
    let mut view = View::new(&NAMES, start);
    view.begin(&format!(
        "{} connections to {}, acknowledged messages both ways, and a bad day",
        NAMES.len(),
        server.url()
    ))?;
    let peers: Vec<Peer> = NAMES
        .iter()
        .zip(seed..)
        .map(|(name, seed)| Peer::start(name, &server.url(), seed, start + SENDING))
        .collect::<Result<_, _>>()?;

    let published = thread::scope(|scope| {
        let publisher = scope.spawn(|| publish(&server, start + SENDING));
        let day = scope.spawn(|| day::live(&server, start));
        while !(publisher.is_finished() && day.is_finished()) {
            look(&mut view, &peers, || day::incidents(start.elapsed()));
        }
        publisher.join().unwrap_or_default()
    });
    view.say("calm again; waiting for what is still on its way");
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && !peers.iter().all(|peer| peer.is_done(published)) {
        look(&mut view, &peers, Vec::new);
    }

    let ends: Vec<_> = peers.into_iter().map(Peer::finish).collect();
    let tally = Tally::new(&ends, published, &server.received());
    view.finish(&ends);
    let mut text = Vec::new();
    tally.print(&mut text, start.elapsed())?;
    print(&String::from_utf8_lossy(&text))?;
    Ok(tally.is_clean())
}

fn look(view: &mut View, peers: &[Peer], incidents: impl Fn() -> Vec<&'static str>) {
    thread::sleep(LOOK_EVERY);
    // Before the connections, so that what happened is told before what came of it.
    for incident in incidents() {
        view.incident(incident);
    }
    for (index, peer) in peers.iter().enumerate() {
        view.show(index, &peer.glance());
    }
    view.tick();
}

/// Publishes numbered messages to every connection until `end`; returns how many.
fn publish(server: &Server, end: Instant) -> u64 {
    let mut last = 0;
    let mut next = Instant::now();
    while next < end {
        last = server.publish(&format!(r#"{{"news":{}}}"#, last + 1));
        next += PUBLISH_EVERY;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    last
}
