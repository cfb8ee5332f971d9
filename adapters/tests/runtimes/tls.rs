//! `wss://` on every runtime.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use perennial::{Builder, ClosedBy, State, Trust};

use crate::support::authority::{Authority, secure, wss};
use crate::support::{Server, accept, echo, quick};
use crate::*;

crate::scripts! {
    speaks_over_tls_with_a_trusted_server,
    refuses_a_stranger,
    what_does_not_speak_tls,
    being_cut_off_is_the_end_of_the_stream,
    back_pressure_holds_over_tls,
}

fn trusting(url: &str, trust: Trust) -> Builder {
    builder(url, quick()).trust(trust)
}

async fn speaks_over_tls_with_a_trusted_server<E: Executor>() {
    let authority = Authority::new();
    let config = authority.server(&["localhost", "127.0.0.1"], |_| ());
    let server = Server::start(move |_, stream| echo(accept(secure(&config, stream))));
    for host in ["localhost", "127.0.0.1"] {
        let mut client = E::start(trusting(&wss(server.address, host), authority.trust()));
        let large = "x".repeat(300_000);
        client.send("hello").await.unwrap();
        client.send(large.clone()).await.unwrap();
        assert_eq!(text(&mut client).await, "hello", "{host}");
        assert!(text(&mut client).await == large, "{host}");
        client.close();
        let closed = closed(&mut client).await;
        assert_eq!((closed.by, closed.clean), (ClosedBy::Application, true));
    }
}

async fn refuses_a_stranger<E: Executor>() {
    let stranger = Authority::named("theirs");
    let config = stranger.server(&["localhost"], |_| ());
    let server = Server::start(move |_, stream| {
        let _ = secure(&config, stream).read(&mut [0; 16]);
    });
    let url = wss(server.address, "localhost");
    let mut client = E::start(trusting(&url, Authority::new().trust()));
    let said = failure(&mut client).await;
    assert!(said.contains("unknown issuer"), "{said}");
}

async fn what_does_not_speak_tls<E: Executor>() {
    let server = Server::start(|_, mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let url = wss(server.address, "localhost");
    let mut client = E::start(trusting(&url, Authority::new().trust()));
    let said = failure(&mut client).await;
    assert!(said.contains("does not speak TLS"), "{said}");
}

async fn being_cut_off_is_the_end_of_the_stream<E: Executor>() {
    let authority = Authority::new();
    let config = authority.server(&["localhost"], |_| ());
    let server = Server::start(move |number, stream| {
        let mut socket = accept(secure(&config, stream));
        if number == 0 {
            socket.read().unwrap();
            // No close frame, no close_notify.
            socket.get_ref().sock.shutdown(std::net::Shutdown::Both).unwrap();
        } else {
            echo(socket);
        }
    });
    let mut client = E::start(trusting(&wss(server.address, "localhost"), authority.trust()));
    client.send("go").await.unwrap();
    let said = failure(&mut client).await;
    assert!(said.contains("the peer ended the connection"), "{said}");
    until(&mut client, State::Open).await;
}

async fn back_pressure_holds_over_tls<E: Executor>() {
    let authority = Authority::new();
    let config = authority.server(&["localhost"], |_| ());
    let server = Server::start(move |_, stream| {
        let mut socket = accept(secure(&config, stream));
        thread::sleep(Duration::from_millis(300));
        let mut count = 0;
        while let Ok(message) = socket.read() {
            count += usize::from(message.is_binary());
            if message.is_text() {
                socket.send(count.to_string().into()).unwrap();
            }
        }
    });
    let mut config = quick();
    config.outbox.overflow = perennial::Overflow::Wait;
    let url = wss(server.address, "localhost");
    let mut client = E::start(builder(&url, config).trust(authority.trust()));
    for _ in 0..256 {
        soon(client.send(vec![7; 64 << 10])).await.unwrap();
    }
    soon(client.send("count")).await.unwrap();
    assert_eq!(text(&mut client).await, "256");
}
