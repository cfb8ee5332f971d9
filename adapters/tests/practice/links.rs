use crate::support::*;
use perennial::practice::{CloseAfter, Faults, Misbehave, Options, Span};
use std::io::{Read, Write};
use std::time::{Duration, Instant};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Bytes, Error, Message};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn drop_every_resets_and_fin_every_ends_without_a_close_frame() {
    let server1 = server(Faults { drop_every: Some(ms(50).into()), ..Faults::default() });
    let begin = Instant::now();
    assert_eq!(end(&mut connect(&server1)), End::Reset);
    assert!(begin.elapsed() >= ms(50));
    assert!(server1.wait(SOON, |s| s.resets == 1 && s.live == 0));
    let server2 = server(Faults { fin_every: Some(ms(50).into()), ..Faults::default() });
    assert_eq!(end(&mut connect(&server2)), End::Fin);
    assert!(server2.wait(SOON, |s| s.fins == 1 && s.live == 0));
}

#[test]
fn a_fin_does_not_turn_into_a_reset() {
    let server = server(Faults {
        fin_every: Some(ms(10).into()),
        drop_every: Some(ms(60).into()),
        ..Faults::default()
    });
    let mut client = connect(&server);
    assert!(server.wait(SOON, |s| s.fins == 1));
    assert!(!server.wait(WHILE, |s| s.resets > 0));
    assert_eq!(end(&mut client), End::Fin);
}

#[test]
fn ranges_mix_both_and_the_seed_repeats_the_mix() {
    let run = |seed| {
        let span = Some(Span::from(ms(1)..=ms(30)));
        let faults = Faults { drop_every: span, fin_every: span, ..Faults::default() };
        let server = start(Options { seed, faults, ..Options::default() });
        (0..12).map(|_| end(&mut connect(&server))).collect::<Vec<_>>()
    };
    let ends = run(4);
    assert!(ends.contains(&End::Reset) && ends.contains(&End::Fin), "{ends:?}");
    assert_eq!(ends, run(4));
}

