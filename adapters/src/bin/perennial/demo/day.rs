//! The bad day: what happens to the server, and when.

use std::thread;
use std::time::{Duration, Instant};

use perennial::practice::{Faults, Refusal, Server};

/// One misfortune.
struct Incident {
    at: Duration,
    title: &'static str,
    strike: fn(&Server),
}

const fn at(millis: u64, title: &'static str, strike: fn(&Server)) -> Incident {
    Incident { at: Duration::from_millis(millis), title, strike }
}

const DAY: [Incident; 13] = [
    at(1_500, "every connection is reset", Server::reset_all),
    at(2_500, "and once more", Server::reset_all),
    at(4_000, "the server restarts: close 1012, then nobody listens", |server| {
        server.close_all(1012, "service restart");
        server.pause_listening();
    }),
    at(5_200, "the server is back", |server| {
        // The port was ours a moment ago; if it is not any more, the ledger will tell.
        let _ = server.resume_listening();
    }),
    at(7_500, "every connection freezes: half-open, and no answer ever", Server::freeze_live),
    at(10_500, "overload: reset, then 503 with Retry-After: 1", |server| {
        server.refuse(Some(Refusal::status(503).retry_after(Duration::from_secs(1))));
        server.reset_all();
    }),
    at(11_400, "the overload is over", |server| server.refuse(None)),
    at(12_800, "a third of the acknowledgements is lost", |server| {
        server.set_faults(Faults { lose_acks: 0.33, ..Faults::default() });
    }),
    at(13_800, "and a third of the messages comes twice", |server| {
        server.set_faults(Faults { lose_acks: 0.33, duplicate: 0.33, ..Faults::default() });
    }),
    at(14_800, "a storm: resets every 200 to 500 ms", |server| {
        server.set_faults(Faults {
            drop_every: Some((Duration::from_millis(200)..=Duration::from_millis(500)).into()),
            ..Faults::default()
        });
    }),
    at(16_300, "the storm is over", |server| server.set_faults(Faults::default())),
    at(16_800, "the connections end without goodbye", Server::fin_all),
    at(17_000, "handshakes take their time", |server| {
        server.set_faults(Faults {
            slow_handshake: Some(Duration::from_millis(200).into()),
            ..Faults::default()
        });
    }),
];

/// Lives the day.
pub(super) fn live(server: &Server, start: Instant) {
    for incident in &DAY {
        thread::sleep((start + incident.at).saturating_duration_since(Instant::now()));
        (incident.strike)(server);
    }
}

/// The titles of what has happened until `elapsed`, in order.
pub(super) fn incidents(elapsed: Duration) -> Vec<&'static str> {
    DAY.iter().filter(|incident| incident.at <= elapsed).map(|incident| incident.title).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_told_in_order() {
        assert!(DAY.is_sorted_by_key(|incident| incident.at));
        assert_eq!(incidents(Duration::ZERO).len(), 0);
        assert_eq!(incidents(Duration::from_secs(3)).len(), 2);
        assert_eq!(incidents(Duration::from_secs(60)).len(), DAY.len());
    }
}
