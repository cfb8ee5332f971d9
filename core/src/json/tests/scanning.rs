//! Where strings and numbers end, wherever in eight bytes that is.

use alloc::format;

use super::agree;

/// How far apart the places and the characters are that are tried: Miri, which is slow, tries some.
const STRIDE: usize = if cfg!(miri) { 5 } else { 1 };

#[test]
fn a_string_ends_at_its_quote_and_nowhere_else() {
    // Each character that is one byte, and some of two, three and four, after and before others.
    let others = ['\u{80}', 'é', '\u{7ff}', '\u{2028}', '\u{ffff}', '\u{10000}', '\u{10ffff}'];
    for char in (0..=127_u8).step_by(STRIDE).map(char::from).chain(others) {
        for before in (0..18).step_by(STRIDE) {
            for after in [0, 1, 7, 8] {
                let (before, after) = ("x".repeat(before), "\u{7f}".repeat(after));
                agree(&format!("{{\"{before}{char}{after}\":1}}"));
                agree(&format!("{{\"a\":\"{before}{char}{after}\"}}"));
                agree(&format!("\"{before}{char}{after}\""));
            }
        }
    }
}

#[test]
fn a_number_ends_at_its_last_digit() {
    for char in (0..=127_u8).step_by(STRIDE).map(char::from).chain(['é', '\u{2028}', '\u{10ffff}'])
    {
        for before in (0..18).step_by(STRIDE) {
            for after in [0, 1, 8] {
                let (before, after) = ("190".repeat(6).split_off(18 - before), "9".repeat(after));
                agree(&format!("{{\"a\":{before}{char}{after}}}"));
                agree(&format!("{{\"a\":[-1.{before}{char}{after}]}}"));
                // Here the text may be over with it.
                agree(&format!("{before}{char}{after}"));
            }
        }
    }
}
