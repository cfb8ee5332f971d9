//! The blocking client through a proxy, and what it makes of one that does not lead on.

#![cfg(all(feature = "blocking", feature = "proxy"))]
#![allow(clippy::unwrap_used, clippy::wildcard_imports)]

mod support;

use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use perennial::blocking::Client;
use perennial::{ClosedBy, DialError, DialFailure, Error, Notice, Reason, State};
use support::proxy::{ProxyServer, dribble};
use support::*;

const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";
const SUCCEEDED: &[u8] = &[5, 0, 0, 1, 127, 0, 0, 1, 0, 9];

fn through(proxy: &str, url: &str) -> Client {
    let builder = Client::builder(url).config(quick().build().unwrap());
    builder.proxy(proxy).connect().unwrap()
}

/// The next failed dial, or what the end was about.
fn dial_failure(client: &mut Client) -> DialFailure {
    find(client, |notice| match notice {
        Notice::Retrying { reason: Reason::DialFailed(failure), .. } => Some(failure.clone()),
        Notice::Closed(closed) => match &closed.reason {
            Reason::DialFailed(failure) => Some(failure.clone()),
            other => panic!("{other}"),
        },
        _ => None,
    })
}

/// A name that does not resolve, and of which nobody has to be asked: it is too long.
fn nowhere() -> String {
    format!("{}.invalid", "x".repeat(64))
}

fn speaks(client: &mut Client) {
    client.send("hello").unwrap();
    assert_eq!(text(client), "hello");
}

#[test]
fn connects_through_an_http_proxy() {
    let server = Server::echo();
    let proxy = ProxyServer::http(server.address);
    // A name that only the proxy knows.
    let mut client = through(&proxy.url("http://us%65r:p%40ss@"), "ws://target.test:81/feed?x=1");
    speaks(&mut client);
    let asked = proxy.asked();
    let [head] = asked.as_slice() else { panic!("{asked:?}") };
    assert!(head.starts_with("CONNECT target.test:81 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nHost: target.test:81\r\n"), "{head}");
    assert!(head.contains("\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n"), "{head}");
}

#[test]
fn connects_through_a_socks_proxy() {
    let server = Server::echo();
    let proxy = ProxyServer::socks(server.address, Some(("user", "p@ss")));
    let mut client = through(&proxy.url("socks5h://user:p%40ss@"), "ws://target.test/");
    speaks(&mut client);
    assert_eq!(proxy.asked(), ["user:p@ss name target.test 80"]);
    // Without credentials, and with credentials that it does not ask for.
    for begin in ["socks5h", "socks5h://user:word@"] {
        let proxy = ProxyServer::socks(server.address, None);
        let mut client = through(&proxy.url(begin), "ws://target.test/");
        speaks(&mut client);
        assert_eq!(proxy.asked(), ["name target.test 80"]);
    }
}

#[test]
fn who_resolves_the_name_is_told_by_the_scheme() {
    let server = Server::echo();
    let proxy = ProxyServer::socks(server.address, None);
    let mut client = through(&proxy.url("socks5"), "ws://localhost:81/");
    speaks(&mut client);
    let asked = proxy.asked().remove(0);
    assert!(["address 127.0.0.1 81", "address ::1 81"].contains(&asked.as_str()), "{asked}");
    let mut client = through(&proxy.url("socks5"), &format!("ws://{}/", nowhere()));
    assert_eq!(dial_failure(&mut client).kind, DialError::Resolve);
    // An address needs nobody.
    let mut client = through(&proxy.url("socks5h"), "ws://127.0.0.9:81/");
    speaks(&mut client);
    assert_eq!(proxy.asked().last().unwrap(), "address 127.0.0.9 81");
}

