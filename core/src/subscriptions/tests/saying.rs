//! What is said when.

use super::*;

#[test]
fn all_that_lives_is_said_again_in_the_order_in_which_it_was_added() {
    let mut subscriptions = table();
    let a = subscriptions.add(plain("a")).unwrap();
    subscriptions.add(plain("b")).unwrap();
    assert_eq!(subscriptions.next_to_say(), None, "there is no transport");
    subscriptions.opened();
    assert_eq!(say(&mut subscriptions, 1), ["+a", "+b"]);
    subscriptions.add(plain("c")).unwrap();
    assert_eq!(say(&mut subscriptions, 3), ["+c"]);
    subscriptions.lost();
    assert_eq!(subscriptions.remove(a), Some(Removed::Nothing));
    subscriptions.add(plain("a")).unwrap();
    assert_eq!(subscriptions.next_to_say(), None);
    subscriptions.opened();
    assert_eq!(say(&mut subscriptions, 4), ["+b", "+c", "+a"]);
    for seq in 1..=6 {
        assert!(subscriptions.flushed(Seq(seq)), "{seq}");
    }
    assert!(!subscriptions.flushed(Seq(7)));
    assert_eq!(subscriptions.messages(), 0);
}

#[test]
fn what_is_added_or_removed_while_it_opens_takes_its_place() {
    let mut subscriptions = table();
    let ids: Vec<_> =
        ["a", "b", "c"].iter().map(|name| subscriptions.add(plain(name)).unwrap()).collect();
    subscriptions.opened();
    let saying = subscriptions.next_to_say().unwrap();
    assert_eq!((saying.id, saying.what), (ids[0], What::Say));
    assert_eq!(subscriptions.next_to_say().unwrap(), saying, "until it was said");
    subscriptions.said(NOW, &saying, Seq(1));
    subscriptions.add(plain("d")).unwrap();
    assert_eq!(subscriptions.remove(ids[1]), Some(Removed::Nothing), "it was not said");
    assert_eq!(subscriptions.remove(ids[0]), Some(Removed::Unsay));
    assert_eq!(subscriptions.remove(ids[0]), None);
    subscriptions.add(plain("a")).unwrap();
    assert_eq!(say(&mut subscriptions, 2), ["+c", "+d", "-a", "+a"]);
}

#[test]
fn without_an_unsay_it_stands_until_the_transport_is_lost() {
    let mut subscriptions = table();
    let id = subscriptions.add(Subscription::new("+a")).unwrap();
    subscriptions.opened();
    say(&mut subscriptions, 1);
    assert_eq!(subscriptions.remove(id), Some(Removed::Stands));
    assert_eq!(subscriptions.next_to_say(), None);
}

#[test]
fn a_lost_transport_needs_no_unsay() {
    let mut subscriptions = table();
    let id = subscriptions.add(plain("a")).unwrap();
    subscriptions.opened();
    say(&mut subscriptions, 1);
    subscriptions.remove(id);
    assert_eq!(subscriptions.bytes(), 2);
    subscriptions.lost();
    subscriptions.opened();
    assert_eq!(subscriptions.next_to_say(), None);
    assert_eq!((subscriptions.live(), subscriptions.bytes()), (0, 0));
}

#[test]
fn equal_ones_are_each_said() {
    let mut subscriptions = table();
    let first = subscriptions.add(plain("a")).unwrap();
    subscriptions.add(plain("a")).unwrap();
    subscriptions.opened();
    assert_eq!(say(&mut subscriptions, 1), ["+a", "+a"]);
    subscriptions.remove(first);
    assert_eq!(say(&mut subscriptions, 3), ["-a"]);
    let living: Vec<_> = subscriptions.iter().map(|(id, one)| (id.get(), one.say.len())).collect();
    assert_eq!(living, [(2, 2)]);
}

#[test]
fn what_the_connection_gave_up_is_told_and_said_on_the_next_transport() {
    for fate in [Fate::Expired, Fate::Cancelled, Fate::Dropped(DropReason::Oldest)] {
        let mut subscriptions = table();
        let id = subscriptions.add(channel("a")).unwrap();
        subscriptions.opened();
        say(&mut subscriptions, 1);
        assert!(subscriptions.undelivered(Seq(1), fate));
        assert!(!subscriptions.undelivered(Seq(1), fate), "once");
        assert_eq!(news(&mut subscriptions), [(1, News::Undelivered(fate))]);
        assert_eq!((subscriptions.unconfirmed(), subscriptions.next_to_say()), (0, None));
        assert_eq!(subscriptions.received(&answer("ok", "a")), Heard::NotMine);
        subscriptions.opened();
        assert_eq!(say(&mut subscriptions, 2), ["+a"]);
        subscriptions.remove(id);
        assert_eq!(say(&mut subscriptions, 3), ["-a"]);
        assert!(subscriptions.undelivered(Seq(3), fate));
        assert_eq!(news(&mut subscriptions), [(1, News::Undelivered(fate))], "it still stands");
    }
}

