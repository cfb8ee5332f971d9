//! Reads the values of options. No error repeats the value: it may be a secret in the wrong place.

use std::net::SocketAddr;
use std::str::FromStr;

use perennial_core::{Duration, parse_duration};

use crate::args::BackoffName;

/// What is wrong with a value: the rule it breaks.
type Rule = &'static str;

/// A header of the handshake.
#[derive(Clone)]
pub(crate) struct HeaderArg {
    pub(crate) name: String,
    pub(crate) value: String,
}

// The value may be a secret.
impl std::fmt::Debug for HeaderArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: …", self.name)
    }
}

/// `--heartbeat` and `--stale-after`: a duration, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrOff {
    After(Duration),
    Off,
}

/// `--heartbeat-style`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StyleArg {
    Ws,
    Json,
    /// Two texts; `text` is the pair `ping` and `pong`.
    Literals {
        ping: String,
        pong: String,
    },
    Server,
}

/// `--resume`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResumeArg {
    pub(crate) param: String,
    pub(crate) field: String,
}

pub(crate) fn duration(text: &str) -> Result<Duration, Rule> {
    parse_duration(text).map_err(|_| "give a number and a unit, such as 250ms, 10s or 2m")
}

pub(crate) fn duration_or_off(text: &str) -> Result<OrOff, Rule> {
    if text == "off" {
        return Ok(OrOff::Off);
    }
    duration(text)
        .map(OrOff::After)
        .map_err(|_| "give a number and a unit, such as 250ms, 10s or 2m, or off")
}

pub(crate) fn size(text: &str) -> Result<usize, Rule> {
    bytesize::ByteSize::from_str(text)
        .ok()
        .and_then(|size| usize::try_from(size.as_u64()).ok())
        .ok_or("give a size in bytes or with a unit, such as 4096, 64KiB or 1MiB")
}

pub(crate) fn number<N: FromStr>(text: &str) -> Result<N, Rule> {
    text.parse().map_err(|_| "give a whole number that is not negative and not huge")
}

pub(crate) fn positive(text: &str) -> Result<u64, Rule> {
    text.parse().ok().filter(|n| *n > 0).ok_or("give a whole number, at least 1")
}

pub(crate) fn fraction(text: &str) -> Result<f64, Rule> {
    text.parse()
        .ok()
        .filter(|p| (0.0..=1.0).contains(p))
        .ok_or("give a fraction from 0 to 1, such as 0.1")
}

pub(crate) fn status(text: &str) -> Result<u16, Rule> {
    text.parse()
        .ok()
        .filter(|status| (200..=599).contains(status))
        .ok_or("give an HTTP status from 200 to 599, such as 503")
}

pub(crate) fn close_code(text: &str) -> Result<u16, Rule> {
    text.parse()
        .ok()
        .filter(|code| (1000..=4999).contains(code))
        .ok_or("give a close code from 1000 to 4999, such as 1012")
}

pub(crate) fn listen(text: &str) -> Result<SocketAddr, Rule> {
    use std::net::ToSocketAddrs;
    text.to_socket_addrs()
        .ok()
        .and_then(|mut all| all.next())
        .ok_or("give an address and a port, such as 127.0.0.1:9001")
}

pub(crate) fn style(text: &str) -> Result<StyleArg, Rule> {
    Ok(match text {
        "ws" => StyleArg::Ws,
        "json" => StyleArg::Json,
        "server" => StyleArg::Server,
        "text" => StyleArg::Literals { ping: "ping".to_owned(), pong: "pong".to_owned() },
        _ => {
            let pair = text
                .strip_prefix("literal:")
                .ok_or("give ws, text, json, literal:PING,PONG or server")?;
            let (ping, pong) = pair
                .split_once(',')
                .filter(|(ping, pong)| !ping.is_empty() && !pong.is_empty())
                .ok_or("give both texts: literal:PING,PONG")?;
            if ping == pong {
                return Err("give two different texts: literal:PING,PONG");
            }
            StyleArg::Literals { ping: ping.to_owned(), pong: pong.to_owned() }
        }
    })
}

