//! Input that means harm.

use alloc::string::String;

use super::*;

#[track_caller]
fn unreadable(dialect: &mut Json, frame: &str, limit: usize, at: usize) {
    let expected = std::format!("JSON nests deeper than max_depth {limit} at byte {at}");
    let meaning = dialect.decode(text(frame));
    assert_eq!(meaning, Meaning::Unreadable { payload: text(frame), detail: expected.into() });
}

fn nested(depth: usize) -> String {
    std::format!("{{\"a\":{}1{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1))
}

/// The size that the tests speak of; less under Miri, which takes a day for so much.
const MIB: usize = if cfg!(miri) { 1 << 10 } else { 1 << 20 };

#[test]
fn nesting_is_bounded() {
    let mut dialect = json(|c| c.max_depth = 3);
    reads(&mut dialect, &nested(3), message(&nested(3), None));
    unreadable(&mut dialect, &nested(4), 3, 7);
    unreadable(&mut dialect, r#"  {"a":[],"b":{"c":[{}]},"id":5}"#, 3, 20);
    // Brackets in strings do not nest, nor do those that follow one another.
    for flat in
        [r#"{"[[[[[[":"{{{{{{\"[[[[\\","id":5}"#, r#"{"a":[],"b":[],"c":[],"d":[{},{},{}],"id":5}"#]
    {
        reads(&mut dialect, flat, message(flat, Some(5)));
    }
    // Only what could be an object is read at all.
    reads(&mut dialect, "[[[[[[[[]]]]]]]]", message("[[[[[[[[]]]]]]]]", None));
    reads(&mut dialect, "}}}}{{{{", message("}}}}{{{{", None));

    let mut dialect = json(|c| c.max_depth = 1);
    reads(&mut dialect, r#"{"id":5}"#, message(r#"{"id":5}"#, Some(5)));
    unreadable(&mut dialect, r#"{"id":5,"a":{}}"#, 1, 12);

    let most = if cfg!(miri) { 500 } else { 10_000 };
    let mut dialect = json(|c| c.max_depth = most);
    reads(&mut dialect, &nested(most), message(&nested(most), None));
    unreadable(&mut dialect, &nested(most + 1), most, 5 + most - 1);
}

#[test]
fn a_mebibyte_of_brackets_is_survived() {
    let hostile = [
        std::format!("{{\"a\":{}", "[".repeat(MIB)),
        nested(MIB),
        std::format!("{}1{}", "{\"a\":".repeat(MIB / 5), "}".repeat(MIB / 5)),
        "{".repeat(MIB),
        std::format!("{{\"ack\":{}", "[".repeat(MIB)),
    ];
    // A small stack: recursion would end it.
    let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(move || {
        let mut dialect = default();
        for frame in &hostile {
            let meaning = dialect.decode(text(frame));
            assert!(matches!(meaning, Meaning::Unreadable { .. }), "{meaning:?}");
            // Without the bound on depth, as when sending, it is the skipping that must not recurse.
            let encoded = dialect.encode(text(frame), context(1)).expect("text is writable");
            let out = encoded.payload.as_text().expect("text stays text");
            let json = frame.ends_with(['}', ']']);
            let head = if json { r#"{"id":1,"data":{""# } else { r#"{"id":1,"data":"{"# };
            assert!(out.starts_with(head), "{}", &out[..40]);
            assert!(Fields::read(out, "id", usize::MAX).is_some(), "an envelope is JSON");
        }
    });
    thread.expect("a thread starts").join().expect("the stack sufficed");
}

#[test]
fn hostile_texts_are_messages() {
    let mut dialect = default();
    for frame in [
        std::format!("{{\"a\":\"{}", "\\".repeat(MIB)),
        std::format!("{{\"{}\":1}}", "\\u0069".repeat(MIB / 6)),
        std::format!("{{\"type\":\"{}\"}}", "\\u0070".repeat(MIB / 6)),
        std::format!("{{{}", "\"id\":1,".repeat(MIB / 7)),
        std::format!("{{\"id\":{}}}", "9".repeat(MIB)),
        std::format!("{{\"id\":0.{}}}", "9".repeat(MIB)),
        std::format!("{{\"id\":1e{}}}", "9".repeat(MIB)),
        std::format!("{{{}}}", " ".repeat(MIB)),
        " ".repeat(MIB),
        "\"".repeat(MIB),
    ] {
        assert_eq!(dialect.decode(text(&frame)), message(&frame, None));
    }
}
