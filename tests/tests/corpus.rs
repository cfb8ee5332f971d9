//! The recorded traces in `traces/`: real runs through faults, and what was once wrong.
//!
//! Each is replayed bit for bit, so that no change of what the connection does goes unnoticed. If
//! the change is wanted, `PERENNIAL_BLESS=1 cargo test -p perennial-tests --test corpus` writes what
//! it does now in the place of what it did; the events stay.

use std::path::PathBuf;

use perennial_core::trace::{Contents, Flaw, Replay, Trace};

/// All of them together stay small.
const MOST: usize = 100 << 10;

fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/traces");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("it is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read(&path).expect("it can be read");
        (path, text)
    };
    files.into_iter().map(read).collect()
}

fn parse(path: &std::path::Path, text: &[u8]) -> Trace {
    Trace::parse(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_trace_is_replayed_bit_for_bit() {
    let bless = std::env::var_os("PERENNIAL_BLESS").is_some();
    let mut differing = Vec::new();
    for (path, text) in corpus() {
        let trace = parse(&path, &text);
        let anew = trace.record_anew().expect("it can be replayed").text();
        // The first line names the version that wrote it, and what that version can configure.
        let behind = |text: &str| text.split_once('\n').map(|(_, rest)| rest.to_owned());
        let text = String::from_utf8(text).expect("a trace is text");
        if behind(&anew) == behind(&text) {
            continue;
        }
        if bless {
            std::fs::write(&path, anew).expect("it can be written");
            continue;
        }
        let mut replay = Replay::new(&trace).expect("it can be replayed");
        let mut difference = None;
        while let Some(step) = replay.step().expect("it is small") {
            difference = difference.or(step.difference);
        }
        differing.push(format!("{}: {difference:?}", path.display()));
    }
    assert!(
        differing.is_empty(),
        "the connection acts otherwise than it did; if that is wanted, run with PERENNIAL_BLESS=1\n{}",
        differing.join("\n")
    );
}

#[test]
fn the_corpus_is_small_and_says_nothing() {
    let corpus = corpus();
    assert!(corpus.len() >= 10);
    let size: usize = corpus.iter().map(|(_, text)| text.len()).sum();
    assert!(size <= MOST, "{size} bytes");
    for (path, text) in corpus {
        let text = String::from_utf8(text).expect("a trace is text");
        // What was typed when they were recorded.
        let words = ["line ", "small", "xxxx"];
        let full = parse(&path, text.as_bytes()).header.contents == Contents::Full;
        let (_, events) = text.split_once('\n').expect("there is a header");
        for word in words.iter().filter(|_| !full) {
            assert!(!events.contains(word), "{} says {word:?}", path.display());
        }
    }
}

/// The check above can fail.
#[test]
fn a_changed_trace_is_noticed() {
    let (path, text) = corpus().swap_remove(0);
    let text = String::from_utf8(text).expect("a trace is text");
    let trace = parse(&path, text.as_bytes());
    let changed = text.replacen(r#""why":"dial""#, r#""why":"ping""#, 1);
    assert_ne!(changed, text);
    let mut changed = Trace::parse(changed.as_bytes()).expect("it is a trace still");
    assert!(trace.difference(&changed).is_some());
    changed = changed.record_anew().expect("it can be replayed");
    assert_eq!(trace.difference(&changed), None);
    let newer = text.replacen(r#""version":1"#, r#""version":99"#, 1);
    let error = Trace::parse(newer.as_bytes()).expect_err("nobody knows it");
    assert_eq!(error.flaw, Flaw::UnknownVersion { version: 99 });
}
