//! Which proxy a connection goes through, if any, and how to show that without secrets.

mod bypass;
mod environment;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::{Host, Url};

use crate::error::Error;
use crate::request::{Request, decode_percent};

use environment::Environment;

/// What was said of proxies when the connection was built.
#[derive(Clone, Debug, Default)]
pub(crate) enum Wish {
    /// What the environment says.
    #[default]
    Environment,
    /// None.
    Off,
    /// This one, wherever the connection goes.
    One(Proxy),
}

/// Which proxy leads where.
#[derive(Clone, Debug)]
pub(crate) enum Proxies {
    Environment(Box<Environment>),
    Off,
    One(Proxy),
}

/// A proxy.
///
/// `Debug` and [`Proxy::name`] show the host and the port; never the user or the password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    kind: Kind,
    host: Host<String>,
    port: u16,
    credentials: Option<Credentials>,
}

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// HTTP's CONNECT (RFC 9110 §9.3.6).
    Http,
    /// SOCKS version 5 (RFC 1928), the target's name resolved on this side.
    Socks5,
    /// The same, the name resolved by the proxy.
    Socks5h,
}

/// A user and a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Wish {
    /// Reads the environment, if that is what is wished.
    pub(crate) fn settle(self) -> Proxies {
        match self {
            Wish::Environment => {
                Proxies::Environment(Box::new(Environment::read(std::env::var_os)))
            }
            Wish::Off => Proxies::Off,
            Wish::One(proxy) => Proxies::One(proxy),
        }
    }
}

impl Proxies {
    /// The proxy on the way to where `request` goes.
    ///
    /// # Errors
    /// [`Error::Proxy`] for a variable of the environment that names none.
    pub(crate) fn choose(&self, request: &Request) -> Result<Option<Proxy>, Error> {
        match self {
            Proxies::Environment(environment) => environment.choose(request),
            Proxies::Off => Ok(None),
            Proxies::One(proxy) => Ok(Some(proxy.clone())),
        }
    }
}

