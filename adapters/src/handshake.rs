//! The opening handshake's two texts: the request's bytes and the answer's check (RFC 6455 §4.1).
//!
//! `tungstenite` could write and check them too. But it logs the request, secrets included, takes
//! no `Connection: keep-alive, Upgrade`, and lets an extension that nobody asked for pass.

use std::time::{Duration, SystemTime};

use perennial_core::{DialError, DialFailure};
use tungstenite::handshake::client::{Response, generate_key};
use tungstenite::handshake::derive_accept_key;
use tungstenite::http::{HeaderMap, StatusCode};

use crate::request::Request;

/// A request as it goes out, and what its answer must say.
pub(crate) struct Opening {
    /// The request's bytes. They hold secrets.
    pub(crate) bytes: Vec<u8>,
    expected: Expected,
}

/// What the answer to a request must say.
pub(crate) struct Expected {
    accept: String,
    subprotocols: Vec<String>,
}

impl Opening {
    /// Writes `request`, with a fresh key.
    pub(crate) fn new(request: &Request) -> Self {
        let key = generate_key();
        let mut bytes = Vec::with_capacity(512);
        let url = request.url();
        let mut line = |parts: &[&[u8]]| {
            parts.iter().for_each(|part| bytes.extend_from_slice(part));
            bytes.extend_from_slice(b"\r\n");
        };
        let (mark, query) = url.query().map_or(("", ""), |query| ("?", query));
        line(&[b"GET ", url.path().as_bytes(), mark.as_bytes(), query.as_bytes(), b" HTTP/1.1"]);
        if !request.has_header("host") {
            // `Url` forgets a port that is the scheme's own, as RFC 6455 §4.1 wants it left out.
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            line(&[b"Host: ", request.host().to_string().as_bytes(), port.as_bytes()]);
        }
        line(&[b"Connection: Upgrade"]);
        line(&[b"Upgrade: websocket"]);
        line(&[b"Sec-WebSocket-Version: 13"]);
        line(&[b"Sec-WebSocket-Key: ", key.as_bytes()]);
        if !request.subprotocols().is_empty() {
            let offer = request.subprotocols().join(", ");
            line(&[b"Sec-WebSocket-Protocol: ", offer.as_bytes()]);
        }
        if let Some(basic) = request.basic() {
            line(&[b"Authorization: ", basic.as_bytes()]);
        }
        for (name, value) in request.headers() {
            line(&[name.as_bytes(), b": ", value]);
        }
        line(&[]);
        let accept = derive_accept_key(key.as_bytes());
        let subprotocols = request.subprotocols().to_vec();
        Self { bytes, expected: Expected { accept, subprotocols } }
    }

    pub(crate) fn into_parts(self) -> (Vec<u8>, Expected) {
        (self.bytes, self.expected)
    }
}

impl Expected {
    /// Checks an answer (RFC 6455 §4.1, the numbered list at its end).
    ///
    /// # Errors
    /// What the attempt failed of.
    pub(crate) fn check(&self, response: &Response) -> Result<(), DialFailure> {
        let headers = response.headers();
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let mut failure = DialFailure::new(DialError::Status, status_text(response.status()));
            failure.status = Some(response.status().as_u16());
            failure.retry_after = retry_after(headers, SystemTime::now());
            return Err(failure);
        }
        let wrong = |detail: &str| Err(DialFailure::new(DialError::Handshake, detail));
        if !has_token(headers, "upgrade", "websocket") {
            return wrong("the answer does not upgrade to websocket");
        }
        if !has_token(headers, "connection", "upgrade") {
            return wrong("the answer lacks `Connection: Upgrade`");
        }
        // Once and no more (RFC 6455 §11.3.3): of two, who knows which one is meant?
        let mut accepts = headers.get_all("sec-websocket-accept").iter();
        let accept = accepts.next().map(|value| value.as_bytes().trim_ascii());
        if accepts.next().is_some() {
            return wrong("the answer has more than one Sec-WebSocket-Accept");
        }
        if accept != Some(self.accept.as_bytes()) {
            return wrong("the answer's Sec-WebSocket-Accept does not match the request's key");
        }
        // We never ask for one.
        if tokens(headers, "sec-websocket-extensions").next().is_some() {
            return wrong("the server uses an extension that was not asked for");
        }
        let mut chosen = headers.get_all("sec-websocket-protocol").iter();
        match (chosen.next(), chosen.next()) {
            (None, _) => Ok(()),
            (Some(one), None)
                if self.subprotocols.iter().any(|offered| one.as_bytes() == offered.as_bytes()) =>
            {
                Ok(())
            }
            (Some(_), _) => wrong("the server chose a subprotocol that was not offered"),
        }
    }
}

fn status_text(status: StatusCode) -> String {
    match (status.canonical_reason(), status.is_redirection()) {
        (Some(reason), true) => format!("{reason}; redirects are not followed"),
        (None, true) => "redirects are not followed".to_owned(),
        (Some(reason), false) => reason.to_owned(),
        (None, false) => String::new(),
    }
}

/// The members of the comma-separated lists under `name` (RFC 9110 §5.6.1).
fn tokens<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a [u8]> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}

