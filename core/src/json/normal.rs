//! Normal forms: two JSON values are equal exactly if their normal forms are the same text.
//!
//! Strings are compared as what they mean, escapes resolved; numbers by their exact value, however
//! written (`100`, `1e2` and `100.0` are one number); arrays element by element; objects field by
//! field in whatever order, the last of a name counting. No number becomes a float on the way.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use serde_json::value::RawValue;

use super::{is_number, members, push_quoted};

/// How deeply a value may nest that has a normal form.
const MAX_NESTING: usize = 32;

/// How long an integer may be, in characters, that is written without an exponent.
const PLAIN: usize = 40;

/// The normal form of a valid JSON value without white space around it.
///
/// `None` if it has none: it nests deeper than [`MAX_NESTING`], or holds a string that is no
/// Unicode text (a lone surrogate, RFC 8259 §8.2).
pub(crate) fn normal(token: &str) -> Option<Cow<'_, str>> {
    if is_normal_already(token) {
        return Some(Cow::Borrowed(token));
    }
    let mut out = String::with_capacity(token.len());
    push_normal(&mut out, token, MAX_NESTING)?;
    Some(Cow::Owned(out))
}

/// Most values are: no copy is made of these.
fn is_normal_already(token: &str) -> bool {
    match token.as_bytes().first() {
        Some(b'"') => !token.contains('\\'),
        Some(b'{' | b'[') => false,
        Some(b't' | b'f' | b'n') => true,
        _ => {
            token.len() <= PLAIN
                && token != "-0"
                && !token.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
        }
    }
}

fn push_normal(out: &mut String, token: &str, depth: usize) -> Option<()> {
    if is_normal_already(token) {
        out.push_str(token);
    } else if is_number(token) {
        push_number(out, token)?;
    } else if token.starts_with('"') {
        push_quoted(out, &serde_json::from_str::<String>(token).ok()?);
    } else if token.starts_with('[') {
        let depth = depth.checked_sub(1)?;
        out.push('[');
        for (index, element) in
            serde_json::from_str::<Vec<&RawValue>>(token).ok()?.into_iter().enumerate()
        {
            if index > 0 {
                out.push(',');
            }
            push_normal(out, element.get(), depth)?;
        }
        out.push(']');
    } else {
        let depth = depth.checked_sub(1)?;
        let mut sorted = BTreeMap::new();
        let mut readable = true;
        members(token, |key, value| match normal(key) {
            Some(key) => {
                sorted.insert(key, value);
            }
            None => readable = false,
        })?;
        if !readable {
            return None;
        }
        out.push('{');
        for (index, (key, value)) in sorted.into_iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push_str(&key);
            out.push(':');
            push_normal(out, value, depth)?;
        }
        out.push('}');
    }
    Some(())
}

/// A number as its significant digits and a power of ten.
fn push_number(out: &mut String, token: &str) -> Option<()> {
    let (mantissa, exponent) = match token.split_once(['e', 'E']) {
        // What has more digits than this has no exponent that anything could be done with.
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()),
        None => (token, Some(0)),
    };
    let negative = mantissa.starts_with('-');
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = whole.trim_start_matches('-');
    let mut digits = String::with_capacity(mantissa.len());
    digits.push_str(whole);
    digits.push_str(fraction);
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        out.push('0');
        return Some(());
    }
    let dropped = digits.len() - digits.trim_end_matches('0').len();
    let exponent = exponent?
        .checked_sub(i64::try_from(fraction.len()).ok()?)?
        .checked_add(i64::try_from(dropped).ok()?)?;
    let start = out.len();
    if negative {
        out.push('-');
    }
    out.push_str(significant);
    match usize::try_from(exponent) {
        Ok(zeros) if (out.len() - start).saturating_add(zeros) <= PLAIN => {
            out.extend(core::iter::repeat_n('0', zeros));
        }
        Ok(_) | Err(_) => {
            // Writing to a string cannot fail.
            let _ = write!(out, "e{exponent}");
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[track_caller]
    fn same(texts: &[&str]) {
        for pair in texts.windows(2) {
            assert_eq!(normal(pair[0]).unwrap(), normal(pair[1]).unwrap(), "{pair:?}");
        }
    }

    #[track_caller]
    fn differ(texts: &[&str]) {
        for (index, one) in texts.iter().enumerate() {
            for other in &texts[index + 1..] {
                assert_ne!(normal(one).unwrap(), normal(other).unwrap(), "{one} {other}");
            }
        }
    }

    #[test]
    fn numbers_are_compared_by_their_value() {
        same(&["100", "1e2", "1E+2", "100.0", "1000e-1", "0.1e3"]);
        same(&["0", "-0", "0.0", "0e999999999999999999999", "-0.0e1"]);
        same(&["-1.5", "-15e-1", "-1.50"]);
        let (long, short) = (format!("1{}", "0".repeat(60)), "1e60");
        same(&[&long, short]);
        let edge = format!("1{}", "0".repeat(39));
        same(&[&edge, "1e39"]);
        let edge = format!("-{}", "9".repeat(39));
        same(&[&edge, &format!("{edge}.0")]);
        for edge in ["9".repeat(40), "9".repeat(41), format!("-{}", "9".repeat(40))] {
            same(&[&edge, &format!("{edge}.0")]);
        }
        differ(&["0", "1", "-1", "0.1", "1e-2", "10", "18446744073709551615"]);
        differ(&["9007199254740993", "9007199254740992", "9007199254740992.5"]);
        assert_eq!(normal("1e99999999999999999999"), None);
    }

    #[test]
    fn strings_are_compared_by_what_they_mean() {
        same(&[r#""a/b""#, r#""a\/b""#, r#""\u0061/b""#]);
        same(&[r#""é\n\"""#, r#""\u00e9\u000a\u0022""#]);
        differ(&[r#""1""#, "1", r#""""#, "null", "true", "false", r#""true""#, r#""A""#, r#""a""#]);
        assert_eq!(normal(r#""\ud800""#), None);
    }

    #[test]
    fn what_is_nested_is_compared_by_its_parts() {
        same(&[r#"{"a":1,"b":[2,3]}"#, r#"{ "b" : [ 2.0 , 3 ], "a":1e0 }"#]);
        same(&[r#"{"a":2}"#, r#"{"a":1,"\u0061":2}"#]);
        same(&["[]", "[ ]"]);
        differ(&["[1,2]", "[2,1]", "[[1],2]", "[12]", "{}", "[]", r#"{"a":[]}"#, r#"{"a":{}}"#]);
        let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(normal(&deep(MAX_NESTING)).is_some());
        assert_eq!(normal(&deep(MAX_NESTING + 1)), None);
        assert_eq!(normal(r#"{"\ud800":1}"#), None);
    }
}
