use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;

use super::*;
use crate::*;

mod compare;
mod replay;

/// A recorded connection and its driver.
struct Recorded {
    connection: Connection<BuiltIn>,
    recorder: Recorder<BuiltIn>,
    now: Instant,
}

impl Recorded {
    fn new(contents: Contents, change: impl FnOnce(&mut ConfigBuilder)) -> Self {
        let mut builder = Config::builder();
        builder.wall_clock_origin_ms = 1_700_000_000_000;
        change(&mut builder);
        let config = builder.build().unwrap();
        let now = Instant::from_millis(5);
        let dialect = BuiltIn::new(&config.dialect);
        let connection = Connection::new(config.clone(), dialect.clone(), 9, now);
        let recorder = Recorder::new(config, dialect, 9, now, contents);
        let mut recorded = Self { connection, recorder, now };
        recorded.drain();
        recorded
    }

    fn drain(&mut self) {
        while !matches!(self.recorder.poll(&mut self.connection), Action::Wait { .. }) {}
    }

    fn handle(&mut self, event: Event) -> Result<Accepted, Rejected> {
        self.recorder.handle(&mut self.connection, self.now, event)
    }

    fn after(&mut self, millis: u64, event: Event) {
        self.now = self.now + Duration::from_millis(millis);
        let _ = self.handle(event);
        self.drain();
    }

    fn text(mut self) -> String {
        self.recorder.finish();
        assert_eq!(self.recorder.fault(), None);
        self.recorder.text().to_owned()
    }
}

const SECRET: &str = "hunter2-s3cr3t";

fn opened(transport: u64) -> Event {
    let transport = TransportId(transport);
    Event::Opened { transport, capabilities: Capabilities::SOCKET }
}

fn received(transport: u64, frame: Frame) -> Event {
    Event::Received { transport: TransportId(transport), frame }
}