#[test]
fn an_ipv6_target_is_named_as_each_protocol_wants() {
    let server = Server::echo();
    let http = ProxyServer::http(server.address);
    let mut client = through(&http.url("http"), "ws://[2001:db8::1]:81/");
    speaks(&mut client);
    assert!(http.asked()[0].starts_with("CONNECT [2001:db8::1]:81 HTTP/1.1\r\n"));
    let socks = ProxyServer::socks(server.address, None);
    let mut client = through(&socks.url("socks5"), "ws://[2001:db8::1]:81/");
    speaks(&mut client);
    assert_eq!(socks.asked(), ["address 2001:db8::1 81"]);
}

#[test]
fn the_proxys_name_may_have_several_addresses() {
    let server = Server::echo();
    let proxy = ProxyServer::http(server.address);
    // Which is ::1 as well, where nobody listens.
    let url = format!("http://localhost:{}", proxy.address().port());
    speaks(&mut through(&url, "ws://target.test/"));
}

#[test]
fn comes_back_through_the_proxy() {
    let server = Server::start(|number, stream| {
        if number == 0 {
            reset(&stream);
            drop(accept(stream));
        } else {
            echo(accept(stream));
        }
    });
    let proxy = ProxyServer::http(server.address);
    let mut client = through(&proxy.url("http"), "ws://target.test/");
    until(&mut client, State::Open);
    until(&mut client, State::Reconnecting);
    until(&mut client, State::Open);
    speaks(&mut client);
    assert_eq!(proxy.asked().len(), 2);
}

#[test]
fn a_proxy_that_wants_credentials_ends_the_connection() {
    let http = ProxyServer::http_answer(
        b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
    );
    let other = ProxyServer::http_answer(b"HTTP/1.1 401 Unauthorized\r\n\r\n");
    let socks = ProxyServer::socks_with(Some(("user", "word")), |_, _| panic!("never asked"));
    for (url, proxy, status, part) in [
        (http.url("http"), &http, Some(407), "put a user and a password"),
        (http.url("http://hidden:hidden@"), &http, Some(407), "does not accept"),
        (other.url("http://hidden:hidden@"), &other, Some(401), "does not accept"),
        (socks.url("socks5h"), &socks, None, "put a user and a password"),
        (socks.url("socks5h://hidden:hidden@"), &socks, None, "does not accept"),
    ] {
        let mut client = through(&url, "ws://target.test/");
        let closed = closed(&mut client);
        assert_eq!(closed.by, ClosedBy::Server, "{url}");
        let Reason::DialFailed(failure) = &closed.reason else { panic!("{closed:?}") };
        assert_eq!((failure.kind, failure.status), (DialError::ProxyAuth, status));
        let said = format!("{failure} {failure:?}");
        assert!(said.contains(part) && said.contains(&proxy.address().to_string()), "{said}");
        assert!(!said.contains("hidden"), "{said}");
    }
}

