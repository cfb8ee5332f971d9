//! Through a proxy, on every runtime.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use perennial::{Builder, ClosedBy, DialError, Notice, Reason};

use crate::support::authority::{Authority, secure};
use crate::support::proxy::{ProxyServer, dribble};
use crate::support::{Server, accept, echo, quick};
use crate::*;

crate::scripts! {
    connects_through_an_http_proxy,
    connects_over_tls_through_a_socks_proxy,
    a_proxy_that_wants_credentials_ends_the_connection,
    a_refusal_carries_its_status,
    an_answer_may_come_byte_by_byte,
    a_proxy_that_hangs_or_dies_is_tried_again,
}

const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

fn through(proxy: &str, url: &str) -> Builder {
    builder(url, quick()).proxy(proxy)
}

async fn speaks(client: &mut perennial::asynchronous::Client) {
    client.send("hello").await.unwrap();
    assert_eq!(text(client).await, "hello");
}

async fn connects_through_an_http_proxy<E: Executor>() {
    let server = Server::echo();
    let proxy = ProxyServer::http(server.address);
    let mut client = E::start(through(&proxy.url("http://user:word@"), "ws://target.test/"));
    speaks(&mut client).await;
    let head = proxy.asked().remove(0);
    assert!(head.starts_with("CONNECT target.test:80 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nProxy-Authorization: Basic dXNlcjp3b3Jk\r\n"), "{head}");
}

async fn connects_over_tls_through_a_socks_proxy<E: Executor>() {
    let authority = Authority::new();
    let config = authority.server(&["target.test"], |_| ());
    let server = Server::start(move |_, stream| echo(accept(secure(&config, stream))));
    let proxy = ProxyServer::socks(server.address, Some(("user", "word")));
    let builder = through(&proxy.url("socks5h://user:word@"), "wss://target.test/");
    let mut client = E::start(builder.trust(authority.trust()));
    let large = "x".repeat(300_000);
    client.send(large.clone()).await.unwrap();
    assert!(text(&mut client).await == large);
    assert_eq!(proxy.asked(), ["user:word name target.test 443"]);
}

async fn a_proxy_that_wants_credentials_ends_the_connection<E: Executor>() {
    let http = ProxyServer::http_answer(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    let socks = ProxyServer::socks_with(Some(("user", "word")), |_, _| panic!("never asked"));
    for url in [http.url("http://hidden:hidden@"), socks.url("socks5h://hidden:hidden@")] {
        let mut client = E::start(through(&url, "ws://target.test/"));
        let closed = closed(&mut client).await;
        assert_eq!(closed.by, ClosedBy::Server);
        let Reason::DialFailed(failure) = &closed.reason else { panic!("{closed:?}") };
        assert_eq!(failure.kind, DialError::ProxyAuth);
        assert!(!format!("{failure} {failure:?}").contains("hidden"), "{failure}");
    }
}

async fn a_refusal_carries_its_status<E: Executor>() {
    let proxy = ProxyServer::http_answer(b"HTTP/1.1 502 hidden\r\n\r\nhidden");
    let mut client = E::start(through(&proxy.url("http"), "ws://target.test/"));
    let reason = find(&mut client, |notice| match notice {
        Notice::Retrying { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    let reason = reason.await;
    assert_eq!(reason.status(), Some(502));
    let said = reason.to_string();
    assert!(said.contains(&proxy.address().to_string()) && !said.contains("hidden"), "{said}");
}

async fn an_answer_may_come_byte_by_byte<E: Executor>() {
    let server = Server::echo();
    let target = server.address;
    let script = move |answer: &'static [u8]| {
        move |_: usize, stream: &mut TcpStream| {
            dribble(stream, answer);
            Some(target)
        }
    };
    let http = ProxyServer::http_with(script(ESTABLISHED));
    let socks = ProxyServer::socks_with(None, script(&[5, 0, 0, 3, 2, b'h', b'i', 0, 9]));
    for url in [http.url("http"), socks.url("socks5h")] {
        let mut client = E::start(through(&url, "ws://target.test/"));
        speaks(&mut client).await;
    }
    // And what comes right behind the answer is the target's.
    let early = b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 401 Unauthorized\r\n\r\n";
    let proxy = ProxyServer::http_answer(early);
    let mut client = E::start(through(&proxy.url("http"), "ws://target.test/"));
    assert_eq!(closed(&mut client).await.reason.status(), Some(401));
}

async fn a_proxy_that_hangs_or_dies_is_tried_again<E: Executor>() {
    for (hangs, said) in [(true, "timed out"), (false, "hung up")] {
        let server = Server::echo();
        let target = server.address;
        let proxy = ProxyServer::http_with(move |number, stream| {
            if number > 0 {
                stream.write_all(ESTABLISHED).unwrap();
                return Some(target);
            }
            stream.write_all(&ESTABLISHED[..20]).unwrap();
            if !hangs {
                stream.shutdown(Shutdown::Both).unwrap();
            }
            None
        });
        let mut config = quick();
        config.connect.dial_timeout = Duration::from_millis(200);
        let builder = builder("ws://target.test/", config).proxy(&proxy.url("http"));
        let mut client = E::start(builder);
        let failure = failure(&mut client).await;
        assert!(failure.contains(said), "{failure}");
        speaks(&mut client).await;
    }
}
