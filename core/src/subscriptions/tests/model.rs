//! Any order of things, against a server that keeps what it is told.

use alloc::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::testing::{cases, rounds, steps};

#[derive(Clone, Debug)]
enum Step {
    /// With an unsay, or without; and how long its confirmation may take, if there is one.
    Add {
        unsay: bool,
        confirm: Option<u64>,
    },
    Remove(usize),
    Open,
    Lose,
    /// Say so many, and whether the last was flushed.
    Say(usize, bool),
    /// The server answers the n-th that stands there.
    Answer {
        which: usize,
        refuse: bool,
    },
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (prop::bool::weighted(0.8), prop::option::of(0_u64..300))
            .prop_map(|(unsay, confirm)| Step::Add { unsay, confirm }),
        3 => any::<usize>().prop_map(Step::Remove),
        1 => Just(Step::Open),
        1 => Just(Step::Lose),
        6 => (0_usize..5, any::<bool>()).prop_map(|(most, flushed)| Step::Say(most, flushed)),
        3 => (any::<usize>(), any::<bool>())
            .prop_map(|(which, refuse)| Step::Answer { which, refuse }),
        1 => (0_u64..200).prop_map(Step::Pass),
    ]
}

struct Live {
    unsay: bool,
    confirm: Option<u64>,
    refused: bool,
}