#[test]
fn freeze_after_leaves_a_half_open_connection() {
    let server = server(Faults { freeze_after: Some(ms(20).into()), ..Faults::default() });
    let mut client = connect(&server);
    assert!(server.wait(SOON, |s| s.frozen == 1));
    let before = server.stats().bytes_in;
    client.send(Message::Ping(Bytes::from_static(b"?"))).unwrap();
    say(&mut client, r#"{"id":1}"#);
    client.close(None).unwrap();
    assert!(server.wait(SOON, |s| s.bytes_in > before), "what comes is read");
    assert_silent(&mut client);
    let stats = server.stats();
    assert_eq!((stats.live, stats.messages, stats.pings), (1, 0, 0));
}

#[test]
fn close_after_messages() {
    let order = CloseAfter { code: 4_001, reason: "enough".into(), messages: 3 };
    let server = server(Faults { close_after: Some(order), ..Faults::default() });
    let mut client = connect(&server);
    for text in ["a", "b", "c"] {
        say(&mut client, text);
        assert_eq!(hear(&mut client), text);
    }
    assert_eq!(end(&mut client), End::Close(4_001, "enough".into()));
    assert!(server.wait(SOON, |s| s.closes == 1 && s.live == 1));
    // The client's reply is what it waits for.
    assert!(matches!(client.read(), Err(Error::ConnectionClosed)));
    assert!(server.wait(SOON, |s| s.live == 0 && s.peer_closes == 0));
}

#[test]
fn close_right_after_opening() {
    let order = CloseAfter { code: 1_013, reason: String::new(), messages: 0 };
    let server = server(Faults { close_after: Some(order), ..Faults::default() });
    assert_eq!(end(&mut connect(&server)), End::Close(1_013, String::new()));
}

#[test]
fn a_peer_that_does_not_answer_a_close_is_let_go() {
    let order = CloseAfter { code: 1_001, reason: String::new(), messages: 0 };
    let faults = Faults { close_after: Some(order), ..Faults::default() };
    let server = start(Options { patience: ms(50), faults, ..Options::default() });
    let mut tcp = raw_open(&server);
    let mut all = Vec::new();
    tcp.read_to_end(&mut all).unwrap();
    assert_eq!(all, [0x88, 2, 0x03, 0xe9]);
}

#[test]
fn a_client_that_closes_is_answered_and_then_closed() {
    let server = server(Faults::default());
    let mut client = connect(&server);
    client.close(Some(CloseFrame { code: 1000.into(), reason: "bye".into() })).unwrap();
    assert_eq!(end(&mut client), End::Close(1_000, "bye".into()));
    assert!(matches!(client.read(), Err(Error::ConnectionClosed)));
    assert!(server.wait(SOON, |s| s.peer_closes == 1 && s.closes == 0 && s.live == 0));
}

#[test]
fn close_without_fin_leaves_tcp_up() {
    let faults = Faults { misbehave: Some(Misbehave::CloseWithoutFin), ..Faults::default() };
    let server = start(Options { patience: ms(20), faults, ..Options::default() });
    let mut tcp = raw_open(&server);
    // A masked close frame without a code.
    tcp.write_all(&[0x88, 0x80, 0, 0, 0, 0]).unwrap();
    let mut reply = [0; 2];
    tcp.read_exact(&mut reply).unwrap();
    assert_eq!(reply, [0x88, 0]);
    tcp.set_read_timeout(Some(WHILE)).unwrap();
    assert!(is_timeout(tcp.read(&mut [0]).unwrap_err().kind()));
}

#[test]
fn an_ignored_close_is_not_answered() {
    let faults = Faults { misbehave: Some(Misbehave::IgnoreClose), ..Faults::default() };
    let server = start(Options { patience: ms(20), faults, ..Options::default() });
    let mut client = connect(&server);
    client.close(None).unwrap();
    assert!(server.wait(SOON, |s| s.peer_closes == 1));
    assert_silent(&mut client);
}

#[test]
fn a_flood_does_not_stop_the_server_reading() {
    let misbehave = Some(Misbehave::Flood { size: 10_000 });
    let server = server(Faults { misbehave, ..Faults::default() });
    let mut client = connect(&server);
    for _ in 0..300 {
        assert_eq!(client.read().unwrap().len(), 10_000);
    }
    // Nobody reads for a while; what the client says arrives all the same.
    for n in 1..=100 {
        say(&mut client, &format!(r#"{{"id":{n}}}"#));
    }
    assert!(server.wait(SOON, |s| s.distinct_ids == 100));
    server.set_faults(Faults::default());
    let sent = server.stats().sent;
    assert!(sent >= 400, "{sent}");
    let mut echoes = 0;
    while echoes < 100 {
        echoes +=
            u32::from(matches!(client.read().unwrap(), Message::Text(t) if t.contains("\"id\"")));
    }
    assert_eq!(server.stats().sent, sent, "the flood is over");
}

#[test]
fn a_client_that_does_not_read_is_closed_with_1013() {
    let server = start(Options { max_outgoing: 1 << 20, ..Options::default() });
    let mut client = connect(&server);
    let begin = Instant::now();
    let payload = Bytes::from(vec![7; 64 * 1024]);
    while server.stats().overflows == 0 {
        assert!(begin.elapsed() < SOON);
        client.send(Message::Binary(payload.clone())).unwrap();
    }
    assert_eq!(end(&mut client), End::Close(1_013, "too much unread".into()));
}

#[test]
fn a_client_that_breaks_the_protocol_is_told_how() {
    let server = start(Options { max_message: 1_000, ..Options::default() });
    for (bytes, code) in [
        (vec![0x81, 1, b'a'], 1_002_u16),
        (vec![0xc1, 0x81, 0, 0, 0, 0, b'a'], 1_002),
        (vec![0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28], 1_007),
        (vec![0x82, 0xfe, 0x10, 0, 0, 0, 0, 0], 1_009),
    ] {
        let mut tcp = raw_open(&server);
        tcp.write_all(&bytes).unwrap();
        let mut reply = Vec::new();
        tcp.read_to_end(&mut reply).unwrap();
        assert_eq!(reply[0], 0x88, "{bytes:?}");
        assert_eq!(reply[2..4], code.to_be_bytes(), "{bytes:?}");
    }
    assert_eq!(server.stats().violations, 4);
}

#[test]
fn pings_are_answered_and_sent() {
    let server = start(Options { ping_every: Some(ms(10)), ..Options::default() });
    let mut client = connect(&server);
    client.send(Message::Ping(Bytes::from_static(b"abc"))).unwrap();
    let (mut pings, mut pongs) = (0, 0);
    while pings < 3 || pongs < 1 {
        match client.read().unwrap() {
            Message::Ping(_) => pings += 1,
            Message::Pong(data) => {
                assert_eq!(&data[..], b"abc");
                pongs += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    client.flush().unwrap();
    assert!(server.wait(SOON, |s| s.pings == 1 && s.pongs >= 2));
}
