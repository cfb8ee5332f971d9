//! What is heard while an answer is awaited awake. Nobody here would wait until that is over.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use perennial::{ClosedBy, HeartbeatStyle, State};

use crate::support::{LONG, Server, accept, quick, reset};
use crate::*;

crate::scripts! {
    calls_are_heard_while_it_is_awake,
    a_dead_link_is_found_while_it_is_awake,
    a_reset_is_told_as_one_while_it_is_awake,
}

const ENDLESS: Duration = Duration::from_secs(3_600);

/// Returns every message but one, after which it does what `then` says, and goes on if that says so.
fn until_hushed(then: impl Fn(&TcpStream) -> bool + Send + Sync + 'static) -> Server {
    Server::start(move |_, stream| {
        let mut socket = accept(stream);
        while let Ok(message) = socket.read() {
            match message.to_text() {
                Ok("hush") if then(socket.get_ref()) => {}
                Ok("hush") => return,
                Ok(_) if message.is_text() => socket.send(message).unwrap(),
                _ => {}
            }
        }
    })
}

/// A client that has had quick answers, and awaits one that does not come.
async fn hushed<E: Executor>(server: &Server, config: ConfigBuilder) -> Client {
    let mut client = E::start(builder(&server.url(), config).busy_poll(ENDLESS));
    soon(client.wait_open()).await.unwrap();
    for number in 0..20 {
        let sent = number.to_string();
        client.send(sent.clone()).await.unwrap();
        assert_eq!(text(&mut client).await, sent);
    }
    client.send("hush").await.unwrap();
    client
}

async fn calls_are_heard_while_it_is_awake<E: Executor>() {
    let server = until_hushed(|_| true);
    let mut config = quick();
    config.heartbeat.style = HeartbeatStyle::Off;
    let mut client = hushed::<E>(&server, config).await;
    let handle = client.handle();
    let caller = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        handle.try_send("more").unwrap();
    });
    assert_eq!(text(&mut client).await, "more");
    caller.join().unwrap();
    client.send("hush").await.unwrap();
    client.close();
    assert_eq!(soon(client.wait_closed()).await.by, ClosedBy::Application);
}

async fn a_dead_link_is_found_while_it_is_awake<E: Executor>() {
    let server = until_hushed(|_| {
        thread::sleep(LONG);
        true
    });
    let mut config = quick();
    config.heartbeat.interval = Duration::from_millis(100);
    // Long enough for a busy machine to have the exchange before.
    config.heartbeat.deadline = Duration::from_secs(1);
    let mut client = hushed::<E>(&server, config).await;
    until(&mut client, State::Reconnecting).await;
}

async fn a_reset_is_told_as_one_while_it_is_awake<E: Executor>() {
    let server = until_hushed(|stream| {
        reset(stream);
        // Until it waits for this.
        thread::sleep(Duration::from_millis(20));
        false
    });
    let mut config = quick();
    config.heartbeat.style = HeartbeatStyle::Off;
    let mut client = hushed::<E>(&server, config).await;
    let reason = failure(&mut client).await;
    assert!(reason.contains("reset"), "{reason}");
}
