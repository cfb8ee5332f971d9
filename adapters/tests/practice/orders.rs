use crate::support::*;
use perennial::practice::{App, Faults, Options, Refusal, Server, Trickle};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tungstenite::{Bytes, Error, Message};

#[test]
fn all_connections_end_as_ordered() {
    let server = server(Faults::default());
    let mut clients: Vec<_> = (0..3).map(|_| connect(&server)).collect();
    server.reset_all();
    assert_eq!(server.stats().live, 0);
    assert!(clients.iter_mut().all(|c| end(c) == End::Reset));
    let mut clients: Vec<_> = (0..3).map(|_| connect(&server)).collect();
    server.fin_all();
    assert!(clients.iter_mut().all(|c| end(c) == End::Fin));
    let mut clients: Vec<_> = (0..3).map(|_| connect(&server)).collect();
    server.close_all(1_012, "restart");
    assert!(clients.iter_mut().all(|c| end(c) == End::Close(1_012, "restart".into())));
    drop(clients);
    assert!(server.wait(SOON, |s| s.live == 0));
    let mut client = connect(&server);
    server.close_all(1_005, "");
    assert_eq!(end(&mut client), End::Close(1_005, String::new()));
    let stats = server.stats();
    assert_eq!((stats.resets, stats.fins, stats.closes, stats.upgrades), (3, 3, 4, 10));
    assert_eq!(stats.peak_live, 3);
}

#[test]
fn a_frozen_server_answers_nothing_until_new_connections_are_made() {
    let server = server(Faults::default());
    let mut old = connect(&server);
    server.freeze(true);
    old.send(Message::Ping(Bytes::new())).unwrap();
    say(&mut old, "hello");
    assert_silent(&mut old);
    // The system accepts, the server says nothing.
    let mut dialing = tcp(&server);
    dialing.write_all(REQUEST.as_bytes()).unwrap();
    dialing.set_read_timeout(Some(WHILE)).unwrap();
    assert!(is_timeout(dialing.read(&mut [0]).unwrap_err().kind()));
    server.freeze(false);
    let mut new = connect(&server);
    say(&mut new, "hello");
    assert_eq!(hear(&mut new), "hello");
    say(&mut old, "hello");
    assert_silent(&mut old);
    // A frozen connection can still be dropped.
    server.reset_all();
    assert_eq!(end(&mut old), End::Reset);
}

#[test]
fn freeze_live_spares_the_new() {
    let server = server(Faults::default());
    let mut old = connect(&server);
    server.freeze_live();
    say(&mut old, "a");
    assert_silent(&mut old);
    let mut new = connect(&server);
    say(&mut new, "b");
    assert_eq!(hear(&mut new), "b");
}

#[test]
fn a_server_that_stops_reading_fills_the_window_and_loses_nothing() {
    let server = start(Options { app: App::Silent, ..Options::default() });
    let mut client = connect(&server);
    server.stop_reading(true);
    client.get_ref().set_nonblocking(true).unwrap();
    let begin = Instant::now();
    let payload = Bytes::from(vec![1; 64 * 1024]);
    let mut sent = 0;
    let blocked = loop {
        assert!(begin.elapsed() < SOON);
        sent += 1;
        match client.send(Message::Binary(payload.clone())) {
            Ok(()) => {}
            Err(Error::Io(e)) => break e.kind(),
            Err(e) => panic!("{e}"),
        }
    };
    assert_eq!(blocked, ErrorKind::WouldBlock);
    assert_eq!(server.stats().messages, 0);
    // It can still speak.
    server.send_all("still here");
    client.get_ref().set_nonblocking(false).unwrap();
    assert_eq!(client.read().unwrap(), Message::text("still here"));
    server.stop_reading(false);
    client.flush().unwrap();
    assert!(server.wait(SOON, |s| s.messages == sent), "{sent}: {:?}", server.stats());
}

