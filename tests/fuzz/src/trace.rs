//! Arbitrary bytes as a trace.
//!
//! Reading and replaying must neither panic nor take more memory than is granted, whatever the bytes
//! say. What can be read is written as it is read, and what is recorded anew is replayed the same;
//! without its payloads too, and then it tells the same story.
//!
//! Most inputs are lines of their own behind a header and a start that are right: the fuzzer need not
//! find those.

use std::sync::LazyLock;

use perennial_core::trace::{Contents, Recorder, Replay, Step, Stepped, Trace};
use perennial_core::{
    BuiltIn, Class, Config, Connection, DialectConfig, EventStreamConfig, HeartbeatStyle, Instant,
    JsonConfig, SocketIoConfig,
};

/// The memory that a replay is granted.
const LIMIT: u64 = 1 << 20;

/// The first two lines of a few traces.
static BEGINNINGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let dialects = [
        DialectConfig::Plain,
        DialectConfig::text(),
        DialectConfig::Json(JsonConfig {
            max_depth: 3,
            acknowledge: true,
            ..JsonConfig::default()
        }),
        DialectConfig::SocketIo(SocketIoConfig::default()),
        DialectConfig::EventStream(EventStreamConfig { fields: true }),
    ];
    dialects.into_iter().map(beginning).collect()
});

fn beginning(dialect: DialectConfig) -> String {
    let mut config = Config::builder();
    if matches!(dialect, DialectConfig::Json(_)) {
        config.inbox.dedupe = 4;
        config.outbox.class = Class::Acknowledged;
        config.heartbeat.style = HeartbeatStyle::Application;
    }
    config.dialect = dialect;
    let config = config.build().expect("it keeps the rules");
    let dialect = BuiltIn::new(&config.dialect);
    let now = Instant::ZERO;
    let mut connection = Connection::new(config.clone(), dialect.clone(), 7, now);
    let mut recorder = Recorder::new(config, dialect, 7, now, Contents::Redacted);
    recorder.poll(&mut connection);
    recorder.finish();
    recorder.text().to_owned()
}

/// See the module.
///
/// # Panics
/// If a trace is not read, written or replayed as it should be.
pub fn run(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else { return };
    match BEGINNINGS.get(usize::from(*choice)) {
        Some(beginning) => read(&[beginning.as_bytes(), rest].concat()),
        None => read(input),
    }
}

fn read(text: &[u8]) {
    let Ok((trace, error)) = Trace::salvage(text) else {
        assert!(Trace::parse(text).is_err());
        return;
    };
    assert_eq!(Trace::parse(text).err(), error);
    let written = trace.text();
    let again = Trace::parse(written.as_bytes()).expect("what is written can be read");
    assert_eq!(again, trace);
    assert_eq!(again.text(), written);
    assert_eq!(trace.difference(&again), None);

    let Ok(replay) = Replay::new(&trace) else { return };
    let mut replay = replay.limit(LIMIT);
    let mut last = 0;
    while let Ok(Some(step)) = replay.step() {
        last = step.number;
        let status = replay.connection().status();
        assert!(status.outbox_bytes as u64 <= LIMIT, "{status:?}");
    }
    // Back, and there again.
    let end = replay.connection().clone();
    replay.seek(last / 2).expect("it was there before");
    replay.seek(last).expect("it was there before");
    assert!(*replay.connection() == end);

    if last == trace.steps().len() {
        let anew = trace.record_anew().expect("it was replayed before");
        replays_the_same(&anew, |_| {});
        let redacted = redacted(&anew);
        replays_the_same(&redacted, |_| {});
        assert_eq!(redacted.difference_in_kind(&anew), None);
    }
}

/// Replays a trace of this version. Hands out every step.
fn replays_the_same(trace: &Trace, mut with: impl FnMut(Stepped)) {
    let mut replay = Replay::new(trace).expect("it was replayed before").limit(LIMIT);
    while let Ok(Some(step)) = replay.step() {
        assert_eq!(step.difference, None);
        with(step);
    }
}

/// The same events as they are recorded without what is said.
fn redacted(trace: &Trace) -> Trace {
    let (config, seed) = (trace.header.config.clone(), trace.header.seed);
    let dialect = BuiltIn::new(&config.dialect);
    let start = trace.steps().first().map_or(Instant::ZERO, Step::at);
    let mut connection = Connection::new(config.clone(), dialect.clone(), seed, start);
    let mut recorder = Recorder::new(config, dialect, seed, start, Contents::Redacted);
    replays_the_same(trace, |step| {
        if let Some(event) = step.event {
            let _ = recorder.handle(&mut connection, step.at, event);
        }
        for _ in &step.actions {
            recorder.poll(&mut connection);
        }
        assert_eq!(recorder.fault(), None);
    });
    recorder.finish();
    Trace::parse(recorder.text().as_bytes()).expect("what is recorded can be read")
}
