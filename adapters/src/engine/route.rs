//! Where a dial goes first: to the target, or to the proxy on the way there.

use std::net::SocketAddr;

use perennial_core::DialFailure;
use url::Host;

use super::journal;
#[cfg(feature = "proxy")]
use super::tunnel::{Destination, Tunnel};
#[cfg(feature = "proxy")]
use crate::proxy::{Kind, Proxies, Proxy};
use crate::request::Request;

/// What is between the first connection and the target: `None` if nothing is.
#[cfg(feature = "proxy")]
pub(crate) type Way = Option<Box<Tunnel>>;
/// What is between the first connection and the target: nothing.
#[cfg(not(feature = "proxy"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way;

/// Finds the addresses of a host; `None` where it would have to ask.
pub(super) type Lookup = fn(&Host<&str>, u16) -> Result<Option<Vec<SocketAddr>>, DialFailure>;

/// Knows the ways.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    #[cfg(feature = "proxy")]
    proxies: Proxies,
}

/// A way to a target.
#[derive(Debug)]
pub(crate) struct Route {
    /// In the order in which they are to be tried; not empty. With a proxy they are the proxy's.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) way: Way,
}

impl Route {
    /// Has the journal tell it.
    pub(crate) fn note(&self) {
        #[cfg(feature = "proxy")]
        let proxy = self.way.as_ref().map(|tunnel| &tunnel.proxy as &dyn std::fmt::Display);
        #[cfg(not(feature = "proxy"))]
        let proxy = None;
        journal::routed(&self.addresses, proxy);
    }
}

impl Routes {
    #[cfg(feature = "proxy")]
    pub(crate) fn new(proxies: Proxies) -> Self {
        Self { proxies }
    }

    /// Straight to every target.
    #[cfg(any(not(feature = "proxy"), test))]
    pub(crate) fn direct() -> Self {
        Self {
            #[cfg(feature = "proxy")]
            proxies: Proxies::Off,
        }
    }

    /// The way of the attempt numbered `attempt`; `None` where `lookup` would have to ask.
    #[cfg(feature = "proxy")]
    pub(super) fn find(
        &self,
        request: &Request,
        attempt: u32,
        lookup: Lookup,
    ) -> Result<Option<Route>, DialFailure> {
        let proxy = self.proxies.choose(request).map_err(|error| {
            DialFailure::new(perennial_core::DialError::Proxy, error.to_string())
        })?;
        match proxy {
            None => straight(request, lookup, None),
            Some(proxy) => through(proxy, request, attempt, lookup),
        }
    }

    /// The way; `None` where `lookup` would have to ask.
    #[cfg(not(feature = "proxy"))]
    pub(super) fn find(
        &self,
        request: &Request,
        _: u32,
        lookup: Lookup,
    ) -> Result<Option<Route>, DialFailure> {
        straight(request, lookup, Way)
    }
}

fn straight(request: &Request, lookup: Lookup, way: Way) -> Result<Option<Route>, DialFailure> {
    let addresses = lookup(&request.host(), request.port())?;
    Ok(addresses.map(|addresses| Route { addresses, way }))
}

#[cfg(feature = "proxy")]
fn through(
    proxy: Proxy,
    request: &Request,
    attempt: u32,
    lookup: Lookup,
) -> Result<Option<Route>, DialFailure> {
    let (host, port) = (request.host(), request.port());
    let to = match proxy.kind() {
        Kind::Http | Kind::Socks5h => Destination::named(&host, port),
        Kind::Socks5 => {
            let Some(addresses) = lookup(&host, port)? else { return Ok(None) };
            // The proxy takes one only; each attempt has the next, in case it cannot be reached.
            let turn = attempt.saturating_sub(1) as usize % addresses.len().max(1);
            match addresses.get(turn) {
                Some(address) => Destination::Address(*address),
                None => Destination::named(&host, port),
            }
        }
    };
    let tunnel = Tunnel { proxy, to };
    let addresses = lookup(&tunnel.proxy.host(), tunnel.proxy.port());
    let addresses = addresses.map_err(|failure| tunnel.names(failure))?;
    Ok(addresses.map(|addresses| Route { addresses, way: Some(Box::new(tunnel)) }))
}

#[cfg(all(test, feature = "proxy"))]
mod tests {
    use super::*;

    fn asks_nobody(host: &Host<&str>, port: u16) -> Result<Option<Vec<SocketAddr>>, DialFailure> {
        Ok(match host {
            Host::Domain("two.example") => {
                Some(vec![([10, 0, 0, 1], port).into(), ([10, 0, 0, 2], port).into()])
            }
            Host::Domain(_) => None,
            Host::Ipv4(ip) => Some(vec![(*ip, port).into()]),
            Host::Ipv6(ip) => Some(vec![(*ip, port).into()]),
        })
    }

    fn route(proxy: &str, url: &str, attempt: u32) -> Option<Route> {
        let proxy = Proxy::parse("the proxy's URL", proxy).expect("a proxy");
        let request = Request::new(url).expect("a URL");
        let routes = Routes::new(Proxies::One(proxy));
        routes.find(&request, attempt, asks_nobody).expect("no failure")
    }

    fn destination(proxy: &str, url: &str, attempt: u32) -> Destination {
        let route = route(proxy, url, attempt).expect("nobody is asked");
        assert_eq!(route.addresses, ["127.0.0.1:1".parse().expect("an address")]);
        route.way.expect("a tunnel").to
    }

    #[test]
    fn who_resolves_the_name_depends_on_the_scheme() {
        let name = |host: &str, port| Destination::Name(host.into(), port);
        for scheme in ["http", "socks5h"] {
            let proxy = format!("{scheme}://127.0.0.1:1");
            let named = destination(&proxy, "wss://secret.example/", 1);
            assert_eq!(named, name("secret.example", 443), "{scheme}");
        }
        assert!(route("socks5://127.0.0.1:1", "wss://secret.example/", 1).is_none(), "asks");
    }

    #[test]
    fn attempts_take_turns_with_the_addresses() {
        for (attempt, ip) in [(1, "10.0.0.1"), (2, "10.0.0.2"), (3, "10.0.0.1")] {
            let to = destination("socks5://127.0.0.1:1", "ws://two.example/", attempt);
            let expected = Destination::Address(format!("{ip}:80").parse().expect("an address"));
            assert_eq!(to, expected, "attempt {attempt}");
        }
    }

    #[test]
    fn an_address_stays_an_address() {
        for scheme in ["http", "socks5", "socks5h"] {
            let to = destination(&format!("{scheme}://127.0.0.1:1"), "ws://[::1]:9/", 1);
            let expected = Destination::Address("[::1]:9".parse().expect("an address"));
            assert_eq!(to, expected, "{scheme}");
        }
    }
}
