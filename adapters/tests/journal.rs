//! What the blocking client tells `tracing`.

#![cfg(feature = "blocking")]
#![allow(clippy::unwrap_used, clippy::wildcard_imports)]

mod support;

use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use perennial::blocking::Client;
use perennial::{Notice, State};
use support::*;
use tracing::field::{Field, Visit};
use tracing::span;

/// Writes down everything that it is told.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl tracing::Subscriber for Recorder {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut text = self.0.lock().unwrap();
        write!(text, "span {}", attributes.metadata().name()).unwrap();
        attributes.record(&mut Line(&mut text));
        text.push('\n');
        span::Id::from_u64(1)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = self.0.lock().unwrap();
        write!(text, "{} {}", event.metadata().target(), event.metadata().level()).unwrap();
        event.record(&mut Line(&mut text));
        text.push('\n');
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn tells_the_story_and_no_secret() {
    let server = Server::start(|number, mut stream| {
        if number == 0 {
            read_request(&mut stream);
            stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\n\r\n").unwrap();
        } else {
            echo(accept(stream));
        }
    });
    let url = format!("ws://hidden-user:hidden-word@{}/path?key=hidden-key", server.address);
    let recorder = Recorder::default();
    tracing::subscriber::with_default(recorder.clone(), || {
        Client::builder(&url)
            .config(quick().build().unwrap())
            .header("X-Key", "hidden-header")
            .run(|handle, notice| match notice {
                Notice::StateChanged { to: State::Open, .. } => {
                    handle.send("hidden-message").unwrap();
                    ControlFlow::Continue(())
                }
                Notice::Message(_) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            })
            .unwrap();
    });
    let text = recorder.0.lock().unwrap().clone();
    assert!(!text.contains("hidden"), "{text}");
    let target = format!("span connection to=\"ws://{}/path\"", server.address);
    for part in [target.as_str(), "message=dial", "message=retry", "message=open", "message=closed"]
    {
        assert!(text.contains(part), "{part} in:\n{text}");
    }
    assert_eq!(text.matches("span").count(), 1, "one span per connection:\n{text}");
}