pub(crate) fn backoff(text: &str) -> Result<BackoffName, Rule> {
    Ok(match text {
        "exponential" => BackoffName::Exponential,
        "linear" => BackoffName::Linear,
        "constant" => BackoffName::Constant,
        _ => {
            let delays = text
                .strip_prefix("list:")
                .ok_or("give exponential, linear, constant or list:D,D,… such as list:1s,5s,30s")?;
            BackoffName::List(
                delays
                    .split(',')
                    .map(duration)
                    .collect::<Result<_, _>>()
                    .map_err(|_| "give delays with units: list:1s,5s,30s")?,
            )
        }
    })
}

/// A token (RFC 9110 §5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

pub(crate) fn header(text: &str) -> Result<HeaderArg, Rule> {
    let (name, value) = text.split_once(':').ok_or("give a name and a value: 'Name: value'")?;
    let value = value.trim_matches([' ', '\t']);
    if !is_token(name) {
        return Err(
            "the name before the colon must be an HTTP token (letters, digits and hyphens)",
        );
    }
    // RFC 9110 §5.5; bytes above ASCII are obsolete there, and refused here.
    if !value.bytes().all(|b| b == b'\t' || (0x20..0x7f).contains(&b)) {
        return Err("the value after the colon must be printable ASCII");
    }
    let lower = name.to_ascii_lowercase();
    if lower == "sec-websocket-protocol" {
        return Err("the handshake writes Sec-WebSocket-Protocol itself: use --subprotocol");
    }
    if lower.starts_with("sec-websocket-") {
        return Err("the handshake writes Sec-WebSocket-* headers itself: leave them out");
    }
    if ["connection", "upgrade", "content-length", "transfer-encoding", "te", "trailer"]
        .contains(&lower.as_str())
    {
        return Err("the handshake owns Connection, Upgrade and the headers of a body: \
                    leave them out");
    }
    Ok(HeaderArg { name: name.to_owned(), value: value.to_owned() })
}

pub(crate) fn subprotocol(text: &str) -> Result<String, Rule> {
    if is_token(text) {
        Ok(text.to_owned())
    } else {
        Err("give one subprotocol's name, an HTTP token; repeat the option for more")
    }
}

pub(crate) fn resume(text: &str) -> Result<ResumeArg, Rule> {
    text.split_once('=')
        .filter(|(param, field)| !param.is_empty() && !field.is_empty())
        .map(|(param, field)| ResumeArg { param: param.to_owned(), field: field.to_owned() })
        .ok_or("give the query parameter and the messages' field: PARAM=FIELD, such as since=seq")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "10", "s", "-1s", "1x", "1s2"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(duration_or_off("off"), Ok(OrOff::Off));
        assert_eq!(duration_or_off("1s"), Ok(OrOff::After(Duration::from_secs(1))));
        assert!(duration_or_off("on").is_err());
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("1MiB"), Ok(1 << 20));
        for bad in ["", "-1", "x", "1XiB", "99999999999999999999"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers() {
        let good = header("X-Token:  a:b ").expect("a header");
        assert_eq!((good.name.as_str(), good.value.as_str()), ("X-Token", "a:b"));
        assert!(!format!("{good:?}").contains("a:b"));
        assert_eq!(header("X-Empty:").expect("empty values are allowed").value, "");
        for bad in [
            "no colon",
            ": v",
            "a b: c",
            "X: a\r\nY: b",
            "X: \u{e9}",
            "Connection: close",
            "Upgrade: x",
            "sec-websocket-key: x",
            "Sec-WebSocket-Protocol: x",
        ] {
            assert!(header(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn styles_and_backoffs() {
        let pair =
            |ping: &str, pong: &str| StyleArg::Literals { ping: ping.into(), pong: pong.into() };
        assert_eq!(style("text"), Ok(pair("ping", "pong")));
        assert_eq!(style("literal:a,b,c"), Ok(pair("a", "b,c")));
        for bad in ["", "wss", "literal:", "literal:a", "literal:,b", "literal:a,", "literal:x,x"] {
            assert!(style(bad).is_err(), "{bad}");
        }
        assert_eq!(
            backoff("list:1s,250ms"),
            Ok(BackoffName::List(vec![Duration::from_secs(1), Duration::from_millis(250)]))
        );
        for bad in ["", "list:", "list:1s,", "list:1", "Linear"] {
            assert!(backoff(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn resumes() {
        assert_eq!(
            resume("since=seq"),
            Ok(ResumeArg { param: "since".into(), field: "seq".into() })
        );
        for bad in ["", "since", "=seq", "since="] {
            assert!(resume(bad).is_err(), "{bad}");
        }
    }
}
