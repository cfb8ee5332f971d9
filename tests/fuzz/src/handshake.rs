//! Arbitrary bytes as a server's answer to the handshake, and as a proxy's before it.
//!
//! Nothing may panic or go on for ever. What the answer means must not depend on the pieces it comes
//! in, and be what a second reading of `docs/PROTOCOL.md` says: open, or failed of the answer, or of
//! its status. Not a byte behind the answer may be lost.

use arbitrary::Arbitrary;
use perennial::http::{HeaderMap, HeaderName, HeaderValue};
use perennial::{Builder, Closed, DialError, DialFailure, Duration, Notice, Reason, State};

use super::memory::{Ending, Pipe, Shared, lock};
use super::peer::{Hand, request, timeless};
use super::reference;

/// The longest head that is taken, and how much more may come with its end.
const LONGEST: usize = 64 << 10;
const PIECE: usize = 4 << 10;
/// What is offered, as far as it is.
const OFFERED: [&str; 2] = ["chat", "v2"];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    proxy: Proxy,
    tunnel: Vec<Tunnel<'a>>,
    offers: u8,
    answer: Answer<'a>,
    behind: &'a [u8],
    /// How many bytes come at a time, again and again; 0 for all that is left.
    pieces: [u8; 3],
    ending: Ending,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Proxy {
    None,
    Http,
    HttpWithPassword,
    Socks,
    SocksWithPassword,
}