#[derive(Default)]
struct Run {
    now: Instant,
    open: bool,
    live: BTreeMap<u64, Live>,
    /// What stands at the server on this transport, in the order said.
    server: Vec<u64>,
    /// All that was said on this transport.
    said: Vec<u64>,
    /// Removed, and standing for want of an unsay.
    left: Vec<u64>,
    /// Until when an answer is waited for; `None`: no longer.
    waiting: BTreeMap<u64, Option<Instant>>,
    expected: Vec<(u64, &'static str)>,
    seq: u64,
    unflushed: usize,
}

impl Run {
    fn step(&mut self, table: &mut Subscriptions, step: Step) {
        match step {
            Step::Add { unsay, confirm } => {
                let name = (self.live.keys().last().copied().unwrap_or(0)).to_string();
                let mut one = Subscription::new(text(&name));
                if unsay {
                    one = one.unsay(text(&name));
                }
                if let Some(millis) = confirm {
                    // Those of one kind share their matcher: the first that was said is meant.
                    let confirm = Confirm::when(Matcher::new("ok", true))
                        .refuse(Matcher::new("ok", false))
                        .timeout(Duration::from_millis(millis));
                    one = one.confirm(confirm);
                }
                let id = table.add(one).unwrap().get();
                assert!(self.live.keys().all(|other| *other < id), "strictly increasing");
                self.live.insert(id, Live { unsay, confirm, refused: false });
            }
            Step::Remove(which) => {
                let Some(which) = which.checked_rem(self.live.len()) else { return };
                let id = *self.live.keys().nth(which).unwrap();
                let live = self.live.remove(&id).unwrap();
                self.waiting.remove(&id);
                let expected = match (self.server.contains(&id), live.unsay) {
                    (false, _) => Removed::Nothing,
                    (true, true) => Removed::Unsay,
                    (true, false) => {
                        self.left.push(id);
                        Removed::Stands
                    }
                };
                assert_eq!(table.remove(SubscriptionId(id)), Some(expected));
            }
            Step::Open | Step::Lose => {
                self.open = matches!(step, Step::Open);
                if self.open {
                    table.opened()
                } else {
                    table.lost()
                }
                self.server.clear();
                self.said.clear();
                self.left.clear();
                self.waiting.clear();
                self.live.values_mut().for_each(|live| live.refused = false);
            }
            Step::Say(most, flushed) => {
                for _ in 0..most {
                    let Some(saying) = table.next_to_say() else { break };
                    assert!(self.open, "only where somebody listens");
                    self.seq += 1;
                    self.unflushed += 1;
                    table.said(self.now, &saying, Seq(self.seq));
                    self.hear(saying.id.get(), saying.what);
                }
                if flushed && table.flushed(Seq(self.seq)) {
                    self.unflushed -= 1;
                }
            }
            Step::Answer { which, refuse } => {
                let known = self.waiting.keys().next().copied();
                let message = match which % 4 {
                    0 => text("{}"),
                    _ => text(&format!(r#"{{"ok":{}}}"#, !refuse)),
                };
                let heard = table.received(&message);
                let (Some(id), false) = (known, which % 4 == 0) else {
                    assert_eq!(heard, Heard::NotMine);
                    return;
                };
                self.waiting.remove(&id);
                let sub = SubscriptionId(id);
                if refuse {
                    assert_eq!(heard, Heard::Refused { id: sub, consume: false });
                    self.live.get_mut(&id).unwrap().refused = true;
                    self.server.retain(|other| *other != id);
                } else {
                    assert_eq!(heard, Heard::Confirmed { id: sub, consume: false });
                }
                self.expected.push((id, if refuse { "refused" } else { "confirmed" }));
            }
            Step::Pass(millis) => {
                self.now = self.now + Duration::from_millis(millis);
                table.tick(self.now);
                let now = self.now;
                let mut due: Vec<_> = self
                    .waiting
                    .iter_mut()
                    .filter(|(_, until)| until.is_some_and(|until| until <= now))
                    .map(|(id, until)| (until.take(), *id))
                    .collect();
                due.sort_unstable();
                self.expected.extend(due.into_iter().map(|(_, id)| (id, "unconfirmed")));
            }
        }
    }

    /// What the server does with what it is told.
    fn hear(&mut self, id: u64, what: What) {
        match what {
            What::Say => {
                assert!(!self.said.contains(&id), "none twice on one transport");
                assert!(self.live.contains_key(&id), "none that was removed");
                self.said.push(id);
                self.server.push(id);
                if let Some(millis) = self.live[&id].confirm {
                    self.waiting.insert(id, Some(self.now + Duration::from_millis(millis)));
                }
            }
            What::Unsay => {
                assert!(!self.live.contains_key(&id), "only what was removed");
                let at = self.server.iter().position(|other| *other == id);
                self.server.remove(at.expect("only what stands"));
            }
        }
    }

    fn check(&mut self, table: &mut Subscriptions) {
        let told: Vec<_> = news(table)
            .into_iter()
            .map(|(id, news)| match news {
                News::Confirmed { .. } => (id, "confirmed"),
                News::Refused { .. } => (id, "refused"),
                News::Unconfirmed => (id, "unconfirmed"),
                News::Undelivered(_) => (id, "undelivered"),
                News::Unsayable { .. } => (id, "unsayable"),
            })
            .collect();
        assert_eq!(told, core::mem::take(&mut self.expected));
        assert_eq!(table.live(), self.live.len());
        assert_eq!(table.messages(), self.unflushed);
        let deadlines = self.waiting.values().flatten();
        assert_eq!(table.unconfirmed(), deadlines.clone().count());
        assert_eq!(table.deadline(), deadlines.min().copied());
        if self.open && table.next_to_say().is_none() {
            let expected: Vec<u64> =
                self.live.iter().filter(|(_, live)| !live.refused).map(|(id, _)| *id).collect();
            let standing: Vec<u64> =
                self.server.iter().filter(|id| !self.left.contains(id)).copied().collect();
            assert_eq!(standing, expected, "what lives stands, in the order made");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: rounds(512), ..cases() })]

    #[test]
    fn what_lives_stands_at_the_server(steps in prop::collection::vec(step(), 0..steps(120))) {
        let mut table = table();
        let mut run = Run::default();
        for step in steps {
            run.step(&mut table, step);
            run.check(&mut table);
        }
        // And at last it does.
        run.step(&mut table, Step::Open);
        run.step(&mut table, Step::Say(usize::MAX, false));
        run.check(&mut table);
        prop_assert!(table.next_to_say().is_none());
        for id in run.live.keys().copied().collect::<Vec<_>>() {
            table.remove(SubscriptionId(id));
        }
        say(&mut table, 100_000);
        prop_assert_eq!((table.live(), table.bytes(), table.unconfirmed()), (0, 0, 0));
        prop_assert_eq!(table.deadline(), None);
    }
}
