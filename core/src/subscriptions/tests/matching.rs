//! Which messages fit a matcher.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn fits(matcher: &str, message: &str) -> bool {
    let mut subscriptions = table();
    let matcher = Matcher::parse(matcher).unwrap();
    subscriptions.add(Subscription::new("+").confirm(Confirm::when(matcher))).unwrap();
    subscriptions.opened();
    say(&mut subscriptions, 1);
    subscriptions.received(&text(message)) != Heard::NotMine
}

#[test]
fn fields_are_compared_by_what_they_mean() {
    for (matcher, message) in [
        (r#"{"type":"ok"}"#, r#"{"type":"ok"}"#),
        (r#"{"type":"ok"}"#, " { \"x\":[1,{}], \"type\" : \"\\u006fk\" }\n"),
        (r#"{"type":"ok"}"#, r#"{"\u0074ype":"ok"}"#),
        (r#"{"type":"ok"}"#, r#"{"type":"no","type":"ok"}"#),
        (r#"{"n":1}"#, r#"{"n":1.0}"#),
        (r#"{"n":1e2,"b":null}"#, r#"{"b":null,"n":100}"#),
        (r#"{"a":[1,{"x":1,"y":2}]}"#, r#"{"a":[ 1.0, {"y":2,"x":1} ]}"#),
        (r#"{"\"\n":true}"#, r#"{"\u0022\u000a":true}"#),
    ] {
        assert!(fits(matcher, message), "{matcher} {message}");
    }
    for (matcher, message) in [
        (r#"{"type":"ok"}"#, r#"{"type":"OK"}"#),
        (r#"{"type":"ok"}"#, r#"{"type":"ok","type":"no"}"#),
        (r#"{"type":"ok"}"#, r#"{"data":{"type":"ok"}}"#),
        (r#"{"type":"ok"}"#, r#"[{"type":"ok"}]"#),
        (r#"{"type":"ok"}"#, r#"{"type":"ok"} x"#),
        (r#"{"type":"ok"}"#, r#""ok""#),
        (r#"{"type":"ok"}"#, ""),
        (r#"{"n":1}"#, r#"{"n":"1"}"#),
        (r#"{"n":null}"#, r#"{}"#),
        (r#"{"a":1,"b":2}"#, r#"{"a":1}"#),
        (r#"{"a":"x\ny"}"#, r#"{"a":"x"}"#),
        (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#),
        (r#"{"a":"x"}"#, r#"{"a":"\ud800"}"#),
        (r#"{"a":"x"}"#, r#"{"\ud800":1}"#),
    ] {
        assert!(!fits(matcher, message), "{matcher} {message}");
    }
    let mut subscriptions = table();
    let ok = Matcher::new("type", "ok");
    subscriptions.add(Subscription::new("+").confirm(Confirm::when(ok))).unwrap();
    subscriptions.opened();
    say(&mut subscriptions, 1);
    let binary = Payload::Binary(br#"{"type":"ok"}"#.to_vec().into());
    assert_eq!(subscriptions.received(&binary), Heard::NotMine);
}

#[test]
fn deep_nesting_fits_nothing_and_harms_nobody() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let message = |levels| format!(r#"{{"a":{}}}"#, deep(levels));
    let much = if cfg!(miri) { 1_000 } else { 100_000 };
    assert!(fits(&message(30), &message(30)));
    assert!(!fits(&message(30), &message(much)));
    assert!(fits(r#"{"b":1}"#, &format!(r#"{{"a":{},"b":1}}"#, deep(much))));
    let error = Matcher::parse(&message(33)).unwrap_err();
    assert_eq!(error, MatcherError::Incomparable { at: 5 });
}

#[test]
fn matchers_are_built_read_and_written() {
    let built = Matcher::new("s", "a\"b").and("b", false).and("n", -1_i64).and("z", Value::null());
    let read = Matcher::parse(r#"{"n":-1.0,"z":null,"b":false,"s":"a\u0022b"}"#).unwrap();
    assert_eq!(built, read);
    let written = serde_json::to_string(&built).unwrap();
    assert_eq!(written, r#"{"b":false,"n":-1,"s":"a\"b","z":null}"#);
    assert_eq!(serde_json::from_str::<Matcher>(&written).unwrap(), built);
    for (text, error) in [
        ("", MatcherError::NotJson { at: 0 }),
        ("{\"a\":}", MatcherError::NotJson { at: 5 }),
        ("[]", MatcherError::NotAnObject),
        (" 1", MatcherError::NotAnObject),
        ("{}", MatcherError::Empty),
        (r#"{"a":"\ud800"}"#, MatcherError::Incomparable { at: 5 }),
        (r#"{"\ud800":1}"#, MatcherError::Incomparable { at: 1 }),
    ] {
        assert_eq!(text.parse::<Matcher>(), Err(error), "{text}");
    }
    assert_eq!(Value::parse(" x"), Err(MatcherError::NotJson { at: 1 }));
    assert_eq!(Value::parse(" [1.0]\n").unwrap().as_json(), "[1]");
    for text in ["{}", "[]", "1", r#"{"a":"\ud800"}"#] {
        assert!(serde_json::from_str::<Matcher>(text).is_err(), "{text}");
    }
}

#[test]
fn a_confirm_has_its_form_in_a_config() {
    let confirm: Confirm = serde_json::from_str(r#"{"when":{"a":1}}"#).unwrap();
    assert_eq!(confirm, Confirm::when(Matcher::new("a", 1_u64)));
    assert_eq!(confirm.timeout, Duration::from_secs(10));
    let confirm = confirm.refuse(Matcher::new("b", "x")).timeout(Duration::from_secs(2)).consume();
    let written = serde_json::to_string(&confirm).unwrap();
    let expected = r#"{"when":{"a":1},"refuse":{"b":"x"},"timeout":"2s","consume":true}"#;
    assert_eq!(written, expected);
    assert_eq!(serde_json::from_str::<Confirm>(&written).unwrap(), confirm);
    for wrong in ["{}", r#"{"when":{}}"#, r#"{"when":{"a":1},"until":1}"#] {
        assert!(serde_json::from_str::<Confirm>(wrong).is_err(), "{wrong}");
    }
}

/// One of so many names.
fn name(names: usize) -> impl Strategy<Value = String> {
    prop::sample::select(&["a", "b", "c", "d"][..names]).prop_map(String::from)
}

proptest! {
    #![proptest_config(crate::testing::cases())]

    /// Against each matcher, one by one, on values as `serde_json` reads them.
    #[test]
    fn the_index_finds_what_a_search_finds(
        matchers in prop::collection::vec(
            (prop::collection::btree_map(name(3), 0_u64..3, 1..3), any::<bool>()), 1..12),
        messages in prop::collection::vec(
            prop::collection::btree_map(name(4), 0_u64..3, 0..4), 0..12),
        removed in prop::collection::vec(any::<bool>(), 12),
    ) {
        let mut subscriptions = table();
        subscriptions.opened();
        let mut waiting = Vec::new();
        for (fields, refuses) in &matchers {
            let matcher = Matcher::parse(&serde_json::to_string(fields).unwrap()).unwrap();
            let never = Matcher::new("never", true);
            let confirm = match refuses {
                true => Confirm::when(never).refuse(matcher),
                false => Confirm::when(matcher),
            };
            let id = subscriptions.add(Subscription::new("+").confirm(confirm)).unwrap();
            waiting.push((id, fields, *refuses));
        }
        say(&mut subscriptions, 1);
        for (index, removed) in removed.iter().enumerate() {
            if *removed && index < matchers.len() {
                let id = SubscriptionId(index as u64 + 1);
                subscriptions.remove(id);
                waiting.retain(|(own, ..)| *own != id);
            }
        }
        for message in messages {
            let fits = |fields: &alloc::collections::BTreeMap<String, u64>| {
                fields.iter().all(|(name, value)| message.get(name) == Some(value))
            };
            let best = waiting.iter().filter(|(_, fields, _)| fits(fields));
            let best = best.min_by_key(|(id, fields, _)| (usize::MAX - fields.len(), *id)).copied();
            let heard = subscriptions.received(&text(&serde_json::to_string(&message).unwrap()));
            prop_assert_eq!(heard, match best {
                None => Heard::NotMine,
                Some((id, _, true)) => Heard::Refused { id, consume: false },
                Some((id, _, false)) => Heard::Confirmed { id, consume: false },
            });
            if let Some((id, ..)) = best {
                waiting.retain(|(own, ..)| *own != id);
            }
        }
        prop_assert_eq!(subscriptions.unconfirmed(), waiting.len());
    }

    /// No received text does any harm.
    #[test]
    fn any_text_is_read(message in r#"[{}\[\]a"\\:,0-9e. -]{0,24}"#) {
        let mut subscriptions = table();
        let a = Matcher::new("a", Value::parse("[{}]").unwrap());
        subscriptions.add(Subscription::new("+").confirm(Confirm::when(a))).unwrap();
        subscriptions.opened();
        say(&mut subscriptions, 1);
        subscriptions.received(&text(&message));
        subscriptions.received(&text(&format!(r#"{{"a":{message}}}"#)));
    }
}

#[test]
fn a_value_much_longer_than_any_that_is_waited_for_is_not_compared() {
    let mut table = table();
    let when = Matcher::new("list", Value::parse("[1,2]").expect("a value")).and("type", "ok");
    let id = table.add(Subscription::new("+").confirm(Confirm::when(when))).expect("there is room");
    table.opened();
    say(&mut table, 1);
    let written =
        |spaces: usize| text(&format!(r#"{{"type":"ok","list":[1,{}2.0]}}"#, " ".repeat(spaces)));
    // However many elements, none is looked at.
    let endless = format!(r#"{{"type":"ok","list":[{}1]}}"#, "1,".repeat(100_000));
    assert_eq!(table.received(&text(&endless)), Heard::NotMine);
    assert_eq!(table.received(&written(5_000)), Heard::NotMine);
    // White space has its room.
    assert_eq!(table.received(&written(4_000)), Heard::Confirmed { id, consume: false });
}

#[test]
fn a_number_is_as_exact_in_a_config_as_in_a_message() {
    for number in [
        "12345678901234567890123",
        "-12345678901234567890123",
        "0.1000000000000000055511151231257827",
        "3.14159265358979323846264338327950288",
        "1e400",
        "-1e-400",
    ] {
        let text = format!(r#"{{"id":{number}}}"#);
        let read: Confirm = serde_json::from_str(&format!(r#"{{"when":{text}}}"#)).unwrap();
        assert_eq!(read.when, Matcher::parse(&text).unwrap(), "{number}");
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Confirm>(&written).unwrap(), read, "{written}");
    }
}

#[test]
fn what_is_wrong_with_a_matcher_in_a_config_is_said_without_its_values() {
    for text in [r#""hidden""#, r#"["hidden"]"#, r#"{"token":"hidden\ud800"}"#, "{}"] {
        let error = serde_json::from_str::<Matcher>(text).unwrap_err().to_string();
        assert!(error.contains("matcher") && !error.contains("hidden"), "{error}");
    }
}
