use std::sync::mpsc::channel;
use std::task::{Context, Wake};
use std::thread;
use std::time::Duration;

use super::*;
use crate::engine::mailbox::{Mail, mailbox};

/// No wait of a test is longer.
const LONG: Duration = Duration::from_secs(20);

fn mailbox_on<T>(shelf: &Shelf<T>, slow: SlowConsumer) -> (Post<T>, Mail<T>) {
    let capacity = Capacity { messages: 4, bytes: 1_000, slow };
    mailbox(capacity, shelf, |_| ())
}

fn put<T>(shelf: &Shelf<T>, post: &Post<T>, item: T) -> Verdict {
    let pushed = shelf.lock().put(post, item, 1);
    pushed.wake.into_iter().for_each(Waker::wake);
    pushed.verdict
}

#[test]
fn each_mailbox_holds_what_was_put_into_it() {
    let shelf = Shelf::default();
    let mut ends: Vec<_> = (0..10).map(|_| mailbox_on(&shelf, SlowConsumer::DropOldest)).collect();
    for round in 0..3 {
        let mut sorting = shelf.lock();
        for (number, (post, _)) in ends.iter().enumerate() {
            assert_eq!(sorting.put(post, (round, number), 1).verdict, Verdict::Taken);
        }
        drop(sorting);
        for (number, (_, mail)) in ends.iter_mut().enumerate() {
            assert_eq!(mail.try_recv(), Some(Ok((round, number))));
            assert_eq!(mail.try_recv(), None);
        }
    }
}

#[test]
fn a_place_is_used_again_when_both_ends_are_gone_and_not_before() {
    let shelf = Shelf::default();
    let (first, _kept) = mailbox_on(&shelf, SlowConsumer::DropOldest);
    for round in 0..10 {
        // The driver's end goes first.
        let (post, mut mail) = mailbox_on(&shelf, SlowConsumer::Block);
        assert_eq!(put(&shelf, &post, round), Verdict::Taken);
        drop(post);
        let (_post, mut other) = mailbox_on(&shelf, SlowConsumer::Block);
        assert_eq!(other.try_recv(), None, "it is another one's place");
        assert_eq!(mail.try_recv(), Some(Ok(round)));
        assert_eq!((mail.try_recv(), mail.has_ended()), (None, true));
        // The subscriber's end goes first.
        let (post, mail) = mailbox_on(&shelf, SlowConsumer::Block);
        assert_eq!(put(&shelf, &post, round), Verdict::Taken);
        drop(mail);
        let (_post, mut other) = mailbox_on(&shelf, SlowConsumer::Block);
        assert_eq!(put(&shelf, &post, round), Verdict::Over);
        assert_eq!(other.try_recv(), None, "it is another one's place");
        assert_eq!(put(&shelf, &first, round), Verdict::Taken);
    }
    assert_eq!(shelf.places().held.len(), 5, "as many as there were at once");
    assert_eq!(shelf.places().free.len(), 4);
}

#[test]
fn who_looks_in_vain_does_not_ask_for_the_lock_again() {
    let shelf = Shelf::default();
    let (post, mut mail) = mailbox_on(&shelf, SlowConsumer::Block);
    assert_eq!(mail.try_recv(), None);
    // The lock is held as long as this lives.
    let sorting = shelf.lock();
    let (tell, told) = channel();
    let looker = thread::spawn(move || {
        let looked = (0..100).all(|_| mail.try_recv().is_none());
        let _ = tell.send(looked);
        mail
    });
    let looked = told.recv_timeout(LONG);
    drop(sorting);
    assert_eq!(looked, Ok(true), "it did not wait");
    let mut mail = looker.join().expect("no panic");
    assert_eq!(put(&shelf, &post, 7), Verdict::Taken);
    assert_eq!(mail.try_recv(), Some(Ok(7)));
    assert_eq!(mail.try_recv(), None);
    drop(post);
    assert_eq!((mail.try_recv(), mail.has_ended()), (None, true), "an end is news too");
}

/// A waker that holds a mailbox of the same shelf, as one of a task does that nobody else holds.
struct Holding {
    _mail: Mutex<Mail<u32>>,
}

