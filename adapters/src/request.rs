//! What to ask the server for: URL, headers, credentials; and how to show it without secrets.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use perennial_core::TransportId;
use tungstenite::http::{HeaderName, HeaderValue};
use url::{Host, Url};

use crate::error::Error;

/// A handshake request: where to, and what to say there.
///
/// `Debug` and [`Request::target`] show the scheme, host, port and path; never the query, the user
/// part or a header's value.
#[derive(Clone)]
pub struct Request {
    url: Url,
    headers: Vec<(String, HeaderValue)>,
    subprotocols: Vec<String>,
}

impl Request {
    /// A request for `url`, without headers of its own.
    ///
    /// A user part becomes Basic authorization (RFC 7617), unless an `Authorization` header is set.
    ///
    /// # Errors
    /// [`Error::Url`] and [`Error::Scheme`] for what is not a `ws` or `wss` URL with a host and
    /// without a fragment (RFC 6455 §3).
    pub fn new(url: &str) -> Result<Self, Error> {
        Ok(Self { url: parse(url)?, headers: Vec::new(), subprotocols: Vec::new() })
    }

    /// The URL, secrets included.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Goes to another URL; headers and subprotocols stay.
    ///
    /// # Errors
    /// As for [`Request::new`]; the URL is unchanged then.
    pub fn set_url(&mut self, url: &str) -> Result<(), Error> {
        self.url = parse(url)?;
        Ok(())
    }

    /// Adds a header.
    ///
    /// # Errors
    /// [`Error::Header`] for what is no header, and for the headers of the handshake itself.
    pub fn add_header(&mut self, name: &str, value: &str) -> Result<(), Error> {
        if name.eq_ignore_ascii_case("sec-websocket-protocol") {
            return value.split(',').try_for_each(|protocol| self.add_subprotocol(protocol.trim()));
        }
        let value = check_header(name, value)?;
        self.headers.push((name.to_owned(), value));
        Ok(())
    }

    /// Adds a header whose value may be any that HTTP allows.
    pub(crate) fn add_value(
        &mut self,
        name: &HeaderName,
        mut value: HeaderValue,
    ) -> Result<(), Error> {
        check_name(name.as_str())?;
        value.set_sensitive(true);
        self.headers.push((name.as_str().to_owned(), value));
        Ok(())
    }

    /// Sets a header, in the place of all others of that name.
    ///
    /// # Errors
    /// As for [`Request::add_header`]; the headers are unchanged then.
    pub fn set_header(&mut self, name: &str, value: &str) -> Result<(), Error> {
        if name.eq_ignore_ascii_case("sec-websocket-protocol") {
            let before = std::mem::take(&mut self.subprotocols);
            return self.add_header(name, value).inspect_err(|_| self.subprotocols = before);
        }
        let value = check_header(name, value)?;
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value));
        Ok(())
    }

    /// Sets the `Authorization` header to a bearer token (RFC 6750 §2.1).
    ///
    /// # Errors
    /// [`Error::Header`] for a token that is empty or cannot stand in a header; the headers are
    /// unchanged then.
    pub fn set_bearer(&mut self, token: &str) -> Result<(), Error> {
        if token.trim().is_empty() {
            return Err(Error::Header {
                name: "Authorization".to_owned(),
                rule: "cannot be set, because the bearer token is empty: give one, or leave it out",
            });
        }
        self.set_header("Authorization", &format!("Bearer {token}"))
    }

    /// Offers a subprotocol (RFC 6455 §1.9), after those offered before.
    ///
    /// # Errors
    /// [`Error::Header`] for what is no token or was offered already (RFC 6455 §4.1).
    pub fn add_subprotocol(&mut self, protocol: &str) -> Result<(), Error> {
        let error = |rule| Error::Header { name: "Sec-WebSocket-Protocol".to_owned(), rule };
        // A header's name is a token too, and that is the syntax of a subprotocol.
        if HeaderName::from_bytes(protocol.as_bytes()).is_err() {
            return Err(error("must name subprotocols of letters, digits and !#$%&'*+-.^_`|~"));
        }
        if self.subprotocols.iter().any(|offered| offered == protocol) {
            return Err(error("must not name a subprotocol twice"));
        }
        self.subprotocols.push(protocol.to_owned());
        Ok(())
    }

    /// The subprotocols on offer.
    #[must_use]
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// Whether the transport is TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "wss"
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> Host<&str> {
        // `parse` lets no URL without a host pass.
        self.url.host().unwrap_or(Host::Domain(""))
    }

    /// The port: the URL's, or 80 for `ws` and 443 for `wss`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(80)
    }

    /// Scheme, host, port and path, for people; without secrets.
    #[must_use]
    pub fn target(&self) -> String {
        format!("{}://{}:{}{}", self.url.scheme(), self.host(), self.port(), self.url.path())
    }

    /// The headers of the application's own, and what the user part amounts to.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
    }

    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
    }

    /// The value of the `Authorization` header that the URL's user part asks for.
    pub(crate) fn basic(&self) -> Option<String> {
        let (user, password) = (self.url.username(), self.url.password());
        if (user.is_empty() && password.is_none()) || self.has_header("authorization") {
            return None;
        }
        let mut pair = decode_percent(user);
        pair.push(b':');
        pair.extend(decode_percent(password.unwrap_or_default()));
        Some(format!("Basic {}", STANDARD.encode(pair)))
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Request")
            .field("target", &self.target())
            .field("headers", &names)
            .field("subprotocols", &self.subprotocols)
            .finish()
    }
}