/// What a proxy says.
#[derive(Arbitrary, Debug)]
enum Tunnel<'a> {
    /// What leads to the target.
    Good,
    Raw(&'a [u8]),
    Status(u16),
    Line(&'a str),
    RetryAfter(u16),
    Reply(u8, u8),
    Headers(u16),
}

#[derive(Arbitrary, Debug)]
enum Answer<'a> {
    /// The right one, so that the fuzzer need not find it.
    Good,
    Raw(&'a [u8]),
    Built {
        status: Status,
        reason: &'a str,
        fields: Vec<Field<'a>>,
        is_whole: bool,
    },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Status {
    Switching,
    Any(u16),
    Unavailable,
    TooMany,
    Unauthorized,
    Http10,
}

#[derive(Arbitrary, Debug)]
enum Field<'a> {
    /// All that there has to be.
    Needed,
    Upgrade(u8),
    Connection(u8),
    Accept,
    WrongAccept,
    Extensions(&'a str),
    Protocol(u8),
    RetryAfter(u32),
    RetryAfterText(&'a str),
    RetryAfterDate(u8),
    Date,
    Raw(&'a str, &'a [u8]),
    Long(u16),
    Many(u8),
    Line(&'a [u8]),
}

const TOKENS: [&str; 8] = [
    "websocket",
    "WebSocket",
    "Upgrade",
    "keep-alive, Upgrade",
    "upgrade,,",
    "h2c",
    "",
    "web socket",
];

impl Field<'_> {
    fn write(&self, accept: &str, to: &mut Vec<u8>) {
        let mut line = |name: &str, value: &[u8]| {
            to.extend_from_slice(name.as_bytes());
            to.extend_from_slice(b": ");
            to.extend_from_slice(value);
            to.extend_from_slice(b"\r\n");
        };
        let token = |choice: u8| TOKENS[usize::from(choice) % TOKENS.len()].as_bytes();
        match *self {
            Field::Needed => {
                line("Upgrade", b"websocket");
                line("Connection", b"Upgrade");
                line("Sec-WebSocket-Accept", accept.as_bytes());
            }
            Field::Upgrade(choice) => line("upgrade", token(choice)),
            Field::Connection(choice) => line("connection", token(choice)),
            Field::Accept => line("Sec-WebSocket-Accept", accept.as_bytes()),
            Field::WrongAccept => line("Sec-WebSocket-Accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            Field::Extensions(text) => line("Sec-WebSocket-Extensions", text.as_bytes()),
            Field::Protocol(choice) => {
                let name = ["chat", "v2", "CHAT", "chat, v2", "other"][usize::from(choice) % 5];
                line("Sec-WebSocket-Protocol", name.as_bytes());
            }
            Field::RetryAfter(seconds) => line("Retry-After", seconds.to_string().as_bytes()),
            Field::RetryAfterText(text) => line("Retry-After", text.as_bytes()),
            Field::RetryAfterDate(minute) => {
                let date = format!("Sun, 06 Nov 2094 08:{:02}:37 GMT", minute % 64);
                line("Retry-After", date.as_bytes());
            }
            Field::Date => line("Date", b"Sun, 06 Nov 2094 08:00:00 GMT"),
            Field::Raw(name, value) => line(name, value),
            Field::Long(length) => line("X-Long", &vec![b'x'; length.into()]),
            Field::Many(count) => (0..count).for_each(|_| line("X-Many", b"1")),
            Field::Line(bytes) => {
                to.extend_from_slice(bytes);
                to.extend_from_slice(b"\r\n");
            }
        }
    }
}

impl Answer<'_> {
    fn bytes(&self, accept: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Answer::Good => {
                bytes.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
                Field::Needed.write(accept, &mut bytes);
                bytes.extend_from_slice(b"\r\n");
            }
            Answer::Raw(raw) => bytes.extend_from_slice(raw),
            Answer::Built { status, reason, fields, is_whole } => {
                let (version, status) = match status {
                    Status::Switching => (1, 101),
                    Status::Any(status) => (1, status % 1_001),
                    Status::Unavailable => (1, 503),
                    Status::TooMany => (1, 429),
                    Status::Unauthorized => (1, 401),
                    Status::Http10 => (0, 101),
                };
                bytes.extend(format!("HTTP/1.{version} {status} {reason}\r\n").into_bytes());
                fields.iter().for_each(|field| field.write(accept, &mut bytes));
                if *is_whole {
                    bytes.extend_from_slice(b"\r\n");
                }
            }
        }
        bytes
    }
}

impl Proxy {
    fn url(self) -> Option<&'static str> {
        match self {
            Proxy::None => None,
            Proxy::Http => Some("http://127.0.0.1:8"),
            Proxy::HttpWithPassword => Some("http://us:pw@127.0.0.1:8"),
            Proxy::Socks => Some("socks5h://127.0.0.1:8"),
            Proxy::SocksWithPassword => Some("socks5://us:pw@127.0.0.1:8"),
        }
    }

    fn good(self) -> &'static [u8] {
        match self {
            Proxy::None => b"",
            Proxy::Http | Proxy::HttpWithPassword => b"HTTP/1.0 200 Established\r\n\r\n",
            Proxy::Socks => b"\x05\0\x05\0\0\x01\x7f\0\0\x01\0\x09",
            Proxy::SocksWithPassword => b"\x05\x02\x01\0\x05\0\0\x03\x02ab\0\x09",
        }
    }
}

impl Tunnel<'_> {
    fn write(&self, proxy: Proxy, to: &mut Vec<u8>) {
        match *self {
            Tunnel::Good => to.extend_from_slice(proxy.good()),
            Tunnel::Raw(bytes) => to.extend_from_slice(bytes),
            Tunnel::Status(status) => {
                to.extend(format!("HTTP/1.1 {} No\r\n", status % 1_000).into_bytes());
            }
            Tunnel::Line(line) => {
                to.extend_from_slice(line.as_bytes());
                to.extend_from_slice(b"\r\n");
            }
            Tunnel::RetryAfter(seconds) => {
                to.extend(format!("Retry-After: {seconds}\r\n\r\n").into_bytes());
            }
            Tunnel::Reply(code, kind) => {
                to.extend_from_slice(&[5, code, 0, kind, 4, b'h', b'o', b's', b't', 0, 9]);
            }
            Tunnel::Headers(count) => {
                (0..count % 2_000).for_each(|_| to.extend_from_slice(b"X: 1\r\n"));
            }
        }
    }
}

