//! What the drivers tell `tracing`.

#![cfg(feature = "blocking")]
#![allow(clippy::unwrap_used, clippy::wildcard_imports)]

mod support;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use perennial::blocking::Client;
use perennial::{Builder, Notice, State};
use support::*;
use tracing::field::{Field, Visit};
use tracing::span;

/// Writes down every span and event that it is told, and where each lies.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Record>>);

#[derive(Default)]
struct Record {
    /// Each span's name and fields, with those of the spans around it before them.
    spans: Vec<String>,
    /// The spans that each thread is in.
    entered: HashMap<ThreadId, Vec<u64>>,
    /// Each event: where it lies, and what it says.
    events: Vec<(String, String)>,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Record {
    fn entered(&mut self) -> &mut Vec<u64> {
        self.entered.entry(thread::current().id()).or_default()
    }

    fn path(&mut self, parent: Option<&span::Id>) -> String {
        let id = parent.map(span::Id::into_u64).or_else(|| self.entered().last().copied());
        id.map_or_else(String::new, |id| self.spans[id as usize - 1].clone())
    }
}

impl tracing::Subscriber for Recorder {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "perennial" || metadata.target() == "hook"
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut record = self.0.lock().unwrap();
        let mut line = Line(record.path(attributes.parent()));
        write!(line.0, " {} {}", attributes.metadata().level(), attributes.metadata().name())
            .unwrap();
        attributes.record(&mut line);
        record.spans.push(line.0);
        span::Id::from_u64(record.spans.len() as u64)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut record = self.0.lock().unwrap();
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        let path = record.path(event.parent());
        record.events.push((path, line.0));
    }

    fn enter(&self, span: &span::Id) {
        self.0.lock().unwrap().entered().push(span.into_u64());
    }

    fn exit(&self, span: &span::Id) {
        let mut record = self.0.lock().unwrap();
        assert_eq!(record.entered().pop(), Some(span.into_u64()), "left in order");
    }

    fn record(&self, span: &span::Id, values: &span::Record<'_>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        self.0.lock().unwrap().spans[span.into_u64() as usize - 1].push_str(&line.0);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
}

impl Recorder {
    fn text(&self) -> String {
        let record = self.0.lock().unwrap();
        let events: Vec<_> = record.events.iter().map(|(path, said)| path.clone() + said).collect();
        format!("{}\n{}", record.spans.join("\n"), events.join("\n"))
    }