#[test]
fn what_was_lost_with_its_transport_is_not_told() {
    let mut subscriptions = table();
    subscriptions.add(channel("a")).unwrap();
    subscriptions.opened();
    say(&mut subscriptions, 1);
    assert!(subscriptions.undelivered(Seq(1), Fate::Dropped(DropReason::Lost)));
    assert!(news(&mut subscriptions).is_empty());
    subscriptions.opened();
    say(&mut subscriptions, 2);
    subscriptions.opened();
    say(&mut subscriptions, 3);
    // Of the transport before.
    assert!(subscriptions.undelivered(Seq(2), Fate::Expired));
    assert!(news(&mut subscriptions).is_empty());
    assert_eq!(subscriptions.unconfirmed(), 1);
    subscriptions.lost();
    assert!(subscriptions.undelivered(Seq(3), Fate::Expired));
    assert!(news(&mut subscriptions).is_empty());
}

#[test]
fn bounds_give_the_subscription_back() {
    let limits = Limits { max_live: 2, max_bytes: 20 };
    let mut subscriptions = Subscriptions::new(limits).unwrap();
    subscriptions.opened();
    let first = subscriptions.add(plain("a")).unwrap();
    let large = plain("0123456789");
    let rejected = subscriptions.add(large.clone()).unwrap_err();
    assert!(matches!(rejected, SubscriptionRejected::TooLarge { size: 22, left: 16, .. }));
    assert_eq!(rejected.into_subscription(), large);
    subscriptions.add(plain("b")).unwrap();
    let rejected = subscriptions.add(plain("c")).unwrap_err();
    assert!(matches!(rejected, SubscriptionRejected::TooMany { limit: 2, .. }), "{rejected}");
    say(&mut subscriptions, 1);
    subscriptions.remove(first);
    assert!(subscriptions.add(plain("c")).is_err(), "the first is still to be unsaid");
    say(&mut subscriptions, 3);
    assert_eq!(subscriptions.add(plain("c")).unwrap().get(), 3);
    assert!(Subscriptions::new(Limits { max_live: 0, ..Limits::default() }).is_err());
    assert!(Subscriptions::new(Limits { max_bytes: 0, ..Limits::default() }).is_err());
    let limits: Limits = serde_json::from_str(r#"{"max_live":7}"#).unwrap();
    assert_eq!(limits, Limits { max_live: 7, max_bytes: 1 << 20 });
}

#[test]
fn adding_and_removing_without_end_takes_no_room() {
    let mut subscriptions = table();
    subscriptions.opened();
    let kept = subscriptions.add(plain("kept")).unwrap();
    for _ in 0..if cfg!(miri) { 100 } else { 10_000 } {
        let id = subscriptions.add(channel("a")).unwrap();
        subscriptions.remove(id);
    }
    assert_eq!(subscriptions.next_to_say().unwrap().id, kept);
    assert_eq!(say(&mut subscriptions, 1), ["+kept"]);
    assert_eq!(subscriptions.bytes(), 10);
    // News that nobody looks at is bounded too.
    let (mut added, most) = (0, if cfg!(miri) { 100 } else { u64::MAX });
    while added < most
        && let Ok(id) = subscriptions.add(channel("a"))
    {
        say(&mut subscriptions, 2 + added);
        subscriptions.received(&answer("no", "a"));
        subscriptions.remove(id);
        added += 1;
    }
    assert_eq!(added, most.min(4095));
}

#[test]
fn what_the_connection_will_not_take_is_told_and_does_not_hold_up_the_rest() {
    let mut subscriptions = table();
    subscriptions.opened();
    let large = subscriptions.add(plain("large")).unwrap();
    subscriptions.add(plain("b")).unwrap();
    let saying = subscriptions.next_to_say().unwrap();
    assert_eq!(saying.id, large);
    subscriptions.unsayable(&saying, "too large");
    subscriptions.unsayable(&saying, "too large");
    let detail = "too large".into();
    assert_eq!(news(&mut subscriptions), [(large.get(), News::Unsayable { detail })]);
    assert_eq!(say(&mut subscriptions, 1), ["+b"]);
    subscriptions.lost();
    subscriptions.opened();
    assert_eq!(say(&mut subscriptions, 2), ["+large", "+b"], "it is tried again");
}

#[test]
fn what_cannot_be_unsaid_takes_no_room_either() {
    let mut subscriptions = Subscriptions::new(Limits { max_live: 1, max_bytes: 4 }).unwrap();
    subscriptions.opened();
    for seq in 1..=3 {
        let id = subscriptions.add(plain("a")).expect("there is room, to the byte");
        say(&mut subscriptions, seq);
        subscriptions.remove(id);
        let saying = subscriptions.next_to_say().unwrap();
        assert_eq!((saying.id, saying.what), (id, What::Unsay));
        subscriptions.unsayable(&saying, "too large");
        assert_eq!(news(&mut subscriptions).len(), 1);
        assert_eq!((subscriptions.live(), subscriptions.bytes()), (0, 0));
    }
}

#[test]
fn what_confirms_takes_room() {
    let mut subscriptions = table();
    subscriptions.add(channel("a")).unwrap();
    // `+a` and `-a`, and two matchers of `type` and `channel` with their values in quotes.
    assert_eq!(subscriptions.bytes(), 2 + 2 + 2 * (4 + 4 + 7 + 3));
}
