//! What a connection can be made to: a URL, or a whole HTTP request.

use tungstenite::ClientRequestBuilder;
use tungstenite::client::IntoClientRequest;
use tungstenite::http::header::HeaderMap;
use tungstenite::http::uri::Authority;
use tungstenite::http::{self, HeaderName, HeaderValue, Method, Uri, Version};
use url::Url;

use crate::error::Error;
use crate::request::Request;

/// Where a connection can be made to: the text of a URL, a [`Url`], a [`Uri`], a [`Request`], an
/// [`http::Request`](http::Request), or a request builder of `tungstenite`.
///
/// For anything else that is an `IntoClientRequest` to `tungstenite` there is
/// [`Builder::from_request`](crate::Builder::from_request).
///
/// # What becomes of an HTTP request
///
/// It is the model of every attempt's request. Its URL must be absolute, its method `GET` and its
/// version HTTP/1.1, and it has no body: [`Error::Request`] otherwise. Its headers go out with every
/// attempt, in their order under each name, those that occur twice included; and these are seen to:
///
/// | header | what becomes of it |
/// | --- | --- |
/// | `Connection`, `Sec-WebSocket-Key`, `Content-Length: 0` | left out: the handshake has its own, with a new key for each attempt (RFC 6455 §4.1) |
/// | `Upgrade`, `Sec-WebSocket-Version` | left out if they say `websocket` and `13`, and otherwise [`Error::Header`] |
/// | `Host` | left out where it names the URL's host and port, and otherwise sent in place of them; two of them are [`Error::Header`] |
/// | `Sec-WebSocket-Protocol` | offered, as by [`Builder::subprotocol`](crate::Builder::subprotocol) |
/// | `Sec-WebSocket-Extensions`, `Sec-WebSocket-Accept`, `Content-Length`, `Transfer-Encoding`, `Trailer` | [`Error::Header`]: extensions are not supported, and there is no body |
///
/// The values are secrets to `Debug`, errors and the journal, as all headers' values are. The
/// request's `Extensions` are not sent, and are dropped.
///
/// ```
/// use perennial::{Builder, http};
///
/// let request = http::Request::get("wss://example.com/feed")
///     .header("X-Client", "example")
///     .header("Sec-WebSocket-Protocol", "feed.v2, feed.v1")
///     .body(())?;
/// let builder = Builder::new(request);
/// # Ok::<(), http::Error>(())
/// ```
pub trait IntoRequest {
    /// The request.
    ///
    /// # Errors
    /// [`Error`] for what can never be sent.
    fn into_request(self) -> Result<Request, Error>;
}

impl IntoRequest for Request {
    fn into_request(self) -> Result<Request, Error> {
        Ok(self)
    }
}

impl<T: AsRef<str> + ?Sized> IntoRequest for &T {
    fn into_request(self) -> Result<Request, Error> {
        Request::new(self.as_ref())
    }
}

impl IntoRequest for String {
    fn into_request(self) -> Result<Request, Error> {
        Request::new(&self)
    }
}

impl IntoRequest for Url {
    fn into_request(self) -> Result<Request, Error> {
        Request::new(self.as_str())
    }
}

impl IntoRequest for Uri {
    fn into_request(self) -> Result<Request, Error> {
        Request::new(&self.to_string())
    }
}

impl IntoRequest for ClientRequestBuilder {
    fn into_request(self) -> Result<Request, Error> {
        from_client(self)
    }
}

impl IntoRequest for http::Request<()> {
    fn into_request(self) -> Result<Request, Error> {
        let (parts, ()) = self.into_parts();
        let rule = |rule| Err(Error::Request { rule });
        if parts.method != Method::GET {
            return rule("must have the method GET (RFC 6455 §4.1)");
        }
        if parts.version != Version::HTTP_11 {
            return rule("must be of HTTP/1.1: a WebSocket over another version is not supported");
        }
        let mut request = Request::new(&parts.uri.to_string())?;
        if !names_host(&parts.headers, &request)? {
            for host in parts.headers.get_all(http::header::HOST) {
                request.add_value(&http::header::HOST, host.clone())?;
            }
        }
        for (name, value) in &parts.headers {
            take_header(&mut request, name, value)?;
        }
        Ok(request)
    }
}

/// As a request that `tungstenite` understands.
pub(crate) fn from_client(request: impl IntoClientRequest) -> Result<Request, Error> {
    // What it says when it fails may repeat what it was given.
    let rule = "cannot be built: its URL, a header or a subprotocol is malformed";
    request.into_client_request().map_err(|_| Error::Request { rule })?.into_request()
}

fn take_header(request: &mut Request, name: &HeaderName, value: &HeaderValue) -> Result<(), Error> {
    let error = |rule| Err(Error::Header { name: name.to_string(), rule });
    let bytes = value.as_bytes().trim_ascii();
    match name.as_str() {
        "host" | "connection" | "sec-websocket-key" => Ok(()),
        "content-length" if bytes == b"0" => Ok(()),
        "upgrade" if bytes.eq_ignore_ascii_case(b"websocket") => Ok(()),
        "upgrade" => error("must be websocket, or be left out"),
        "sec-websocket-version" if bytes == b"13" => Ok(()),
        "sec-websocket-version" => error("must be 13, or be left out"),
        "sec-websocket-protocol" => match value.to_str() {
            Ok(list) => request.add_header(name.as_str(), list),
            Err(_) => error("must name subprotocols of letters, digits and !#$%&'*+-.^_`|~"),
        },
        _ => request.add_value(name, value.clone()),
    }
}

