//! What one message costs in the core: `handle` and `poll` for one sent and one received message
//! of 64 bytes, on an open connection with everything on.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use perennial_core::{
    Action, BuiltIn, ByteString, Capabilities, Class, Config, Connection, DialectConfig, Event,
    Frame, Instant, JsonConfig, Notice, Outgoing, TransportId,
};

/// An open connection and its transport.
fn open(config: Config) -> (Connection<BuiltIn>, TransportId) {
    let dialect = BuiltIn::new(&config.dialect);
    let mut connection = Connection::new(config, dialect, 1, Instant::ZERO);
    let mut dialled = None;
    loop {
        match connection.poll() {
            Action::Dial { transport, .. } => dialled = Some(transport),
            Action::Wait { .. } => break,
            Action::Write { .. } | Action::Abort { .. } | Action::Notify(_) => {}
        }
    }
    let transport = dialled.expect("a connection dials");
    let capabilities = Capabilities::SOCKET;
    connection.handle(Instant::ZERO, Event::Opened { transport, capabilities }).expect("accepted");
    while !matches!(connection.poll(), Action::Wait { .. }) {}
    (connection, transport)
}

fn drain(connection: &mut Connection<BuiltIn>) -> u64 {
    let mut last = 0;
    loop {
        match connection.poll() {
            Action::Write { index, frame, .. } => {
                black_box(frame);
                last = index;
            }
            Action::Notify(Notice::Message(message)) => {
                black_box(message);
            }
            Action::Wait { .. } => return last,
            Action::Dial { .. } | Action::Abort { .. } | Action::Notify(_) => {}
        }
    }
}

fn message(c: &mut Criterion) {
    let text = ByteString::from("x".repeat(64));
    let mut now = 0;
    let (mut connection, transport) = open(Config::default());
    c.bench_function("plain: send, flush and receive 64 B", |b| {
        b.iter(|| {
            now += 1;
            let at = Instant::from_nanos(now);
            let message = Outgoing::new(text.clone());
            connection.handle(at, Event::Send(message)).expect("there is room");
            let through = drain(&mut connection);
            connection.handle(at, Event::Flushed { transport, through }).expect("accepted");
            drain(&mut connection);
            let frame = Frame::Text(text.clone());
            connection.handle(at, Event::Received { transport, frame }).expect("accepted");
            drain(&mut connection);
        });
    });

    let mut builder = Config::builder();
    builder.dialect = DialectConfig::Json(JsonConfig::default());
    builder.outbox.class = Class::Acknowledged;
    builder.inbox.dedupe = 4096;
    let (mut connection, transport) = open(builder.build().expect("valid"));
    let mut id = 0_u64;
    c.bench_function("json: send, flush, acknowledge and receive 64 B", |b| {
        b.iter(|| {
            now += 1;
            id += 1;
            let at = Instant::from_nanos(now);
            let message = Outgoing::new(text.clone());
            connection.handle(at, Event::Send(message)).expect("there is room");
            let through = drain(&mut connection);
            connection.handle(at, Event::Flushed { transport, through }).expect("accepted");
            let frame = Frame::Text(format!(r#"{{"ack":{id}}}"#).into());
            connection.handle(at, Event::Received { transport, frame }).expect("accepted");
            drain(&mut connection);
            let frame = Frame::Text(
                format!(r#"{{"id":{id},"data":"0123456789012345678901234567890123456789"}}"#)
                    .into(),
            );
            connection.handle(at, Event::Received { transport, frame }).expect("accepted");
            drain(&mut connection);
        });
    });
}

criterion_group!(benches, message);
criterion_main!(benches);
