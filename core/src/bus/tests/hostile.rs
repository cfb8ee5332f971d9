//! Input that means harm.

use std::format;
use std::string::String;

use super::*;

/// The size that the tests speak of; less under Miri, which takes a day for so much.
const MIB: usize = if cfg!(miri) { 1 << 12 } else { 1 << 20 };

fn topic(json: &str) -> Option<String> {
    delivered(fields(), text(json)).topic().map(Into::into)
}

#[test]
fn nesting_is_bounded() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        // The message's own object is a level too.
        for (levels, is_read) in [(MAX_DEPTH - 1, true), (MAX_DEPTH, false), (MAX_DEPTH + 1, false)]
        {
            let nest = format!("{}1{}", open.repeat(levels), close.repeat(levels));
            let expected = is_read.then_some("a");
            assert_eq!(topic(&format!(r#"{{"type":"a","b":{nest}}}"#)).as_deref(), expected);
            assert_eq!(topic(&format!(r#"{{"data":{nest},"type":"a"}}"#)).as_deref(), expected);
            let empty = nest.replace('1', "").replace("\"a\":}", "}");
            assert_eq!(topic(&format!(r#"{{"type":"a","b":{empty}}}"#)).as_deref(), expected);
        }
    }
    // Brackets in strings do not nest, nor do those that follow one another.
    assert_eq!(
        topic(&format!(r#"{{"type":"a","b":"{}"}}"#, "[".repeat(200))).as_deref(),
        Some("a")
    );
    assert_eq!(
        topic(&format!(r#"{{"type":"a","b":[{}[]]}}"#, "[],{},".repeat(200))).as_deref(),
        Some("a")
    );
}

#[test]
fn a_topic_is_bounded() {
    // A plain one, an escaped one, one whose characters are long, and a number.
    let quoted: fn(usize) -> String = |len| format!("\"{}\"", "x".repeat(len));
    let escaped: fn(usize) -> String = |len| format!("\"{}\"", "\\u0078".repeat(len));
    let long: fn(usize) -> String =
        |len| format!("\"{}{}\"", "\\ud83d\\ude00".repeat(len / 4), "x".repeat(len % 4));
    let number: fn(usize) -> String = |len| "9".repeat(len);
    for made in [quoted, escaped, long, number] {
        let of = |len| topic(&format!(r#"{{"type":{}}}"#, made(len)));
        assert_eq!(of(MAX_TOPIC).map(|topic| topic.len()), Some(MAX_TOPIC));
        assert_eq!(of(MAX_TOPIC + 1), None);
        assert_eq!(of(MIB), None);
    }
}

#[test]
fn a_mebibyte_of_anything_is_survived() {
    let hostile = [
        format!("{{\"type\":\"a\",\"b\":{}", "[".repeat(MIB)),
        format!("{}1{}", "{\"type\":".repeat(MIB / 8), "}".repeat(MIB / 8)),
        "{".repeat(MIB),
        "[".repeat(MIB),
        "\"".repeat(MIB),
        " ".repeat(MIB),
        format!("{{\"type\":\"{}", "\\".repeat(MIB)),
        format!("{{\"{}\":1}}", "\\u0074".repeat(MIB / 6)),
        format!("{{\"type\":\"{}\"}}", "\\ud800".repeat(MIB / 6)),
        format!("{{{}", "\"type\":1,".repeat(MIB / 9)),
        format!("{{\"type\":0.{}}}", "9".repeat(MIB)),
        format!("{{\"type\":\"a\",\"b\":[{}", "[],".repeat(MIB / 3)),
    ];
    // A small stack: recursion would end it.
    let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(move || {
        for json in &hostile {
            assert_eq!(topic(json), None, "{}", &json[..20]);
        }
        // What is large may still be well formed.
        let large = format!("{{\"data\":[{}1],\"type\":\"a\"}}", "1,".repeat(MIB / 2));
        assert_eq!(topic(&large).as_deref(), Some("a"));
    });
    thread.expect("a thread starts").join().expect("the stack sufficed");
}

#[test]
fn a_topic_of_separators_is_matched_in_time() {
    let json = format!(r#"{{"type":"{}"}}"#, ".".repeat(MAX_TOPIC));
    let mut bus = Bus::new(fields());
    let rest = bus.subscribe(&bus.pattern(&format!("{}**", "*.".repeat(500))).expect("a pattern"));
    let exact = bus.pattern(&format!("{}*", "*.".repeat(500))).expect("a pattern");
    bus.subscribe(&exact);
    let mut to = Vec::new();
    bus.route(text(&json), &mut to);
    assert_eq!(to, [rest]);
}
