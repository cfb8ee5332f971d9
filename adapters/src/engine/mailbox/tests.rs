use super::*;
use crate::counting::allocations;
use crate::engine::shelf::{Pushed, Verdict};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// No wait of a test is longer.
const LONG: Duration = Duration::from_secs(20);

fn capacity(messages: usize, bytes: usize, slow: SlowConsumer) -> Capacity {
    Capacity { messages, bytes, slow }
}

/// A mailbox of numbers on a shelf, and what it says.
fn on<T>(shelf: &Shelf<T>, capacity: Capacity) -> (Post<T>, Mail<T>, Receiver<Said>) {
    let (say, said) = channel();
    let say = Mutex::new(say);
    let (post, mail) = mailbox(capacity, shelf, move |what| {
        let _ = say.lock().expect("no panic").send(what);
    });
    (post, mail, said)
}

/// A mailbox of numbers, what it says, and the shelf that it has for itself.
fn numbers(capacity: Capacity) -> (Post<u32>, Mail<u32>, Receiver<Said>, Shelf<u32>) {
    let shelf = Shelf::default();
    let (post, mail, said) = on(&shelf, capacity);
    (post, mail, said, shelf)
}

impl<T> Post<T> {
    /// As the driver puts something into this one alone.
    fn push(&self, item: T, size: usize) -> Pushed {
        self.shelf().lock().put(self, item, size)
    }
}

fn push(post: &Post<u32>, item: u32, size: usize) -> Verdict {
    let Pushed { verdict, wake } = post.push(item, size);
    if let Some(waker) = wake {
        waker.wake();
    }
    verdict
}

/// Everything that is there.
fn all(mail: &mut Mail<u32>) -> Vec<u32> {
    std::iter::from_fn(|| mail.try_recv()).map(|next| next.expect("not cut off")).collect()
}

#[test]
fn what_is_put_in_comes_out_in_order() {
    let (post, mut mail, said, _) = numbers(Capacity::default());
    assert!(mail.try_recv().is_none());
    for round in 0..3 {
        for item in 0..200 {
            assert_eq!(push(&post, round * 200 + item, 8), Verdict::Taken);
        }
        let expected: Vec<_> = (round * 200..(round + 1) * 200).collect();
        assert_eq!(all(&mut mail), expected);
    }
    assert!(!mail.has_ended());
    assert!(said.try_recv().is_err(), "there is nothing to say");
}

#[test]
fn full_at_a_limit_and_room_at_half() {
    for (size, limit) in [
        (1, capacity(8, 1_000, SlowConsumer::Block)),
        (100, Capacity { messages: 1_000, bytes: 800, slow: SlowConsumer::Block }),
    ] {
        let (post, mut mail, said, shelf) = numbers(limit);
        for item in 0..7 {
            assert_eq!(push(&post, item, size), Verdict::Taken);
        }
        assert!(!shelf.is_congested());
        // The turn goes on for a little, and all of it is kept.
        for item in 7..10 {
            assert_eq!(push(&post, item, size), Verdict::Full);
        }
        assert!(shelf.is_congested());
        let mut seen = Vec::new();
        while said.try_recv().is_err() {
            seen.push(mail.try_recv().expect("it holds some").expect("not cut off"));
        }
        let half = (5..=7).contains(&seen.len());
        assert!(half, "room at half of {limit:?}: after {}", seen.len());
        assert!(!shelf.is_congested());
        assert_eq!(push(&post, 10, size), Verdict::Taken);
        seen.extend(all(&mut mail));
        assert_eq!(seen, (0..11).collect::<Vec<_>>());
        assert_eq!(mail.missed(), 0);
    }
}

#[test]
fn who_reads_on_too_early_is_told_again() {
    let (post, mut mail, said, _) = numbers(capacity(8, 1_000, SlowConsumer::Block));
    (0..8).for_each(|item| drop(post.push(item, 1)));
    assert_eq!(mail.try_recv(), Some(Ok(0)));
    assert_eq!(push(&post, 8, 1), Verdict::Full, "it still waits for half");
    all(&mut mail);
    assert_eq!(said.try_iter().collect::<Vec<_>>(), [Said::Room], "once");
}

#[test]
fn the_last_that_is_full_says_that_there_is_room() {
    let shelf = Shelf::default();
    let (say, said) = channel();
    let make = |name: u32| {
        let say = Mutex::new(say.clone());
        mailbox::<u32>(capacity(4, 100, SlowConsumer::Block), &shelf, move |what| {
            let _ = say.lock().expect("no panic").send((name, what));
        })
    };
    let ((first, mut first_mail), (second, second_mail)) = (make(1), make(2));
    (0..4).for_each(|item| drop((first.push(item, 1), second.push(item, 1))));
    while first_mail.try_recv().is_some() {}
    assert!(said.try_recv().is_err(), "the second is full");
    drop(second_mail);
    assert_eq!(said.try_iter().collect::<Vec<_>>(), [(2, Said::Room), (2, Said::Left)]);
    assert!(!shelf.is_congested());
    assert_eq!(push(&second, 9, 1), Verdict::Over);
    assert_eq!(push(&first, 9, 1), Verdict::Taken);
}