impl Proxy {
    /// Reads a proxy's URL, found at `place`. Without a scheme it is an HTTP proxy.
    ///
    /// # Errors
    /// [`Error::Proxy`].
    pub(crate) fn parse(place: &'static str, text: &str) -> Result<Self, Error> {
        let wrong = |rule| Error::Proxy { place, rule };
        let text = text.trim();
        // `Url` drops these without a word.
        if text.contains(['\t', '\r', '\n']) {
            return Err(wrong("has a tab or a line break in it"));
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let (kind, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Kind::Http, 80),
            "socks5" => (Kind::Socks5, 1080),
            "socks5h" => (Kind::Socks5h, 1080),
            "https" => {
                return Err(wrong(
                    "is https, and TLS to the proxy itself is not supported: use an \
                                  http:// or socks5h:// one; wss:// is encrypted through it",
                ));
            }
            "socks" | "socks4" | "socks4a" => {
                return Err(wrong("is not SOCKS5: write socks5:// or socks5h://"));
            }
            _ => {
                return Err(wrong(
                    "has another scheme: begin with http://, socks5:// or socks5h://",
                ));
            }
        };
        // A scheme that has no default port, so that a port that was written is not forgotten.
        let url = Url::parse(&format!("proxy://{rest}"));
        let url = url.map_err(|_| wrong("cannot be read: write http://HOST:PORT"))?;
        let written = url.host_str().filter(|host| !host.is_empty());
        let host = written.and_then(|host| Host::parse(host).ok());
        let host = host.ok_or_else(|| wrong("names no host: write http://HOST:PORT"))?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong(
                "goes on behind the port: in a password write %2F for a /, %3F for \
                              a ?, %23 for a # and %40 for an @",
            ));
        }
        let credentials = credentials(&url, kind).map_err(wrong)?;
        Ok(Self { kind, host, port: url.port().unwrap_or(default_port), credentials })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn host(&self) -> Host<&str> {
        match &self.host {
            Host::Domain(name) => Host::Domain(name),
            Host::Ipv4(ip) => Host::Ipv4(*ip),
            Host::Ipv6(ip) => Host::Ipv6(*ip),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// The value of `Proxy-Authorization` (RFC 7617).
    pub(crate) fn basic(&self) -> Option<String> {
        let Credentials { user, password } = self.credentials()?;
        Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }

    /// Host and port, for people.
    pub(crate) fn name(&self) -> String {
        self.to_string()
    }
}

/// Host and port.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn credentials(url: &Url, kind: Kind) -> Result<Option<Credentials>, &'static str> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decode = |text| String::from_utf8(decode_percent(text));
    let (Ok(user), Ok(password)) =
        (decode(url.username()), decode(url.password().unwrap_or_default()))
    else {
        return Err("has a user or a password that is not UTF-8");
    };
    // RFC 1929 §2.
    let fits = |text: &str| (1..=255).contains(&text.len());
    if kind != Kind::Http && !(fits(&user) && fits(&password)) {
        return Err("needs a user and a password of 1 to 255 bytes each, or neither");
    }
    Ok(Some(Credentials { user, password }))
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("kind", &self.kind)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Proxy, Error> {
        Proxy::parse("the proxy's URL", text)
    }

    #[test]
    fn urls_of_proxies() {
        for (text, kind, name) in [
            ("http://proxy.example:3128", Kind::Http, "proxy.example:3128"),
            ("proxy.example:3128", Kind::Http, "proxy.example:3128"),
            ("proxy.example", Kind::Http, "proxy.example:80"),
            (" HTTP://127.0.0.1:8080/ ", Kind::Http, "127.0.0.1:8080"),
            ("socks5://[::1]:80", Kind::Socks5, "[::1]:80"),
            ("SOCKS5h://Proxy.Example", Kind::Socks5h, "proxy.example:1080"),
        ] {
            let proxy = parse(text).expect(text);
            assert_eq!((proxy.kind(), proxy.name().as_str()), (kind, name), "{text}");
            assert_eq!(proxy.credentials(), None, "{text}");
        }
        assert!(matches!(parse("http://127.0.0.1").expect("a proxy").host(), Host::Ipv4(_)));
    }

    #[test]
    fn credentials_are_decoded() {
        // The example of RFC 7617 §2.
        let proxy = parse("http://Aladdin:open%20sesame@h:1").expect("a proxy");
        assert_eq!(proxy.basic().as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        let proxy = parse("Aladdin:open%40sesame@h:1").expect("a proxy");
        let password = proxy.credentials().map(|both| both.password.as_str());
        assert_eq!(password, Some("open@sesame"));
        let proxy = parse("http://user@h").expect("a proxy");
        assert_eq!(proxy.credentials().map(|both| both.password.as_str()), Some(""));
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_being_repeated() {
        let long = format!("socks5://hidden:{}@h", "x".repeat(256));
        for (text, part) in [
            ("https://hidden:hidden@h:1", "TLS to the proxy"),
            ("socks4://hidden@h", "socks5://"),
            ("ftp://hidden@h", "another scheme"),
            ("http://", "names no host"),
            ("http://hidden@:80", "cannot be read"),
            ("http://h:hidden", "cannot be read"),
            ("http://u:hid/den@h:1", "cannot be read"),
            ("http://h:1/hidden", "behind the port"),
            ("http://h:1?hidden", "behind the port"),
            ("http://hid\nden@h", "line break"),
            ("socks5://hidden@h", "1 to 255"),
            (&long, "1 to 255"),
            ("", "names no host"),
        ] {
            let error = parse(text).expect_err(text);
            let said = format!("{error} {error:?}");
            assert!(said.contains(part), "{text}: {said}");
            assert!(!said.contains("hid"), "{said}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let proxy = parse("socks5h://hidden-user:hidden-word@h:1").expect("a proxy");
        let shown = format!("{proxy:?} {:?} {}", proxy.credentials(), proxy.name());
        assert!(shown.contains('h') && !shown.contains("hidden"), "{shown}");
        let wish = format!("{:?}", Wish::One(proxy).settle());
        assert!(!wish.contains("hidden"), "{wish}");
    }
}