    /// Every event that says one of these, as `said in the span`.
    fn told(&self, wanted: &[&str]) -> Vec<(String, String)> {
        let record = self.0.lock().unwrap();
        let says = |said: &str| wanted.iter().find(|one| said.contains(&format!("message={one}")));
        let told = record.events.iter();
        told.filter_map(|(path, said)| Some(((*says(said)?).to_owned(), path.clone()))).collect()
    }
}

/// Refuses once, loses the next connection, and then stays.
fn eventful() -> Server {
    Server::start(|number, mut stream| match number {
        0 => {
            read_request(&mut stream);
            stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\n\r\n").unwrap();
        }
        1 => {
            reset(&stream);
            drop(accept(stream));
        }
        _ => echo(accept(stream)),
    })
}

fn builder(server: &Server) -> Builder {
    let url = format!("ws://hidden-user:hidden-word@{}/path?key=hidden-key", server.address);
    let mut config = quick();
    // Every attempt has a number of its own.
    config.retry.stable_after = std::time::Duration::from_secs(60);
    let builder = Builder::new(&url).config(config.build().unwrap());
    #[cfg(feature = "proxy")]
    let builder = builder.no_proxy();
    builder.header("X-Key", "hidden-header").name("feed")
}

#[cfg(feature = "smol")]
fn is_open(notice: &Notice) -> bool {
    matches!(notice, Notice::StateChanged { to: State::Open, .. })
}

fn is_complete(recorder: &Recorder, server: &Server) {
    let text = recorder.text();
    assert!(!text.contains("hidden"), "{text}");
    let connection = format!(" INFO connection to=\"ws://{}/path\" name=\"feed\"", server.address);
    let attempt = |n| format!("{connection} INFO attempt transport={n} attempt={n}");
    let attempts = [attempt(1), attempt(2), attempt(3)];
    let mut spans = vec![connection.clone()];
    spans.extend(attempts.clone());
    assert_eq!(recorder.0.lock().unwrap().spans, spans, "{text}");
    let expected = [
        ("dial", 0),
        ("connected", 0),
        ("retry", 0),
        ("dial", 1),
        ("connected", 1),
        ("open", 1),
        ("lost", 1),
        ("retry", 1),
        ("dial", 2),
        ("connected", 2),
        ("open", 2),
        ("closed", 2),
    ];
    let expected =
        expected.map(|(said, at): (&str, usize)| (said.to_owned(), attempts[at].clone()));
    let wanted = ["dial", "connected", "open", "lost", "retry", "closed"];
    assert_eq!(recorder.told(&wanted), expected, "{text}");
}

#[test]
fn tells_the_story_in_order_and_no_secret() {
    let server = eventful();
    let recorder = Recorder::default();
    tracing::subscriber::with_default(recorder.clone(), || {
        let mut opened = 0;
        builder(&server)
            .run(|handle, notice| match notice {
                Notice::StateChanged { to: State::Open, .. } => {
                    opened += 1;
                    if opened == 2 {
                        handle.send("hidden-message").unwrap();
                    }
                    ControlFlow::Continue(())
                }
                Notice::Message(_) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            })
            .unwrap();
    });
    is_complete(&recorder, &server);
}

#[cfg(feature = "smol")]
#[test]
fn tells_the_same_on_a_runtime() {
    let server = eventful();
    let recorder = Recorder::default();
    tracing::subscriber::with_default(recorder.clone(), || {
        let (mut client, driver) = builder(&server).connect_on(perennial::smol::Smol).unwrap();
        let application = async move {
            let mut opened = 0;
            while let Some(notice) = client.recv().await {
                opened += usize::from(is_open(&notice));
                if opened == 2 {
                    client.close();
                }
            }
        };
        smol::block_on(futures_lite::future::zip(driver, application));
    });
    is_complete(&recorder, &server);
}

#[test]
fn where_each_attempt_goes_stands_in_its_span_if_a_hook_says_so() {
    let server = eventful();
    let recorder = Recorder::default();
    let address = server.address;
    tracing::subscriber::with_default(recorder.clone(), || {
        let mut opened = 0;
        builder(&server)
            .on_request(move |attempt| {
                let path = attempt.number;
                Ok(attempt.set_url(&format!("ws://hidden@{address}/{path}?key=hidden"))?)
            })
            .run(|_, notice| match notice {
                Notice::StateChanged { to: State::Open, .. } => {
                    opened += 1;
                    if opened == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                }
                _ => ControlFlow::Continue(()),
            })
            .unwrap();
    });
    let text = recorder.text();
    assert!(!text.contains("hidden") && !text.contains("/path"), "{text}");
    let attempt = |n| {
        let to = format!("to=\"ws://{address}/{n}\"");
        format!(" INFO connection name=\"feed\" INFO attempt transport={n} attempt={n} {to}")
    };
    let expected = [("retry", 1), ("open", 2), ("lost", 2), ("retry", 2), ("open", 3)];
    let expected = expected.map(|(said, n): (&str, u32)| (said.to_owned(), attempt(n)));
    assert_eq!(recorder.told(&["open", "lost", "retry"]), expected, "{text}");
}

#[test]
fn what_the_request_hook_tells_lies_in_the_attempt() {
    let server = Server::echo();
    let recorder = Recorder::default();
    let inner = recorder.clone();
    tracing::subscriber::with_default(recorder.clone(), || {
        Client::builder(server.url())
            .on_request(move |_| {
                // The thread is another, and this test's recorder is not everybody's.
                let _guard = tracing::subscriber::set_default(inner.clone());
                tracing::info!(target: "hook", "asked");
                Ok(())
            })
            .run(|_, notice| match notice {
                Notice::StateChanged { to: State::Open, .. } => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            })
            .unwrap();
    });
    let told = recorder.told(&["asked"]);
    let [(_, path)] = told.as_slice() else { panic!("{told:?}") };
    assert!(path.contains("attempt transport=1 attempt=1 DEBUG prepare"), "{path}");
}