#[test]
fn a_proxy_that_refuses_is_asked_again() {
    for (answer, status, part) in [
        (&b"HTTP/1.1 403 \r\n\r\n"[..], Some(403), "Forbidden"),
        (b"HTTP/1.0 502 hidden\r\nContent-Length: 6\r\n\r\nhidden", Some(502), "Bad Gateway"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://hidden/\r\n\r\n", Some(302), "Found"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", Some(101), "Switching"),
        (b"SSH-2.0-hidden\r\n", None, "HTTP/1"),
        (b"\x05\x00", None, "HTTP/1"),
        (b"HTTP/1.1 200 OK\r\nhid\x00den: 1\r\n\r\n", None, "HTTP/1"),
    ] {
        let proxy = ProxyServer::http_answer(answer);
        let mut client = through(&proxy.url("http://hidden:hidden@"), "ws://target.test/");
        let failure = dial_failure(&mut client);
        assert_eq!((failure.kind, failure.status), (DialError::Proxy, status), "{failure}");
        let said = failure.to_string();
        assert!(said.contains(part) && said.contains(&proxy.address().to_string()), "{said}");
        assert!(!said.contains("hidden"), "{said}");
    }
    for (reply, part) in [
        (&[5, 1, 0, 1][..], "does not say why"),
        (&[5, 2, 0, 1], "not allow"),
        (&[5, 3, 0, 1], "network"),
        (&[5, 4, 0, 1], "cannot reach the target"),
        (&[5, 5, 0, 1], "refused by the target"),
        (&[5, 6, 0, 1], "in time"),
        (&[5, 7, 0, 1], "support"),
        (&[5, 8, 0, 1], "such an address"),
        (&[5, 99, 0, 1], "SOCKS5"),
        (&[4, 0, 0, 1], "SOCKS5"),
        (&[5, 0, 0, 9], "SOCKS5"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "SOCKS5"),
    ] {
        let proxy = ProxyServer::socks_with(None, move |_, stream| {
            stream.write_all(reply).unwrap();
            None
        });
        let mut client = through(&proxy.url("socks5h"), "ws://target.test/");
        let failure = dial_failure(&mut client);
        assert_eq!((failure.kind, failure.status), (DialError::Proxy, None), "{failure}");
        let said = failure.to_string();
        assert!(said.contains(part) && said.contains(&proxy.address().to_string()), "{said}");
    }
}

#[test]
fn a_proxys_advice_is_heeded() {
    let proxy = ProxyServer::http_answer(b"HTTP/1.1 503 No\r\nRetry-After: 7\r\n\r\n");
    let mut client = through(&proxy.url("http"), "ws://target.test/");
    let delay = find(&mut client, |notice| match notice {
        Notice::Retrying { delay, .. } => Some(*delay),
        _ => None,
    });
    assert!(delay >= Duration::from_secs(7), "{delay:?}");
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut client = through(&format!("http://hidden:hidden@{address}"), "ws://target.test/");
    let failure = dial_failure(&mut client);
    assert_eq!(failure.kind, DialError::Connect);
    let said = failure.to_string();
    assert!(said.contains(&format!("the proxy {address}")) && !said.contains("hidden"), "{said}");
    let proxy = nowhere();
    let mut client = through(&format!("socks5h://{proxy}"), "ws://target.test/");
    let failure = dial_failure(&mut client);
    assert_eq!(failure.kind, DialError::Resolve);
    assert!(failure.to_string().contains(&format!("the proxy {proxy}:1080")), "{failure}");
}

#[test]
fn a_proxy_that_dies_or_hangs_half_way_is_tried_again() {
    for hangs in [false, true] {
        for (scheme, answer, half) in
            [("http", ESTABLISHED, &b"HTTP/1.1 200 Conn"[..]), ("socks5h", SUCCEEDED, &[5, 0])]
        {
            let server = Server::echo();
            let target = server.address;
            let script = move |number, stream: &mut std::net::TcpStream| {
                if number > 0 {
                    stream.write_all(answer).unwrap();
                    return Some(target);
                }
                stream.write_all(half).unwrap();
                if !hangs {
                    stream.shutdown(std::net::Shutdown::Both).unwrap();
                }
                None
            };
            let proxy = match scheme {
                "http" => ProxyServer::http_with(script),
                _ => ProxyServer::socks_with(None, script),
            };
            let mut config = quick();
            config.connect.dial_timeout = Duration::from_millis(200);
            let builder = Client::builder("ws://target.test/").config(config.build().unwrap());
            let mut client = builder.proxy(&proxy.url(scheme)).connect().unwrap();
            let failure = failure(&mut client);
            let expected = if hangs { "timed out" } else { "hung up" };
            assert!(failure.contains(expected), "{scheme}: {failure}");
            until(&mut client, State::Open);
            speaks(&mut client);
        }
    }
}

#[test]
fn an_answer_may_come_byte_by_byte_and_with_what_follows_glued_to_it() {
    // A target that is quicker than the request: what it says must not be lost.
    let target = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\n\r\n";
    for (scheme, answer) in [("http", ESTABLISHED), ("socks5h", SUCCEEDED)] {
        for slowly in [false, true] {
            let glued = [answer, target].concat();
            let script = move |_, stream: &mut std::net::TcpStream| {
                if slowly {
                    dribble(stream, &glued)
                } else {
                    stream.write_all(&glued).unwrap()
                }
                None
            };
            let proxy = match scheme {
                "http" => ProxyServer::http_with(script),
                _ => ProxyServer::socks_with(None, script),
            };
            let mut client = through(&proxy.url(scheme), "ws://target.test/");
            let failure = dial_failure(&mut client);
            assert_eq!((failure.kind, failure.status), (DialError::Status, Some(429)), "{scheme}");
            assert_eq!(failure.retry_after, Some(Duration::from_secs(3)), "{scheme}");
        }
    }
}

#[test]
fn interim_answers_and_other_successes_are_understood() {
    let answers: [&[u8]; 3] = [
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200 Connection established\r\nProxy-agent: x\r\n\r\n",
        // Its headers mean nothing (RFC 9110 §9.3.6).
        b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n",
    ];
    let server = Server::echo();
    for answer in answers {
        let target = server.address;
        let proxy = ProxyServer::http_with(move |_, stream| {
            dribble(stream, answer);
            Some(target)
        });
        speaks(&mut through(&proxy.url("http"), "ws://target.test/"));
    }
}

#[test]
fn an_answer_without_an_end_is_given_up() {
    let proxy = ProxyServer::http_with(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n").unwrap();
        // Until nobody reads on.
        while stream.write_all(b"X-Padding: x\r\n").is_ok() {}
        None
    });
    let mut client = through(&proxy.url("http"), "ws://target.test/");
    let failure = dial_failure(&mut client);
    assert_eq!(failure.kind, DialError::Proxy, "{failure}");
    let proxy = ProxyServer::http_with(|_, stream| {
        while stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").is_ok() {}
        None
    });
    let mut client = through(&proxy.url("http"), "ws://target.test/");
    let failure = dial_failure(&mut client);
    assert!(failure.to_string().contains("too long"), "{failure}");
}