/// Whether the `Host` among `headers` says no more than the URL.
fn names_host(headers: &HeaderMap, request: &Request) -> Result<bool, Error> {
    let mut hosts = headers.get_all(http::header::HOST).iter();
    let Some(host) = hosts.next() else { return Ok(true) };
    if hosts.next().is_some() {
        return Err(Error::Header { name: "host".to_owned(), rule: "must not occur twice" });
    }
    let Ok(authority) = Authority::try_from(host.as_bytes()) else { return Ok(false) };
    let default = if request.is_tls() { 443 } else { 80 };
    let same_port = authority.port_u16().unwrap_or(default) == request.port();
    Ok(same_port && authority.host().eq_ignore_ascii_case(&request.host().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::Opening;

    fn get(url: &str) -> http::request::Builder {
        http::Request::get(url)
    }

    fn built(request: http::request::Builder) -> Result<Request, Error> {
        request.body(()).expect("well-formed").into_request()
    }

    fn sent(request: &Request) -> String {
        String::from_utf8(Opening::new(request).bytes).expect("ascii")
    }

    #[test]
    fn headers_go_out_and_those_of_the_handshake_are_ours() {
        let request = get("ws://us:pw@example.org:8080/feed?x=1")
            .header("Cookie", "a=1")
            .header("Cookie", "b=2")
            .header("Host", "EXAMPLE.org:8080")
            .header("Connection", "keep-alive, Upgrade")
            .header("Upgrade", "WebSocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
            .header("Sec-WebSocket-Protocol", "a, b")
            .header("Sec-WebSocket-Protocol", "c")
            .header("Content-Length", "0");
        let text = sent(&built(request).expect("a request"));
        assert!(text.starts_with("GET /feed?x=1 HTTP/1.1\r\nHost: example.org:8080\r\n"), "{text}");
        for line in [
            "cookie: a=1",
            "cookie: b=2",
            "Connection: Upgrade",
            "Sec-WebSocket-Protocol: a, b, c",
            "Authorization: Basic dXM6cHc=",
        ] {
            assert_eq!(text.matches(&format!("\r\n{line}\r\n")).count(), 1, "{line} in {text}");
        }
        let lower = text.to_lowercase();
        for name in ["host", "connection", "upgrade", "sec-websocket-version", "sec-websocket-key"]
        {
            assert_eq!(lower.matches(&format!("\r\n{name}: ")).count(), 1, "{name} in {text}");
        }
        assert!(!lower.contains("content-length") && !text.contains("AAAAAAAA"), "{text}");
    }

    #[test]
    fn another_host_is_honoured() {
        for (url, host, expected) in [
            ("ws://127.0.0.1:9/", "example.org", "host: example.org"),
            ("wss://h/", "h:443", "Host: h"),
            ("wss://h/", "h:80", "host: h:80"),
            ("ws://[::1]/", "[::1]:80", "Host: [::1]"),
        ] {
            let text = sent(&built(get(url).header("Host", host)).expect("a request"));
            assert!(text.contains(&format!("\r\n{expected}\r\n")), "{expected} in {text}");
            assert_eq!(text.to_lowercase().matches("\r\nhost: ").count(), 1, "{text}");
        }
        let twice = built(get("ws://h/").header("Host", "a").header("Host", "b"));
        assert!(twice.expect_err("two hosts").to_string().contains("twice"));
    }

    #[test]
    fn what_is_no_websocket_request_is_refused() {
        let says = |request| built(request).expect_err("refused").to_string();
        assert!(says(get("ws://h/").method("POST")).contains("method GET"));
        for version in [Version::HTTP_10, Version::HTTP_2] {
            assert!(says(get("ws://h/").version(version)).contains("HTTP/1.1"), "{version:?}");
        }
        assert!(says(get("/path")).contains("no scheme"));
        assert!(says(get("https://h/")).contains("use ws://"));
        for (name, value) in [
            ("Upgrade", "h2c, hidden"),
            ("Sec-WebSocket-Version", "8"),
            ("Sec-WebSocket-Extensions", "permessage-deflate; hidden"),
            ("Sec-WebSocket-Protocol", "hid den"),
            ("Content-Length", "5"),
            ("Transfer-Encoding", "hidden"),
        ] {
            let said = says(get("ws://h/").header(name, value));
            assert!(said.contains(&name.to_lowercase()) || said.contains(name), "{said}");
            assert!(!said.contains("hid"), "{said}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let request = built(get("ws://h/?token=hidden").header("X-Key", "hidden"));
        let shown = format!("{:?}", request.expect("a request"));
        assert!(!shown.contains("hidden") && shown.contains("x-key"), "{shown}");
        let error = from_client("ws://hidden hidden/").expect_err("no URL");
        assert!(!format!("{error} {error:?}").contains("hidden"), "{error}");
    }

    #[test]
    fn everything_that_names_a_url_is_taken() {
        let target = "wss://example.org:443/x";
        let text = String::from("wss://example.org/x");
        let url = Url::parse(&text).expect("a URL");
        let uri: Uri = text.parse().expect("a URI");
        let client = ClientRequestBuilder::new(uri.clone())
            .with_header("X-Key", "1")
            .with_sub_protocol("chat");
        let request = client.into_request().expect("a request");
        assert_eq!((request.target().as_str(), request.subprotocols().len()), (target, 1));
        assert_eq!(request.headers().count(), 1);
        for request in [
            (&text).into_request(),
            text.as_str().into_request(),
            (&url).into_request(),
            url.clone().into_request(),
            uri.into_request(),
            text.clone().into_request(),
            from_client(&text),
        ] {
            let request = request.expect("a request");
            assert_eq!(request.target(), target);
            assert_eq!(request.headers().count(), 0, "{request:?}");
        }
    }
}
