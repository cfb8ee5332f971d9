use perennial_core::session::SessionConfig;
use perennial_core::{Capabilities, Config, Frame, TransportId};

use super::*;
use crate::counting::allocations;

/// A layer before an open connection, with so many subscribers, and their ends.
struct Rig {
    connection: Connection<BuiltIn>,
    layer: Layer,
    transport: TransportId,
    mails: Vec<Mail<Arc<Delivery>>>,
}

impl Rig {
    fn new(subscribers: usize) -> Self {
        let config = Config::default();
        let dialect = BuiltIn::new(&config.dialect);
        let mut connection = Connection::new(config, dialect, 1, Instant::ZERO);
        let session = Session::new(SessionConfig::default(), Instant::ZERO).expect("a session");
        let mut layer = Layer::new(session);
        let transport = loop {
            let door = Recorded { connection: &mut connection, recording: None };
            if let Action::Dial { transport, .. } = layer.poll(door) {
                break transport;
            }
        };
        let pattern = Pattern::exact("trade").expect("a pattern");
        let capacity = Capacity::default();
        let mails =
            (0..subscribers).map(|_| layer.listen(&pattern, capacity, false, |_, _| {})).collect();
        let mut rig = Self { connection, layer, transport, mails };
        rig.event(Event::Opened { transport, capabilities: Capabilities::SOCKET });
        rig
    }

    fn event(&mut self, event: Event) {
        let door = Recorded { connection: &mut self.connection, recording: None };
        self.layer.handle(door, Instant::ZERO, event).expect("taken");
        loop {
            let door = Recorded { connection: &mut self.connection, recording: None };
            if let Action::Wait { .. } = self.layer.poll(door) {
                return;
            }
        }
    }

    /// Receives one, and has everybody fetch it. Returns how many did.
    fn receive(&mut self, text: String) -> usize {
        let frame = Frame::Text(text.into());
        self.event(Event::Received { transport: self.transport, frame });
        self.mails.iter_mut().filter_map(Mail::try_recv).count()
    }
}

#[test]
fn a_message_is_allocated_once_for_all_its_subscribers() {
    const TEXT: &str = r#"{"type":"trade","symbol":"BTC/USD","price":65123.25}"#;
    for subscribers in [1, 100] {
        let mut rig = Rig::new(subscribers);
        // What grows has grown.
        for _ in 0..10 {
            assert_eq!(rig.receive(TEXT.to_owned()), subscribers);
        }
        let texts: Vec<_> = (0..100).map(|_| TEXT.to_owned()).collect();
        let count = allocations(|| {
            for text in texts {
                assert_eq!(rig.receive(text), subscribers);
            }
        });
        // The text was allocated when it was read; its reference count is, and so is the delivery.
        assert!(count <= 2 * 100, "{count} for 100 messages to {subscribers}");
    }
}

#[test]
fn each_gets_what_it_wants_whoever_else_comes_and_goes() {
    let mut rig = Rig::new(9);
    let other = Pattern::exact("other").expect("a pattern");
    let capacity = Capacity::default();
    rig.mails.insert(4, rig.layer.listen(&other, capacity, false, |_, _| {}));
    for (gone, left) in [(None, 9), (Some(1), 8), (Some(8), 7), (Some(5), 6)] {
        if let Some(gone) = gone {
            let id = rig.layer.posts[gone - 1].0;
            rig.layer.unlisten(id);
        }
        assert_eq!(rig.receive(r#"{"type":"trade"}"#.to_owned()), left);
    }
    assert_eq!(rig.receive(r#"{"type":"other"}"#.to_owned()), 1);
    assert_eq!(rig.receive(r#"{"type":"trade"}"#.to_owned()), 6);
}

#[test]
fn what_goes_to_subscribers_has_its_place_among_the_notices() {
    let mut rig = Rig::new(2);
    let before = rig.layer.told;
    assert!(before > 0, "it was told of the open");
    for keep in [false, true] {
        rig.layer.keep_routed(keep);
        for kind in ["trade", "other", "trade", "other"] {
            rig.receive(format!(r#"{{"type":"{kind}"}}"#));
        }
    }
    let mut take = |told: u64| {
        let mut routed = Vec::new();
        rig.layer.take_routed(before + told, &mut routed);
        routed.iter().map(|routed| routed.after - before).collect::<Vec<_>>()
    };
    assert!(take(1).is_empty(), "nothing was kept");
    assert_eq!(take(2), [2]);
    assert!(take(2).is_empty(), "there is a notice before the other one");
    assert_eq!(take(4), [3]);
    assert!(take(4).is_empty());
}

#[test]
fn the_end_leaves_nobody_behind() {
    let mut rig = Rig::new(3);
    let door = Recorded { connection: &mut rig.connection, recording: None };
    let asked = rig.layer.request(door, Instant::ZERO, Request::call("get", None)).expect("taken");
    assert_eq!((rig.layer.status().subscribers, rig.layer.status().requests), (3, 1));
    // The driver was dropped: the connection does not know.
    rig.layer.finish(Recorded { connection: &mut rig.connection, recording: None });
    assert_eq!(rig.layer.status(), SessionStatus::default());
    assert_eq!(asked.1.try_take(), Some(Ok(Outcome::Closed)));
    for mail in &mut rig.mails {
        assert!(mail.try_recv().is_none() && mail.has_ended());
    }
}
