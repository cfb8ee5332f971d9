//! Which topics a pattern matches, and which texts are none.

use alloc::string::String;
use alloc::vec::Vec;
use std::string::ToString;

use proptest::prelude::*;

use super::*;

#[track_caller]
fn matches(pattern: &str, yes: &[&str], no: &[&str]) {
    let pattern: Pattern = pattern.parse().expect("a pattern");
    for topic in yes {
        assert!(pattern.matches(topic), "{pattern} matches {topic:?}");
    }
    for topic in no {
        assert!(!pattern.matches(topic), "{pattern} does not match {topic:?}");
    }
}

#[test]
fn a_pattern_matches_by_segments() {
    matches("a.b", &["a.b"], &["", "a", "a.", "a.b.", "a.b.c", ".a.b", "A.b", "a*b", "a.*"]);
    matches("*", &["", "a", "*", "**", "a/b", "é"], &["a.b", ".", "a."]);
    matches("a.*", &["a.b", "a.", "a.*", "a.**"], &["a", "b.a", "a.b.c", "ab.c", ""]);
    matches("*.b", &["a.b", ".b"], &["b", "a.b.c", "a.a.b"]);
    matches("a.*.c", &["a.b.c", "a..c"], &["a.c", "a.b.b.c", "a.b.c.d"]);
    matches("*.*", &["a.b", "."], &["a", "a.b.c"]);
    matches("a.**", &["a.b", "a.b.c", "a.", "a.b.c.d.e"], &["a", "ab", "b.a", ""]);
    matches("*.**", &["a.b", "a.b.c", "."], &["a", ""]);
    matches("**", &["", "a", "a.b", "...", "*"], &[]);
    matches(".a", &[".a"], &["a"]);
    matches("a..*", &["a..b", "a.."], &["a.b"]);
}

#[test]
fn the_separator_is_free() {
    let pattern = Pattern::parse("/a/*/é", '/').expect("a pattern");
    assert!(pattern.matches("/a/b.c/é"));
    assert!(!pattern.matches("/a/b/c/é"));
    let pattern = Pattern::parse("a→*→**", '→').expect("a pattern");
    assert!(pattern.matches("a→b→c→d"));
    assert!(!pattern.matches("a→b"));
    // Without the separator it is all one segment.
    let pattern = Pattern::parse("a.b", '/').expect("a pattern");
    assert!(pattern.matches("a.b"));
}

#[test]
fn a_text_that_is_no_pattern_is_refused_and_told_where() {
    let long = "x".repeat(MAX_TOPIC + 1);
    for (pattern, separator, error, words) in [
        ("", '.', PatternError::Empty, "the pattern is empty: name a topic, or ** for every one"),
        (
            long.as_str(),
            '.',
            PatternError::TooLong { len: 1025 },
            "the pattern takes 1025 bytes and a topic at most 1024",
        ),
        (
            "a.b*",
            '.',
            PatternError::Partial { at: 2 },
            "the segment at byte 2 holds a wildcard and something else: \
             let * or ** stand alone, or ask for the exact topic",
        ),
        ("***", '.', PatternError::Partial { at: 0 }, ""),
        ("é.*.**x", '.', PatternError::Partial { at: 5 }, ""),
        ("a→b→*c", '→', PatternError::Partial { at: 8 }, ""),
        ("a.*", '/', PatternError::Partial { at: 0 }, ""),
        (
            "a.**.b",
            '.',
            PatternError::NotLast { at: 2 },
            "the ** at byte 2 is not the last segment: use * for each segment before the last",
        ),
        ("**.**", '.', PatternError::NotLast { at: 0 }, ""),
        ("**.", '.', PatternError::NotLast { at: 0 }, ""),
        ("a", '*', PatternError::Separator, "* separates no segments: it is the wildcard"),
    ] {
        assert_eq!(Pattern::parse(pattern, separator), Err(error), "{pattern}");
        assert!(words.is_empty() || error.to_string() == words, "{error}");
    }
    assert!(Pattern::parse(&long[1..], '.').is_ok(), "the longest topic can be asked for");
}

