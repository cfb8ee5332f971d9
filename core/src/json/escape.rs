//! What a JSON string means (RFC 8259 §7).

use core::str::Chars;

/// The characters of a string, given the valid text between its quotes; `None` in the place of a
/// lone surrogate, which is no character.
pub(crate) fn unescape(inner: &str) -> impl Iterator<Item = Option<char>> + '_ {
    let mut chars = inner.chars();
    core::iter::from_fn(move || {
        let char = chars.next()?;
        if char != '\\' {
            return Some(Some(char));
        }
        Some(match chars.next()? {
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'u' => unicode(&mut chars),
            itself => Some(itself),
        })
    })
}

/// Whether a string means `expected`, given the valid text between its quotes.
///
/// The comparison ends with the first difference, so that a hostile string costs nothing.
pub(crate) fn means(inner: &str, expected: &str) -> bool {
    unescape(inner).eq(expected.chars().map(Some))
}

/// The character of an escape, after its `\u`; a pair of surrogates takes the next escape as well.
fn unicode(chars: &mut Chars<'_>) -> Option<char> {
    let unit = hex(chars)?;
    if !(0xd800..0xdc00).contains(&unit) {
        return char::from_u32(unit);
    }
    let mut ahead = chars.clone();
    if ahead.next() != Some('\\') || ahead.next() != Some('u') {
        return None;
    }
    let low = hex(&mut ahead).filter(|low| (0xdc00..0xe000).contains(low))?;
    *chars = ahead;
    char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00))
}

fn hex(chars: &mut Chars<'_>) -> Option<u32> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit << 4 | chars.next()?.to_digit(16)?;
    }
    Some(unit)
}
