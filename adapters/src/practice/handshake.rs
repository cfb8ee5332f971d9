//! The opening handshake, server side (RFC 6455 §4.2), and the ways to get it wrong.

use super::faults::{Misbehave, Refusal};
use super::records::Handshake;
use std::time::Instant;
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, create_response, write_response};
use tungstenite::http::{HeaderName, HeaderValue, Response, StatusCode};

/// Largest request head taken.
pub(super) const MAX_HEAD: usize = 64 * 1024;

/// What has been read of a request so far.
#[derive(Debug)]
pub(super) enum Parsed {
    /// More is needed.
    Partial,
    /// The request, and how many bytes it took.
    Complete(Box<Request>, usize),
    /// Not a request this server can read.
    Bad,
}

/// Tries to read a request head.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    match Request::try_parse(bytes) {
        Ok(Some((size, request))) => Parsed::Complete(Box::new(request), size),
        Ok(None) if bytes.len() > MAX_HEAD => Parsed::Bad,
        Ok(None) => Parsed::Partial,
        Err(_) => Parsed::Bad,
    }
}

/// What to do with a request.
#[derive(Debug)]
pub(super) enum Answer {
    /// Send this, then the connection is open.
    Upgrade(Vec<u8>),
    /// Send this and close.
    Final(Vec<u8>),
    /// Say nothing, ever.
    Nothing,
}

/// A refusal as the bytes of a response.
pub(super) fn refusal(refusal: &Refusal) -> Vec<u8> {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut response = Response::new(());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("connection", HeaderValue::from_static("close"));
    headers.insert("content-length", HeaderValue::from_static("0"));
    if let Some(after) = refusal.retry_after {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.insert("retry-after", HeaderValue::from(seconds));
    }
    for (name, value) in &refusal.headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            headers.insert(name, value);
        }
    }
    bytes(&response)
}

fn bytes<T>(response: &Response<T>) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing to memory fails only for a header value that is not ASCII; then the head ends early
    // and the client sees a broken-off answer, which is what such an order amounts to.
    let _ = write_response(&mut out, response);
    out
}

/// A bare response with this status.
pub(super) fn plain(status: u16) -> Vec<u8> {
    let mut order = Refusal::status(status);
    if status == 426 {
        // RFC 9110 §15.5.22 and RFC 6455 §4.4.
        order.headers = vec![
            ("upgrade".into(), "websocket".into()),
            ("sec-websocket-version".into(), "13".into()),
        ];
    }
    refusal(&order)
}