fn has_token(headers: &HeaderMap, name: &str, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// `Retry-After` as a delay from now: seconds, or a date (RFC 9110 §10.2.3).
///
/// A date is read against the answer's own `Date`, where it has one, so that a clock that differs
/// from the server's does no harm; otherwise against `now`.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let value = text("retry-after")?;
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 holds are simply very long.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    let base = text("date").and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);
    Some(at.duration_since(base).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;
    use tungstenite::http;

    fn opening(url: &str) -> (String, Expected) {
        let mut request = Request::new(url).expect("a url");
        request.add_subprotocol("chat").expect("a subprotocol");
        request.add_header("X-Key", "value").expect("a header");
        let (bytes, expected) = Opening::new(&request).into_parts();
        (String::from_utf8(bytes).expect("ascii"), expected)
    }

    fn answer(expected: &Expected, extra: &[(&str, &str)]) -> Response {
        let mut response = http::Response::builder()
            .status(101)
            .header("Upgrade", "WebSocket")
            .header("Connection", "keep-alive, Upgrade")
            .header("Sec-WebSocket-Accept", &expected.accept);
        for (name, value) in extra {
            response = response.header(*name, *value);
        }
        response.body(None).expect("a response")
    }

    #[test]
    fn the_request_says_what_the_rfc_wants() {
        let (text, _) = opening("ws://us:pw@example.org:8080/a%20b?x=1");
        assert!(
            text.starts_with("GET /a%20b?x=1 HTTP/1.1\r\nHost: example.org:8080\r\n"),
            "{text}"
        );
        for line in [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: chat",
            "Authorization: Basic dXM6cHc=",
            "X-Key: value",
        ] {
            assert!(text.contains(&format!("\r\n{line}\r\n")), "{line} in {text}");
        }
        assert!(text.ends_with("\r\n\r\n"));
        assert!(opening("ws://[::1]").0.starts_with("GET / HTTP/1.1\r\nHost: [::1]\r\n"));
        assert!(opening("wss://h:443").0.contains("Host: h\r\n"));
    }

    #[test]
    fn a_good_answer_passes() {
        let (_, expected) = opening("ws://h/");
        assert_eq!(expected.check(&answer(&expected, &[])), Ok(()));
        let chosen = answer(&expected, &[("Sec-WebSocket-Protocol", "chat")]);
        assert_eq!(expected.check(&chosen), Ok(()));
    }

    #[test]
    fn what_was_not_asked_for_fails() {
        let (_, expected) = opening("ws://h/");
        for extra in [
            ("Sec-WebSocket-Extensions", "permessage-deflate"),
            ("Sec-WebSocket-Protocol", "other"),
        ] {
            let failure = expected.check(&answer(&expected, &[extra])).expect_err("unasked");
            assert_eq!(failure.kind, DialError::Handshake, "{extra:?}");
        }
    }

    #[test]
    fn a_wrong_answer_fails() {
        let (_, expected) = opening("ws://h/");
        for missing in ["upgrade", "connection", "sec-websocket-accept"] {
            let mut response = answer(&expected, &[]);
            response.headers_mut().remove(missing);
            let failure = expected.check(&response).expect_err(missing);
            assert_eq!(failure.kind, DialError::Handshake, "{missing}");
        }
        let (_, other) = opening("ws://h/");
        assert!(expected.check(&answer(&other, &[])).is_err(), "another request's key");
        let twice = answer(&expected, &[("Sec-WebSocket-Accept", "another")]);
        let failure = expected.check(&twice).expect_err("two keys");
        assert!(failure.to_string().contains("more than one"), "{failure}");
    }

    #[test]
    fn a_refusal_carries_its_status_and_advice() {
        let (_, expected) = opening("ws://h/");
        let response = http::Response::builder().status(503).header("Retry-After", "7").body(None);
        let failure = expected.check(&response.expect("a response")).expect_err("503");
        assert_eq!((failure.kind, failure.status), (DialError::Status, Some(503)));
        assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
        let response = http::Response::builder().status(302).body(None).expect("a response");
        let failure = expected.check(&response).expect_err("302");
        assert!(failure.to_string().contains("redirects are not followed"), "{failure}");
    }

    #[test]
    fn retry_after_in_every_form() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777); // 1994-11-06T08:49:37Z
        let read = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().expect("a value"));
            }
            retry_after(&headers, now)
        };
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("retry-after", "120")]), seconds(120));
        assert_eq!(read(&[("retry-after", " 0 ")]), seconds(0));
        assert_eq!(read(&[("retry-after", "99999999999999999999999")]), seconds(u64::MAX));
        for nonsense in ["", "-1", "1.5", "soon"] {
            assert_eq!(read(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
        assert_eq!(read(&[("retry-after", "Sun, 06 Nov 1994 08:49:57 GMT")]), seconds(20));
        assert_eq!(read(&[("retry-after", "Sunday, 06-Nov-94 08:49:57 GMT")]), seconds(20));
        assert_eq!(read(&[("retry-after", "Sun Nov  6 08:49:57 1994")]), seconds(20));
        assert_eq!(read(&[("retry-after", "Sun, 06 Nov 1994 08:49:07 GMT")]), seconds(0), "past");
        // The server's clock is an hour ahead, and says so.
        let pairs = [
            ("retry-after", "Sun, 06 Nov 1994 09:49:47 GMT"),
            ("date", "Sun, 06 Nov 1994 09:49:37 GMT"),
        ];
        assert_eq!(read(&pairs), seconds(10));
    }
}
