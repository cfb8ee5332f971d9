//! Ten thousand at once, through twenty losses.

use alloc::collections::BTreeSet;

use super::*;
use crate::rng::{Rng, Stream};

const MANY: u64 = if cfg!(miri) { 200 } else { 10_000 };

#[test]
fn ten_thousand_are_answered_in_any_order_through_twenty_losses() {
    let mut random = Rng::new(0x5eed, Stream::Nonce);
    let mut requests = table();
    let mut now = NOW;
    let mut seq = 0;
    requests.transport_opened();
    let mut bytes = Vec::new();
    for _ in 0..MANY {
        let issued = requests.issue(now, call(Class::Acknowledged)).unwrap();
        seq += 1;
        requests.sent(issued.id, Seq(seq));
        bytes.push(issued.payload);
    }
    // The server acts once upon each id and answers in any order, and answers what is sent again.
    let mut at_server: Vec<u64> = Vec::new();
    let mut unflushed: Vec<(u64, u64)> = (1..=MANY).map(|id| (id, id)).collect();
    let mut answered = BTreeSet::new();
    for round in 0..=20 {
        // Some of what was sent reaches the server, in order; all of it in the last round.
        let through = match round {
            20 => unflushed.len(),
            _ => random.within(0, unflushed.len() as u64) as usize,
        };
        let rest = unflushed.split_off(through);
        for (seq, id) in unflushed.drain(..) {
            assert!(requests.flushed(Seq(seq)));
            at_server.push(id);
        }
        let answers = match round {
            20 => at_server.len(),
            _ => at_server.len() / 8,
        };
        for _ in 0..answers {
            now = now + Duration::from_micros(10);
            requests.tick(now);
            let which = random.within(0, at_server.len() as u64 - 1) as usize;
            let id = at_server.swap_remove(which);
            assert_eq!(requests.received(&result(id)), Heard::Answered { id: RequestId(id) });
            assert_eq!(requests.received(&result(id)), Heard::Stray { id }, "a duplicate");
            let ended = requests.poll_ended().expect("one end for one answer");
            assert!(matches!(ended.outcome, Outcome::Answered(_)));
            assert!(answered.insert(ended.id.get()), "each ends once");
            assert_eq!(requests.poll_ended(), None);
        }
        if round == 20 {
            break;
        }
        at_server.clear();
        for (seq, _) in rest {
            assert!(requests.undelivered(Seq(seq), Fate::Uncertain(Doubt::Lost)));
        }
        requests.transport_lost();
        now = now + Duration::from_millis(500);
        requests.tick(now);
        requests.transport_opened();
        let mut last = 0;
        while let Some((id, payload)) = requests.next_resend() {
            assert!(id.get() > last, "in the original order");
            assert!(!answered.contains(&id.get()));
            assert_eq!(payload, bytes[id.get() as usize - 1], "the same bytes");
            last = id.get();
            seq += 1;
            requests.sent(id, Seq(seq));
            unflushed.push((seq, id.get()));
        }
        assert_eq!(unflushed.len(), requests.in_flight());
    }
    assert_eq!(answered.len() as u64, MANY);
    assert_eq!((requests.in_flight(), requests.bytes(), requests.messages()), (0, 0, 0));
    assert_eq!((requests.deadline(), requests.strays()), (None, MANY));
}