/// One attempt's request, in the hands of the request hook. What the hook changes holds for this
/// attempt alone.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// Which attempt this is since the counter was last reset, from 1.
    pub number: u32,
    /// The transport being dialled.
    pub transport: TransportId,
    request: &'a mut Request,
}

impl<'a> Attempt<'a> {
    /// An attempt with a request of its own.
    pub fn new(number: u32, transport: TransportId, request: &'a mut Request) -> Self {
        Self { number, transport, request }
    }

    /// The URL, secrets included.
    #[must_use]
    pub fn url(&self) -> &Url {
        self.request.url()
    }

    /// Goes to another URL.
    ///
    /// # Errors
    /// As for [`Request::new`].
    pub fn set_url(&mut self, url: &str) -> Result<(), Error> {
        self.request.set_url(url)
    }

    /// Sets a header, in the place of all others of that name.
    ///
    /// # Errors
    /// As for [`Request::add_header`].
    pub fn header(&mut self, name: &str, value: &str) -> Result<(), Error> {
        self.request.set_header(name, value)
    }

    /// Sets the `Authorization` header to a bearer token.
    ///
    /// # Errors
    /// As for [`Request::set_bearer`].
    pub fn bearer(&mut self, token: &str) -> Result<(), Error> {
        self.request.set_bearer(token)
    }
}

/// What a request hook says when it cannot build the request. The text is shown to people: keep
/// secrets out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookError {
    /// This attempt fails; another may succeed.
    Retry(String),
    /// No attempt will ever succeed.
    Stop(String),
}

/// What the hook was given cannot be used now; it may be right the next time.
impl From<Error> for HookError {
    fn from(error: Error) -> Self {
        HookError::Retry(error.to_string())
    }
}

