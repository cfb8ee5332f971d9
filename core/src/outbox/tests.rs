//! The send side against a naive model of it.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::config::{Config, ConfigBuilder, Overflow};
use crate::dialect::{BuiltIn, DialectConfig, JsonConfig};
use crate::event::{Capabilities, Outgoing, TransportId};
use crate::time::Duration;

struct Bench {
    outbox: Outbox,
    output: Output,
    config: Config,
    dialect: BuiltIn,
    transport: Transport,
}

fn transport(id: u64) -> Transport {
    let mut transport = Transport::new(TransportId(id));
    transport.capabilities = Some(Capabilities::SOCKET);
    transport
}

impl Bench {
    fn new(change: impl FnOnce(&mut ConfigBuilder)) -> Self {
        let mut config = Config::builder();
        config.dialect = DialectConfig::Json(JsonConfig::default());
        change(&mut config);
        let config = config.build().expect("valid");
        Self {
            outbox: Outbox::new(),
            output: Output::new(),
            dialect: BuiltIn::new(&config.dialect),
            config,
            transport: transport(1),
        }
    }

    fn accept(&mut self, class: Class, ttl: Option<u64>, now: u64) -> Option<Seq> {
        let message = Outgoing {
            payload: "x".into(),
            class: Some(class),
            ttl: ttl.map(Duration::from_millis),
            ahead: false,
        };
        let Self { outbox, output, config, dialect, .. } = self;
        outbox.accept(message, config, dialect, Instant::from_millis(now), true, output).ok()
    }

    /// Hands over everything that may go; the sequence numbers.
    fn hand_over(&mut self) -> Vec<u64> {
        let mut handed = Vec::new();
        while let Some((index, _)) =
            self.outbox.hand_over(&mut self.transport, &self.config.outbox, &mut self.output)
        {
            assert!(index > 0);
            let written = self.outbox.entries[self.outbox.next - 1].seq;
            handed.push(written.get());
        }
        handed
    }

    fn flush(&mut self, now: u64) {
        while let Some(write) = self.transport.flushed(u64::MAX) {
            if let Some(seq) = write {
                self.outbox.flushed(seq, Instant::from_millis(now), &mut self.output);
            }
        }
    }

    fn lose(&mut self) {
        self.outbox.transport_lost(&mut self.output);
        self.transport = transport(self.transport.id.get() + 1);
    }

    /// Takes the ends that were told.
    fn ends(&mut self) -> Vec<u64> {
        let mut ends = Vec::new();
        while let Some(action) = self.output.pop() {
            match action {
                crate::Action::Notify(
                    Notice::Flushed { seq, .. }
                    | Notice::Acknowledged { seq, .. }
                    | Notice::Undelivered { seq, .. },
                ) => ends.push(seq.get()),
                other => panic!("not an end: {other:?}"),
            }
        }
        ends
    }

    /// Every sum agrees with what is there.
    fn check(&self) {
        let outbox = &self.outbox;
        let living = || outbox.entries.iter().filter(|entry| entry.place != Place::Ended);
        let size = |entry: &Entry| entry.payload.len();
        assert_eq!(outbox.living, living().count());
        assert_eq!(outbox.bytes, living().map(size).sum::<usize>());
        assert_eq!(outbox.queued, living().filter(|entry| entry.place == Place::Queued).count());
        let awaiting = || living().filter(|entry| entry.place == Place::Awaiting);
        assert_eq!(outbox.awaiting_bytes, awaiting().map(size).sum::<usize>());
        let unacknowledged = living()
            .filter(|entry| entry.class == Class::Acknowledged && entry.place != Place::Queued);
        assert_eq!(outbox.unacknowledged, unacknowledged.count());
        assert!(awaiting().all(|entry| entry.class == Class::Acknowledged));
        assert!(outbox.entries.iter().take(outbox.next).all(|entry| entry.place != Place::Queued));
        assert!(outbox.next <= outbox.entries.len());
        assert!(outbox.entries.iter().is_sorted_by(|a, b| a.seq < b.seq));
        assert!(outbox.entries.len() <= 2 * outbox.living + SLACK, "ended places pile up");
        assert!(outbox.unacknowledged <= self.config.outbox.ack_window);
        // What was handed over stands before what was not.
        let handed: Vec<bool> = living().map(|entry| entry.handed).collect();
        assert!(handed.is_sorted_by(|a, b| a >= b));
    }
}

