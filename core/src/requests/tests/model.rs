//! Any order of things, compared with a table that is written down the slow way.

use alloc::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::testing::{any_text, cases, rounds, steps};

#[derive(Clone, Debug)]
enum Step {
    Issue {
        class: Class,
        millis: u64,
        accepted: bool,
    },
    Open,
    /// The transport is lost; that many messages were written and not flushed. The notices come
    /// before the loss is told, or after.
    Lose {
        written: usize,
        before: bool,
    },
    Flush,
    /// The connection gives its n-th message up.
    Drop(usize, Fate),
    /// A response to any id, given out or not, ended or not.
    Answer {
        id: u64,
        refused: bool,
    },
    Cancel(u64),
    Pass(u64),
    /// Resend so many, and have the connection accept them.
    Resend(usize),
    Unsent,
}

fn class() -> impl Strategy<Value = Class> {
    prop_oneof![Just(Class::Volatile), Just(Class::Queued), Just(Class::Acknowledged)]
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![
        Just(Fate::Expired),
        Just(Fate::Cancelled),
        Just(Fate::Dropped(DropReason::Oldest)),
        Just(Fate::Dropped(DropReason::Suspended)),
        Just(Fate::Uncertain(Doubt::Suspended)),
    ];
    prop_oneof![
        6 => (class(), 1_u64..400, prop::bool::weighted(0.9))
            .prop_map(|(class, millis, accepted)| Step::Issue { class, millis, accepted }),
        2 => Just(Step::Open),
        2 => (0_usize..4, any::<bool>())
            .prop_map(|(written, before)| Step::Lose { written, before }),
        5 => Just(Step::Flush),
        1 => (any::<usize>(), fate).prop_map(|(which, fate)| Step::Drop(which, fate)),
        4 => (0_u64..40, any::<bool>()).prop_map(|(id, refused)| Step::Answer { id, refused }),
        1 => (0_u64..40).prop_map(Step::Cancel),
        2 => (0_u64..150).prop_map(Step::Pass),
        3 => (0_usize..6).prop_map(Step::Resend),
        1 => Just(Step::Unsent),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Connection,
    Peer,
    Nowhere,
}

#[derive(Clone, Debug)]
struct Asked {
    class: Class,
    deadline: Instant,
    bytes: Payload,
    at: At,
    handed: bool,
    /// Whether it is not to be sent again before the next transport.
    had_its_turn: bool,
}

struct Run {
    table: Requests,
    now: Instant,
    open: bool,
    asked: BTreeMap<u64, Asked>,
    /// What the connection holds: the message, its request, and whether that is the latest.
    outbox: VecDeque<(Seq, u64)>,
    seq: u64,
    minted: u64,
    strays: u64,
    ended: BTreeMap<u64, usize>,
    expected: Vec<(u64, &'static str)>,
}

fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Answered(_) => "answered",
        Outcome::Refused(_) => "refused",
        Outcome::TimedOut => "timed out",
        Outcome::Cancelled => "cancelled",
        Outcome::Lost => "lost",
        Outcome::Undelivered(_) => "undelivered",
        Outcome::Closed => "closed",
    }
}

impl Run {
    fn new() -> Self {
        Self {
            table: table(),
            now: NOW,
            open: false,
            asked: BTreeMap::new(),
            outbox: VecDeque::new(),
            seq: 0,
            minted: 0,
            strays: 0,
            ended: BTreeMap::new(),
            expected: Vec::new(),
        }
    }

    fn end(&mut self, id: u64, how: &'static str) {
        self.asked.remove(&id).expect("it was pending");
        self.expected.push((id, how));
    }

    fn accept(&mut self, id: u64) {
        self.seq += 1;
        self.outbox.push_back((Seq(self.seq), id));
        self.table.sent(RequestId(id), Seq(self.seq));
        let asked = self.asked.get_mut(&id).unwrap();
        (asked.at, asked.had_its_turn) = (At::Connection, true);
    }