fn parse(text: &str) -> Result<Url, Error> {
    let rule = |rule: &str| Error::Url { rule: rule.to_owned() };
    let text = text.trim();
    // `Url` drops these without a word, wherever they stand.
    if text.contains(['\t', '\r', '\n']) {
        return Err(rule("has a tab or a line break in it"));
    }
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => {
            rule("has no scheme: begin with ws:// or wss://")
        }
        url::ParseError::EmptyHost => rule("names no host: write ws://HOST or wss://HOST"),
        url::ParseError::InvalidPort => {
            rule("has a port that is none: give a number from 1 to 65535")
        }
        url::ParseError::InvalidIpv6Address => {
            rule("has an IPv6 address that is none: write it in brackets, as in ws://[::1]:9001/")
        }
        url::ParseError::InvalidIpv4Address => {
            rule("has an IPv4 address that is none: write four numbers, as in ws://127.0.0.1:9001/")
        }
        url::ParseError::InvalidDomainCharacter | url::ParseError::IdnaError => {
            rule("has a host with what no name has in it, such as a space: correct it")
        }
        error => Error::Url { rule: format!("cannot be read ({error}): correct it") },
    })?;
    match url.scheme() {
        "ws" | "wss" => {}
        scheme @ ("http" | "https") => return Err(Error::Scheme { scheme: scheme.to_owned() }),
        // It may be no scheme at all, but the user part of a URL without one.
        _ => return Err(rule("has another scheme: begin with ws:// or wss://")),
    }
    // `Url` takes `ws:///path`, as an empty variable makes it, and `ws:path` for `ws://path`: a
    // stranger would get what is meant for the host.
    let authority = text.split_once(':').and_then(|(_, rest)| rest.strip_prefix("//"));
    if authority.is_none_or(|rest| rest.is_empty() || rest.starts_with(['/', '\\'])) {
        return Err(rule("names no host: write ws://HOST or wss://HOST"));
    }
    if url.fragment().is_some() {
        return Err(rule("must not have a fragment (#…): write %23 for a #"));
    }
    Ok(url)
}

fn check_header(name: &str, value: &str) -> Result<HeaderValue, Error> {
    check_name(name)?;
    let mut value = HeaderValue::from_str(value.trim())
        .or_else(|_| HeaderValue::from_bytes(value.trim().as_bytes()))
        .map_err(|_| Error::Header {
            name: name.to_owned(),
            rule: "must not have control characters in its value",
        })?;
    value.set_sensitive(true);
    Ok(value)
}

fn check_name(name: &str) -> Result<(), Error> {
    const RESERVED: [&str; 9] = [
        "connection",
        "upgrade",
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "content-length",
        "transfer-encoding",
        "trailer",
    ];
    // The text given as a name may be anything, a secret included, unless it is one.
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(Error::Header {
            name: "name".to_owned(),
            rule: "must be of letters, digits and !#$%&'*+-.^_`|~",
        });
    }
    if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
        let rule = "is the handshake's own: leave it out";
        return Err(Error::Header { name: name.to_owned(), rule });
    }
    Ok(())
}