/// Reads from a request what is kept of it.
pub(super) fn note(request: &Request, connection: u64) -> Handshake {
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    Handshake {
        connection,
        at: Instant::now(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers,
        status: 0,
        subprotocol: None,
    }
}

/// Answers a request; fills in the status and the subprotocol of its note.
pub(super) fn answer(
    request: &Request,
    note: &mut Handshake,
    spoken: &[String],
    misbehave: Option<&Misbehave>,
) -> Answer {
    match misbehave {
        Some(Misbehave::Garbage(bytes)) => return Answer::Final(bytes.clone()),
        Some(Misbehave::NeverAnswer) => return Answer::Nothing,
        Some(Misbehave::EndlessHead { bytes }) => return Answer::Final(endless_head(*bytes)),
        _ => {}
    }
    let Ok(mut response) = create_response(request) else {
        note.status = if note.header("upgrade").is_some() { 400 } else { 426 };
        return Answer::Final(plain(note.status));
    };
    note.status = 101;
    note.subprotocol = offered(request).find(|p| spoken.iter().any(|s| s == p)).map(str::to_owned);
    let headers = response.headers_mut();
    if let Some(value) =
        note.subprotocol.as_deref().and_then(|chosen| HeaderValue::from_str(chosen).ok())
    {
        headers.insert("sec-websocket-protocol", value);
    }
    match misbehave {
        Some(Misbehave::BadAccept) => {
            if let Ok(value) = HeaderValue::from_str(&derive_accept_key(b"another key")) {
                headers.insert("sec-websocket-accept", value);
            }
        }
        Some(Misbehave::UnaskedExtension) => {
            headers
                .insert("sec-websocket-extensions", HeaderValue::from_static("permessage-deflate"));
        }
        Some(Misbehave::UnaskedSubprotocol) => {
            headers.insert("sec-websocket-protocol", HeaderValue::from_static("unasked"));
        }
        _ => {}
    }
    let mut bytes = bytes(&response);
    if matches!(misbehave, Some(Misbehave::HalfHandshake)) {
        note.status = 0;
        bytes.truncate(bytes.len() / 2);
        return Answer::Final(bytes);
    }
    Answer::Upgrade(bytes)
}

fn offered(request: &Request) -> impl Iterator<Item = &str> {
    request
        .headers()
        .get_all("sec-websocket-protocol")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn endless_head(bytes: usize) -> Vec<u8> {
    let mut head = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
    while head.len() < bytes {
        head.extend_from_slice(b"X-Filler: ");
        head.resize(head.len() + 1_000, b'a');
        head.extend_from_slice(b"\r\n");
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const REQUEST: &str = "GET /room?session=a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: a, b\r\n\r\n";

    fn ask(text: &str, spoken: &[&str], misbehave: Option<Misbehave>) -> (Answer, Handshake) {
        let Parsed::Complete(request, size) = parse(text.as_bytes()) else { panic!("{text}") };
        assert_eq!(size, text.len());
        let mut noted = note(&request, 1);
        let spoken: Vec<String> = spoken.iter().map(|&s| s.to_owned()).collect();
        (answer(&request, &mut noted, &spoken, misbehave.as_ref()), noted)
    }

    fn text(answer: Answer) -> String {
        match answer {
            Answer::Upgrade(bytes) | Answer::Final(bytes) => {
                String::from_utf8(bytes).unwrap().to_ascii_lowercase()
            }
            Answer::Nothing => String::new(),
        }
    }

    #[test]
    fn a_good_request_is_upgraded() {
        let (answer, noted) = ask(REQUEST, &["b"], None);
        assert!(matches!(answer, Answer::Upgrade(_)));
        let head = text(answer);
        // The example of RFC 6455 §1.3.
        assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
        assert!(head.contains("sec-websocket-protocol: b"), "{head}");
        assert_eq!((noted.status, noted.path.as_str()), (101, "/room"));
        assert_eq!(noted.subprotocol.as_deref(), Some("b"));
        assert_eq!(noted.param("session").as_deref(), Some("a"));
    }

    #[test]
    fn a_request_in_parts_is_partial_and_nonsense_is_bad() {
        assert!(matches!(parse(&REQUEST.as_bytes()[..40]), Parsed::Partial));
        assert!(matches!(parse(b"\x16\x03\x01\x00\x00\x00"), Parsed::Bad));
        let long = format!("GET / HTTP/1.1\r\nx: {}", "a".repeat(MAX_HEAD));
        assert!(matches!(parse(long.as_bytes()), Parsed::Bad));
    }

    #[test]
    fn what_is_no_websocket_is_refused() {
        let (answer, noted) = ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n", &[], None);
        assert!(matches!(answer, Answer::Final(_)));
        assert_eq!(noted.status, 426);
        assert!(text(answer).contains("upgrade: websocket"));
        let (answer, noted) = ask(&REQUEST.replace(": 13", ": 12"), &[], None);
        assert!(matches!(answer, Answer::Final(_)));
        assert_eq!(noted.status, 400);
    }

    #[test]
    fn retry_after_is_rounded_up() {
        let order = Refusal::status(503).retry_after(Duration::from_millis(1_200));
        let head = String::from_utf8(refusal(&order)).unwrap();
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
        assert!(head.contains("retry-after: 2\r\n"), "{head}");
    }

    #[test]
    fn breaches_differ_from_the_good_answer() {
        let good = text(ask(REQUEST, &[], None).0);
        for (breach, expected) in [
            (Misbehave::UnaskedExtension, "permessage-deflate"),
            (Misbehave::UnaskedSubprotocol, "sec-websocket-protocol: unasked"),
            (Misbehave::Garbage(b"220 smtp".to_vec()), "220 smtp"),
            (Misbehave::EndlessHead { bytes: 5_000 }, "x-filler"),
        ] {
            let head = text(ask(REQUEST, &[], Some(breach.clone())).0);
            assert!(head.contains(expected), "{breach:?}: {head}");
            assert!(!good.contains(expected));
        }
        let bad = text(ask(REQUEST, &[], Some(Misbehave::BadAccept)).0);
        assert!(!bad.contains("s3pplmbitxaq9kygzzhzrbk+xoo="));
        let half = text(ask(REQUEST, &[], Some(Misbehave::HalfHandshake)).0);
        assert!(good.starts_with(&half) && !half.contains("\r\n\r\n"));
        assert!(matches!(ask(REQUEST, &[], Some(Misbehave::NeverAnswer)).0, Answer::Nothing));
    }
}
