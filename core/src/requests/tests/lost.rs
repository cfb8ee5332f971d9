//! What the clock, the transport and the application do to a request.

use super::*;

const UNCERTAIN: Fate = Fate::Uncertain(Doubt::Lost);

#[test]
fn what_was_flushed_is_lost_with_the_transport_or_sent_again() {
    let mut requests = table();
    requests.transport_opened();
    for (seq, class) in [Class::Volatile, Class::Queued, Class::Acknowledged].iter().enumerate() {
        ask(&mut requests, *class, seq as u64 + 1);
        assert!(requests.flushed(Seq(seq as u64 + 1)));
    }
    requests.transport_lost();
    assert_eq!(ends(&mut requests), [(1, Outcome::Lost), (2, Outcome::Lost)]);
    assert_eq!(requests.next_resend(), None, "not before a transport is open");
    requests.transport_opened();
    let (id, payload) = requests.next_resend().unwrap();
    assert_eq!(payload.as_text(), Some(r#"{"jsonrpc":"2.0","id":3,"method":"do"}"#));
    requests.sent(id, Seq(4));
    assert_eq!(requests.next_resend(), None);
    requests.received(&result(3));
    assert!(matches!(ends(&mut requests)[..], [(3, Outcome::Answered(_))]));
    assert_eq!(requests.poll_cancellation(), Some(Seq(4)), "it may still wait to be sent");
    assert!(requests.undelivered(Seq(4), Fate::Cancelled));
    assert_eq!((requests.in_flight(), requests.messages(), requests.bytes()), (0, 0, 0));
}

#[test]
fn what_is_put_off_waits_for_the_next_transport() {
    let mut requests = table();
    for seq in 1..=2 {
        ask(&mut requests, Class::Acknowledged, seq);
        assert!(requests.flushed(Seq(seq)));
    }
    requests.transport_lost();
    requests.transport_opened();
    let (first, _) = requests.next_resend().unwrap();
    requests.put_off(first);
    assert_eq!(resends(&mut requests), [2]);
    assert!(!requests.has_resends());
    requests.put_off(first);
    requests.transport_lost();
    requests.transport_opened();
    assert!(requests.has_resends());
    assert_eq!(requests.next_resend().unwrap().0, first);
}

#[test]
fn what_was_not_handed_over_waits() {
    let mut requests = table();
    for (seq, class) in [(1, Class::Queued), (2, Class::Acknowledged)] {
        ask(&mut requests, class, seq);
    }
    requests.transport_lost();
    requests.transport_opened();
    assert!(resends(&mut requests).is_empty(), "the connection still has both");
    assert_eq!(requests.in_flight(), 2);
    assert!(requests.undelivered(Seq(1), UNCERTAIN) && requests.undelivered(Seq(2), UNCERTAIN));
    assert_eq!(ends(&mut requests), [(1, Outcome::Lost)]);
    requests.transport_lost();
    requests.transport_opened();
    assert_eq!(resends(&mut requests), [2]);
}

#[test]
fn what_the_connection_gives_up_ends_with_its_fate() {
    for class in [Class::Volatile, Class::Queued, Class::Acknowledged] {
        for fate in [
            Fate::Expired,
            Fate::Cancelled,
            Fate::Dropped(DropReason::NotOpen),
            Fate::Dropped(DropReason::Lost),
            Fate::Dropped(DropReason::Oldest),
            Fate::Dropped(DropReason::Suspended),
            Fate::Uncertain(Doubt::Suspended),
        ] {
            let mut requests = table();
            ask(&mut requests, class, 1);
            assert!(requests.undelivered(Seq(1), fate));
            assert!(!requests.undelivered(Seq(1), fate), "once");
            assert_eq!(ends(&mut requests), [(1, Outcome::Undelivered(fate))], "{class:?}");
        }
    }
}

#[test]
fn a_resend_goes_on_whatever_became_of_the_last() {
    let mut requests = table();
    for seq in 1..=3 {
        ask(&mut requests, Class::Acknowledged, seq);
        requests.flushed(Seq(seq));
    }
    let mut seq = 3;
    for fate in [UNCERTAIN, Fate::Cancelled, Fate::Dropped(DropReason::Oldest), Fate::Expired] {
        requests.transport_lost();
        requests.transport_opened();
        for expected in 1..=3 {
            let (id, _) = requests.next_resend().unwrap();
            assert_eq!(id.get(), expected, "in the original order");
            seq += 1;
            requests.sent(id, Seq(seq));
            requests.undelivered(Seq(seq), fate);
        }
        assert_eq!(requests.next_resend(), None, "not twice on one transport");
    }
    assert!(ends(&mut requests).is_empty());
}

#[test]
fn a_resend_that_is_refused_is_the_next_again() {
    let mut requests = table();
    for seq in 1..=3 {
        ask(&mut requests, Class::Acknowledged, seq);
        requests.flushed(Seq(seq));
    }
    requests.transport_lost();
    requests.transport_opened();
    let (first, _) = requests.next_resend().unwrap();
    requests.sent(first, Seq(4));
    let (second, _) = requests.next_resend().unwrap();
    assert!(!requests.unsent(second));
    assert!(requests.has_resends());
    assert_eq!(resends(&mut requests), [2, 3]);
    assert!(!requests.has_resends());
    // Taken and never sent: with the next transport.
    requests.transport_lost();
    requests.transport_opened();
    assert_eq!(resends(&mut requests), [2, 3], "the connection has the first");
}

#[test]
fn a_resend_that_outlived_a_transport_and_is_given_up_waits_for_the_next() {
    let mut requests = table();
    for seq in 1..=3 {
        ask(&mut requests, Class::Acknowledged, seq);
        requests.flushed(Seq(seq));
    }
    requests.transport_lost();
    requests.transport_opened();
    for seq in [4, 5] {
        let (id, _) = requests.next_resend().unwrap();
        requests.sent(id, Seq(seq));
    }
    // The connection keeps the first and the second. The third is due, and which of them is given up
    // makes no difference.
    requests.transport_lost();
    requests.transport_opened();
    requests.undelivered(Seq(4), Fate::Expired);
    assert_eq!(requests.next_resend().unwrap().0, RequestId(3));
    requests.undelivered(Seq(5), Fate::Expired);
    assert_eq!(requests.next_resend(), None);
    requests.transport_lost();
    requests.transport_opened();
    assert_eq!(resends(&mut requests), [1, 2, 3]);
}

#[test]
fn what_was_not_accepted_is_forgotten() {
    let mut requests = table();
    let issued = requests.issue(NOW, call(Class::Acknowledged)).unwrap();
    assert!(requests.unsent(issued.id));
    assert!(!requests.unsent(issued.id));
    assert_eq!((requests.in_flight(), requests.bytes(), requests.deadline()), (0, 0, None));
    assert_eq!(requests.poll_ended(), None);
    assert_eq!(requests.issue(NOW, call(Class::Queued)).unwrap().id.get(), 2, "no id comes twice");
}

#[test]
fn time_ends_what_is_not_answered() {
    let mut requests = table();
    let queued = requests.issue(NOW, call(Class::Queued).timeout(Duration::from_secs(9))).unwrap();
    requests.sent(queued.id, Seq(1));
    ask(&mut requests, Class::Acknowledged, 2);
    requests.flushed(Seq(2));
    assert_eq!(requests.deadline(), Some(NOW + Duration::from_secs(9)));
    requests.tick(NOW + Duration::from_nanos(8_999_999_999));
    assert!(ends(&mut requests).is_empty());
    requests.tick(NOW + Duration::from_secs(9));
    assert_eq!(ends(&mut requests), [(1, Outcome::TimedOut)]);
    assert_eq!(requests.poll_cancellation(), Some(Seq(1)));
    assert_eq!(requests.poll_cancellation(), None);
    assert_eq!(requests.deadline(), Some(NOW + Duration::from_secs(30)));
    requests.transport_lost();
    requests.tick(Instant::from_nanos(u64::MAX));
    assert_eq!(ends(&mut requests), [(2, Outcome::TimedOut)]);
    assert_eq!(requests.poll_cancellation(), None, "it was flushed");
    assert_eq!(requests.deadline(), None);
    requests.transport_opened();
    assert!(resends(&mut requests).is_empty());
    assert_eq!(requests.received(&result(2)), Heard::Stray { id: 2 });
}

#[test]
fn a_cancellation_that_comes_too_late_is_not_asked_for() {
    let mut requests = table();
    ask(&mut requests, Class::Queued, 1);
    requests.tick(NOW + Duration::from_secs(30));
    assert!(requests.flushed(Seq(1)), "it is known after its request has ended");
    assert_eq!(requests.poll_cancellation(), None);
}

#[test]
fn the_application_takes_back() {
    let mut requests = table();
    let issued = requests.issue(NOW, call(Class::Queued)).unwrap();
    let queued = ask(&mut requests, Class::Queued, 1);
    let flushed = ask(&mut requests, Class::Acknowledged, 2);
    requests.flushed(Seq(2));
    assert_eq!(requests.cancel(issued.id), Ok(None));
    assert_eq!(requests.cancel(queued), Ok(Some(Seq(1))));
    assert_eq!(requests.cancel(flushed), Ok(None));
    assert_eq!(requests.cancel(flushed), Err(NotPending(flushed)));
    assert_eq!(requests.cancel(RequestId(9)), Err(NotPending(RequestId(9))));
    assert!(ends(&mut requests).iter().all(|(_, outcome)| *outcome == Outcome::Cancelled));
    // It was accepted after all.
    requests.sent(issued.id, Seq(3));
    assert_eq!(requests.poll_cancellation(), Some(Seq(3)));
}

#[test]
fn close_ends_all() {
    let mut requests = table();
    ask(&mut requests, Class::Queued, 1);
    ask(&mut requests, Class::Acknowledged, 2);
    requests.flushed(Seq(2));
    requests.transport_lost();
    requests.close();
    requests.close();
    assert_eq!(ends(&mut requests), [(1, Outcome::Closed), (2, Outcome::Closed)]);
    assert!(requests.undelivered(Seq(1), Fate::Dropped(DropReason::Closed)));
    requests.transport_opened();
    assert!(resends(&mut requests).is_empty());
    assert_eq!((requests.messages(), requests.deadline()), (0, None));
}