#[test]
fn places_of_ended_messages_are_reused_behind_one_that_stays() {
    let mut bench = Bench::new(|config| config.outbox.max_messages = 4);
    bench.accept(Class::Acknowledged, None, 0);
    let rounds = if cfg!(miri) { 100 } else { 1_000 };
    for _ in 0..rounds {
        bench.accept(Class::Queued, None, 0).expect("there is room");
        assert_eq!(bench.hand_over().len(), 1 + usize::from(bench.outbox.last_seq == 2));
        bench.flush(0);
        bench.check();
    }
    assert!(bench.outbox.entries.len() <= 2 + SLACK);
    assert_eq!(bench.ends().len(), rounds);
    bench.lose();
    assert_eq!(bench.hand_over(), [1], "the one that stays is sent again");
}

#[test]
fn what_was_not_handed_over_is_found_behind_places_that_were_reused() {
    // Of the places that are given up, none, one and some lie before what was handed over.
    for flushed in 0..5 {
        let mut bench = Bench::new(|_| {});
        bench.accept(Class::Acknowledged, None, 0);
        for _ in 0..flushed {
            bench.accept(Class::Queued, None, 0);
        }
        bench.hand_over();
        bench.flush(0);
        for _ in 0..2 * SLACK {
            let seq = bench.accept(Class::Queued, None, 0).expect("there is room");
            assert!(bench.outbox.cancel(seq, &mut bench.output));
            bench.check();
        }
        let last = bench.accept(Class::Queued, None, 0).expect("there is room");
        assert_eq!(bench.hand_over(), [last.get()], "{flushed}");
    }
}

#[test]
fn places_are_reused_as_well_where_many_end_at_once() {
    let mut bench = Bench::new(|_| {});
    bench.accept(Class::Acknowledged, None, 0);
    bench.hand_over();
    for _ in 0..2 * SLACK {
        bench.accept(Class::Queued, None, 0).expect("there is room");
    }
    bench.outbox.purge(&mut bench.output);
    bench.check();
    assert_eq!(bench.outbox.entries.len(), 1);
}

#[test]
fn an_ended_message_holds_no_bytes() {
    let mut bench = Bench::new(|_| {});
    bench.accept(Class::Acknowledged, None, 0);
    let second = bench.accept(Class::Queued, None, 0).expect("room");
    assert!(bench.outbox.cancel(second, &mut bench.output));
    assert!(bench.outbox.entries[1].payload.is_empty());
    bench.check();
}

#[derive(Clone, Debug)]
enum Step {
    Accept(Class, Option<u64>),
    HandOver,
    Flush,
    Ack(u64, bool),
    Resend,
    Lose,
    Expire,
    Cancel(u64),
    Purge,
    DropUnsent,
}

fn step() -> impl Strategy<Value = Step> {
    let class = prop_oneof![1 => Just(Class::Volatile), 1 => Just(Class::Queued), 3 => Just(Class::Acknowledged)];
    prop_oneof![
        8 => (class, prop::option::of(0_u64..50)).prop_map(|(class, ttl)| Step::Accept(class, ttl)),
        5 => Just(Step::HandOver),
        4 => Just(Step::Flush),
        4 => (0_u64..200, any::<bool>()).prop_map(|(id, cumulative)| Step::Ack(id, cumulative)),
        2 => Just(Step::Resend),
        1 => Just(Step::Lose),
        2 => Just(Step::Expire),
        1 => (0_u64..200).prop_map(Step::Cancel),
        1 => Just(Step::Purge),
        1 => Just(Step::DropUnsent),
    ]
}

