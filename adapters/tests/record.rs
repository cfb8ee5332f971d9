//! `Builder::record`: a trace of a program's own.

#![cfg(all(feature = "blocking", feature = "practice"))]
#![allow(missing_docs, clippy::unwrap_used)]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use perennial::blocking::Client;
use perennial::core::trace::{Contents, Replay, Trace};
use perennial::practice::{Options, Server};
use perennial::{Notice, Record, RecordError};

/// A writer that shares what it was given, and fails after so many writes.
#[derive(Clone)]
struct Page {
    text: Arc<Mutex<Vec<u8>>>,
    writes: usize,
}

impl Page {
    fn new(writes: usize) -> Self {
        Self { text: Arc::default(), writes }
    }

    fn trace(&self) -> (String, Trace) {
        let text = self.text.lock().unwrap().clone();
        let trace = Trace::parse(&text).unwrap();
        (String::from_utf8(text).unwrap(), trace)
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.writes == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.writes -= 1;
        self.text.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends three messages there and back.
fn exchange(record: Record) {
    let server = Server::start(Options::default()).unwrap();
    let url = server.url() + "?token=hunter2";
    let mut client = Client::builder(&url).record(record).connect().unwrap();
    let mut echoes = Vec::new();
    for n in 0..3 {
        client.send(format!("hunter2 {n}")).unwrap();
        while let Some(notice) = client.recv() {
            if let Notice::Message(message) = notice {
                echoes.push(message.to_string());
                break;
            }
        }
    }
    assert_eq!(echoes, ["hunter2 0", "hunter2 1", "hunter2 2"]);
    client.close();
    while client.recv().is_some() {}
}

fn identical(trace: &Trace) {
    let mut replay = Replay::new(trace).unwrap();
    while let Some(step) = replay.step().unwrap() {
        assert_eq!(step.difference, None);
    }
    assert_eq!(replay.connection().counters().received, 3);
}

#[test]
fn what_is_said_is_recorded_only_when_asked_for() {
    let page = Page::new(usize::MAX);
    exchange(page.clone().into());
    let (text, trace) = page.trace();
    assert!(!text.contains("hunter2"), "{text}");
    identical(&trace);

    let page = Page::new(usize::MAX);
    exchange(Record::new(page.clone()).contents(Contents::Full));
    let (text, trace) = page.trace();
    assert!(text.contains("hunter2 2"), "{text}");
    assert!(!text.contains("token"), "the URL is in it: {text}");
    identical(&trace);
}

#[test]
fn a_writer_that_fails_ends_the_recording_alone() {
    for writes in [0, 1, 2] {
        let page = Page::new(writes);
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        exchange(Record::new(page.clone()).on_error(move |error: &RecordError| {
            tell.lock().unwrap().push(error.to_string());
        }));
        let told = told.lock().unwrap();
        assert!(matches!(told.as_slice(), [one] if one.contains("cannot be written")), "{told:?}");
        if writes == 2 {
            // What was written until then is a trace.
            page.trace();
        }
    }
}