#[test]
fn an_exact_topic_is_taken_at_its_word() {
    for topic in ["", "*", "a.*", "a.b*", "**.a", "\u{0}"] {
        let pattern = Pattern::exact(topic).expect("short enough");
        assert!(pattern.matches(topic));
        assert!(!pattern.matches("a.b"));
        assert_eq!(pattern.as_str(), Some(topic));
    }
    let long = String::from_iter(["x"; MAX_TOPIC + 1]);
    assert_eq!(Pattern::exact(long), Err(PatternError::TooLong { len: MAX_TOPIC + 1 }));
    // One that is written without wildcards is the same.
    assert_eq!("a.b".parse(), Pattern::exact("a.b"));
    assert_ne!("a.*".parse(), Pattern::exact("a.*"));
}

#[test]
fn patterns_are_shown_as_written() {
    for written in ["a", "a.*", "**"] {
        assert_eq!(written.parse::<Pattern>().expect("a pattern").to_string(), written);
    }
    assert_eq!(Pattern::all().to_string(), "**");
    assert_eq!("**".parse(), Ok(Pattern::all()));
    assert_eq!(Pattern::unrouted().to_string(), "(no topic)");
    assert_eq!(Pattern::unrouted().as_str(), None);
    assert!(!Pattern::unrouted().matches(""));
    assert!(!Pattern::unrouted().matches("(no topic)"));
}

/// The same, by recursion on lists.
fn by_the_book(pattern: &[&str], topic: &[&str]) -> bool {
    match (pattern, topic) {
        ([], []) => true,
        (["**"], [_, ..]) => true,
        (["*", pattern @ ..], [_, topic @ ..]) => by_the_book(pattern, topic),
        ([wanted, pattern @ ..], [segment, topic @ ..]) => {
            wanted == segment && by_the_book(pattern, topic)
        }
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}

fn segments(of: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(of), 1..6)
}

proptest! {
    #![proptest_config(crate::testing::cases())]

    #[test]
    fn matching_agrees_with_a_naive_matcher(
        pattern in segments(&["a", "b", "", "*", "*", "ab"]),
        rest: bool,
        topic in segments(&["a", "b", "", "*", "**", "ab", "a", "b"]),
        separator in prop::sample::select(&['.', '/', '→', 'x'][..]),
    ) {
        let mut pattern = pattern;
        if rest {
            pattern.push("**");
        }
        let join = |segments: &[&str]| segments.join(separator.to_string().as_str());
        let written = join(&pattern);
        prop_assume!(!written.is_empty());
        let parsed = Pattern::parse(&written, separator);
        let parsed = parsed.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(parsed.matches(&join(&topic)), by_the_book(&pattern, &topic));
    }

    #[test]
    fn any_text_is_a_pattern_or_is_refused(
        text in "[ab*.é]{0,12}", other in crate::testing::any_text(), separator: char
    ) {
        for text in [&text, &other] {
            for separator in ['.', separator] {
                match Pattern::parse(text, separator) {
                    Ok(pattern) => {
                        prop_assert_eq!(pattern.as_str(), Some(text.as_str()));
                        let _ = pattern.matches(&other);
                        if !text.contains('*') {
                            prop_assert!(pattern.matches(text));
                        }
                    }
                    // A wildcard stands where an error says, or else the text is empty.
                    Err(PatternError::Partial { at } | PatternError::NotLast { at }) => {
                        let segment = text[at..].split(separator).next();
                        prop_assert!(segment.is_some_and(|segment| segment.contains('*')));
                    }
                    Err(PatternError::Empty) => prop_assert!(text.is_empty()),
                    Err(PatternError::Separator) => prop_assert_eq!(separator, '*'),
                    Err(PatternError::TooLong { len }) => prop_assert!(len > MAX_TOPIC),
                }
            }
        }
    }
}