proptest! {
    #![proptest_config(crate::testing::cases())]

    /// Whatever happens, the sums agree, each message ends once, and each transport gets messages
    /// in the order of acceptance, save that a resend on the same one goes back.
    #[test]
    fn it_agrees_with_a_naive_model(
        steps in prop::collection::vec(step(), 0..crate::testing::steps(300)),
        overflow in prop_oneof![
            Just(Overflow::Reject), Just(Overflow::DropOldest), Just(Overflow::DropNewest)
        ],
        messages in 1_usize..12,
        window in 1_usize..6,
        credit in 1_usize..200,
    ) {
        let mut bench = Bench::new(|config| {
            config.outbox.overflow = overflow;
            config.outbox.max_messages = messages;
            config.outbox.ack_window = window;
            config.outbox.write_credit = credit;
        });
        // Accepted and not ended, with the class and the number of writes.
        let mut living: BTreeMap<u64, (Class, u32)> = BTreeMap::new();
        let mut last_written = 0;
        let mut now = 0;
        for step in steps {
            now += 1;
            match step {
                Step::Accept(class, ttl) => {
                    if let Some(seq) = bench.accept(class, ttl, now) {
                        living.insert(seq.get(), (class, 0));
                    } else {
                        prop_assert!(living.len() >= messages, "refused though there was room");
                    }
                }
                Step::HandOver => {
                    for seq in bench.hand_over() {
                        prop_assert!(seq > last_written, "{seq} after {last_written}");
                        last_written = seq;
                        let (class, writes) = living.get_mut(&seq).expect("an ended one was sent");
                        *writes += 1;
                        prop_assert!(*writes == 1 || *class == Class::Acknowledged, "sent twice");
                    }
                }
                Step::Flush => bench.flush(now),
                Step::Ack(id, cumulative) => {
                    bench.outbox.acknowledge(id, cumulative, &mut bench.output);
                }
                Step::Resend => {
                    bench.outbox.resend(Instant::from_millis(now.saturating_sub(20)));
                    last_written = 0;
                }
                Step::Lose => {
                    bench.lose();
                    last_written = 0;
                }
                Step::Expire => {
                    let next = bench.outbox.expire(Instant::from_millis(now), &mut bench.output);
                    prop_assert!(next.is_none_or(|next| next > Instant::from_millis(now)));
                }
                Step::Cancel(seq) => {
                    let cancelled = bench.outbox.cancel(Seq(seq), &mut bench.output);
                    let unsent = living.get(&seq).is_some_and(|(_, writes)| *writes == 0);
                    prop_assert_eq!(cancelled, unsent);
                }
                Step::Purge => bench.outbox.purge(&mut bench.output),
                Step::DropUnsent => bench.outbox.drop_unsent(&mut bench.output),
            }
            for seq in bench.ends() {
                prop_assert!(living.remove(&seq).is_some(), "{seq} ended twice");
            }
            prop_assert_eq!(living.len(), bench.outbox.living);
            prop_assert!(living.len() <= messages);
            bench.check();
        }
        bench.outbox.fail_all(DropReason::Closed, Doubt::Closed, &mut bench.output);
        prop_assert_eq!(bench.ends(), living.into_keys().collect::<Vec<_>>());
        prop_assert!(bench.outbox.is_empty());
        bench.check();
    }
}

#[test]
fn a_resend_marks_only_what_has_waited_long_enough() {
    let mut bench = Bench::new(|_| {});
    for now in [10, 20, 30] {
        bench.accept(Class::Acknowledged, None, now);
        bench.hand_over();
        bench.flush(now);
    }
    let at = Instant::from_millis;
    assert_eq!(bench.outbox.resend(at(9)), Some(at(10)));
    assert_eq!(bench.hand_over(), Vec::<u64>::new());
    assert_eq!(bench.outbox.resend(at(20)), Some(at(30)));
    bench.check();
    assert_eq!(bench.hand_over(), vec![1, 2]);
    assert_eq!(bench.outbox.resend(at(30)), None);
    assert_eq!(bench.hand_over(), vec![3]);
}
