//! Single values, as they stand in the text.

use super::escape::means;
use super::scan::Scan;

/// Whether `text` is one JSON value by the grammar of RFC 8259, of whatever size, that nests at most so
/// deep and is no object: what [`pick`](super::pick) refuses need not be read again.
pub(crate) fn is_array_or_scalar(text: &str, max_depth: usize) -> bool {
    let mut scan = Scan::new(text);
    first_byte(text) != Some(b'{') && scan.value(max_depth).is_some() && scan.is_over()
}

/// Where `text` first nests deeper than `max_depth`: the offset in bytes of the bracket that does.
///
/// Looks at brackets outside of strings and at nothing else; that the text is JSON is not checked.
pub(crate) fn too_deep(text: &str, max_depth: usize) -> Option<usize> {
    // Each level takes a byte, so that short texts need no look.
    if text.len() <= max_depth {
        return None;
    }
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > max_depth {
                    return Some(at);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The first byte after white space (RFC 8259 §2).
pub(crate) fn first_byte(text: &str) -> Option<u8> {
    text.bytes().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

/// Whether a valid JSON value is a number.
pub(crate) fn is_number(token: &str) -> bool {
    token.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// The value of a valid JSON value that is an integer from 0 to 2^64 - 1, written as one.
pub(crate) fn integer(token: &str) -> Option<u64> {
    // A JSON number never begins with the `+` that `parse` would take.
    token.parse().ok()
}

/// What stands between the quotes of a valid JSON value, if it is a string.
pub(crate) fn unquoted(token: &str) -> Option<&str> {
    token.strip_prefix('"')?.strip_suffix('"')
}

/// Whether a valid JSON value is the string `expected`.
pub(crate) fn is_string(token: &str, expected: &str) -> bool {
    let Some(inner) = unquoted(token) else { return false };
    if inner.contains('\\') { means(inner, expected) } else { inner == expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_do_not_nest() {
        assert_eq!(too_deep(r#"{"a":"[[["}"#, 1), None);
        assert_eq!(too_deep(r#"{"a":"\"[[["}"#, 1), None);
        assert_eq!(too_deep(r#"{"a":"\\","b":[]}"#, 1), Some(14));
        assert_eq!(too_deep(r#"{"a":["\"]",[]]}"#, 2), Some(12));
    }
}