#[test]
fn the_oldest_make_room_and_are_counted() {
    let (post, mut mail, _, shelf) = numbers(capacity(8, 1_000, SlowConsumer::DropOldest));
    for item in 0..20 {
        assert_eq!(push(&post, item, 1), Verdict::Taken);
    }
    assert!(!shelf.is_congested());
    assert_eq!((mail.try_recv(), mail.missed()), (Some(Ok(12)), 12));
    assert_eq!((mail.try_recv(), mail.missed()), (Some(Ok(13)), 0));
    // What was fetched together is the subscriber's, and is missed by nobody.
    for item in 20..40 {
        assert_eq!(push(&post, item, 1), Verdict::Taken);
    }
    let mut last = 13;
    let mut seen = 0;
    while let Some(next) = mail.try_recv() {
        let next = next.expect("not cut off");
        assert_eq!(u64::from(next - last - 1), mail.missed(), "before {next}");
        last = next;
        seen += 1;
    }
    assert_eq!(last, 39);
    assert!((8..=10).contains(&seen), "{seen}");
}

#[test]
fn bytes_make_room_too_and_a_large_one_is_held_alone() {
    let (post, mut mail, _, _) = numbers(capacity(100, 100, SlowConsumer::DropOldest));
    for (item, size) in [(1, 60), (2, 30), (3, 60), (4, 500)] {
        assert_eq!(push(&post, item, size), Verdict::Taken);
    }
    assert_eq!((mail.try_recv(), mail.missed()), (Some(Ok(4)), 3));
    let (post, mut mail, _, _) = numbers(capacity(100, 100, SlowConsumer::Disconnect));
    assert_eq!(push(&post, 1, 500), Verdict::Taken);
    assert_eq!(mail.try_recv(), Some(Ok(1)));
    assert_eq!(push(&post, 2, 60), Verdict::Taken);
    assert_eq!(push(&post, 3, 41), Verdict::Over);
}

#[test]
fn who_is_cut_off_gets_what_it_holds_and_is_told_once() {
    let (post, mut mail, said, _) = numbers(capacity(3, 100, SlowConsumer::Disconnect));
    for item in 0..3 {
        assert_eq!(push(&post, item, 1), Verdict::Taken);
    }
    assert_eq!(push(&post, 3, 1), Verdict::Over);
    assert_eq!(push(&post, 4, 1), Verdict::Over, "though there may be room by now");
    assert!(post.close().is_none());
    for item in 0..3 {
        assert_eq!(mail.recv(), Some(Ok(item)));
    }
    assert!(!mail.has_ended());
    assert_eq!(mail.recv(), Some(Err(Lagged)));
    assert!(mail.has_ended());
    assert_eq!(mail.recv(), None);
    drop(mail);
    assert!(said.try_recv().is_err(), "the driver knows already");
}

#[test]
fn the_end_comes_after_what_is_held() {
    let (post, mut mail, said, _) = numbers(Capacity::default());
    assert_eq!(push(&post, 1, 1), Verdict::Taken);
    assert!(post.close().is_none(), "nobody waits");
    assert_eq!(push(&post, 2, 1), Verdict::Over);
    assert_eq!(mail.recv_timeout(LONG), Ok(Some(Ok(1))));
    assert_eq!(mail.recv_timeout(LONG), Ok(None));
    assert_eq!((mail.recv(), mail.try_recv()), (None, None));
    assert!(mail.has_ended());
    drop(mail);
    assert!(said.try_recv().is_err());
}

#[test]
fn a_driver_that_is_gone_is_an_end() {
    let (post, mut mail, ..) = numbers(Capacity::default());
    let waits = thread::spawn(move || (mail.recv(), mail.recv()));
    assert_eq!(push(&post, 1, 1), Verdict::Taken);
    drop(post);
    assert_eq!(waits.join().expect("no panic"), (Some(Ok(1)), None));
}

