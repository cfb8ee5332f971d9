//! What one message costs in the core: `handle` and `poll` for one sent and one received message
//! of 64 bytes, on an open connection with everything on.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use perennial_core::{
    Action, BuiltIn, ByteString, Capabilities, Class, Config, Connection, DialectConfig, Event,
    Frame, Instant, JsonConfig, Message, Notice, Outgoing, Payload, TransportId,
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

/// Does what there is to do. Hands on the index of the last write, and the last text that came
/// out: written or received.
fn drain(connection: &mut Connection<BuiltIn>, last: &mut u64, text: &mut ByteString) {
    loop {
        match connection.poll() {
            Action::Write { index, frame: Frame::Text(written), .. } => {
                *last = index;
                *text = written;
            }
            Action::Notify(Notice::Message(Message {
                payload: Payload::Text(received), ..
            })) => {
                *text = received;
            }
            Action::Wait { .. } => return,
            other @ (Action::Dial { .. }
            | Action::Write { .. }
            | Action::Abort { .. }
            | Action::Notify(_)) => {
                black_box(other);
            }
        }
    }
}

fn message(c: &mut Criterion) {
    // One text goes round, so that the harness counts no references of its own.
    let mut text = ByteString::from("x".repeat(64));
    let mut through = 0;
    let mut now = 0;
    let (mut connection, transport) = open(Config::default());
    c.bench_function("plain: send, flush and receive 64 B", |b| {
        b.iter(|| {
            now += 1;
            let at = Instant::from_nanos(now);
            let message = Outgoing::new(core::mem::take(&mut text));
            connection.handle(at, Event::Send(message)).expect("there is room");
            drain(&mut connection, &mut through, &mut text);
            connection.handle(at, Event::Flushed { transport, through }).expect("accepted");
            drain(&mut connection, &mut through, &mut text);
            let frame = Frame::Text(core::mem::take(&mut text));
            connection.handle(at, Event::Received { transport, frame }).expect("accepted");
            drain(&mut connection, &mut through, &mut text);
        });
    });

    let mut builder = Config::builder();
    builder.dialect = DialectConfig::Json(JsonConfig::default());
    builder.outbox.class = Class::Acknowledged;
    builder.inbox.dedupe = 4096;
    let (mut connection, transport) = open(builder.build().expect("valid"));
    let mut id = 0_u64;
    let mut out = ByteString::new();
    c.bench_function("json: send, flush, acknowledge and receive 64 B", |b| {
        b.iter(|| {
            now += 1;
            id += 1;
            let at = Instant::from_nanos(now);
            let message = Outgoing::new(text.clone());
            connection.handle(at, Event::Send(message)).expect("there is room");
            drain(&mut connection, &mut through, &mut out);
            connection.handle(at, Event::Flushed { transport, through }).expect("accepted");
            let frame = Frame::Text(format!(r#"{{"ack":{id}}}"#).into());
            connection.handle(at, Event::Received { transport, frame }).expect("accepted");
            drain(&mut connection, &mut through, &mut out);
            let frame = Frame::Text(
                format!(r#"{{"id":{id},"data":"0123456789012345678901234567890123456789"}}"#)
                    .into(),
            );
            connection.handle(at, Event::Received { transport, frame }).expect("accepted");
            drain(&mut connection, &mut through, &mut out);
        });
    });
}

criterion_group!(benches, message);
criterion_main!(benches);
