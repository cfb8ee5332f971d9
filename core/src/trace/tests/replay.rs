//! Replaying: what is found, what is kept, and what memory is granted.

use super::*;

#[test]
fn what_was_left_untaken_is_left_untaken_anew() {
    let mut run = Recorded::new(Contents::Full, |_| {});
    run.after(10, opened(1));
    for _ in 0..2 {
        run.handle(received(1, Frame::Text("news".into()))).unwrap();
    }
    run.recorder.poll(&mut run.connection);
    run.after(1, Event::Tick);
    let trace = Trace::parse(run.text().as_bytes()).unwrap();
    assert_eq!(trace.record_anew().unwrap(), trace);
}

#[test]
fn a_state_that_holds_much_is_not_kept() {
    let kept = |size: usize| -> Vec<usize> {
        let mut long =
            Recorded::new(Contents::Redacted, |config| config.outbox.max_bytes = 2 << 20);
        long.after(1, opened(1));
        for step in 0..300 {
            long.after(1, Event::Tick);
            if step == 150 {
                // It is never flushed.
                long.after(1, Event::Send(Outgoing::new("a".repeat(size))));
            }
        }
        let trace = Trace::parse(long.text().as_bytes()).unwrap();
        let mut replay = Replay::new(&trace).unwrap();
        replay.seek(usize::MAX).unwrap();
        replay.snapshots.iter().map(|state| state.done).collect()
    };
    let most = usize::try_from(crate::trace::replay::LARGEST_SNAPSHOT).unwrap();
    assert_eq!(kept(most), [64, 128, 192, 256]);
    assert_eq!(kept(most + 1), [64, 128]);
}

#[test]
fn memory_is_granted_to_the_byte() {
    let mut run = Recorded::new(Contents::Redacted, |_| {});
    run.after(1, opened(1));
    run.after(1, Event::Send(Outgoing::new("a".repeat(100))));
    run.after(1, Event::Tick);
    let trace = Trace::parse(run.text().as_bytes()).unwrap();
    let granted = |bytes| Replay::new(&trace).unwrap().limit(bytes);
    assert!(granted(99).seek(usize::MAX).is_err());
    assert!(granted(100).seek(usize::MAX).is_ok());
    // What takes none needs none, whatever is held.
    let mut replay = granted(100);
    replay.seek(3).unwrap();
    assert!(replay.limit(50).seek(usize::MAX).is_ok());
}

#[test]
fn the_answer_to_a_ping_is_kept_where_contents_are_not() {
    let mut run = Recorded::new(Contents::Redacted, |_| {});
    run.after(10, opened(1));
    let mut asked = None;
    while asked.is_none() {
        run.now = run.connection.status().deadline.unwrap().0;
        run.handle(Event::Tick).unwrap();
        loop {
            match run.recorder.poll(&mut run.connection) {
                Action::Write { frame: Frame::Ping(nonce), .. } => asked = Some(nonce),
                Action::Wait { .. } => break,
                _ => {}
            }
        }
    }
    run.after(5, received(1, Frame::Pong(asked.unwrap())));
    assert_eq!(run.connection.status().rtt, Some(Duration::from_millis(5)));
    identical(&Trace::parse(run.text().as_bytes()).unwrap());
}
