//! Recordings of arbitrary scenarios: they are replayed bit for bit, and say no secret.
//!
//! `PROPTEST_CASES` sets the number of cases for each property.

use perennial_core::sim::strategies::{setup, steps};
use perennial_core::sim::{Scenario, Touch};
use perennial_core::trace::{Contents, Recorder, Replay, Trace};
use perennial_core::{
    BuiltIn, CloseFrame, Config, Connection, Event, Frame, Instant, Outgoing, Payload,
};
use proptest::prelude::*;

/// Stands in every place where a program, a server or a hook may say something.
const SECRET: &str = "hunter2";

fn cases(default: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(default),
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The same text with a secret in it; what was an object is one still.
fn text(plain: &str) -> String {
    match plain.strip_suffix('}') {
        // Nested too deeply to be an object; then it is none.
        _ if plain.contains('[') => format!("{plain}{SECRET}"),
        Some("{") => format!(r#"{{"token":"{SECRET}"}}"#),
        Some(fields) => format!(r#"{fields},"token":"{SECRET}","{SECRET}":[1]}}"#),
        // A heartbeat is one only without a word more.
        None if ["ping", "pong"].contains(&plain) => plain.to_owned(),
        None => format!("{plain}{SECRET}\n"),
    }
}

fn bytes(plain: &[u8]) -> Vec<u8> {
    [plain, SECRET.as_bytes()].concat()
}

fn close(close: &CloseFrame) -> CloseFrame {
    CloseFrame::new(close.code, SECRET)
}

/// The same event with secrets in it.
fn planted(event: Event) -> Event {
    match event {
        Event::Send(Outgoing { payload, class, ttl, ahead }) => {
            let payload = match payload {
                Payload::Text(plain) => Payload::from(text(&plain)),
                Payload::Binary(plain) => Payload::from(bytes(&plain)),
            };
            Event::Send(Outgoing { payload, class, ttl, ahead })
        }
        Event::Received { transport, frame } => {
            let frame = match frame {
                Frame::Text(plain) => Frame::Text(text(&plain).into()),
                Frame::Binary(plain) => Frame::Binary(bytes(&plain).into()),
                Frame::Ping(plain) => Frame::Ping(bytes(&plain).into()),
                // The nonce of a ping, or something else.
                Frame::Pong(nonce) if nonce[0] % 2 == 0 => Frame::Pong(nonce),
                Frame::Pong(plain) => Frame::Pong(bytes(&plain).into()),
                Frame::Close(plain) => Frame::Close(plain.as_ref().map(close)),
            };
            Event::Received { transport, frame }
        }
        Event::Close(plain) => Event::Close(close(&plain)),
        Event::Drain { timeout, close: plain } => Event::Drain { timeout, close: close(&plain) },
        Event::DialFailed { transport, mut failure } => {
            failure.detail = format!("the request hook failed: {SECRET}").into();
            Event::DialFailed { transport, failure }
        }
        Event::Violated { transport, mut violation } => {
            violation.detail = format!("é{SECRET}").repeat(20).into();
            Event::Violated { transport, violation }
        }
        Event::Ended { transport, mut end } => {
            end.detail = SECRET.into();
            Event::Ended { transport, end }
        }
        Event::Refuse { transport, retry, detail: _ } => {
            Event::Refuse { transport, retry, detail: SECRET.into() }
        }
        other => other,
    }
}

/// Records what is done with a connection.
fn record(config: &Config, seed: u64, now: Instant, contents: Contents, tape: &[Touch]) -> String {
    let dialect = BuiltIn::new(&config.dialect);
    let mut connection = Connection::new(config.clone(), dialect.clone(), seed, now);
    let mut recorder = Recorder::new(config.clone(), dialect, seed, now, contents);
    for touch in tape {
        match touch {
            Touch::Handle(now, event) => {
                let _ = recorder.handle(&mut connection, *now, event.clone());
            }
            Touch::Poll => {
                recorder.poll(&mut connection);
            }
        }
        assert_eq!(recorder.fault(), None, "{touch:?}");
    }
    recorder.finish();
    recorder.text().to_owned()
}

fn replayed(text: &str) -> Result<(), TestCaseError> {
    let trace = Trace::parse(text.as_bytes());
    let trace = trace.map_err(|error| TestCaseError::fail(error.to_string()))?;
    let mut replay = Replay::new(&trace).map_err(|error| TestCaseError::fail(error.to_string()))?;
    while let Some(step) = replay.step().map_err(|error| TestCaseError::fail(error.to_string()))? {
        prop_assert_eq!(step.difference, None);
    }
    prop_assert_eq!(trace.text(), text);
    Ok(())
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_recording_is_replayed_and_says_no_secret(setup in setup(), seed: u64, steps in steps()) {
        let config = setup.config();
        let mut scenario = Scenario::new(config.clone(), seed);
        let start = scenario.driver().now();
        // What `new` polled is polled already.
        scenario.keep_tape();
        for step in &steps {
            if let Err(violation) = scenario.step(*step) {
                return Err(TestCaseError::fail(violation.to_string()));
            }
        }
        let tape = scenario.into_tape();

        let plain = record(&config, seed, start, Contents::Full, &tape);
        replayed(&plain)?;

        let tape: Vec<Touch> = tape
            .into_iter()
            .map(|touch| match touch {
                Touch::Handle(now, event) => Touch::Handle(now, planted(event)),
                Touch::Poll => Touch::Poll,
            })
            .collect();
        let secret = record(&config, seed, start, Contents::Redacted, &tape);
        replayed(&secret)?;
        prop_assert!(!secret.contains(SECRET), "{}", secret);
        let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
        prop_assert!(!secret.contains(&hex), "{}", secret);
        // The same story as if nothing were hidden.
        let told = record(&config, seed, start, Contents::Full, &tape);
        let parse = |text: &str| Trace::parse(text.as_bytes()).expect("it was read before");
        prop_assert_eq!(parse(&secret).difference_in_kind(&parse(&told)), None);
        replayed(&told)?;
    }
}