/// A life with a secret wherever one can be.
fn life(contents: Contents) -> String {
    let mut life = Recorded::new(contents, |config| {
        config.dialect = DialectConfig::Json(JsonConfig::default());
        config.inbox.dedupe = 8;
        config.inbox.max_message = 200;
        config.outbox.max_bytes = 500;
    });
    let text = |text: String| Frame::Text(text.into());
    let failure = DialFailure::new(DialError::Request, SECRET);
    life.after(10, Event::DialFailed { transport: TransportId(1), failure });
    life.after(
        0,
        Event::Retry { attempt: 2, choice: RetryChoice::After(Duration::from_millis(3)) },
    );
    life.after(3, Event::Tick);
    life.after(10, opened(2));
    life.after(1, Event::Send(Outgoing::new(format!("{SECRET}\n"))));
    let object = format!(r#"{{"id":7,"token":"{SECRET}"}}"#);
    life.after(1, Event::Send(Outgoing::new(object.clone()).class(Class::Acknowledged)));
    life.after(1, Event::Send(Outgoing::new(SECRET.as_bytes())));
    life.after(1, Event::Send(Outgoing::new("x".repeat(1_000))));
    life.after(1, Event::Flushed { transport: TransportId(2), through: 1 });
    life.after(1, received(2, text(object.clone())));
    life.after(1, received(2, text(object)));
    life.after(1, received(2, text(format!(r#"{{"ack":7,"for":"{SECRET}"}}"#))));
    life.after(1, received(2, Frame::Ping(Bytes::from_static(SECRET.as_bytes()))));
    life.after(1, received(2, Frame::Pong(Bytes::from_static(SECRET.as_bytes()))));
    life.after(1, received(2, Frame::Binary(Bytes::from_static(SECRET.as_bytes()))));
    life.after(20_000, Event::Tick);
    life.after(20_000, received(2, Frame::Close(Some(CloseFrame::new(1001, SECRET)))));
    let end = End { kind: EndKind::Io, detail: SECRET.into() };
    life.after(1, Event::Ended { transport: TransportId(2), end });
    life.after(60_000, Event::Tick);
    life.after(10, opened(3));
    let violation = Violation { code: 1002, detail: SECRET.into() };
    life.after(1, Event::Violated { transport: TransportId(3), violation });
    life.after(1, Event::Close(CloseFrame::new(1000, SECRET)));
    life.after(60_000, Event::Tick);
    life.text()
}

#[track_caller]
fn identical(trace: &Trace) {
    let mut replay = Replay::new(trace).unwrap();
    while let Some(step) = replay.step().unwrap() {
        assert_eq!(step.difference, None);
    }
    assert_eq!(replay.position(), trace.steps().len());
}

#[test]
fn what_is_recorded_is_replayed_and_says_no_secret() {
    let text = life(Contents::Redacted);
    assert!(!text.contains("hunter2"), "{text}");
    assert!(!text.contains("68756e74657232"), "in hexadecimal: {text}");
    assert!(text.len() < 10_000, "a large message takes no room: {}", text.len());
    let trace = Trace::parse(text.as_bytes()).unwrap();
    identical(&trace);
    assert_eq!(trace.text(), text);
    // Twice the same makes the same.
    assert_eq!(life(Contents::Redacted), text);
}

/// As [`life`] is to the rest, to what version 2 added.
fn opening(contents: Contents) -> String {
    let mut life = Recorded::new(contents, |config| config.opening.hold = true);
    let early = || Outgoing::new(SECRET).ahead();
    life.after(1, Event::Send(Outgoing::new("1")));
    life.after(1, Event::Send(Outgoing::new("2")));
    life.after(1, Event::Send(early()));
    life.after(1, Event::Reorder([Seq(2), Seq(7)].into()));
    life.after(10, opened(1));
    life.after(1, Event::Send(early()));
    let refuse = |transport, retry| Event::Refuse {
        transport: TransportId(transport),
        retry,
        detail: SECRET.into(),
    };
    life.after(1, refuse(1, true));
    life.after(60_000, Event::Tick);
    life.after(10, opened(2));
    life.after(1, Event::Release { transport: TransportId(2) });
    life.after(1, Event::Ended { transport: TransportId(2), end: End::new(EndKind::Eof) });
    life.after(60_000, Event::Tick);
    life.after(10, opened(3));
    life.after(10_000, Event::Tick);
    life.after(60_000, Event::Tick);
    life.after(10, opened(4));
    life.after(1, refuse(4, false));
    life.after(60_000, Event::Tick);
    life.text()
}

#[test]
fn an_opening_is_replayed_and_says_no_secret() {
    let text = opening(Contents::Redacted);
    assert!(!text.contains("hunter2"), "{text}");
    for named in ["not_open", "reorder", "release", "refuse", "opening_timeout", r#""ahead":true"#]
    {
        assert!(text.contains(named), "{named} in {text}");
    }
    let trace = Trace::parse(text.as_bytes()).unwrap();
    identical(&trace);
    assert_eq!(trace.text(), text);
    let full = opening(Contents::Full);
    assert!(full.contains("hunter2"));
    let full = Trace::parse(full.as_bytes()).unwrap();
    identical(&full);
    assert_eq!(trace.difference_in_kind(&full), None);
}

#[test]
fn the_first_version_is_read() {
    let text = life(Contents::Redacted);
    let old = text.replacen(r#""version":2"#, r#""version":1"#, 1).replacen(
        r#""opening":{"hold":false,"timeout":"10s"},"#,
        "",
        1,
    );
    assert!(old.len() + 40 < text.len());
    let trace = Trace::parse(old.as_bytes()).unwrap();
    identical(&trace);
    assert_eq!(trace.text(), text);
}

#[test]
fn full_contents_are_there_when_asked_for() {
    let text = life(Contents::Full);
    assert!(text.contains("hunter2"), "{text}");
    let trace = Trace::parse(text.as_bytes()).unwrap();
    identical(&trace);
    assert_eq!(trace.text(), text);
    // Both tell the same story.
    let redacted = life(Contents::Redacted);
    let redacted = Trace::parse(redacted.as_bytes()).unwrap();
    assert_eq!(redacted.difference_in_kind(&trace), None);
    assert_eq!(redacted.header_differences(&trace).len(), 1);
}

#[test]
fn actions_stand_with_the_event_after_which_they_were_taken() {
    let mut lazy = Recorded::new(Contents::Redacted, |_| {});
    let _ = lazy.handle(opened(1));
    let _ = lazy.handle(Event::Send(Outgoing::new("a")));
    // One action is taken, then something happens, then the rest.
    lazy.recorder.poll(&mut lazy.connection);
    let _ = lazy.handle(Event::Send(Outgoing::new("b")));
    lazy.drain();
    let trace = Trace::parse(lazy.text().as_bytes()).unwrap();
    let counts: Vec<usize> = trace.steps().iter().map(Step::actions).collect();
    assert_eq!(counts, [3, 0, 1, 3]);
    identical(&trace);
}

#[test]
fn a_reason_that_is_none_is_not_written() {
    let mut silent = Recorded::new(Contents::Full, |_| {});
    silent.after(1, Event::Close(CloseFrame::new(1000, "")));
    let text = silent.text();
    assert!(text.contains(r#""event":{"close":{"code":1000}}"#), "{text}");
    identical(&Trace::parse(text.as_bytes()).unwrap());
}

#[test]
fn whoever_asks_again_is_told_again_to_wait() {
    let mut patient = Recorded::new(Contents::Redacted, |_| {});
    patient.after(1, opened(1));
    let asked = [(); 2].map(|()| patient.recorder.poll(&mut patient.connection));
    assert!(matches!(&asked, [Action::Wait { .. }, again] if *again == asked[0]));
    let trace = Trace::parse(patient.text().as_bytes()).unwrap();
    assert_eq!(trace.steps().last().map(Step::actions), Some(2), "once is enough");
    identical(&trace);
}

#[test]
fn a_busy_connection_is_recorded_as_if_it_had_not_been_asked() {
    let mut busy = Recorded::new(Contents::Redacted, |_| {});
    let mut refused = 0;
    // Each has several actions.
    for _ in 0..150 {
        refused += usize::from(busy.handle(Event::Reconnect).is_err());
    }
    assert!(refused > 0);
    busy.drain();
    let trace = Trace::parse(busy.text().as_bytes()).unwrap();
    assert_eq!(trace.steps().len(), 1 + 150 - refused);
    identical(&trace);
}

/// A dialect that reads what it does not keep.
#[derive(Clone, PartialEq, Debug)]
struct Forgetful;

impl Dialect for Forgetful {
    fn decode(&mut self, payload: Payload) -> Meaning {
        let id = payload.as_text().and_then(|text| text.parse().ok());
        Meaning::Message { payload, id }
    }

    fn encode(&mut self, payload: Payload, _: Encoding) -> Result<Encoded, (Payload, EncodeError)> {
        Ok(Encoded { payload, id: None })
    }
}

#[test]
fn a_recording_that_cannot_be_true_stops() {
    let mut config = Config::builder();
    config.dialect = DialectConfig::Custom;
    let config = config.build().unwrap();
    let now = Instant::ZERO;
    let mut connection = Connection::new(config.clone(), Forgetful, 1, now);
    let mut recorder = Recorder::new(config, Forgetful, 1, now, Contents::Redacted);
    for event in [opened(1), received(1, Frame::Text("5".into())), Event::Tick] {
        assert!(recorder.handle(&mut connection, now, event).is_ok());
        while !matches!(recorder.poll(&mut connection), Action::Wait { .. }) {}
    }
    assert_eq!(recorder.fault(), Some(Fault::Diverged));
    assert_eq!(connection.counters().received, 1, "the connection goes on");
    let trace = Trace::parse(recorder.text().as_bytes()).unwrap();
    let error = Replay::new(&trace).unwrap_err();
    assert_eq!(error.flaw, Flaw::CustomDialect);
    let mut replay = Replay::with_dialect(&trace, Forgetful);
    while let Some(step) = replay.step().unwrap() {
        assert_eq!(step.difference, None);
    }
}

#[test]
fn an_edited_action_is_found() {
    let text = life(Contents::Redacted);
    let edited = text.replacen(r#""index":2"#, r#""index":3"#, 1);
    assert_ne!(edited, text);
    let trace = Trace::parse(edited.as_bytes()).unwrap();
    let mut replay = Replay::new(&trace).unwrap();
    let difference = loop {
        if let Some(difference) = replay.step().unwrap().unwrap().difference {
            break difference;
        }
    };
    assert!(difference.recorded.contains(r#""index":3"#), "{difference:?}");
    assert!(difference.replayed.contains(r#""index":2"#), "{difference:?}");
    let whole = Trace::parse(text.as_bytes()).unwrap();
    let found = trace.difference(&whole).unwrap();
    assert_eq!((found.step, found.place), (difference.step, difference.place));
    assert_eq!(whole.difference(&whole), None);
}

#[test]
fn what_is_recorded_anew_is_what_this_version_does() {
    for contents in [Contents::Redacted, Contents::Full] {
        let trace = Trace::parse(life(contents).as_bytes()).unwrap();
        assert_eq!(trace.record_anew().unwrap(), trace);
        // As if an older version had waited longer, and flushed less.
        let older = trace.text().replace(r#""why":"ping""#, r#""why":"ack""#);
        let older = older.replacen(r#"{"write":{"transport":2"#, r#"{"write":{"transport":9"#, 1);
        let older = Trace::parse(older.as_bytes()).unwrap();
        assert_ne!(older, trace);
        assert_eq!(older.record_anew().unwrap(), trace);
        // The making of a connection is never refused.
        let odd = trace.text().replacen(r#""start","#, r#""start","outcome":"stale","#, 1);
        let odd = Trace::parse(odd.as_bytes()).unwrap();
        assert_ne!(odd, trace);
        assert_eq!(odd.record_anew().unwrap(), trace);
    }
}

#[test]
fn steps_go_both_ways() {
    let mut long = Recorded::new(Contents::Redacted, |_| {});
    long.after(1, opened(1));
    // There is always one that was not flushed.
    long.after(1, Event::Send(Outgoing::new("a")));
    for index in 1..=u64::from(crate::testing::rounds(3_000)) {
        long.after(1, Event::Send(Outgoing::new("a")));
        long.after(1, Event::Flushed { transport: TransportId(1), through: index });
    }
    let trace = Trace::parse(long.text().as_bytes()).unwrap();
    let mut replay = Replay::new(&trace).unwrap();
    let mut states = Vec::new();
    while replay.step().unwrap().is_some() {
        states.push(replay.connection().clone());
    }
    assert!(replay.snapshots.len() <= 32, "{}", replay.snapshots.len());
    let end = states.len();
    assert!(replay.snapshots.len() > end / 700, "{} of {end}", replay.snapshots.len());
    let kept = replay.snapshots.iter().map(|state| state.done);
    let stride = replay.snapshots[0].done;
    assert!(kept.zip(1..).all(|(done, nth)| done == nth * stride), "evenly");
    for position in [end - 1, end - 2, 1, end - 3, 64, 65, end / 2, end / 2 - 1, 2, end] {
        replay.seek(position).unwrap();
        assert_eq!(replay.position(), position);
        assert_eq!(replay.connection(), &states[position - 1], "{position}");
        let once = replay.snapshots.is_sorted_by(|one, other| one.done < other.done);
        assert!(once, "what was gone back to is kept again: {position}");
    }
    replay.seek(usize::MAX).unwrap();
    assert_eq!(replay.position(), trace.steps().len());
}

fn flaw(text: impl AsRef<[u8]>) -> (usize, Flaw) {
    let error = Trace::parse(text.as_ref()).unwrap_err();
    (error.line, error.flaw)
}

#[test]
fn other_files_are_no_traces() {
    let not = (1, Flaw::NotATrace);
    for other in
        ["", "\n", "{}\n", "hello\n", "[1]", "{\"format\":\"other\",\"version\":1}\n", "\u{0}"]
    {
        assert_eq!(flaw(other), not, "{other:?}");
    }
    assert_eq!(flaw(b"\xff\xfe"), not);
    let half = r#"{"format":"perennial-trace","version":1"#;
    assert_eq!(flaw(half), (1, Flaw::Torn));
    assert!(matches!(flaw(format!("{half}\n")), (1, Flaw::Malformed { .. })), "a whole line");
    let text = life(Contents::Redacted);
    let newer = text.replacen(r#""version":2"#, r#""version":3,"new":[]"#, 1);
    assert_eq!(flaw(newer), (1, Flaw::UnknownVersion { version: 3 }));
    let none = text.replacen(r#""version":2"#, r#""version":0"#, 1);
    assert_eq!(flaw(none), (1, Flaw::UnknownVersion { version: 0 }));
}

#[test]
fn a_cut_off_recording_is_torn_wherever_it_was_cut() {
    let text = life(Contents::Redacted);
    let whole = Trace::parse(text.as_bytes()).unwrap();
    let (every, closely) = if cfg!(miri) { (500, 0) } else { (7, text.len()) };
    let near_an_end = |cut: &usize| {
        cut.is_multiple_of(every)
            || *cut < closely && text.get(cut - 2..cut + 2).is_none_or(|near| near.contains('\n'))
    };
    for cut in (0..text.len()).filter(|cut| *cut < 4 || near_an_end(cut)) {
        let (line, found) = match Trace::parse(&text.as_bytes()[..cut]) {
            // Between two lines, or before the end of one.
            Ok(trace) => {
                assert!(text[cut..].starts_with('\n') || text[..cut].ends_with('\n'));
                assert!(trace.steps().len() <= whole.steps().len());
                continue;
            }
            Err(error) => (error.line, error.flaw),
        };
        if found == Flaw::NotATrace {
            assert!(cut < 30, "{cut}");
            continue;
        }
        assert_eq!(found, Flaw::Torn, "{cut}");
        let first = text[..cut].lines().count();
        let torn =
            if text[..cut].ends_with('\n') || line == 2 && first == 1 { first + 1 } else { first };
        assert_eq!(line, torn, "{cut}");
        if let Ok((part, error)) = Trace::salvage(&text.as_bytes()[..cut]) {
            assert_eq!(error.map(|error| error.line), Some(line));
            assert_eq!(part.steps()[..], whole.steps()[..part.steps().len()]);
            assert_eq!(part.steps().len(), line - 2);
        }
    }
}

#[test]
fn lines_are_read_strictly() {
    let text = life(Contents::Redacted);
    let lines: Vec<&str> = text.lines().collect();
    let with = |number: usize, line: &str| {
        let mut lines = lines.clone();
        lines[number - 1] = line;
        flaw(lines.join("\n") + "\n")
    };
    for wrong in [
        "",
        "nonsense",
        r#"{"at":1,"event":"tick"}"#,
        r#"{"at":-1,"event":"tick","actions":[]}"#,
        r#"{"at":1,"event":"tick","actions":[],"more":1}"#,
        r#"{"at":1,"event":{"tick":{}},"actions":[]}"#,
        r#"{"at":1,"event":"start","actions":[]}"#,
        r#"{"at":1,"event":{"flushed":{"transport":1}},"actions":[]}"#,
        r#"{"at":1,"event":{"flushed":{"transport":1,"through":1,"more":1}},"actions":[]}"#,
        r#"{"at":1,"event":"tick","actions":["dance"]}"#,
        r#"{"at":1,"event":"tick","actions":[{"wait":{"until":null,"why":null}},{"abort":{"transport":1}}]}"#,
        r#"{"at":1,"event":{"send":{"payload":{"binary":"0g"}}},"actions":[]}"#,
        r#"{"at":1,"event":{"send":{"payload":{"text":[["x",18446744073709551615],"x"]}}},"actions":[]}"#,
    ] {
        let (line, found) = with(5, wrong);
        assert!(matches!(found, Flaw::Malformed { .. }), "{wrong}: {found:?}");
        assert_eq!(line, 5, "{wrong}");
    }
    let (line, found) = with(3, r#"{"at":1,"event":{"teleport":{}},"actions":[]}"#);
    assert_eq!((line, found), (3, Flaw::UnknownEvent { name: "teleport".into() }));
    let (line, found) = with(2, r#"{"at":1,"event":"tick","actions":[]}"#);
    assert!(line == 2 && matches!(found, Flaw::Malformed { .. }), "{found:?}");
    for (from, to) in [
        (r#""dialect":"json","contents""#, r#""dialect":"plain","contents""#),
        (r#""seed":9,"wall_clock_origin_ms":17"#, r#""seed":9,"wall_clock_origin_ms":18"#),
        (r#""seed":9"#, r#""seed":-9"#),
        (r#""cap":"30s""#, r#""cap":"1ms""#),
    ] {
        let (line, found) = with(1, &lines[0].replacen(from, to, 1));
        assert!(matches!(found, Flaw::Malformed { .. }), "{to}: {found:?}");
        assert_eq!(line, 1);
    }
}

#[test]
fn a_trace_cannot_ask_for_more_memory_than_is_granted() {
    let text = life(Contents::Redacted);
    let lines: Vec<&str> = text.lines().take(2).collect();
    let send = |count: u64| {
        format!(
            r#"{{"at":9,"event":{{"send":{{"payload":{{"text":[["x",{count}]]}}}}}},"actions":[]}}"#
        )
    };
    let huge = format!("{}\n{}\n{}\n", lines[0], lines[1], send(1 << 60));
    let limit = MOST_HELD;
    assert_eq!(flaw(huge), (3, Flaw::TooLarge { bytes: 1 << 60, limit }));
    let most = format!("{}\n{}\n{}\n", lines[0], lines[1], send(MOST_HELD));
    assert_eq!(Trace::parse(most.as_bytes()).unwrap().steps().len(), 2);

    // Two digits are a byte.
    let ping = |digits: u64| {
        format!(
            r#"{{"at":9,"event":{{"received":{{"transport":1,"frame":{{"ping":[["0",{digits}]]}}}}}},"actions":[]}}"#
        )
    };
    let huge = format!("{}\n{}\n{}\n", lines[0], lines[1], ping(1 << 60));
    assert_eq!(flaw(huge), (3, Flaw::TooLarge { bytes: 1 << 59, limit }));

    // Many that are each within the limit: in the outbox, and as messages that nobody takes.
    let generous = lines[0].replace(r#""max_bytes":500"#, r#""max_bytes":1099511627776"#);
    let mut many = format!("{generous}\n{}\n", lines[1]);
    let most = if cfg!(miri) { 1 << 14 } else { 1 << 20 };
    for _ in 0..100 {
        many.push_str(&send(most / 16));
        many.push('\n');
    }
    let trace = Trace::parse(many.as_bytes()).unwrap();
    let mut replay = Replay::new(&trace).unwrap().limit(most);
    let error = loop {
        match replay.step() {
            Ok(step) => assert!(step.is_some(), "all of it was taken"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error.flaw, Flaw::TooLarge { limit, .. } if limit == most), "{error}");
    assert_eq!(error.line, 2 + replay.position());
    assert!(replay.connection().status().outbox_bytes as u64 <= most);
}

#[test]
fn what_was_told_counts_no_more() {
    let mut long = Recorded::new(Contents::Full, |_| {});
    long.after(1, opened(1));
    for _ in 0..20 {
        long.after(1, received(1, Frame::Text("x".repeat(100).into())));
    }
    let trace = Trace::parse(long.text().as_bytes()).unwrap();
    let mut replay = Replay::new(&trace).unwrap().limit(150);
    while replay.step().unwrap().is_some() {}
    assert_eq!(replay.position(), 22);
}
