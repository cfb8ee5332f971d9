//! The proxies that the environment names, by the variables that curl and its like have made usual.

use std::ffi::OsString;
use std::fmt;

use super::Proxy;
use super::bypass::Bypass;
use crate::error::Error;
use crate::request::Request;

/// In lower case, and so preferred, and in upper case.
type Names = [&'static str; 2];

const WS: Names = ["ws_proxy", "WS_PROXY"];
const WSS: Names = ["wss_proxy", "WSS_PROXY"];
const HTTP: Names = ["http_proxy", "HTTP_PROXY"];
const HTTPS: Names = ["https_proxy", "HTTPS_PROXY"];
const ALL: Names = ["all_proxy", "ALL_PROXY"];
const NO: Names = ["no_proxy", "NO_PROXY"];

/// What the environment says of proxies.
#[derive(Clone)]
pub(crate) struct Environment {
    plain: Option<Variable>,
    secure: Option<Variable>,
    bypass: Bypass,
}

#[derive(Clone)]
struct Variable {
    name: &'static str,
    /// `None` where it is no text.
    value: Option<String>,
}

impl Environment {
    /// Asks `variable` for each.
    pub(super) fn read(variable: impl Fn(&'static str) -> Option<OsString>) -> Self {
        // To a CGI program `HTTP_PROXY` is the header `Proxy` of whoever asked ("httpoxy").
        let is_cgi = variable("REQUEST_METHOD").is_some();
        let is_foreign =
            |name| is_cgi && (name == HTTP[1] || (cfg!(windows) && HTTP.contains(&name)));
        let read = |names: &[Names]| {
            names.iter().flatten().copied().filter(|name| !is_foreign(name)).find_map(|name| {
                let value = variable(name)?.into_string().ok();
                Some(Variable { name, value })
            })
        };
        let bypass = read(&[NO]).and_then(|variable| variable.value).unwrap_or_default();
        Self {
            // RFC 6455 §4.1, step 3 of the list: rather the proxy for HTTPS than the one for HTTP.
            plain: read(&[WS, HTTPS, HTTP, ALL]),
            secure: read(&[WSS, HTTPS, ALL]),
            bypass: Bypass::parse(&bypass),
        }
    }

    /// The proxy on the way to where `request` goes.
    pub(super) fn choose(&self, request: &Request) -> Result<Option<Proxy>, Error> {
        let variable = if request.is_tls() { &self.secure } else { &self.plain };
        let Some(Variable { name, value }) = variable else { return Ok(None) };
        if self.bypass.contains(&request.host(), request.port()) {
            return Ok(None);
        }
        match value.as_deref().map(str::trim) {
            // Said to be none.
            Some("") => Ok(None),
            Some(url) => Proxy::parse(name, url).map(Some),
            None => Err(Error::Proxy { place: name, rule: "is no text" }),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |variable: &Option<Variable>| variable.as_ref().map(|variable| variable.name);
        f.debug_struct("Environment")
            .field("plain", &name(&self.plain))
            .field("secure", &name(&self.secure))
            .field("bypass", &self.bypass)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)], url: &str) -> Result<Option<String>, Error> {
        let environment = Environment::read(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        });
        let request = Request::new(url).expect("a URL");
        Ok(environment.choose(&request)?.map(|proxy| proxy.name()))
    }

    #[test]
    fn the_variable_depends_on_the_scheme() {
        let all = [
            ("ws_proxy", "ws:1"),
            ("wss_proxy", "wss:1"),
            ("https_proxy", "https:1"),
            ("http_proxy", "http:1"),
            ("all_proxy", "all:1"),
        ];
        // What is left when the first so many are not set.
        for (from, plain, secure) in [
            (0, Some("ws:1"), Some("wss:1")),
            (1, Some("https:1"), Some("wss:1")),
            (2, Some("https:1"), Some("https:1")),
            (3, Some("http:1"), Some("all:1")),
            (4, Some("all:1"), Some("all:1")),
            (5, None, None),
        ] {
            let lower = &all[from..];
            let upper: Vec<_> = lower.iter().map(|(n, v)| (n.to_uppercase(), *v)).collect();
            let upper: Vec<_> = upper.iter().map(|(n, v)| (n.as_str(), *v)).collect();
            for variables in [lower, &upper] {
                for (url, expected) in [("ws://h/", plain), ("wss://h/", secure)] {
                    let found = chosen(variables, url).expect("proxies");
                    assert_eq!(found.as_deref(), expected, "{url} with {variables:?}");
                }
            }
        }
    }

    #[test]
    fn lower_case_is_preferred_and_an_empty_one_means_none() {
        let both = [("HTTPS_PROXY", "upper:1"), ("https_proxy", "lower:1")];
        assert_eq!(chosen(&both, "wss://h/").expect("a proxy").as_deref(), Some("lower:1"));
        let empty = [("HTTPS_PROXY", "upper:1"), ("https_proxy", ""), ("ALL_PROXY", "all:1")];
        assert_eq!(chosen(&empty, "wss://h/").expect("none"), None);
    }

    #[test]
    fn no_proxy_says_where_none_leads() {
        let variables = [("ALL_PROXY", "all:1"), ("NO_PROXY", "localhost,127.0.0.1")];
        for (url, expected) in [
            ("ws://localhost:9001/", None),
            ("wss://127.0.0.1/", None),
            ("ws://example.org/", Some("all:1")),
        ] {
            assert_eq!(chosen(&variables, url).expect("proxies").as_deref(), expected, "{url}");
        }
        // As curl has it: whoever wants loopback left alone says so.
        let found = chosen(&[("ALL_PROXY", "all:1")], "ws://127.0.0.1:9001/");
        assert_eq!(found.expect("a proxy").as_deref(), Some("all:1"));
    }

    #[test]
    fn whoever_asks_a_cgi_program_does_not_choose_its_proxy() {
        let variables = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "evil:1")];
        assert_eq!(chosen(&variables, "ws://h/").expect("none"), None);
        let more = [variables[0], variables[1], ("ALL_PROXY", "all:1")];
        assert_eq!(chosen(&more, "ws://h/").expect("a proxy").as_deref(), Some("all:1"));
        let without = [("HTTP_PROXY", "good:1")];
        assert_eq!(chosen(&without, "ws://h/").expect("a proxy").as_deref(), Some("good:1"));
    }

    #[test]
    fn a_variable_that_names_no_proxy_is_an_error_and_no_way_around_it() {
        let variables = [("https_proxy", "https://hidden:hidden@h:1"), ("no_proxy", "a.example")];
        let error = chosen(&variables, "wss://h/").expect_err("TLS to the proxy");
        let said = format!("{error} {error:?}");
        assert!(said.contains("https_proxy") && !said.contains("hidden"), "{said}");
        assert_eq!(chosen(&variables, "wss://a.example/").expect("not used"), None);
    }
}
