//! Faults that the invariant checker found, each in the few events that showed it.

use alloc::vec::Vec;

use crate::*;

/// A connection whose first transport is open, and that transport.
fn open(config: ConfigBuilder) -> (Connection<BuiltIn>, TransportId) {
    let config = config.build().expect("the config is valid");
    let dialect = BuiltIn::new(&config.dialect);
    let mut connection = Connection::new(config, dialect, 7, Instant::ZERO);
    let transport = TransportId(1);
    let opened = Event::Opened { transport, capabilities: Capabilities::SOCKET };
    connection.handle(Instant::ZERO, opened).expect("it is taken");
    drain(&mut connection);
    (connection, transport)
}

fn drain(connection: &mut Connection<BuiltIn>) -> Vec<Action> {
    let mut actions = Vec::new();
    loop {
        match connection.poll() {
            Action::Wait { .. } => return actions,
            action => actions.push(action),
        }
    }
}

fn tick(connection: &mut Connection<BuiltIn>, millis: u64) -> Vec<Action> {
    connection.handle(Instant::from_millis(millis), Event::Tick).expect("a tick is taken");
    drain(connection)
}

#[test]
fn a_clock_that_goes_backwards_is_no_news_after_the_end() {
    let mut config = Config::builder();
    config.connect.auto = false;
    let config = config.build().expect("the config is valid");
    let dialect = BuiltIn::new(&config.dialect);
    let mut connection = Connection::new(config, dialect, 7, Instant::from_millis(10));
    let close = Event::Close(CloseFrame::new(code::NORMAL, ""));
    connection.handle(Instant::from_millis(10), close).expect("it closes");
    drain(&mut connection);
    assert_eq!(tick(&mut connection, 5), []);
    assert_eq!(connection.counters().clock_backwards, 1);
}

#[test]
fn a_silent_server_that_should_ping_is_not_stable() {
    let mut config = Config::builder();
    config.heartbeat.style = HeartbeatStyle::Server;
    config.retry.stable_after = Duration::from_millis(100);
    let (mut connection, transport) = open(config);
    tick(&mut connection, 100);
    assert_eq!(connection.status().attempt, 1, "nothing proves that the server lives");
    let heard = Event::Heard { transport };
    connection.handle(Instant::from_millis(150), heard).expect("it is taken");
    assert_eq!(connection.status().attempt, 0);
}

#[test]
fn the_dialects_pong_does_not_answer_a_protocol_probe() {
    let mut config = Config::builder();
    config.dialect = DialectConfig::text();
    let (mut connection, transport) = open(config);
    // The clock jumps, and a protocol ping is the probe.
    let probe = tick(&mut connection, 60_000);
    assert!(
        probe.iter().any(|action| matches!(action, Action::Write { frame: Frame::Ping(_), .. }))
    );
    let frame = Frame::Text("pong".into());
    let pong = Event::Received { transport, frame };
    connection.handle(Instant::from_millis(60_001), pong).expect("it is taken");
    assert!(drain(&mut connection).is_empty(), "no round trip is measured");
    let dead = tick(&mut connection, 63_000);
    assert!(
        dead.iter()
            .any(|action| matches!(action, Action::Notify(Notice::Dead { why: Death::Probe, .. })))
    );
}

#[test]
fn a_late_pong_answers_the_probe_however_many_pings_followed() {
    let mut config = Config::builder();
    config.heartbeat.interval = Duration::from_millis(100);
    let (mut connection, transport) = open(config);
    let probe = tick(&mut connection, 60_000).into_iter().find_map(|action| match action {
        Action::Write { frame: Frame::Ping(payload), .. } => Some(payload),
        _ => None,
    });
    for millis in (60_100..=62_000).step_by(100) {
        tick(&mut connection, millis);
    }
    let frame = Frame::Pong(probe.expect("the clock jumped"));
    let pong = Event::Received { transport, frame };
    connection.handle(Instant::from_millis(62_050), pong).expect("it is taken");
    drain(&mut connection);
    tick(&mut connection, 63_000);
    assert_eq!(connection.state(), State::Open);
}

#[test]
fn a_pong_from_before_the_jump_does_not_answer_the_probe() {
    let mut config = Config::builder();
    config.dialect = DialectConfig::text();
    config.heartbeat.style = HeartbeatStyle::Application;
    let (mut connection, transport) = open(config);
    // The clock jumps, and the first event after it is a pong that nobody asked for: the probe was
    // not even written when it came.
    let frame = Frame::Text("pong".into());
    let pong = Event::Received { transport, frame };
    connection.handle(Instant::from_millis(60_000), pong).expect("it is taken");
    drain(&mut connection);
    let dead = tick(&mut connection, 63_000);
    assert!(
        dead.iter()
            .any(|action| matches!(action, Action::Notify(Notice::Dead { why: Death::Probe, .. })))
    );
}

#[test]
fn a_drain_whose_last_message_expires_ends_before_the_event_at_hand() {
    let mut config = Config::builder();
    config.connect.auto = false;
    let config = config.build().expect("the config is valid");
    let dialect = BuiltIn::new(&config.dialect);
    let mut connection = Connection::new(config, dialect, 7, Instant::ZERO);
    let message = Outgoing::new("soon stale").ttl(Duration::from_millis(5));
    connection.handle(Instant::ZERO, Event::Send(message)).expect("there is room");
    let command = Event::Drain { timeout: None, close: CloseFrame::new(4000, "drained") };
    connection.handle(Instant::ZERO, command).expect("it drains");
    drain(&mut connection);
    // Nobody woke it at the message's end: the close comes when the drain is over.
    let close = Event::Close(CloseFrame::new(code::NORMAL, "too late"));
    connection.handle(Instant::from_millis(5), close).expect("it is taken");
    let closed = drain(&mut connection).into_iter().find_map(|action| match action {
        Action::Notify(Notice::Closed(closed)) => Some(closed.code),
        _ => None,
    });
    assert_eq!(closed, Some(4000));
}
