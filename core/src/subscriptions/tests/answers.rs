//! Confirmations, refusals, and their absence.

use super::*;

#[test]
fn a_confirmation_is_told_once() {
    let mut subscriptions = table();
    let a = subscriptions.add(channel("a")).unwrap();
    let b = subscriptions.add(channel("b")).unwrap();
    assert_eq!(subscriptions.received(&answer("ok", "a")), Heard::NotMine, "it was not said");
    subscriptions.opened();
    say(&mut subscriptions, 1);
    assert_eq!(subscriptions.unconfirmed(), 2);
    assert_eq!(subscriptions.deadline(), Some(NOW + Duration::from_secs(10)));
    let message = answer("ok", "b");
    assert_eq!(subscriptions.received(&message), Heard::Confirmed { id: b, consume: false });
    assert_eq!(news(&mut subscriptions), [(2, News::Confirmed { message: message.clone() })]);
    assert_eq!(subscriptions.received(&message), Heard::NotMine, "it has its answer");
    assert_eq!(subscriptions.received(&answer("ok", "c")), Heard::NotMine);
    assert_eq!(subscriptions.unconfirmed(), 1);
    subscriptions.remove(a);
    assert_eq!((subscriptions.unconfirmed(), subscriptions.deadline()), (0, None));
    assert_eq!(subscriptions.received(&answer("ok", "a")), Heard::NotMine);
    // Each transport is asked anew.
    subscriptions.opened();
    say(&mut subscriptions, 3);
    assert_eq!(subscriptions.received(&message), Heard::Confirmed { id: b, consume: false });
}

#[test]
fn what_was_refused_does_not_stand() {
    let mut subscriptions = table();
    let id = subscriptions.add(channel("a")).unwrap();
    subscriptions.opened();
    say(&mut subscriptions, 1);
    let message = answer("no", "a");
    assert_eq!(subscriptions.received(&message), Heard::Refused { id, consume: false });
    assert_eq!(news(&mut subscriptions), [(1, News::Refused { message })]);
    assert_eq!(subscriptions.received(&answer("ok", "a")), Heard::NotMine);
    subscriptions.opened();
    assert_eq!(say(&mut subscriptions, 2), ["+a"], "the next transport may take it");
    subscriptions.received(&answer("no", "a"));
    assert_eq!(subscriptions.remove(id), Some(Removed::Nothing));
    assert_eq!(subscriptions.next_to_say(), None);
}

#[test]
fn time_ends_the_waiting_and_a_late_answer_counts() {
    let mut subscriptions = table();
    let mut slow = channel("slow");
    slow.confirm = slow.confirm.map(|confirm| confirm.timeout(Duration::from_secs(20)).consume());
    subscriptions.add(channel("a")).unwrap();
    let slow = subscriptions.add(slow).unwrap();
    subscriptions.opened();
    say(&mut subscriptions, 1);
    subscriptions.tick(NOW + Duration::from_nanos(9_999_999_999));
    assert_eq!(subscriptions.unconfirmed(), 2);
    subscriptions.tick(NOW + Duration::from_secs(10));
    assert_eq!(news(&mut subscriptions), [(1, News::Unconfirmed)]);
    assert_eq!(subscriptions.deadline(), Some(NOW + Duration::from_secs(20)));
    subscriptions.tick(NOW + Duration::from_secs(60));
    assert_eq!(news(&mut subscriptions), [(2, News::Unconfirmed)]);
    assert_eq!((subscriptions.unconfirmed(), subscriptions.deadline()), (0, None));
    let heard = subscriptions.received(&answer("ok", "slow"));
    assert_eq!(heard, Heard::Confirmed { id: slow, consume: true });
    let heard = subscriptions.received(&answer("no", "a"));
    assert!(matches!(heard, Heard::Refused { consume: false, .. }));
    assert_eq!(news(&mut subscriptions).len(), 2);
    subscriptions.tick(NOW + Duration::from_secs(90));
    assert!(news(&mut subscriptions).is_empty());
}