#[test]
fn a_connection_is_dropped_though_nobody_reads_it() {
    let server = server(Faults::default());
    let client = connect(&server);
    let second = connect(&server);
    server.stop_reading(true);
    server.reset_all();
    assert_eq!(server.stats().live, 0);
    drop((client, second));
    server.stop_reading(false);
    // And a reset by the peer is noticed while reading is stopped.
    let client = connect(&server);
    server.stop_reading(true);
    socket2::SockRef::from(client.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    assert!(server.wait(SOON, |s| s.live == 0));
}

#[test]
fn refusing_begins_and_ends_on_order() {
    let server = server(Faults::default());
    let mut live = connect(&server);
    server.refuse(Some(Refusal::status(401)));
    let Err(Error::Http(response)) = try_connect(&server, "/") else { panic!() };
    assert_eq!(response.status(), 401);
    say(&mut live, "still");
    assert_eq!(hear(&mut live), "still");
    server.refuse(None);
    connect(&server);
}

#[test]
fn the_listener_closes_and_opens_on_the_same_port() {
    let server = server(Faults::default());
    let mut live = connect(&server);
    for _ in 0..3 {
        server.pause_listening();
        server.pause_listening();
        let refused = TcpStream::connect(server.addr()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        say(&mut live, "still");
        assert_eq!(hear(&mut live), "still");
        server.resume_listening().unwrap();
        server.resume_listening().unwrap();
        connect(&server);
    }
}

#[test]
fn a_restart_is_a_pause_and_a_reset() {
    let server = server(Faults::default());
    let mut clients: Vec<_> = (0..20).map(|_| connect(&server)).collect();
    server.pause_listening();
    server.fin_all();
    assert!(clients.iter_mut().all(|c| end(c) == End::Fin));
    server.resume_listening().unwrap();
    clients = (0..20).map(|_| connect(&server)).collect();
    assert!(server.wait(SOON, |s| s.live == 20));
    drop(clients);
    assert!(server.wait(SOON, |s| s.live == 0));
}

#[test]
fn messages_go_to_all() {
    let server = server(Faults::default());
    let mut clients: Vec<_> = (0..3).map(|_| connect(&server)).collect();
    server.send_all("news");
    server.send_all_binary(vec![1, 2, 3]);
    server.send_all_raw(&[0x81, 1, b'r']);
    for client in &mut clients {
        assert_eq!(hear(client), "news");
        assert_eq!(client.read().unwrap(), Message::binary(vec![1, 2, 3]));
        assert_eq!(hear(client), "r");
    }
}

#[test]
fn what_is_published_can_be_had_again() {
    let server = server(Faults::default());
    let mut client = connect(&server);
    assert_eq!(server.publish("one"), 1);
    assert_eq!(hear(&mut client), r#"{"data":"one","id":1}"#);
    server.reset_all();
    assert_eq!(server.publish(r#"{"n":2}"#), 2);
    assert_eq!(server.publish("3"), 3);
    let mut again = connect_to(&server, "/?since=1");
    assert_eq!(hear(&mut again), r#"{"data":{"n":2},"id":2}"#);
    assert_eq!(hear(&mut again), r#"{"data":3,"id":3}"#);
    let mut fresh = connect(&server);
    assert_eq!(hear(&mut fresh), r#"{"data":"one","id":1}"#);
}

#[test]
fn new_faults_replace_the_old_on_live_connections() {
    let hour = Duration::from_secs(3_600);
    let server = server(Faults { drop_every: Some(hour.into()), ..Faults::default() });
    let mut client = connect(&server);
    let soon = Duration::from_millis(20);
    server.set_faults(Faults { fin_every: Some(soon.into()), ..Faults::default() });
    assert_eq!(server.faults().fin_every, Some(soon.into()));
    assert_eq!(end(&mut client), End::Fin);
    // And what is called off does not happen.
    let mut client = connect(&server);
    server.set_faults(Faults::default());
    say(&mut client, "a");
    let first = client.read();
    if first.is_ok() {
        assert_silent(&mut client);
        assert_eq!(server.stats().live, 1);
    } else {
        // The 20 ms were over before the order came; that is the one other thing that can be.
        assert_eq!(server.stats().fins, 2);
    }
}

#[test]
fn a_server_with_nothing_to_do_sleeps() {
    let hour = Duration::from_secs(3_600);
    let pause = Some(Trickle { bytes: 1, pause: hour, handshake: false });
    let server = server(Faults { drop_every: Some(hour.into()), ..Faults::default() });
    // A connection at rest, one whose peer is gone while it is frozen, one that is stuck in a
    // trickle, one that is not read though there is something to read, half a handshake.
    let mut idle = connect(&server);
    say(&mut idle, "a");
    assert_eq!(hear(&mut idle), "a");
    let frozen = connect(&server);
    server.freeze_live();
    drop(frozen);
    let mut stuck = connect(&server);
    server.set_faults(Faults { trickle: pause, ..Faults::default() });
    say(&mut stuck, "a");
    let mut half = tcp(&server);
    half.write_all(b"GET / HT").unwrap();
    assert!(server.wait(SOON, |s| s.messages == 2 && s.tcp_accepts == 4));
    assert_asleep(&server);
    server.stop_reading(true);
    say(&mut stuck, "b");
    assert_asleep(&server);
}

fn assert_asleep(server: &Server) {
    let before = server.stats().turns;
    std::thread::sleep(WHILE);
    let turns = server.stats().turns - before;
    assert!(turns <= 10, "{turns} turns");
}

#[test]
fn hundreds_of_connections_at_once() {
    let server = server(Faults::default());
    let mut clients: Vec<_> = (0..200).map(|_| connect(&server)).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        say(client, &n.to_string());
    }
    for (n, client) in clients.iter_mut().enumerate() {
        assert_eq!(hear(client), n.to_string());
    }
    assert_eq!(server.stats().live, 200);
    server.reset_all();
    assert!(clients.iter_mut().all(|c| end(c) == End::Reset));
}

#[test]
fn dropping_the_server_closes_every_socket() {
    let server = server(Faults::default());
    let addr = server.addr();
    let mut client = connect(&server);
    let mut half = tcp(&server);
    half.write_all(b"GET / HT").unwrap();
    assert!(server.wait(SOON, |s| s.tcp_accepts == 2));
    drop(server);
    assert!(matches!(end(&mut client), End::Fin | End::Reset));
    assert!(matches!(half.read(&mut [0]), Ok(0) | Err(_)));
    assert_eq!(TcpStream::connect(addr).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}