#[test]
fn closing_while_the_proxy_hangs_is_immediate() {
    let proxy = ProxyServer::http_answer(b"");
    let mut client = through(&proxy.url("http"), "ws://target.test/");
    eventually("a CONNECT", || proxy.asked().len() == 1);
    client.close();
    assert_eq!(closed(&mut client).by, ClosedBy::Application);
}

#[test]
fn what_is_no_proxy_is_an_error_at_once_and_off_is_off() {
    let server = Server::echo();
    let url = server.url();
    let error = Client::builder(&url).proxy("https://hidden:hidden@h:1").connect().unwrap_err();
    assert!(matches!(error, Error::Proxy { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("hidden"), "{error}");
    let proxy = ProxyServer::http_answer(b"");
    let builder = Client::builder(&url).proxy(&proxy.url("http")).no_proxy();
    speaks(&mut builder.connect().unwrap());
    assert_eq!(proxy.asked().len(), 0);
}

#[cfg(feature = "tls")]
#[test]
fn tls_runs_inside_the_tunnel() {
    use support::authority::{Authority, secure};
    let authority = Authority::new();
    let config = authority.server(&["target.test"], |_| ());
    let server = Server::start(move |_, stream| echo(accept(secure(&config, stream))));
    let http = ProxyServer::http(server.address);
    let socks = ProxyServer::socks(server.address, None);
    for (proxy, scheme) in [(&http, "http"), (&socks, "socks5h")] {
        let builder = Client::builder("wss://target.test/").config(quick().build().unwrap());
        let builder = builder.trust(authority.trust()).proxy(&proxy.url(scheme));
        let mut client = builder.connect().unwrap();
        let large = "x".repeat(300_000);
        client.send(large.clone()).unwrap();
        assert!(text(&mut client) == large, "{scheme}");
    }
    assert!(http.asked()[0].starts_with("CONNECT target.test:443 HTTP/1.1\r\n"));
    assert_eq!(socks.asked(), ["name target.test 443"]);
}