/// What an answer means.
#[derive(Debug, PartialEq)]
enum Meaning {
    /// It opens; so long is it.
    Opens(usize),
    /// It is no right answer.
    Wrong,
    /// It refuses, and asks for a delay: `None` within where that is a date, or nonsense.
    Refuses(u16, Option<Option<Duration>>),
}

/// Reads an answer after which nothing more comes.
fn meaning(bytes: &[u8], accept: &str, offered: &[&str]) -> Meaning {
    let mut fields = [httparse::EMPTY_HEADER; 124];
    let mut response = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(length)) = response.parse(bytes) else {
        return Meaning::Wrong;
    };
    let mut headers = HeaderMap::new();
    for field in response.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(field.value)) else {
            return Meaning::Wrong;
        };
        headers.append(name, value);
    }
    let status = response.code.unwrap_or(0);
    if response.version != Some(1) || status < 100 {
        return Meaning::Wrong;
    }
    if status != 101 {
        return Meaning::Refuses(status, asked(&headers));
    }
    let values = |name: &str| -> Vec<&[u8]> {
        headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
    };
    let tokens = |name: &str| -> Vec<Vec<u8>> {
        let all = values(name).join(&b","[..]);
        let tokens = all.split(|byte| *byte == b',').map(|token| token.trim_ascii());
        tokens.filter(|token| !token.is_empty()).map(<[u8]>::to_ascii_lowercase).collect()
    };
    let accepts = values("sec-websocket-accept");
    let protocols = values("sec-websocket-protocol");
    let is_right = tokens("upgrade").contains(&b"websocket".to_vec())
        && tokens("connection").contains(&b"upgrade".to_vec())
        && matches!(accepts[..], [one] if one.trim_ascii() == accept.as_bytes())
        && tokens("sec-websocket-extensions").is_empty()
        && match protocols[..] {
            [] => true,
            [one] => offered.iter().any(|offer| offer.as_bytes() == one),
            _ => false,
        };
    if is_right { Meaning::Opens(length) } else { Meaning::Wrong }
}

/// `Retry-After`, where that is seconds or absent.
fn asked(headers: &HeaderMap) -> Option<Option<Duration>> {
    let Some(value) = headers.get("retry-after") else { return Some(None) };
    let Ok(text) = value.to_str() else { return Some(None) };
    let text = text.trim();
    if text.is_empty() {
        return Some(None);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX))))
}

/// See the module.
///
/// # Panics
/// If the driver does what it should not.
pub fn run(input: &[u8]) {
    let Some(input) = super::structured::<Input<'_>>(input) else { return };
    let config = timeless(1).build().expect("it keeps the rules");
    let mut builder = Builder::new("ws://127.0.0.1:9/feed").config(config).seed(1);
    builder = match input.proxy.url() {
        Some(url) => builder.proxy(url),
        None => builder.no_proxy(),
    };
    let offered = &OFFERED[..usize::from(input.offers) % 3];
    for offer in offered {
        builder = builder.subprotocol(offer);
    }
    let mut hand = Hand::new(builder);
    let pipe = hand.network.add(Pipe::default());
    hand.settle();
    assert!(hand.network.has_opened(&pipe), "it dials at once");

    let mut early = Vec::new();
    if input.proxy != Proxy::None {
        input.tunnel.iter().for_each(|part| part.write(input.proxy, &mut early));
        feed(&mut hand, &pipe, &early, input.pieces);
    }
    let start = lock(&pipe).outbound.windows(5).position(|bytes| bytes == b"GET /");
    let Some(start) = start else {
        let is_well = matches!(input.tunnel[..], [Tunnel::Good]) || input.proxy == Proxy::None;
        assert!(!is_well, "the way is free, and it asks for nothing");
        finish(&mut hand, &pipe, input.ending);
        let failure = failure(hand.closed.as_ref());
        assert!(matches!(failure.kind, DialError::Proxy | DialError::ProxyAuth), "{failure:?}");
        return;
    };
    let whole = request(&lock(&pipe).outbound[start..]);
    let (accept, _) = whole.expect("the request is whole");
    let mut bytes = input.answer.bytes(&accept);
    bytes.extend_from_slice(input.behind);
    let mut notices = feed(&mut hand, &pipe, &bytes, input.pieces);
    notices.extend(finish(&mut hand, &pipe, input.ending));

    // What came too early behind a proxy's answer is the beginning of the target's.
    let is_known = input.proxy == Proxy::None || matches!(input.tunnel[..], [Tunnel::Good]);
    if is_known {
        check(&bytes, &accept, offered, &notices, hand.closed.as_ref());
    }
}