/// Percent-encoding undone (RFC 3986 §2.1); what is no escape stays.
pub(crate) fn decode_percent(text: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16);
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = match bytes[at..] {
            [b'%', high, low, ..] => digit(high).zip(digit(low)),
            _ => None,
        };
        match escape.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_must_be_a_websocket_url() {
        for (url, part) in [
            ("example.org/", "has no scheme"),
            ("user:password@example.org/", "begin with ws://"),
            ("http://example.org/", "scheme is http"),
            ("ws://", "names no host"),
            ("ws://example.org/#top", "fragment"),
            ("ws:///feed", "names no host"),
            ("ws:example.org/feed", "names no host"),
            ("wss:/example.org", "names no host"),
            ("wss:\\\\example.org", "names no host"),
            ("ws://\\example.org", "names no host"),
            ("ws://example.org/\r\nX-Key: 1", "line break"),
            ("ws://exam\tple.org/", "tab"),
            ("ws://example.org:99999/", "give a number"),
            ("ws://[::1/", "in brackets"),
            ("ws://1.2.3.456/", "four numbers"),
            ("ws://two words/", "a space"),
        ] {
            let error = Request::new(url).expect_err(url).to_string();
            assert!(error.contains(part), "{url}: {error}");
        }
    }

    #[test]
    fn ports_and_hosts() {
        let request = Request::new("ws://example.org").expect("a url");
        assert_eq!((request.port(), request.is_tls()), (80, false));
        let request = Request::new("wss://[::1]/x").expect("a url");
        assert_eq!((request.port(), request.is_tls()), (443, true));
        assert_eq!(request.target(), "wss://[::1]:443/x");
    }

    #[test]
    fn nothing_secret_is_shown() {
        let mut request =
            Request::new("wss://us%65r:pa%3Ass@example.org/feed?token=hidden").expect("a url");
        request.add_header("X-Key", "hidden").expect("a header");
        request.set_bearer("hidden").expect("a token");
        let transport = perennial_core_transport();
        let shown = format!("{request:?} {}", request.target())
            + &format!("{:?}", Attempt::new(1, transport, &mut request));
        for secret in ["hidden", "us%65r", "user", "pa%3Ass", "token"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        assert!(shown.contains("wss://example.org:443/feed") && shown.contains("X-Key"), "{shown}");
    }

    /// The core alone mints ids; a connection's first dial carries the first one.
    fn perennial_core_transport() -> TransportId {
        serde_json::from_str("1").expect("an id is a number")
    }

    #[test]
    fn errors_do_not_repeat_what_they_refuse() {
        let mut request = Request::new("ws://h/").expect("a url");
        for (name, value) in
            [("bad name hidden", "x"), ("X-Key", "hid\nden"), ("Upgrade", "hidden")]
        {
            let error = format!("{:?}", request.add_header(name, value).expect_err(name));
            assert!(!error.contains("hid"), "{error}");
        }
        for url in ["ws://hid den@x:99999/?hidden", "hid:hidden@example.org/", "hidden"] {
            let error = format!("{:?}", Request::new(url).expect_err("bad"));
            assert!(!error.contains("hid"), "{error}");
        }
    }

    #[test]
    fn the_user_part_becomes_basic_authorization() {
        let mut request = Request::new("ws://Aladdin:open%20sesame@h/").expect("a url");
        // The example of RFC 7617 §2.
        assert_eq!(request.basic().as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        request.set_bearer("t").expect("a token");
        assert_eq!(request.basic(), None);
        assert_eq!(Request::new("ws://h/").expect("a url").basic(), None);
    }

    #[test]
    fn a_bearer_token_has_at_least_one_character() {
        let mut request = Request::new("ws://h/").expect("a url");
        request.set_bearer("t").expect("a token");
        for token in ["", " ", "\t\u{a0} "] {
            let error = request.set_bearer(token).expect_err("no token");
            assert!(matches!(&error, Error::Header { name, .. } if name == "Authorization"));
            assert!(error.to_string().contains("token is empty: give one"), "{error}");
        }
        let headers: Vec<_> = request.headers().collect();
        assert_eq!(headers, [("Authorization", &b"Bearer t"[..])], "unchanged");
        let mut attempt = Attempt::new(1, perennial_core_transport(), &mut request);
        let error = HookError::from(attempt.bearer("").expect_err("no token"));
        assert!(matches!(error, HookError::Retry(_)), "the next one may be right");
    }

    #[test]
    fn percent_encoding_is_undone() {
        assert_eq!(decode_percent("a%20b%2"), b"a b%2");
        assert_eq!(decode_percent("%zz%C3%A9"), "%zzé".as_bytes());
    }

    #[test]
    fn setting_replaces_and_adding_adds() {
        let mut request = Request::new("ws://h/").expect("a url");
        request.add_header("Cookie", "a=1").expect("a header");
        request.add_header("cookie", "b=2").expect("a header");
        assert_eq!(request.headers().count(), 2);
        request.set_header("COOKIE", "c=3").expect("a header");
        assert_eq!(request.headers().collect::<Vec<_>>(), [("COOKIE", &b"c=3"[..])]);
    }

    #[test]
    fn subprotocols_are_unique_tokens() {
        let mut request = Request::new("ws://h/").expect("a url");
        request.add_header("Sec-WebSocket-Protocol", "a, b").expect("subprotocols");
        assert_eq!(request.subprotocols(), ["a", "b"]);
        assert!(request.add_subprotocol("a").is_err());
        assert!(request.add_subprotocol("a b").is_err());
        assert!(request.add_subprotocol("").is_err());
        assert!(request.set_header("Sec-WebSocket-Protocol", "x,x").is_err());
        assert_eq!(request.subprotocols(), ["a", "b"], "unchanged");
    }
}
