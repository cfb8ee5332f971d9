//! Input that means harm.

use std::string::String;

use super::*;

/// The size that the tests speak of; less under Miri, which takes a day for so much.
const MIB: usize = if cfg!(miri) { 1 << 10 } else { 1 << 20 };

#[test]
fn a_mebibyte_of_anything_is_survived() {
    let nested = std::format!("[\"a\",{}{}]", "[".repeat(MIB), "]".repeat(MIB));
    // A small stack: recursion would end it.
    let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(move || {
        let mut dialect = default();
        reads(&mut dialect, &std::format!("42{nested}"), message(&nested, None));
        assert!(dialect.encode(text(&nested), encode::context(1)).is_ok());
        let object = std::format!("{{\"a\":{}{}}}", "[".repeat(MIB), "]".repeat(MIB));
        let told = std::format!("[\"connect\",{object}]");
        reads(&mut dialect, &std::format!("40{object}"), admission(&told, true));
        for frame in [
            std::format!("42[\"a\",{}", "[".repeat(MIB)),
            std::format!("42{}[\"a\"]", "9".repeat(MIB)),
            std::format!("42/{}", "a".repeat(MIB)),
            std::format!("42/{}", ",".repeat(MIB)),
            std::format!("42[\"{}", "\\".repeat(MIB)),
            std::format!("42[\"{}\"", "\\u0063".repeat(MIB / 6)),
            std::format!("40{{{}", "\"a\":{".repeat(MIB / 5)),
            "4".repeat(MIB),
            "[".repeat(MIB),
        ] {
            let meaning = dialect.decode(text(&frame));
            assert!(matches!(meaning, Meaning::Unreadable { .. }), "{meaning:?}");
            assert!(dialect.encode(text(&frame[2..]), encode::context(1)).is_err());
        }
        let bad = std::format!("43{}[]", "9".repeat(MIB));
        reads(&mut dialect, &bad, Meaning::BadAck);
    });
    thread.expect("a thread starts").join().expect("the stack sufficed");
}

#[test]
fn a_reason_shows_nothing_of_the_frame() {
    for frame in ["s3cr3t", "4s3cr3t", "42s3cr3t", "40s3cr3t", "42/s3cr3t,[]", "451-s3cr3t"] {
        let Meaning::Unreadable { detail, .. } = default().decode(text(frame)) else {
            panic!("{frame} was read");
        };
        assert!(!detail.contains("s3cr3t"), "{detail}");
    }
}

#[test]
fn no_frame_makes_a_larger_message_than_itself_and_a_word() {
    for frame in [String::from("44"), String::from("41"), std::format!("44\"{}\"", "a".repeat(MIB))]
    {
        let Meaning::Admission { payload, .. } = default().decode(text(&frame)) else {
            panic!("{frame}");
        };
        assert!(payload.len() <= frame.len() + 40, "{}", payload.len());
    }
}