#[test]
fn equal_matchers_are_served_in_the_order_said() {
    let mut subscriptions = table();
    let one = || Subscription::new("+").confirm(Confirm::when(Matcher::new("ok", true)));
    for _ in 0..3 {
        subscriptions.add(one()).unwrap();
    }
    subscriptions.opened();
    say(&mut subscriptions, 1);
    for _ in 0..3 {
        subscriptions.received(&text(r#"{"ok":true}"#));
    }
    assert_eq!(subscriptions.received(&text(r#"{"ok":true}"#)), Heard::NotMine);
    let order: Vec<_> = news(&mut subscriptions).into_iter().map(|(id, _)| id).collect();
    assert_eq!(order, [1, 2, 3]);
}

#[test]
fn the_matcher_with_the_most_fields_decides() {
    let by_id = |id: u64| Matcher::new("id", id);
    for (when, refuse, message, refused) in [
        (by_id(1), by_id(1).and("error", true), r#"{"id":1,"error":true}"#, true),
        (by_id(1), by_id(1).and("error", true), r#"{"id":1,"error":false}"#, false),
        (by_id(1).and("ok", 1_u64), by_id(1), r#"{"id":1,"ok":1}"#, false),
        (by_id(1).and("ok", 1_u64), by_id(1), r#"{"id":1,"ok":0}"#, true),
        (by_id(1), by_id(1), r#"{"id":1}"#, true),
        (Matcher::new("ok", true), by_id(1), r#"{"id":1,"ok":true}"#, true),
    ] {
        let mut subscriptions = table();
        // A later one that fits less well, or as well.
        let later = Subscription::new("+").confirm(Confirm::when(by_id(1)));
        let confirm = Confirm::when(when).refuse(refuse);
        let id = subscriptions.add(Subscription::new("+").confirm(confirm)).unwrap();
        subscriptions.add(later).unwrap();
        subscriptions.opened();
        say(&mut subscriptions, 1);
        let expected = match refused {
            true => Heard::Refused { id, consume: false },
            false => Heard::Confirmed { id, consume: false },
        };
        assert_eq!(subscriptions.received(&text(message)), expected, "{message}");
    }
}

#[test]
fn thousands_are_confirmed_in_any_order() {
    const MANY: u64 = if cfg!(miri) { 64 } else { 4096 };
    let mut subscriptions = table();
    for index in 0..MANY {
        subscriptions.add(channel(&index.to_string())).unwrap();
    }
    subscriptions.opened();
    assert_eq!(say(&mut subscriptions, 1).len() as u64, MANY);
    for index in 0..MANY {
        // They have no divisor in common.
        let index = (index * 1021) % MANY;
        let heard = subscriptions.received(&answer("ok", &index.to_string()));
        assert_eq!(heard, Heard::Confirmed { id: SubscriptionId(index + 1), consume: false });
    }
    assert_eq!(subscriptions.unconfirmed(), 0);
    assert_eq!(news(&mut subscriptions).len() as u64, MANY);
}

#[test]
fn nothing_that_is_said_is_shown() {
    let mut subscriptions = table();
    let secret = Matcher::new("token", "secret").and("n", Value::parse("[\"secret\"]").unwrap());
    let one = Subscription::new("secret").unsay("secret").confirm(Confirm::when(secret));
    let mut shown = format!("{one:?}");
    subscriptions.add(one).unwrap();
    subscriptions.opened();
    shown += &format!("{:?}", subscriptions.next_to_say());
    say(&mut subscriptions, 1);
    shown += &format!("{subscriptions:?}");
    subscriptions.received(&text(r#"{"token":"secret","n":["secret"]}"#));
    shown += &format!("{:?}", news(&mut subscriptions));
    assert!(shown.contains("Confirmed"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}