    fn undelivered(&mut self, index: usize, fate: Fate) {
        let (seq, id) = self.outbox.remove(index).unwrap();
        assert!(self.table.undelivered(seq, fate));
        let Some(asked) = self.asked.get_mut(&id) else { return };
        let lost = fate == Fate::Uncertain(Doubt::Lost);
        if asked.class == Class::Acknowledged && (lost || asked.handed) {
            (asked.at, asked.handed) = (At::Nowhere, true);
        } else {
            self.end(id, if lost { "lost" } else { "undelivered" });
        }
    }

    fn lose(&mut self, written: usize, before: bool) {
        if !before {
            self.table.transport_lost();
        }
        for _ in 0..written.min(self.outbox.len()) {
            self.undelivered(0, Fate::Uncertain(Doubt::Lost));
        }
        if before {
            self.table.transport_lost();
        }
        self.open = false;
        for id in self.asked.keys().copied().collect::<Vec<_>>() {
            let asked = self.asked.get_mut(&id).unwrap();
            if asked.at == At::Peer {
                if asked.class == Class::Acknowledged {
                    (asked.at, asked.handed) = (At::Nowhere, true);
                } else {
                    self.end(id, "lost");
                }
            }
        }
    }

    fn resend(&mut self, most: usize) {
        for _ in 0..most {
            let expected = self
                .asked
                .iter()
                .find(|(_, asked)| self.open && asked.at == At::Nowhere && !asked.had_its_turn)
                .map(|(id, asked)| (RequestId(*id), asked.bytes.clone()));
            let next = self.table.next_resend();
            assert_eq!(next, expected, "the oldest, with the same bytes");
            let Some((id, _)) = next else { return };
            self.accept(id.get());
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Issue { class, millis, accepted } => {
                let timeout = Duration::from_millis(millis);
                let issued = self.table.issue(self.now, call(class).timeout(timeout)).unwrap();
                self.minted += 1;
                let id = issued.id.get();
                assert_eq!(id, self.minted, "strictly increasing");
                if !accepted {
                    assert!(self.table.unsent(issued.id));
                    return;
                }
                let asked = Asked {
                    class,
                    deadline: self.now + timeout,
                    bytes: issued.payload,
                    at: At::Connection,
                    handed: false,
                    had_its_turn: true,
                };
                self.asked.insert(id, asked);
                self.accept(id);
            }
            Step::Open => {
                if !self.open {
                    self.open = true;
                    self.table.transport_opened();
                    for asked in self.asked.values_mut() {
                        asked.had_its_turn = asked.at != At::Nowhere;
                    }
                }
            }
            Step::Lose { written, before } => {
                if self.open {
                    self.lose(written, before);
                }
            }
            Step::Flush => {
                if let (true, Some((seq, id))) = (self.open, self.outbox.front().copied()) {
                    self.outbox.pop_front();
                    assert!(self.table.flushed(seq));
                    assert!(!self.table.flushed(seq), "once");
                    if let Some(asked) = self.asked.get_mut(&id) {
                        asked.at = At::Peer;
                    }
                }
            }
            Step::Drop(which, fate) => {
                if let Some(index) = which.checked_rem(self.outbox.len()) {
                    self.undelivered(index, fate);
                }
            }
            Step::Answer { id, refused } => {
                let message = if refused {
                    text(&format!(r#"{{"id":{id},"error":{{"code":1,"message":""}}}}"#))
                } else {
                    result(id)
                };
                let heard = self.table.received(&message);
                if self.asked.contains_key(&id) {
                    assert_eq!(heard, Heard::Answered { id: RequestId(id) });
                    self.end(id, if refused { "refused" } else { "answered" });
                } else {
                    assert_eq!(heard, Heard::Stray { id });
                    self.strays += 1;
                }
            }
            Step::Cancel(id) => {
                let cancelled = self.table.cancel(RequestId(id));
                assert_eq!(cancelled.is_ok(), self.asked.contains_key(&id));
                if let Ok(seq) = cancelled {
                    let held = self.outbox.iter().find(|(_, of)| *of == id).map(|(seq, _)| *seq);
                    assert_eq!(seq, held, "taken back where the connection has it");
                    self.end(id, "cancelled");
                    if let Some(seq) = seq {
                        self.take_back(seq);
                    }
                }
            }
            Step::Pass(millis) => {
                self.now = self.now + Duration::from_millis(millis);
                self.table.tick(self.now);
                for id in self.asked.keys().copied().collect::<Vec<_>>() {
                    if self.asked[&id].deadline <= self.now {
                        self.end(id, "timed out");
                    }
                }
            }
            Step::Resend(most) => self.resend(most),
            Step::Unsent => {
                if let Some((id, _)) = self.table.next_resend() {
                    assert!(!self.table.unsent(id));
                }
            }
        }
    }

    /// The connection cancels a message, if it has it.
    fn take_back(&mut self, seq: Seq) {
        let index = self.outbox.iter().position(|(held, _)| *held == seq);
        let (_, id) = self.outbox.remove(index.expect("asked for once, while it is held")).unwrap();
        assert!(!self.asked.contains_key(&id), "its request has ended");
        assert!(self.table.undelivered(seq, Fate::Cancelled));
    }

    fn check(&mut self) {
        let mut ended: Vec<_> = ends(&mut self.table);
        ended.sort_by_key(|(id, _)| *id);
        let mut expected = core::mem::take(&mut self.expected);
        expected.sort_unstable();
        let named: Vec<_> = ended.iter().map(|(id, outcome)| (*id, name(outcome))).collect();
        assert_eq!(named, expected);
        for (id, _) in named {
            *self.ended.entry(id).or_default() += 1;
            assert_eq!(self.ended[&id], 1, "each ends once");
        }
        while let Some(seq) = self.table.poll_cancellation() {
            self.take_back(seq);
        }
        assert_eq!(self.table.in_flight(), self.asked.len());
        let bytes: usize = self.asked.values().map(|asked| asked.bytes.len()).sum();
        assert_eq!(self.table.bytes(), bytes);
        assert_eq!(self.table.messages(), self.outbox.len());
        assert_eq!(self.table.strays(), self.strays);
        let deadline = self.asked.values().map(|asked| asked.deadline).min();
        assert_eq!(self.table.deadline(), deadline);
        assert!(deadline.is_none_or(|deadline| deadline > self.now), "none outlives its time");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: rounds(512), ..cases() })]

    #[test]
    fn each_request_ends_once_and_as_it_should(
        steps in prop::collection::vec(step(), 0..steps(120)),
        at_the_end in any::<bool>(),
    ) {
        let mut run = Run::new();
        for step in steps {
            run.step(step);
            run.check();
        }
        if at_the_end {
            run.step(Step::Pass(1_000));
            prop_assert_eq!(run.table.in_flight(), 0);
        } else {
            for id in run.asked.keys().copied().collect::<Vec<_>>() {
                run.end(id, "closed");
            }
            run.table.close();
        }
        run.check();
        while !run.outbox.is_empty() {
            run.undelivered(0, Fate::Dropped(DropReason::Closed));
        }
        run.check();
        prop_assert_eq!((run.table.bytes(), run.table.messages()), (0, 0));
        prop_assert!(run.table.next_resend().is_none());
    }

    /// No received text does any harm.
    #[test]
    fn any_text_is_read(text in any_text(), nested in 0_usize..40) {
        for mut requests in [table(), fields(Some("error"))] {
            let text = format!(r#"{{"id":{}{text}{}}}"#, "[".repeat(nested), "]".repeat(nested));
            requests.received(&Payload::from(text));
            prop_assert_eq!(requests.in_flight(), 0);
        }
    }
}