impl Wake for Holding {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn what_is_dropped_with_a_waker_may_want_the_lock() {
    let (tell, told) = channel();
    let holds = thread::spawn(move || {
        let shelf = Shelf::default();
        let holding = || {
            let (post, mail) = mailbox_on(&shelf, SlowConsumer::Block);
            (post, Waker::from(Arc::new(Holding { _mail: Mutex::new(mail) })))
        };
        let (_post, mut mail) = mailbox_on(&shelf, SlowConsumer::Block);
        let ((one, first), (other, second)) = (holding(), holding());
        // Replaced by another one; and left behind by a subscriber that goes.
        assert!(mail.poll_recv(&mut Context::from_waker(&first)).is_pending());
        drop(first);
        assert!(mail.poll_recv(&mut Context::from_waker(&second)).is_pending());
        assert_eq!(put(&shelf, &one, 1), Verdict::Over);
        drop(second);
        assert_eq!(put(&shelf, &other, 1), Verdict::Taken);
        drop(mail);
        assert_eq!(put(&shelf, &other, 1), Verdict::Over);
        let _ = tell.send(());
    });
    assert_eq!(told.recv_timeout(LONG), Ok(()), "nobody waits for himself");
    holds.join().expect("no panic");
}

const MANY: u32 = 20_000;

/// A subscriber that fetches all there is and hands on how many it got and missed.
fn fetch_all(mut mail: Mail<u32>) -> thread::JoinHandle<(u32, u64)> {
    thread::spawn(move || {
        let (mut got, mut missed) = (0, 0);
        while let Some(next) = mail.recv_timeout(LONG).expect("in time") {
            let next = next.expect("not cut off");
            missed += mail.missed();
            assert_eq!(u64::from(next), u64::from(got) + missed);
            got += 1;
        }
        (got, missed)
    })
}

#[test]
fn each_policy_is_kept_whatever_the_others_do() {
    let shelf = Shelf::default();
    let (says, said) = channel();
    let says = Mutex::new(says);
    let capacity = Capacity { messages: 64, bytes: 1 << 20, slow: SlowConsumer::Block };
    let (blocks, mail) = mailbox(capacity, &shelf, move |what| {
        let _ = says.lock().expect("no panic").send(what);
    });
    let blocking = fetch_all(mail);
    let (oldest, mail) = mailbox_on(&shelf, SlowConsumer::DropOldest);
    let dropping = fetch_all(mail);
    let (lazy, mut never_reads) = mailbox_on(&shelf, SlowConsumer::DropOldest);
    let (strict, mut cut_off) = mailbox_on(&shelf, SlowConsumer::Disconnect);
    for item in 0..MANY {
        let mut sorting = shelf.lock();
        let pushed = [&blocks, &oldest, &lazy, &strict].map(|post| sorting.put(post, item, 1));
        drop(sorting);
        let verdicts = pushed.map(|pushed| {
            pushed.wake.into_iter().for_each(Waker::wake);
            pushed.verdict
        });
        assert_eq!(verdicts[1..3], [Verdict::Taken; 2], "it never stops anybody");
        assert_eq!(verdicts[3] == Verdict::Over, item >= 4);
        if verdicts[0] == Verdict::Full {
            assert!(said.recv_timeout(LONG).is_ok(), "there is room again");
        }
    }
    drop((blocks, oldest, lazy, strict));
    assert_eq!(blocking.join().expect("no panic"), (MANY, 0), "nothing is lost");
    let (got, missed) = dropping.join().expect("no panic");
    assert_eq!(u64::from(got) + missed, u64::from(MANY));
    let last: Vec<_> = std::iter::from_fn(|| never_reads.try_recv()).collect();
    assert_eq!(last, (MANY - 4..MANY).map(Ok).collect::<Vec<_>>());
    let first: Vec<_> = std::iter::from_fn(|| cut_off.try_recv()).take(4).collect();
    assert_eq!(first, (0..4).map(Ok).collect::<Vec<_>>());
    assert_eq!(cut_off.try_recv(), Some(Err(crate::error::Lagged)));
    assert!(!shelf.is_congested());
}
