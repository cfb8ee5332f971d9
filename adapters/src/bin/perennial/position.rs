//! `--resume`: how far the messages got, and the URL that says so.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};

use perennial_core::{Duration, TransportId};
use serde_json::value::RawValue;
use url::form_urlencoded;

/// How far the messages got, shared by the thread that prints them and the one that dials.
#[derive(Debug, Default)]
pub(crate) struct Position {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    value: Option<String>,
    /// The last dial that was announced: everything received before it has been looked at.
    dial: u64,
}

impl Position {
    /// Looks at a message.
    pub(crate) fn observe(&self, text: &str, field: &str) {
        if let Some(value) = field_of(text, field) {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).value = Some(value);
        }
    }

    /// A dial was announced, after all messages that came before it.
    pub(crate) fn announce(&self, transport: TransportId) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).dial = transport.get();
        self.changed.notify_all();
    }

    /// The last value, once everything received before the dial was looked at, or when `patience`
    /// runs out (stdout may be blocked): then the server says some things again.
    pub(crate) fn before(&self, transport: TransportId, patience: Duration) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, _) = self
            .changed
            .wait_timeout_while(state, patience, |state| state.dial < transport.get())
            .unwrap_or_else(PoisonError::into_inner);
        state.value.clone()
    }
}

/// The text of a top-level field that is a string or a number.
fn field_of(text: &str, field: &str) -> Option<String> {
    let raw = raw_field(text, field)?;
    match raw.as_bytes().first()? {
        b'"' => serde_json::from_str(raw).ok(),
        b'-' | b'0'..=b'9' => Some(raw.to_owned()),
        _ => None,
    }
}

/// A top-level field of a JSON object, as it is written.
pub(crate) fn raw_field<'a>(text: &'a str, field: &str) -> Option<&'a str> {
    let object: BTreeMap<Cow<'a, str>, &'a RawValue> = serde_json::from_str(text).ok()?;
    object.get(field).map(|raw| raw.get())
}

/// `url` with `param=value` in its query: in the place of the one that is there, or at the end.
/// The rest of the query stays byte for byte, since it may be signed.
pub(crate) fn with_param(url: &str, param: &str, value: &str) -> String {
    let (head, query) = url.split_once('?').unwrap_or((url, ""));
    let new = format!("{}={}", encode(param), encode(value));
    let mut pairs: Vec<&str> = Vec::new();
    let mut placed = false;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if form_urlencoded::parse(pair.as_bytes()).next().is_some_and(|(name, _)| name == param) {
            if !placed {
                pairs.push(&new);
                placed = true;
            }
        } else {
            pairs.push(pair);
        }
    }
    if !placed {
        pairs.push(&new);
    }
    format!("{head}?{}", pairs.join("&"))
}

/// Percent-encoded; a space as `%20`, which every server reads, unlike `+`.
fn encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_strings_or_numbers_at_the_top() {
        for (text, value) in [
            (r#"{"a":{"seq":1},"seq":18446744073709551615}"#, Some("18446744073709551615")),
            (r#"{"seq":"a \u00e9"}"#, Some("a é")),
            (r#"{"seq":1.50}"#, Some("1.50")),
            (r#"{"seq":1,"seq":2}"#, Some("2")),
            (r#"{"seq":null}"#, None),
            (r#"{"seq":[1]}"#, None),
            (r#"{"other":1}"#, None),
            (r#"[1]"#, None),
            ("seq", None),
        ] {
            assert_eq!(field_of(text, "seq").as_deref(), value, "{text}");
        }
    }

    #[test]
    fn the_parameter_is_added_or_replaced() {
        for (url, expected) in [
            ("ws://h/", "ws://h/?since=a%20b%26"),
            ("ws://h/?", "ws://h/?since=a%20b%26"),
            ("ws://h/?t=%2f+", "ws://h/?t=%2f+&since=a%20b%26"),
            ("ws://h/?since=1&t=2&since=3", "ws://h/?since=a%20b%26&t=2"),
            ("ws://h/?sinces=1", "ws://h/?sinces=1&since=a%20b%26"),
        ] {
            assert_eq!(with_param(url, "since", "a b&"), expected);
        }
    }

    #[test]
    fn a_dial_waits_for_what_came_before_it() {
        let position = Position::default();
        let transport = |n: u64| -> TransportId { serde_json::from_value(n.into()).expect("id") };
        assert_eq!(position.before(transport(1), Duration::ZERO), None);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| position.before(transport(2), Duration::from_secs(60)));
            position.observe(r#"{"seq":7}"#, "seq");
            position.announce(transport(2));
            assert_eq!(waiting.join().expect("no panic").as_deref(), Some("7"));
        });
    }
}
