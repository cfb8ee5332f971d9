//! `NO_PROXY`: where no proxy leads.
//!
//! No standard says what may stand there. These rules take what curl, Python and Go take.

use std::net::IpAddr;

use ipnet::IpNet;
use url::Host;

/// The hosts that are reached directly.
#[derive(Clone, Debug, Default)]
pub(super) struct Bypass {
    everything: bool,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    hosts: Hosts,
    /// This port alone.
    port: Option<u16>,
}

#[derive(Clone, Debug)]
enum Hosts {
    Net(IpNet),
    /// This name and every name below it, in lower case.
    Domain(String),
}

impl Bypass {
    /// Reads a list whose members commas or spaces separate.
    pub(super) fn parse(list: &str) -> Self {
        let members = list.split(|c: char| c == ',' || c.is_whitespace());
        let mut bypass = Self::default();
        for member in members.filter(|member| !member.is_empty()) {
            if member == "*" {
                bypass.everything = true;
            } else if let Some(entry) = entry(member) {
                bypass.entries.push(entry);
            }
        }
        bypass
    }

    /// Whether `host` is reached directly at `port`.
    pub(super) fn contains(&self, host: &Host<&str>, port: u16) -> bool {
        let names = |entry: &Entry| {
            entry.port.is_none_or(|named| named == port) && entry.hosts.contains(host)
        };
        self.everything || self.entries.iter().any(names)
    }
}

impl Hosts {
    fn contains(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Hosts::Net(net), Host::Ipv4(ip)) => net.contains(&IpAddr::V4(*ip)),
            (Hosts::Net(net), Host::Ipv6(ip)) => net.contains(&IpAddr::V6(*ip)),
            (Hosts::Domain(domain), Host::Domain(name)) => {
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                let above = name.strip_suffix(domain.as_str());
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            (Hosts::Net(_), Host::Domain(_))
            | (Hosts::Domain(_), Host::Ipv4(_) | Host::Ipv6(_)) => false,
        }
    }
}

fn entry(member: &str) -> Option<Entry> {
    if let Some(net) = net(member) {
        return Some(Entry { hosts: Hosts::Net(net), port: None });
    }
    let (member, port) = match member.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (member, None),
    };
    if let Some(net) = net(member) {
        return Some(Entry { hosts: Hosts::Net(net), port });
    }
    let domain = member.trim_start_matches("*.").trim_matches('.').to_ascii_lowercase();
    (!domain.is_empty()).then_some(Entry { hosts: Hosts::Domain(domain), port })
}

/// An address, or a range of them (RFC 4632 §3.1).
fn net(member: &str) -> Option<IpNet> {
    let bare = member.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(member);
    bare.parse::<IpAddr>().ok().map(IpNet::from).or_else(|| bare.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bypassed(list: &str, host: &str, port: u16) -> bool {
        let host = Host::parse(host).expect("a host");
        let host = match &host {
            Host::Domain(name) => Host::Domain(name.as_str()),
            Host::Ipv4(ip) => Host::Ipv4(*ip),
            Host::Ipv6(ip) => Host::Ipv6(*ip),
        };
        Bypass::parse(list).contains(&host, port)
    }

    #[test]
    fn names_and_what_is_below_them() {
        for list in
            ["example.org", ".example.org", "*.example.org", "x, EXAMPLE.org.", "x example.org"]
        {
            for host in ["example.org", "a.b.Example.ORG", "example.org."] {
                assert!(bypassed(list, host, 443), "{host} in {list}");
            }
            for host in ["notexample.org", "example.org.evil", "org", "1.2.3.4"] {
                assert!(!bypassed(list, host, 443), "{host} not in {list}");
            }
        }
    }

    #[test]
    fn addresses_and_ranges() {
        for (list, host, expected) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("10.0.0.0/8", "10.200.3.4", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/99", "10.0.0.1", false),
            ("::1", "[::1]", true),
            ("[::1]", "[::1]", true),
            ("fd00::/8", "[fd12::1]", true),
            ("fd00::/8", "[fe80::1]", false),
            ("127.0.0.1", "localhost", false),
        ] {
            assert_eq!(bypassed(list, host, 443), expected, "{host} in {list}");
        }
    }

    #[test]
    fn ports_stars_and_nothing() {
        assert!(bypassed("example.org:8080", "www.example.org", 8080));
        assert!(!bypassed("example.org:8080", "example.org", 443));
        assert!(bypassed("[::1]:9001, 127.0.0.1:9002", "[::1]", 9001));
        assert!(bypassed("[::1]:9001, 127.0.0.1:9002", "127.0.0.1", 9002));
        assert!(!bypassed("[::1]:9001, 127.0.0.1:9002", "127.0.0.1", 9001));
        assert!(bypassed("x,*", "anything.example", 1));
        for nothing in ["", " , ", ".", "x:99999", ":80"] {
            assert!(!bypassed(nothing, "x", 80), "{nothing:?}");
        }
    }
}