/// Delivers bytes in pieces.
fn feed(hand: &mut Hand, pipe: &Shared, mut bytes: &[u8], pieces: [u8; 3]) -> Vec<Notice> {
    let mut notices = Vec::new();
    let least = bytes.len() / 200;
    for size in pieces.iter().cycle() {
        if bytes.is_empty() || lock(pipe).dropped {
            break;
        }
        let size = if *size == 0 { bytes.len() } else { usize::from(*size).max(least) };
        let (piece, rest) = bytes.split_at(size.min(bytes.len()));
        bytes = rest;
        lock(pipe).deliver(piece);
        hand.settle();
        notices.extend(hand.fetch());
    }
    notices
}

/// Ends the stream, and everything.
fn finish(hand: &mut Hand, pipe: &Shared, ending: Ending) -> Vec<Notice> {
    lock(pipe).end(ending);
    hand.settle();
    let notices = hand.fetch();
    assert!(lock(pipe).dropped, "the stream has ended, and is held");
    assert!(hand.closed.is_some(), "there is nothing to wait for, and it waits");
    notices
}

/// Why the only dial failed.
fn failure(closed: Option<&Closed>) -> &DialFailure {
    let closed = closed.expect("it is over");
    let reason = match &closed.reason {
        Reason::MaxAttempts(reason) => reason,
        reason => reason,
    };
    let Reason::DialFailed(failure) = reason else { panic!("{closed:?}") };
    failure
}

fn check(
    bytes: &[u8],
    accept: &str,
    offered: &[&str],
    notices: &[Notice],
    closed: Option<&Closed>,
) {
    let is_open = |notice: &Notice| matches!(notice, Notice::StateChanged { to: State::Open, .. });
    let has_opened = notices.iter().any(is_open);
    match meaning(bytes, accept, offered) {
        Meaning::Opens(length) => {
            // Which of these are too long depends on the pieces.
            if !has_opened && length > LONGEST {
                return;
            }
            assert!(has_opened, "it should have opened: {closed:?}");
            let said = reference::read(&bytes[length..], 64 << 20);
            let messages = notices.iter().filter_map(|notice| match notice {
                Notice::Message(message) => Some(&message.payload),
                _ => None,
            });
            assert_eq!(messages.collect::<Vec<_>>(), said.messages.iter().collect::<Vec<_>>());
        }
        Meaning::Wrong => {
            assert!(!has_opened, "it should not have opened");
            assert_eq!(failure(closed).kind, DialError::Handshake);
        }
        Meaning::Refuses(status, retry_after) => {
            assert!(!has_opened, "it should not have opened");
            let failure = failure(closed);
            if failure.kind == DialError::Handshake && bytes.len() > LONGEST - PIECE {
                return;
            }
            assert_eq!((failure.kind, failure.status), (DialError::Status, Some(status)));
            if let Some(expected) = retry_after {
                assert_eq!(failure.retry_after, expected);
            }
        }
    }
}