#[test]
fn a_subscriber_that_leaves_says_so_and_drops_what_it_holds() {
    let held = Arc::new(());
    let (post, mail, said) = on(&Shelf::default(), Capacity::default());
    for _ in 0..10 {
        assert_eq!(post.push(Arc::clone(&held), 1).verdict, Verdict::Taken);
    }
    drop(mail);
    assert_eq!(Arc::strong_count(&held), 1);
    assert_eq!(said.try_iter().collect::<Vec<_>>(), [Said::Left]);
    assert_eq!(post.push(Arc::clone(&held), 1).verdict, Verdict::Over);
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn a_wait_ends_at_its_deadline_and_can_be_taken_up_again() {
    let (post, mut mail, ..) = numbers(Capacity::default());
    assert_eq!(mail.recv_timeout(Duration::from_millis(5)), Err(Timeout));
    assert_eq!(push(&post, 1, 1), Verdict::Taken);
    assert_eq!(mail.recv_timeout(LONG), Ok(Some(Ok(1))));
    assert_eq!(mail.recv_timeout(Duration::ZERO), Err(Timeout));
    assert_eq!(mail.recv_timeout(Duration::from_millis(5)), Err(Timeout));
}

#[test]
fn the_waker_is_given_once_and_to_the_last_who_asked() {
    let (post, mut mail, ..) = numbers(Capacity::default());
    let (first, second) = (Signal::new(), Signal::new());
    for waker in [&first.1, &second.1] {
        assert!(mail.poll_recv(&mut Context::from_waker(waker)).is_pending());
    }
    let pushed = post.push(1, 1);
    assert!(pushed.wake.expect("somebody waits").will_wake(&second.1));
    assert!(post.push(2, 1).wake.is_none());
    let cx = &mut Context::from_waker(&second.1);
    for item in [1, 2] {
        assert_eq!(mail.poll_recv(cx), Poll::Ready(Some(Ok(item))));
    }
    assert!(mail.poll_recv(cx).is_pending());
    assert!(post.close().is_some());
    assert_eq!(mail.poll_recv(cx), Poll::Ready(None));
}

#[test]
fn in_steady_state_nothing_is_allocated() {
    let (post, mut mail, ..) = numbers(Capacity::default());
    let mut round = || {
        (0..100).for_each(|item| drop(post.push(item, 8)));
        while mail.try_recv().is_some() {}
    };
    (0..4).for_each(|_| round());
    assert_eq!(allocations(|| (0..10).for_each(|_| round())), 0);
}

#[test]
fn no_payload_is_shown() {
    let (post, mail) = mailbox(Capacity::default(), &Shelf::default(), |_| ());
    drop(post.push("secret", 6));
    let shown = format!("{post:?} {mail:?}");
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains("bytes: 6"), "{shown}");
}

/// What the driver does, on a thread of its own: it puts in `count` numbers, and stops while it is
/// told to.
fn drive(post: Post<u32>, said: Receiver<Said>, count: u32) -> thread::JoinHandle<bool> {
    thread::spawn(move || {
        (0..count).all(|item| {
            let verdict = push(&post, item, 1);
            if item % 97 == 0 {
                thread::yield_now();
            }
            // Without this the other side would be asleep hardly ever.
            if item % 1_000 == 0 {
                thread::sleep(Duration::from_micros(100));
            }
            match verdict {
                Verdict::Taken => true,
                Verdict::Full => said.recv_timeout(LONG) == Ok(Said::Room),
                Verdict::Over => false,
            }
        })
    })
}

const MANY: u32 = 20_000;

/// Waits for the next one as one style or another does, but not for ever.
type Wait = fn(&mut Mail<u32>) -> Option<Result<u32, Lagged>>;

const STYLES: &[Wait] = &[
    |mail| mail.recv_timeout(LONG).expect("in time"),
    |mail| {
        // A short wait that is given up again and again.
        let end = Instant::now() + LONG;
        loop {
            if let Ok(next) = mail.recv_timeout(Duration::from_micros(20)) {
                return next;
            }
            assert!(Instant::now() < end, "in time");
        }
    },
    |mail| {
        let (signal, waker) = Signal::new();
        loop {
            if let Poll::Ready(next) = mail.poll_recv(&mut Context::from_waker(&waker)) {
                return next;
            }
            assert!(signal.wait(Some(Instant::now() + LONG)), "in time");
        }
    },
    #[cfg(feature = "async")]
    |mail| {
        use futures_lite::FutureExt as _;
        let late = async {
            smol::Timer::after(LONG).await;
            panic!("in time")
        };
        futures_lite::future::block_on(mail.recv_async().or(late))
    },
    #[cfg(feature = "async")]
    |mail| {
        use futures_lite::StreamExt;
        use futures_lite::future::{block_on, poll_once};
        // Given up once before it is awaited.
        block_on(poll_once(StreamExt::next(mail)))
            .unwrap_or_else(|| block_on(StreamExt::next(mail)))
    },
];

#[test]
fn no_wake_up_is_lost_and_nothing_else_either() {
    for (style, wait) in STYLES.iter().enumerate() {
        for messages in [1, 4, 256] {
            let limit = capacity(messages, 1 << 20, SlowConsumer::Block);
            let (post, mut mail, said, shelf) = numbers(limit);
            let count = if messages == 1 { MANY / 10 } else { MANY };
            let driver = drive(post, said, count);
            let mut expected = 0;
            while let Some(next) = wait(&mut mail) {
                assert_eq!(next, Ok(expected), "style {style}, {messages}");
                expected += 1;
            }
            assert!(driver.join().expect("no panic"));
            assert_eq!(expected, count, "style {style}, {messages}");
            assert!(!shelf.is_congested());
        }
    }
}

#[test]
fn what_is_missed_and_what_is_not_is_everything() {
    for wait in STYLES {
        let (post, mut mail, said, _) = numbers(capacity(16, 1 << 20, SlowConsumer::DropOldest));
        let driver = drive(post, said, MANY);
        let mut expected = 0;
        while let Some(next) = wait(&mut mail) {
            let next = u64::from(next.expect("not cut off"));
            assert_eq!(next, expected + mail.missed());
            expected = next + 1;
        }
        assert!(driver.join().expect("no panic"));
        assert_eq!(expected, u64::from(MANY), "the last ones are never missed");
    }
}
