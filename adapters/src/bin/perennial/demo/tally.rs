//! The ledger of the demo: what was sent against what arrived.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::Duration;

use perennial::practice::Received;
use serde_json::Value;

use super::peer::End;

/// What was sent, what arrived, and how long the outages were.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tally {
    sent: u64,
    acknowledged: u64,
    published: u64,
    delivered: u64,
    resent: u64,
    discarded: u64,
    attempts: u64,
    recoveries: Vec<Duration>,
    lost: u64,
    twice: u64,
}

impl Tally {
    /// Counts what the applications at both ends saw.
    pub(super) fn new(ends: &[End], published: u64, received: &[Received]) -> Self {
        let upstream = Upstream::new(received);
        let mut tally = Self {
            sent: 0,
            acknowledged: 0,
            published: published * ends.len() as u64,
            delivered: 0,
            resent: 0,
            discarded: 0,
            attempts: 0,
            recoveries: Vec::new(),
            lost: 0,
            twice: 0,
        };
        for end in ends {
            let arrived = upstream.distinct(end.name);
            tally.sent += end.sent;
            tally.acknowledged += end.counters.acknowledged;
            tally.delivered += end.seen.distinct();
            tally.resent += end.counters.resent;
            tally.discarded += end.counters.duplicates;
            tally.attempts += end.counters.attempts;
            tally.recoveries.extend(&end.seen.recoveries);
            tally.lost += end.sent.saturating_sub(arrived);
            tally.lost += published.saturating_sub(end.seen.distinct());
            tally.twice += end.seen.repeated() + upstream.repeated(end.name);
        }
        tally.recoveries.sort_unstable();
        tally
    }

    /// Whether nothing was lost or delivered twice, and everything was acknowledged.
    pub(super) fn is_clean(&self) -> bool {
        self.lost == 0 && self.twice == 0 && self.sent == self.acknowledged && self.sent > 0
    }

    pub(super) fn print(&self, out: &mut impl Write, took: Duration) -> io::Result<()> {
        let median = self.recoveries.get(self.recoveries.len() / 2).copied().unwrap_or_default();
        let worst = self.recoveries.last().copied().unwrap_or_default();
        writeln!(out)?;
        writeln!(out, "ledger after {:.1} s", took.as_secs_f64())?;
        writeln!(
            out,
            "  sent {}  acknowledged {}  (written again {})",
            self.sent, self.acknowledged, self.resent
        )?;
        writeln!(
            out,
            "  published {}  delivered {}  (repeats discarded {})",
            self.published, self.delivered, self.discarded
        )?;
        writeln!(
            out,
            "  outages {}  attempts {}  recovery median {} ms  worst {} ms",
            self.recoveries.len(),
            self.attempts,
            median.as_millis(),
            worst.as_millis()
        )?;
        writeln!(out, "  lost {}", self.lost)?;
        writeln!(out, "  duplicates delivered {}", self.twice)?;
        out.flush()
    }
}

/// What the server's side saw of each client: the ids that each numbered message came under. The
/// server discards an id that it has seen, so a message is delivered twice only if it came under
/// two ids.
struct Upstream(BTreeMap<(String, u64), BTreeSet<u64>>);

impl Upstream {
    fn new(received: &[Received]) -> Self {
        let mut seen: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for message in received {
            let Ok(json) = serde_json::from_str::<Value>(&message.text) else { continue };
            let data = &json["data"];
            if let (Some(from), Some(n), Some(id)) =
                (data["from"].as_str(), data["n"].as_u64(), message.id)
            {
                seen.entry((from.to_owned(), n)).or_default().insert(id);
            }
        }
        Self(seen)
    }

    fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a BTreeSet<u64>> {
        self.0.iter().filter(move |((from, _), _)| from == name).map(|(_, ids)| ids)
    }

    fn distinct(&self, name: &str) -> u64 {
        self.of(name).count() as u64
    }

    fn repeated(&self, name: &str) -> u64 {
        self.of(name).map(|ids| ids.len() as u64 - 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn message(id: u64, from: &str, n: u64) -> Received {
        let text = format!(r#"{{"id":{id},"data":{{"from":"{from}","n":{n}}}}}"#);
        Received { connection: 1, text, id: Some(id), at: Instant::now() }
    }

    #[test]
    fn a_resend_under_the_same_id_is_no_duplicate_and_under_another_is() {
        let upstream = Upstream::new(&[message(1, "a", 1), message(1, "a", 1), message(2, "a", 2)]);
        assert_eq!((upstream.distinct("a"), upstream.repeated("a")), (2, 0));
        let upstream = Upstream::new(&[message(1, "a", 1), message(3, "a", 1)]);
        assert_eq!((upstream.distinct("a"), upstream.repeated("a")), (1, 1));
        assert_eq!(upstream.distinct("b"), 0);
    }

    #[test]
    fn the_ledger_says_what_was_lost_in_so_many_words() {
        let tally = Tally {
            sent: 10,
            acknowledged: 9,
            published: 0,
            delivered: 0,
            resent: 0,
            discarded: 0,
            attempts: 1,
            recoveries: Vec::new(),
            lost: 1,
            twice: 0,
        };
        let mut out = Vec::new();
        tally.print(&mut out, Duration::from_secs(1)).expect("memory takes it");
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("\n  lost 1\n  duplicates delivered 0\n"), "{text}");
        assert!(!tally.is_clean());
    }
}
