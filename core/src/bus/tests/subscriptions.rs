//! Who gets a message.

use alloc::collections::BTreeMap;
use std::format;

use proptest::prelude::*;

use super::*;

fn on(topic: &str) -> Message {
    text(&format!(r#"{{"type":"{topic}"}}"#))
}

#[track_caller]
fn gets(bus: &Bus, message: Message, expected: &[SubscriberId]) {
    let mut to = Vec::new();
    bus.route(message, &mut to);
    assert_eq!(to, expected);
}

#[test]
fn those_who_match_get_it_in_the_order_they_subscribed() {
    let mut bus = Bus::new(fields());
    assert!(bus.is_empty());
    gets(&bus, on("a.b"), &[]);
    let mut subscribe = |pattern: &str| {
        let pattern = bus.pattern(pattern).expect("a pattern");
        bus.subscribe(&pattern)
    };
    let all = subscribe("**");
    let exact = subscribe("a.b");
    let wild = subscribe("a.*");
    let again = subscribe("a.b");
    let other = subscribe("c");
    let wild_again = subscribe("a.*");
    let raw = bus.subscribe(&Pattern::unrouted());
    assert_eq!(bus.len(), 7);
    assert_eq!(all.get(), 1);
    assert!([all, exact, wild, again, other, wild_again, raw].is_sorted());

    gets(&bus, on("a.b"), &[all, exact, wild, again, wild_again]);
    gets(&bus, on("a.c"), &[all, wild, wild_again]);
    gets(&bus, on("c"), &[all, other]);
    gets(&bus, on("d"), &[all]);
    gets(&bus, text("{}"), &[raw]);
    // What comes from the wire is a topic and no pattern.
    gets(&bus, on("*"), &[all]);
    gets(&bus, on("a.*"), &[all, wild, wild_again]);
    gets(&bus, on("**"), &[all]);
}

#[test]
fn names_are_appended_to_what_is_there() {
    let mut bus = Bus::new(fields());
    let first = bus.subscribe(&Pattern::exact("z").expect("short enough"));
    let exact = bus.subscribe(&Pattern::exact("a").expect("short enough"));
    let all = bus.subscribe(&Pattern::all());
    let mut to = std::vec![all, first];
    bus.route(on("a"), &mut to);
    assert_eq!(to, [all, first, exact, all]);
}

#[test]
fn a_subscription_ends_once() {
    let mut bus = Bus::new(fields());
    let [exact, wild, raw] = ["a", "a.*", ""].map(|pattern| {
        let pattern = bus.pattern(pattern).unwrap_or(Pattern::unrouted());
        let id = bus.subscribe(&pattern);
        assert_eq!(bus.subscription(id), Some(&pattern));
        id
    });
    let kept = bus.subscribe(&Pattern::exact("a").expect("short enough"));
    for (id, left) in [(exact, 3), (wild, 2), (raw, 1)] {
        assert!(bus.unsubscribe(id));
        assert_eq!(bus.len(), left);
        assert_eq!(bus.subscription(id), None);
        assert!(!bus.unsubscribe(id), "it has ended");
        assert_eq!(bus.len(), left);
    }
    gets(&bus, on("a"), &[kept]);
    gets(&bus, on("a.b"), &[]);
    gets(&bus, text(""), &[]);
    assert!(bus.unsubscribe(kept));
    assert!(bus.is_empty());
    // A name is never given again.
    assert_eq!(bus.subscribe(&Pattern::all()).get(), 5);
}

#[test]
fn a_bus_can_be_cloned_and_both_go_on() {
    let mut bus = Bus::new(fields());
    let first = bus.subscribe(&Pattern::all());
    let mut other = bus.clone();
    assert!(other.unsubscribe(first));
    assert_eq!(bus.subscribe(&Pattern::all()), other.subscribe(&Pattern::all()));
    gets(&bus, on("a"), &[SubscriberId(1), SubscriberId(2)]);
    gets(&other, on("a"), &[SubscriberId(2)]);
}

proptest! {
    #![proptest_config(crate::testing::cases())]

    #[test]
    fn a_bus_agrees_with_a_list(
        steps in prop::collection::vec((0_u8..4, 0_usize..9, 1_u64..12), 0..40)
    ) {
        let patterns = ["a", "a.b", "a.*", "*.b", "**", "a.**", "*", "b", "b.b"];
        let mut bus = Bus::new(fields());
        let mut list: BTreeMap<u64, Pattern> = BTreeMap::new();
        let mut made = 0;
        for (step, which, number) in steps {
            match step {
                0 | 1 => {
                    let pattern: Pattern = patterns[which].parse().expect("a pattern");
                    made += 1;
                    prop_assert_eq!(bus.subscribe(&pattern).get(), made);
                    list.insert(made, pattern);
                }
                2 => {
                    let there = list.remove(&number).is_some();
                    prop_assert_eq!(bus.unsubscribe(SubscriberId(number)), there);
                }
                _ => {
                    let topic = patterns[which];
                    let mut to = Vec::new();
                    bus.route(on(topic), &mut to);
                    let expected: Vec<_> = list
                        .iter()
                        .filter(|(_, pattern)| pattern.matches(topic))
                        .map(|(id, _)| SubscriberId(*id))
                        .collect();
                    prop_assert_eq!(to, expected);
                }
            }
            prop_assert_eq!(bus.len(), list.len());
        }
    }
}
